"""The commands over TLS: who is believed, who we are, and calls between two of them through the server."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import running, say
from tests.cli.serving import Serving, serving
from tests.transport.tls.authority import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def server(authority: Authority, tmp_path: Path) -> Iterator[Serving]:
    """A server whose certificate names 127.0.0.1."""
    authority.issue("DNS:localhost", "IP:127.0.0.1", file="pbx")
    here = ("--listen", "tls://127.0.0.1:0", "--data", ":memory:")
    with serving(*here, "--tls-certificate", "pbx.pem", "--tls-key", "pbx.key", folder=tmp_path) as running_server:
        yield running_server


@pytest.mark.parametrize("uri", ["sips:127.0.0.1:{}", "sip:127.0.0.1:{};transport=tls", "sips:localhost:{}"])
def test_a_ping(server: Serving, authority: Authority, uri: str) -> None:
    answer = say("ping", uri.format(server.port), "--tls-ca", str(authority.file))
    assert answer.exit_code == 0
    assert "200 OK" in answer.output


def test_a_server_that_is_not_believed_hears_nothing(server: Serving, tmp_path: Path) -> None:
    uri = f"sips:127.0.0.1:{server.port}"
    answer = say("ping", uri)
    assert answer.exit_code == 3
    assert "TLS: shows a certificate that is not accepted: unable to get local issuer certificate" in answer.output
    assert say("ping", uri, "--tls-insecure").exit_code == 0
    me = ("register", "--query", "--user", f"sips:alice@127.0.0.1:{server.port}")
    refused = say(*me)
    assert refused.exit_code != 0
    assert "TLS: shows a certificate that is not accepted" in refused.output
    assert say(*me, "--tls-insecure").exit_code == 0
    stranger = tmp_path / "strangers"
    stranger.mkdir()
    assert say(*me, "--tls-ca", str(Authority(stranger).file)).exit_code != 0


@pytest.mark.parametrize(("scheme", "proxy"), [("sips", "sips:127.0.0.1:{}"), ("sip", "sip:127.0.0.1:{};transport=tls")])
def test_two_phones_that_nobody_can_connect_to_call_each_other(server: Serving, authority: Authority, scheme: str, proxy: str) -> None:
    way = ("--tls-ca", str(authority.file), "--proxy", proxy.format(server.port))
    with running("answer", "--register", "--once", "--user", f"{scheme}:bob@example.org", *way) as callee:
        callee.hear("registered")
        with running("call", f"{scheme}:bob@example.org", "--user", f"{scheme}:alice@example.org", *way) as caller:
            caller.hear("in call with")
            caller.press()
            assert caller.end() in (0, 130)
        assert callee.end() == 0


def test_a_message_from_one_who_shows_a_certificate(authority: Authority, tmp_path: Path) -> None:
    authority.issue("DNS:localhost", file="pbx")
    authority.issue("DNS:alice.example", file="alice")
    table = 'certificate = "pbx.pem"\nkey = "pbx.key"\nclient_certificates = "required"\ntrust = "Test root.pem"'
    (tmp_path / "ringback.toml").write_text(f"[tls]\n{table}\n")
    here = ("--listen", "tls://127.0.0.1:0", "--data", ":memory:", "--config", "ringback.toml")
    with serving(*here, folder=tmp_path) as server:
        options = ("register", "--query", "--user", f"sips:alice@localhost:{server.port}", "--tls-ca", str(authority.file))
        mine = ("--tls-certificate", str(tmp_path / "alice.pem"), "--tls-key", str(tmp_path / "alice.key"))
        assert say(*options, *mine).exit_code == 0
        refused = say(*options)
        assert refused.exit_code != 0
        assert "TLS: wants a client certificate, and we have none" in refused.output
        server.hear("it shows no client certificate")
        assert server.end(signal.SIGTERM) == 0


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--tls-ca", "absent.pem"], "absent.pem: cannot be read: No such file or directory"),
        (["--tls-key", "a.key"], "--tls-key is the key of a certificate: name --tls-certificate too"),
        (["--tls-certificate", "absent.pem"], "absent.pem: cannot be read: No such file or directory"),
    ],
)
def test_what_cannot_be(arguments: list[str], line: str) -> None:
    answer = say("message", "sips:bob@127.0.0.1", "hello", *arguments)
    assert (answer.exit_code, answer.output) == (2, f"ringback: {line}\n")
