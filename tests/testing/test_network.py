"""The simulated network: what passes, when, and what chance and cuts do to it."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from ringback.address import Flow, Target
from ringback.message.limits import DEFAULT_LIMITS, MessageLimits
from ringback.message.message import Request, Response
from ringback.message.parser import Malformed
from ringback.testing import Network, Passed, run
from ringback.transport import StreamLimits
from ringback.transport.limits import WebSocketRules
from tests.transport.party import options

ANN, BOB, EVE = "10.0.0.1", "10.0.0.2", "10.0.0.3"


class Host:
    """A host of the network and what it was told."""

    def __init__(
        self,
        network: Network,
        address: str,
        limits: StreamLimits | None = None,
        websocket: WebSocketRules | None = None,
        message_limits: MessageLimits = DEFAULT_LIMITS,
    ) -> None:
        self.heard: list[tuple[float, Request | Response | Malformed, Flow]] = []
        self.octets: list[bytes] = []
        self.failures: list[tuple[float, Flow, str]] = []
        self.batches = 0
        self.address = address
        self.echoes = False
        self.transports = network.host(
            address,
            self._received,
            self._failed,
            batch_ended=self._batch_ended,
            stream_limits=limits or StreamLimits(),
            websocket=websocket or WebSocketRules(),
            message_limits=message_limits,
        )

    def _received(self, message: Request | Response | Malformed, octets: bytes, flow: Flow) -> None:
        self.heard.append((asyncio.get_running_loop().time(), message, flow))
        self.octets.append(octets)
        if self.echoes:
            self.transports.send(octets, flow)

    def _failed(self, flow: Flow, reason: str) -> None:
        self.failures.append((asyncio.get_running_loop().time(), flow, reason))

    def _batch_ended(self) -> None:
        self.batches += 1

    def send(self, data: bytes, to: str, transport: str = "UDP", port: int = 5060) -> Flow:
        flow = self.transports.flow_to(Target(transport, to, port))
        assert flow is not None
        self.transports.send(data, flow)
        return flow


def play(
    network: Network, scene: Callable[[Host, Host], Coroutine[Any, Any, None]], limits: StreamLimits | None = None
) -> tuple[Host, Host]:
    """Runs a scene between Ann and Bob, both listening on 5060, in simulated time, and closes them."""

    async def main() -> tuple[Host, Host]:
        ann, bob = Host(network, ANN, limits), Host(network, BOB, limits)
        for host in (ann, bob):
            await host.transports.open("UDP", host.address, 5060)
            await host.transports.open("TCP", host.address, 5060)
        await scene(ann, bob)
        for host in (ann, bob):
            await host.transports.close()
        return ann, bob

    return run(main())


def calls(host: Host) -> list[str]:
    """The branches of the requests a host received, in order."""
    return [message.call_id.partition("@")[0] for _, message, _ in host.heard if isinstance(message, Request)]


def test_a_datagram_takes_the_delay_and_is_logged() -> None:
    network = Network(delay=0.25)

    async def scene(ann: Host, bob: Host) -> None:
        ann.send(options(), BOB)
        await asyncio.sleep(1)

    _, bob = play(network, scene)
    [(moment, message, flow)] = bob.heard
    assert moment == 0.25
    assert isinstance(message, Request)
    assert (flow.host, flow.port, flow.endpoint.sent_by) == (ANN, 5060, f"{BOB}:5060")
    assert network.log == [Passed(0.25, (ANN, 5060), (BOB, 5060), "UDP", options())]
    assert network.lost == []
    assert bob.batches == 1


def test_without_reordering_datagrams_keep_their_order() -> None:
    async def scene(ann: Host, bob: Host) -> None:
        for number in range(200):
            ann.send(options(str(number)), BOB)
        await asyncio.sleep(1)

    _, bob = play(Network(), scene)
    assert calls(bob) == [str(number) for number in range(200)]


def test_fate_says_of_each_datagram_when_it_arrives_how_often_and_whether() -> None:
    def fate(datagram: Passed) -> tuple[float, ...]:
        assert (datagram.source, datagram.destination, datagram.transport) == ((ANN, 5060), (BOB, 5060), "UDP")
        return {options("lost"): (), options("late"): (0.5,), options("twice"): (0.2, 0.9)}.get(datagram.octets, (0.1,))

    async def scene(ann: Host, bob: Host) -> None:
        for name in ("late", "lost", "twice", "plain"):
            ann.send(options(name), BOB)
        await asyncio.sleep(1)

    network = Network(loss=1.0, fate=fate)
    _, bob = play(network, scene)
    assert calls(bob) == ["plain", "twice", "late", "twice"]
    assert [moment for moment, _, _ in bob.heard] == [0.1, 0.2, 0.5, 0.9]
    assert network.lost == [Passed(0.0, (ANN, 5060), (BOB, 5060), "UDP", options("lost"))]


def test_what_is_cut_off_fate_does_not_let_through() -> None:
    async def scene(ann: Host, bob: Host) -> None:
        network.cut(ANN, BOB)
        ann.send(options(), BOB)
        await asyncio.sleep(1)

    network = Network(fate=lambda datagram: (0.1,))
    _, bob = play(network, scene)
    assert bob.heard == []
    assert len(network.lost) == 1


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_an_answer_goes_back_over_the_flow(transport: str) -> None:
    async def scene(ann: Host, bob: Host) -> None:
        bob.echoes = True
        ann.send(options(), BOB, transport)
        await asyncio.sleep(1)

    ann, bob = play(Network(), scene)
    assert ann.octets == [options()]
    assert len(bob.heard) == 1


def lossy(seed: int) -> tuple[list[Passed], list[Passed]]:
    """What passes and what is lost when Ann sends Bob 1,000 datagrams over a bad network."""
    network = Network(loss=0.3, duplication=0.1, reordering=0.2, seed=seed)

    async def scene(ann: Host, bob: Host) -> None:
        for number in range(1000):
            ann.send(options(str(number)), BOB)
            await asyncio.sleep(0.0005)
        await asyncio.sleep(1)

    play(network, scene)
    return network.log, network.lost


def test_chance_is_what_was_asked_for_and_repeats_by_seed(seed: int) -> None:
    log, lost = lossy(seed)
    assert 200 < len(lost) < 400
    numbers = [passed.octets for passed in log]
    assert len(log) - len(set(numbers)) > 30
    sent = {options(str(number)): number for number in range(1000)}
    order = [sent[octets] for octets in dict.fromkeys(numbers)]
    assert order != sorted(order)
    assert len(log) + len(lost) > 1000
    assert lossy(seed) == (log, lost)
    assert lossy(seed + 1) != (log, lost)


def test_a_cut_network_loses_datagrams_until_it_heals() -> None:
    network = Network()

    async def scene(ann: Host, bob: Host) -> None:
        network.cut(ANN, BOB)
        ann.send(options("lost"), BOB)
        bob.send(options("lost too"), ANN)
        await asyncio.sleep(1)
        network.heal(BOB, ANN)
        ann.send(options("arrives"), BOB)
        await asyncio.sleep(1)

    ann, bob = play(network, scene)
    assert (calls(ann), calls(bob)) == ([], ["arrives"])
    assert len(network.lost) == 2


def test_a_stream_waits_for_a_cut_to_heal_and_keeps_its_order() -> None:
    network = Network()

    async def scene(ann: Host, bob: Host) -> None:
        ann.send(options("1"), BOB, "TCP")
        await asyncio.sleep(1)
        network.cut(ANN, BOB)
        ann.send(options("2"), BOB, "TCP")
        await asyncio.sleep(10)
        assert calls(bob) == ["1"]
        network.heal(ANN, BOB)
        ann.send(options("3"), BOB, "TCP")
        network.delay = 0.0
        ann.send(options("4"), BOB, "TCP")
        await asyncio.sleep(1)

    _, bob = play(network, scene)
    assert calls(bob) == ["1", "2", "3", "4"]
    assert len({flow for _, _, flow in bob.heard}) == 1


@pytest.mark.parametrize("is_told", [False, True])
@pytest.mark.parametrize(("host", "port", "reason"), [(BOB, 5099, "Port unreachable"), (EVE, 5060, "No route to host")])
def test_a_datagram_to_nobody_vanishes_or_is_reported(is_told: bool, host: str, port: int, reason: str) -> None:
    network = Network(delay=0.5, reports_unreachable=is_told)

    async def scene(ann: Host, bob: Host) -> None:
        ann.send(options(), host, port=port)
        await asyncio.sleep(10)

    ann, _ = play(network, scene)
    assert [(moment, why) for moment, _, why in ann.failures] == ([(1.0, reason)] if is_told else [])
    assert len(network.lost) == 1
    assert ann.batches == len(ann.failures)


@pytest.mark.parametrize(
    ("host", "port", "is_told", "failure"),
    [
        (BOB, 5099, False, (1.0, "Connection refused")),
        (EVE, 5060, True, (1.0, "No route to host")),
        (EVE, 5060, False, (5.0, "Connection timed out")),
    ],
)
def test_a_connection_to_nobody_fails(host: str, port: int, is_told: bool, failure: tuple[float, str]) -> None:
    async def scene(ann: Host, bob: Host) -> None:
        ann.send(options(), host, "TCP", port)
        await asyncio.sleep(10)

    ann, _ = play(Network(delay=0.5, reports_unreachable=is_told), scene)
    assert [(moment, why) for moment, _, why in ann.failures] == [failure]


def test_a_connection_across_a_cut_times_out() -> None:
    network = Network()

    async def scene(ann: Host, bob: Host) -> None:
        network.cut(ANN, BOB)
        ann.send(options(), BOB, "TCP")
        await asyncio.sleep(10)

    ann, bob = play(network, scene)
    assert [why for _, _, why in ann.failures] == ["Connection timed out"]
    assert bob.heard == []


def test_a_connection_that_was_given_up_meanwhile_is_reset() -> None:
    async def scene(ann: Host, bob: Host) -> None:
        ann.send(options(), BOB, "TCP")
        await asyncio.sleep(20)
        assert bob.transports.counts.connections == 0

    ann, bob = play(Network(delay=3.0), scene)
    assert [(moment, why) for moment, _, why in ann.failures] == [(5.0, "Connection timed out")]
    assert bob.heard == []


def test_one_connection_serves_both_directions() -> None:
    async def scene(ann: Host, bob: Host) -> None:
        first = ann.send(options("1"), BOB, "TCP")
        assert ann.send(options("2"), BOB, "TCP") is first
        await asyncio.sleep(1)
        back = bob.heard[0][2]
        assert bob.transports.flow_to(Target("TCP", ANN, back.port)) is back
        bob.transports.send(options("3"), back)
        await asyncio.sleep(1)
        assert ann.heard[0][2] is first
        assert ann.transports.counts.connections == bob.transports.counts.connections == 1

    ann, bob = play(Network(), scene)
    assert (calls(ann), calls(bob)) == (["3"], ["1", "2"])


def test_a_host_that_closes_is_gone_for_its_peers() -> None:
    network = Network()

    async def scene(ann: Host, bob: Host) -> None:
        flow = ann.send(options(), BOB, "TCP")
        await asyncio.sleep(1)
        await bob.transports.close()
        await asyncio.sleep(1)
        ann.transports.send(options(), flow)
        await asyncio.sleep(1)
        assert [why for _, _, why in ann.failures] == ["Connection reset by peer", "Connection closed"]
        ann.send(options(), BOB, "TCP")
        await asyncio.sleep(1)
        assert ann.failures[-1][2] == "Connection refused"

    play(network, scene)
    assert network.ears == {}
    assert network.listeners == {}


def test_what_is_on_its_way_to_an_end_that_closed_resets_the_stream() -> None:
    limits = StreamLimits(first_request=1.0)

    async def scene(ann: Host, bob: Host) -> None:
        ann.send(b"\r\n", BOB, "TCP")
        await asyncio.sleep(2.5)
        ann.send(options(), BOB, "TCP")
        await asyncio.sleep(10)

    ann, bob = play(Network(delay=1.0), scene, limits)
    assert bob.heard == []
    assert [why for _, _, why in ann.failures] == ["Connection reset by peer"]


def test_the_real_limits_hold_on_simulated_streams() -> None:
    async def scene(ann: Host, bob: Host) -> None:
        loop = asyncio.get_running_loop()
        ann.send(options("whole") + options("half")[:50], BOB, "TCP")
        await asyncio.sleep(19)
        assert bob.transports.counts.connections == 1
        await asyncio.sleep(3)
        assert bob.transports.counts.connections == 0
        assert loop.time() == 22

    _, bob = play(Network(), scene)
    assert bob.transports.counts.overdue == 1


def test_connections_beyond_the_limit_of_one_address_are_refused() -> None:
    limits = StreamLimits(per_address=1)

    async def scene(ann: Host, bob: Host) -> None:
        await bob.transports.open("TCP", BOB, 5070)
        ann.send(options("1"), BOB, "TCP")
        await asyncio.sleep(1)
        ann.send(options("2"), BOB, "TCP", 5070)
        await asyncio.sleep(1)

    ann, bob = play(Network(), scene, limits)
    assert calls(bob) == ["1"]
    assert bob.transports.counts.refused == 1
    assert [why for _, _, why in ann.failures] == ["Connection reset by peer"]


def test_a_stream_tells_its_addresses_and_ends_once() -> None:
    network = Network()

    async def scene(ann: Host, bob: Host) -> None:
        flow = ann.send(options(), BOB, "TCP")
        await asyncio.sleep(1)
        connection = ann.transports._transports["TCP"]._connections[flow.connection]  # type: ignore[attr-defined]
        stream = connection._transport
        assert stream.get_extra_info("peername") == (BOB, 5060)
        assert stream.get_extra_info("sockname")[0] == ANN
        assert stream.get_extra_info("cipher", "none") == "none"
        assert not stream.is_closing()
        for _ in range(2):
            stream.write_eof()
        await asyncio.sleep(1)
        assert bob.transports.counts.connections == 0
        for end in (stream.close, stream.abort, stream.reset):
            end()
        assert stream.is_closing()
        stream.write(b"nothing")
        await asyncio.sleep(1)
        assert ann.transports.counts.connections == 0
        assert ann.failures == bob.failures == []

    play(network, scene)
    assert [passed.octets for passed in network.log] == [options()]


def test_a_refusal_that_comes_too_late_is_not_told_again() -> None:
    async def scene(ann: Host, bob: Host) -> None:
        ann.send(options(), BOB, "TCP", 5099)
        await asyncio.sleep(20)

    ann, _ = play(Network(delay=3.0), scene)
    assert [(moment, why) for moment, _, why in ann.failures] == [(5.0, "Connection timed out")]


def test_a_fatal_fault_ends_the_stream_after_its_answer() -> None:
    async def scene(ann: Host, bob: Host) -> None:
        bob.echoes = True
        ann.send(b"garbage that is no message\r\n\r\n", BOB, "TCP")
        await asyncio.sleep(1)
        assert ann.octets != []
        assert ann.transports.counts.connections == bob.transports.counts.connections == 0

    _, bob = play(Network(), scene)
    assert isinstance(bob.heard[0][1], Malformed)


def test_a_group_reaches_its_members_and_they_answer_the_sender() -> None:
    group = "224.0.1.75"
    network = Network()

    async def scene(ann: Host, bob: Host) -> None:
        eve = Host(network, EVE)
        await eve.transports.open("UDP", group, 5060)
        await bob.transports.open("UDP", group, 5060)
        ann.send(options("all"), group)
        await asyncio.sleep(1)
        assert (calls(ann), calls(bob), calls(eve)) == ([], ["all"], ["all"])
        bob.send(options("back"), group)
        eve.transports.send(options("alone"), eve.heard[0][2])
        await asyncio.sleep(1)
        assert (calls(ann), calls(eve)) == (["back", "alone"], ["all", "back"])
        await eve.transports.close()

    play(network, scene)
    assert network.ears == {}


def test_keepalives_are_ignored() -> None:
    async def scene(ann: Host, bob: Host) -> None:
        ann.send(b"\r\n\r\n", BOB)
        await asyncio.sleep(1)
        assert bob.transports.counts.keepalives == 1

    assert play(Network(), scene)[1].heard == []


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_addresses_are_the_host_s_own_and_taken_once(transport: str) -> None:
    async def scene(ann: Host, bob: Host) -> None:
        with pytest.raises(OSError, match=f"in use: {transport} {ANN}:5060") as caught:
            await ann.transports.open(transport, ANN, 5060)
        assert caught.value.errno == errno.EADDRINUSE
        with pytest.raises(OSError, match=f"{transport} {BOB}:5060") as caught:
            await ann.transports.open(transport, BOB, 5060)
        assert caught.value.errno == errno.EADDRNOTAVAIL
        first, second = [await ann.transports.open(transport, "0.0.0.0", 0) for _ in range(2)]
        assert first.port != second.port

    play(Network(), scene)


def test_ipv6_hosts_have_flows_like_those_of_sockets() -> None:
    network = Network()

    async def main() -> None:
        ann, bob = Host(network, "2001:db8::1"), Host(network, "2001:db8::2")
        for transport in ("UDP", "TCP"):
            for host in (ann, bob):
                await host.transports.open(transport, host.address, 5060)
            ann.send(options(transport), "2001:DB8::2", transport)
            await asyncio.sleep(1)
        assert calls(bob) == ["UDP", "TCP"]
        assert bob.heard[0][2].remote == ("2001:db8::1", 5060, 0, 0)
        assert bob.heard[1][2].remote[2:] == (0, 0)
        assert ann.transports.flow_to(Target("UDP", "10.0.0.1", 5060)) is None
        for host in (ann, bob):
            await host.transports.close()

    run(main())


def test_one_address_is_one_host() -> None:
    network = Network()
    Host(network, ANN)
    with pytest.raises(ValueError, match="another host"):
        Host(network, ANN)


def test_a_late_icmp_error_of_a_closed_host_is_told_nobody() -> None:
    network = Network(reports_unreachable=True)

    async def scene(ann: Host, bob: Host) -> None:
        ann.send(options(), EVE)
        await ann.transports.close()
        await asyncio.sleep(1)

    ann, _ = play(network, scene)
    assert ann.failures == []
