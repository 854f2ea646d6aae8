"""What a call has made is freed when it is over, without waiting for the garbage collector (RFC 3261 §16.7 asks for no more)."""

import asyncio
import gc
from collections.abc import Awaitable, Callable

import pytest

from ringback.message.derive import cancel_of
from ringback.message.message import Request
from ringback.server.config import RelayConfig
from ringback.server.proxy.branch import Branch, Overtaken
from ringback.server.proxy.course import Course
from ringback.server.proxy.response_context import ResponseContext
from ringback.server.proxy.routing import Forward, Gateway, Location, Reject, first
from ringback.server.proxy.stateless import Passing
from ringback.server.proxy.trail import Trail
from ringback.transaction.transaction import ServerTransaction
from tests.server.party import DOMAIN, SERVER, House, Party, proxy, simulated
from tests.server.proxy.deciding import answers, decide, refuses

NOT_KEPT = (ResponseContext, Passing, ServerTransaction, Request)
KINDS = (Branch, Course, Overtaken, ResponseContext, Trail)


def kept() -> list[object]:
    return [one for one in gc.get_objects() if isinstance(one, KINDS)]


async def answered(house: House, alice: Party, bob: Party, carol: Party) -> None:
    decide(house, Forward(bob.uri, carol.uri))
    alice.ask()
    await carol.hears("INVITE")
    await answers(bob)


async def refused_by_all(house: House, alice: Party, bob: Party, carol: Party) -> None:
    decide(house, Forward(bob.uri, else_=first(Location(), Forward(carol.uri))))
    alice.ask()
    await refuses(bob, 486)
    await refuses(carol, 404)


async def refused_at_once(house: House, alice: Party, bob: Party, carol: Party) -> None:
    decide(house, first(Gateway("none"), Location(else_=Reject(480))))
    alice.ask("MESSAGE")


async def redirected(house: House, alice: Party, bob: Party, carol: Party) -> None:
    decide(house, Forward(bob.uri))
    alice.ask("MESSAGE")
    bob.reply(await bob.hears("MESSAGE"), 302, extra=f"Contact: <{carol.uri}>")
    await answers(carol, "MESSAGE")


async def silent_then_dead(house: House, alice: Party, bob: Party, carol: Party) -> None:
    house.names["gateway.example"] = [bob.host, carol.host]
    decide(house, Forward("sip:+1@gateway.example"))
    alice.ask()
    await bob.hears("INVITE")
    await refuses(carol, 503)


async def silent_for_ever(house: House, alice: Party, bob: Party, carol: Party) -> None:
    decide(house, Forward(bob.uri, carol.uri, one_by_one=True, ring_for=10))
    alice.ask()


async def without_state(house: House, alice: Party, bob: Party, carol: Party) -> None:
    decide(house, Forward(bob.uri, stateless=True))
    invite = alice.ask()
    await bob.hears("INVITE")
    alice.send(cancel_of(invite))
    await answers(bob, "CANCEL")
    alice.ask("ACK")
    alice.ask("CANCEL", f"sip:carol@{SERVER}")


async def told_where_to(house: House, alice: Party, bob: Party, carol: Party) -> None:
    house.server.domains.turn_to({DOMAIN: "redirect"}, "stateful")
    decide(house, Forward(bob.uri))
    alice.ask("MESSAGE")
    alice.ask()
    alice.ask("CANCEL")


@pytest.mark.parametrize("call", [without_state, told_where_to])
@simulated
async def test_of_what_is_not_kept_not_even_the_request_is(call: Callable[[House, Party, Party, Party], Awaitable[None]]) -> None:
    gc.collect()
    gc.disable()
    try:
        async with House() as house:
            alice, bob, carol = await house.party("alice"), await house.party("bob"), await house.party("carol")
            before = len([one for one in gc.get_objects() if isinstance(one, NOT_KEPT)])
            await call(house, alice, bob, carol)
            await asyncio.sleep(600)
            for party in (alice, bob, carol):
                party.kinds()
                party.heard.clear()
            assert len([one for one in gc.get_objects() if isinstance(one, NOT_KEPT)]) == before
    finally:
        gc.enable()


@pytest.mark.parametrize("call", [answered, refused_by_all, refused_at_once, redirected, silent_then_dead, silent_for_ever])
@simulated
async def test_all_of_it_is_freed(call: Callable[[House, Party, Party, Party], Awaitable[None]]) -> None:
    gc.collect()
    gc.disable()
    try:
        before = len(kept())
        everything = proxy(recurse=True, history_info=True, diversion=True, send_199=True)
        async with House(proxy=everything, relay=RelayConfig(allow=["192.0.2.3"])) as house:
            alice, bob, carol = await house.party("alice"), await house.party("bob"), await house.party("carol")
            await call(house, alice, bob, carol)
            await asyncio.sleep(600)
            assert len(kept()) == before
    finally:
        gc.enable()
