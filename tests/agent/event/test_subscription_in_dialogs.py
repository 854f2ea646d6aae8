"""Subscriptions that share a dialog, and those that another request begins (RFC 6665 §4.5.2, RFC 5057, RFC 3515)."""

from __future__ import annotations

import asyncio

import pytest

from ringback import IncomingCall, RequestFailed, RequestRejected, UserAgent
from ringback.agent.event.event_package import ACTIVE, EventPackage, Standing
from ringback.agent.event.incoming_subscription import IncomingSubscription
from ringback.agent.event.subscription import Subscription
from ringback.agent.inspection import Refusal
from ringback.dialog.dialog import Dialog
from ringback.message.fields.event import Event
from tests.agent.stage import Stage, on_stage
from tests.agent.watching import PIDF, notified, notify, read, subscribed
from tests.server.party import Party


def test_a_subscription_shares_the_dialog_of_a_call_and_outlives_it() -> None:
    async def answer(call: IncomingCall) -> None:
        await call.answer()
        await call.ended()

    async def scenario(stage: Stage) -> None:
        bob = await stage.agent("bob", on_call=answer)
        alice = await stage.agent("alice")
        notifier = bob.serve_event(EventPackage("presence", PIDF, state=b"closed"))
        call = await alice.call(stage.uri("bob"))
        async with alice.subscribe(stage.uri("bob"), "presence;id=1", within=call) as subscription:
            assert len(alice.core.dialogs) == 1
            await call.hang_up()
            assert (len(alice.core.dialogs), len(bob.core.dialogs)) == (1, 1)
            notifier.notify(b"open")
            assert [(await anext(subscription)).body for _ in range(2)] == [b"closed", b"open"]
            await asyncio.sleep(3600)
            assert subscription.state == "active"
        assert (len(alice.core.dialogs), len(bob.core.dialogs)) == (0, 0)

    stage = on_stage(scenario)
    assert len({message.call_id for message in stage.messages()}) == 1


def test_a_peer_that_does_not_share_dialogs_says_so() -> None:
    async def answer(call: IncomingCall) -> None:
        await call.answer()
        await call.ended()

    async def scenario(stage: Stage) -> None:
        await stage.agent("bob", on_call=answer)
        alice = await stage.agent("alice")
        async with alice.call(stage.uri("bob")) as call:
            with pytest.raises(RequestRejected, match="489"):
                await alice.subscribe(stage.uri("bob"), "presence", within=call)
            assert call.is_answered

    on_stage(scenario)


def test_a_subscription_within_a_dialog_asks_for_longer_and_is_lost_with_it() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        bob = await stage.party("bob", "alice")
        call = alice.call(bob.uri, offers=False)
        await call.place()
        invite = await bob.hears("INVITE")
        bob.reply(invite, 180)
        await asyncio.sleep(0.1)
        dialog = call.sessions["bob-tag"].dialog
        subscription = Subscription(alice.core, bob.uri, Event("presence"), expires=60, dialog=dialog)
        subscription.subscribe()
        bob.reply(await bob.hears("SUBSCRIBE"), 423, extra="Min-Expires: 90")
        longer = await bob.hears("SUBSCRIBE")
        assert (longer.expires, longer.call_id) == (90, invite.call_id)
        bob.reply(longer, 200, extra="Expires: 90")
        await notified(bob, longer, "active")
        await subscription
        bob.reply(await bob.hears("SUBSCRIBE"), 404)
        await anext(subscription)
        with pytest.raises(RequestFailed, match="404"):
            await anext(subscription)
        assert call.sessions["bob-tag"].is_over
        call.cancel()
        cancel = await bob.hears("CANCEL")
        bob.reply(cancel, 200)
        bob.reply(invite, 487)
        await bob.hears("ACK")

    on_stage(scenario)


def test_a_gruu_is_subscribed_to_in_a_dialog_of_its_own() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        subscribe = bob.request("SUBSCRIBE", contact="<sip:bob@192.0.2.2;gr=urn:uuid:1>")
        dialog = Dialog.of_server(subscribe, alice.core.response(subscribe, 200))
        with pytest.raises(ValueError, match="GRUU"):
            Subscription(alice.core, bob.uri, Event("presence"), dialog=dialog)

    subscribed(scenario)


def test_a_request_that_subscribes_by_itself_is_watched_without_a_subscribe() -> None:
    """As REFER does (RFC 3515 §2.4.4), in a dialog of its own."""

    async def scenario(alice: UserAgent, bob: Party) -> None:
        refer = alice.core.request("REFER", bob.uri)
        subscription = Subscription(alice.core, bob.uri, Event("refer"), expires=None, refreshes=False)
        subscription.expect(refer)
        asked = asyncio.ensure_future(alice.core.ask(refer))
        heard = await bob.hears("REFER")
        bob.reply(heard, 202)
        await asked
        await notified(bob, heard, "active;expires=60", event="refer", body="SIP/2.0 100 Trying", content_type="message/sipfrag")
        await subscription.established()
        await bob.hears_nothing(50)
        await notified(bob, heard, "terminated;reason=noresource", event="refer", cseq=2, body="SIP/2.0 200 OK")
        assert [notification.body async for notification in subscription] == [b"SIP/2.0 100 Trying", b"SIP/2.0 200 OK"]

    subscribed(scenario)


def test_a_request_that_subscribes_by_itself_within_a_dialog_joins_it() -> None:
    served = []

    async def answer(call: IncomingCall) -> None:
        await call.answer()
        await asyncio.sleep(1)
        assert call.session is not None
        one = IncomingSubscription(
            call.core, call.session.dialog, Event("refer", {"id": "9"}), expires=60, content_types=("message/sipfrag",)
        )
        served.append(one)
        one.notify(b"SIP/2.0 100 Trying")
        await one.done()

    async def scenario(stage: Stage) -> None:
        await stage.agent("bob", on_call=answer)
        alice = await stage.agent("alice")
        call = await alice.call(stage.uri("bob"))
        assert call.session is not None
        subscription = Subscription(alice.core, stage.uri("bob"), Event("refer", {"id": "9"}), expires=None, refreshes=False)
        subscription.join(call.session.dialog)
        await subscription.established()
        await call.hang_up()
        served[0].terminate("noresource")
        assert await read(subscription) == ["active", "terminated"]

    on_stage(scenario)


def test_a_request_that_was_to_subscribe_and_failed_ends_it() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        refer = alice.core.request("REFER", bob.uri)
        subscription = Subscription(alice.core, bob.uri, Event("refer"), expires=None)
        subscription.expect(refer)
        subscription.fail(RequestRejected(603, "Decline"))
        with pytest.raises(RequestRejected, match="603"):
            await subscription.established()
        notify(bob, bob.request("SUBSCRIBE", from_=refer.headers.text("From"), call_id=refer.call_id, contact="<sip:alice@192.0.2.1>"))
        await bob.hears("481 NOTIFY")

    subscribed(scenario)


def test_a_404_to_what_would_share_a_dialog_ends_the_dialog() -> None:
    """RFC 5057 §5.1: it says that the remote target is nobody's, whoever asks."""

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        bob = await stage.party("bob", "alice")
        call = alice.call(bob.uri, offers=False)
        await call.place()
        invite = await bob.hears("INVITE")
        bob.reply(invite, 180)
        await asyncio.sleep(0.1)
        session = call.sessions["bob-tag"]
        subscription = Subscription(alice.core, bob.uri, Event("presence"), dialog=session.dialog)
        subscription.subscribe()
        bob.reply(await bob.hears("SUBSCRIBE"), 404)
        with pytest.raises(RequestRejected, match="404"):
            await subscription
        assert session.is_over
        call.cancel()
        bob.reply(await bob.hears("CANCEL"), 200)
        bob.reply(invite, 487)
        await bob.hears("ACK")

    on_stage(scenario)


def test_subscriptions_that_share_a_dialog_end_with_it() -> None:
    async def answer(call: IncomingCall) -> None:
        await call.answer()
        await call.ended()

    async def scenario(stage: Stage) -> None:
        bob = await stage.agent("bob", on_call=answer)
        alice = await stage.agent("alice")
        verdicts: list[Standing | Refusal] = [ACTIVE, ACTIVE, Refusal(404)]
        notifier = bob.serve_event(EventPackage("presence", PIDF, authorize=lambda request: verdicts.pop(0)))
        call = await alice.call(stage.uri("bob"))
        one, other = [await alice.subscribe(stage.uri("bob"), f"presence;id={number}", within=call) for number in (1, 2)]
        first, second = one.subscribers[0], other.subscribers[0]
        await call.hang_up()
        one.refresh()
        await asyncio.sleep(1)
        assert (one.state, other.state) == ("terminated", "terminated")
        assert [str(subscription.failure) for subscription in (one, other)] == ["404 Not Found", "481 404 to our SUBSCRIBE"]
        assert len(alice.core.dialogs) == 0
        for subscriber in (first, second):
            await subscriber.unsubscribe()
            subscriber.abandon()
        notifier.notify(b"nobody hears it")

    on_stage(scenario)


def test_a_fetch_within_a_call_may_be_over_before_its_200() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        bob = await stage.party("bob", "alice")
        call = alice.call(bob.uri, offers=False)
        await call.place()
        invite = await bob.hears("INVITE")
        bob.reply(invite, 180)
        await asyncio.sleep(0.1)
        subscription = Subscription(alice.core, bob.uri, Event("presence"), expires=0, dialog=call.sessions["bob-tag"].dialog)
        subscription.subscribe()
        subscribe = await bob.hears("SUBSCRIBE")
        await notified(bob, subscribe, "terminated;reason=timeout")
        bob.reply(subscribe, 200, extra="Expires: 0")
        assert await read(subscription) == ["terminated"]
        call.cancel()
        bob.reply(await bob.hears("CANCEL"), 200)
        bob.reply(invite, 487)
        await bob.hears("ACK")

    on_stage(scenario)
