"""Two agents that do whatever they like at whatever moment, over a network that loses, repeats and reorders: both end up of one mind."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from ringback import CallEnded, CallFailed, IncomingCall, OutgoingCall, RequestRejected
from ringback.agent.call import modification
from tests.flows.races import LOST, WAY, play

# What may be said to a request in a call: out of order (§12.2.2) or not the moment (§14.2), for longer than is waited; the end of the call.
_REFUSALS = (481, 491, 500)

Verb = Callable[["OutgoingCall | IncomingCall"], Awaitable[object]]


async def _update(call: OutgoingCall | IncomingCall) -> None:
    for session in [call.standing()] if call.is_answered else call.early_sessions:
        await call.modify(session.negotiation.hold(), method="UPDATE")


_VERBS: tuple[Verb, ...] = (
    lambda call: call.hold(),
    lambda call: call.resume(),
    lambda call: call.modify(None),
    lambda call: call.modify(None, method="UPDATE"),
    _update,
    lambda call: call.send_digits("1"),
    lambda call: call.send_request("OPTIONS"),
)


async def whatever(call: OutgoingCall | IncomingCall, chance: random.Random) -> None:
    """Up to six verbs, at random moments, several at a time; then perhaps a hang-up."""
    under_way: list[asyncio.Task[None]] = []
    for _ in range(chance.randrange(6)):
        await asyncio.sleep(chance.choice((0, 0, 0.05, 0.1, 0.4, 2)))
        under_way.append(asyncio.ensure_future(_tried(chance.choice(_VERBS), call)))
    if chance.random() < 0.5:
        await asyncio.sleep(chance.uniform(0, 3))
        await call.hang_up()
    await asyncio.gather(*under_way)


async def _tried(verb: Verb, call: OutgoingCall | IncomingCall) -> None:
    try:
        await verb(call)
    except (CallEnded, RuntimeError):
        # Too late, or too early.
        return
    except RequestRejected as error:
        if error.status not in _REFUSALS:
            raise


@pytest.mark.parametrize("number", range(40))
def test_whatever_two_agents_do_both_know_in_the_end_where_they_are(seed: int, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(f"{seed}/{number}")
    monkeypatch.setattr(modification, "_chance", chance.random)

    def weather() -> tuple[float, ...]:
        if chance.random() < 0.12:
            return LOST
        times = 2 if chance.random() < 0.1 else 1
        return tuple(WAY * (chance.uniform(1, 10) if chance.random() < 0.2 else 1) for _ in range(times))

    async def alice(call: OutgoingCall) -> None:
        await call.place()
        answered = asyncio.ensure_future(call.answered())
        if chance.random() < 0.3:
            # One more offer, in the PRACK (RFC 3262 §5).
            call.reoffer = lambda _: next(iter(call.sessions.values())).negotiation.hold()
        for _ in range(chance.randrange(3)):
            await asyncio.wait([asyncio.ensure_future(_tried(_update, call))], timeout=chance.uniform(0, 1))
        if chance.random() < 0.3:
            await asyncio.wait([answered], timeout=chance.uniform(0, 4))
            call.cancel()
        try:
            await answered
        except CallFailed:
            return
        await whatever(call, chance)

    async def bob(call: IncomingCall) -> None:
        if chance.random() < 0.8:
            await asyncio.wait([asyncio.ensure_future(_tried(lambda _: call.ring(reliable=chance.random() < 0.5), call))], timeout=2)
        if chance.random() < 0.3:
            await call.progress()
            await asyncio.wait([asyncio.ensure_future(_tried(_update, call))], timeout=chance.uniform(0, 1))
        await asyncio.sleep(chance.uniform(0, 3))
        if chance.random() < 0.1:
            await call.decline()
            return
        answering = asyncio.ensure_future(call.answer())
        if chance.random() < 0.5:
            await answering
        await whatever(call, chance)
        await answering

    race = play(alice, bob, weather=weather, offers=chance.random() < 0.7)
    assert race.said
