"""The cast of RFC 3665 §3: Alice, her proxy in atlanta.example.com, Bob's proxy in biloxi.example.com, Bob."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import NamedTuple

from ringback.message.message import Request, Response
from ringback.message.parser import parse_datagram
from ringback.server.config import RelayConfig
from ringback.testing import Network, run
from ringback.trace.ladder import Arrow, draw
from tests.server.party import House, Party

ATLANTA = "atlanta.example.com"
BILOXI = "biloxi.example.com"
PROXY_1, PROXY_2, ALICE, BOB = "192.0.2.111", "192.0.2.222", "192.0.2.101", "192.0.2.201"


class Cast(NamedTuple):
    """Who takes part. Columns of the ladder are in this order."""

    network: Network
    alice: Party
    proxy_1: House
    proxy_2: House
    bob: Party

    def ladder(self) -> str:
        """What was said so far, as the RFC draws it."""
        names = {ALICE: "Alice", PROXY_1: "Proxy 1", PROXY_2: "Proxy 2", BOB: "Bob"}
        arrows = []
        for passed in self.network.log:
            message = parse_datagram(passed.octets)
            assert isinstance(message, Request | Response)
            label = message.method if isinstance(message, Request) else str(message.status)
            arrows.append(Arrow(names[passed.source[0]], names[passed.destination[0]], label))
        return draw(arrows, names.values())


@asynccontextmanager
async def cast(bob_is_here: bool = True) -> AsyncIterator[Cast]:
    """Two proxies that trust each other's domain, a phone in each."""
    network = Network(delay=0.01)
    names = {ATLANTA: [PROXY_1], BILOXI: [PROXY_2]}
    async with (
        House(network, domains=(ATLANTA,), host=PROXY_1, relay=RelayConfig(allow=[BILOXI])) as proxy_1,
        House(network, domains=(BILOXI,), host=PROXY_2, relay=RelayConfig(allow=[ATLANTA])) as proxy_2,
    ):
        proxy_1.names.update(names)
        proxy_2.names.update(names)
        alice = Party(network, "alice", ALICE, server=PROXY_1)
        bob = Party(network, "bob", BOB, server=PROXY_2)
        for party in (alice, bob):
            proxy_2.parties.append(await party.open())
        proxy_1.bind("alice", alice.uri, domain=ATLANTA)
        if bob_is_here:
            proxy_2.bind("bob", bob.uri, domain=BILOXI)
        yield Cast(network, alice, proxy_1, proxy_2, bob)


def flow(scenario: Callable[[Cast], Coroutine[None, None, None]]) -> str:
    """Plays a scenario; gives its ladder, nothing more being said afterwards."""

    async def play() -> str:
        async with cast() as players:
            await scenario(players)
        return players.ladder()

    return run(play())


def same(ladder: str, figure: str) -> bool:
    """Whether a ladder is the figure, whose indentation does not count."""
    lines = [line.strip(" ") for line in figure.strip("\n ").split("\n")]
    return [line.strip(" ") for line in ladder.strip("\n ").split("\n")] == lines
