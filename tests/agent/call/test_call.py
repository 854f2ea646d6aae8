"""A call between two agents: placed, rung, answered, held, hung up (RFC 3261 §13 to §15)."""

from __future__ import annotations

import asyncio

import pytest

from ringback import CallEnded, CallRejected, IncomingCall, UserAgent
from tests.agent.stage import Stage, on_stage


def test_a_call_is_answered_held_taken_back_and_hung_up() -> None:
    heard = []

    async def reception(call: IncomingCall) -> None:
        await call.ring()
        await asyncio.sleep(1)
        await call.answer()
        try:
            await asyncio.sleep(1000)
        except CallEnded as ended:
            heard.append(ended.reason)
            raise

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=reception)
        async with alice.call(stage.uri("bob")) as call:
            await call.hold()
            await call.resume()

    stage = on_stage(scenario)
    exchange = ["INVITE", "200 INVITE", "ACK"]
    assert stage.said() == ["INVITE", "180 INVITE", "200 INVITE", "ACK", *exchange, *exchange, "BYE", "200 BYE"]
    assert heard == ["the peer hung up"]


def test_a_call_that_is_declined_raises_what_the_callee_said() -> None:
    async def busy(call: IncomingCall) -> None:
        await call.decline(486)

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=busy)
        with pytest.raises(CallRejected) as raised:
            await alice.call(stage.uri("bob"))
        assert raised.value.status == 486

    assert on_stage(scenario).said() == ["INVITE", "486 INVITE", "ACK"]


def test_what_the_program_does_not_answer_is_declined() -> None:
    async def indifferent(call: IncomingCall) -> None:
        await call.ring()

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=indifferent)
        with pytest.raises(CallRejected):
            await alice.call(stage.uri("bob"))

    assert on_stage(scenario).said() == ["INVITE", "180 INVITE", "603 INVITE", "ACK"]


def test_a_call_given_up_while_it_rings_is_cancelled() -> None:
    heard = []

    async def patient(call: IncomingCall) -> None:
        await call.ring()
        heard.append(await call.ended())

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=patient)
        call = alice.call(stage.uri("bob"))
        await call.place()
        assert (await call.ringing).status == 180
        call.cancel()
        with pytest.raises(CallEnded):
            await call.answered()

    assert on_stage(scenario).said() == ["INVITE", "180 INVITE", "CANCEL", "200 CANCEL", "487 INVITE", "ACK"]
    assert heard == ["the caller cancelled"]


def test_an_agent_that_is_not_open_says_so() -> None:
    with pytest.raises(RuntimeError, match="not open"):
        UserAgent("sip:alice@example.com").call("sip:bob@example.com")
