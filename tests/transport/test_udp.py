"""UDP on loopback: drained, answered, told of ICMP errors (RFC 3261 §18, RFC 3581)."""

from __future__ import annotations

import asyncio
import errno
import socket

import pytest

from ringback.address import Endpoint, Flow, Target
from ringback.message.message import Request
from ringback.message.parser import Malformed
from ringback.transport import icmp, udp
from tests.transport.party import has_ipv6, options, party, plain_udp, read_datagram

pytestmark = pytest.mark.asyncio

needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no ::1 here")
needs_error_queue = pytest.mark.skipif(not icmp.IS_LINUX, reason="ICMP errors of unconnected sockets are heard on Linux only")


def port_nobody_has() -> int:
    """A port that was free a moment ago."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@pytest.mark.parametrize("host", ["127.0.0.1", pytest.param("::1", marks=needs_ipv6)])
async def test_a_request_arrives_and_its_response_goes_back_to_where_it_came_from(host: str) -> None:
    async with party(f"UDP {host}") as (server, [endpoint]):
        with plain_udp(host) as peer:
            data = options()
            peer.sendto(data, (host, endpoint.port))
            await server.messages_to_be(1)
            assert isinstance(server.messages[0], Request)
            assert server.octets == [data]
            flow = server.flows[0]
            assert flow.endpoint is endpoint
            assert (flow.host, flow.port) == peer.getsockname()[:2]
            server.transports.send(b"SIP/2.0 200 OK\r\n\r\n", flow)
            peer.connect((host, endpoint.port))  # from now on it hears this sender only
            server.transports.send(b"again", flow)
            assert await read_datagram(peer) == b"SIP/2.0 200 OK\r\n\r\n"
            assert await read_datagram(peer) == b"again"


async def test_what_waits_in_the_socket_is_one_batch_of_at_most_64() -> None:
    async with party("UDP") as (server, [endpoint]):
        with plain_udp() as peer:
            for number in range(100):
                peer.sendto(options(str(number)), ("127.0.0.1", endpoint.port))
            await server.messages_to_be(100)
            assert [message.call_id for message in server.messages if isinstance(message, Request)] == [
                f"{number}@127.0.0.1" for number in range(100)
            ]
            assert server.batches[:2] == [64, 100]


async def test_the_same_peer_is_the_same_flow() -> None:
    async with party("UDP") as (server, [endpoint]):
        with plain_udp() as peer:
            for _ in range(2):
                peer.sendto(options(), ("127.0.0.1", endpoint.port))
            await server.messages_to_be(2)
            assert server.flows[0] is server.flows[1]
            port = peer.getsockname()[1]
            assert server.transports.flow_to(Target("UDP", "127.0.0.1", port)) is server.flows[0]


async def test_a_full_table_of_flows_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "_FLOWS_KEPT", 2)
    async with party("UDP") as (server, _):
        first = server.transports.flow_to(Target("UDP", "127.0.0.1", 5061))
        for port in (5062, 5063):
            server.transports.flow_to(Target("UDP", "127.0.0.1", port))
        again = server.transports.flow_to(Target("UDP", "127.0.0.1", 5061))
        assert again == first
        assert again is not first


@pytest.mark.parametrize("data", [b"", b"\r\n", b"\r\n\r\n", b"\0\0\0\0", b"\r\n" * 40, b"x"])
async def test_a_datagram_that_only_keeps_a_nat_open_is_counted_and_ignored(data: bytes) -> None:
    async with party("UDP") as (server, [endpoint]):
        with plain_udp() as peer:
            peer.sendto(data, ("127.0.0.1", endpoint.port))
            peer.sendto(options(), ("127.0.0.1", endpoint.port))
            await server.messages_to_be(1)
            assert isinstance(server.messages[0], Request)
            assert server.transports.counts.keepalives == 1


async def test_what_is_no_message_is_passed_on_as_malformed() -> None:
    async with party("UDP") as (server, [endpoint]):
        with plain_udp() as peer:
            peer.sendto(b"hello, world", ("127.0.0.1", endpoint.port))
            await server.messages_to_be(1)
            assert isinstance(server.messages[0], Malformed)
            assert server.octets == [b"hello, world"]


async def test_the_largest_datagram_is_taken() -> None:
    async with party("UDP") as (server, [endpoint]):
        with plain_udp() as peer:
            data = options(body=b"x" * 65_000)
            peer.sendto(data, ("127.0.0.1", endpoint.port))
            await server.messages_to_be(1)
            message = server.messages[0]
            assert isinstance(message, Request)
            assert len(message.body) == 65_000


async def test_octets_beyond_the_body_are_dropped() -> None:
    async with party("UDP") as (server, [endpoint]):
        with plain_udp() as peer:
            peer.sendto(options(body=b"hello") + b", world", ("127.0.0.1", endpoint.port))
            await server.messages_to_be(1)
            message = server.messages[0]
            assert isinstance(message, Request)
            assert message.body == b"hello"


async def test_without_content_length_the_body_ends_with_the_datagram() -> None:
    async with party("UDP") as (server, [endpoint]):
        with plain_udp() as peer:
            peer.sendto(options(body=b"hello", length=False), ("127.0.0.1", endpoint.port))
            await server.messages_to_be(1)
            message = server.messages[0]
            assert isinstance(message, Request)
            assert message.body == b"hello"


async def test_a_body_shorter_than_said_is_400_for_a_request_and_nothing_for_a_response() -> None:
    request = options(body=b"hello")[:-1]
    response = request.replace(b"OPTIONS sip:127.0.0.1 SIP/2.0", b"SIP/2.0 200 OK")
    async with party("UDP") as (server, [endpoint]):
        with plain_udp() as peer:
            for data in (request, response):
                peer.sendto(data, ("127.0.0.1", endpoint.port))
            await server.messages_to_be(2)
            first, second = server.messages
            assert isinstance(first, Malformed)
            assert first.status == 400
            assert first.request is not None
            assert isinstance(second, Malformed)
            assert second.request is None


@needs_error_queue
@pytest.mark.parametrize("host", ["127.0.0.1", pytest.param("::1", marks=needs_ipv6)])
async def test_a_port_unreachable_is_a_failure_of_that_flow(host: str) -> None:
    async with party(f"UDP {host}") as (server, _):
        flow = server.transports.flow_to(Target("UDP", host, port_nobody_has()))
        assert flow is not None
        server.transports.send(options(), flow)
        assert server.failures == []
        await server.failures_to_be(1)
        assert server.failures == [(flow, "Port unreachable")]


@needs_error_queue
async def test_one_peer_s_icmp_error_does_not_cost_another_peer_its_datagram() -> None:
    async with party("UDP") as (server, _):
        with plain_udp() as peer:
            gone = server.transports.flow_to(Target("UDP", "127.0.0.1", port_nobody_has()))
            there = server.transports.flow_to(Target("UDP", "127.0.0.1", peer.getsockname()[1]))
            assert gone is not None
            assert there is not None
            server.transports.send(b"to nobody", gone)
            server.transports.send(b"to somebody", there)
            assert await read_datagram(peer) == b"to somebody"
            await server.failures_to_be(1)
            assert server.failures == [(gone, "Port unreachable")]
            server.transports.send(b"still", there)
            assert await read_datagram(peer) == b"still"


async def test_a_datagram_too_large_to_send_is_a_failure_told_later() -> None:
    async with party("UDP") as (server, _):
        flow = server.transports.flow_to(Target("UDP", "127.0.0.1", 5062))
        assert flow is not None
        server.transports.send(b"x" * 70_000, flow)
        assert server.failures == []
        await server.failures_to_be(1)
        assert server.failures[0][0] is flow
        assert "too long" in server.failures[0][1].lower()
        assert server.batches, "a failure reported from outside a batch ends one"


class ShortOfBuffers:
    """A `sendto` that the operating system refuses until it is told otherwise."""

    def __init__(self, send: object, error: OSError) -> None:
        self.send = send
        self.error: OSError | None = error

    def __call__(self, data: bytes, remote: tuple[str, int]) -> None:
        if self.error is not None:
            raise self.error
        self.send(data, remote)  # type: ignore[operator]


async def test_what_the_system_cannot_take_now_goes_out_in_order_later() -> None:
    async with party("UDP") as (server, [endpoint]):
        opened = server.transports._transports["UDP"]._sockets[endpoint]  # type: ignore[attr-defined]
        with plain_udp() as peer:
            flow = server.transports.flow_to(Target("UDP", "127.0.0.1", peer.getsockname()[1]))
            assert flow is not None
            short = opened._sendto = ShortOfBuffers(opened._sendto, BlockingIOError(errno.EAGAIN, "again"))
            server.transports.send(b"first", flow)
            short.error = None
            server.transports.send(b"second", flow)
            assert await read_datagram(peer) == b"first"
            assert await read_datagram(peer) == b"second"
            assert not opened._queue


async def test_a_queue_that_is_full_loses_datagrams_and_counts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "_QUEUE_LENGTH", 2)
    async with party("UDP") as (server, [endpoint]):
        opened = server.transports._transports["UDP"]._sockets[endpoint]  # type: ignore[attr-defined]
        with plain_udp() as peer:
            flow = server.transports.flow_to(Target("UDP", "127.0.0.1", peer.getsockname()[1]))
            assert flow is not None
            short = opened._sendto = ShortOfBuffers(opened._sendto, BlockingIOError(errno.EAGAIN, "again"))
            for data in (b"first", b"second", b"lost"):
                server.transports.send(data, flow)
            short.error = None
            assert server.transports.counts.dropped == 1
            assert await read_datagram(peer) == b"first"
            assert await read_datagram(peer) == b"second"


async def test_a_shortage_of_buffers_loses_the_datagram_without_a_failure() -> None:
    async with party("UDP") as (server, [endpoint]):
        opened = server.transports._transports["UDP"]._sockets[endpoint]  # type: ignore[attr-defined]
        flow = server.transports.flow_to(Target("UDP", "127.0.0.1", 5062))
        assert flow is not None
        opened._sendto = ShortOfBuffers(opened._sendto, OSError(errno.ENOBUFS, "no buffers"))
        server.transports.send(b"lost", flow)
        await asyncio.sleep(0)
        assert server.transports.counts.dropped == 1
        assert server.failures == []


async def test_a_taken_port_says_which() -> None:
    async with party("UDP") as (server, [endpoint]):
        with pytest.raises(OSError, match=f"in use.*UDP 127.0.0.1:{endpoint.port}") as caught:
            await server.transports.open("UDP", "127.0.0.1", endpoint.port)
        assert caught.value.errno == errno.EADDRINUSE
        assert server.transports.endpoints == [endpoint]


async def test_a_name_is_no_address_to_listen_on() -> None:
    async with party() as (server, _):
        with pytest.raises(OSError, match="Not a numeric address: UDP localhost:5060"):
            await server.transports.open("UDP", "localhost", 5060)


async def test_both_families_share_a_port() -> None:
    if not has_ipv6():
        pytest.skip("no ::1 here")
    async with party("UDP 0.0.0.0") as (server, [endpoint]):
        other = await server.transports.open("UDP", "::", endpoint.port)
        assert other.port == endpoint.port


@pytest.mark.parametrize("host", ["localhost", "example.com", "1", "256.0.0.1", "fe80::1%nowhere", "[::1]", ""])
async def test_there_is_no_flow_to_what_is_not_a_numeric_address(host: str) -> None:
    async with party("UDP") as (server, _):
        assert server.transports.flow_to(Target("UDP", host, 5060)) is None


@pytest.mark.parametrize("port", [0, -1, 65_536])
async def test_there_is_no_flow_to_what_is_no_port(port: int) -> None:
    async with party("UDP") as (server, _):
        assert server.transports.flow_to(Target("UDP", "127.0.0.1", port)) is None


async def test_a_group_is_heard_and_sent_to() -> None:
    async with party("UDP") as (server, [unicast]):
        group = await server.transports.open("UDP", "224.0.1.75", 0)
        with plain_udp() as peer:
            peer.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
            peer.sendto(options(), ("224.0.1.75", group.port))
            await server.messages_to_be(1)
            assert server.flows[0].endpoint is group
            assert server.flows[0].port == peer.getsockname()[1]
            server.transports.send(b"from the group", server.flows[0])
            assert await read_datagram(peer) == b"from the group"
        assert server.transports.flow_to(Target("UDP", "127.0.0.1", 5062), prefer=group).endpoint is unicast  # type: ignore[union-attr]


async def test_who_sends_to_a_group_hears_the_group() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as member:
        member.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        member.setblocking(False)
        member.bind(("224.0.1.75", 0))
        member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("224.0.1.75") + socket.inet_aton("127.0.0.1"))
        port = member.getsockname()[1]
        async with party("UDP") as (server, [endpoint]):
            target = Target("UDP", "224.0.1.75", port, ttl=1)
            flow = server.transports.flow_to(target)
            assert flow is not None
            assert server.transports.flow_to(target) is flow
            with plain_udp() as peer:
                peer.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
                peer.sendto(options("to-the-group"), ("224.0.1.75", port))
                await server.messages_to_be(1)
                assert server.flows[0].endpoint is endpoint
            assert await read_datagram(member) == options("to-the-group")
            server.transports.send(options("mine"), flow)
            assert await read_datagram(member) == options("mine")


@pytest.mark.parametrize(("ttl", "sent_with"), [(None, 1), (1, 1), (5, 5)])
async def test_a_group_is_sent_to_with_the_ttl_asked_for(ttl: int | None, sent_with: int) -> None:
    async with party("UDP") as (server, [endpoint]):
        opened = server.transports._transports["UDP"]._sockets[endpoint]  # type: ignore[attr-defined]
        flow = server.transports.flow_to(Target("UDP", "224.0.1.75", 5_075, ttl))
        assert flow is not None
        server.transports.send(b"x", flow)
        assert opened._sock.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL) == sent_with
        assert server.transports.flow_to(Target("UDP", "224.0.1.75", 5_075)) == flow
        server.transports.send(b"x", flow)
        if ttl != 5:
            assert not opened.ttls


async def test_a_flow_of_a_closed_endpoint_fails() -> None:
    async with party("UDP") as (server, _):
        flow = Flow(Endpoint("UDP", "127.0.0.1", 5060), ("127.0.0.1", 5062))
        server.transports.send(b"x", flow)
        assert server.failures == []
        await server.failures_to_be(1)
        assert server.failures == [(flow, "Endpoint closed")]


async def test_a_port_beyond_all_ports_is_a_failure_not_an_exception() -> None:
    async with party("UDP") as (server, [endpoint]):
        flow = Flow(endpoint, ("127.0.0.1", 70_000))
        server.transports.send(b"x", flow)
        await server.failures_to_be(1)
        assert server.failures == [(flow, "No such port")]


async def test_a_new_endpoint_may_be_the_better_way() -> None:
    async with party("UDP 0.0.0.0") as (server, [wildcard]):
        target = Target("UDP", "127.0.0.1", 5062)
        first = server.transports.flow_to(target)
        assert first is not None
        assert first.endpoint is wildcard
        assert server.transports.flow_to(target) is first
        other = await server.transports.open("UDP", "127.0.0.1", 0)
        preferred = server.transports.flow_to(target, prefer=other)
        assert preferred is not None
        assert preferred.endpoint is other


@needs_ipv6
async def test_an_ipv6_group_is_no_place_for_sip() -> None:
    async with party("UDP ::1") as (server, _):
        with pytest.raises(OSError, match=r"not supported.*: UDP \[ff02::1\]:5060"):
            await server.transports.open("UDP", "ff02::1", 5060)
        assert server.transports.flow_to(Target("UDP", "ff02::1", 5060)) is None


async def test_a_group_that_cannot_be_heard_is_not_sent_to() -> None:
    async with party("UDP") as (server, _):
        with plain_udp() as other:
            # Another program has the port for itself, on every address.
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as greedy:
                greedy.bind(("0.0.0.0", 0))
                assert server.transports.flow_to(Target("UDP", "224.0.1.75", greedy.getsockname()[1])) is None
            assert server.transports.flow_to(Target("UDP", "224.0.1.75", other.getsockname()[1])) is not None


async def test_a_group_already_listened_to_needs_no_second_ear() -> None:
    async with party("UDP") as (server, [endpoint]):
        group = await server.transports.open("UDP", "224.0.1.75", 0)
        flow = server.transports.flow_to(Target("UDP", "224.0.1.75", group.port))
        assert flow is not None
        assert flow.endpoint is endpoint
        assert not vars(server.transports._transports["UDP"])["_groups"]


async def test_a_socket_that_always_fails_is_not_tried_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    async with party("UDP") as (server, [endpoint]):
        opened = server.transports._transports["UDP"]._sockets[endpoint]  # type: ignore[attr-defined]
        flow = server.transports.flow_to(Target("UDP", "127.0.0.1", 5062))
        assert flow is not None
        tries = []

        def fail(*_: object) -> None:
            tries.append(1)
            raise OSError(errno.EHOSTUNREACH, "pending")

        opened._sendto = fail
        monkeypatch.setattr(type(opened), "_take_icmp_errors", lambda _: True)
        server.transports.send(b"x", flow)
        await server.failures_to_be(1)
        assert server.failures == [(flow, "pending")]
        assert 2 < len(tries) < 20


@needs_error_queue
async def test_an_error_that_18_4_ignores_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(icmp, "failure", lambda *_: None)
    async with party("UDP") as (server, [endpoint]):
        flow = server.transports.flow_to(Target("UDP", "127.0.0.1", port_nobody_has()))
        assert flow is not None
        server.transports.send(b"x", flow)
        await server.until(lambda: bool(server.batches))
        with plain_udp() as peer:
            peer.sendto(options(), ("127.0.0.1", endpoint.port))
            await server.messages_to_be(1)
        assert server.failures == []


async def test_a_wake_up_for_nothing_looks_for_errors_and_ends() -> None:
    async with party("UDP") as (server, [endpoint]):
        server.transports._transports["UDP"]._sockets[endpoint]._readable()  # type: ignore[attr-defined]
        assert server.batches == [0]
        assert server.failures == []


async def test_a_storm_of_icmp_errors_is_taken_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    async with party("UDP") as (server, [endpoint]):
        opened = server.transports._transports["UDP"]._sockets[endpoint]  # type: ignore[attr-defined]
        monkeypatch.setattr(udp, "read_error", lambda _: icmp.IcmpError(("127.0.0.1", 5062), "Port unreachable"))
        assert opened._take_icmp_errors()
        await server.failures_to_be(1)
        assert server.failures == [(opened.flow(("127.0.0.1", 5062)), "Port unreachable")]


async def test_a_receive_buffer_for_busy_servers_is_asked_for() -> None:
    async with party("UDP") as (server, [endpoint]):
        with plain_udp() as plain:
            before = plain.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        sock = server.transports._transports["UDP"]._sockets[endpoint]._sock  # type: ignore[attr-defined]
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) >= before


async def test_under_load_datagrams_are_gathered_in_rounds_until_it_is_quiet_again() -> None:
    async with party("UDP") as (server, [endpoint]):
        server.transports.gather(0.002)
        with plain_udp() as peer:
            for number in range(200):
                peer.sendto(options(str(number)), ("127.0.0.1", endpoint.port))
            await server.messages_to_be(200)
            assert server.batches[:3] == [64, 128, 192]
            [opened] = server.transports._transports["UDP"]._sockets.values()  # type: ignore[attr-defined]
            async with asyncio.timeout(5):
                while opened._round is not None:
                    await asyncio.sleep(0)
            peer.sendto(options("last"), ("127.0.0.1", endpoint.port))
            await server.messages_to_be(201)


async def test_closing_in_the_midst_of_a_round_leaves_nothing() -> None:
    async with party("UDP") as (server, [endpoint]):
        server.transports.gather(10.0)
        with plain_udp() as peer:
            for number in range(10):
                peer.sendto(options(str(number)), ("127.0.0.1", endpoint.port))
            await server.messages_to_be(10)
            await server.transports.close()
            assert server.transports.endpoints == []
