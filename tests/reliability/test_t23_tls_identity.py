"""T23: certificates of every sort, of which exactly the right ones are believed (RFC 5922 §7; V35: names half compared, or not at all)."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from ringback.address import Target
from ringback.transport.tls import CertificateFiles, Contexts
from tests.transport.party import eventually, options, party
from tests.transport.tls.authority import Authority, rsa_key

pytestmark = pytest.mark.asyncio

DOMAIN = "pbx.example"

# What the certificate of a server that must be pbx.example holds, and what is said against it: "" where it is believed.
CERTIFICATES: dict[str, tuple[dict[str, object], str]] = {
    "DNS name": ({"names": ["DNS:pbx.example"]}, ""),
    "DNS name in capitals": ({"names": ["DNS:PBX.Example"]}, ""),
    "SIP URI": ({"names": ["URI:sip:pbx.example"]}, ""),
    "SIP URI with a parameter and a port": ({"names": ["URI:SIP:pbx.example:5061;transport=tls"]}, ""),
    "one of several": ({"names": ["URI:sip:other.example", "URI:sip:pbx.example"]}, ""),
    "common name without alternatives": ({"common_name": "pbx.example"}, ""),
    "RSA key": ({"names": ["DNS:pbx.example"], "key": rsa_key()}, ""),
    "no extended key usage": ({"names": ["DNS:pbx.example"], "usage": None}, ""),
    "another domain": ({"names": ["DNS:other.example"]}, "for other.example, not for pbx.example"),
    "wildcard": ({"names": ["DNS:*.example"]}, "for *.example, not for"),
    "parent domain": ({"names": ["DNS:example"]}, "for example, not for"),
    "subdomain": ({"names": ["DNS:a.pbx.example"]}, "for a.pbx.example, not for"),
    "leading dot": ({"names": ["DNS:.pbx.example"]}, "for .pbx.example, not for"),
    "DNS name beside a SIP URI": ({"names": ["DNS:pbx.example", "URI:sip:other.example"]}, "for other.example, not for"),
    "SIP URI of a user": ({"names": ["URI:sip:root@pbx.example"]}, "for nobody, not for"),
    "SIPS URI": ({"names": ["URI:sips:pbx.example"]}, "for nobody, not for"),
    "web URI": ({"names": ["URI:https://pbx.example"]}, "for nobody, not for"),
    "mail address": ({"names": ["email:root@pbx.example"]}, "for nobody, not for"),
    "common name beside an alternative": ({"names": ["email:root@other.example"], "common_name": "pbx.example"}, "for nobody, not for"),
    "common name that is no name": ({"common_name": "*.example"}, "for nobody, not for"),
    "common name that only looks like one": (
        {"common_name": "pbx.exam\uff50le"},
        "for nobody, not for",
    ),
    "common name whose small form is ASCII": ({"common_name": "\N{KELVIN SIGN}.example"}, "for nobody, not for"),
    "no name at all": ({"common_name": "Ringback Ltd."}, "for nobody, not for"),
    "name with a zero in it": ({"names": ["DNS:pbx.example\0.other.example"]}, "not for pbx.example"),
    "expired": ({"names": ["DNS:pbx.example"], "days": -1}, "not accepted: certificate has expired"),
    "not valid yet": ({"names": ["DNS:pbx.example"], "since": 1}, "not accepted: certificate is not yet valid"),
    "self-signed": ({"names": ["DNS:pbx.example"], "is_self_signed": True}, "not accepted: self-signed certificate"),
    "for clients alone": (
        {"names": ["DNS:pbx.example"], "usage": [ExtendedKeyUsageOID.CLIENT_AUTH]},
        "not accepted: unsuitable certificate purpose",
    ),
    "for code": ({"names": ["DNS:pbx.example"], "usage": [ObjectIdentifier("1.3.6.1.5.5.7.3.3")]}, "not accepted: unsuitable"),
    "weak key": (
        {"names": ["DNS:pbx.example"], "key": rsa.generate_private_key(public_exponent=65537, key_size=1024)},
        "not accepted: EE certificate key too weak",
    ),
}


def issued(authority: Authority, holds: dict[str, object]) -> CertificateFiles:
    """The files of a certificate of the table."""
    holds = dict(holds)
    return authority.issue(*holds.pop("names", []), **holds)  # type: ignore[misc, arg-type]  # as the table has it


async def verdict(files: CertificateFiles, contexts: Contexts, domain: str = DOMAIN) -> str:
    """What becomes of a request to a server that shows this certificate: "" where it arrives, else why it failed; then nothing arrives."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.load_cert_chain(files.certificate, files.key)
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            heard.append(await reader.read(65_536))
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server, party("TLS", tls=contexts) as (caller, _):
        port = server.sockets[0].getsockname()[1]
        flow = caller.transports.flow_to(Target("TLS", "127.0.0.1", port, domain=domain))
        assert flow is not None
        caller.transports.send(options(), flow)
        await eventually(lambda: bool(caller.failures) or bool(heard and heard[-1]))
        if caller.failures:
            assert not any(heard), "what is refused has heard nothing"
            assert caller.transports.flow_to(Target("TLS", "127.0.0.1", port, domain=domain)) is not flow
            return caller.failures[0][1]
        assert heard == [options()]
        return ""


@pytest.mark.parametrize("name", CERTIFICATES)
async def test_a_server_is_believed_only_if_its_certificate_says_who_it_is(name: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    holds, fault = CERTIFICATES[name]
    said = await verdict(issued(authority, holds), Contexts(trust=authority.file))
    if fault:
        assert said.startswith("TLS: shows a certificate")
        assert fault in said
    else:
        assert said == ""


async def test_chains_lead_to_a_root_that_is_trusted(tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "Another root")
    between = Authority(tmp_path, "Between", authority)
    no_authority = Authority(tmp_path, "Just a holder", authority, is_authority=False)
    trusting = Contexts(trust=authority.file)
    good = between.issue("DNS:pbx.example")
    assert await verdict(good, trusting) == ""
    alone = good.certificate.read_bytes().partition(b"-----END CERTIFICATE-----\n")
    good.certificate.write_bytes(alone[0] + alone[1])
    assert "unable to get local issuer certificate" in await verdict(good, trusting)
    assert "unable to get local issuer certificate" in await verdict(stranger.issue("DNS:pbx.example"), trusting)
    assert "invalid CA certificate" in await verdict(no_authority.issue("DNS:pbx.example"), trusting)


async def test_what_is_revoked_is_not_believed(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    files, other = authority.issue("DNS:pbx.example"), authority.issue("DNS:pbx.example")
    certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    contexts = Contexts(trust=authority.file, revoked=authority.revoke(certificate))
    assert "certificate revoked" in await verdict(files, contexts)
    assert await verdict(other, contexts) == ""


async def test_without_a_file_of_roots_those_of_the_operating_system_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    files = authority.issue("DNS:pbx.example")
    assert "unable to get local issuer certificate" in await verdict(files, Contexts())
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    assert await verdict(files, Contexts()) == ""


async def test_who_verifies_nothing_has_said_so(tmp_path: Path) -> None:
    files = Authority(tmp_path).issue("DNS:other.example", days=-1)
    assert await verdict(files, Contexts(verifies=False)) == ""


async def test_a_name_that_is_asked_for_in_another_way_is_the_same_name(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    files = authority.issue("DNS:pbx.example")
    for domain in ("PBX.example", "pbx.example."):
        assert await verdict(files, Contexts(trust=authority.file), domain) == ""


async def test_an_internationalized_name_is_compared_as_dns_has_it(tmp_path: Path) -> None:
    """RFC 5280 §7.2: in certificates such names are A-labels, and so they are in SIP URIs, whose hosts are ASCII."""
    authority = Authority(tmp_path)
    files = authority.issue("DNS:xn--bcher-kva.example")
    contexts = Contexts(trust=authority.file)
    assert await verdict(files, contexts, "XN--BCHER-KVA.example") == ""
    for domain in ("bücher.example", "xn--bucher-kva.example", "bucher.example"):
        assert "not for" in await verdict(files, contexts, domain)


async def test_a_connection_opened_for_one_domain_is_never_another_s(tmp_path: Path) -> None:
    """The pool's key: a server that is one.example says nothing about two.example, at whatever address DNS places that (GHSA-8hcp)."""
    authority = Authority(tmp_path)
    served = Contexts([authority.issue("DNS:one.example")])
    async with party("TLS", tls=served) as (server, [endpoint]), party("TLS", tls=Contexts(trust=authority.file)) as (caller, _):
        first = caller.transports.flow_to(Target("TLS", "127.0.0.1", endpoint.port, domain="one.example"))
        assert first is not None
        caller.transports.send(options("1"), first)
        await server.messages_to_be(1)
        for domain in ("two.example", "example", "127.0.0.2"):
            flow = caller.transports.flow_to(Target("TLS", "127.0.0.1", endpoint.port, domain=domain))
            assert flow is not None
            assert flow != first
            caller.transports.send(options("2"), flow)
        await caller.failures_to_be(3)
        # A URI with this very address as its host means nobody else: it leads over the connection that is there.
        for same in ("one.example", "127.0.0.1", None):
            assert caller.transports.flow_to(Target("TLS", "127.0.0.1", endpoint.port, domain=same)) is first
        caller.transports.send(options("3"), first)
        await server.messages_to_be(2)
        assert server.octets == [options("1"), options("3")]


async def test_a_client_is_who_its_certificate_says_and_nobody_else(tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "Another root")
    asking = Contexts([authority.issue("DNS:pbx.example")], trust=authority.file, client_certificates="optional")
    async with party("TLS", tls=asking) as (server, [endpoint]):

        async def seen(files: list[CertificateFiles]) -> frozenset[str] | None:
            before = len(server.messages)
            async with party("TLS", tls=Contexts(files, trust=authority.file)) as (caller, _):
                flow = caller.transports.flow_to(Target("TLS", "127.0.0.1", endpoint.port, domain="pbx.example"))
                assert flow is not None
                caller.transports.send(options(), flow)
                await eventually(lambda: bool(caller.failures) or len(server.messages) > before)
                return None if caller.failures else server.transports.peer(server.flows[-1]).domains

        assert await seen([]) == frozenset()
        assert await seen([authority.issue("DNS:one.example", "DNS:two.example")]) == {"one.example", "two.example"}
        assert await seen([authority.issue("DNS:one.example", "URI:sip:two.example")]) == {"two.example"}
        assert await seen([stranger.issue("DNS:one.example")]) is None
        assert await seen([authority.issue("DNS:one.example", days=-1)]) is None
        assert await seen([authority.issue("DNS:one.example", usage=[ExtendedKeyUsageOID.SERVER_AUTH])]) is None
