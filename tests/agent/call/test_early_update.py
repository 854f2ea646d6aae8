"""UPDATE before the call is answered, from both sides (RFC 3311 §5, RFC 6337 §4.3)."""

from __future__ import annotations

import asyncio

import pytest

from ringback import CallEnded, CallRejected, IncomingCall, Request, Response
from ringback.agent.call import modification
from tests.agent.conversation import (
    ALLOWS,
    RELIABLE,
    SDP,
    acknowledged,
    ask,
    called,
    description,
    ends,
    hang_up,
    listen,
    parsed,
    remote_of,
    reversed_ends,
)
from tests.agent.stage import Stage, on_stage
from tests.server.party import Dialog, Party


async def in_between(call: IncomingCall) -> None:
    """Answers early, and late."""
    await call.progress()
    await asyncio.sleep(10)
    await listen(call)


async def early(alice: Party, request: Request) -> Dialog:
    """The early dialog, once the 183 was acknowledged."""
    dialog = Dialog(alice, alice, request, await alice.hears("183 INVITE"))
    alice.within("PRACK", dialog, cseq=2, extra=f"RAck: {dialog.ok.value('RSeq')} 1 INVITE")
    await alice.hears("200 PRACK")
    return dialog


def test_an_update_before_the_answer_is_answered_and_the_dialog_stays_early() -> None:
    calls: list[IncomingCall] = []

    async def scenario(stage: Stage) -> None:
        async def remember(call: IncomingCall) -> None:
            calls.append(call)
            await in_between(call)

        alice, request = await called(stage, remember, extra=RELIABLE)
        dialog = await early(alice, request)
        ask(alice, dialog, "UPDATE", 3, description(2, direction="sendonly"))
        ok = await alice.hears("200 UPDATE")
        assert parsed(ok).media[0].direction == "recvonly"
        assert ok.contact.uri_text == dialog.ok.contact.uri_text
        assert calls[0].is_held
        assert not calls[0].is_answered
        accepted = await alice.hears("200 INVITE")
        assert accepted.body == b""
        assert accepted.contact.uri_text == ok.contact.uri_text
        alice.within("ACK", dialog, cseq=1)
        await hang_up(alice, dialog)

    on_stage(scenario)


def test_an_offer_in_an_update_before_the_one_in_the_invite_is_answered_gets_500(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modification, "_chance", lambda: 0.9999)

    async def scenario(stage: Stage) -> None:
        async def slow(call: IncomingCall) -> None:
            # An answer that may get lost is none yet.
            await call.progress(reliable=False)
            await asyncio.sleep(1)
            await in_between(call)

        alice, request = await called(stage, slow, extra=RELIABLE)
        dialog = Dialog(alice, alice, request, await alice.hears("183 INVITE"))
        ask(alice, dialog, "UPDATE", 2, description(2))
        assert (await alice.hears("500 UPDATE")).value("Retry-After").seconds == 10
        # Nor is one that is not acknowledged.
        reliable = await alice.hears("183 INVITE")
        ask(alice, dialog, "UPDATE", 3, description(2))
        await alice.hears("500 UPDATE")
        alice.within("PRACK", dialog, cseq=4, extra=f"RAck: {reliable.value('RSeq')} 1 INVITE")
        await alice.hears("200 PRACK")
        ask(alice, dialog, "UPDATE", 5, description(2))
        await alice.hears("200 UPDATE")
        await hang_up(alice, await acknowledged(alice, request))

    on_stage(scenario)


def test_an_offer_in_an_update_while_ours_in_a_183_is_open_gets_491() -> None:
    async def scenario(stage: Stage) -> None:
        alice, request = await called(stage, in_between, extra=RELIABLE, offers=False)
        dialog = Dialog(alice, alice, request, await alice.hears("183 INVITE"))
        ask(alice, dialog, "UPDATE", 2, description(2))
        await alice.hears("491 UPDATE")
        extra = f"RAck: {dialog.ok.value('RSeq')} 1 INVITE\n{SDP}"
        alice.within("PRACK", dialog, cseq=3, extra=extra, body=description())
        await alice.hears("200 PRACK")
        await hang_up(alice, await acknowledged(alice, request))

    on_stage(scenario)


def test_the_callee_offers_anew_before_it_answers_and_the_2xx_waits_for_that() -> None:
    async def scenario(stage: Stage) -> None:
        async def hold_early(call: IncomingCall) -> None:
            with pytest.raises(RuntimeError, match="no offer and answer"):
                await call.modify(None, method="UPDATE")
            await call.progress()
            assert call.session is not None
            holding = asyncio.ensure_future(call.modify(call.session.negotiation.hold(), method="UPDATE"))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            await call.answer()
            await holding
            await call.ended()

        alice, request = await called(stage, hold_early, extra=RELIABLE + ALLOWS)
        dialog = await early(alice, request)
        update = await alice.hears("UPDATE")
        assert parsed(update).media[0].direction == "sendonly"
        await alice.hears_nothing(0.4)
        alice.reply(update, 200, extra=f"{SDP}\nContact: <{alice.uri}>", body=description(2, direction="recvonly").encode())
        accepted = await alice.hears("200 INVITE")
        assert accepted.body == b""
        alice.within("ACK", dialog, cseq=1)
        await hang_up(alice, dialog)

    on_stage(scenario)


@pytest.mark.parametrize("status", [481, None])
def test_the_callees_update_that_is_lost_ends_the_call_with_a_refusal_and_no_bye(status: int | None) -> None:
    """§15: a callee sends no BYE before its 2xx has its ACK."""

    async def scenario(stage: Stage) -> None:
        async def update_early(call: IncomingCall) -> None:
            await call.progress()
            await call.modify(None, method="UPDATE")

        alice, request = await called(stage, update_early, extra=RELIABLE)
        await early(alice, request)
        update = await alice.hears("UPDATE")
        if status is None:
            await asyncio.sleep(33)
            kinds = alice.kinds()
            assert set(kinds) == {"UPDATE", "487 INVITE"}
        else:
            alice.reply(update, status)
            alice.ack(request, await alice.hears("487 INVITE"))

    on_stage(scenario)


def test_the_caller_offers_anew_before_the_answer_once_its_prack_is_answered() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        bob = await stage.party("bob", "alice")
        call = alice.call(bob.uri)
        await call.place()
        request = await bob.hears("INVITE")
        with pytest.raises(RuntimeError, match="no offer and answer"):
            await call.modify(None, method="UPDATE")
        with pytest.raises(RuntimeError, match="not answered"):
            await call.modify(None)
        bob.reply(request, 183, extra=f"{ALLOWS}Require: 100rel\nRSeq: 1\n{SDP}", body=description().encode())
        prack = await bob.hears("PRACK")
        (session,) = call.early_sessions
        modifying = asyncio.ensure_future(call.modify(session.negotiation.hold(), method="UPDATE"))
        # RFC 6337 §4.3: the exchange is complete with the PRACK's response; until then theirs is refused as well.
        await bob.hears_nothing(0.4)
        theirs = Dialog(bob, bob, request, Response(200, headers=reversed_ends(request)))
        extra = f"Contact: <{bob.uri}>\n{SDP}"
        bob.within("UPDATE", theirs, cseq=1, extra=extra, body=description(2))
        await bob.hears("491 UPDATE")
        bob.reply(prack, 200)
        update = await bob.hears("UPDATE")
        assert parsed(update).media[0].direction == "sendonly"
        bob.reply(update, 200, extra=extra, body=description(2, direction="recvonly").encode())
        await modifying
        assert session.dialog.is_early
        bob.within("UPDATE", theirs, cseq=2, extra=extra, body=description(3))
        assert (await bob.hears("200 UPDATE")).body
        bob.reply(request, 200)
        await bob.hears("ACK")
        await call.answered()
        assert remote_of(call) == parsed(description(3))
        await ends(bob, call)

    on_stage(scenario)


def test_with_two_parties_that_have_agreed_nobody_knows_whom_to_update() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        bob = await stage.party("bob", "alice")
        call = alice.call(bob.uri)
        await call.place()
        request = await bob.hears("INVITE")
        for tag in ("one", "two"):
            bob.reply(request, 183, tag=tag, extra=f"Require: 100rel\nRSeq: 1\n{SDP}", body=description().encode())
            bob.reply(await bob.hears("PRACK"), 200)
        with pytest.raises(RuntimeError, match="several parties"):
            await call.modify(None, method="UPDATE")
        bob.reply(request, 486)
        await bob.hears("ACK")
        with pytest.raises(CallRejected):
            await call.answered()
        with pytest.raises(CallEnded):
            await call.modify(None, method="UPDATE")

    on_stage(scenario)
