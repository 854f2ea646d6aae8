"""SIP over WebSocket on loopback and on a simulated network: connections open, are kept, are closed (RFC 7118)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from ipaddress import ip_network

import pytest

from ringback.address import Flow, Target
from ringback.testing import Network, run
from ringback.transport import StreamLimits
from ringback.transport.limits import WebSocketRules
from tests.testing.test_network import ANN, BOB, Host, calls
from tests.transport.party import eventually, has_ipv6, options, party, peer, read, read_to_end, write
from tests.transport.websockets import BINARY, CLOSE, PING, close_code, fragments, frame, handshake

ACCEPTED = b"HTTP/1.1 101 Switching Protocols\r\n"


async def shaken(sock: socket.socket, *, behind: bytes = b"", **fields: str) -> None:
    """Opens a WebSocket over a peer's connection."""
    await write(sock, handshake(**fields) + behind)
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        octet = await read(sock, 1)
        assert octet
        answer += octet
    assert answer.startswith(ACCEPTED)


@pytest.mark.asyncio
async def test_a_message_comes_in_and_its_answer_goes_back_the_same_way() -> None:
    async with party("WS") as (server, [endpoint]):
        with peer(endpoint.port) as sock:
            await shaken(sock, behind=frame(options("1")))
            await write(sock, frame(options("2"), BINARY) + frame(options("3")))
            await server.messages_to_be(3)
            assert server.octets == [options("1"), options("2"), options("3")]
            flow = server.flows[0]
            assert flow.endpoint is endpoint
            assert endpoint.via.startswith("SIP/2.0/WS ")
            server.transports.send(b"answer", flow)
            assert await read(sock, 8) == b"\x81\x06answer"


@pytest.mark.parametrize("host", ["127.0.0.1", pytest.param("::1", marks=pytest.mark.skipif(not has_ipv6(), reason="no ::1 here"))])
@pytest.mark.asyncio
async def test_two_elements_connect_and_share_the_connection(host: str) -> None:
    async with party(f"WS {host}") as (ann, _), party(f"WS {host}") as (bob, [bobs]):
        flow = ann.transports.flow_to(Target("WS", host, bobs.port))
        assert flow is not None
        for number in range(3):
            ann.transports.send(options(str(number)), flow)
        await bob.messages_to_be(3)
        assert bob.octets == [options(str(number)) for number in range(3)]
        bob.transports.send(options("back"), bob.flows[0])
        await ann.messages_to_be(1)
        assert ann.flows[0] is flow


@pytest.mark.asyncio
async def test_a_connection_that_is_no_websocket_is_a_failure_with_its_reason() -> None:
    async with party("WS") as (ann, _), party("TCP") as (bob, [bobs]):
        flow = ann.transports.flow_to(Target("WS", "127.0.0.1", bobs.port))
        assert flow is not None
        bob.answer = lambda _, way: bob.transports.send(b"SIP/2.0 400 Bad Request\r\n\r\n", way)
        ann.transports.send(options(), flow)
        await ann.failures_to_be(1)
        assert ann.failures == [(flow, "Peer Speaks No WebSocket")]


@pytest.mark.parametrize("by_reset", [True, False])
@pytest.mark.asyncio
async def test_a_peer_that_leaves_within_the_handshake_is_a_failure(by_reset: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        async with party("WS") as (ann, _):
            flow = ann.transports.flow_to(Target("WS", "127.0.0.1", listener.getsockname()[1]))
            assert flow is not None
            ann.transports.send(options(), flow)
            sock, _address = await asyncio.get_running_loop().sock_accept(listener)
            with sock:
                assert (await read(sock, 4)) == b"GET "
                if by_reset:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            await ann.failures_to_be(1)
            assert ann.failures == [(flow, "Peer Ended the WebSocket Handshake")]
            assert ann.transports.counts.connections == 0


@pytest.mark.asyncio
async def test_who_looks_at_the_port_with_a_browser_reads_a_page() -> None:
    async with party("WS") as (server, [endpoint]):
        with peer(endpoint.port) as sock:
            await write(sock, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            page = await read_to_end(sock)
            assert page.startswith(b"HTTP/1.1 426 Upgrade Required\r\n")
            assert b"SIP over WebSocket (RFC 7118)" in page
        await eventually(lambda: server.transports.counts.connections == 0)
        assert server.transports.counts.refused == 1


@pytest.mark.asyncio
async def test_double_crlf_is_answered_by_one() -> None:
    async with party("WS") as (server, [endpoint]):
        with peer(endpoint.port) as sock:
            await shaken(sock)
            await write(sock, frame(b"\r\n\r\n"))
            assert await read(sock, 4) == b"\x81\x02\r\n"
            assert server.transports.counts.keepalives == 1


@pytest.mark.asyncio
async def test_a_ping_is_answered_and_a_goodbye_too() -> None:
    async with party("WS") as (server, [endpoint]):
        with peer(endpoint.port) as sock:
            await shaken(sock)
            await write(sock, frame(b"abc", PING))
            assert await read(sock, 5) == b"\x8a\x03abc"
            await write(sock, frame((1001).to_bytes(2), CLOSE))
            assert close_code(await read_to_end(sock)) == 1001
        await eventually(lambda: server.transports.counts.connections == 0)
        assert server.failures == []


@pytest.mark.asyncio
async def test_who_breaks_the_rules_hears_why_before_the_connection_is_closed() -> None:
    async with party("WS") as (server, [endpoint]):
        with peer(endpoint.port) as sock:
            await shaken(sock)
            await write(sock, frame(options("1")) + frame(options("2"), masked=False) + frame(options("3")))
            assert close_code(await read_to_end(sock)) == 1002
        assert server.octets == [options("1")]


@pytest.mark.asyncio
async def test_our_end_is_a_goodbye() -> None:
    async with party("WS") as (server, [endpoint]):
        with peer(endpoint.port) as sock:
            await shaken(sock)
            await eventually(lambda: server.transports.counts.connections == 1)
            await server.transports.close()
            assert close_code(await read_to_end(sock)) == 1001


@pytest.mark.asyncio
async def test_a_peer_that_does_not_read_is_cut_off() -> None:
    limits = StreamLimits(write_bytes=1_000, sweep=0.02)
    async with party("WS", limits=limits) as (server, [endpoint]):
        with peer(endpoint.port) as sock:
            await shaken(sock, behind=frame(options()))
            await server.messages_to_be(1)
            flow = server.flows[0]
            for _ in range(1_000):
                if server.transports.is_open(flow):
                    server.transports.send(b"x" * 60_000, flow)
            await server.failures_to_be(1)
            assert server.failures == [(flow, "Peer does not read")]


@pytest.mark.asyncio
async def test_a_handshake_that_does_not_come_is_not_waited_for() -> None:
    limits = StreamLimits(handshake=0.1, sweep=0.02)
    async with party("WS", limits=limits) as (server, [endpoint]):
        with peer(endpoint.port) as silent, peer(endpoint.port) as slow:
            await write(slow, handshake()[:-1])
            assert await read_to_end(silent) == b""
            assert await read_to_end(slow) == b""
        assert server.transports.counts.overdue == 2


@pytest.mark.asyncio
async def test_one_address_has_so_many_connections() -> None:
    limits = StreamLimits(per_address=2, sweep=0.02)
    async with party("WS", limits=limits) as (server, [endpoint]):
        with peer(endpoint.port) as one, peer(endpoint.port) as two, peer(endpoint.port) as three:
            await shaken(one)
            await shaken(two)
            assert await read_to_end(three) == b""
        assert server.transports.counts.refused == 1


@pytest.mark.asyncio
async def test_connections_of_one_address_count_together_whatever_they_speak() -> None:
    async with party("TCP", "WS", limits=StreamLimits(per_address=2, sweep=0.02)) as (server, [tcp, ws]):
        with peer(tcp.port) as one, peer(ws.port) as two, peer(ws.port) as three:
            await write(one, options("1"))
            await shaken(two)
            assert await read_to_end(three) == b""
        assert server.transports.counts.refused == 1


@pytest.mark.asyncio
async def test_behind_a_trusted_proxy_each_browser_has_its_own_address() -> None:
    limits = StreamLimits(per_address=2, sweep=0.02)
    async with party("WS", limits=limits, websocket=WebSocketRules(trusted_proxies=(ip_network("127.0.0.1"),))) as (server, [endpoint]):
        with contextlib.ExitStack() as stack:
            one = stack.enter_context(peer(endpoint.port))
            await shaken(one, X_Forwarded_For="203.0.113.1", behind=frame(options("1")))
            await shaken(stack.enter_context(peer(endpoint.port)), X_Forwarded_For="203.0.113.1")
            await shaken(stack.enter_context(peer(endpoint.port)), X_Forwarded_For="2001:db8::3", behind=frame(options("3")))
            await server.messages_to_be(2)
            assert [flow.host for flow in server.flows] == ["203.0.113.1", "2001:db8::3"]
            server.transports.send(b"answer", server.flows[0])
            assert await read(one, 8) == b"\x81\x06answer"
            too_many = stack.enter_context(peer(endpoint.port))
            await shaken(too_many, X_Forwarded_For="203.0.113.1")
            assert close_code(await read_to_end(too_many)) == 1013
        await eventually(lambda: server.transports.counts.connections == 0)


# In simulated time.


async def connected(network: Network, rules: WebSocketRules | None = None) -> tuple[Host, Host, Flow]:
    """Ann and Bob, and the flow of the connection that Ann has opened to him."""
    ann, bob = Host(network, ANN, websocket=rules), Host(network, BOB, websocket=rules)
    await ann.transports.open("WS", ANN, 8080)
    await bob.transports.open("WS", BOB, 8080)
    flow = ann.send(options("1"), BOB, "WS", 8080)
    await asyncio.sleep(1)
    assert calls(bob) == ["1"]
    return ann, bob, flow


def test_a_quiet_connection_is_kept_by_pings_for_hours() -> None:
    async def scene() -> None:
        ann, bob, flow = await connected(Network())
        await asyncio.sleep(3 * 3_605)
        assert ann.transports.is_open(flow)
        bob.transports.send(options("2"), bob.heard[0][2])
        await asyncio.sleep(1)
        assert calls(ann) == ["2"]

    run(scene())


def test_a_peer_that_is_gone_is_found_by_pings() -> None:
    async def scene() -> None:
        network = Network()
        ann, bob, flow = await connected(network)
        network.cut(ANN, BOB)
        await asyncio.sleep(45)
        assert bob.transports.counts.connections == 1
        await asyncio.sleep(10)
        assert ann.transports.counts.connections == bob.transports.counts.connections == 0
        assert not ann.transports.is_open(flow)

    run(scene())


def test_without_pings_a_quiet_connection_lasts_as_long_as_any_other() -> None:
    async def scene() -> None:
        network = Network()
        rules = WebSocketRules(ping=0)
        ann, bob, _ = await connected(network, rules)
        network.cut(ANN, BOB)
        await asyncio.sleep(3_600)
        assert bob.transports.counts.connections == 1
        await asyncio.sleep(10)
        assert ann.transports.counts.connections == bob.transports.counts.connections == 0

    run(scene())


def test_who_only_calls_may_be_silent_until_it_does() -> None:
    async def scene() -> None:
        network = Network()
        ann, bob = Host(network, ANN), Host(network, BOB)
        await ann.transports.open("WS", ANN, 8080)
        await bob.transports.open("WS", BOB, 8080)
        flow = ann.send(b"\r\n\r\n", BOB, "WS", 8080)
        await asyncio.sleep(2 * StreamLimits().first_request)
        ann.transports.send(options("1"), flow)
        await asyncio.sleep(1)
        assert calls(bob) == ["1"]
        assert bob.transports.counts.overdue == 0

    run(scene())


@pytest.mark.asyncio
async def test_the_operator_hears_of_a_page_that_may_not_connect() -> None:
    async with party("WS", websocket=WebSocketRules(origins=())) as (server, [endpoint]):
        with peer(endpoint.port) as sock:
            await write(sock, handshake(Origin="https://evil.test\x9b31m"))
            answer = await read_to_end(sock)
            assert answer.startswith(b"HTTP/1.1 403 Forbidden\r\n")
        [line] = server.lines
        assert line.startswith("WS from 127.0.0.1:")
        assert "A page of https://evil.test\\xc2\\x9b31m may not connect here" in line


KNOCKS = {
    "a browser that looks": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "refused: it asks for a page"),
    "another subprotocol": (handshake("/ws", Sec_WebSocket_Protocol="mqtt"), "refused: it does not offer the subprotocol sip"),
    "another path": (handshake(), "refused: it asks for another path than /ws"),
    "another version": (handshake("/ws", Sec_WebSocket_Version="8"), "refused: its handshake is malformed: 400 Bad Request"),
    "plain SIP": (options(), "refused: it sends no HTTP request that opens a WebSocket"),
    "no end of it": (b"GET /" + b"x" * 20_000, "refused: its request is too long"),
    "a frame too large": (handshake("/ws") + frame(b"x" * 65_537), "closed: frame with 65537 bytes exceeds limit of 65536 bytes (1009)"),
    "too many fragments": (handshake("/ws") + fragments(b"x" * 200, 1), "closed: more than 128 fragments (1008)"),
}


@pytest.mark.asyncio
@pytest.mark.parametrize("name", KNOCKS)
async def test_the_operator_hears_who_was_sent_away_and_why(name: str) -> None:
    octets, words = KNOCKS[name]
    async with party("WS", websocket=WebSocketRules(path="" if "page" in words else "/ws")) as (server, [endpoint]):
        with peer(endpoint.port) as sock:
            await write(sock, octets)
            await read_to_end(sock)
        [line] = server.lines
        assert line.startswith("WS from 127.0.0.1:")
        assert line.endswith(words)
