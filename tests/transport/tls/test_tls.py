"""TLS on loopback: messages both ways, whom each side believes, and what becomes of peers that get it wrong."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path

import pytest

from ringback.address import Target
from ringback.message.message import Request
from ringback.transport import StreamLimits
from ringback.transport.tls import Contexts, TlsError
from tests.transport.party import Party, eventually, has_ipv6, options, party, peer, read_to_end, write
from tests.transport.tls.authority import Authority, rsa_key

pytestmark = pytest.mark.asyncio


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def dial(caller: Party, port: int, domain: str | None = "pbx.example", text: bytes = b"") -> None:
    """Sends a request to a port of this machine that has to be a domain's."""
    flow = caller.transports.flow_to(Target("TLS", "127.0.0.1", port, domain=domain))
    assert flow is not None
    caller.transports.send(text or options(), flow)


async def test_messages_pass_both_ways_over_one_connection(authority: Authority) -> None:
    served = Contexts([authority.issue("DNS:pbx.example")])
    async with party("TLS", tls=served) as (server, [endpoint]), party("TLS", tls=Contexts(trust=authority.file)) as (caller, _):
        server.answer = lambda _, flow: server.transports.send(options("answer", b"x" * 50_000), flow)
        dial(caller, endpoint.port)
        dial(caller, endpoint.port)
        await caller.messages_to_be(2)
        assert server.octets == [options(), options()]
        assert caller.octets == [options("answer", b"x" * 50_000)] * 2
        assert server.transports.counts.connections == caller.transports.counts.connections == 1
        assert str(caller.transports.peer(caller.flows[0])) == "pbx.example"
        assert str(server.transports.peer(server.flows[0])) == "nobody"
        assert server.lines == caller.lines == []


async def test_who_has_no_certificate_takes_no_connection_but_has_its_port(authority: Authority) -> None:
    async with party("TLS", tls=Contexts(trust=authority.file)) as (caller, [endpoint]):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", endpoint.port)).close()
        with pytest.raises(OSError, match="TLS 127"):
            await caller.transports.open("TLS", "127.0.0.1", endpoint.port)


async def test_a_server_that_is_another_is_left_at_once(authority: Authority) -> None:
    async with (
        party("TLS", tls=Contexts([authority.issue("DNS:other.example")])) as (server, [endpoint]),
        party("TLS", tls=Contexts(trust=authority.file)) as (caller, _),
    ):
        dial(caller, endpoint.port)
        await caller.failures_to_be(1)
        assert [reason for _, reason in caller.failures] == ["TLS: shows a certificate for other.example, not for pbx.example"]
        assert caller.lines == [
            f"TLS to 127.0.0.1:{endpoint.port} for pbx.example failed: it shows a certificate for other.example, not for pbx.example"
        ]
        await eventually(lambda: server.transports.counts.connections == 0)
        assert server.messages == []


async def test_a_client_shows_who_it_is(authority: Authority) -> None:
    client = authority.issue("URI:sip:branch.example", "DNS:ignored.example")
    async with (
        party("TLS", tls=Contexts([authority.issue("DNS:pbx.example")], trust=authority.file, client_certificates="required")) as (
            server,
            [endpoint],
        ),
        party("TLS", tls=Contexts([client], trust=authority.file)) as (caller, _),
        party("TLS", tls=Contexts(trust=authority.file)) as (stranger, _),
    ):
        dial(caller, endpoint.port)
        await server.messages_to_be(1)
        assert server.transports.peer(server.flows[0]).domains == {"branch.example"}
        dial(stranger, endpoint.port)
        await stranger.failures_to_be(1)
        assert stranger.failures[0][1] == "TLS: wants a client certificate, and we have none"
        await server.until(lambda: bool(server.lines))
        assert server.lines[0].endswith(f"to 127.0.0.1:{endpoint.port} refused: it shows no client certificate")


async def test_a_numeric_host_is_known_by_the_address_in_its_certificate(authority: Authority) -> None:
    trusting = Contexts(trust=authority.file)
    async with (
        party("TLS", tls=Contexts([authority.issue("IP:127.0.0.1")])) as (server, [good]),
        party("TLS", tls=Contexts([authority.issue("DNS:127.0.0.1", "IP:127.0.0.2")])) as (_, [bad]),
        party("TLS", tls=trusting) as (caller, _),
    ):
        dial(caller, good.port, None)
        await server.messages_to_be(1)
        dial(caller, bad.port, "127.0.0.1")
        await caller.failures_to_be(1)
        assert caller.failures[0][1] == "TLS: shows a certificate for 127.0.0.2, not for 127.0.0.1"


@pytest.mark.skipif(not has_ipv6(), reason="no ::1 here")
async def test_over_ipv6_an_address_is_one_however_it_is_written(authority: Authority) -> None:
    served = Contexts([authority.issue("IP:0:0:0:0:0:0:0:1")])
    async with party("TLS ::1", tls=served) as (server, [endpoint]), party("TLS ::1", tls=Contexts(trust=authority.file)) as (caller, _):
        for domain in ("::1", "0:0::1", None):
            flow = caller.transports.flow_to(Target("TLS", "::1", endpoint.port, domain=domain))
            assert flow is not None
            caller.transports.send(options(), flow)
        await server.messages_to_be(3)
        assert caller.failures == []


async def test_plain_sip_on_the_tls_port_is_answered_in_plain_and_reported(authority: Authority) -> None:
    async with party("TLS", tls=Contexts([authority.issue("DNS:pbx.example")])) as (server, [endpoint]):
        with peer(endpoint.port) as sock:
            await write(sock, options())
            assert (await read_to_end(sock)).startswith(b"SIP/2.0 400 This port speaks TLS\r\nVia: ")
        with peer(endpoint.port) as sock:
            await write(sock, b"GET / HTTP/1.1\r\n\r\n")
            assert await read_to_end(sock) == b""
        await eventually(lambda: server.transports.counts.connections == 0)
        [line] = server.lines
        assert line.endswith(f"to 127.0.0.1:{endpoint.port} refused: it speaks no TLS")
        assert server.messages == []


async def test_tls_on_the_tcp_port_is_answered_by_an_alert_and_reported() -> None:
    async with party("TCP") as (server, [endpoint]), party("TLS") as (caller, _):
        dial(caller, endpoint.port)
        await caller.failures_to_be(1)
        assert caller.failures[0][1] == "TLS: speaks no TLS"
        [line] = server.lines
        assert line.endswith(f"to 127.0.0.1:{endpoint.port} refused: it speaks TLS")
        assert server.messages == []


async def test_who_connects_and_says_nothing_is_sent_away(authority: Authority) -> None:
    limits = StreamLimits(handshake=0.1, sweep=0.02)
    async with party("TLS", tls=Contexts([authority.issue("DNS:pbx.example")]), limits=limits) as (server, [endpoint]):
        with peer(endpoint.port) as sock:
            assert await read_to_end(sock) == b""
        assert server.transports.counts.failed_handshakes == 1
        assert [line.partition("refused: ")[2] for line in server.lines] == ["it does not finish the handshake"]
        assert server.transports.counts.overdue == 1


async def test_a_server_that_never_answers_the_handshake_fails_the_request() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        async with party("TLS", limits=StreamLimits(handshake=0.1, sweep=0.02)) as (caller, _):
            dial(caller, silent.getsockname()[1])
            await caller.failures_to_be(1)
            assert caller.failures[0][1] == "Peer does not answer"


async def test_a_peer_that_leaves_within_the_handshake_is_a_failure(authority: Authority) -> None:
    with socket.socket() as leaving:
        leaving.bind(("127.0.0.1", 0))
        leaving.listen()
        leaving.setblocking(False)
        async with party("TLS") as (caller, _):
            dial(caller, leaving.getsockname()[1])
            sock, _ = await asyncio.get_running_loop().sock_accept(leaving)
            sock.close()
            await caller.failures_to_be(1)
            assert caller.failures[0][1] == "TLS: ended the handshake"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
async def test_old_versions_are_refused(authority: Authority, version: ssl.TLSVersion) -> None:
    async with party("TLS", tls=Contexts([authority.issue("DNS:pbx.example")])) as (server, [endpoint]):
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="deprecated"):
            old.minimum_version = old.maximum_version = version
        with pytest.raises(ssl.SSLError):
            await asyncio.open_connection("127.0.0.1", endpoint.port, ssl=old)
        assert [line.partition("refused: ")[2] for line in server.lines] == ["it speaks no TLS newer than 1.1"]


async def test_the_suite_of_2002_is_spoken_with_who_knows_no_better(authority: Authority) -> None:
    """RFC 3261 §26.2.1 has everybody speak TLS_RSA_WITH_AES_128_CBC_SHA, which has no forward secrecy: it comes last."""
    files = authority.issue("DNS:pbx.example", key=rsa_key())
    old = ssl.create_default_context(cafile=authority.file)
    old.maximum_version = ssl.TLSVersion.TLSv1_2

    async def suite(port: int) -> str:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=old, server_hostname="pbx.example")
        writer.close()
        await writer.wait_closed()
        return str(writer.get_extra_info("cipher")[0])

    async with party("TLS", tls=Contexts([files])) as (_, [endpoint]):
        assert (await suite(endpoint.port)).startswith("ECDHE-")
        old.set_ciphers("AES128-SHA")
        assert await suite(endpoint.port) == "AES128-SHA"
    async with party("TLS", tls=Contexts([files], ciphers="ECDHE+AESGCM")) as (server, [endpoint]):
        with pytest.raises(ssl.SSLError):
            await suite(endpoint.port)
        assert [line.partition("refused: ")[2] for line in server.lines] == ["it has no cipher suite in common with us"]


async def test_a_goodbye_is_answered_by_the_end(authority: Authority) -> None:
    async with party("TLS", tls=Contexts([authority.issue("DNS:pbx.example")])) as (server, [endpoint]):
        context = ssl.create_default_context(cafile=authority.file)
        reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port, ssl=context, server_hostname="pbx.example")
        writer.write(options())
        await server.messages_to_be(1)
        writer.close()
        await eventually(lambda: server.transports.counts.connections == 0)
        assert server.failures == []
        assert await reader.read() == b""


async def test_a_fault_is_answered_before_the_goodbye(authority: Authority) -> None:
    async with party("TLS", tls=Contexts([authority.issue("DNS:pbx.example")])) as (server, [endpoint]):
        server.answer = lambda _, flow: server.transports.send(b"SIP/2.0 400 Bad Request\r\n\r\n", flow)
        context = ssl.create_default_context(cafile=authority.file)
        reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port, ssl=context, server_hostname="pbx.example")
        writer.write(b"nonsense\r\n\r\n" + b"more and more" * 20_000)
        assert await reader.read() == b"SIP/2.0 400 Bad Request\r\n\r\n"
        writer.close()
        await eventually(lambda: server.transports.counts.connections == 0)
        assert len(server.messages) == 1


async def test_the_certificate_is_the_one_of_the_name_asked_for(authority: Authority) -> None:
    files = [authority.issue("DNS:one.example", "URI:sip:uno.example"), authority.issue("DNS:two.example", "DNS:*.web.example")]
    async with party("TLS", tls=Contexts(files)) as (server, [endpoint]), party("TLS", tls=Contexts(trust=authority.file)) as (caller, _):
        for domain in ("uno.example", "TWO.example"):
            dial(caller, endpoint.port, domain)
        await server.messages_to_be(2)
        assert caller.failures == []
        dial(caller, endpoint.port, "three.example")
        dial(caller, endpoint.port, "a.web.example")
        await caller.failures_to_be(2)
        assert sorted(reason for _, reason in caller.failures) == [
            "TLS: shows a certificate for *.web.example, two.example, not for a.web.example",
            "TLS: shows a certificate for uno.example, not for three.example",
        ]
        assert server.transports.counts.connections == 2, "two domains at one address are two connections"


async def test_renewed_certificates_are_shown_to_who_comes_next_and_nobody_is_dropped(authority: Authority, tmp_path: Path) -> None:
    contexts = Contexts([authority.issue("DNS:old.example", file="pbx")])
    async with party("TLS", tls=contexts) as (server, [endpoint]), party("TLS", tls=Contexts(trust=authority.file)) as (caller, _):
        dial(caller, endpoint.port, "old.example")
        await server.messages_to_be(1)
        authority.issue("DNS:new.example", file="pbx")
        contexts.load()
        dial(caller, endpoint.port, "new.example")
        dial(caller, endpoint.port, "old.example", options("again"))
        await server.messages_to_be(3)
        assert caller.failures == []
        assert server.octets.count(options("again")) == 1
        assert server.transports.counts.connections == 2


async def test_nothing_is_lost_while_certificates_good_and_bad_come_and_go(authority: Authority) -> None:
    """T18, its certificates: messages are numbered, connections old and new, every second file is no good."""
    files = authority.issue("DNS:pbx.example", file="pbx")
    contexts = Contexts([files])
    sent: set[str] = set()
    async with party("TLS", tls=contexts) as (server, [endpoint]), party("TLS", tls=Contexts(trust=authority.file)) as (standing, _):
        for turn in range(20):
            if turn % 2:
                authority.issue("DNS:pbx.example", file="pbx")
                contexts.load()
            else:
                files.certificate.write_text(files.certificate.read_text()[: 25 * turn])
                with pytest.raises(TlsError, match=r"pbx\.pem"):
                    contexts.load()
            async with party("TLS", tls=Contexts(trust=authority.file)) as (passing, _):
                for caller in (standing, passing):
                    for number in range(5):
                        name = f"{turn}-{number}-{caller is passing}"
                        sent.add(name)
                        dial(caller, endpoint.port, text=options(name))
                await server.messages_to_be(len(sent))
                assert standing.failures == passing.failures == []
    assert {message.call_id.partition("@")[0] for message in server.messages if isinstance(message, Request)} == sent


async def test_a_name_that_no_host_can_have_fails() -> None:
    async with party("TLS") as (caller, _):
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            dial(caller, silent.getsockname()[1], "a" * 64 + ".example")
            await caller.failures_to_be(1)
            assert caller.failures[0][1] == "TLS: no certificate can bear this name"
