"""Why a call ends, said and heard (RFC 3326)."""

from __future__ import annotations

import asyncio

import pytest

from ringback import CallRejected, IncomingCall, Response
from tests.agent.call.test_incoming_call import BOB, acknowledged, cast, invite
from tests.agent.stage import Stage, on_stage

ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'
NORMAL = 'Q.850;cause=16;text="Terminated"'


def test_a_bye_says_why() -> None:
    ended: list[IncomingCall] = []

    async def reception(call: IncomingCall) -> None:
        ended.append(call)
        await call.answer()
        await call.ended()

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=reception)
        call = await alice.call(stage.uri("bob"))
        await call.hang_up(NORMAL)
        assert call.end_reasons == ()

    on_stage(scenario)
    [call] = ended
    assert call.reason == f"the peer hung up; {NORMAL}"
    [reason] = call.end_reasons
    assert (reason.protocol, reason.cause, reason.text) == ("Q.850", 16, "Terminated")


def test_a_cancel_says_why() -> None:
    ended: list[IncomingCall] = []

    async def rings(call: IncomingCall) -> None:
        ended.append(call)
        await call.ring()
        await call.ended()

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=rings)
        call = alice.call(stage.uri("bob"))
        await call.place()
        await call.ringing
        await call.hang_up(ELSEWHERE)
        # Given up before anything was heard of it: the reason waits with the CANCEL.
        early = alice.call(stage.uri("bob"))
        await early.place()
        early.cancel(ELSEWHERE)

    on_stage(scenario)
    assert [call.reason for call in ended] == [f"the caller cancelled; {ELSEWHERE}"] * 2
    assert [call.end_reasons[0].text for call in ended] == ["Call completed elsewhere"] * 2


@pytest.mark.parametrize(
    ("field", "causes"),
    [
        (f"{ELSEWHERE}, {NORMAL}", [200, 16]),
        (f"{ELSEWHERE}, SIP;cause=486", [200]),
        ("", []),
        (";;;", []),
    ],
)
def test_one_reason_of_each_protocol_counts_and_a_malformed_field_says_nothing(field: str, causes: list[int]) -> None:
    ended: list[IncomingCall] = []

    async def reception(call: IncomingCall) -> None:
        ended.append(call)
        await call.answer()
        await call.ended()

    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, reception)
        dialog = await acknowledged(alice, invite(alice))
        alice.within("BYE", dialog, extra=f"Reason: {field}")
        await alice.hears("200 BYE")

    on_stage(scenario)
    assert [reason.cause for reason in ended[0].end_reasons] == causes


@pytest.mark.parametrize(("reason", "said"), [(NORMAL, NORMAL), (ELSEWHERE, None), (None, None)])
def test_a_refusal_may_say_why_in_the_terms_of_q_850_alone(reason: str | None, said: str | None) -> None:
    async def declines(call: IncomingCall) -> None:
        await call.hang_up(reason)

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=declines)
        with pytest.raises(CallRejected) as rejected:
            await alice.call(stage.uri("bob"))
        assert isinstance(rejected.value.response, Response)
        assert rejected.value.status == 603
        assert rejected.value.response.headers.text("Reason") == said

    on_stage(scenario)


def test_a_refusal_carries_what_the_program_adds() -> None:
    async def declines(call: IncomingCall) -> None:
        await call.decline(480, "Back Soon", headers=[("Retry-After", 60)])

    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, declines)
        request = alice.ask("INVITE", BOB)
        refusal = await alice.hears("480 INVITE")
        assert (refusal.reason, refusal.headers.text("Retry-After")) == ("Back Soon", "60")
        alice.ack(request, refusal)
        await asyncio.sleep(0)

    on_stage(scenario)
