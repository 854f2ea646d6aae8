"""Serving an event package to raw subscribers (RFC 6665 §4.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ringback import IncomingCall, Request, UserAgent
from ringback.agent.event_package import ACTIVE, PENDING, REJECTED, Body, EventPackage
from ringback.agent.incoming_subscription import IncomingSubscription
from ringback.agent.inspection import Refusal
from ringback.agent.notifier import Notifier
from ringback.message.fields.event import Event
from tests.agent.stage import Stage, on_stage
from tests.agent.watching import PIDF, Watcher


def presence(**options: Any) -> EventPackage:
    """A package like presence; the stage lasts 70 seconds after a scenario, so subscriptions last shorter."""
    options.setdefault("state", b"closed")
    return EventPackage("presence", PIDF, **options)


def served(scenario: Callable[[Watcher, Notifier], Awaitable[None]], **options: Any) -> Stage:
    """Plays a scenario between a raw subscriber and an agent that serves presence."""

    async def play(stage: Stage) -> None:
        bob = await stage.agent("bob")
        notifier = bob.serve_event(presence(**options))
        await scenario(Watcher(await stage.party("alice", "bob"), stage.uri("bob")), notifier)

    return on_stage(play)


def state_of(notification: Request) -> str:
    """Subscription-State as text."""
    return notification.headers.text("Subscription-State") or ""


def test_a_subscription_is_confirmed_notified_refreshed_and_ended() -> None:
    async def scenario(watcher: Watcher, notifier: Notifier) -> None:
        first = await watcher.subscribe(600)
        assert watcher.latest.expires == 600
        assert watcher.latest.headers.text("Allow-Events") == "presence"
        assert watcher.latest.contact is not None
        assert (first.headers.text("Event"), state_of(first)) == ("presence", "active;expires=600")
        assert (first.content_type.essence, first.body) == (PIDF, b"closed")
        await asyncio.sleep(100)
        notifier.notify(b"open")
        news = await watcher.notified()
        assert (state_of(news), news.body, news.cseq.number) == ("active;expires=500", b"open", first.cseq.number + 1)
        again = await watcher.subscribe(600)
        assert (state_of(again), again.body) == ("active;expires=600", b"open")
        last = await watcher.leave()
        assert watcher.latest.expires == 0
        assert (state_of(last), last.body) == ("terminated;reason=timeout", b"open")
        assert notifier.subscriptions == []
        assert (await watcher.refused(481)).status == 481

    served(scenario)


def test_a_subscription_that_is_not_refreshed_times_out() -> None:
    async def scenario(watcher: Watcher, notifier: Notifier) -> None:
        await watcher.subscribe(100)
        await asyncio.sleep(99)
        assert len(notifier.subscriptions) == 1
        last = await watcher.notified()
        assert state_of(last) == "terminated;reason=timeout"
        assert notifier.subscriptions == []

    served(scenario)


def test_expires_0_fetches_the_state() -> None:
    async def scenario(watcher: Watcher, notifier: Notifier) -> None:
        only = await watcher.subscribe(0)
        assert (state_of(only), only.body) == ("terminated;reason=timeout", b"closed")
        assert notifier.subscriptions == []

    served(scenario)


def test_no_expires_means_the_default_and_a_long_one_is_shortened() -> None:
    async def scenario(watcher: Watcher, notifier: Notifier) -> None:
        await watcher.subscribe(None)
        assert watcher.latest.expires == 500
        await watcher.subscribe(100_000)
        assert watcher.latest.expires == 1000
        await watcher.leave()

    served(scenario, default_expires=500, max_expires=1000)


def test_a_brief_interval_is_refused_with_the_shortest_one() -> None:
    async def scenario(watcher: Watcher, notifier: Notifier) -> None:
        assert (await watcher.refused(423, 59)).headers.text("Min-Expires") == "60"
        await watcher.subscribe(60)
        assert (await watcher.refused(423, 1)).headers.text("Min-Expires") == "60"
        await watcher.leave()

    served(scenario)


def test_an_hour_is_never_too_brief() -> None:
    async def scenario(watcher: Watcher, notifier: Notifier) -> None:
        await watcher.subscribe(3600)
        assert watcher.latest.expires == 3600
        await watcher.leave()

    served(scenario, min_expires=7200, default_expires=7200)


@pytest.mark.parametrize("event", ["dialog", "Presence", "presence.winfo", None])
def test_an_event_that_is_not_served_is_a_bad_event(event: str | None) -> None:
    async def scenario(watcher: Watcher, notifier: Notifier) -> None:
        refusal = await watcher.refused(489, event=event)
        assert refusal.headers.text("Allow-Events") == "presence"

    served(scenario)


def test_two_events_are_a_bad_event() -> None:
    async def scenario(watcher: Watcher, notifier: Notifier) -> None:
        await watcher.refused(489, extra="Event: presence")

    served(scenario)


def test_a_malformed_event_is_a_bad_request() -> None:
    async def scenario(watcher: Watcher, notifier: Notifier) -> None:
        await watcher.refused(400, event="presence..winfo")

    served(scenario)


def test_an_agent_that_serves_nothing_knows_no_event() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.agent("bob")
        watcher = Watcher(await stage.party("alice", "bob"), stage.uri("bob"))
        assert "Allow-Events" not in (await watcher.refused(489)).headers

    on_stage(scenario)


def test_allow_events_is_in_options_and_in_what_begins_dialogs() -> None:
    async def scenario(stage: Stage) -> None:
        async def attend(call: IncomingCall) -> None:
            await call.decline()

        bob = await stage.agent("bob", on_call=attend)
        alice = await stage.party("alice", "bob")
        bob.serve_event(presence())
        bob.serve_event(EventPackage("dialog", "application/dialog-info+xml"))
        alice.ask("OPTIONS", stage.uri("bob"))
        assert (await alice.hears("200 OPTIONS")).headers.text("Allow-Events") == "presence, dialog"
        call = bob.call(alice.uri)
        await call.place()
        invite = await alice.hears("INVITE")
        assert invite.headers.text("Allow-Events") == "presence, dialog"
        alice.reply(invite, 486)
        await alice.hears("ACK")

    on_stage(scenario)


def test_bodies_are_of_a_type_that_the_subscriber_accepts() -> None:
    class Two(EventPackage):
        def body(self, subscription: IncomingSubscription) -> Body:
            return Body(subscription.content_types[0], b"x")

    async def scenario(stage: Stage) -> None:
        bob = await stage.agent("bob")
        bob.serve_event(Two("presence", PIDF, "text/plain"))
        alice = await stage.party("alice", "bob")
        cases = {None: PIDF, "text/*": "text/plain", "*/*": PIDF, f"text/plain, {PIDF};q=0": "text/plain"}
        for number, (accept, expected) in enumerate(cases.items()):
            notification = await Watcher(alice, stage.uri("bob"), call_id=str(number)).subscribe(0, accept=accept)
            assert notification.content_type.essence == expected
        refusal = await Watcher(alice, stage.uri("bob"), call_id="png").refused(406, accept="image/png")
        assert refusal.headers.text("Accept") == f"{PIDF}, text/plain"

    on_stage(scenario)


def test_who_is_pending_hears_nothing_until_approved() -> None:
    async def scenario(watcher: Watcher, notifier: Notifier) -> None:
        first = await watcher.subscribe(600)
        assert (state_of(first), first.body) == ("pending;expires=600", b"")
        notifier.notify(b"open")
        await watcher.party.hears_nothing(10)
        (subscription,) = notifier.subscriptions
        assert subscription.subscriber.uri_text == "sip:alice@example.com"
        again = await watcher.subscribe(600)
        assert state_of(again) == "pending;expires=600"
        subscription.approve()
        subscription.approve()
        news = await watcher.notified()
        assert (state_of(news), news.body) == ("active;expires=600", b"open")
        await watcher.leave()

    stage = served(scenario, authorize=lambda request: PENDING)
    assert stage.said().count("NOTIFY") == 4


@pytest.mark.parametrize(
    ("verdict", "status"), [(REJECTED, 403), (Refusal(404), 404), (Refusal(603), 603)], ids=["rejected", "no resource", "declined"]
)
def test_who_may_not_subscribe_is_refused(verdict: Refusal, status: int) -> None:
    async def scenario(watcher: Watcher, notifier: Notifier) -> None:
        await watcher.refused(status)
        assert notifier.subscriptions == []

    served(scenario, authorize=lambda request: verdict)


def test_who_may_not_go_on_is_refused_and_told_that_it_is_over() -> None:
    verdicts = [ACTIVE, REJECTED]

    async def scenario(watcher: Watcher, notifier: Notifier) -> None:
        await watcher.subscribe()
        await watcher.refused(403)
        assert state_of(await watcher.notified()) == "terminated;reason=rejected"

    served(scenario, authorize=lambda request: verdicts.pop(0))


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


def test_a_subscribe_without_contact_is_a_bad_request() -> None:
    async def scenario(stage: Stage) -> None:
        bob = await stage.agent("bob")
        notifier = bob.serve_event(presence())
        alice = await stage.party("alice", "bob")
        request = alice.request("SUBSCRIBE", stage.uri("bob"), extra="Event: presence")
        request.headers.remove("Contact")
        alice.send(request)
        await alice.hears("400 SUBSCRIBE")
        assert notifier.subscriptions == []

    on_stage(scenario)


def test_there_is_a_most_of_subscriptions() -> None:
    async def scenario(watcher: Watcher, notifier: Notifier) -> None:
        await watcher.subscribe()
        refusal = await Watcher(watcher.party, watcher.uri, call_id="other").refused(503)
        assert refusal.headers.text("Retry-After") == "60"
        await watcher.leave()

    served(scenario, max_subscriptions=1)


def test_a_program_hears_of_a_subscription_and_decides() -> None:
    async def scenario(stage: Stage) -> None:
        def welcome(subscription: IncomingSubscription) -> None:
            assert subscription.request is not None
            assert subscription.request.method == "SUBSCRIBE"
            subscription.approve()

        bob = await stage.agent("bob")
        bob.serve_event(presence(authorize=lambda request: PENDING), welcome)
        watcher = Watcher(await stage.party("alice", "bob"), stage.uri("bob"))
        assert state_of(await watcher.subscribe()) == "active;expires=3600"
        await watcher.leave()

    on_stage(scenario)


def test_a_package_may_be_served_before_the_agent_is_open() -> None:
    async def scenario(stage: Stage) -> None:
        agent = UserAgent("sip:bob@example.com")
        notifier = agent.serve_event(presence())
        assert notifier.subscriptions == []
        bob = await stage.agent("bob")
        notifier.attach(bob.core)
        watcher = Watcher(await stage.party("alice", "bob"), stage.uri("bob"))
        await watcher.subscribe(0)

    on_stage(scenario)


def test_an_agent_that_closes_tells_its_subscribers() -> None:
    async def scenario(stage: Stage) -> None:
        bob = await stage.agent("bob")
        bob.serve_event(presence())
        watcher = Watcher(await stage.party("alice", "bob"), stage.uri("bob"))
        await watcher.subscribe()
        closing = asyncio.create_task(bob.close())
        assert state_of(await watcher.notified()) == "terminated;reason=probation"
        await closing
        del stage.agents["bob"]

    on_stage(scenario)


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


@pytest.mark.parametrize("times", [{"min_expires": 0}, {"default_expires": 1}, {"max_expires": 10}])
def test_times_that_contradict_each_other_are_refused(times: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="min_expires"):
        EventPackage("presence", **times)


def test_octets_need_a_media_type() -> None:
    with pytest.raises(ValueError, match="no media type"):
        EventPackage("presence", state=b"x")
    body = Body("text/plain", b"x")
    assert EventPackage("presence", state=body).state is body


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
