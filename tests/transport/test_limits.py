"""The default limits of connections, each at its border, in simulated time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from ringback.address import Flow, Target
from ringback.testing import Network, run
from ringback.transport import DEFAULT_STREAM_LIMITS, StreamLimits, Transports
from tests.transport.party import options


def open_after(sent: list[tuple[float, bytes]], seconds: float) -> bool:
    """Whether a connection that sends this, each piece at its moment, is still open so long after it was accepted."""

    async def main() -> bool:
        network = Network(delay=0.0)
        ignore: Callable[..., None] = lambda *_: None  # noqa: E731
        limits = DEFAULT_STREAM_LIMITS._replace(sweep=0.25)
        server = network.host("10.0.0.1", ignore, ignore, batch_ended=ignore, stream_limits=limits)
        peer = network.host("10.0.0.2", ignore, ignore, batch_ended=ignore, stream_limits=StreamLimits(idle=1e9, sweep=1e6))
        await server.open("TCP", "10.0.0.1", 5060)
        await peer.open("TCP", "10.0.0.2", 5060)
        flow = peer.flow_to(Target("TCP", "10.0.0.1", 5060))
        assert flow is not None
        loop = asyncio.get_running_loop()
        for moment, data in sent:
            loop.call_at(moment, peer.send, data, flow)
        await asyncio.sleep(seconds)
        is_open = server.counts.connections == 1
        await server.close()
        await peer.close()
        return is_open

    return run(main())


@pytest.mark.parametrize(
    ("sent", "limit"),
    [
        pytest.param([(0, b"\r\n")], 32, id="no request yet"),
        pytest.param([(0, b"\r\n"), (10, b"\r\n\r\n"), (30, b"\r\n\r\n")], 32, id="pings are no request"),
        pytest.param([(0, b"OPTIONS ")], 20, id="half a head"),
        pytest.param([(0, options(body=b"hello")[:-1])], 20, id="half a body"),
        pytest.param([(second, b"O") for second in range(20)], 20, id="an octet a second"),
        pytest.param([(0, options()), (100, b"OPTIONS ")], 120, id="half a second message"),
        pytest.param([(0, options())], 3605, id="silence"),
        pytest.param([(0, options()), (1000, options())], 4605, id="silence after a second message"),
        pytest.param([(0, options()), (3000, b"\r\n\r\n")], 6605, id="a ping is a sign of life"),
    ],
)
def test_a_connection_lives_to_its_limit_and_not_longer(sent: list[tuple[float, bytes]], limit: float) -> None:
    assert open_after(sent, limit - 1)
    assert not open_after(sent, limit + 1)


def test_a_silent_connection_outlives_the_longest_transaction() -> None:
    # 64*T1 for most, timer C (over 3 minutes) and the wait for its ACK for an INVITE: §18, §16.6 item 11.
    assert DEFAULT_STREAM_LIMITS.idle > 180 + 64 * 0.5
    assert open_after([(0, options())], 180 + 64 * 0.5)


@pytest.mark.parametrize("count", [255, 256, 257])
def test_connections_of_one_address(count: int) -> None:
    async def main() -> tuple[int, int]:
        network = Network()
        flows: list[Flow] = []
        ignore: Callable[..., None] = lambda *_: None  # noqa: E731
        server = network.host("10.0.0.1", ignore, ignore, batch_ended=ignore)
        peer: Transports = network.host("10.0.0.2", ignore, ignore, batch_ended=ignore)
        await peer.open("TCP", "10.0.0.2", 5060)
        for number in range(count):
            endpoint = await server.open("TCP", "10.0.0.1", 10_000 + number)
            flow = peer.flow_to(Target("TCP", "10.0.0.1", endpoint.port))
            assert flow is not None
            flows.append(flow)
            peer.send(options(), flow)
        await asyncio.sleep(1)
        seen = server.counts.connections, server.counts.refused
        await server.close()
        await peer.close()
        return seen

    assert run(main()) == (min(count, 256), max(0, count - 256))
