"""Subscribing, with raw notifiers and with agents that serve events (RFC 6665 §4.1)."""

from __future__ import annotations

import asyncio

import pytest

from ringback import RequestRejected, Unreachable, UserAgent
from ringback.agent.event.event_package import EventPackage
from ringback.agent.event.lifetime import renewal_delay
from ringback.agent.event.subscription import MAX_UNREAD, Subscription
from ringback.message.derive import response_to
from ringback.message.errors import SipParseError
from ringback.message.fields.event import Event
from tests.agent.stage import Stage, on_stage
from tests.agent.watching import PIDF, TIMER_N, Attempt, notified, read, subscribed
from tests.server.party import Party


def test_a_subscription_is_asked_for_read_and_left() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob, accept=[PIDF, "text/plain"], headers=[("Subject", "x")], expires=600)
        subscribe = await attempt.begun(body="closed")
        assert (subscribe.headers.text("Event"), subscribe.expires) == ("presence", 600)
        assert subscribe.headers.texts("Accept") == [PIDF, "text/plain"]
        assert subscribe.headers.text("Subject") == "x"
        assert "NOTIFY" in subscribe.headers.texts("Allow")
        subscription = attempt.subscription
        assert (subscription.state, subscription.reason) == ("active", None)
        notification = await anext(subscription)
        assert (notification.state, notification.body, notification.content_type) == ("active", b"closed", PIDF)
        assert notification.headers.text("Event") == "presence"
        assert notification.expires == 3600
        await attempt.left()
        assert await read(subscription) == ["terminated"]
        assert (subscription.reason, subscription.state) == ("timeout", "terminated")

    subscribed(scenario)


@pytest.mark.parametrize("status", [403, 404, 489, 500, 603])
def test_a_refusal_is_an_exception(status: int) -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob)
        subscribe = await bob.hears("SUBSCRIBE")
        bob.reply(subscribe, status)
        with pytest.raises(RequestRejected) as raised:
            await attempt.task
        assert raised.value.status == status
        assert attempt.subscription.failure is raised.value
        await notified(bob, subscribe, "active", status=481)

    subscribed(scenario)


def test_where_no_way_leads_nothing_is_subscribed_to() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        with pytest.raises(Unreachable):
            await alice.subscribe("sip:bob@[2001:db8::1]", "presence")

    on_stage(scenario)


def test_an_interval_that_is_too_brief_is_asked_for_longer() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob, expires=60)
        first = await bob.hears("SUBSCRIBE")
        bob.reply(first, 423, extra="Min-Expires: 120")
        second = await bob.hears("SUBSCRIBE")
        assert second.expires == 120
        bob.reply(second, 200, extra="Expires: 120")
        await notified(bob, second, "active;expires=120")
        await attempt.task
        refresh = await bob.hears("SUBSCRIBE")
        bob.reply(refresh, 423, extra="Min-Expires: 600")
        longer = await bob.hears("SUBSCRIBE")
        assert (longer.expires, longer.call_id, longer.cseq.number) == (600, refresh.call_id, refresh.cseq.number + 1)
        bob.reply(longer, 200, extra="Expires: 600")
        await notified(bob, longer, "active;expires=600", cseq=2)
        await attempt.left()

    subscribed(scenario)


@pytest.mark.parametrize("extra", ["", "Min-Expires: 60", "Min-Expires: soon"])
def test_a_423_without_a_longer_interval_is_a_refusal(extra: str) -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob, expires=60)
        bob.reply(await bob.hears("SUBSCRIBE"), 423, extra=extra)
        with pytest.raises(RequestRejected, match="423"):
            await attempt.task

    subscribed(scenario)


def test_an_interval_that_grows_for_ever_is_given_up() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob, expires=60)
        for number in range(4):
            bob.reply(await bob.hears("SUBSCRIBE"), 423, extra=f"Min-Expires: {100 + number}")
        with pytest.raises(RequestRejected, match="423"):
            await attempt.task

    subscribed(scenario)


@pytest.mark.parametrize(
    ("state", "reason", "retry_after"),
    [
        ("terminated;reason=timeout", "timeout", None),
        ("terminated;reason=rejected", "rejected", None),
        ("terminated;reason=NoResource;expires=5", "noresource", None),
        ("terminated;reason=probation;retry-after=60", "probation", 60),
        ("terminated;reason=giveup;retry-after=10", "giveup", 10),
        ("Terminated", "terminated", None),
    ],
)
def test_the_notifier_ends_it_and_says_why(state: str, reason: str, retry_after: int | None) -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob)
        subscribe = await attempt.begun()
        await notified(bob, subscribe, state, cseq=2, body="last")
        assert await read(attempt.subscription) == ["active", "terminated"]
        subscription = attempt.subscription
        assert (subscription.reason, subscription.retry_after, subscription.failure) == (reason, retry_after, None)
        assert len(alice.core.dialogs) == 0
        await notified(bob, subscribe, "active", status=481, cseq=3)
        await subscription.unsubscribe()
        await bob.hears_nothing()

    subscribed(scenario)


def test_what_the_notifier_gives_away_is_begun_anew_but_not_again_and_again() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob)
        subscribe = await attempt.begun()
        await asyncio.sleep(TIMER_N)
        await notified(bob, subscribe, "terminated;reason=deactivated", cseq=2)
        second = await bob.hears("SUBSCRIBE", 0.1)
        assert second.call_id != subscribe.call_id
        bob.reply(second, 200)
        await notified(bob, second, "terminated;reason=deactivated", tag="other")
        await bob.hears_nothing(TIMER_N - 1)
        third = await bob.hears("SUBSCRIBE", 2)
        bob.reply(third, 200)
        await notified(bob, third, "active", tag="third")
        assert [(await anext(attempt.subscription)).state for _ in range(4)] == ["active", "terminated", "terminated", "active"]
        await attempt.left()

    subscribed(scenario)


def test_who_leaves_while_it_waits_to_begin_anew_leaves() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob)
        await attempt.begun("terminated;reason=deactivated")
        assert attempt.subscription.state == "neutral"
        await attempt.subscription.unsubscribe()
        assert await read(attempt.subscription) == ["terminated"]
        assert attempt.subscription.reason == "left"
        await bob.hears_nothing(TIMER_N)

    subscribed(scenario)


def test_expires_0_fetches_the_state_once() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob, expires=0)
        subscribe = await bob.hears("SUBSCRIBE")
        assert subscribe.expires == 0
        bob.reply(subscribe, 200, extra="Expires: 0")
        await notified(bob, subscribe, "terminated;reason=timeout", body="closed")
        notifications = [notification async for notification in await attempt.task]
        assert [notification.body for notification in notifications] == [b"closed"]
        assert attempt.subscription.reason == "timeout"

    subscribed(scenario)


def test_what_is_not_read_is_refused_in_the_end() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob)
        subscribe = await attempt.begun()
        for number in range(1, MAX_UNREAD):
            await notified(bob, subscribe, "active", cseq=number + 1)
        refusal = await notified(bob, subscribe, "active", status=500, cseq=500)
        assert refusal.headers.text("Retry-After") == "5"
        await anext(attempt.subscription)
        await notified(bob, subscribe, "active", cseq=501)
        await attempt.left(cseq=502)

    subscribed(scenario)


def test_the_end_of_the_block_unsubscribes_and_a_last_state_can_be_read() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        bob = await stage.agent("bob")
        notifier = bob.serve_event(EventPackage("presence", PIDF, state=b"closed"))
        bodies = []
        async with alice.subscribe(stage.uri("bob"), "presence", accept=[PIDF]) as subscription:
            async for notification in subscription:
                bodies.append(notification.body)
                if len(bodies) == 2:
                    break
                notifier.notify(b"open")
        assert bodies == [b"closed", b"open"]
        assert notifier.subscriptions == []
        assert subscription.reason == "timeout"

    stage = on_stage(scenario)
    ladder = stage.said()
    assert ladder == ["SUBSCRIBE", "200 SUBSCRIBE", "NOTIFY", "200 NOTIFY", "NOTIFY", "200 NOTIFY", *ladder[:4]]


def test_who_stops_waiting_for_it_wants_it_no_more() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob)
        subscribe = await bob.hears("SUBSCRIBE")
        attempt.task.cancel()
        await asyncio.sleep(0)
        bob.reply(subscribe, 200)
        await notified(bob, subscribe, "active", status=481)
        assert attempt.subscription.reason == "left"

    subscribed(scenario)


def test_an_agent_that_closes_unsubscribes() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        bob = await stage.party("bob", "alice")
        attempt = Attempt(alice, bob)
        await attempt.begun()
        waiting = Attempt(alice, bob)
        second = await bob.hears("SUBSCRIBE")
        bob.reply(second, 200)
        closing = asyncio.ensure_future(alice.close())
        last = await bob.hears("SUBSCRIBE")
        assert last.expires == 0
        bob.reply(last, 200)
        await notified(bob, last, "terminated;reason=timeout", cseq=2)
        await closing
        assert (await waiting.task).reason == "left"
        assert asyncio.get_running_loop().time() < 1
        del stage.agents["alice"]

    on_stage(scenario)


def test_a_challenge_is_answered() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice", "sip:alice@192.0.2.2", password="secret")
        bob = await stage.party("bob", "alice")
        attempt = Attempt(alice, bob)
        first = await bob.hears("SUBSCRIBE")
        bob.reply(first, 401, extra='WWW-Authenticate: Digest realm="x", nonce="n", algorithm=MD5')
        subscribe = await attempt.begun()
        assert "Authorization" in subscribe.headers
        assert (subscribe.cseq.number, subscribe.from_tag) == (first.cseq.number + 1, first.from_tag)
        attempt.subscription.refresh()
        refresh = await bob.hears("SUBSCRIBE")
        assert refresh.cseq.number == subscribe.cseq.number + 1
        bob.reply(refresh, 200, extra="Expires: 3600")
        await notified(bob, refresh, "active", cseq=2)
        await attempt.left()

    on_stage(scenario)


def test_a_subscribe_may_have_a_body_and_leave_the_time_to_the_notifier() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        subscription = Subscription(alice.core, bob.uri, Event("presence"), expires=None, body=b"<filter/>", content_type="text/xml")
        subscription.subscribe()
        subscription.subscribe()
        subscribe = await bob.hears("SUBSCRIBE")
        assert (subscribe.expires, subscribe.body, subscribe.content_type.essence) == (None, b"<filter/>", "text/xml")
        bob.reply(subscribe, 100)
        bob.reply(subscribe, 200, extra="Expires: 600")
        await notified(bob, subscribe, "active")
        await bob.hears_nothing(renewal_delay(600, 0.5) - 1)
        refresh = await bob.hears("SUBSCRIBE", 2)
        bob.reply(refresh, 200, extra="Expires: 600")
        await notified(bob, refresh, "active", cseq=2)
        leaving = asyncio.ensure_future(subscription.unsubscribe())
        bob.reply(await bob.hears("SUBSCRIBE"), 481)
        await leaving

    subscribed(scenario)


def test_what_is_no_uri_cannot_be_subscribed_to() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        with pytest.raises(Unreachable, match="no way leads to bob"):
            await alice.subscribe("bob", "presence")
        with pytest.raises(SipParseError):
            alice.subscribe(bob.uri, "pre sence")
        assert alice.core.standing == set()

    subscribed(scenario)


def test_a_refusal_that_comes_after_the_program_left_is_nobodys() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob)
        subscribe = await bob.hears("SUBSCRIBE")
        attempt.task.cancel()
        await asyncio.sleep(0)
        bob.reply(subscribe, 403)
        await asyncio.sleep(1)
        assert (attempt.subscription.reason, attempt.subscription.failure) == ("left", None)

    subscribed(scenario)


def test_a_2xx_whose_to_is_malformed_confirms_what_a_notify_established() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob)
        subscribe = await bob.hears("SUBSCRIBE")
        await notified(bob, subscribe, "active")
        response = response_to(subscribe, 200)
        response.headers.set("To", "<sip:bob@192.0.2.2>;tag=;;")
        bob.send(response)
        await attempt.task
        await attempt.left()

    subscribed(scenario)


def test_two_read_one_subscription() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob)
        subscribe = await attempt.begun()
        readers = [asyncio.ensure_future(read(attempt.subscription)) for _ in range(2)]
        await asyncio.sleep(1)
        await notified(bob, subscribe, "terminated", cseq=2)
        assert await asyncio.gather(*readers) == [["active", "terminated"], []]

    subscribed(scenario)
