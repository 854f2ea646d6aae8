"""TCP on loopback: connections found, shared, ended (RFC 3261 §18, RFC 5626 §4.4.1)."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import struct
from collections.abc import Iterator

import pytest

from ringback.address import Target
from ringback.transport import StreamLimits, Transports, tcp
from tests.transport.party import eventually, has_ipv6, options, party, peer, plain_udp, read, read_to_end, write

pytestmark = pytest.mark.asyncio

needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no ::1 here")


def descriptors() -> int:
    """How many sockets and files this process has open; libuv's own reserve, /dev/null, aside."""
    count = 0
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            count += os.readlink(f"/proc/self/fd/{name}") != "/dev/null"
    return count


@contextlib.contextmanager
def unanswering() -> Iterator[int]:
    """The port of a listening socket whose queue is full: whoever connects now gets no answer."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            sock = stack.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.mark.parametrize("host", ["127.0.0.1", pytest.param("::1", marks=needs_ipv6)])
async def test_a_response_goes_back_over_the_connection_of_its_request(host: str) -> None:
    async with party(f"TCP {host}") as (server, [endpoint]):
        with peer(endpoint.port, host) as sock:
            await write(sock, options())
            await server.messages_to_be(1)
            flow = server.flows[0]
            assert flow.endpoint is endpoint
            assert (flow.host, flow.port) == sock.getsockname()[:2]
            assert flow.connection > 0
            server.transports.send(b"answer", flow)
            assert await read(sock, 6) == b"answer"
            assert server.transports.counts.connections == 1


async def test_messages_of_one_read_are_one_batch() -> None:
    async with party("TCP") as (server, [endpoint]):
        with peer(endpoint.port) as sock:
            await write(sock, options("1") + options("2") + options("3"))
            await server.messages_to_be(3)
            assert server.batches[0] == 3
            assert server.octets == [options("1"), options("2"), options("3")]


@pytest.mark.parametrize("host", ["127.0.0.1", pytest.param("::1", marks=needs_ipv6)])
async def test_two_elements_share_one_connection_for_both_directions(host: str) -> None:
    async with party(f"TCP {host}") as (ann, _), party(f"TCP {host}") as (bob, [bobs]):
        flow = ann.transports.flow_to(Target("TCP", host, bobs.port))
        assert flow is not None
        assert ann.transports.flow_to(Target("TCP", host, bobs.port)) is flow
        for number in range(3):
            ann.transports.send(options(str(number)), flow)
        await bob.messages_to_be(3)
        assert bob.octets == [options(str(number)) for number in range(3)]
        back = bob.transports.flow_to(Target("TCP", host, bob.flows[0].port))
        assert back is bob.flows[0]
        bob.transports.send(options("back"), back)
        await ann.messages_to_be(1)
        assert ann.flows[0] is flow
        assert ann.transports.counts.connections == bob.transports.counts.connections == 1


@needs_ipv6
async def test_one_ipv6_address_written_in_two_ways_is_one_connection() -> None:
    async with party("TCP ::1") as (ann, _):
        flow = ann.transports.flow_to(Target("TCP", "::1", 5062))
        assert flow is not None
        assert ann.transports.flow_to(Target("TCP", "0:0:0::1", 5062)) is flow


@pytest.mark.parametrize(("listens_on", "comes_from"), [("127.0.0.2", "127.0.0.2"), ("0.0.0.0", "127.0.0.1")])
async def test_a_connection_comes_from_the_endpoint_s_address(listens_on: str, comes_from: str) -> None:
    async with party(f"TCP {listens_on}") as (ann, _), party("TCP") as (bob, [bobs]):
        flow = ann.transports.flow_to(Target("TCP", "127.0.0.1", bobs.port))
        assert flow is not None
        ann.transports.send(options(), flow)
        await bob.messages_to_be(1)
        assert bob.flows[0].host == comes_from


async def test_a_refused_connection_is_one_failure_told_later() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        target = Target("TCP", "127.0.0.1", taken.getsockname()[1])
        async with party("TCP") as (ann, _):
            flow = ann.transports.flow_to(target)
            assert flow is not None
            ann.transports.send(options("1"), flow)
            ann.transports.send(options("2"), flow)
            assert ann.failures == []
            await ann.failures_to_be(1)
            assert ann.failures == [(flow, os.strerror(errno.ECONNREFUSED))]
            assert ann.batches == [0]
            assert ann.transports.counts.connections == 0
            again = ann.transports.flow_to(target)
            assert again is not None
            assert again != flow


async def test_an_endpoint_s_address_that_is_gone_is_a_failure_to_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    async with party("TCP") as (ann, [endpoint]):
        flow = ann.transports.flow_to(Target("TCP", "127.0.0.1", 5062))
        assert flow is not None
        monkeypatch.setattr(endpoint, "host", "192.0.2.77")
        ann.transports.send(options(), flow)
        await ann.failures_to_be(1)
        assert ann.failures == [(flow, os.strerror(errno.EADDRNOTAVAIL))]


async def test_a_connection_that_is_not_answered_times_out() -> None:
    with unanswering() as port:
        async with party("TCP", limits=StreamLimits(connect=0.1)) as (ann, _):
            flow = ann.transports.flow_to(Target("TCP", "127.0.0.1", port))
            assert flow is not None
            ann.transports.send(options(), flow)
            await ann.failures_to_be(1)
            assert ann.failures == [(flow, os.strerror(errno.ETIMEDOUT))]


async def test_what_waits_for_a_connection_is_bounded() -> None:
    with unanswering() as port:
        async with party("TCP", limits=StreamLimits(write_bytes=100_000)) as (ann, _):
            flow = ann.transports.flow_to(Target("TCP", "127.0.0.1", port))
            assert flow is not None
            for _ in range(3):
                ann.transports.send(options(body=b"x" * 40_000), flow)
            await ann.failures_to_be(1)
            assert ann.failures == [(flow, "Peer does not answer")]
            assert ann.transports.counts.overdue == 1


async def test_a_flow_whose_connection_is_closed_fails() -> None:
    async with party("TCP") as (server, [endpoint]):
        with peer(endpoint.port) as sock:
            await write(sock, options())
            await server.messages_to_be(1)
        await eventually(lambda: server.transports.counts.connections == 0)
        assert server.failures == [], "an orderly end is none"
        server.transports.send(b"answer", server.flows[0])
        await server.failures_to_be(1)
        assert server.failures == [(server.flows[0], "Connection closed")]


async def test_a_reset_connection_fails() -> None:
    async with party("TCP") as (server, [endpoint]):
        with peer(endpoint.port) as sock:
            await write(sock, options())
            await server.messages_to_be(1)
            # Closing with no time to linger resets the connection.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await server.failures_to_be(1)
        assert server.failures == [(server.flows[0], os.strerror(errno.ECONNRESET))]


async def test_a_peer_that_only_stops_sending_still_gets_what_was_written() -> None:
    async with party("TCP") as (server, [endpoint]):
        server.answer = lambda _, flow: server.transports.send(b"answer" * 10_000, flow)
        with peer(endpoint.port) as sock:
            await write(sock, options())
            sock.shutdown(socket.SHUT_WR)
            assert await read_to_end(sock) == b"answer" * 10_000
            assert server.failures == []


async def test_a_ping_gets_its_pong() -> None:
    async with party("TCP") as (server, [endpoint]):
        with peer(endpoint.port) as sock:
            await write(sock, b"\r\n\r\n")
            assert await read(sock, 2) == b"\r\n"
            await write(sock, b"\r\n\r\n" + options())
            await server.messages_to_be(1)
            assert await read(sock, 2) == b"\r\n"
            assert server.transports.counts.keepalives == 2
            assert len(server.messages) == 1


async def test_a_pong_is_not_answered() -> None:
    async with party("TCP") as (server, [endpoint]):
        with peer(endpoint.port) as sock:
            await write(sock, b"\r\n" + options())
            await server.messages_to_be(1)
            server.transports.send(b"end", server.flows[0])
            assert await read(sock, 3) == b"end"
            assert server.transports.counts.keepalives == 0


async def test_a_fault_is_answered_though_the_peer_goes_on_sending() -> None:
    async with party("TCP") as (server, [endpoint]):
        server.answer = lambda _, flow: server.transports.send(b"SIP/2.0 400 Bad Request\r\n\r\n", flow)
        with peer(endpoint.port) as sock:
            await write(sock, b"nonsense\r\n\r\n" + b"more and more" * 20_000)
            assert await read_to_end(sock) == b"SIP/2.0 400 Bad Request\r\n\r\n"
            assert len(server.messages) == 1
            server.transports.send(b"too late", server.flows[0])
            await server.failures_to_be(1)
            assert server.failures == [(server.flows[0], "Connection closed")]


async def test_a_peer_that_never_stops_after_its_fault_is_cut_off() -> None:
    async with party("TCP", limits=StreamLimits(sweep=3600)) as (server, [endpoint]):
        with peer(endpoint.port) as sock:
            await write(sock, b"nonsense\r\n\r\n")
            assert await read_to_end(sock) == b""
            with pytest.raises(OSError, match=r"reset|Broken pipe"):
                for _ in range(1_000):
                    await write(sock, b"x" * 65_536)
            assert len(server.messages) == 1
            assert server.transports.counts.connections == 0


async def test_a_peer_that_does_not_close_after_its_fault_is_closed() -> None:
    async with party("TCP", limits=StreamLimits(linger=0.1, sweep=0.02)) as (server, [endpoint]):
        with peer(endpoint.port) as sock:
            await write(sock, b"nonsense\r\n\r\n")
            await server.messages_to_be(1)
            await eventually(lambda: server.transports.counts.connections == 0)


@pytest.mark.parametrize(
    ("limits", "sent"),
    [
        (StreamLimits(first_request=0.1, sweep=0.02), b""),
        (StreamLimits(first_request=0.1, sweep=0.02), b"\r\n\r\n"),
        (StreamLimits(first_request=0.1, sweep=0.02), options()[:40]),
        (StreamLimits(message=0.1, sweep=0.02), options()[:40]),
        (StreamLimits(message=0.1, sweep=0.02), options() + options()[:40]),
        (StreamLimits(message=0.1, sweep=0.02), options(body=b"hello")[:-1]),
        (StreamLimits(idle=0.1, sweep=0.02), options()),
    ],
)
async def test_a_connection_that_takes_too_long_is_closed(limits: StreamLimits, sent: bytes) -> None:
    async with party("TCP", limits=limits) as (server, [endpoint]):
        with peer(endpoint.port) as sock:
            await write(sock, sent)
            await read_to_end(sock)
            await eventually(lambda: server.transports.counts.connections == 0)
            assert server.transports.counts.overdue == 1
            assert server.failures == []


async def test_slow_senders_are_closed_and_others_served() -> None:
    limits = StreamLimits(first_request=0.3, sweep=0.02)
    async with party("TCP 0.0.0.0", limits=limits) as (server, [endpoint]):
        with contextlib.ExitStack() as stack:
            slow = [stack.enter_context(peer(endpoint.port, source="127.0.0.9")) for _ in range(100)]
            for sock in slow:
                await write(sock, b"O")
            with peer(endpoint.port) as sock:
                await write(sock, options("quick"))
                await server.messages_to_be(1)
                for one in slow:
                    with contextlib.suppress(OSError):
                        await write(one, b"P")
                    await read_to_end(one)
                assert server.transports.counts.overdue == 100
                await write(sock, options("quick"))
                await server.messages_to_be(2)
                assert server.transports.counts.connections == 1


async def test_a_flow_never_used_is_forgotten() -> None:
    async with party("TCP", limits=StreamLimits(idle=0.05, sweep=0.02)) as (ann, _):
        assert ann.transports.flow_to(Target("TCP", "127.0.0.1", 5062)) is not None
        assert ann.transports.counts.connections == 1
        await eventually(lambda: ann.transports.counts.connections == 0)
        assert ann.failures == []


async def test_a_reader_that_does_not_read_is_cut_off_and_others_are_not() -> None:
    async with party("TCP") as (server, [endpoint]):
        with peer(endpoint.port) as slow, peer(endpoint.port) as quick:
            await write(slow, options("slow"))
            await server.messages_to_be(1)
            await write(quick, options("quick"))
            await server.messages_to_be(2)
            # What the kernel takes for a slow reader is its own affair: tens of megabytes at most.
            for _ in range(1_000):
                server.transports.send(b"x" * 65_536, server.flows[0])
                await asyncio.sleep(0)
                if server.failures:
                    break
            assert server.failures[0] == (server.flows[0], "Peer does not read")
            assert server.transports.counts.overdue == 1
            server.transports.send(b"still here", server.flows[1])
            assert await read(quick, 10) == b"still here"


async def test_one_address_has_so_many_connections_and_others_theirs() -> None:
    async with party("TCP 0.0.0.0") as (server, [endpoint]):
        counts = server.transports.counts
        with contextlib.ExitStack() as stack:
            for _ in range(300):
                stack.enter_context(peer(endpoint.port))
            await eventually(lambda: counts.connections + counts.refused == 300)
            assert (counts.connections, counts.refused) == (256, 44)
            other = stack.enter_context(peer(endpoint.port, source="127.0.0.2"))
            await write(other, options("other"))
            await server.messages_to_be(1)
        await eventually(lambda: counts.connections == 0)
        with peer(endpoint.port) as again:
            await write(again, options("again"))
            await server.messages_to_be(2)


async def test_200_abrupt_resets_leave_nothing() -> None:
    async with party("TCP") as (server, [endpoint]):
        server.answer = lambda _, flow: server.transports.send(b"answer" * 100, flow)
        before, tasks = descriptors(), len(asyncio.all_tasks())
        for number in range(200):
            with peer(endpoint.port) as sock:
                sock.sendall(b"".join(options(f"{number}.{nth}") for nth in range(10)))
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if number % 3 == 0:
                await asyncio.sleep(0)
        await eventually(lambda: server.transports.counts.connections == 0)
        with peer(endpoint.port) as sock:
            await write(sock, options("alive"))
            assert await read(sock, 6) == b"answer"
        await eventually(lambda: server.transports.counts.connections == 0)
        kind = vars(server.transports._transports["TCP"])
        for name in ("_connections", "_by_number", "_by_peer", "_per_address", "_tasks"):
            assert not kind[name], name
        assert len(asyncio.all_tasks()) == tasks
        await eventually(lambda: descriptors() == before)


async def test_closing_leaves_no_descriptor_and_no_task() -> None:
    before = descriptors()
    with unanswering() as port, contextlib.ExitStack() as stack:
        unopened = descriptors()
        async with party("TCP", "UDP") as (server, [endpoint, _]):
            for number in range(5):
                await write(stack.enter_context(peer(endpoint.port)), options(str(number)))
            await server.messages_to_be(5)
            # One that was not accepted yet, one not answered yet, one never sent to.
            stack.enter_context(peer(endpoint.port))
            flow = server.transports.flow_to(Target("TCP", "127.0.0.1", port))
            assert flow is not None
            server.transports.send(options(), flow)
            assert server.transports.flow_to(Target("TCP", "127.0.0.1", 5062)) is not None
            await server.transports.close()
            assert server.transports.endpoints == []
            assert server.failures == []
            assert asyncio.all_tasks() == {asyncio.current_task()}
            assert descriptors() == unopened + 6
            server.transports.send(b"x", flow)
            await server.failures_to_be(1)
            assert server.failures == [(flow, "Endpoint closed")]
    assert descriptors() == before


async def test_closing_while_connections_are_being_accepted() -> None:
    before = descriptors()
    async with party("TCP") as (server, [endpoint]):
        with peer(endpoint.port), peer(endpoint.port):
            while server.transports.counts.connections < 2:
                await asyncio.sleep(0)
            await server.transports.close()
            assert server.transports.counts.connections == 0
    assert descriptors() == before


async def test_a_taken_port_says_which() -> None:
    async with party("TCP") as (server, [endpoint]):
        with pytest.raises(OSError, match=f"in use: TCP 127.0.0.1:{endpoint.port}") as caught:
            await server.transports.open("TCP", "127.0.0.1", endpoint.port)
        assert caught.value.errno == errno.EADDRINUSE
        assert server.transports.endpoints == [endpoint]


async def test_a_port_that_cannot_be_listened_on_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "bound_socket", lambda *_, **__: plain_udp())
    async with party() as (server, _):
        with pytest.raises(OSError, match=r"TCP 127\.0\.0\.1:5060"):
            await server.transports.open("TCP", "127.0.0.1", 5060)


async def test_udp_and_tcp_share_a_port() -> None:
    async with party() as (server, _):
        for _ in range(50):  # whichever UDP port is given, its TCP namesake may be somebody's
            udp = await server.transports.open("UDP", "127.0.0.1", 0)
            with contextlib.suppress(OSError):
                other = await server.transports.open("TCP", "127.0.0.1", udp.port)
                break
        assert other.sent_by == udp.sent_by
        assert server.transports.endpoints[-2:] == [udp, other]


async def test_an_unknown_transport_is_refused_by_name() -> None:
    async with party() as (server, _):
        with pytest.raises(OSError, match="No such transport: SCTP"):
            await server.transports.open("SCTP", "127.0.0.1", 0)
        assert server.transports.flow_to(Target("SCTP", "127.0.0.1", 5060)) is None


@pytest.mark.parametrize("host", ["localhost", "224.0.1.75", "192.0.2.1", "2001:db8::1"])
async def test_there_is_no_flow_where_no_endpoint_leads(host: str) -> None:
    async with party("TCP") as (server, _):
        assert server.transports.flow_to(Target("TCP", host, 5060)) is None


async def test_an_advertised_host_stands_in_the_sent_by() -> None:
    transports = Transports(lambda *_: None, lambda *_: None, batch_ended=lambda: None)
    try:
        endpoint = await transports.open("TCP", "127.0.0.1", 0, "sip.example.com")
        assert endpoint.sent_by == f"sip.example.com:{endpoint.port}"
        assert endpoint.host == "127.0.0.1"
    finally:
        await transports.close()
