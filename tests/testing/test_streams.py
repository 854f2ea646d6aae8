"""TLS on the simulated network: like TCP, but a peer that speaks something else is no peer, and each domain has a connection of its own."""

from __future__ import annotations

import asyncio

from ringback.address import Target
from ringback.message.limits import MessageLimits
from ringback.testing import Network, run
from tests.testing.test_network import ANN, BOB, Host, calls
from tests.transport.party import options


async def hosts(network: Network, *transports: str) -> tuple[Host, Host]:
    """Ann speaks TLS; Bob listens on port 5061 by each of the transports."""
    ann, bob = Host(network, ANN), Host(network, BOB)
    await ann.transports.open("TLS", ANN, 5061)
    for transport in transports:
        await bob.transports.open(transport, BOB, 5061)
    return ann, bob


def test_tls_carries_messages_both_ways_and_is_called_so_in_the_log() -> None:
    network = Network()

    async def scene() -> None:
        ann, bob = await hosts(network, "TLS")
        bob.echoes = True
        ann.send(options("1"), BOB, "TLS", 5061)
        await asyncio.sleep(1)
        assert (calls(bob), calls(ann)) == (["1"], ["1"])
        assert {passed.transport for passed in network.log} == {"TLS"}

    run(scene())


def test_tls_to_a_port_that_speaks_tcp_fails_at_once() -> None:
    async def scene() -> None:
        ann, bob = await hosts(Network(delay=0.25), "TCP")
        ann.send(options("1"), BOB, "TLS", 5061)
        await asyncio.sleep(1)
        assert [(moment, reason) for moment, _, reason in ann.failures] == [(0.5, "Connection reset by peer")]
        assert bob.heard == []

    run(scene())


def test_a_connection_to_one_domain_serves_no_other_at_the_same_address() -> None:
    async def scene() -> None:
        ann, bob = await hosts(Network(), "TLS")
        targets = [Target("TLS", BOB, 5061, domain=domain) for domain in ("one.example", "two.example", "one.example", None)]
        flows = [ann.transports.flow_to(target) for target in targets]
        assert flows[0] == flows[2] == flows[3], "an address is whoever was proven to be there"
        assert len(set(flows)) == 2
        for number, flow in enumerate(flows):
            assert flow is not None
            ann.transports.send(options(str(number)), flow)
        await asyncio.sleep(1)
        assert bob.transports.counts.connections == 2

    run(scene())


def test_a_websocket_is_logged_and_drawn_as_the_sip_that_it_carries() -> None:
    network = Network()
    network.names = {ANN: "Ann", BOB: "Bob"}
    long = options("2", b"x" * 70_000)

    async def scene() -> None:
        limits = MessageLimits(message_bytes=100_000)
        ann, bob = Host(network, ANN, message_limits=limits), Host(network, BOB, message_limits=limits)
        await ann.transports.open("WS", ANN, 80)
        await bob.transports.open("WS", BOB, 80)
        bob.echoes = True
        for octets in (options("1", b"x" * 300), long):
            ann.send(octets, BOB, "WS", 80)
        await asyncio.sleep(60)
        assert calls(ann) == ["1", "2"]
        for host in (ann, bob):
            await host.transports.close()

    run(scene())
    said = [passed.octets for passed in network.log]
    assert said[0].startswith(b"GET / HTTP/1.1\r\n")
    assert said[1].startswith(b"HTTP/1.1 101 ")
    # Neither the pings of a minute of silence nor the goodbye are messages.
    assert sorted(said[2:]) == sorted([options("1", b"x" * 300), long] * 2)
    assert network.ladder().count("WebSocket") == 2
    assert network.ladder().count("OPTIONS") == 2
