"""What tests of routing decisions have in common."""

from __future__ import annotations

from ringback.server.proxy.routing import Decision
from tests.server.party import House, Party


def decide(house: House, decision: Decision) -> None:
    """Has every request of this house follow a decision."""
    house.server.core.determination.route = lambda request: decision


async def refuses(party: Party, status: int, method: str = "INVITE") -> None:
    """A party hears a request and refuses it."""
    request = await party.hears(method)
    party.reply(request, status)
    if method == "INVITE":
        await party.hears("ACK")


async def answers(party: Party, method: str = "INVITE") -> None:
    """A party hears a request and accepts it."""
    party.reply(await party.hears(method), 200)
