"""In which order a request is looked at before it is acted upon (RFC 3261 §8.2)."""

from __future__ import annotations

import pytest

from ringback import IncomingCall
from tests.agent.stage import Stage, on_stage


@pytest.mark.parametrize(
    ("method", "uri", "extra", "status"),
    [
        # Each row has one fault less than the row before, the one that was answered.
        ("JUMP", "urn:service:sos", "Require: x-jump\nContent-Type: application/x-jump", 405),
        ("INVITE", "urn:service:sos", "Require: x-jump\nContent-Type: application/x-jump", 416),
        ("INVITE", "sip:bob@192.0.2.1", "Require: x-jump\nContent-Type: application/x-jump", 420),
        ("INVITE", "sip:bob@192.0.2.1", "Content-Type: application/x-jump", 415),
    ],
)
def test_the_method_comes_first_then_the_request_uri_what_is_required_and_the_body(method: str, uri: str, extra: str, status: int) -> None:
    async def never(_call: IncomingCall) -> None:
        raise AssertionError("nothing of this is acted upon")

    async def scenario(stage: Stage) -> None:
        await stage.agent("bob", on_call=never)
        alice = await stage.party("alice", "bob")
        request = alice.ask(method, uri, extra=extra, body="jump")
        refusal = await alice.hears(f"{status} {method}")
        if method == "INVITE":
            alice.ack(request, refusal)

    on_stage(scenario)
