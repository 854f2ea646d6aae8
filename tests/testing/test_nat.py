"""A NAT on a simulated network: who is behind it is reached only where, and as long as, he has sent (RFC 4787)."""

import asyncio
from collections.abc import Awaitable, Callable

from ringback.address import Flow, Target
from ringback.message.message import Request, Response
from ringback.message.parser import Malformed
from ringback.testing import Network, run
from ringback.transport.transports import Transports

INSIDE, OUTSIDE, SERVER, OTHER = "10.0.0.1", "203.0.113.1", "192.0.2.1", "192.0.2.2"


class Host:
    """Somebody who hears."""

    def __init__(self, network: Network, *addresses: str) -> None:
        self.address = addresses[0]
        self.heard: list[tuple[str, tuple[str, int]]] = []
        self.flows: list[Flow] = []
        self.transports: Transports = network.host(
            addresses[0], self._received, lambda *_: None, also=addresses[1:], batch_ended=lambda: None
        )

    def _received(self, message: Request | Response | Malformed, data: bytes, flow: Flow) -> None:
        self.heard.append((data.decode().split(" ")[1], (flow.host, flow.port)))
        self.flows.append(flow)

    async def open(self, *kinds: str) -> "Host":
        for kind in kinds or ("UDP",):
            await self.transports.open(kind, self.address, 5060)
        return self

    async def say(self, user: str, to: tuple[str, int] | Flow, kind: str = "UDP") -> None:
        flow = to if isinstance(to, Flow) else self.transports.flow_to(Target(kind, *to))
        assert flow is not None
        lines = [
            f"OPTIONS sip:{user} SIP/2.0",
            f"Via: SIP/2.0/{kind} h;branch=z9hG4bKx",
            "From: <sip:a@h>;tag=a",
            "To: <sip:b@h>",
            "Call-ID: c",
            "CSeq: 1 OPTIONS",
            "Content-Length: 0\r\n\r\n",
        ]
        self.transports.send("\r\n".join(lines).encode(), flow)
        await asyncio.sleep(0.01)


def in_simulated_time(test: Callable[[Network], Awaitable[None]]) -> Callable[[], None]:
    def run_it() -> None:
        run(test(Network()))  # type: ignore[arg-type]  # it is a coroutine

    return run_it


@in_simulated_time
async def test_who_is_behind_it_is_seen_at_its_address_and_answered_there(network: Network) -> None:
    network.nat(OUTSIDE, [INSIDE])
    phone, server = await Host(network, INSIDE).open(), await Host(network, SERVER).open()
    await phone.say("out", (SERVER, 5060))
    assert server.heard == [("sip:out", (OUTSIDE, 40_001))]
    await server.say("back", server.flows[0])
    assert phone.heard == [("sip:back", (SERVER, 5060))]
    # The log names who has said it to whom.
    assert [(one.source[0], one.destination[0]) for one in network.log] == [(INSIDE, SERVER), (SERVER, INSIDE)]


@in_simulated_time
async def test_a_way_through_closes_unless_something_comes_from_within(network: Network) -> None:
    network.nat(OUTSIDE, [INSIDE], timeout=30)
    phone, server = await Host(network, INSIDE).open(), await Host(network, SERVER).open()
    await phone.say("first", (SERVER, 5060))
    for _ in range(3):
        await asyncio.sleep(20)
        await server.say("still", server.flows[0])
    assert len(phone.heard) == 1 and len(network.lost) == 2
    await phone.say("again", (SERVER, 5060))
    assert server.heard[-1] == ("sip:again", (OUTSIDE, 40_002))
    for _ in range(3):
        await asyncio.sleep(20)
        await phone.say("alive", (SERVER, 5060))
    assert server.heard[-1] == ("sip:alive", (OUTSIDE, 40_002))


@in_simulated_time
async def test_only_who_was_sent_something_gets_in(network: Network) -> None:
    network.nat(OUTSIDE, [INSIDE])
    phone, server, other = await Host(network, INSIDE).open(), await Host(network, SERVER).open(), await Host(network, OTHER).open()
    await phone.say("out", (SERVER, 5060))
    await other.say("in", (OUTSIDE, 40_001))
    await other.say("in", (INSIDE, 5060))
    await server.say("in", (OUTSIDE, 40_009))
    assert phone.heard == []
    await phone.say("out", (OTHER, 5060))
    # The same port for both, unless the NAT is symmetric.
    assert other.heard == [("sip:out", (OUTSIDE, 40_001))]
    await other.say("in", (OUTSIDE, 40_001))
    assert phone.heard == [("sip:in", (OTHER, 5060))]


@in_simulated_time
async def test_a_symmetric_nat_shows_each_peer_another_port(network: Network) -> None:
    network.nat(OUTSIDE, [INSIDE], is_symmetric=True)
    phone, server, other = await Host(network, INSIDE).open(), await Host(network, SERVER).open(), await Host(network, OTHER).open()
    await phone.say("out", (SERVER, 5060))
    await phone.say("out", (OTHER, 5060))
    assert (server.heard[0][1][1], other.heard[0][1][1]) == (40_001, 40_002)


@in_simulated_time
async def test_a_nat_that_is_started_again_knows_nobody(network: Network) -> None:
    nat = network.nat(OUTSIDE, [INSIDE])
    phone, server = await Host(network, INSIDE).open(), await Host(network, SERVER).open()
    await phone.say("out", (SERVER, 5060))
    nat.forget()
    await server.say("back", server.flows[0])
    assert phone.heard == []
    await phone.say("out", (SERVER, 5060))
    assert server.heard[-1][1] == (OUTSIDE, 40_002)


@in_simulated_time
async def test_neighbours_behind_it_meet_directly_and_through_its_outside(network: Network) -> None:
    network.nat(OUTSIDE, [INSIDE, "10.0.0.2"])
    phone, neighbour = await Host(network, INSIDE).open(), await Host(network, "10.0.0.2").open()
    await phone.say("hello", ("10.0.0.2", 5060))
    assert neighbour.heard == [("sip:hello", (INSIDE, 5060))]


@in_simulated_time
async def test_connections_pass_from_within_alone(network: Network) -> None:
    network.nat(OUTSIDE, [INSIDE])
    phone, server = await Host(network, INSIDE).open("TCP"), await Host(network, SERVER).open("TCP")
    await phone.say("out", (SERVER, 5060), "TCP")
    assert server.heard == [("sip:out", (OUTSIDE, 40_001))]
    await server.say("back", server.flows[0], "TCP")
    assert [text for text, _ in phone.heard] == ["sip:back"]
    for address in (INSIDE, OUTSIDE):
        await server.say("in", (address, 5060), "TCP")
    assert len(phone.heard) == 1
    for host in (phone, server):
        await host.transports.close()


@in_simulated_time
async def test_a_host_may_have_an_address_of_each_family(network: Network) -> None:
    server = Host(network, SERVER, "2001:db8::1")
    for kind in ("UDP", "TCP"):
        await server.transports.open(kind, SERVER, 5060)
        await server.transports.open(kind, "2001:db8::1", 5060)
    old, new = await Host(network, OTHER).open("UDP", "TCP"), await Host(network, "2001:db8::2").open("UDP", "TCP")
    for kind in ("UDP", "TCP"):
        await old.say("v4", (SERVER, 5060), kind)
        await new.say("v6", ("2001:db8::1", 5060), kind)
        for flow in server.flows[-2:]:
            await server.say("back", flow, kind)
    assert [text for text, _ in server.heard] == ["sip:v4", "sip:v6"] * 2
    assert [text for text, _ in (*old.heard, *new.heard)] == ["sip:back"] * 4
    assert {place[0] for _, place in new.heard} == {"2001:db8::1"}
    for host in (old, new, server):
        await host.transports.close()
