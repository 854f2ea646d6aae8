"""`ringback serve` over TLS: certificates by option and by table, renewed by SIGHUP, and what the operator reads about them."""

from __future__ import annotations

import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from ringback.cli.main import main
from tests.cli.serving import PATIENCE, Serving, serving
from tests.transport.party import options
from tests.transport.tls.authority import Authority, pem_of

HERE = ("--listen", "tls://127.0.0.1:0", "--data", ":memory:")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@contextmanager
def connection(server: Serving, authority: Authority, name: str) -> Iterator[ssl.SSLSocket]:
    """A connection to the server, which must show a certificate of this name."""
    context = ssl.create_default_context(cafile=authority.file)
    with (
        socket.create_connection(("127.0.0.1", server.port), PATIENCE) as sock,
        context.wrap_socket(sock, server_hostname=name) as tls,
    ):
        yield tls


def is_answered(tls: ssl.SSLSocket) -> bool:
    tls.sendall(options().replace(b"/TCP", b"/TLS"))
    return tls.recv(65_536).startswith(b"SIP/2.0 200 OK\r\n")


def test_a_certificate_is_renewed_and_a_broken_one_changes_nothing(authority: Authority, tmp_path: Path) -> None:
    files = authority.issue("DNS:one.example", file="pbx")
    with serving(*HERE, "--tls-certificate", "pbx.pem", "--tls-key", "pbx.key", folder=tmp_path) as server:
        [line] = [line for line in server.said if line.startswith("  tls ")]
        assert line.startswith("  tls       one.example until 20")
        with connection(server, authority, "one.example") as first:
            assert is_answered(first)
            good = files.certificate.read_text()
            files.certificate.write_text(good.replace("\nM", "\nX", 1))
            server.process.send_signal(signal.SIGHUP)
            server.hear("pbx.pem: is no X.509 certificate (the certificates before it stay in force)")
            with connection(server, authority, "one.example") as second:
                assert is_answered(second)
            authority.issue("DNS:two.example", file="pbx")
            server.process.send_signal(signal.SIGHUP)
            server.hear("certificates read again")
            with connection(server, authority, "two.example") as third:
                assert is_answered(third)
            assert is_answered(first), "nobody is dropped"
        assert server.end() == 0


def test_another_certificate_may_be_named_and_others_trusted(authority: Authority, tmp_path: Path) -> None:
    for name in ("one", "two"):
        authority.issue(f"DNS:{name}.example", file=name)
    table = '[tls]\ncertificate = "{0}.pem"\nkey = "{0}.key"\n'
    (tmp_path / "ringback.toml").write_text(table.format("one"))
    with serving(*HERE, "--config", "ringback.toml", folder=tmp_path) as server:
        with connection(server, authority, "one.example") as first:
            (tmp_path / "ringback.toml").write_text(table.format("two") + 'client_certificates = "required"\ntrust = "Test root.pem"\n')
            server.process.send_signal(signal.SIGHUP)
            server.hear("certificates")
            with pytest.raises(OSError), connection(server, authority, "two.example") as second:
                is_answered(second)
            assert is_answered(first)
        server.hear("it shows no client certificate")


def test_plain_sip_and_forgotten_certificates_are_reported(authority: Authority, tmp_path: Path) -> None:
    authority.issue("DNS:one.example", file="pbx", days=3)
    (tmp_path / "ringback.toml").write_text(
        'domains = ["other.example"]\n[tls]\ncertificate = "pbx.pem"\nkey = "pbx.key"\nverify = false\n'
    )
    with serving(*HERE, "--config", "ringback.toml", folder=tmp_path) as server:
        assert any("pbx.pem: valid until 20" in line for line in server.said)
        assert any("no certificate names other.example" in line for line in server.said)
        assert any("no certificate names 127.0.0.1, which dialogs are led back by: set advertise" in line for line in server.said)
        assert any("is not verified" in line for line in server.said)
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as sock:
            sock.sendall(options())
            assert sock.recv(65_536).startswith(b"SIP/2.0 400 This port speaks TLS\r\n")
        server.hear(f"to 127.0.0.1:{server.port} refused: it speaks no TLS")


def test_dialogs_are_led_back_by_a_name_that_the_certificate_bears(authority: Authority, tmp_path: Path) -> None:
    authority.issue("DNS:pbx.example", file="pbx")
    table = '[tls]\ncertificate = "pbx.pem"\nkey = "pbx.key"\n'
    (tmp_path / "ringback.toml").write_text(f'domains = ["pbx.example"]\nadvertise = "pbx.example"\n{table}')
    with serving(*HERE, "--config", "ringback.toml", folder=tmp_path) as server:
        assert not any("no certificate names" in line for line in server.said)
        with connection(server, authority, "pbx.example") as alice, connection(server, authority, "pbx.example") as bob:
            register = options().replace(b"OPTIONS sip:127.0.0.1", b"REGISTER sips:pbx.example").replace(b"1 OPTIONS", b"1 REGISTER")
            register = register.replace(b"To: <sip:b@127.0.0.1>", b"To: <sips:bob@pbx.example>\r\nContact: <sips:bob@127.0.0.1:9>")
            bob.sendall(register.replace(b"/TCP", b"/TLS"))
            assert bob.recv(65_536).startswith(b"SIP/2.0 200 ")
            invite = options().replace(b"OPTIONS sip:127.0.0.1", b"INVITE sips:bob@pbx.example").replace(b"1 OPTIONS", b"1 INVITE")
            alice.sendall(invite.replace(b"/TCP", b"/TLS").replace(b"Max-", b"Contact: <sips:a@127.0.0.1:9>\r\nMax-"))
            assert b"\r\nRecord-Route: <sips:pbx.example:" in bob.recv(65_536)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        ("absent certificate", "pbx.pem: cannot be read: No such file or directory"),
        ("absent key", "pbx.key: cannot be read: No such file or directory"),
        ("another key", "pbx.key: the key is not that of the certificate in pbx.pem"),
        ("encrypted key", "pbx.key: the key is encrypted; decrypt it (openssl pkey -in FILE -out NEW)"),
        ("no key", "pbx.key: holds no private key in PEM that could be used"),
        ("no certificate", "pbx.pem: holds no certificate in PEM"),
        ("roots", "roots.pem: holds no certificate in PEM"),
        ("absent roots", "roots.pem: cannot be read: No such file or directory"),
        ("ciphers", "ciphers: OpenSSL knows none of 'ROT13'"),
    ],
)
def test_files_that_are_no_good_are_one_line(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: str, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    files = authority.issue("DNS:one.example", file="pbx")
    assert files.key is not None
    table = ""
    match spoil:
        case "absent certificate":
            files.certificate.unlink()
        case "absent key":
            files.key.unlink()
        case "another key":
            files.key.write_bytes(pem_of(authority.key))
        case "encrypted key":
            files.key.write_bytes(pem_of(authority.holder_key, b"secret"))
        case "no key":
            files.key.write_text("nothing")
        case "no certificate":
            files.certificate.write_text("nothing")
        case "roots":
            (tmp_path / "roots.pem").write_text("nothing")
            table = 'trust = "roots.pem"'
        case "absent roots":
            table = 'trust = "roots.pem"'
        case "ciphers":
            table = 'ciphers = "ROT13"'
    (tmp_path / "ringback.toml").write_text(f"[tls]\n{table}\n")
    arguments = ["--config", "ringback.toml", "--auth", "none", *HERE, "--tls-certificate", "pbx.pem", "--tls-key", "pbx.key"]
    result = CliRunner().invoke(main, ["serve", *arguments], catch_exceptions=False)
    assert (result.exit_code, result.output) == (2, f"ringback: {sentence}\n")


def test_a_certificate_that_nobody_will_see_is_told_of(authority: Authority, tmp_path: Path) -> None:
    authority.issue("DNS:one.example", file="pbx")
    with serving("--tls-certificate", "pbx.pem", "--tls-key", "pbx.key", folder=tmp_path) as server:
        assert "  warning   there is a certificate, but nothing is listened on over TLS: add tls://0.0.0.0:5061 to listen" in server.said


def test_without_a_certificate_there_is_no_tls(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["serve", "--auth", "none", *HERE], catch_exceptions=False)
    assert result.exit_code == 2
    assert result.output.startswith("ringback: --listen[0]: 'tls://127.0.0.1:0' needs a certificate") or result.output.startswith(
        "ringback: --listen: 'tls://127.0.0.1:0' needs a certificate"
    )
