"""WSS on loopback: the certificate is judged as the web does it (RFC 7118 §9.1)."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from ringback.address import Target
from ringback.transport.tls import Contexts
from tests.transport.party import Party, options, party, peer, read, read_to_end, write
from tests.transport.tls.authority import Authority

pytestmark = pytest.mark.asyncio


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def dial(caller: Party, port: int, domain: str | None) -> None:
    flow = caller.transports.flow_to(Target("WSS", "127.0.0.1", port, domain=domain))
    assert flow is not None
    caller.transports.send(options(), flow)


async def test_messages_pass_both_ways_over_one_connection(authority: Authority) -> None:
    served = Contexts([authority.issue("DNS:pbx.example")])
    async with party("WSS", tls=served) as (server, [endpoint]), party("WSS", tls=Contexts(trust=authority.file)) as (caller, _):
        server.answer = lambda _, flow: server.transports.send(options("answer", b"x" * 50_000), flow)
        dial(caller, endpoint.port, "pbx.example")
        dial(caller, endpoint.port, "pbx.example")
        await caller.messages_to_be(2)
        assert caller.octets == [options("answer", b"x" * 50_000)] * 2
        assert server.transports.counts.connections == caller.transports.counts.connections == 1
        assert endpoint.via.startswith("SIP/2.0/WSS ")
        assert server.lines == caller.lines == []


NAMED = {
    "the host": ("DNS:pbx.example", "pbx.example", True),
    "all hosts of the domain": ("DNS:*.example.org", "pbx.example.org", True),
    "the host by its address": ("IP:127.0.0.1", None, True),
    "another host": ("DNS:other.example", "pbx.example", False),
    "the domain above": ("DNS:*.example.org", "example.org", False),
    "a host two labels below": ("DNS:*.example.org", "a.pbx.example.org", False),
    "the domain for SIP alone": ("URI:sip:pbx.example", "pbx.example", False),
    "all hosts there are": ("DNS:*", "pbx.example", False),
}


@pytest.mark.parametrize("name", NAMED)
async def test_a_server_is_believed_whose_certificate_names(authority: Authority, name: str) -> None:
    shown, domain, is_believed = NAMED[name]
    served = Contexts([authority.issue(shown)])
    async with party("WSS", tls=served) as (server, [endpoint]), party("WSS", tls=Contexts(trust=authority.file)) as (caller, _):
        dial(caller, endpoint.port, domain)
        if is_believed:
            await server.messages_to_be(1)
        else:
            await caller.failures_to_be(1)
            assert caller.failures[0][1].startswith("TLS: shows a certificate for ")
            assert server.messages == []


async def spoken_to(port: int, octets: bytes) -> bytes:
    with peer(port) as sock:
        await write(sock, octets)
        return await read_to_end(sock)


async def test_a_browser_that_forgot_the_s_reads_so(authority: Authority) -> None:
    async with party("WSS", tls=Contexts([authority.issue("DNS:pbx.example")])) as (_, [endpoint]):
        page = await spoken_to(endpoint.port, b"GET / HTTP/1.1\r\nHost: pbx.example\r\n\r\n")
        assert page.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        head, _, body = page.partition(b"\r\n\r\n")
        assert body == b"This port speaks TLS: use wss:// or https.\n"
        assert f"Content-Length: {len(body)}".encode() in head
        assert b"This port speaks WSS" in await spoken_to(endpoint.port, options())


async def test_tls_on_the_port_for_ws_is_answered_by_an_alert_and_reported() -> None:
    async with party("WS") as (server, [endpoint]):
        with peer(endpoint.port) as sock:
            assert isinstance(sock, socket.socket)
            await write(sock, b"\x16\x03\x01\x00\x05hello")
            assert await read(sock, 2) == b"\x15\x03"
            assert await read_to_end(sock)
        assert server.lines[0].startswith("WS from 127.0.0.1:")
        assert server.lines[0].endswith(" refused: it speaks TLS")
