"""Serving an event package to raw subscribers (RFC 6665 §4.2.1, §4.4)."""

from __future__ import annotations

import asyncio

import pytest

from ringback import IncomingCall, UserAgent
from ringback.agent.event.event_package import ACTIVE, PENDING, REJECTED, Body, EventPackage
from ringback.agent.event.incoming_subscription import IncomingSubscription
from ringback.agent.event.notifier import Notifier
from ringback.agent.inspection import Refusal
from tests.agent.stage import Stage, on_stage
from tests.agent.watching import PIDF, Watcher, presence, served, state_of


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


@pytest.mark.parametrize("times", [{"min_expires": 0}, {"default_expires": 1}, {"max_expires": 10}])
def test_times_that_contradict_each_other_are_refused(times: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="min_expires"):
        EventPackage("presence", **times)


def test_octets_need_a_media_type() -> None:
    with pytest.raises(ValueError, match="no media type"):
        EventPackage("presence", state=b"x")
    body = Body("text/plain", b"x")
    assert EventPackage("presence", state=body).state is body
