"""Requests of any method, asked and answered, outside of calls and within them (RFC 3261 §8.1.1, §8.2.6)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ringback import IncomingCall, IncomingRequest, Refused, Reply, Request, RequestTimedOut, Unreachable, UserAgent
from tests.agent.stage import Stage, on_stage


async def answer(call: IncomingCall) -> None:
    """Answers and listens until the end."""
    await call.answer()
    await call.ended()


def test_a_request_has_what_every_request_has_and_what_the_program_adds() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        bob = await stage.party("bob", "alice")
        asking = asyncio.ensure_future(
            alice.request(
                "PUBLISH",
                bob.uri,
                headers=[("Event", "presence"), ("Max-Forwards", 5), ("Subject", "a"), ("User-Agent", "mine")],
                body=b"<x/>",
                content_type="text/xml",
            )
        )
        request = await bob.hears("PUBLISH")
        assert request.max_forwards == 5
        assert [request.headers.text(name) for name in ("Event", "Subject", "User-Agent", "Content-Type")] == [
            "presence",
            "a",
            "mine",
            "text/xml",
        ]
        assert request.headers.texts("Max-Forwards") == ["5"]
        assert request.body == b"<x/>"
        assert (request.from_tag, request.to_tag, request.cseq.number) == (request.from_.tag, None, 1)
        bob.reply(request, 412, extra="Subject: no")
        response = await asking
        assert (response.status, response.headers.text("Subject")) == (412, "no")

    on_stage(scenario)


def test_no_answer_is_an_exception() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        with pytest.raises(RequestTimedOut):
            await alice.request("OPTIONS", "sip:192.0.2.77")
        with pytest.raises(Unreachable):
            await alice.request("OPTIONS", "mailto:bob@example.com")

    on_stage(scenario)


@pytest.mark.parametrize(
    ("method", "options", "what"),
    [
        ("INVITE", {}, "has its own verb"),
        ("ACK", {}, "has its own verb"),
        ("CANCEL", {}, "has its own verb"),
        ("NO METHOD", {}, "no method|no blank"),
        ("X", {"headers": [("v", "x")]}, "written by the agent"),
        ("X", {"headers": [("Call-ID", "x")]}, "written by the agent"),
        ("X", {"headers": [("Subject", "x\r\ny: z")]}, "CR"),
        ("X", {"body": b"x"}, "needs its content type"),
    ],
)
def test_what_cannot_be_asked(method: str, options: dict[str, Any], what: str) -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        with pytest.raises(ValueError, match=what):
            await alice.request(method, "sip:192.0.2.77", **options)

    on_stage(scenario)


def test_within_a_call_every_method_but_those_it_lives_by_can_be_asked() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=answer)
        async with alice.call(stage.uri("bob")) as call:
            assert (await call.send_request("OPTIONS")).status == 200
            assert (await call.send_request("X-PING", body=b"x", headers=[("c", "text/plain")])).status == 405
            for method in ("INVITE", "UPDATE", "BYE", "ACK", "CANCEL", "PRACK"):
                with pytest.raises(ValueError, match="has its own verb"):
                    await call.send_request(method)

    stage = on_stage(scenario)
    options = next(one for one in stage.messages(Request) if one.method == "OPTIONS")
    assert (options.to_tag is not None, options.cseq.number) == (True, 2)


def test_a_method_of_the_programs_own_is_served_and_in_allow() -> None:
    served: list[IncomingRequest] = []

    async def ping(request: IncomingRequest) -> Reply:
        served.append(request)
        if request.body == b"wait":
            await asyncio.sleep(1)
        if request.body == b"no":
            raise Refused(488)
        return Reply(203, "Pong", (("Subject", "pong"),), b"pong", "text/plain")

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        bob = await stage.agent("bob", on_call=answer)
        assert (await alice.request("PING", stage.uri("bob"))).status == 405
        bob.serve("PING", ping)
        response = await alice.request("PING", stage.uri("bob"), body=b"wait", content_type="text/plain")
        assert (response.status, response.reason, response.headers.text("Subject"), response.body) == (203, "Pong", "pong", b"pong")
        assert (await alice.request("PING", stage.uri("bob"), body=b"no", content_type="text/plain")).status == 488
        assert "PING" in (await alice.options(stage.uri("bob"))).headers.values("Allow")
        async with alice.call(stage.uri("bob")) as call:
            assert (await call.send_request("PING")).body == b"pong"
            assert served[-1].call is not None
        assert [one.call is None for one in served] == [True, True, False]
        assert repr(served[0]) == "<IncomingRequest PING from sip:alice@192.0.2.1>"

    on_stage(scenario)


def test_what_is_served_before_the_agent_is_opened_is_served_then() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        bob = UserAgent(
            "sip:bob@192.0.2.9",
            listen=["udp://192.0.2.9:5060"],
            open_transports=lambda *of, **more: stage.network.host("192.0.2.9", *of, **more),
        )
        bob.serve("PUBLISH", lambda request: 202)
        async with bob:
            assert (await alice.request("PUBLISH", "sip:bob@192.0.2.9")).status == 202

    on_stage(scenario)


def test_what_calls_and_subscriptions_live_by_is_not_the_programs() -> None:
    agent = UserAgent("sip:alice@example.com")
    for method in ("INVITE", "BYE", "NOTIFY", "OPTIONS", "INFO"):
        with pytest.raises(ValueError, match="answered by the agent itself"):
            agent.serve(method, lambda request: None)
    with pytest.raises(ValueError, match="no refusal: 200"):
        Refused(200)


def test_a_program_that_takes_longer_than_anybody_waits_is_not_heard() -> None:
    async def slow(_request: IncomingRequest) -> None:
        await asyncio.sleep(60)

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        (await stage.agent("bob")).serve("PING", slow)
        with pytest.raises(RequestTimedOut):
            await alice.request("PING", stage.uri("bob"))

    stage = on_stage(scenario)
    # RFC 4320 §4.1: over UDP a 100 may come when the client is at its slowest, and no final response comes too late.
    assert set(stage.said()) <= {"PING", "100 PING"}
