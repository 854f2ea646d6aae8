"""NOTIFYs that establish a subscription, and those that nobody asked for (RFC 6665 §4.1.2.4, §4.1.4, §4.4.1)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ringback import RequestTimedOut, UserAgent
from tests.agent.watching import PIDF, TIMER_N, Attempt, notified, notify, read, subscribed
from tests.server.party import Party


def test_a_notify_may_come_before_the_200() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob)
        subscribe = await bob.hears("SUBSCRIBE")
        notify(bob, subscribe)
        ok = await bob.hears("200 NOTIFY")
        assert ok.contact is not None
        assert (await attempt.task).state == "active"
        bob.reply(subscribe, 200, extra="Expires: 3600")
        await attempt.left()

    subscribed(scenario)


@pytest.mark.parametrize("status", [200, 202, 204])
def test_every_2xx_is_a_200_and_establishes_nothing(status: int) -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob)
        bob.reply(await bob.hears("SUBSCRIBE"), status, extra="Expires: 3600")
        await asyncio.sleep(TIMER_N - 1)
        assert not attempt.task.done()
        assert attempt.subscription.state == "neutral"
        assert len(alice.core.dialogs) == 0
        with pytest.raises(RequestTimedOut, match="no NOTIFY"):
            await attempt.task
        with pytest.raises(RequestTimedOut):
            await read(attempt.subscription)

    subscribed(scenario)


def test_a_notify_after_timer_n_establishes_nothing() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob)
        subscribe = await bob.hears("SUBSCRIBE")
        bob.reply(subscribe, 200)
        with pytest.raises(RequestTimedOut):
            await attempt.task
        await notified(bob, subscribe, "active", status=481)

    subscribed(scenario)


def test_a_refusal_after_a_notify_leaves_what_that_established() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob)
        subscribe = await bob.hears("SUBSCRIBE")
        await notified(bob, subscribe, "active")
        bob.reply(subscribe, 500)
        await attempt.task
        assert attempt.subscription.state == "active"
        await attempt.left()

    subscribed(scenario)


def test_of_a_forked_subscribe_the_first_notifier_is_kept() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob)
        subscribe = await bob.hears("SUBSCRIBE")
        bob.reply(subscribe, 200, tag="second")
        await notified(bob, subscribe, "active", tag="first")
        await notified(bob, subscribe, "active", status=481, tag="second")
        await attempt.task
        assert len(attempt.subscription.subscribers) == 1
        await attempt.left()

    subscribed(scenario)


def test_of_a_forked_subscribe_all_notifiers_can_be_kept_each_in_its_dialog() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob, forks="all")
        subscribe = await bob.hears("SUBSCRIBE")
        bob.reply(subscribe, 200, tag="first", extra="Expires: 600")
        for tag, expires in (("first", 600), ("second", 500), ("third", 400)):
            await notified(bob, subscribe, f"active;expires={expires}", tag=tag, body=tag)
        subscription = await attempt.task
        notifications = [await anext(subscription) for _ in range(3)]
        assert [notification.dialog.remote_tag for notification in notifications] == ["first", "second", "third"]
        await notified(bob, subscribe, "terminated;reason=noresource", tag="first", cseq=2)
        assert subscription.state == "active"
        for tag in ("third", "second"):
            refresh = await bob.hears("SUBSCRIBE")
            assert (refresh.to_tag, refresh.cseq.number) == (tag, subscribe.cseq.number + 1)
            bob.reply(refresh, 200, extra="Expires: 3600")
            await notified(bob, refresh, "active", cseq=2)
        leaving = asyncio.ensure_future(subscription.unsubscribe())
        for tag in ("second", "third"):
            last = await bob.hears("SUBSCRIBE")
            assert last.to_tag == tag
            bob.reply(last, 481)
        await leaving
        assert len(alice.core.dialogs) == 0

    subscribed(scenario)


def test_a_forked_fetch_waits_for_everybody_until_timer_n() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob, forks="all", expires=0)
        subscribe = await bob.hears("SUBSCRIBE")
        bob.reply(subscribe, 200, extra="Expires: 0")
        await notified(bob, subscribe, "terminated;reason=timeout", tag="first", body="1")
        await asyncio.sleep(10)
        await notified(bob, subscribe, "terminated;reason=timeout", tag="second", body="2")
        notifications = [notification async for notification in attempt.subscription]
        assert [notification.body for notification in notifications] == [b"1", b"2"]
        assert repr(notifications[0]) == "<Notification terminated application/pidf+xml 1 octets>"
        assert asyncio.get_running_loop().time() == pytest.approx(TIMER_N, abs=1)
        assert attempt.subscription.reason == "timeout"

    subscribed(scenario)


def test_there_is_a_most_of_forks() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob, forks="all", expires=0)
        subscribe = await bob.hears("SUBSCRIBE")
        bob.reply(subscribe, 200, extra="Expires: 0")
        for number in range(33):
            await notified(bob, subscribe, "terminated", tag=f"tag{number}", status=200 if number < 32 else 481)
        assert len(await read(await attempt.task)) == 32

    subscribed(scenario)


def test_a_notify_that_nobody_asked_for_is_refused() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        notify(bob, bob.request("SUBSCRIBE", from_=f"<sip:alice@{bob.host}>;tag=x", contact="<sip:alice@192.0.2.1>"))
        await bob.hears("481 NOTIFY")
        bob.ask("NOTIFY", "sip:alice@192.0.2.1", extra="Event: presence\nSubscription-State: active", contact="<sip:bob@192.0.2.2>")
        await bob.hears("481 NOTIFY")

    subscribed(scenario)


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ({"event": "dialog"}, 489),
        ({"event": "presence;id=1"}, 481),
        ({"event": None}, 400),
        ({"event": "presence..x"}, 400),
        ({"state": None}, 400),
        ({"state": "active;expires=soon"}, 400),
        ({"state": "active;;"}, 400),
        ({"body": "x", "content_type": "text/plain"}, 415),
        ({"body": "x", "content_type": "text"}, 400),
    ],
)
@pytest.mark.parametrize("is_first", [True, False], ids=["first", "later"])
def test_a_notify_that_is_no_good_is_refused_and_changes_nothing(parts: dict[str, Any], status: int, is_first: bool) -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob, accept=[PIDF])
        subscribe = await bob.hears("SUBSCRIBE")
        bob.reply(subscribe, 200)
        if not is_first:
            await notified(bob, subscribe, "active")
        refusal = await notified(bob, subscribe, **{"state": "active", **parts}, status=status, cseq=2)
        if status == 415:
            assert refusal.headers.text("Accept") == PIDF
        if is_first:
            assert len(alice.core.dialogs) == 0
            await notified(bob, subscribe, "active", cseq=3)
        await attempt.task
        await attempt.left()
        assert await read(attempt.subscription) == ["active", "terminated"]

    subscribed(scenario)
