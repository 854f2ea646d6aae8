"""Certificates read: what another library wrote into them, and octets that are none."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from ringback.transport.tls.identity import Identities, identities_of
from ringback.transport.tls.x509 import Certificate
from tests.transport.tls.authority import Authority


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def test_all_that_is_in_it_is_read(tmp_path: Path) -> None:
    made = Authority(tmp_path).certificate_for(
        "DNS:pbx.example", "URI:sip:pbx.example", "IP:192.0.2.1", "IP:2001:db8::1", "email:root@pbx.example", common_name="Büro"
    )
    read = Certificate.from_der(der(made))
    assert read == Certificate(
        "Büro",
        True,
        ("pbx.example",),
        ("sip:pbx.example",),
        ("192.0.2.1", "2001:db8::1"),
        made.not_valid_before_utc,
        made.not_valid_after_utc,
    )
    assert identities_of(read) == Identities(frozenset({"pbx.example"}), frozenset({"192.0.2.1", "2001:db8::1"}))
    assert str(identities_of(read)) == "pbx.example, 192.0.2.1, 2001:db8::1"


def test_case_is_a_matter_of_ascii(tmp_path: Path) -> None:
    made = Authority(tmp_path).certificate_for(common_name="\N{KELVIN SIGN}.example")
    found = identities_of(Certificate.from_der(der(made)))
    assert found.domains == frozenset()
    made = Authority(tmp_path).certificate_for("DNS:K.example")
    found = identities_of(Certificate.from_der(der(made)))
    assert found.covers("k.EXAMPLE")
    assert not found.covers("\N{KELVIN SIGN}.example")


def test_names_stay_in_one_line(tmp_path: Path) -> None:
    made = Authority(tmp_path).certificate_for("DNS:a\nsip: forged line", "DNS:\x1b[31mred", "DNS:" + "a" * 100)
    shown = str(identities_of(Certificate.from_der(der(made))))
    assert shown == f"?[31mred, a?sip: forged line, {'a' * 60}"


def test_a_certificate_that_ends_after_2050_has_its_time_in_another_form(tmp_path: Path) -> None:
    made = Authority(tmp_path).certificate_for("DNS:pbx.example", days=20_000)
    assert Certificate.from_der(der(made)).not_after == made.not_valid_after_utc > datetime(2050, 1, 1, tzinfo=UTC)


def test_the_last_common_name_is_the_most_specific(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    names = [x509.NameAttribute(NameOID.COMMON_NAME, name) for name in ("first.example", "last.example")]
    now = datetime(2026, 1, 1, tzinfo=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([*names, x509.NameAttribute(NameOID.ORGANIZATION_NAME, "An organization")]))
        .issuer_name(authority.name)
        .public_key(authority.key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now)
        .sign(authority.key, hashes.SHA256())
    )
    assert Certificate.from_der(der(made)).common_name == "last.example"
    assert identities_of(Certificate.from_der(der(made))).domains == {"last.example"}


@pytest.mark.parametrize(
    "text", ["", "nothing", "-----BEGIN CERTIFICATE-----\n", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]
)
def test_a_file_that_holds_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"holds no certificate in PEM|is no X\.509 certificate"):
        Certificate.from_pem(text)


_SAMPLE: list[bytes] = []


@pytest.fixture(scope="module", autouse=True)
def _sample(tmp_path_factory: pytest.TempPathFactory) -> None:
    made = Authority(tmp_path_factory.mktemp("authority")).certificate_for("DNS:pbx.example", "URI:sip:pbx.example", "IP:192.0.2.1")
    _SAMPLE.append(der(made))


@given(st.binary(max_size=200))
def test_any_octets_are_a_certificate_or_a_value_error(octets: bytes) -> None:
    read_or_refused(octets)


@given(st.data())
def test_a_damaged_certificate_is_read_or_a_value_error(data: st.DataObject) -> None:
    octets = bytearray(_SAMPLE[0])
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    read_or_refused(bytes(octets[: data.draw(st.integers(0, len(octets)))]))
    read_or_refused(bytes(octets))


def read_or_refused(octets: bytes) -> None:
    """Whatever else it raised would get out."""
    with contextlib.suppress(ValueError):
        identities_of(Certificate.from_der(octets))
