"""REFER as we send it (RFC 3515): what the peer says of it, what it does not say, and what it says badly."""

from __future__ import annotations

import asyncio

import pytest

from ringback import IncomingCall, Request, SipParseError, UserAgent
from ringback.agent.call.media import SilentMedia
from ringback.agent.errors import TransferFailed
from ringback.agent.transfer.referral import Referral
from ringback.agent.transfer.sipfrag import StatusLine
from tests.agent.stage import Stage, on_stage
from tests.agent.transfer.test_referral import follows
from tests.agent.transfer.test_transfer import Phone, refers
from tests.server.party import Party


async def referring(stage: Stage, **options: object) -> tuple[UserAgent, Party, asyncio.Future[StatusLine]]:
    """Alice refers a raw peer, which gets the REFER next."""
    alice = await stage.agent("alice")
    party = await stage.party("bob", "alice")
    reference = alice.refer(f"sip:bob@{party.host}", "sip:carol@192.0.2.9", **options)  # type: ignore[arg-type]  # a test's own
    return alice, party, asyncio.ensure_future(reference.result())


def notify(
    party: Party, refer: Request, body: str, *, state: str = "active;expires=60", event: str = "refer", cseq: int = 1, extra: str = ""
) -> None:
    """A NOTIFY of the raw peer's."""
    extra = extra or "Content-Type: message/sipfrag\n"
    party.ask(
        "NOTIFY",
        refer.contact.uri_text,
        from_=f"<{party.uri}>;tag={party.name}-tag",
        to=str(refer.headers.text("From")),
        call_id=refer.call_id,
        cseq=cseq,
        contact=f"<{party.uri}>",
        extra=f"Event: {event}\nSubscription-State: {state}\n{extra}",
        body=body,
    )


def test_a_notify_may_come_before_the_202() -> None:
    """RFC 3515 §2.4.4."""

    async def scenario(stage: Stage) -> None:
        _, party, result = await referring(stage)
        refer = await party.hears("REFER")
        notify(party, refer, "SIP/2.0 200 OK", state="terminated;reason=noresource")
        await party.hears("200 NOTIFY")
        party.reply(refer, 202)
        assert (await result).status == 200

    on_stage(scenario)


@pytest.mark.parametrize("says", ["nothing", "202 alone", "100 for ever"])
def test_a_peer_that_says_no_more_is_waited_for_as_long_as_that_makes_sense(says: str) -> None:
    async def scenario(stage: Stage) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        _, party, result = await referring(stage)
        refer = await party.hears("REFER")
        if says != "nothing":
            party.reply(refer, 202)
        if says == "100 for ever":
            notify(party, refer, "SIP/2.0 100 Trying", state="active;expires=86400")
            await party.hears("200 NOTIFY")
        with pytest.raises(TransferFailed) as failed:
            await result
        assert failed.value.status == 408
        assert round(loop.time() - begun) == (180 if says == "100 for ever" else 32)
        if says == "100 for ever":
            notify(party, refer, "SIP/2.0 200 OK", cseq=2)
            await party.hears("481 NOTIFY")

    on_stage(scenario)


@pytest.mark.parametrize(
    ("body", "extra", "state", "status"),
    [
        ("", "X-No: body", "terminated;reason=noresource", 500),
        ("what is this?", "", "terminated;reason=noresource", 500),
        ("SIP/2.0 180 Ringing", "", "terminated;reason=timeout", 500),
        ("<xml/>", "Content-Type: text/xml", "terminated;reason=giveup", 500),
        ("", "X-No: body", "terminated;reason=rejected", 603),
        ("SIP/2.0 429 Provide Referrer Identity", "", "terminated;reason=noresource", 429),
        ("SIP/2.0 486 Busy", "", "active;expires=60", 486),
    ],
)
def test_a_subscription_that_ends_without_a_success_is_a_failure(body: str, extra: str, state: str, status: int) -> None:
    async def scenario(stage: Stage) -> None:
        _, party, result = await referring(stage)
        refer = await party.hears("REFER")
        party.reply(refer, 202)
        notify(party, refer, body, state=state, extra=extra)
        await party.hears("200 NOTIFY")
        with pytest.raises(TransferFailed) as failed:
            await result
        assert failed.value.status == status
        assert not failed.value.is_refused

    on_stage(scenario)


def test_a_notify_that_says_nothing_is_not_the_end() -> None:
    async def scenario(stage: Stage) -> None:
        _, party, result = await referring(stage)
        refer = await party.hears("REFER")
        party.reply(refer, 202)
        for number, body in enumerate(("", "nonsense", "SIP/2.0 183 Session Progress"), 1):
            notify(party, refer, body, cseq=number)
            await party.hears("200 NOTIFY")
        notify(party, refer, "SIP/2.0 200 OK", event=f"refer;id={refer.cseq.number}", cseq=4, state="terminated;reason=noresource")
        await party.hears("200 NOTIFY")
        assert (await result).status == 200

    on_stage(scenario)


def test_a_subscription_that_runs_out_is_a_failure() -> None:
    async def scenario(stage: Stage) -> None:
        _, party, result = await referring(stage)
        refer = await party.hears("REFER")
        party.reply(refer, 202)
        notify(party, refer, "SIP/2.0 100 Trying", state="active;expires=5")
        await party.hears("200 NOTIFY")
        begun = asyncio.get_running_loop().time()
        with pytest.raises(TransferFailed) as failed:
            await result
        assert failed.value.status == 408
        assert round(asyncio.get_running_loop().time() - begun) == 5

    on_stage(scenario)


def test_the_notifications_of_another_refer_are_not_ours() -> None:
    async def scenario(stage: Stage) -> None:
        _, party, result = await referring(stage)
        refer = await party.hears("REFER")
        party.reply(refer, 202)
        notify(party, refer, "SIP/2.0 603 Decline", event="refer;id=4711")
        await party.hears("481 NOTIFY")
        notify(party, refer, "SIP/2.0 200 OK", state="terminated;reason=noresource", cseq=2)
        await party.hears("200 NOTIFY")
        assert (await result).status == 200

    on_stage(scenario)


def test_a_peer_may_be_silent_of_itself() -> None:
    """RFC 4488 §4: Refer-Sub: false in the 2xx."""

    async def scenario(stage: Stage) -> None:
        _, party, result = await referring(stage)
        party.reply(await party.hears("REFER"), 200, extra="Refer-Sub: FALSE")
        assert (await result).status == 200

    on_stage(scenario)


def test_a_refer_sub_that_cannot_be_read_says_nothing() -> None:
    async def scenario(stage: Stage) -> None:
        _, party, result = await referring(stage)
        refer = await party.hears("REFER")
        party.reply(refer, 202, extra="Refer-Sub: not a token")
        notify(party, refer, "SIP/2.0 200 OK", state="terminated;reason=noresource")
        await party.hears("200 NOTIFY")
        assert (await result).status == 200

    on_stage(scenario)


def test_a_referrer_that_is_cancelled_hears_no_more() -> None:
    async def scenario(stage: Stage) -> None:
        alice, party, result = await referring(stage)
        refer = await party.hears("REFER")
        party.reply(refer, 202)
        notify(party, refer, "SIP/2.0 100 Trying")
        await party.hears("200 NOTIFY")
        result.cancel()
        await asyncio.sleep(1)
        assert len(alice.core.dialogs) == 0
        notify(party, refer, "SIP/2.0 200 OK", cseq=2)
        await party.hears("481 NOTIFY")

    on_stage(scenario)


def test_it_is_sent_once_however_often_it_is_awaited() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_refer=follows)
        carol = Phone()
        await stage.agent("carol", on_call=carol)
        reference = alice.refer(stage.uri("bob"), f"Carol <{stage.uri('carol')}>", headers=[("Subject", "lunch")])
        assert await asyncio.gather(reference, reference) == [StatusLine(200, "OK")] * 2
        await carol.calls[0].hang_up()

    stage = on_stage(scenario)
    (refer,) = refers(stage)
    assert refer.headers.texts("Refer-To") == ["Carol <sip:carol@192.0.2.3>"]
    assert refer.headers.texts("Subject") == ["lunch"]


def test_nobody_is_sent_to_what_is_no_address() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        for refer_to in ("", "carol", "sip:", "<sip:a@b", "sip:a b@c"):
            with pytest.raises(SipParseError):
                alice.refer("sip:bob@192.0.2.9", refer_to)

    assert on_stage(scenario).said() == []


def test_a_dialog_that_the_answer_ends_is_over_with_its_call() -> None:
    """RFC 5057 §5.1: a 404 to a REFER says that the peer is gone."""

    async def gone(referral: Referral) -> None:
        referral.decline(404)

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        phone = Phone()
        await stage.agent("bob", on_call=phone, on_refer=gone)
        call = await alice.call(stage.uri("bob"))
        with pytest.raises(TransferFailed):
            await call.transfer("sip:carol@192.0.2.9")
        assert call.reason == "404 to our REFER"
        await phone.calls[0].hang_up()

    on_stage(scenario)


def test_a_transferee_that_hangs_up_before_it_has_a_result_is_heard_all_the_same() -> None:
    """RFC 5057: the subscription outlives the session in their dialog; the coroutine of the call that ended gets the result too."""
    results: list[StatusLine] = []

    async def reception(call: IncomingCall) -> None:
        await call.answer()
        results.append(await call.transfer("sip:sales@192.0.2.9"))

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice", on_call=reception)
        party = await stage.party("bob", "alice")
        sdp = SilentMedia(party.host).capabilities().to_bytes().decode()
        invite = party.ask("INVITE", stage.uri("alice"), body=sdp, extra="Content-Type: application/sdp")
        ok = await party.hears("200 INVITE")

        def within(method: str, cseq: int, extra: str = "", body: str = "") -> None:
            party.ask(
                method,
                ok.contact.uri_text,
                from_=str(ok.headers.text("From")),
                to=str(ok.headers.text("To")),
                call_id=invite.call_id,
                cseq=cseq,
                extra=extra,
                body=body,
            )

        within("ACK", 1)
        party.reply(await party.hears("REFER"), 202)
        within("BYE", 2)
        await party.hears("200 BYE")
        await asyncio.sleep(5)
        assert len(alice.core.dialogs) == 1
        fields = "Event: refer\nSubscription-State: terminated;reason=noresource\nContent-Type: message/sipfrag"
        within("NOTIFY", 3, fields, "SIP/2.0 200 OK")
        await party.hears("200 NOTIFY")

    on_stage(scenario)
    assert results == [StatusLine(200, "OK")]
