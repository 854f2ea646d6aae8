"""A new call that joins the conversation of another one (RFC 3911)."""

from __future__ import annotations

import pytest

from ringback import CallRejected, IncomingCall
from tests.agent.call.test_replaces import Phone, replaces
from tests.agent.stage import Stage, on_stage


def test_a_call_that_joins_is_the_programs_who_knows_the_call_it_joins() -> None:
    phone = Phone()

    async def scenario(stage: Stage) -> None:
        alice, carol = await stage.agent("alice"), await stage.agent("carol", accepts_joins=True)
        await stage.agent("bob", on_call=phone, accepts_joins=True)
        async with alice.call(stage.uri("bob")) as old:
            headers = [("Join", replaces(old)[1]), ("Require", "join")]
            async with carol.call(stage.uri("bob"), headers=headers):
                assert phone.calls[1].joins is phone.calls[0]
                assert phone.calls[1].replaces is None
                assert old.is_answered

    on_stage(scenario)


@pytest.mark.parametrize(("accepts", "named", "status"), [(False, True, 488), (True, False, 481), (False, False, 481)])
def test_who_mixes_nothing_refuses_with_488_and_what_matches_nothing_is_refused_with_481(accepts: bool, named: bool, status: int) -> None:
    async def scenario(stage: Stage) -> None:
        alice, carol = await stage.agent("alice"), await stage.agent("carol")
        await stage.agent("bob", on_call=Phone(), accepts_joins=accepts)
        async with alice.call(stage.uri("bob")) as old:
            with pytest.raises(CallRejected) as rejected:
                await carol.call(stage.uri("bob"), headers=[("Join", replaces(old)[1] if named else "1@a;to-tag=1;from-tag=2")])
            assert rejected.value.status == status
            assert old.is_answered

    on_stage(scenario)


def test_the_extension_is_required_of_those_only_who_have_it() -> None:
    async def scenario(stage: Stage) -> None:
        alice, carol = await stage.agent("alice"), await stage.agent("carol")
        await stage.agent("bob", on_call=Phone())
        async with alice.call(stage.uri("bob")) as old:
            with pytest.raises(CallRejected) as rejected:
                await carol.call(stage.uri("bob"), headers=[("Join", replaces(old)[1]), ("Require", "join")])
            assert rejected.value.status == 420

    on_stage(scenario)


def test_a_call_that_rings_can_be_joined() -> None:
    """RFC 3911 §4: unlike Replaces, Join has no limitation on early dialogs."""
    joined = []

    async def rings(call: IncomingCall) -> None:
        if call.joins is not None:
            joined.append(call.joins)
            await call.answer()
        else:
            await call.ring()
        await call.ended()

    async def scenario(stage: Stage) -> None:
        alice, carol = await stage.agent("alice"), await stage.agent("carol")
        await stage.agent("bob", on_call=rings, accepts_joins=True)
        old = alice.call(stage.uri("bob"))
        await old.place()
        await old.ringing
        (session,) = old.sessions.values()
        dialog = session.dialog
        named = ("Join", f"{dialog.call_id};to-tag={dialog.remote_tag};from-tag={dialog.local_tag}")
        async with carol.call(stage.uri("bob"), headers=[named]):
            assert len(joined) == 1
        old.cancel()

    on_stage(scenario)


def test_a_policy_decides_who_may_join() -> None:
    async def scenario(stage: Stage) -> None:
        alice, carol = await stage.agent("alice"), await stage.agent("carol")
        await stage.agent("bob", on_call=Phone(), accepts_joins=True, may_replace=lambda request, call: False)
        async with alice.call(stage.uri("bob")) as old:
            with pytest.raises(CallRejected) as rejected:
                await carol.call(stage.uri("bob"), headers=[("Join", replaces(old)[1])])
            assert rejected.value.status == 403

    on_stage(scenario)
