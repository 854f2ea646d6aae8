"""What one raw subscriber is told, and how that ends (RFC 6665 §4.2.2, RFC 5057)."""

from __future__ import annotations

import asyncio

import pytest

from ringback import IncomingCall
from ringback.agent.event.incoming_subscription import IncomingSubscription
from ringback.agent.event.notifier import MAX_USAGES, Notifier
from ringback.message.derive import cancel_of
from ringback.message.fields.event import Event
from tests.agent.stage import Stage, on_stage
from tests.agent.watching import Watcher, served, state_of


def test_a_subscription_that_is_not_refreshed_times_out() -> None:
    async def scenario(watcher: Watcher, notifier: Notifier) -> None:
        await watcher.subscribe(100)
        await asyncio.sleep(99)
        assert len(notifier.subscriptions) == 1
        last = await watcher.notified()
        assert state_of(last) == "terminated;reason=timeout"
        assert notifier.subscriptions == []

    served(scenario)


@pytest.mark.parametrize(
    ("reason", "retry_after", "said"),
    [
        ("rejected", None, "terminated;reason=rejected"),
        ("noresource", None, "terminated;reason=noresource"),
        ("deactivated", None, "terminated;reason=deactivated"),
        ("probation", 120, "terminated;reason=probation;retry-after=120"),
        ("giveup", 0, "terminated;reason=giveup;retry-after=0"),
    ],
)
def test_a_notifier_ends_a_subscription_and_says_why(reason: str, retry_after: int | None, said: str) -> None:
    async def scenario(watcher: Watcher, notifier: Notifier) -> None:
        await watcher.subscribe()
        (subscription,) = notifier.subscriptions
        subscription.terminate(reason, retry_after=retry_after)
        assert (subscription.state, subscription.reason, subscription.is_over) == ("terminated", reason, True)
        assert state_of(await watcher.notified()) == said
        subscription.terminate("again")
        subscription.notify(b"again")
        await watcher.party.hears_nothing()
        await watcher.refused(481)

    served(scenario)


@pytest.mark.parametrize("status", [404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604])
def test_a_notify_that_is_refused_for_good_ends_the_subscription(status: int) -> None:
    async def scenario(watcher: Watcher, notifier: Notifier) -> None:
        await watcher.subscribe(answer=status)
        await asyncio.sleep(1)
        assert notifier.subscriptions == []
        notifier.notify(b"open")
        await watcher.party.hears_nothing()

    served(scenario)


@pytest.mark.parametrize("status", [400, 500, 503])
def test_a_notify_that_is_refused_for_once_loses_one_notification(status: int) -> None:
    async def scenario(watcher: Watcher, notifier: Notifier) -> None:
        await watcher.subscribe(answer=status)
        await asyncio.sleep(1)
        notifier.notify(b"open")
        assert (await watcher.notified()).body == b"open"
        await watcher.leave()

    served(scenario)


def test_a_notify_that_nobody_answers_ends_the_subscription() -> None:
    async def scenario(watcher: Watcher, notifier: Notifier) -> None:
        watcher.ask()
        await asyncio.sleep(31)
        assert len(notifier.subscriptions) == 1
        await asyncio.sleep(2)
        assert notifier.subscriptions == []

    served(scenario)


def test_a_subscriber_that_wants_to_be_asked_later_gets_the_latest_then() -> None:
    async def scenario(watcher: Watcher, notifier: Notifier) -> None:
        watcher.ask()
        ok = watcher.ok = await watcher.party.hears("200 SUBSCRIBE")
        assert ok is not None
        await watcher.notified(500, extra="Retry-After: 5")
        await watcher.party.hears_nothing(4.9)
        assert (await watcher.notified(500, extra="Retry-After: 5")).body == b"closed"
        notifier.notify(b"open")
        await watcher.party.hears_nothing(4.9)
        assert (await watcher.notified(500, extra="Retry-After: 5")).body == b"open"
        (subscription,) = notifier.subscriptions
        subscription.terminate("noresource")
        assert state_of(await watcher.notified()) == "terminated;reason=noresource"

    served(scenario)


def test_states_that_are_complete_replace_one_another_while_a_notify_is_under_way() -> None:
    async def scenario(watcher: Watcher, notifier: Notifier) -> None:
        watcher.ask()
        watcher.ok = await watcher.party.hears("200 SUBSCRIBE")
        first = await watcher.party.hears("NOTIFY")
        for body in (b"1", b"2", b"3"):
            notifier.notify(body)
        await watcher.party.hears_nothing()
        watcher.party.reply(first, 200)
        assert (await watcher.notified()).body == b"3"
        await watcher.leave()

    served(scenario)


def test_states_that_are_deltas_are_all_sent_in_order() -> None:
    async def scenario(watcher: Watcher, notifier: Notifier) -> None:
        watcher.ask()
        watcher.ok = await watcher.party.hears("200 SUBSCRIBE")
        first = await watcher.party.hears("NOTIFY")
        for body in (b"1", b"2"):
            notifier.notify(body)
        notifier.subscriptions[0].terminate("noresource")
        watcher.party.reply(first, 200)
        heard = [await watcher.notified() for _ in range(3)]
        assert [(one.body, state_of(one)) for one in heard] == [
            (b"1", "active;expires=3600"),
            (b"2", "active;expires=3600"),
            (b"", "terminated;reason=noresource"),
        ]

    served(scenario, is_complete=False)


def test_notifications_follow_the_subscriber_where_it_goes() -> None:
    async def scenario(watcher: Watcher, notifier: Notifier) -> None:
        await watcher.subscribe()
        moved = f"<sip:elsewhere@{watcher.party.host}:5060>"
        assert (await watcher.subscribe(contact=moved)).uri_text == moved[1:-1]
        notifier.notify(b"open")
        news = await watcher.party.hears("NOTIFY")
        third = f"<sip:third@{watcher.party.host}:5060>"
        watcher.party.reply(news, 200, extra=f"Contact: {third}")
        notifier.notify(b"closed")
        last = await watcher.party.hears("NOTIFY")
        assert last.uri_text == third[1:-1]
        watcher.party.reply(last, 200, extra="Contact: <not a uri")
        await watcher.leave()

    served(scenario)


def test_record_routes_are_the_way_of_the_notifications() -> None:
    async def scenario(watcher: Watcher, notifier: Notifier) -> None:
        route = f"<sip:{watcher.party.host};lr>"
        notification = await watcher.subscribe(0, extra=f"Record-Route: {route}")
        assert watcher.latest.headers.texts("Record-Route") == [route]
        assert notification.headers.texts("Route") == [route]

    served(scenario)


def test_subscriptions_of_one_dialog_are_told_apart_by_their_ids() -> None:
    async def scenario(watcher: Watcher, notifier: Notifier) -> None:
        assert (await watcher.subscribe(600, event="presence;id=1;other=2")).headers.text("Event") == "presence;id=1"
        assert (await watcher.subscribe(700, event="presence;id=2")).headers.text("Event") == "presence;id=2"
        assert [subscription.event.id for subscription in notifier.subscriptions] == ["1", "2"]
        assert state_of(await watcher.subscribe(800, event="presence;id=1")) == "active;expires=800"
        assert state_of(await watcher.subscribe(0, event="presence;id=1")) == "terminated;reason=timeout"
        assert [subscription.event.id for subscription in notifier.subscriptions] == ["2"]
        assert state_of(await watcher.subscribe(0, event="presence;id=2")) == "terminated;reason=timeout"

    served(scenario)


def test_a_dialog_that_ends_ends_all_its_subscriptions() -> None:
    async def scenario(watcher: Watcher, notifier: Notifier) -> None:
        await watcher.subscribe(600, event="presence;id=1")
        await watcher.subscribe(600, event="presence;id=2")
        notifier.subscriptions[0].notify(b"open")
        await watcher.notified(404)
        await asyncio.sleep(1)
        assert notifier.subscriptions == []

    served(scenario)


def test_a_usage_that_ends_leaves_the_others_of_its_dialog() -> None:
    async def scenario(watcher: Watcher, notifier: Notifier) -> None:
        await watcher.subscribe(600, event="presence;id=1")
        await watcher.subscribe(600, event="presence;id=2")
        notifier.subscriptions[0].notify(b"open")
        await watcher.notified(481)
        await asyncio.sleep(1)
        assert [subscription.event.id for subscription in notifier.subscriptions] == ["2"]
        await watcher.subscribe(0, event="presence;id=2")

    served(scenario)


def test_a_notification_that_the_peer_of_a_call_never_asked_for_ends_only_the_subscription() -> None:
    async def scenario(stage: Stage) -> None:
        subscriptions = []

        async def answer(call: IncomingCall) -> None:
            await call.answer()
            assert call.session is not None
            subscription = IncomingSubscription(
                bob.core, call.session.dialog, Event("refer"), expires=60, content_types=("message/sipfrag",), is_complete=False
            )
            subscription.notify(b"SIP/2.0 100 Trying")
            subscriptions.append(subscription)
            await call.ended()

        bob = await stage.agent("bob", on_call=answer)
        alice = await stage.agent("alice")
        call = await alice.call(stage.uri("bob"))
        await asyncio.sleep(1)
        assert [subscription.reason for subscription in subscriptions] == ["481 to our NOTIFY"]
        assert call.is_answered
        await call.hang_up()

    assert "481 NOTIFY" in on_stage(scenario).said()


def test_who_waits_for_the_end_hears_of_it_however_it_comes() -> None:
    async def scenario(watcher: Watcher, notifier: Notifier) -> None:
        notifier.core.software = None
        await watcher.subscribe(600, event="presence;id=1")
        assert "User-Agent" not in (await watcher.subscribe(600, event="presence;id=2")).headers
        first, second = notifier.subscriptions
        waiting = [asyncio.ensure_future(one.done()) for one in (first, first, second)]
        await asyncio.sleep(1)
        assert not any(one.done() for one in waiting)
        first.notify(b"open")
        news = await watcher.party.hears("NOTIFY")
        watcher.party.reply(news, 100)
        watcher.party.reply(news, 404)
        await asyncio.gather(*waiting)
        assert (first.reason, second.reason) == ("404 to our NOTIFY", "404 to our NOTIFY")
        await first.done()
        assert "terminated" in repr(first)

    served(scenario)


def test_the_dialog_of_a_subscription_has_no_call_but_is_there() -> None:
    async def scenario(watcher: Watcher, notifier: Notifier) -> None:
        await watcher.subscribe()
        ok = watcher.ok
        assert ok is not None
        for number, (method, status) in enumerate({"BYE": 481, "NOTIFY": 481}.items(), 2):
            watcher.party.ask(method, ok.contact.uri_text, to=ok.headers.text("To"), call_id=ok.call_id, cseq=number)
            await watcher.party.hears(f"{status} {method}")
        watcher.cseq = 3
        assert len(notifier.subscriptions) == 1
        await watcher.leave()

    served(scenario)


def test_a_dialog_that_ends_takes_what_waits_with_it() -> None:
    async def scenario(watcher: Watcher, notifier: Notifier) -> None:
        await watcher.subscribe(600, event="presence;id=1")
        await watcher.subscribe(600, event="presence;id=2")
        first, second = notifier.subscriptions
        first.notify(b"1")
        await watcher.notified(500, extra="Retry-After: 5")
        second.notify(b"2")
        await watcher.notified(404)
        await watcher.party.hears_nothing(10)
        first.dialog_ended("twice")
        assert first.reason == "404 to our NOTIFY"

    served(scenario)


def test_a_dialog_is_not_shared_without_end() -> None:
    async def scenario(watcher: Watcher, notifier: Notifier) -> None:
        for number in range(MAX_USAGES):
            await watcher.subscribe(100, event=f"presence;id={number}")
        refusal = await watcher.refused(403, event="presence;id=more")
        assert "Shared" in refusal.reason
        for number in range(MAX_USAGES):
            await watcher.subscribe(0, event=f"presence;id={number}")

    served(scenario)


def test_a_cancel_of_a_subscribe_finds_no_invite_and_changes_nothing() -> None:
    async def scenario(watcher: Watcher, notifier: Notifier) -> None:
        subscribe = watcher.ask(600)
        watcher.ok = await watcher.party.hears("200 SUBSCRIBE")
        await watcher.notified()
        watcher.party.send(cancel_of(subscribe))
        await watcher.party.hears("481 CANCEL")
        assert len(notifier.subscriptions) == 1
        await watcher.leave()

    served(scenario)
