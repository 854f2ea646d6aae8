"""A new call takes the place of another one (RFC 3891): matched, refused, answered, and what becomes of the old one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from ringback import Call, CallEnded, CallRejected, EventPackage, IncomingCall, OutgoingCall, Request
from ringback.agent.call.media import SilentMedia
from ringback.agent.call.replaces import is_sent_by_the_party
from tests.agent.stage import Stage, on_stage


class Phone:
    """A callee that answers every call, and remembers them and how they ended."""

    def __init__(self) -> None:
        self.calls: list[IncomingCall] = []
        self.ends: list[str] = []

    async def __call__(self, call: IncomingCall) -> None:
        self.calls.append(call)
        try:
            await call.answer()
            await asyncio.sleep(10_000)
        except CallEnded as ended:
            self.ends.append(ended.reason)
            raise


def replaces(call: Call, *, flags: str = "") -> tuple[str, str]:
    """The Replaces by which the peer of this call finds it."""
    assert call.session is not None
    dialog = call.session.dialog
    return "Replaces", f"{dialog.call_id};to-tag={dialog.remote_tag};from-tag={dialog.local_tag}{flags}"


def test_the_new_call_takes_the_place_of_the_old_one_which_is_hung_up_when_the_new_one_stands() -> None:
    phone = Phone()

    async def scenario(stage: Stage) -> None:
        alice, carol = await stage.agent("alice"), await stage.agent("carol")
        await stage.agent("bob", on_call=phone)
        old = await alice.call(stage.uri("bob"))
        async with carol.call(stage.uri("bob"), headers=[replaces(old)]) as new:
            assert await old.ended() == "the peer hung up"
            assert new.is_answered
            assert phone.calls[1].replaces is phone.calls[0]
            assert phone.calls[0].replaces is None

    stage = on_stage(scenario)
    assert phone.ends == ["another call has taken its place", "the peer hung up"]
    assert stage.said() == [*["INVITE", "200 INVITE", "ACK"] * 2, "BYE", "200 BYE", "BYE", "200 BYE"]


def test_what_was_placed_can_be_replaced_too_and_says_so_in_supported() -> None:
    phone = Phone()

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice", on_call=phone)
        await stage.agent("bob", on_call=Phone())
        carol = await stage.agent("carol")
        old = await alice.call(stage.uri("bob"))
        assert old.session is not None
        dialog = old.session.dialog
        named = ("Replaces", f"{dialog.call_id};to-tag={dialog.local_tag};from-tag={dialog.remote_tag}")
        await carol.call(stage.uri("alice"), headers=[named, ("Require", "replaces")])
        assert await old.ended() == "another call has taken its place"
        assert phone.calls[0].replaces is old
        await phone.calls[0].hang_up()

    stage = on_stage(scenario)
    assert "replaces" in stage.messages(Request)[0].supported


def test_an_early_call_of_ours_is_replaced_by_whoever_takes_it_elsewhere() -> None:
    """RFC 3891 §7.1: Alice's call rings at the desk and is taken in the lab; CANCEL ends what rings."""
    phone = Phone()

    async def rings(call: IncomingCall) -> None:
        await call.ring()
        await call.ended()

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice", on_call=phone)
        await stage.agent("desk", on_call=rings)
        lab = await stage.agent("lab")
        old = alice.call(stage.uri("desk"))
        await old.place()
        await old.ringing
        (session,) = old.sessions.values()
        dialog = session.dialog
        named = ("Replaces", f"{dialog.call_id};to-tag={dialog.local_tag};from-tag={dialog.remote_tag};early-only")
        new = await lab.call(stage.uri("alice"), headers=[named])
        with pytest.raises(CallEnded):
            await old.answered()
        await asyncio.sleep(1)
        assert phone.calls[0].replaces is old
        await new.hang_up()

    assert on_stage(scenario).said() == [
        *["INVITE", "180 INVITE", "INVITE", "200 INVITE", "ACK"],
        *["CANCEL", "200 CANCEL", "487 INVITE", "ACK", "BYE", "200 BYE"],
    ]


@pytest.mark.parametrize(
    ("named", "status"),
    [
        (lambda call: ("Replaces", "nobody@nowhere;to-tag=1;from-tag=2"), 481),
        (lambda call: ("Replaces", "without-tags@nowhere"), 400),
        (lambda call: ("Replaces", replaces(call)[1].replace("from-tag=", "from-tag=x")), 481),
        (lambda call: replaces(call, flags=";early-only"), 486),
    ],
    ids=["unknown", "malformed", "another tag", "early only"],
)
def test_what_cannot_be_replaced_is_refused_and_stays_as_it_is(named: Callable[[Call], tuple[str, str]], status: int) -> None:
    phone = Phone()

    async def scenario(stage: Stage) -> None:
        alice, carol = await stage.agent("alice"), await stage.agent("carol")
        await stage.agent("bob", on_call=phone)
        async with alice.call(stage.uri("bob")) as old:
            with pytest.raises(CallRejected) as rejected:
                await carol.call(stage.uri("bob"), headers=[named(old)])
            assert rejected.value.status == status
            assert old.is_answered
            assert len(phone.calls) == 1

    on_stage(scenario)


def test_two_replaces_and_a_replaces_with_a_join_contradict_each_other() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.agent("bob", on_call=Phone())
        party = await stage.party("carol", "bob")
        for second in ("Replaces: 1@a;to-tag=1;from-tag=2", "Join: 1@a;to-tag=1;from-tag=2"):
            invite = party.ask("INVITE", stage.uri("bob"), extra=f"Replaces: 1@a;to-tag=1;from-tag=2\n{second}")
            party.ack(invite, await party.hears("400 INVITE"))

    on_stage(scenario)


@pytest.mark.parametrize("field", ["Replaces", "Join"])
def test_what_begins_no_call_has_no_replaces_and_no_join(field: str) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.agent("bob", on_call=Phone())
        party = await stage.party("carol", "bob")
        party.ask("OPTIONS", stage.uri("bob"), extra=f"{field}: 1@a;to-tag=1;from-tag=2")
        await party.hears("400 OPTIONS")

    on_stage(scenario)


def test_a_call_that_ended_a_moment_ago_is_declined_with_603_and_one_long_forgotten_with_481() -> None:
    async def scenario(stage: Stage) -> None:
        alice, carol = await stage.agent("alice"), await stage.agent("carol")
        await stage.agent("bob", on_call=Phone())
        old = await alice.call(stage.uri("bob"))
        named = replaces(old)
        await old.hang_up()
        for status in (603, 481):
            with pytest.raises(CallRejected) as rejected:
                await carol.call(stage.uri("bob"), headers=[named])
            assert rejected.value.status == status
            await asyncio.sleep(40)

    on_stage(scenario)


def test_a_call_that_rings_here_cannot_be_replaced() -> None:
    """RFC 3891 §3: an early dialog that this party did not initiate."""

    async def rings(call: IncomingCall) -> None:
        await call.ring()
        await call.ended()

    async def scenario(stage: Stage) -> None:
        alice, carol = await stage.agent("alice"), await stage.agent("carol")
        await stage.agent("bob", on_call=rings)
        old = alice.call(stage.uri("bob"))
        await old.place()
        await old.ringing
        (session,) = old.sessions.values()
        dialog = session.dialog
        named = ("Replaces", f"{dialog.call_id};to-tag={dialog.remote_tag};from-tag={dialog.local_tag}")
        with pytest.raises(CallRejected) as rejected:
            await carol.call(stage.uri("bob"), headers=[named])
        assert rejected.value.status == 481
        assert not old.is_over
        old.cancel()

    on_stage(scenario)


def test_a_new_call_that_is_declined_leaves_the_old_one_as_it_is() -> None:
    async def once(call: IncomingCall) -> None:
        if call.replaces is not None:
            await call.decline(488)
            return
        await call.answer()
        await call.ended()

    async def scenario(stage: Stage) -> None:
        alice, carol = await stage.agent("alice"), await stage.agent("carol")
        await stage.agent("bob", on_call=once)
        async with alice.call(stage.uri("bob")) as old:
            with pytest.raises(CallRejected):
                await carol.call(stage.uri("bob"), headers=[replaces(old)])
            await asyncio.sleep(40)
            assert old.is_answered

    on_stage(scenario)


@pytest.mark.parametrize(
    ("referred_by", "from_", "is_accepted"),
    [(None, "carol", False), ("alice", "carol", True), ("mallory", "carol", False), (None, "alice", True)],
)
def test_a_policy_may_ask_for_the_party_or_somebody_it_has_sent(referred_by: str | None, from_: str, is_accepted: bool) -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice", "sip:alice@example.com")
        carol = await stage.agent("carol", f"sip:{from_}@example.com")
        await stage.agent("bob", on_call=Phone(), may_replace=is_sent_by_the_party)
        old = await alice.call(stage.uri("bob"))
        headers = [replaces(old)]
        if referred_by is not None:
            headers.append(("Referred-By", f"<sip:{referred_by}@example.com>"))
        new = carol.call(stage.uri("bob"), headers=headers)
        if is_accepted:
            await new
            await new.hang_up()
            assert old.is_over
        else:
            with pytest.raises(CallRejected) as rejected:
                await new
            assert rejected.value.status == 403
            assert old.is_answered
            await old.hang_up()

    on_stage(scenario)


def test_who_cannot_be_compared_with_anybody_may_not_replace() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=Phone(), may_replace=is_sent_by_the_party)
        party = await stage.party("carol", "bob")
        async with alice.call(stage.uri("bob")) as old:
            name, value = replaces(old)
            invite = party.ask("INVITE", stage.uri("bob"), extra=f"{name}: {value}\nReferred-By: no-address")
            party.ack(invite, await party.hears("403 INVITE"))

    on_stage(scenario)


def test_a_party_of_rfc_2543_without_tag_is_named_by_a_tag_of_0() -> None:
    phone = Phone()

    async def scenario(stage: Stage) -> None:
        await stage.agent("bob", on_call=phone)
        party = await stage.party("old", "bob")
        sdp = SilentMedia(party.host).capabilities().to_bytes().decode()
        invite = party.ask("INVITE", stage.uri("bob"), from_=f"<{party.uri}>", body=sdp, extra="Content-Type: application/sdp")
        ok = await party.hears("200 INVITE")
        party.send(party.request("ACK", stage.uri("bob"), from_=f"<{party.uri}>", to=str(ok.to), call_id=invite.call_id))
        await asyncio.sleep(1)
        carol = await stage.agent("carol")
        named = ("Replaces", f"{invite.call_id};to-tag={ok.to_tag};from-tag=0")
        new = await carol.call(stage.uri("bob"), headers=[named])
        party.reply(await party.hears("BYE"), 200)
        await new.hang_up()

    on_stage(scenario)
    assert phone.calls[1].replaces is phone.calls[0]


def test_a_party_whose_early_dialog_lost_to_another_cannot_be_replaced_there() -> None:
    """The call was answered by one of two callees: the other one's early dialog is as good as over."""

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice", on_call=Phone())
        forked = await stage.party("forked", "alice")
        call: OutgoingCall = alice.call(f"sip:forked@{forked.host}")
        await call.place()
        invite = await forked.hears("INVITE")
        forked.reply(invite, 180, tag="slow")
        forked.reply(invite, 200, tag="quick", body=invite.body, extra="Content-Type: application/sdp")
        await forked.hears("ACK")
        named = f"Replaces: {invite.call_id};to-tag={invite.from_tag};from-tag=slow"
        new = forked.ask("INVITE", stage.uri("alice"), extra=named)
        forked.ack(new, await forked.hears("481 INVITE"))
        hanging_up = asyncio.ensure_future(call.hang_up())
        forked.reply(await forked.hears("BYE"), 200)
        await hanging_up

    on_stage(scenario)


def test_a_dialog_that_is_no_calls_cannot_be_replaced() -> None:
    """RFC 3891 §3: one that a SUBSCRIBE has begun."""

    async def scenario(stage: Stage) -> None:
        bob = await stage.agent("bob", on_call=Phone())
        bob.serve_event(EventPackage("presence", "application/pidf+xml", state=b"<presence/>"))
        party = await stage.party("watcher", "bob")
        subscribe = party.ask("SUBSCRIBE", stage.uri("bob"), extra="Event: presence")
        ok = await party.hears("200 SUBSCRIBE")
        notify = await party.hears("NOTIFY")
        named = f"Replaces: {subscribe.call_id};to-tag={ok.to_tag};from-tag={subscribe.from_tag}"
        invite = party.ask("INVITE", stage.uri("bob"), extra=named)
        party.ack(invite, await party.hears("481 INVITE"))
        assert len(bob.core.dialogs) == 1
        party.reply(notify, 481)

    on_stage(scenario)
