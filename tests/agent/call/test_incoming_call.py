"""A call that comes in, seen by a caller that says what it likes (RFC 3261 §13.3, §9.2, §15)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

import pytest

from ringback import CallEnded, IncomingCall, Request, Response, UserAgent
from tests.agent.stage import Stage, on_stage
from tests.server.party import Dialog, Party

OFFER = "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
SDP = "Content-Type: application/sdp\n"
BOB = "sip:bob@192.0.2.1"


class Heard(list[str]):
    """What the callee's coroutine was told."""

    def telling(self, coroutine: Callable[[IncomingCall], Awaitable[Any]]) -> Callable[[IncomingCall], Awaitable[None]]:
        """The coroutine, and how it ended."""

        async def told(call: IncomingCall) -> None:
            try:
                await coroutine(call)
                self.append("returned")
            except CallEnded as ended:
                self.append(ended.reason)
                raise

        return told


async def answer(call: IncomingCall) -> None:
    """Answers and listens until the end."""
    await call.answer()
    await call.ended()


async def ring_for_long(call: IncomingCall) -> None:
    """Rings and waits in vain, for an hour."""
    await call.ring()
    await asyncio.sleep(3600)


async def cast(stage: Stage, on_call: Callable[[IncomingCall], Awaitable[None]]) -> tuple[UserAgent, Party]:
    """Bob, an agent, and Alice, who is a test."""
    bob = await stage.agent("bob", on_call=on_call)
    return bob, await stage.party("alice", "bob")


def invite(alice: Party, **parts: Any) -> Request:
    """Alice's INVITE with an offer, sent."""
    parts.setdefault("extra", SDP)
    return alice.ask("INVITE", BOB, body=OFFER, **parts)


async def acknowledged(alice: Party, request: Request) -> Dialog:
    """The dialog, once the 200 was heard and acknowledged."""
    ok = await alice.hears("200 INVITE")
    dialog = Dialog(alice, alice, request, ok)
    alice.within("ACK", dialog, cseq=request.cseq.number)
    return dialog


async def hang_up(alice: Party, dialog: Dialog) -> Response:
    """Alice's BYE, answered."""
    alice.within("BYE", dialog, cseq=dialog.invite.cseq.number + 1)
    answer: Response = await alice.hears("200 BYE")
    return answer


def test_every_response_names_one_dialog_and_the_2xx_says_what_bob_can_do() -> None:
    async def careful(call: IncomingCall) -> None:
        await call.ring()
        await asyncio.sleep(1)
        await call.ring(183)
        await asyncio.sleep(1)
        await answer(call)

    async def scenario(stage: Stage) -> None:
        bob, alice = await cast(stage, careful)
        request = invite(alice, extra=f"{SDP}Record-Route: <sip:192.0.2.2;lr>;x=1, <sip:192.0.2.9;lr>")
        ringing, progress = await alice.hears("180 INVITE"), await alice.hears("183 INVITE")
        (early,) = bob.core.dialogs
        assert early.is_early
        ok = await alice.hears("200 INVITE")
        assert len({ringing.to_tag, progress.to_tag, ok.to_tag, early.local_tag}) == 1
        assert (await alice.hears("200 INVITE")) == ok
        for response in (ringing, progress, ok):
            assert response.headers.texts("Record-Route") == ["<sip:192.0.2.2;lr>;x=1", "<sip:192.0.2.9;lr>"]
            assert response.contact.uri_text == "sip:bob@192.0.2.1:5060"
        assert {"INVITE", "ACK", "CANCEL", "BYE"} <= set(ok.headers.values("Allow"))
        assert b"m=audio 9 RTP/AVP 0\r\n" in ok.body
        assert early.route_set == ("<sip:192.0.2.2;lr>;x=1", "<sip:192.0.2.9;lr>")
        assert early.remote_target == alice.uri
        dialog = Dialog(alice, alice, request, ok)
        alice.within("ACK", dialog, cseq=1)
        await hang_up(alice, dialog)

    on_stage(scenario)


def test_ringing_is_said_every_minute() -> None:
    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, ring_for_long)
        request = invite(alice)
        for minute in range(4):
            await alice.hears("180 INVITE")
            assert asyncio.get_running_loop().time() == pytest.approx(60 * minute, abs=0.1)
        alice.send(_cancel(request))
        assert sorted([(await alice.hears("200 CANCEL")).status, (await alice.hears("487 INVITE")).status]) == [200, 487]
        alice.ack(request, next(one.message for one in reversed(alice.heard) if isinstance(one.message, Response)))

    on_stage(scenario)


def _cancel(request: Request) -> Request:
    from ringback.message.derive import cancel_of

    return cancel_of(request)


def test_a_cancel_ends_what_rings_with_a_487_of_the_same_tag() -> None:
    heard = Heard()

    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, heard.telling(ring_for_long))
        request = invite(alice)
        ringing = await alice.hears("180 INVITE")
        alice.send(_cancel(request))
        ok, terminated = await alice.hears("200 CANCEL"), await alice.hears("487 INVITE")
        assert ok.to_tag == terminated.to_tag == ringing.to_tag
        alice.ack(request, terminated)

    on_stage(scenario)
    assert heard == ["the caller cancelled"]


def test_a_cancel_after_the_answer_changes_nothing() -> None:
    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, answer)
        request = invite(alice)
        dialog = await acknowledged(alice, request)
        alice.send(_cancel(request))
        assert (await alice.hears("200 CANCEL")).to_tag == dialog.ok.to_tag
        await alice.hears_nothing(1)
        await hang_up(alice, dialog)

    on_stage(scenario)


def test_a_cancel_of_nothing_gets_481() -> None:
    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, answer)
        alice.send(_cancel(alice.request("INVITE", BOB)))
        await alice.hears("481 CANCEL")

    on_stage(scenario)


def test_an_invitation_that_expires_gets_487() -> None:
    heard = Heard()

    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, heard.telling(ring_for_long))
        request = invite(alice, extra=f"{SDP}Expires: 30")
        await alice.hears("180 INVITE")
        alice.ack(request, await alice.hears("487 INVITE"))
        assert asyncio.get_running_loop().time() == pytest.approx(30, abs=0.1)

    on_stage(scenario)
    assert heard == ["the invitation expired"]


def test_the_2xx_is_repeated_until_its_ack_comes_and_then_no_more() -> None:
    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, answer)
        request = invite(alice)
        times = []
        for _ in range(5):
            ok = await alice.hears("200 INVITE")
            times.append(asyncio.get_running_loop().time())
        # §13.3.1.4: T1, doubled up to T2, whatever the transport.
        assert [round(later - earlier, 3) for earlier, later in pairwise(times)] == [0.5, 1.0, 2.0, 4.0]
        dialog = Dialog(alice, alice, request, ok)
        alice.within("ACK", dialog, cseq=1)
        await alice.hears_nothing(60)
        await hang_up(alice, dialog)

    on_stage(scenario)


def test_without_an_ack_the_session_ends_with_a_bye_after_32_seconds() -> None:
    heard = Heard()

    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, heard.telling(IncomingCall.answer))
        invite(alice)
        await asyncio.sleep(33)
        kinds = alice.kinds()
        assert set(kinds) == {"200 INVITE", "BYE"}
        assert asyncio.get_running_loop().time() == pytest.approx(33, abs=0.1)
        byes = [one for one in alice.heard if isinstance(one.message, Request) and one.message.method == "BYE"]
        assert byes[0].time == pytest.approx(32, abs=0.1)
        alice.reply(byes[-1].message, 200)  # type: ignore[arg-type]  # a BYE: it was looked for

    on_stage(scenario)
    assert heard == ["no ACK came"]


def test_hanging_up_waits_for_the_ack() -> None:
    async def hasty(call: IncomingCall) -> None:
        answering = asyncio.ensure_future(call.answer())
        await asyncio.sleep(0.1)
        await call.hang_up()
        await asyncio.gather(answering, return_exceptions=True)

    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, hasty)
        request = invite(alice)
        ok = await alice.hears("200 INVITE")
        assert set(await _kinds_within(alice, 5)) == {"200 INVITE"}
        alice.within("ACK", Dialog(alice, alice, request, ok), cseq=1)
        alice.reply(await alice.hears("BYE"), 200)

    on_stage(scenario)


async def _kinds_within(alice: Party, seconds: float) -> list[str]:
    await asyncio.sleep(seconds)
    return alice.kinds()


def test_an_invite_without_an_offer_gets_one_in_the_2xx_and_its_answer_in_the_ack() -> None:
    answered = []

    async def late(call: IncomingCall) -> None:
        media: Any = await call.answer()
        answered.append(media.remote.media[0].port)
        await call.ended()

    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, late)
        request = alice.ask("INVITE", BOB)
        ok = await alice.hears("200 INVITE")
        assert b"m=audio 9 RTP/AVP 0 8 101\r\n" in ok.body
        dialog = Dialog(alice, alice, request, ok)
        alice.within("ACK", dialog, cseq=1, extra=SDP, body=OFFER)
        await asyncio.sleep(1)
        await hang_up(alice, dialog)

    on_stage(scenario)
    assert answered == [4000]


@pytest.mark.parametrize(
    ("body", "reason"),
    [("", "the ACK has no answer to our offer"), ("v=0\r\nx", "the answer in the ACK is unusable"), (OFFER * 2, "the answer in the ACK")],
)
def test_an_ack_whose_answer_is_no_good_ends_the_call_with_a_bye(body: str, reason: str) -> None:
    heard = Heard()

    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, heard.telling(IncomingCall.answer))
        request = alice.ask("INVITE", BOB)
        ok = await alice.hears("200 INVITE")
        alice.within("ACK", Dialog(alice, alice, request, ok), cseq=1, extra=SDP if body else "", body=body)
        alice.reply(await alice.hears("BYE"), 200)

    on_stage(scenario)
    assert len(heard) == 1
    assert heard[0].startswith(reason)


@pytest.mark.parametrize(
    ("how", "status"),
    [
        (lambda call: call.decline(), 603),
        (lambda call: call.decline(486), 486),
        (lambda call: call.decline(600), 600),
        (lambda call: call.hang_up(), 603),
    ],
)
def test_a_call_is_refused_as_the_program_says(how: Callable[[IncomingCall], Awaitable[None]], status: int) -> None:
    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, how)
        request = invite(alice)
        alice.ack(request, await alice.hears(f"{status} INVITE"))

    on_stage(scenario)


def test_a_redirection_names_where_to_go() -> None:
    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, lambda call: call.redirect("sip:carol@example.com", "sip:voicemail@example.com"))
        request = invite(alice)
        moved = await alice.hears("302 INVITE")
        assert [contact.uri_text for contact in moved.contacts] == ["sip:carol@example.com", "sip:voicemail@example.com"]
        alice.ack(request, moved)

    on_stage(scenario)


def test_an_offer_nothing_can_be_done_with_is_refused_with_a_warning() -> None:
    heard = Heard()

    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, heard.telling(IncomingCall.answer))
        request = alice.ask("INVITE", BOB, extra=SDP, body=OFFER.replace("audio", "video"))
        refusal = await alice.hears("488 INVITE")
        assert [warning.code for warning in refusal.headers.values("Warning")] == [304]
        alice.ack(request, refusal)

    on_stage(scenario)
    assert heard == ["refused: Media type not available: video"]


def test_what_the_program_raises_is_told_to_the_caller_as_500_and_to_the_program_as_ever() -> None:
    async def broken(_call: IncomingCall) -> None:
        raise ZeroDivisionError("a mistake of the program's")

    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, broken)
        request = invite(alice)
        alice.ack(request, await alice.hears("500 INVITE"))
        await asyncio.sleep(0)
        assert [type(fault["exception"]) for fault in stage.faults] == [ZeroDivisionError]
        stage.faults.clear()

    on_stage(scenario)


def test_the_peers_bye_is_answered_and_ends_whatever_the_program_waits_for() -> None:
    heard = Heard()

    async def talk(call: IncomingCall) -> None:
        await call.answer()
        await asyncio.sleep(3600)

    async def scenario(stage: Stage) -> None:
        bob, alice = await cast(stage, heard.telling(talk))
        dialog = await acknowledged(alice, invite(alice))
        await hang_up(alice, dialog)
        assert len(bob.core.dialogs) == 0
        alice.within("BYE", dialog, cseq=3)
        await alice.hears("481 BYE")

    on_stage(scenario)
    assert heard == ["the peer hung up"]


def test_a_bye_before_the_ack_ends_the_call_and_the_repetition_of_the_2xx() -> None:
    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, answer)
        request = invite(alice)
        dialog = Dialog(alice, alice, request, await alice.hears("200 INVITE"))
        await hang_up(alice, dialog)
        await alice.hears_nothing(40)

    on_stage(scenario)


def test_a_bye_in_an_early_dialog_ends_the_call_and_the_invite_with_487() -> None:
    heard = Heard()

    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, heard.telling(ring_for_long))
        request = invite(alice)
        dialog = Dialog(alice, alice, request, await alice.hears("180 INVITE"))
        alice.within("BYE", dialog)
        await alice.hears("200 BYE")
        alice.ack(request, await alice.hears("487 INVITE"))

    on_stage(scenario)
    assert heard == ["the peer hung up"]


def test_a_caller_that_cannot_be_reached_for_its_ack_costs_nothing() -> None:
    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, lambda call: call.decline(486))
        invite(alice)
        await asyncio.sleep(40)
        assert set(alice.kinds()) == {"486 INVITE"}

    on_stage(scenario)


def test_who_is_called_by_a_sips_uri_is_reached_by_one_in_the_dialog() -> None:
    """RFC 3261 §12.1.1, §12.2.1.1. The transport's own security is for the transports: here it is a simulated one."""

    async def scenario(stage: Stage) -> None:
        bob, alice = await cast(stage, answer)
        request = alice.ask("INVITE", "sips:bob@192.0.2.1", extra=SDP, body=OFFER, contact="<sips:alice@192.0.2.2:5060>")
        ok = await alice.hears("200 INVITE")
        assert ok.contact.uri_text == "sips:bob@192.0.2.1:5060"
        (dialog,) = bob.core.dialogs
        assert dialog.is_secure
        alice.within("ACK", Dialog(alice, alice, request, ok), cseq=1)
        alice.send(alice.request("INVITE", BOB, from_=str(ok.headers.text("From")), to=str(ok.headers.text("To")), call_id=ok.call_id,
                                 cseq=2, extra=SDP, body=OFFER, contact="<sips:alice@192.0.2.2:5060>"))  # fmt: skip
        again = await alice.hears("200 INVITE")
        assert again.contact.uri_text == "sips:bob@192.0.2.1:5060"
        alice.within("ACK", Dialog(alice, alice, request, again), cseq=2)
        alice.within("BYE", Dialog(alice, alice, request, again), cseq=3)
        await alice.hears("200 BYE")

    on_stage(scenario)


def test_a_request_out_of_order_gets_500_and_changes_nothing() -> None:
    async def scenario(stage: Stage) -> None:
        bob, alice = await cast(stage, answer)
        dialog = await acknowledged(alice, invite(alice, cseq=10))
        alice.within("BYE", dialog, cseq=9)
        await alice.hears("500 BYE")
        assert len(bob.core.dialogs) == 1
        alice.within("BYE", dialog, cseq=11)
        await alice.hears("200 BYE")

    on_stage(scenario)


def test_a_dialog_we_do_not_know_is_not_made_anew() -> None:
    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, answer)
        for method in ("INVITE", "BYE", "UPDATE", "INFO"):
            alice.ask(method, BOB, to=f"<{BOB}>;tag=long-gone")
            response = await alice.hears(f"481 {method}" if method != "INFO" else "481 INFO")
            if method == "INVITE":
                alice.ack(alice.request("INVITE", BOB, to=f"<{BOB}>;tag=long-gone"), response)

    on_stage(scenario)


@pytest.mark.parametrize(
    "how",
    [
        lambda call: call.decline(603, "No\r\nX-Evil: 1"),
        lambda call: call.decline(603, headers=[("Reason", "SIP\r\nX-Evil: 1")]),
        lambda call: call.redirect("sip:carol@example.com\r\nX-Evil: 1"),
        lambda call: call.redirect("sip:carol@example.com>, <sip:evil@example.com"),
        lambda call: call.redirect(),
        lambda call: call.redirect("sip:carol@example.com", status=200),
        lambda call: call.ring(180, "Ringing\r\nX-Evil: 1"),
        lambda call: call.ring(200),
        lambda call: call.decline(200),
    ],
)
def test_what_cannot_be_said_is_not_said_and_the_call_goes_on(how: Callable[[IncomingCall], Awaitable[None]]) -> None:
    async def careless(call: IncomingCall) -> None:
        with pytest.raises(ValueError):
            await how(call)
        await call.decline(486)

    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, careless)
        request = invite(alice)
        alice.ack(request, await alice.hears("486 INVITE"))

    on_stage(scenario)


def test_what_fails_before_it_is_a_coroutine_is_told_too() -> None:
    def broken(_call: IncomingCall) -> Awaitable[None]:
        raise ZeroDivisionError("a mistake of the program's")

    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, broken)
        request = invite(alice)
        alice.ack(request, await alice.hears("500 INVITE"))
        assert [type(fault["exception"]) for fault in stage.faults] == [ZeroDivisionError]
        stage.faults.clear()

    on_stage(scenario)


def test_a_bye_on_the_heels_of_the_ack_does_not_hide_the_answer() -> None:
    heard = Heard()
    answered = []

    async def quick(call: IncomingCall) -> None:
        answered.append(await call.answer())
        await asyncio.sleep(3600)

    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, heard.telling(quick))
        dialog = await acknowledged(alice, invite(alice))
        await hang_up(alice, dialog)

    on_stage(scenario)
    assert len(answered) == 1
    assert heard == ["the peer hung up"]
