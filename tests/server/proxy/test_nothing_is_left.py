"""What a call has made is freed when it is over, without waiting for the garbage collector (RFC 3261 §16.7 asks for no more)."""

import asyncio
import gc
from collections.abc import Awaitable, Callable

import pytest

from ringback.server.config import RelayConfig
from ringback.server.proxy.branch import Branch, Overtaken
from ringback.server.proxy.course import Course
from ringback.server.proxy.response_context import ResponseContext
from ringback.server.proxy.routing import Forward, Gateway, Location, Reject, first
from ringback.server.proxy.trail import Trail
from tests.server.party import House, Party, proxy, simulated
from tests.server.proxy.deciding import answers, decide, refuses

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
