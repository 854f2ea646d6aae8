"""Publishing event state, with a raw compositor (RFC 3903 §4, §5)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ringback import Request, RequestFailed, RequestRejected, RequestTimedOut, UserAgent
from ringback.agent.event.lifetime import renewal_delay
from ringback.agent.event.publication import Publication
from tests.agent.stage import Stage, on_stage
from tests.agent.watching import PIDF
from tests.server.party import Party


def published(scenario: Callable[[UserAgent, Party], Awaitable[None]]) -> Stage:
    """Plays a scenario between an agent that publishes and a raw compositor."""

    async def play(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await scenario(alice, await stage.party("esc", "alice"))

    return on_stage(play)


def publication(alice: UserAgent, esc: Party, body: bytes = b"closed", **options: Any) -> Publication:
    """A publication at the compositor."""
    return alice.publish("presence", body, content_type=PIDF, uri=esc.uri, **options)


def operation(request: Request) -> tuple[bytes, str | None, int | None]:
    """What a PUBLISH asks for, as RFC 3903 Table 1 has it: body, SIP-If-Match, Expires."""
    assert request.headers.text("Event") == "presence"
    assert (request.headers.text("Content-Type") == PIDF) == bool(request.body)
    return request.body, request.headers.text("SIP-If-Match"), request.expires


async def accepted(esc: Party, tag: str, expires: int = 3600) -> tuple[bytes, str | None, int | None]:
    """The next PUBLISH is answered 200; gives what it asked for."""
    request = await esc.hears("PUBLISH")
    esc.reply(request, 200, extra=f"SIP-ETag: {tag}\nExpires: {expires}")
    return operation(request)


async def begun(alice: UserAgent, esc: Party, expires: int = 3600, **options: Any) -> Publication:
    """A publication that stands, its tag "first"."""
    one = publication(alice, esc, **options)
    publishing = asyncio.ensure_future(one.publish())
    await accepted(esc, "first", expires)
    await publishing
    assert one.entity_tag == "first"
    return one


async def removed(one: Publication, esc: Party, tag: str) -> None:
    """The publication is removed."""
    removing = asyncio.ensure_future(one.remove())
    assert await accepted(esc, "gone", 0) == (b"", tag, 0)
    await removing


def test_a_publication_is_made_changed_renewed_and_removed() -> None:
    async def scenario(alice: UserAgent, esc: Party) -> None:
        async def program() -> None:
            async with publication(alice, esc, expires=1000, headers=[("Subject", "x")]) as one:
                await one.update(b"open")
                await asyncio.sleep(950)

        running = asyncio.ensure_future(program())
        first = await esc.hears("PUBLISH")
        assert operation(first) == (b"closed", None, 1000)
        assert (first.uri_text, first.to_tag, first.headers.text("Subject")) == (esc.uri, None, "x")
        esc.reply(first, 200, extra="SIP-ETag: 1\nExpires: 600")
        assert await accepted(esc, "2", 600) == (b"open", "1", 1000)
        began = asyncio.get_running_loop().time()
        assert await accepted(esc, "3", 9999) == (b"", "2", 1000)
        assert asyncio.get_running_loop().time() - began == pytest.approx(renewal_delay(600, 0.5), abs=1)
        assert await accepted(esc, "4", 0) == (b"", "3", 0)
        await running
        assert alice.core.standing == set()

    published(scenario)


def test_our_own_state_is_published_at_our_own_address() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice", "sip:alice@192.0.2.2")
        esc = await stage.party("esc", "alice")
        publishing = asyncio.ensure_future(alice.publish("presence", b"x", content_type=PIDF).__aenter__())
        request = await esc.hears("PUBLISH")
        assert request.uri_text == request.to.uri_text == request.from_.uri_text == "sip:alice@192.0.2.2"
        esc.reply(request, 403)
        with pytest.raises(RequestRejected):
            await publishing

    on_stage(scenario)


def test_an_update_may_change_the_type() -> None:
    async def scenario(alice: UserAgent, esc: Party) -> None:
        one = await begun(alice, esc)
        updating = asyncio.ensure_future(one.update(b"x", content_type="text/plain"))
        request = await esc.hears("PUBLISH")
        assert (request.content_type.essence, request.body) == ("text/plain", b"x")
        esc.reply(request, 200, extra="SIP-ETag: second")
        await updating
        await removed(one, esc, "second")

    published(scenario)


@pytest.mark.parametrize("is_update", [True, False], ids=["update", "refresh"])
def test_what_is_gone_is_published_anew(is_update: bool) -> None:
    async def scenario(alice: UserAgent, esc: Party) -> None:
        one = await begun(alice, esc)
        asking = asyncio.ensure_future(one.update(b"open") if is_update else one.refresh())
        void = await esc.hears("PUBLISH")
        assert operation(void) == (b"open" if is_update else b"", "first", 3600)
        esc.reply(void, 412)
        assert await accepted(esc, "second") == (b"open" if is_update else b"closed", None, 3600)
        await asking
        assert one.entity_tag == "second"
        await removed(one, esc, "second")

    published(scenario)


def test_a_412_to_what_names_no_state_is_a_refusal() -> None:
    async def scenario(alice: UserAgent, esc: Party) -> None:
        publishing = asyncio.ensure_future(publication(alice, esc).publish())
        esc.reply(await esc.hears("PUBLISH"), 412)
        with pytest.raises(RequestRejected, match="412"):
            await publishing
        await esc.hears_nothing()

    published(scenario)


def test_an_interval_that_is_too_brief_is_asked_for_longer() -> None:
    async def scenario(alice: UserAgent, esc: Party) -> None:
        one = publication(alice, esc, expires=60)
        publishing = asyncio.ensure_future(one.publish())
        esc.reply(await esc.hears("PUBLISH"), 423, extra="Min-Expires: 120")
        assert await accepted(esc, "first", 120) == (b"closed", None, 120)
        await publishing
        await removed(one, esc, "first")

    published(scenario)


@pytest.mark.parametrize("extra", ["", "Min-Expires: 60"])
def test_a_423_without_a_longer_interval_is_a_refusal(extra: str) -> None:
    async def scenario(alice: UserAgent, esc: Party) -> None:
        publishing = asyncio.ensure_future(publication(alice, esc, expires=60).publish())
        esc.reply(await esc.hears("PUBLISH"), 423, extra=extra)
        with pytest.raises(RequestRejected, match="423"):
            await publishing

    published(scenario)


def test_an_interval_that_grows_for_ever_is_given_up() -> None:
    async def scenario(alice: UserAgent, esc: Party) -> None:
        publishing = asyncio.ensure_future(publication(alice, esc, expires=60).publish())
        for number in range(3):
            esc.reply(await esc.hears("PUBLISH"), 423, extra=f"Min-Expires: {100 + number}")
        with pytest.raises(RequestRejected, match="423"):
            await publishing

    published(scenario)


@pytest.mark.parametrize("status", [403, 415, 489, 500])
def test_a_refusal_is_an_exception_and_nothing_is_left(status: int) -> None:
    async def scenario(alice: UserAgent, esc: Party) -> None:
        async def program() -> None:
            async with publication(alice, esc):
                raise AssertionError("it was refused")

        running = asyncio.ensure_future(program())
        esc.reply(await esc.hears("PUBLISH"), status)
        with pytest.raises(RequestRejected) as raised:
            await running
        assert raised.value.status == status
        assert alice.core.standing == set()
        await esc.hears_nothing()

    published(scenario)


def test_requests_to_one_address_go_out_one_after_the_other() -> None:
    """RFC 3903 §4, also where two publications share the address."""

    async def scenario(alice: UserAgent, esc: Party) -> None:
        one = await begun(alice, esc)
        other = publication(alice, esc, b"other")
        asking = [asyncio.ensure_future(verb) for verb in (one.update(b"2"), one.update(b"3"), other.publish())]
        first = await esc.hears("PUBLISH")
        assert operation(first) == (b"3", "first", 3600)
        await esc.hears_nothing(0.4)
        esc.reply(first, 200, extra="SIP-ETag: second")
        assert await accepted(esc, "third") == (b"", "second", 3600)
        assert await accepted(esc, "other") == (b"other", None, 3600)
        await asyncio.gather(*asking)
        await removed(one, esc, "third")
        await removed(other, esc, "other")

    published(scenario)


def test_who_stops_waiting_does_not_stop_the_request() -> None:
    async def scenario(alice: UserAgent, esc: Party) -> None:
        one = await begun(alice, esc)
        updating = asyncio.ensure_future(one.update(b"open"))
        request = await esc.hears("PUBLISH")
        updating.cancel()
        removing = asyncio.ensure_future(one.remove())
        await esc.hears_nothing(0.4)
        esc.reply(request, 200, extra="SIP-ETag: second")
        assert await accepted(esc, "gone") == (b"", "second", 0)
        await removing

    published(scenario)


def test_an_update_that_failed_goes_out_with_the_next_renewal() -> None:
    async def scenario(alice: UserAgent, esc: Party) -> None:
        one = await begun(alice, esc, 600)
        updating = asyncio.ensure_future(one.update(b"open"))
        esc.reply(await esc.hears("PUBLISH"), 500)
        with pytest.raises(RequestRejected):
            await updating
        assert await accepted(esc, "second") == (b"open", "first", 3600)
        await asyncio.sleep(0.1)
        assert one.failure is None
        await removed(one, esc, "second")

    published(scenario)


def test_a_renewal_that_gets_no_answer_is_tried_again_and_publishes_anew_once_the_state_is_gone() -> None:
    failures: list[RequestFailed] = []

    async def scenario(alice: UserAgent, esc: Party) -> None:
        one = await begun(alice, esc, 100, on_failure=failures.append)
        await asyncio.sleep(50 + 32 + 1)
        assert isinstance(one.failure, RequestTimedOut)
        assert failures == [one.failure]
        assert set(esc.kinds()) == {"PUBLISH"}
        assert await accepted(esc, "second") == (b"closed", None, 3600)
        await asyncio.sleep(0.1)
        assert (one.failure, one.entity_tag) == (None, "second")
        await removed(one, esc, "second")

    published(scenario)


def test_a_renewal_that_is_refused_is_the_last() -> None:
    failures: list[RequestFailed] = []

    async def scenario(alice: UserAgent, esc: Party) -> None:
        one = await begun(alice, esc, 100, on_failure=failures.append)
        esc.reply(await esc.hears("PUBLISH"), 403)
        await esc.hears_nothing(1000)
        assert [failure.status for failure in failures] == [403]
        assert one.failure is failures[0]
        await removed(one, esc, "first")

    published(scenario)


def test_a_server_that_asks_for_time_gets_it() -> None:
    async def scenario(alice: UserAgent, esc: Party) -> None:
        one = await begun(alice, esc, 600)
        esc.reply(await esc.hears("PUBLISH"), 500, extra="Retry-After: 1000")
        await esc.hears_nothing(999)
        assert await accepted(esc, "second") == (b"closed", None, 3600)
        await asyncio.sleep(0.1)
        await removed(one, esc, "second")

    published(scenario)


@pytest.mark.parametrize("extra", ["Subject: no tag", "SIP-ETag: no token"])
def test_a_2xx_without_a_tag_that_can_be_used_makes_every_renewal_a_publication(extra: str) -> None:
    async def scenario(alice: UserAgent, esc: Party) -> None:
        one = publication(alice, esc, expires=600)
        publishing = asyncio.ensure_future(one.publish())
        esc.reply(await esc.hears("PUBLISH"), 200, extra=extra)
        await publishing
        assert await accepted(esc, "second") == (b"closed", None, 600)
        await asyncio.sleep(0.1)
        await removed(one, esc, "second")

    published(scenario)


def test_what_was_never_published_needs_no_removal() -> None:
    async def scenario(alice: UserAgent, esc: Party) -> None:
        one = publication(alice, esc)
        await one.remove()
        await esc.hears_nothing()
        again = asyncio.ensure_future(one.publish())
        await accepted(esc, "first")
        await again
        await removed(one, esc, "first")
        await one.remove()
        await esc.hears_nothing()

    published(scenario)


@pytest.mark.parametrize(("status", "raises"), [(412, False), (500, True)])
def test_a_removal_may_be_refused(status: int, raises: bool) -> None:
    async def scenario(alice: UserAgent, esc: Party) -> None:
        one = await begun(alice, esc)
        removing = asyncio.ensure_future(one.remove())
        esc.reply(await esc.hears("PUBLISH"), status)
        if raises:
            with pytest.raises(RequestRejected, match=str(status)):
                await removing
        else:
            await removing
        assert one.entity_tag is None

    published(scenario)


def test_at_the_end_of_the_block_a_refused_removal_is_only_noted() -> None:
    async def scenario(alice: UserAgent, esc: Party) -> None:
        one = await begun(alice, esc)
        leaving = asyncio.ensure_future(one.__aexit__(None, None, None))
        esc.reply(await esc.hears("PUBLISH"), 500)
        await leaving
        assert one.failure is not None
        assert one.failure.status == 500

    published(scenario)


def test_an_update_that_waits_when_the_state_is_removed_goes_nowhere() -> None:
    async def scenario(alice: UserAgent, esc: Party) -> None:
        one = await begun(alice, esc)
        updating = asyncio.ensure_future(one.update(b"2"))
        request = await esc.hears("PUBLISH")
        later = asyncio.ensure_future(one.update(b"3"))
        await asyncio.sleep(0)
        one.close()
        esc.reply(request, 200, extra="SIP-ETag: second")
        assert await accepted(esc, "gone") == (b"", "second", 0)
        await asyncio.gather(updating, later)

    published(scenario)


def test_an_agent_that_closes_removes_what_it_published() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        esc = await stage.party("esc", "alice")
        await begun(alice, esc)
        closing = asyncio.ensure_future(alice.close())
        assert await accepted(esc, "gone", 0) == (b"", "first", 0)
        await closing
        del stage.agents["alice"]

    on_stage(scenario)


def test_awaiting_it_publishes() -> None:
    async def scenario(alice: UserAgent, esc: Party) -> None:
        async def program() -> Publication:
            return await publication(alice, esc)

        running = asyncio.ensure_future(program())
        await accepted(esc, "first")
        await removed(await running, esc, "first")

    published(scenario)


def test_a_renewal_comes_half_way_at_the_earliest_and_leaves_time_for_two_attempts() -> None:
    assert [renewal_delay(seconds, 0.5) for seconds in (10, 100, 128, 3600)] == [5, 50, 64, 3536]


def test_a_challenge_is_answered() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice", "sip:alice@192.0.2.2", password="secret")
        esc = await stage.party("esc", "alice")
        one = publication(alice, esc)
        publishing = asyncio.ensure_future(one.publish())
        esc.reply(await esc.hears("PUBLISH"), 401, extra='WWW-Authenticate: Digest realm="x", nonce="n", algorithm=MD5, qop="auth"')
        again = await esc.hears("PUBLISH")
        assert "Authorization" in again.headers
        esc.reply(again, 200, extra="SIP-ETag: first\nRecord-Route: <sip:192.0.2.99;lr>")
        await publishing
        refreshing = asyncio.ensure_future(one.refresh())
        refresh = await esc.hears("PUBLISH")
        assert "Route" not in refresh.headers
        esc.reply(refresh, 200, extra="SIP-ETag: second")
        await refreshing
        await removed(one, esc, "second")

    on_stage(scenario)
