"""REFER as it comes in (RFC 3515): accepted, declined, pending; followed and reported; malformed."""

from __future__ import annotations

import asyncio

import pytest

from ringback import IncomingCall, Request, Response
from ringback.agent.errors import TransferFailed
from ringback.agent.transfer.referral import MAX_REFERRALS, OnRefer, Referral
from ringback.agent.transfer.sipfrag import StatusLine
from tests.agent.stage import Stage, on_stage
from tests.agent.transfer.test_transfer import Phone, notified
from tests.server.party import Party


async def follows(referral: Referral) -> None:
    """Goes wherever anybody asks."""
    async with referral.follow() as call:
        await call.ended()


async def dave(stage: Stage, name: str = "dave") -> Party:
    """A raw peer of bob's."""
    return await stage.party(name, "bob")


async def says(party: Party, request: Request, status: int = 200) -> Request:
    """Hears the next NOTIFY and answers it."""
    notify: Request = await party.hears("NOTIFY")
    party.reply(notify, status)
    return notify


def test_a_click_to_call_is_a_refer_outside_of_any_call() -> None:
    """RFC 3515 §2: the dialog is the subscription's own."""
    carol = Phone(rings_for=3)

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_refer=follows)
        await stage.agent("carol", on_call=carol)
        progress: list[int] = []
        result = await alice.refer(stage.uri("bob"), stage.uri("carol"), on_progress=lambda line: progress.append(line.status))
        assert result == StatusLine(200, "OK")
        assert progress == [100]
        await carol.calls[0].hang_up()

    stage = on_stage(scenario)
    assert stage.said()[:4] == ["REFER", "202 REFER", "NOTIFY", "INVITE"]
    refer = stage.messages(Request)[0]
    accepted = stage.messages(Response)[0]
    notify = stage.messages(Request)[1]
    assert refer.headers.count("Contact") == 1
    assert (notify.call_id, notify.from_tag, notify.to_tag) == (refer.call_id, accepted.to_tag, refer.from_tag)
    assert notify.headers.texts("Event") == ["refer"]
    assert notify.headers.texts("Subscription-State") == ["active;expires=300"]
    assert notify.headers.texts("Content-Type") == ["message/sipfrag"]


@pytest.mark.parametrize("names_call", [True, False])
def test_the_referrer_may_be_told_which_call_has_come_of_it(names_call: bool) -> None:
    """RFC 3515 §2.4.5; not without being told to (§5.3)."""
    carol = Phone()

    async def goes(referral: Referral) -> None:
        async with referral.follow(names_call=names_call) as call:
            await call.ended()

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_refer=goes)
        await stage.agent("carol", on_call=carol)
        reference = alice.refer(stage.uri("bob"), stage.uri("carol"))
        assert await reference == StatusLine(200, "OK")
        dialog = carol.calls[0].standing().dialog
        expected = f"{dialog.call_id};to-tag={dialog.local_tag};from-tag={dialog.remote_tag}" if names_call else "None"
        assert str(reference.dialog) == expected
        await carol.calls[0].hang_up()

    on_stage(scenario)


@pytest.mark.parametrize("options", [{}, {"accepts_transfers": True}], ids=["nothing said", "transfers alone"])
def test_nobody_makes_us_call_from_outside_of_a_call_unless_the_program_says_so(options: dict[str, bool]) -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", **options)
        with pytest.raises(TransferFailed) as failed:
            await alice.refer(stage.uri("bob"), "sip:carol@192.0.2.9")
        assert (failed.value.status, failed.value.is_refused) == (603, True)

    assert on_stage(scenario).said() == ["REFER", "603 REFER"]


@pytest.mark.parametrize(
    "fields",
    [
        "",
        "Refer-To: <sip:a@192.0.2.9>\nRefer-To: <sip:b@192.0.2.9>",
        "Refer-To: <sip:a@192.0.2.9>, <sip:b@192.0.2.9>",
        "Refer-To: nothing of the kind",
        "Refer-To: <sip:>",
        "Refer-To: <sip:a@192.0.2.9?Replaces=no-tags>",
        "Refer-To: <sip:a@192.0.2.9?Require=no-such-thing>",
        "Refer-To: <sip:a@192.0.2.9;method=BYE>",
        "Refer-To: <sip:a@192.0.2.9>\nReferred-By: <sip:a@b>\nReferred-By: <sip:c@d>",
        "Refer-To: <sip:a@192.0.2.9>\nReferred-By: nobody at all",
        "Refer-To: <sip:a@192.0.2.9>\nTarget-Dialog: no-tags",
        "Refer-To: <sip:a@192.0.2.9>\nRefer-Sub: not a token",
    ],
)
def test_what_names_nobody_or_several_is_malformed(fields: str) -> None:
    async def scenario(stage: Stage) -> None:
        bob = await stage.agent("bob", on_refer=follows)
        party = await dave(stage)
        party.ask("REFER", stage.uri("bob"), extra=fields)
        await party.hears("400 REFER")
        assert not bob.referrals

    on_stage(scenario)


def test_a_refer_without_contact_can_begin_no_dialog() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.agent("bob", on_refer=follows)
        party = await dave(stage)
        refer = party.request("REFER", stage.uri("bob"), extra="Refer-To: <sip:a@192.0.2.9>")
        refer.headers.remove("Contact")
        party.send(refer)
        await party.hears("400 REFER")

    on_stage(scenario)


def refused_by(on_refer: OnRefer, status: int) -> Stage:
    """A REFER to somebody with such a coroutine is refused so."""

    async def scenario(stage: Stage) -> None:
        await stage.agent("bob", on_refer=on_refer)
        party = await dave(stage)
        party.ask("REFER", stage.uri("bob"), extra="Refer-To: <sip:a@192.0.2.9>")
        await party.hears(f"{status} REFER")
        await party.hears_nothing(40)
        stage.faults.clear()

    return on_stage(scenario)


def test_what_the_program_neither_accepts_nor_declines_is_declined() -> None:
    async def indifferent(referral: Referral) -> None:
        pass

    refused_by(indifferent, 603)


def test_the_program_declines_with_any_status() -> None:
    async def forbids(referral: Referral) -> None:
        referral.decline(403, "Not You")
        referral.decline(486)
        referral.accept()

    refused_by(forbids, 403)


def test_a_program_that_fails_is_a_server_error() -> None:
    async def fails(referral: Referral) -> None:
        raise LookupError("a fault of the program's")

    refused_by(fails, 500)


def test_only_refusals_refuse_and_only_calls_are_followed() -> None:
    async def confused(referral: Referral) -> None:
        with pytest.raises(ValueError, match="no refusal"):
            referral.decline(202)
        with pytest.raises(ValueError, match="no such request"):
            await referral.send()
        referral.decline()

    refused_by(confused, 603)


def test_what_is_accepted_and_not_done_is_reported_as_a_failure() -> None:
    async def promises(referral: Referral) -> None:
        referral.accept()

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_refer=promises)
        with pytest.raises(TransferFailed) as failed:
            await alice.refer(stage.uri("bob"), "sip:carol@192.0.2.9")
        assert (failed.value.status, failed.value.is_refused) == (503, False)

    on_stage(scenario)


def test_a_call_that_is_followed_and_never_placed_is_a_failure() -> None:
    async def forgets(referral: Referral) -> None:
        referral.follow()

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_refer=forgets)
        with pytest.raises(TransferFailed) as failed:
            await alice.refer(stage.uri("bob"), "sip:carol@192.0.2.9")
        assert failed.value.status == 503

    on_stage(scenario)


def test_what_is_no_sip_can_be_accepted_and_reported() -> None:
    """RFC 3515 §2.4.5: status lines all the same."""

    async def browses(referral: Referral) -> None:
        assert not referral.is_sip
        with pytest.raises(ValueError, match="no call"):
            referral.follow()
        referral.accept()
        await asyncio.sleep(5)
        referral.report(200)

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_refer=browses)
        assert (await alice.refer(stage.uri("bob"), "http://www.example.com/")).status == 200

    on_stage(scenario)


def test_any_method_can_be_asked_for() -> None:
    """RFC 3515 §2.4.3."""
    responses: list[Response] = []

    async def asks(referral: Referral) -> None:
        assert referral.method == "OPTIONS"
        responses.append(await referral.send())

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_refer=asks)
        await stage.agent("carol", on_call=Phone())
        result = await alice.refer(stage.uri("bob"), f"{stage.uri('carol')};method=OPTIONS?Subject=there")
        assert result.status == 200

    stage = on_stage(scenario)
    options = next(request for request in stage.messages(Request) if request.method == "OPTIONS")
    assert options.uri_text == "sip:carol@192.0.2.3"
    assert options.headers.texts("Subject") == ["there"]
    assert options.headers.texts("Referred-By") == ["<sip:alice@192.0.2.1>"]
    assert responses[0].status == 200


def test_who_asks_a_person_accepts_before_the_refer_times_out_and_says_no_later() -> None:
    """RFC 3515 §2.4.2, §2.4.7: pending, then rejected."""

    async def hesitates(referral: Referral) -> None:
        await asyncio.sleep(60)
        referral.decline()

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_refer=hesitates)
        with pytest.raises(TransferFailed) as failed:
            await alice.refer(stage.uri("bob"), "sip:carol@192.0.2.9")
        assert (failed.value.status, failed.value.is_refused) == (603, False)

    stage = on_stage(scenario)
    assert [said for said in stage.said() if said not in ("REFER", "100 REFER")] == ["202 REFER", *["NOTIFY", "200 NOTIFY"] * 2]
    assert notified(stage) == [("pending", b"SIP/2.0 100 Trying\r\n"), ("terminated;reason=rejected", b"SIP/2.0 603 Decline\r\n")]


def test_who_asks_a_person_may_accept_later() -> None:
    carol = Phone()

    async def hesitates(referral: Referral) -> None:
        await asyncio.sleep(60)
        await follows(referral)

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_refer=hesitates)
        await stage.agent("carol", on_call=carol)
        assert (await alice.refer(stage.uri("bob"), stage.uri("carol"))).status == 200
        await carol.calls[0].hang_up()

    stage = on_stage(scenario)
    assert [state for state, _ in notified(stage)] == ["pending", "active", "terminated;reason=noresource"]


def test_a_silent_refer_that_takes_its_time_is_answered_once() -> None:
    carol = Phone()

    async def hesitates(referral: Referral) -> None:
        await asyncio.sleep(60)
        await follows(referral)

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_refer=hesitates)
        await stage.agent("carol", on_call=carol)
        assert (await alice.refer(stage.uri("bob"), stage.uri("carol"), reports=False)).status == 202
        await asyncio.sleep(60)
        await carol.calls[0].hang_up()

    said = on_stage(scenario).said()
    assert said.count("202 REFER") == 1
    assert "NOTIFY" not in said


def test_a_subscription_to_a_referral_begins_with_a_refer_and_nothing_else() -> None:
    """RFC 3515 §2.4.4."""

    async def scenario(stage: Stage) -> None:
        await stage.agent("bob", on_refer=follows)
        party = await dave(stage)
        party.ask("SUBSCRIBE", stage.uri("bob"), extra="Event: refer")
        await party.hears("403 SUBSCRIBE")

    on_stage(scenario)


def test_a_referrer_that_unsubscribes_does_not_stop_what_it_has_asked_for() -> None:
    """RFC 3515 §2.4.4: neither by SUBSCRIBE nor by refusing a NOTIFY."""
    carol = Phone(rings_for=10)

    async def scenario(stage: Stage) -> None:
        await stage.agent("bob", on_refer=follows)
        await stage.agent("carol", on_call=carol)
        party = await dave(stage)
        refer = party.ask("REFER", stage.uri("bob"), extra=f"Refer-To: <{stage.uri('carol')}>")
        await party.hears("202 REFER")
        await says(party, refer, 481)
        await asyncio.sleep(20)
        assert carol.calls[0].is_answered
        await carol.calls[0].hang_up()

    assert "CANCEL" not in on_stage(scenario).said()


def test_a_referrer_may_ask_how_far_it_is() -> None:
    """RFC 3515 §2.4.4: the subscription can be refreshed, and ended."""
    carol = Phone(rings_for=10)

    async def scenario(stage: Stage) -> None:
        await stage.agent("bob", on_refer=follows)
        await stage.agent("carol", on_call=carol)
        party = await dave(stage)
        refer = party.ask("REFER", stage.uri("bob"), extra=f"Refer-To: <{stage.uri('carol')}>")
        accepted = await party.hears("202 REFER")
        await says(party, refer)
        for number, expires, state in ((2, 60, "active"), (3, 0, "terminated;reason=timeout")):
            party.ask(
                "SUBSCRIBE",
                stage.uri("bob"),
                to=str(accepted.to),
                call_id=refer.call_id,
                cseq=number,
                extra=f"Event: refer\nExpires: {expires}",
            )
            await party.hears("200 SUBSCRIBE")
            notify = await says(party, refer)
            assert notify.headers.texts("Subscription-State")[0].startswith(state)
            assert notify.body == b"SIP/2.0 100 Trying\r\n"
        await asyncio.sleep(20)
        await carol.calls[0].hang_up()

    on_stage(scenario)


def test_a_call_may_have_a_way_of_its_own_with_transfers() -> None:
    seen: list[Referral] = []

    async def notes(referral: Referral) -> None:
        seen.append(referral)

    async def bob(call: IncomingCall) -> None:
        call.on_transfer = notes
        await call.answer()
        await call.ended()

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=bob, accepts_transfers=True)
        async with alice.call(stage.uri("bob")) as call:
            with pytest.raises(TransferFailed):
                await call.transfer("sip:carol@192.0.2.9")

    on_stage(scenario)
    assert seen[0].call is not None
    assert seen[0].referred_by is not None
    assert seen[0].referred_by.uri_text == "sip:alice@192.0.2.1"


def test_a_target_dialog_that_is_not_ours_authorises_nothing() -> None:
    """RFC 4538 §4: it is ignored."""

    async def scenario(stage: Stage) -> None:
        await stage.agent("bob", on_call=Phone(), accepts_transfers=True)
        party = await dave(stage)
        extra = "Refer-To: <sip:a@192.0.2.9>\nRequire: tdialog\nTarget-Dialog: 1@a;local-tag=2;remote-tag=3"
        party.ask("REFER", stage.uri("bob"), extra=extra)
        await party.hears("603 REFER")

    on_stage(scenario)


def test_who_asks_for_too_much_at_once_is_asked_to_come_back() -> None:
    async def never(referral: Referral) -> None:
        referral.accept()
        await asyncio.sleep(100)
        referral.report(200)

    async def scenario(stage: Stage) -> None:
        bob = await stage.agent("bob", on_refer=never)
        party = await dave(stage)
        for _ in range(MAX_REFERRALS + 1):
            party.ask("REFER", stage.uri("bob"), extra="Refer-To: <sip:a@192.0.2.9>\nRefer-Sub: false")
        await asyncio.sleep(1)
        kinds = party.kinds()
        assert (kinds.count("202 REFER"), kinds.count("503 REFER")) == (MAX_REFERRALS, 1)
        await asyncio.sleep(100)
        assert not bob.referrals

    on_stage(scenario)


def test_an_agent_that_closes_tells_the_referrer() -> None:
    async def scenario(stage: Stage) -> None:
        bob = await stage.agent("bob", on_refer=follows)
        await stage.agent("carol", on_call=Phone(rings_for=100))
        party = await dave(stage)
        refer = party.ask("REFER", stage.uri("bob"), extra=f"Refer-To: <{stage.uri('carol')}>")
        await party.hears("202 REFER")
        await says(party, refer)
        closing = asyncio.ensure_future(bob.close())
        last = await says(party, refer)
        assert last.headers.texts("Subscription-State") == ["terminated;reason=noresource"]
        assert last.body == b"SIP/2.0 487 Request Terminated\r\n"
        await closing
        del stage.agents["bob"]

    assert "CANCEL" in on_stage(scenario).said()


def test_an_agent_that_closes_declines_what_nobody_has_decided() -> None:
    async def hesitates(referral: Referral) -> None:
        await asyncio.sleep(10)

    async def scenario(stage: Stage) -> None:
        bob = await stage.agent("bob", on_refer=hesitates)
        party = await dave(stage)
        party.ask("REFER", stage.uri("bob"), extra="Refer-To: <sip:carol@192.0.2.9>")
        await asyncio.sleep(1)
        await bob.close()
        await party.hears("503 REFER")
        del stage.agents["bob"]

    on_stage(scenario)


def test_who_is_referred_to_itself_talks_with_itself_until_it_hangs_up() -> None:
    phone = Phone()

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=phone, on_refer=follows)
        assert (await alice.refer(stage.uri("bob"), stage.uri("bob"))).status == 200
        await phone.calls[0].hang_up()

    assert on_stage(scenario).said().count("INVITE") == 1
