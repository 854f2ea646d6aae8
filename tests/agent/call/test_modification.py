"""Changing a session that stands: re-INVITE and UPDATE from both sides (RFC 3261 §14, RFC 3311, RFC 6141, RFC 5407)."""

from __future__ import annotations

import asyncio
import random

import pytest

from ringback import CallEnded, IncomingCall, Response
from ringback.agent.call import modification
from ringback.agent.call.call import Call
from ringback.agent.errors import RequestRejected
from ringback.testing import Network
from tests.agent.conversation import (
    SDP,
    acknowledged,
    ask,
    called,
    description,
    ends,
    hang_up,
    in_force,
    listen,
    now,
    parsed,
    remote_of,
    reversed_ends,
    standing,
    taken,
)
from tests.agent.stage import Stage, on_stage
from tests.server.party import Dialog


def test_a_reinvite_is_a_request_of_the_dialog_with_the_whole_description_one_version_on() -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, request = await standing(stage)
        holding = asyncio.ensure_future(call.hold())
        hold = await bob.hears("INVITE")
        assert (hold.uri_text, hold.call_id, hold.from_tag, hold.to_tag) == (bob.uri, request.call_id, request.from_tag, "bob-tag")
        assert hold.cseq.number == 2
        assert hold.contact.uri_text == "sip:alice@192.0.2.1:5060"
        assert parsed(hold).media[0].formats == parsed(request).media[0].formats
        assert parsed(hold).media[0].direction == "sendonly"
        assert parsed(hold).origin.version == parsed(request).origin.version + 1
        ack = await taken(bob, hold)
        await holding
        assert (ack.cseq.number, ack.body) == (2, b"")
        assert remote_of(call) == parsed(description(2, direction="recvonly"))
        await ends(bob, call)

    on_stage(scenario)


@pytest.mark.parametrize("status", [302, 400, 488, 500, 606])
@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_a_refusal_leaves_all_as_it_was(method: str, status: int) -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, _ = await standing(stage)
        assert call.session is not None
        before = in_force(call)
        held = call.session.negotiation.hold()
        modifying = asyncio.ensure_future(call.modify(held, method=method))
        refused = await bob.hears(method)
        bob.reply(refused, status, extra="Contact: <sip:elsewhere@192.0.2.9>")
        if method == "INVITE":
            await bob.hears("ACK")
        with pytest.raises(RequestRejected) as raised:
            await modifying
        assert raised.value.status == status
        assert in_force(call) == before
        # What was refused may be offered again as it was.
        holding = asyncio.ensure_future(call.hold())
        again = await bob.hears("INVITE")
        assert again.body == refused.body
        await taken(bob, again)
        await holding
        await ends(bob, call)

    on_stage(scenario)


def test_a_hold_that_is_refused_is_none() -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, _ = await standing(stage)
        holding = asyncio.ensure_future(call.hold())
        bob.reply(await bob.hears("INVITE"), 488)
        await bob.hears("ACK")
        with pytest.raises(RequestRejected):
            await holding
        assert call.session is not None
        assert not call.session.negotiation.holds
        await ends(bob, call)

    on_stage(scenario)


@pytest.mark.parametrize(("chance", "wait"), [(0.0, 2.1), (0.5, 3.05), (0.9999, 4.0)])
@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_after_a_491_the_caller_waits_between_2_1_and_4_seconds(
    monkeypatch: pytest.MonkeyPatch, method: str, chance: float, wait: float
) -> None:
    monkeypatch.setattr(modification, "_chance", lambda: chance)

    async def scenario(stage: Stage) -> None:
        call, bob, _ = await standing(stage)
        assert call.session is not None
        modifying = asyncio.ensure_future(call.modify(call.session.negotiation.hold(), method=method))
        first = await bob.hears(method)
        bob.reply(first, 491)
        if method == "INVITE":
            await bob.hears("ACK")
        since = now()
        second = await bob.hears(method)
        assert now() - since == pytest.approx(wait, abs=0.02)
        assert parsed(second).media[0].direction == "sendonly"
        bob.reply(second, 200, extra=SDP, body=description(2, direction="recvonly").encode())
        if method == "INVITE":
            await bob.hears("ACK")
        await modifying
        await ends(bob, call)

    on_stage(scenario)


@pytest.mark.parametrize(("chance", "wait"), [(0.0, 0.0), (0.5, 1.0), (0.9999, 2.0)])
def test_after_a_491_the_callee_waits_up_to_2_seconds(monkeypatch: pytest.MonkeyPatch, chance: float, wait: float) -> None:
    monkeypatch.setattr(modification, "_chance", lambda: chance)

    async def scenario(stage: Stage) -> None:
        async def hold(call: IncomingCall) -> None:
            await call.answer()
            await call.hold()
            await call.ended()

        alice, request = await called(stage, hold)
        dialog = await acknowledged(alice, request)
        alice.reply(await alice.hears("INVITE"), 491)
        await alice.hears("ACK")
        since = now()
        again = await alice.hears("INVITE")
        assert now() - since == pytest.approx(wait, abs=0.02)
        await taken(alice, again)
        await hang_up(alice, dialog)

    on_stage(scenario)


def test_a_peer_that_is_never_ready_has_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modification, "_chance", lambda: 0.9999)

    async def scenario(stage: Stage) -> None:
        call, bob, _ = await standing(stage)
        holding = asyncio.ensure_future(call.hold())
        for _ in range(16):
            bob.reply(await bob.hears("INVITE"), 491)
            await bob.hears("ACK")
        with pytest.raises(RequestRejected) as raised:
            await holding
        assert raised.value.status == 491
        assert now() == pytest.approx(60, abs=0.1)
        await ends(bob, call)

    on_stage(scenario)


def test_what_is_offered_after_a_491_continues_what_was_agreed_meanwhile() -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, request = await standing(stage)
        holding = asyncio.ensure_future(call.hold())
        bob.reply(await bob.hears("INVITE"), 491)
        await bob.hears("ACK")
        dialog = Dialog(bob, bob, request, Response(200, headers=reversed_ends(request)))
        theirs = description(2, "audio 4000 RTP/AVP 0\r\nm=video 4002 RTP/AVP 31")
        invite = bob.within("INVITE", dialog, cseq=1, extra=f"Contact: <{bob.uri}>\n{SDP}", body=theirs)
        ok = await bob.hears("200 INVITE")
        bob.within("ACK", Dialog(bob, bob, invite, ok), cseq=1)
        again = await bob.hears("INVITE")
        assert [medium.kind for medium in parsed(again).media] == ["audio", "video"]
        # The answer between held already, as was wanted.
        assert again.body == ok.body
        await taken(bob, again, description(3, "audio 4000 RTP/AVP 0\r\na=recvonly\r\nm=video 0 RTP/AVP 31"))
        await holding
        await ends(bob, call)

    on_stage(scenario)


def test_who_hangs_up_meanwhile_tries_no_more() -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, _ = await standing(stage)
        holding = asyncio.ensure_future(call.hold())
        bob.reply(await bob.hears("INVITE"), 491)
        await bob.hears("ACK")
        await ends(bob, call)
        with pytest.raises(CallEnded):
            await holding
        await bob.hears_nothing(10)

    on_stage(scenario)


def test_after_a_500_it_is_tried_again_when_the_peer_says() -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, _ = await standing(stage)
        holding = asyncio.ensure_future(call.hold())
        bob.reply(await bob.hears("INVITE"), 500, extra="Retry-After: 7")
        await bob.hears("ACK")
        since = now()
        again = await bob.hears("INVITE")
        assert now() - since == pytest.approx(7, abs=0.02)
        bob.reply(again, 500, extra="Retry-After: 3600")
        await bob.hears("ACK")
        with pytest.raises(RequestRejected) as raised:
            await holding
        assert raised.value.retry_after == 3600
        await ends(bob, call)

    on_stage(scenario)


@pytest.mark.parametrize("status", [408, 481, None])
@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_408_481_and_silence_end_the_session(method: str, status: int | None) -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, _ = await standing(stage)
        assert call.session is not None
        modifying = asyncio.ensure_future(call.modify(call.session.negotiation.hold(), method=method))
        request = await bob.hears(method)
        if status is None:
            await asyncio.sleep(33)
            assert set(bob.kinds()) == {method, "BYE"}
        else:
            bob.reply(request, status)
            await asyncio.sleep(0.1)
            assert sorted(bob.kinds()) == (["ACK", "BYE"] if method == "INVITE" else ["BYE"])
        with pytest.raises(CallEnded):
            await modifying
        assert call.reason == f"{status or 408} to our {method}"

    on_stage(scenario)


@pytest.mark.parametrize("status", [404, 482])
def test_a_response_that_ends_the_dialog_ends_it_without_a_bye(status: int) -> None:
    """RFC 5057 §5.1."""

    async def scenario(stage: Stage) -> None:
        call, bob, _ = await standing(stage)
        holding = asyncio.ensure_future(call.hold())
        bob.reply(await bob.hears("INVITE"), status)
        await bob.hears("ACK")
        with pytest.raises(CallEnded):
            await holding
        await bob.hears_nothing(10)

    on_stage(scenario)


def test_no_invite_of_ours_leaves_before_the_one_before_it_is_done() -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, _ = await standing(stage)
        first = asyncio.ensure_future(call.hold())
        request = await bob.hears("INVITE")
        second = asyncio.ensure_future(call.modify(None))
        bob.reply(request, 180)
        await bob.hears_nothing(20)
        await taken(bob, request)
        await first
        request = await bob.hears("INVITE")
        ack = await taken(bob, request, description(3))
        assert ack.body
        await second
        await ends(bob, call)

    on_stage(scenario)


def test_no_invite_of_ours_leaves_before_the_ack_of_theirs() -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, request = await standing(stage)
        dialog = Dialog(bob, bob, request, Response(200, headers=reversed_ends(request)))
        theirs = bob.within("INVITE", dialog, cseq=1, extra=f"Contact: <{bob.uri}>\n{SDP}", body=description(2))
        ok = await bob.hears("200 INVITE")
        holding = asyncio.ensure_future(call.hold())
        # Only the 200 is heard again.
        for _ in range(3):
            await bob.hears("200 INVITE")
        bob.within("ACK", Dialog(bob, bob, theirs, ok), cseq=1)
        await taken(bob, await bob.hears("INVITE"), description(3, direction="recvonly"))
        await holding
        await ends(bob, call)

    on_stage(scenario)


def test_without_an_offer_of_ours_the_one_in_the_2xx_is_answered_in_the_ack() -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, request = await standing(stage)
        modifying = asyncio.ensure_future(call.modify(None))
        invite = await bob.hears("INVITE")
        assert invite.body == b""
        ack = await taken(bob, invite, description(2, "audio 4100 RTP/AVP 8"))
        answer = parsed(ack)
        assert answer.media[0].formats == ["8"]
        assert answer.origin.version == parsed(request).origin.version + 1
        await modifying
        assert remote_of(call) == parsed(description(2, "audio 4100 RTP/AVP 8"))
        await ends(bob, call)

    on_stage(scenario)


@pytest.mark.parametrize(("body", "answer"), [(description(2, "video 4000 RTP/AVP 31"), True), ("nonsense", False)])
def test_an_offer_in_a_2xx_that_cannot_be_accepted_is_answered_all_the_same_and_a_bye_follows(body: str, answer: bool) -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, _ = await standing(stage)
        modifying = asyncio.ensure_future(call.modify(None))
        ack = await taken(bob, await bob.hears("INVITE"), body)
        assert bool(ack.body) is answer
        if answer:
            assert [medium.port for medium in parsed(ack).media] == [0]
        bob.reply(await bob.hears("BYE"), 200)
        with pytest.raises(CallEnded):
            await modifying

    on_stage(scenario)


@pytest.mark.parametrize("body", ["", "nonsense", description(2, "audio 4000 RTP/AVP 0\r\nm=audio 4002 RTP/AVP 0")])
@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_a_2xx_without_a_fitting_answer_is_acknowledged_and_a_bye_follows(method: str, body: str) -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, _ = await standing(stage)
        assert call.session is not None
        modifying = asyncio.ensure_future(call.modify(call.session.negotiation.hold(), method=method))
        bob.reply(await bob.hears(method), 200, extra=SDP, body=body.encode())
        if method == "INVITE":
            await bob.hears("ACK")
        bob.reply(await bob.hears("BYE"), 200)
        with pytest.raises(CallEnded):
            await modifying

    on_stage(scenario)


def test_what_the_invite_required_is_required_again() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        bob = await stage.party("bob", "alice")
        call = alice.call(bob.uri, requires=["100rel", "timer"])
        await call.place()
        request = await bob.hears("INVITE")
        assert request.require == ["100rel", "timer"]
        bob.reply(request, 200, extra=SDP, body=description().encode())
        await bob.hears("ACK")
        await call.answered()
        updating = asyncio.ensure_future(call.modify(None, method="UPDATE"))
        update = await bob.hears("UPDATE")
        assert update.require == ["timer"]
        bob.reply(update, 200)
        await updating
        holding = asyncio.ensure_future(call.hold())
        hold = await bob.hears("INVITE")
        assert hold.require == ["100rel", "timer"]
        await taken(bob, hold)
        await holding
        await ends(bob, call)

    on_stage(scenario)


def test_a_2xx_that_comes_after_the_bye_is_acknowledged_and_changes_nothing() -> None:
    """RFC 5407 §3.2.3."""

    async def scenario(stage: Stage) -> None:
        call, bob, _ = await standing(stage)
        holding = asyncio.ensure_future(call.hold())
        invite = await bob.hears("INVITE")
        ending = asyncio.ensure_future(call.hang_up())
        bye = await bob.hears("BYE")
        ack = await taken(bob, invite, description(2, direction="recvonly"))
        assert ack.cseq.number == 2
        bob.reply(bye, 200)
        await ending
        with pytest.raises(CallEnded):
            await holding

    on_stage(scenario)


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_the_contact_of_a_2xx_is_where_the_next_request_goes(method: str) -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, _ = await standing(stage)
        assert call.session is not None
        modifying = asyncio.ensure_future(call.modify(call.session.negotiation.hold(), method=method))
        request = await bob.hears(method)
        extra = SDP if method == "INVITE" else f"{SDP}\nContact: <sip:bob@192.0.2.2:5060;moved>"
        bob.reply(request, 200, extra=extra, body=description(2, direction="recvonly").encode())
        if method == "INVITE":
            await bob.hears("ACK")
        await modifying
        ending = asyncio.ensure_future(call.hang_up())
        bye = await bob.hears("BYE")
        assert bye.uri_text == (bob.uri if method == "INVITE" else "sip:bob@192.0.2.2:5060;moved")
        bob.reply(bye, 200)
        await ending

    on_stage(scenario)


def test_a_reliable_answer_to_a_reinvite_is_acknowledged_and_its_2xx_adds_nothing() -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, _ = await standing(stage)
        holding = asyncio.ensure_future(call.hold())
        invite = await bob.hears("INVITE")
        # Without a number it cannot be acknowledged, and what is malformed says nothing.
        bob.reply(invite, 183, extra="Require: 100rel")
        bob.reply(invite, 183, extra="Require: 100rel, ;\nRSeq: 1")
        held = description(2, direction="recvonly")
        bob.reply(invite, 183, extra=f"Require: 100rel\nRSeq: 9\n{SDP}", body=held.encode())
        prack = await bob.hears("PRACK")
        assert str(prack.value("RAck")) == "9 2 INVITE"
        bob.reply(prack, 200)
        await taken(bob, invite, description(3, "audio 4002 RTP/AVP 0"))
        await holding
        assert remote_of(call) == parsed(held)
        await ends(bob, call)

    on_stage(scenario)


def test_what_was_agreed_before_a_reinvite_was_refused_is_taken_back() -> None:
    """RFC 6141 §3.4."""

    async def scenario(stage: Stage) -> None:
        call, bob, request = await standing(stage)
        holding = asyncio.ensure_future(call.hold())
        invite = await bob.hears("INVITE")
        bob.reply(invite, 183, extra=f"Require: 100rel\nRSeq: 9\n{SDP}", body=description(2, direction="recvonly").encode())
        bob.reply(await bob.hears("PRACK"), 200)
        bob.reply(invite, 500)
        await bob.hears("ACK")
        back = await bob.hears("INVITE")
        assert parsed(back).media == parsed(request).media
        assert parsed(back).origin.version == parsed(invite).origin.version + 1
        await taken(bob, back, description(3))
        with pytest.raises(RequestRejected):
            await holding
        await ends(bob, call)

    on_stage(scenario)


def test_a_reinvite_that_says_something_new_is_answered_and_one_that_does_not_too() -> None:
    async def scenario(stage: Stage) -> None:
        alice, request = await called(stage)
        dialog = await acknowledged(alice, request)
        changed = ask(alice, dialog, "INVITE", 2, description(2, "audio 4000 RTP/AVP 8"))
        ok = await alice.hears("200 INVITE")
        assert parsed(ok).media[0].formats == ["8"]
        assert parsed(ok).origin.version == parsed(dialog.ok).origin.version + 1
        assert ok.contact.uri_text == "sip:bob@192.0.2.1:5060"
        alice.within("ACK", Dialog(alice, alice, changed, ok), cseq=2)
        same = ask(alice, dialog, "INVITE", 3, description(2, "audio 4000 RTP/AVP 8"))
        again = await alice.hears("200 INVITE")
        assert again.body == ok.body
        alice.within("ACK", Dialog(alice, alice, same, again), cseq=3)
        await hang_up(alice, dialog)

    on_stage(scenario)


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize(("body", "status"), [(description(2, "video 4000 RTP/AVP 31"), 488), ("nonsense", 488), (description(2), 400)])
def test_what_cannot_be_accepted_is_refused_and_leaves_all_as_it_was(method: str, body: str, status: int) -> None:
    calls: list[IncomingCall] = []

    async def scenario(stage: Stage) -> None:
        async def remember(call: IncomingCall) -> None:
            calls.append(call)
            await listen(call)

        alice, request = await called(stage, remember)
        dialog = await acknowledged(alice, request)
        await asyncio.sleep(1)
        (call,) = calls
        before = in_force(call)
        contact = "<mailto:alice@example.com>" if status == 400 else "<sip:alice@192.0.2.77>"
        refused = alice.compose(method, dialog, cseq=2, extra=SDP, body=body)
        refused.headers.set("Contact", contact)
        alice.send(refused)
        answer = await alice.hears(f"{status} {method}")
        assert bool(answer.headers.values("Warning")) is (status == 488)
        if method == "INVITE":
            alice.ack(refused, answer)
        assert in_force(call) == before
        await hang_up(alice, dialog)

    on_stage(scenario)


def test_a_second_invite_before_the_answer_to_the_first_gets_500_and_a_wish(monkeypatch: pytest.MonkeyPatch) -> None:
    chances = iter([0.0, 0.9999])
    monkeypatch.setattr(modification, "_chance", lambda: next(chances))

    async def scenario(stage: Stage) -> None:
        async def slow(call: IncomingCall) -> None:
            await call.ring()
            await asyncio.sleep(5)
            await listen(call)

        alice, request = await called(stage, slow)
        early = Dialog(alice, alice, request, await alice.hears("180 INVITE"))
        for cseq, seconds in ((2, 0), (3, 10)):
            second = ask(alice, early, "INVITE", cseq, description(2))
            refused = await alice.hears("500 INVITE")
            assert refused.value("Retry-After").seconds == seconds
            alice.ack(second, refused)
        await hang_up(alice, await acknowledged(alice, request))

    on_stage(scenario)


def test_an_invite_while_ours_is_under_way_gets_491() -> None:
    async def scenario(stage: Stage) -> None:
        async def hold(call: IncomingCall) -> None:
            await call.answer()
            await call.hold()
            await call.ended()

        alice, request = await called(stage, hold)
        dialog = await acknowledged(alice, request)
        ours = await alice.hears("INVITE")
        theirs = ask(alice, dialog, "INVITE", 2, description(2))
        alice.ack(theirs, await alice.hears("491 INVITE"))
        ask(alice, dialog, "UPDATE", 3, description(2))
        await alice.hears("491 UPDATE")
        # One that offers nothing hinders nobody (RFC 5407 §3.3.2).
        ask(alice, dialog, "UPDATE", 4)
        await alice.hears("200 UPDATE")
        await taken(alice, ours)
        await hang_up(alice, dialog)

    on_stage(scenario)


def test_an_update_of_ours_without_offer_hinders_no_reinvite() -> None:
    async def scenario(stage: Stage) -> None:
        async def refresh(call: IncomingCall) -> None:
            await call.answer()
            await call.modify(None, method="UPDATE")
            await call.ended()

        alice, request = await called(stage, refresh)
        dialog = await acknowledged(alice, request)
        ours = await alice.hears("UPDATE")
        assert ours.body == b""
        theirs = ask(alice, dialog, "INVITE", 2, description(2))
        ok = await alice.hears("200 INVITE")
        alice.within("ACK", Dialog(alice, alice, theirs, ok), cseq=2)
        alice.reply(ours, 200)
        await hang_up(alice, dialog)

    on_stage(scenario)


def test_a_reinvite_without_an_offer_gets_all_that_bob_can_do_and_its_ack_the_answer() -> None:
    calls: list[IncomingCall] = []

    async def scenario(stage: Stage) -> None:
        async def remember(call: IncomingCall) -> None:
            calls.append(call)
            await listen(call)

        alice, request = await called(stage, remember)
        dialog = await acknowledged(alice, request)
        asking = ask(alice, dialog, "INVITE", 2)
        ok = await alice.hears("200 INVITE")
        offer = parsed(ok)
        assert offer.media[0].formats[:2] == ["0", "8"]
        assert set(parsed(dialog.ok).media[0].formats) <= set(offer.media[0].formats)
        assert offer.media[0].port == parsed(dialog.ok).media[0].port
        assert offer.origin.version == parsed(dialog.ok).origin.version + 1
        answer = description(2, "audio 4002 RTP/AVP 8")
        alice.within("ACK", Dialog(alice, alice, asking, ok), cseq=2, extra=SDP, body=answer)
        await asyncio.sleep(1)
        assert remote_of(calls[0]) == parsed(answer)
        await hang_up(alice, dialog)

    on_stage(scenario)


@pytest.mark.parametrize("body", ["", "nonsense"])
def test_an_ack_without_the_answer_that_was_due_ends_the_session(body: str) -> None:
    async def scenario(stage: Stage) -> None:
        alice, request = await called(stage)
        dialog = await acknowledged(alice, request)
        asking = ask(alice, dialog, "INVITE", 2)
        ok = await alice.hears("200 INVITE")
        alice.within("ACK", Dialog(alice, alice, asking, ok), cseq=2, extra=SDP if body else "", body=body)
        alice.reply(await alice.hears("BYE"), 200)

    on_stage(scenario)


def test_a_2xx_to_a_reinvite_that_is_never_acknowledged_ends_in_a_bye() -> None:
    async def scenario(stage: Stage) -> None:
        alice, request = await called(stage)
        dialog = await acknowledged(alice, request)
        ask(alice, dialog, "INVITE", 2, description(2))
        since = now()
        for _ in range(11):
            await alice.hears("200 INVITE")
        alice.reply(await alice.hears("BYE"), 200)
        assert now() - since == pytest.approx(32, abs=0.05)

    on_stage(scenario)


def test_a_reinvite_before_the_ack_is_accepted_where_the_answer_was_given_and_each_2xx_has_its_ack() -> None:
    """RFC 5407 §3.1.4."""

    async def scenario(stage: Stage) -> None:
        alice, request = await called(stage)
        first = Dialog(alice, alice, request, await alice.hears("200 INVITE"))
        again = ask(alice, first, "INVITE", 2, description(2))
        second = await alice.hears("200 INVITE")
        assert second.cseq.number == 2
        alice.within("ACK", Dialog(alice, alice, again, second), cseq=2)
        # The first one is still repeated, and the second no more.
        for _ in range(3):
            assert (await alice.hears("200 INVITE")).cseq.number == 1
        alice.within("ACK", first, cseq=1)
        await alice.hears_nothing(40)
        await hang_up(alice, first)

    on_stage(scenario)


def test_the_ack_of_an_answer_is_no_answer_to_a_later_offer() -> None:
    calls: list[IncomingCall] = []

    async def scenario(stage: Stage) -> None:
        async def remember(call: IncomingCall) -> None:
            calls.append(call)
            await listen(call)

        alice, request = await called(stage, remember)
        first = Dialog(alice, alice, request, await alice.hears("200 INVITE"))
        again = ask(alice, first, "INVITE", 2)
        second = await alice.hears("200 INVITE")
        alice.within("ACK", first, cseq=1)
        await asyncio.sleep(0.1)
        alice.within("ACK", Dialog(alice, alice, again, second), cseq=2, extra=SDP, body=description(2, "audio 4002 RTP/AVP 8"))
        await asyncio.sleep(0.1)
        assert remote_of(calls[0]) == parsed(description(2, "audio 4002 RTP/AVP 8"))
        await hang_up(alice, first)

    on_stage(scenario)


def test_of_two_2xx_the_one_that_is_never_acknowledged_ends_the_session() -> None:
    async def scenario(stage: Stage) -> None:
        alice, request = await called(stage)
        first = Dialog(alice, alice, request, await alice.hears("200 INVITE"))
        again = ask(alice, first, "INVITE", 2, description(2))
        second = await alice.hears("200 INVITE")
        alice.within("ACK", Dialog(alice, alice, again, second), cseq=2)
        await asyncio.sleep(33)
        kinds = alice.kinds()
        assert kinds.index("BYE") == kinds.count("200 INVITE") == 10

    on_stage(scenario)


def test_a_2xx_to_a_reinvite_needs_no_ack_where_a_later_one_has_come() -> None:
    """RFC 6141 §5.4."""

    async def scenario(stage: Stage) -> None:
        alice, request = await called(stage)
        dialog = await acknowledged(alice, request)
        ask(alice, dialog, "INVITE", 2, description(2))
        await alice.hears("200 INVITE")
        later = ask(alice, dialog, "INVITE", 3, description(3))
        alice.within("ACK", Dialog(alice, alice, later, await alice.hears("200 INVITE")), cseq=3)
        await asyncio.sleep(60)
        assert set(alice.kinds()) == {"200 INVITE"}
        await hang_up(alice, dialog)

    on_stage(scenario)


def test_a_reinvite_before_the_ack_gets_491_where_our_offer_is_open() -> None:
    """RFC 5407 §3.1.5."""

    async def scenario(stage: Stage) -> None:
        alice, request = await called(stage, offers=False)
        dialog = Dialog(alice, alice, request, await alice.hears("200 INVITE"))
        again = ask(alice, dialog, "INVITE", 2, description(2))
        alice.ack(again, await alice.hears("491 INVITE"))
        alice.within("ACK", dialog, cseq=1, extra=SDP, body=description())
        await hang_up(alice, dialog)

    on_stage(scenario)


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_the_contact_of_a_request_that_is_accepted_is_where_bob_sends_his(method: str) -> None:
    async def scenario(stage: Stage) -> None:
        async def hang_up_later(call: IncomingCall) -> None:
            await call.answer()
            await asyncio.sleep(1)

        alice, request = await called(stage, hang_up_later)
        dialog = await acknowledged(alice, request)
        moved = alice.compose(method, dialog, cseq=2, extra=SDP, body=description(2))
        moved.headers.set("Contact", "<sip:alice@192.0.2.2:5060;moved>")
        alice.send(moved)
        ok = await alice.hears(f"200 {method}")
        if method == "INVITE":
            alice.within("ACK", Dialog(alice, alice, moved, ok), cseq=2)
        bye = await alice.hears("BYE")
        assert bye.uri_text == "sip:alice@192.0.2.2:5060;moved"
        alice.reply(bye, 200)

    on_stage(scenario)


# Two agents.


@pytest.mark.parametrize("methods", [("INVITE", "INVITE"), ("UPDATE", "INVITE"), ("UPDATE", "UPDATE")])
def test_two_who_change_the_session_at_once_both_get_their_turn(monkeypatch: pytest.MonkeyPatch, methods: tuple[str, str]) -> None:
    """RFC 5407 §3.3.1, §3.3.2."""
    monkeypatch.setattr(modification, "_chance", random.Random(1).random)
    done = []

    async def hold(call: Call, method: str) -> None:
        assert call.session is not None
        await call.modify(call.session.negotiation.hold(), method=method)
        done.append(method)

    async def scenario(stage: Stage) -> None:
        async def reception(call: IncomingCall) -> None:
            await call.answer()
            await asyncio.sleep(5 - asyncio.get_running_loop().time())
            await hold(call, methods[1])
            await call.ended()

        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=reception)
        async with alice.call(stage.uri("bob")) as call:
            await asyncio.sleep(5 - asyncio.get_running_loop().time())
            await hold(call, methods[0])
            await asyncio.sleep(10)

    stage = on_stage(scenario)
    assert sorted(done) == sorted(methods)
    assert sorted(said for said in stage.said() if said.startswith("491")) == sorted(f"491 {method}" for method in methods)


@pytest.mark.parametrize("seed", range(12))
def test_changes_from_both_sides_over_a_network_that_loses_a_quarter_leave_both_of_one_mind(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(modification, "_chance", random.Random(seed).random)
    calls: list[Call] = []

    async def change(call: Call) -> None:
        for _ in range(3):
            await call.hold()
            await call.resume()

    async def scenario(stage: Stage) -> None:
        async def reception(call: IncomingCall) -> None:
            calls.append(call)
            await call.answer()
            await change(call)
            await call.ended()

        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=reception)
        async with alice.call(stage.uri("bob")) as call:
            await change(call)
            await asyncio.sleep(100)
            ours, theirs = (one.session.negotiation.exchange for one in (call, calls[0]) if one.session is not None)
            assert ours.local == theirs.remote
            assert ours.remote == theirs.local
            assert ours.local is not None

    on_stage(scenario, Network(loss=0.25, seed=seed))
