"""The program answers the callee's offer when it can, and two parties are brought together so (RFC 3261 §13.2.2.4, RFC 3264)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ringback import CallEnded, CallRejected, IncomingCall, OutgoingCall, Request, UserAgent
from ringback.agent.call.foreign_media import ForeignMedia
from ringback.agent.call.late_offer import OnOffer
from ringback.sdp.description import SessionDescription
from tests.agent.stage import Stage, on_stage
from tests.server.party import Party

OFFER = b"v=0\r\no=bob 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
ANSWER = b"v=0\r\no=carol 1 1 IN IP4 192.0.2.3\r\ns=-\r\nc=IN IP4 192.0.2.3\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\n"
SDP = "Content-Type: application/sdp"


async def answer_in_a_while(offer: SessionDescription) -> SessionDescription:
    assert offer.to_bytes() == OFFER
    await asyncio.sleep(5)
    return SessionDescription.parse(ANSWER)


async def placed(stage: Stage, on_offer: OnOffer, **options: Any) -> tuple[OutgoingCall, Party, Request]:
    """Alice's call to Bob, whom she asks to offer, and the INVITE."""
    alice = await stage.agent("alice")
    bob = await stage.party("bob", "alice")
    call = alice.call(bob.uri, offers=False, on_offer=on_offer, media=ForeignMedia, **options)
    await call.place()
    return call, bob, await bob.hears("INVITE")


def accept(bob: Party, invite: Request, tag: str = "bob-tag", body: bytes = OFFER) -> None:
    bob.reply(invite, 200, tag=tag, extra=SDP if body else "", body=body)


def test_the_ack_waits_for_the_programs_answer_however_often_the_2xx_comes() -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, invite = await placed(stage, answer_in_a_while)
        assert not invite.body
        assert "100rel" not in invite.headers.values("Supported")
        accept(bob, invite)
        await asyncio.sleep(1)
        accept(bob, invite)
        await asyncio.sleep(3.9)
        assert not call.is_answered
        assert "ACK" not in stage.said()
        ack = await bob.hears("ACK")
        assert ack.body == ANSWER
        await call.answered()
        assert call.session is not None
        assert call.session.negotiation.exchange.remote is not None
        accept(bob, invite)
        again = await bob.hears("ACK")
        assert again.body == ANSWER
        hanging_up = asyncio.create_task(call.hang_up())
        bob.reply(await bob.hears("BYE"), 200)
        await hanging_up

    on_stage(scenario)


def test_what_the_program_raises_the_call_raises_and_the_callee_is_hung_up_on() -> None:
    async def refuse(_: SessionDescription) -> SessionDescription:
        raise LookupError("nobody to ask")

    async def scenario(stage: Stage) -> None:
        call, bob, invite = await placed(stage, refuse)
        accept(bob, invite)
        await bob.hears("ACK")
        bob.reply(await bob.hears("BYE"), 200)
        with pytest.raises(LookupError, match="nobody to ask"):
            await call
        assert call.is_over

    on_stage(scenario)


def test_an_answer_that_does_not_fit_is_told_and_the_callee_is_hung_up_on() -> None:
    async def misfit(_: SessionDescription) -> SessionDescription:
        return SessionDescription.parse(ANSWER + b"m=video 6002 RTP/AVP 31\r\n")

    async def scenario(stage: Stage) -> None:
        call, bob, invite = await placed(stage, misfit)
        accept(bob, invite)
        await bob.hears("ACK")
        bob.reply(await bob.hears("BYE"), 200)
        with pytest.raises(ValueError, match="2 m= lines where the offer has 1"):
            await call

    on_stage(scenario)


def test_giving_up_meanwhile_hangs_up_on_the_callee() -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, invite = await placed(stage, answer_in_a_while)
        accept(bob, invite)
        await asyncio.sleep(1)
        call.cancel()
        await bob.hears("ACK")
        bob.reply(await bob.hears("BYE"), 200)
        with pytest.raises(CallEnded):
            await call

    on_stage(scenario)


def test_who_hangs_up_before_the_ack_is_no_call() -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, invite = await placed(stage, answer_in_a_while)
        accept(bob, invite)
        await asyncio.sleep(1)
        bye = bob.request(
            "BYE", "sip:alice@192.0.2.1:5060", from_=f"<{bob.uri}>;tag=bob-tag", to=invite.headers.text("From"), call_id=invite.call_id
        )
        bob.send(bye)
        await bob.hears("200 BYE")
        await bob.hears("ACK")
        with pytest.raises(CallRejected):
            await call

    on_stage(scenario)


def test_another_party_that_answers_meanwhile_is_hung_up_on() -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, invite = await placed(stage, answer_in_a_while)
        accept(bob, invite)
        await asyncio.sleep(0.1)
        accept(bob, invite, tag="another-tag")
        assert (await bob.hears("ACK")).to_tag == "another-tag"
        bye = await bob.hears("BYE")
        assert bye.to_tag == "another-tag"
        bob.reply(bye, 200)
        await call
        assert (await bob.hears("ACK")).to_tag == "bob-tag"
        hanging_up = asyncio.create_task(call.hang_up())
        bob.reply(await bob.hears("BYE"), 200)
        await hanging_up

    on_stage(scenario)


@pytest.mark.parametrize("body", [b"", b"v=0\r\nnot a description"])
def test_a_2xx_without_a_usable_offer_asks_the_program_nothing(body: bytes) -> None:
    async def never(_: SessionDescription) -> SessionDescription:
        raise AssertionError("there was no offer")

    async def scenario(stage: Stage) -> None:
        call, bob, invite = await placed(stage, never)
        accept(bob, invite, body=body)
        await bob.hears("ACK")
        if body:
            bob.reply(await bob.hears("BYE"), 200)
            with pytest.raises(CallRejected):
                await call
        else:
            await call
            hanging_up = asyncio.create_task(call.hang_up())
            bob.reply(await bob.hears("BYE"), 200)
            await hanging_up

    on_stage(scenario)


@pytest.mark.parametrize("options", [{}, {"offers": True}, {"offers": False, "requires": ["100rel"]}])
def test_it_needs_an_offer_to_answer(options: dict[str, Any]) -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        with pytest.raises(ValueError, match="on_offer"):
            alice.call("sip:bob@192.0.2.2", on_offer=answer_in_a_while, **options)

    on_stage(scenario)


def test_a_controller_brings_two_parties_together() -> None:
    """Bob offers, Carol rings for a while and answers, and what each has heard is what the other has said; the controller sees no media."""
    taken: dict[str, IncomingCall] = {}

    async def pick_up(call: IncomingCall) -> None:
        name = call.addressee.uri_text
        await call.ring()
        await asyncio.sleep(3)
        taken[name] = call
        await call.answer()
        await call.ended()

    async def scenario(stage: Stage) -> None:
        controller: UserAgent = await stage.agent("controller")
        for name in ("bob", "carol"):
            await stage.agent(name, on_call=pick_up)
        calls: list[OutgoingCall] = []

        async def ask_carol(offer: SessionDescription) -> SessionDescription:
            media = ForeignMedia("192.0.2.1", offer)
            calls.append(await controller.call(stage.uri("carol"), media=lambda _: media))
            assert media.remote is not None
            return media.remote

        async with controller.call(stage.uri("bob"), offers=False, on_offer=ask_carol, media=ForeignMedia):
            await asyncio.sleep(1)
            bob, carol = (taken[stage.uri(name)].media for name in ("bob", "carol"))
            for one, other in ((bob, carol), (carol, bob)):
                assert one.remote.to_bytes() == other.local.to_bytes()  # type: ignore[attr-defined]  # silent media remember
        await calls[0].hang_up()

    on_stage(scenario)
