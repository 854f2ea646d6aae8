"""Refreshing a subscription, losing it, leaving it (RFC 6665 §4.1.2.2, §4.1.2.3)."""

from __future__ import annotations

import asyncio

import pytest

from ringback import Request, RequestRejected, RequestTimedOut, UserAgent
from ringback.agent.event.lifetime import renewal_delay
from ringback.message.derive import cancel_of, response_to
from tests.agent.watching import PIDF, TIMER_N, Attempt, notified, notify, read, subscribed
from tests.server.party import Party


def test_a_subscription_is_refreshed_in_its_dialog_before_it_ends() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob, accept=[PIDF])
        first = await attempt.begun("active;expires=600")
        began = asyncio.get_running_loop().time()
        for number in (2, 3):
            refresh = await bob.hears("SUBSCRIBE")
            assert asyncio.get_running_loop().time() - began == pytest.approx(renewal_delay(600, 0.5), abs=1)
            assert (refresh.call_id, refresh.from_tag, refresh.to_tag) == (first.call_id, first.from_tag, "bob-tag")
            assert refresh.cseq.number == first.cseq.number + number - 1
            assert (refresh.headers.text("Event"), refresh.expires, refresh.headers.text("Accept")) == ("presence", 3600, PIDF)
            assert refresh.contact.uri_text == first.contact.uri_text
            bob.reply(refresh, 200, extra="Expires: 600")
            await notified(bob, refresh, "active;expires=600", cseq=number)
            began = asyncio.get_running_loop().time()
        await attempt.left()

    subscribed(scenario)


@pytest.mark.parametrize(
    ("answer", "state", "seconds"),
    [
        ("Expires: 600", "active", 600),
        ("Expires: 600", "active;expires=300", 300),
        ("Expires: 9999", "active", 3600),
        ("Expires: 600", "active;expires=4294967295", 3600),
        ("Subject: none", "pending", 3600),
    ],
)
def test_the_notifier_says_how_long_it_lasts(answer: str, state: str, seconds: int) -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob)
        subscribe = await bob.hears("SUBSCRIBE")
        notify(bob, subscribe, state)
        bob.reply(subscribe, 200, extra=answer)
        await bob.hears("200 NOTIFY")
        await attempt.task
        await bob.hears_nothing(renewal_delay(seconds, 0.5) - 1)
        refresh = await bob.hears("SUBSCRIBE", 2)
        bob.reply(refresh, 200)
        await notified(bob, refresh, "active", cseq=2)
        await attempt.left()

    subscribed(scenario)


def test_the_200_says_so_before_the_notify_too() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob)
        subscribe = await bob.hears("SUBSCRIBE")
        bob.reply(subscribe, 200, extra="Expires: 600")
        await notified(bob, subscribe, "active")
        await bob.hears_nothing(renewal_delay(600, 0.5) - 1)
        refresh = await bob.hears("SUBSCRIBE", 2)
        bob.reply(refresh, 200, extra="Expires: 600")
        await notified(bob, refresh, "active", cseq=2)
        await attempt.left()

    subscribed(scenario)


def test_a_481_to_a_refresh_begins_anew() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob)
        first = await attempt.begun("active;expires=600")
        bob.reply(await bob.hears("SUBSCRIBE"), 481)
        second = await bob.hears("SUBSCRIBE")
        assert second.to_tag is None
        assert second.call_id != first.call_id
        assert second.from_tag != first.from_tag
        assert attempt.subscription.state == "neutral"
        bob.reply(second, 200, extra="Expires: 600")
        await notified(bob, second, "pending;expires=600", tag="second")
        assert [(await anext(attempt.subscription)).state for _ in range(2)] == ["active", "pending"]
        await attempt.left()

    subscribed(scenario)


def test_what_is_lost_and_refused_then_raises_where_it_is_read() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob)
        await attempt.begun("active;expires=600")
        await anext(attempt.subscription)
        reading = asyncio.ensure_future(read(attempt.subscription))
        bob.reply(await bob.hears("SUBSCRIBE"), 481)
        bob.reply(await bob.hears("SUBSCRIBE"), 403, extra="Retry-After: 60")
        with pytest.raises(RequestRejected, match="403"):
            await reading
        assert attempt.subscription.retry_after == 60

    subscribed(scenario)


def test_without_resumption_a_481_is_the_end() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob, resumes=False)
        await attempt.begun("active;expires=600")
        bob.reply(await bob.hears("SUBSCRIBE"), 481)
        await anext(attempt.subscription)
        with pytest.raises(RequestRejected, match="481"):
            await anext(attempt.subscription)

    subscribed(scenario)


@pytest.mark.parametrize("status", [404, 405, 410, 416, 480, 482, 483, 484, 485, 489, 501, 604])
def test_a_refresh_that_is_refused_for_good_is_the_end(status: int) -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob)
        await attempt.begun("active;expires=600")
        refresh = await bob.hears("SUBSCRIBE")
        bob.reply(refresh, status)
        await anext(attempt.subscription)
        with pytest.raises(RequestRejected, match=str(status)):
            await anext(attempt.subscription)
        await notified(bob, refresh, "active", status=481, cseq=2)

    subscribed(scenario)


def test_a_refresh_that_fails_otherwise_is_tried_again_while_the_subscription_lasts() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob)
        subscribe = await attempt.begun("active;expires=600")
        bob.reply(await bob.hears("SUBSCRIBE"), 500)
        await notified(bob, subscribe, "active;expires=100", cseq=2)
        assert attempt.subscription.state == "active"
        bob.reply(await bob.hears("SUBSCRIBE"), 500)
        await bob.hears_nothing(24)
        again = await bob.hears("SUBSCRIBE", 2)
        bob.reply(again, 200, extra="Expires: 600")
        await notified(bob, again, "active;expires=600", cseq=3)
        await attempt.left()

    subscribed(scenario)


def test_what_cannot_be_refreshed_in_its_time_is_lost() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob, resumes=False)
        await attempt.begun("active;expires=60")
        bob.reply(await bob.hears("SUBSCRIBE"), 500, extra="Retry-After: 1000")
        await anext(attempt.subscription)
        with pytest.raises(RequestTimedOut, match="not refreshed in time"):
            await anext(attempt.subscription)

    subscribed(scenario)


def test_a_refresh_without_a_notify_is_lost_after_timer_n_and_begun_anew() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob)
        await attempt.begun("active;expires=600")
        bob.reply(await bob.hears("SUBSCRIBE"), 200, extra="Expires: 600")
        await bob.hears_nothing(TIMER_N - 1)
        again = await bob.hears("SUBSCRIBE", 2)
        assert again.to_tag is None
        bob.reply(again, 200)
        await notified(bob, again, "active", tag="second")
        await attempt.left()

    subscribed(scenario)


def test_a_refresh_that_nobody_answers_is_lost_and_begun_anew() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob)
        await attempt.begun("active;expires=600")
        refresh = await bob.hears("SUBSCRIBE")
        await asyncio.sleep(TIMER_N + 1)
        kinds = bob.kinds()
        again = next(heard.message for heard in bob.heard if heard.message.call_id != refresh.call_id)
        assert set(kinds) == {"SUBSCRIBE"}
        assert isinstance(again, Request)
        bob.reply(again, 200)
        await notified(bob, again, "active", tag="second")
        await attempt.left()

    subscribed(scenario)


def test_a_204_says_that_no_notify_will_come() -> None:
    """RFC 5839 §4: the state is the same, timer N is stopped."""

    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob)
        await attempt.begun("active;expires=600")
        bob.reply(await bob.hears("SUBSCRIBE"), 204, extra="Expires: 600")
        await bob.hears_nothing(TIMER_N + 10)
        assert attempt.subscription.state == "active"
        leaving = asyncio.ensure_future(attempt.subscription.unsubscribe())
        bob.reply(await bob.hears("SUBSCRIBE"), 204, extra="Expires: 0")
        await leaving

    subscribed(scenario)


def test_a_last_notify_may_have_any_body() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob, accept=[PIDF])
        subscribe = await attempt.begun()
        await notified(bob, subscribe, "terminated", cseq=2, body="x", content_type="text/plain")
        assert await read(attempt.subscription) == ["active", "terminated"]

    subscribed(scenario)


def test_the_same_event_with_other_parameters_is_the_same() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob, "presence;id=7")
        await attempt.begun(event="presence;x=y;id=7")
        await bob.hears_nothing()
        leaving = asyncio.ensure_future(attempt.subscription.unsubscribe())
        last = await bob.hears("SUBSCRIBE")
        assert last.headers.text("Event") == "presence;id=7"
        bob.reply(last, 200)
        await notified(bob, last, "terminated", event="presence;id=7", cseq=2)
        await leaving

    subscribed(scenario)


def test_requests_follow_the_notifier_along_the_routes_of_its_first_notify() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob)
        subscribe = await bob.hears("SUBSCRIBE")
        bob.reply(subscribe, 200, extra="Record-Route: <sip:192.0.2.99;lr>\nExpires: 3600")
        ok = await notified(bob, subscribe, "active", extra=f"Record-Route: <sip:{bob.host};lr>")
        assert ok.headers.texts("Record-Route") == [f"<sip:{bob.host};lr>"]
        await attempt.task
        attempt.subscription.refresh()
        refresh = await bob.hears("SUBSCRIBE")
        assert refresh.headers.texts("Route") == [f"<sip:{bob.host};lr>"]
        bob.reply(refresh, 200, extra="Expires: 3600")
        await notified(bob, refresh, "active", cseq=2)
        await attempt.left()

    subscribed(scenario)


@pytest.mark.parametrize("status", [481, 500])
def test_who_leaves_does_not_wait_where_it_is_refused(status: int) -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob)
        await attempt.begun()
        leaving = asyncio.ensure_future(attempt.subscription.unsubscribe())
        bob.reply(await bob.hears("SUBSCRIBE"), status)
        await leaving
        assert asyncio.get_running_loop().time() < 1
        assert attempt.subscription.reason == "left"

    subscribed(scenario)


def test_who_leaves_waits_for_the_last_notify_no_longer_than_timer_n() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob)
        await attempt.begun()
        leaving = asyncio.ensure_future(attempt.subscription.unsubscribe())
        bob.reply(await bob.hears("SUBSCRIBE"), 200, extra="Expires: 0")
        await asyncio.sleep(TIMER_N - 1)
        assert not leaving.done()
        await asyncio.sleep(2)
        assert leaving.done()
        assert await read(attempt.subscription) == ["active"]

    subscribed(scenario)


def test_a_refresh_is_not_sent_twice_at_a_time() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        alice.core.software = None
        attempt = Attempt(alice, bob)
        await attempt.begun()
        attempt.subscription.refresh()
        attempt.subscription.refresh()
        refresh = await bob.hears("SUBSCRIBE")
        assert "User-Agent" not in refresh.headers
        bob.reply(refresh, 100)
        await bob.hears_nothing(0.4)
        bob.reply(refresh, 200, extra="Expires: 3600")
        await notified(bob, refresh, "active", cseq=2)
        await attempt.left()

    subscribed(scenario)


def test_who_leaves_while_it_refreshes_waits_for_the_end_all_the_same() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob)
        await attempt.begun()
        attempt.subscription.refresh()
        refresh = await bob.hears("SUBSCRIBE")
        leaving = [asyncio.ensure_future(attempt.subscription.unsubscribe()) for _ in range(2)]
        last = await bob.hears("SUBSCRIBE")
        bob.reply(refresh, 500)
        bob.reply(last, 200, extra="Expires: 0")
        await asyncio.sleep(1)
        assert not any(one.done() for one in leaving)
        await notified(bob, last, "terminated;reason=timeout", cseq=2)
        await asyncio.gather(*leaving)
        assert attempt.subscription.reason == "timeout"

    subscribed(scenario)


@pytest.mark.parametrize("extra", ["", "Min-Expires: soon", "Min-Expires: 1"])
def test_a_423_to_a_refresh_that_names_no_longer_interval_ends_nothing(extra: str) -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob)
        await attempt.begun("active;expires=600")
        bob.reply(await bob.hears("SUBSCRIBE"), 423, extra=extra)
        again = await bob.hears("SUBSCRIBE")
        assert again.expires == 3600
        bob.reply(again, 200, extra="Expires: 3600")
        await notified(bob, again, "active", cseq=2)
        await attempt.left()

    subscribed(scenario)


def test_a_2xx_with_a_contact_that_is_none_is_a_2xx() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob)
        await attempt.begun("active;expires=600")
        refresh = await bob.hears("SUBSCRIBE")
        response = response_to(refresh, 200)
        response.headers.append("Contact", "<not a uri")
        bob.send(response)
        await notified(bob, refresh, "active;expires=600", cseq=2)
        await attempt.left()

    subscribed(scenario)


def test_a_lifetime_of_nothing_waits_for_the_notify_that_says_why() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob)
        await attempt.begun("active;expires=600")
        refresh = await bob.hears("SUBSCRIBE")
        bob.reply(refresh, 200, extra="Expires: 0")
        await asyncio.sleep(1)
        await notified(bob, refresh, "terminated;reason=rejected", cseq=2)
        assert await read(attempt.subscription) == ["active", "terminated"]
        assert attempt.subscription.reason == "rejected"

    subscribed(scenario)


def test_the_dialog_of_a_subscription_has_no_call_but_is_there() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob)
        subscribe = await attempt.begun()
        ends = {"from_": f"{subscribe.headers.text('To')};tag=bob-tag", "to": subscribe.headers.text("From"), "call_id": subscribe.call_id}
        for number, (method, status) in enumerate({"BYE": 481, "INVITE": 481, "SUBSCRIBE": 489, "OPTIONS": 200}.items(), 2):
            request = bob.ask(method, "sip:alice@192.0.2.1", cseq=number, **ends)
            answer = await bob.hears(f"{status} {method}")
            if method == "INVITE":
                bob.ack(request, answer)
        assert attempt.subscription.state == "active"
        await attempt.left()

    subscribed(scenario)


def test_after_a_408_from_further_on_a_notify_decides() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob, resumes=False)
        subscribe = await attempt.begun("active;expires=600")
        bob.reply(await bob.hears("SUBSCRIBE"), 408)
        await notified(bob, subscribe, "active;expires=600", cseq=2)
        bob.reply(await bob.hears("SUBSCRIBE"), 408)
        assert [(await anext(attempt.subscription)).state for _ in range(2)] == ["active", "active"]
        with pytest.raises(RequestTimedOut, match="no NOTIFY came"):
            await anext(attempt.subscription)

    subscribed(scenario)


def test_a_cancel_of_a_notify_finds_no_invite_and_changes_nothing() -> None:
    async def scenario(alice: UserAgent, bob: Party) -> None:
        attempt = Attempt(alice, bob)
        subscribe = await attempt.begun()
        notification = notify(bob, subscribe, cseq=2)
        await bob.hears("200 NOTIFY")
        bob.send(cancel_of(notification))
        await bob.hears("481 CANCEL")
        assert attempt.subscription.state == "active"
        await attempt.left()

    subscribed(scenario)
