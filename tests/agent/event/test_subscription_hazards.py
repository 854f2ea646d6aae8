"""What a hostile peer writes into SUBSCRIBE, NOTIFY and their answers is refused or passed over; nothing is raised, nothing is left."""

from __future__ import annotations

import asyncio

import pytest

from ringback import Request, Response, UserAgent
from ringback.agent.event.event_package import EventPackage
from ringback.message.derive import response_to
from tests.agent.stage import Stage, on_stage
from tests.agent.watching import PIDF, Attempt, notified, notify, subscribed
from tests.server.party import Party

NASTY = (
    "",
    ";",
    ",",
    "\x00",
    "\x7f\udcff",
    '"',
    "presence;id",
    'presence;id="a\\\x00b"',
    "presence;id=\udce4",
    "presence;;id=1",
    "active;expires=99999999999999999999",
    "active;expires=4294967295",
    "active;expires=٣",
    "active;expires=-1",
    "terminated;retry-after=1e9;reason",
    'terminated;reason="\x00"',
    "*",
    "*/*;q=2",
    "<sip:x@[::1>",
    "<tel:1>",
    "sip:%",
    "<sip:a@b?Event=x>;expires=1",
    "a" * 5000,
)
FIELDS = (
    "Event",
    "Subscription-State",
    "Accept",
    "Expires",
    "Contact",
    "Content-Type",
    "Record-Route",
    "From",
    "To",
    "Min-Expires",
    "Retry-After",
)


def poisoned(message: Request | Response, field: str, value: str) -> bytes:
    """The message with this value of a field, whatever it is."""
    head, _, body = message.to_bytes().partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(field.lower().encode() + b":")]
    return b"\r\n".join([*lines, f"{field}: {value}".encode("utf-8", "surrogateescape")]) + b"\r\n\r\n" + body


@pytest.mark.parametrize("field", FIELDS)
def test_a_subscribe_is_refused_or_served(field: str) -> None:
    answers: set[int] = set()

    async def scenario(stage: Stage) -> None:
        bob = await stage.agent("bob")
        notifier = bob.serve_event(EventPackage("presence", PIDF, state=b"x"))
        alice = await stage.party("alice", "bob")
        for number, value in enumerate(NASTY):
            request = alice.request("SUBSCRIBE", stage.uri("bob"), call_id=f"c{number}", extra="Event: presence\nExpires: 60\nAccept: */*")
            alice.send(poisoned(request, field, value))
        await asyncio.sleep(100)
        assert notifier.subscriptions == []
        answers.update(heard.message.status for heard in alice.heard if isinstance(heard.message, Response))

    on_stage(scenario)
    assert answers <= {200, 400, 406, 423, 481, 489}
    assert answers & {400, 489} or field not in ("Event", "Accept", "Contact", "From", "To")


@pytest.mark.parametrize("field", FIELDS)
def test_a_notify_is_refused_or_taken(field: str) -> None:
    answers: set[int] = set()

    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob, expires=100, accept=[PIDF], resumes=False, forks="all")
        subscribe = await bob.hears("SUBSCRIBE")
        bob.reply(subscribe, 200)
        await notified(bob, subscribe, "active;expires=60")
        for number, value in enumerate(NASTY, 2):
            for tag, cseq in (("bob-tag", number), (f"fork{number}", 1)):
                request = notify(bob, subscribe, "active;expires=60", tag=tag, cseq=cseq, body="x", is_sent=False)
                bob.send(poisoned(request, field, value))
        await asyncio.sleep(200)
        await attempt.task
        answers.update(heard.message.status for heard in bob.heard if isinstance(heard.message, Response))
        assert attempt.subscription.reason is not None

    subscribed(scenario)
    assert answers <= {200, 400, 415, 481, 489, 500}
    assert answers & {400, 481} or field in ("Accept", "Expires", "Min-Expires", "Retry-After")


@pytest.mark.parametrize("status", [200, 423, 481, 500])
@pytest.mark.parametrize("field", FIELDS)
def test_an_answer_to_a_refresh_is_taken_for_what_it_is(field: str, status: int) -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempts = [Attempt(alice, bob, expires=100, resumes=False) for _ in NASTY]
        for attempt, value in zip(attempts, NASTY, strict=True):
            subscribe = await bob.hears("SUBSCRIBE")
            bob.send(poisoned(response_to(subscribe, status, tag="bob-tag"), field, value))
            notify(bob, subscribe, "active;expires=60")
            assert attempt.subscription.failure is None
        await asyncio.sleep(1)
        bob.kinds()
        await asyncio.sleep(29.5)
        for heard in list(bob.heard):
            if isinstance(heard.message, Request) and heard.message.to_tag is not None:
                bob.send(poisoned(response_to(heard.message, status), field, NASTY[len(bob.heard) % len(NASTY)]))
        await asyncio.sleep(200)
        await asyncio.gather(*[attempt.task for attempt in attempts], return_exceptions=True)
        assert all(attempt.subscription.reason is not None for attempt in attempts)

    subscribed(scenario)
