"""Reliable provisional responses as the caller takes and acknowledges them (RFC 3262 §4, §5; RFC 3261 §13.2.1)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ringback import CallRejected, OutgoingCall, Request, Response
from ringback.sdp.description import SessionDescription
from tests.agent.call.test_reliable import SDP, description
from tests.agent.stage import Stage, on_stage
from tests.server.party import Party


async def placed(stage: Stage, **options: Any) -> tuple[OutgoingCall, Party, Request]:
    """A call of Alice's to Bob, and its INVITE as he hears it."""
    alice = await stage.agent("alice")
    bob = await stage.party("bob", "alice")
    call = alice.call(bob.uri, **options)
    await call.place()
    return call, bob, await bob.hears("INVITE")


def reliably(bob: Party, request: Request, number: int, status: int = 180, *, tag: str | None = None, body: str = "") -> Response:
    """Bob's reliable response."""
    extra = f"Require: 100rel\nRSeq: {number}" + (f"\n{SDP}" if body else "")
    return bob.reply(request, status, tag=tag, extra=extra, body=body.encode())


async def answered(bob: Party, call: OutgoingCall, request: Request, *, body: str = "") -> Request:
    """Bob answers and Alice's ACK comes; gives it."""
    bob.reply(request, 200, extra=SDP if body else "", body=body.encode())
    ack: Request = await bob.hears("ACK")
    await call.answered()
    return ack


def agreed(call: OutgoingCall) -> SessionDescription | None:
    """What Bob has said reliably in his early dialog."""
    return call.sessions["bob-tag"].negotiation.exchange.remote


async def ends(bob: Party, call: OutgoingCall) -> None:
    """Alice hangs up."""
    ending = asyncio.ensure_future(call.hang_up())
    bob.reply(await bob.hears("BYE"), 200)
    await ending


def test_every_invite_says_that_reliable_responses_are_known_and_acknowledges_them_in_the_early_dialog() -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, request = await placed(stage)
        assert "100rel" in request.supported
        assert {"PRACK", "UPDATE"} <= set(request.headers.values("Allow"))
        assert request.require == []
        reliably(bob, request, 776656)
        prack = await bob.hears("PRACK")
        assert str(prack.value("RAck")) == "776656 1 INVITE"
        assert prack.uri_text == bob.uri
        assert (prack.call_id, prack.from_tag, prack.to_tag) == (request.call_id, request.from_tag, "bob-tag")
        assert prack.cseq.number == 2
        assert prack.require == []
        assert prack.body == b""
        bob.reply(prack, 200)
        assert call.ringing.done()
        ack = await answered(bob, call, request, body=description())
        assert ack.cseq.number == 1
        await ends(bob, call)

    on_stage(scenario)


def test_repetitions_and_what_is_out_of_order_are_ignored() -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, request = await placed(stage)
        reliably(bob, request, 5)
        bob.reply(await bob.hears("PRACK"), 200)
        for number in (5, 7, 4, 1):
            reliably(bob, request, number, 183, body=description())
        await bob.hears_nothing(1)
        assert agreed(call) is None
        reliably(bob, request, 6, 183, body=description())
        prack = await bob.hears("PRACK")
        assert str(prack.value("RAck")) == "6 1 INVITE"
        bob.reply(prack, 200)
        assert agreed(call) == SessionDescription.parse(description().encode())
        await answered(bob, call, request)
        # After the final response they are discarded.
        reliably(bob, request, 7)
        await bob.hears_nothing(1)
        await ends(bob, call)

    on_stage(scenario)


def test_each_early_dialog_of_a_fork_counts_for_itself() -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, request = await placed(stage)
        for tag, number in (("one", 100), ("two", 9), ("one", 101), ("two", 10)):
            reliably(bob, request, number, tag=tag)
            prack = await bob.hears("PRACK")
            assert (prack.to_tag, str(prack.value("RAck"))) == (tag, f"{number} 1 INVITE")
            bob.reply(prack, 200)
        assert set(call.sessions) == {"one", "two"}
        bob.reply(request, 486)
        await bob.hears("ACK")
        with pytest.raises(CallRejected):
            await call.answered()

    on_stage(scenario)


@pytest.mark.parametrize("extra", ["Require: 100rel", "Require: 100rel\nRSeq: 0", "Require: 100rel\nRSeq: 4294967296"])
def test_a_reliable_response_without_a_number_is_not_acknowledged(extra: str) -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, request = await placed(stage)
        bob.reply(request, 180, extra=extra)
        await bob.hears_nothing(1)
        await answered(bob, call, request, body=description())
        await ends(bob, call)

    on_stage(scenario)


def test_in_a_100_the_option_tag_says_nothing() -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, request = await placed(stage)
        bob.reply(request, 100, extra="Require: 100rel\nRSeq: 1")
        await bob.hears_nothing(1)
        await answered(bob, call, request, body=description())
        await ends(bob, call)

    on_stage(scenario)


def test_who_insists_requires_it_of_the_invite_alone() -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, request = await placed(stage, requires=["100rel"])
        assert request.require == ["100rel"]
        bob.reply(request, 420, extra="Unsupported: 100rel")
        assert (await bob.hears("ACK")).require == []
        with pytest.raises(CallRejected) as raised:
            await call.answered()
        assert raised.value.status == 420

    on_stage(scenario)


def test_after_a_reliable_answer_descriptions_in_later_responses_are_ignored() -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, request = await placed(stage)
        reliably(bob, request, 1, 183, body=description())
        bob.reply(await bob.hears("PRACK"), 200)
        reliably(bob, request, 2, 183, body=description(2, "audio 5000 RTP/AVP 0"))
        bob.reply(await bob.hears("PRACK"), 200)
        bob.reply(request, 183, extra=SDP, body=description(2, "audio 5000 RTP/AVP 0").encode())
        await answered(bob, call, request, body=description(3, "audio 6000 RTP/AVP 0"))
        assert call.session is not None
        assert call.session.negotiation.exchange.remote == SessionDescription.parse(description().encode())
        await ends(bob, call)

    on_stage(scenario)


@pytest.mark.parametrize(("media", "port"), [("audio 4000 RTP/AVP 0", True), ("video 4000 RTP/AVP 31", False)])
def test_an_offer_in_a_reliable_response_is_answered_in_the_prack(media: str, port: bool) -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, request = await placed(stage, offers=False)
        assert request.body == b""
        reliably(bob, request, 1, 183, body=description(media=media))
        prack = await bob.hears("PRACK")
        assert str(prack.content_type) == "application/sdp"
        assert bool(SessionDescription.parse(prack.body).media[0].port) is port
        bob.reply(prack, 200)
        # Neither the 2xx nor its ACK has anything to add.
        ack = await answered(bob, call, request, body=description(2, "audio 6000 RTP/AVP 0"))
        assert ack.body == b""
        await ends(bob, call)

    on_stage(scenario)


def test_a_second_offer_of_the_caller_goes_in_the_prack() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        bob = await stage.party("bob", "alice")
        call = alice.call(bob.uri)
        call.reoffer = lambda _: call.sessions["bob-tag"].negotiation.hold()
        await call.place()
        request = await bob.hears("INVITE")
        reliably(bob, request, 1, 183, body=description())
        prack = await bob.hears("PRACK")
        assert SessionDescription.parse(prack.body).media[0].direction == "sendonly"
        bob.reply(prack, 200, extra=SDP, body=description(2, "audio 4000 RTP/AVP 0\r\na=recvonly").encode())
        await answered(bob, call, request)
        assert call.session is not None
        remote = call.session.negotiation.exchange.remote
        assert remote is not None
        assert remote.media[0].direction == "recvonly"
        await ends(bob, call)

    on_stage(scenario)


def test_an_offer_in_a_prack_that_is_refused_leaves_all_as_it_was() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        bob = await stage.party("bob", "alice")
        call = alice.call(bob.uri)
        call.reoffer = lambda _: call.sessions["bob-tag"].negotiation.hold()
        await call.place()
        request = await bob.hears("INVITE")
        reliably(bob, request, 1, 183, body=description())
        bob.reply(await bob.hears("PRACK"), 488)
        await asyncio.sleep(1)
        exchange = call.sessions["bob-tag"].negotiation.exchange
        assert call.sessions["bob-tag"].negotiation.is_stable
        assert exchange.remote == SessionDescription.parse(description().encode())
        await answered(bob, call, request)
        await ends(bob, call)

    on_stage(scenario)


def test_a_program_that_fails_to_offer_costs_nobody_the_prack() -> None:
    async def scenario(stage: Stage) -> None:
        def fail(_: SessionDescription) -> SessionDescription:
            raise LookupError("no idea")

        alice = await stage.agent("alice")
        bob = await stage.party("bob", "alice")
        call = alice.call(bob.uri)
        call.reoffer = fail
        await call.place()
        request = await bob.hears("INVITE")
        reliably(bob, request, 1, 183, body=description())
        prack = await bob.hears("PRACK")
        assert prack.body == b""
        assert [type(fault["exception"]) for fault in stage.faults] == [LookupError]
        stage.faults.clear()
        bob.reply(prack, 200)
        await answered(bob, call, request)
        await ends(bob, call)

    on_stage(scenario)


@pytest.mark.parametrize("body", ["", "nonsense"])
def test_an_offer_in_a_prack_without_a_usable_answer_ends_the_early_dialog(body: str) -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        bob = await stage.party("bob", "alice")
        call = alice.call(bob.uri)
        call.reoffer = lambda _: call.sessions["bob-tag"].negotiation.hold()
        await call.place()
        request = await bob.hears("INVITE")
        reliably(bob, request, 1, 183, body=description())
        bob.reply(await bob.hears("PRACK"), 200, extra=SDP if body else "", body=body.encode())
        bob.reply(await bob.hears("BYE"), 200)
        bob.reply(request, 487)
        await bob.hears("ACK")
        with pytest.raises(CallRejected) as raised:
            await call.answered()
        assert raised.value.status == 487

    on_stage(scenario)


@pytest.mark.parametrize("final", [487, 200])
def test_an_unusable_reliable_answer_is_acknowledged_and_ends_the_early_dialog(final: int) -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, request = await placed(stage)
        reliably(bob, request, 1, 183, body="nonsense")
        bob.reply(await bob.hears("PRACK"), 200)
        bob.reply(await bob.hears("BYE"), 200)
        # What is said in a dialog that is over is not heard.
        reliably(bob, request, 2, 183, body=description())
        await bob.hears_nothing(1)
        bob.reply(request, final)
        await bob.hears("ACK")
        if final == 200:
            bob.reply(await bob.hears("BYE"), 200)
        with pytest.raises(CallRejected) as raised:
            await call.answered()
        assert raised.value.status == (500 if final == 200 else 487)

    on_stage(scenario)


@pytest.mark.parametrize("status", [481, None])
def test_a_prack_that_is_not_taken_ends_the_early_dialog(status: int | None) -> None:
    """RFC 5057 §5.1, §5.2: 481, or no answer at all."""

    async def scenario(stage: Stage) -> None:
        call, bob, request = await placed(stage)
        reliably(bob, request, 1)
        prack = await bob.hears("PRACK")
        if status is None:
            await asyncio.sleep(33)
            assert set(bob.kinds()) == {"PRACK", "BYE"}
        else:
            bob.reply(prack, status)
            await asyncio.sleep(1)
        assert call.sessions["bob-tag"].is_over
        bob.reply(request, 504)
        await asyncio.sleep(1)
        assert "ACK" in bob.kinds()
        with pytest.raises(CallRejected):
            await call.answered()

    on_stage(scenario)
