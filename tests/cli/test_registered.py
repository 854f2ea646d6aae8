"""A registration as the commands tell of it: refreshes that fail, succeed again, are refused for good; in simulated time."""

import asyncio
import json
from typing import Any

import pytest

from ringback.cli.agent_options import AgentOptions, sip_uri
from ringback.cli.live_state import LiveState
from ringback.cli.registered import Registered
from tests.agent.desk import Answer, Script, desk, grants, in_turn
from tests.agent.stage import Stage, on_stage

AOR = "sip:alice@192.0.2.2"
OPTIONS = AgentOptions(
    user=sip_uri(AOR, "--user"),
    name=None,
    account=None,
    password="secret",
    proxy=None,
    transport=None,
    listen=(),
    is_traced=False,
    is_json=True,
)


def play(script: Script, capsys: pytest.CaptureFixture[str], seconds: float, fault: int | None = None) -> list[dict[str, Any]]:
    """Registers at such a registrar for so long, or until it is refused with this exit status; gives what was told, without times."""

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice", AOR)
        await desk(stage, "registrar", script)
        state = LiveState(is_json=True)
        with state:
            async with Registered(alice, state, OPTIONS, expires=120) as registered:
                if fault is None:
                    await asyncio.sleep(seconds)
                    assert not registered.refused.done()
                else:
                    async with asyncio.timeout(seconds):
                        assert await registered.refused == fault

    on_stage(scenario)
    told = [json.loads(line) for line in capsys.readouterr().out.split("\n")[:-1]]
    return [{name: value for name, value in event.items() if name != "time"} for event in told]


REGISTERED = {"event": "registered", "aor": AOR, "expires": 120}
UNREGISTERED = {"event": "unregistered", "aor": AOR}


def test_refreshes_that_succeed_are_no_news(capsys: pytest.CaptureFixture[str]) -> None:
    assert play(grants(120), capsys, 1000) == [REGISTERED, UNREGISTERED]


def test_a_refresh_that_fails_is_told_and_so_is_that_it_is_mended(capsys: pytest.CaptureFixture[str]) -> None:
    refused = Answer(503, 'Warning: 399 registrar "full"')
    assert play(in_turn(grants(120), refused, grants(120)), capsys, 300) == [
        REGISTERED,
        {
            "event": "failed",
            "status": 503,
            "reason": "Service Unavailable",
            "warning": '399 registrar "full"',
            "fault": '503 Service Unavailable (Warning: 399 registrar "full")',
        },
        REGISTERED,
        UNREGISTERED,
    ]


def test_a_refresh_that_is_refused_for_good_ends_it(capsys: pytest.CaptureFixture[str]) -> None:
    told = play(in_turn(grants(120), Answer(403)), capsys, 300, fault=1)
    assert told == [REGISTERED, {"event": "failed", "status": 403, "reason": "Forbidden", "fault": "403 Forbidden"}]


def test_an_end_that_the_registrar_refuses_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    told = play(in_turn(grants(120), Answer(500)), capsys, 1)
    assert [event["event"] for event in told] == ["registered", "failed"]


def test_an_end_that_nobody_answers_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    told = play(in_turn(grants(120), None), capsys, 1)
    why = f"no answer: {AOR} may stay registered until the binding expires"
    assert told == [REGISTERED, {"event": "failed", "aor": AOR, "fault": why}]
