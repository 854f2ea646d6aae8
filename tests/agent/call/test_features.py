"""Feature tags behind the Contacts of one call (RFC 3840 §7, RFC 4579 §4.2)."""

from __future__ import annotations

import asyncio

import pytest

from ringback import IncomingCall, Request, Response
from tests.agent.stage import Stage, on_stage

FOCUS = {"isfocus": None, "+sip.rendering": "no"}


def shown(stage: Stage) -> list[tuple[str, bool]]:
    """Every message with a Contact, and whether it shows that its sender is a focus."""
    found = []
    for message in stage.messages():
        kind = message.method if isinstance(message, Request) else f"{message.status} {message.cseq.method}"
        if isinstance(message, Request | Response) and message.contacts:
            tags = {name: value for name, value in message.contact.params.items() if name in FOCUS}
            assert tags in ({}, {"isfocus": None, "+sip.rendering": '"no"'})
            found.append((kind, bool(tags)))
    return found


def test_the_caller_shows_them_from_the_invite_on() -> None:
    async def answers(call: IncomingCall) -> None:
        await call.ring()
        await call.answer()
        await call.modify(None, method="UPDATE")
        await call.ended()

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=answers)
        call = alice.call(stage.uri("bob"))
        call.show_features(FOCUS)
        async with call:
            await asyncio.sleep(1)
            await call.modify(None)

    stage = on_stage(scenario)
    assert shown(stage) == [
        ("INVITE", True),
        ("180 INVITE", False),
        ("200 INVITE", False),
        ("UPDATE", False),
        ("200 UPDATE", True),
        ("INVITE", True),
        ("200 INVITE", False),
    ]


def test_the_callee_shows_them_from_when_it_says_so() -> None:
    async def becomes_a_focus(call: IncomingCall) -> None:
        await call.ring()
        call.show_features(FOCUS)
        await call.answer()
        await call.modify(None)
        call.show_features({})
        await call.modify(None, method="UPDATE")

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=becomes_a_focus)
        await (await alice.call(stage.uri("bob"))).ended()

    stage = on_stage(scenario)
    assert [is_shown for kind, is_shown in shown(stage) if kind != "200 UPDATE"] == [False, False, True, True, False, False]


def test_a_redirected_call_shows_them_and_an_anonymous_one_does_not() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        bob, carol = await stage.party("bob", "alice"), await stage.party("carol", "alice")
        for anonymous in (False, True):
            call = alice.call(bob.uri, anonymous=anonymous)
            call.show_features(FOCUS)
            await call.place()
            bob.reply(await bob.hears("INVITE"), 302, extra=f"Contact: <{carol.uri}>")
            await bob.hears("ACK")
            carol.reply(await carol.hears("INVITE"), 486)
            await carol.hears("ACK")

    stage = on_stage(scenario)
    assert [is_shown for kind, is_shown in shown(stage) if kind == "INVITE"] == [True, True, False, False]


def test_what_is_no_feature_tag() -> None:
    async def scenario(stage: Stage) -> None:
        call = (await stage.agent("alice")).call("sip:bob@192.0.2.2")
        for features in ({"is focus": None}, {"class": 'a"b'}, {"": None}):
            with pytest.raises(ValueError, match="no feature tag"):
                call.show_features(features)

    on_stage(scenario)
