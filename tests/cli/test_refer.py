"""`ringback refer`: a phone is asked to call another, and what comes of it."""

import json

import pytest

from tests.cli.peer import response, udp_peer
from tests.cli.running import answering, running, say


def test_one_phone_calls_another() -> None:
    with answering("--obey", "--hang-up-after", "50ms") as (asked, uri), answering("--once") as (target, other):
        result = say("refer", uri, other, "--user", "alice@example.test")
        assert target.end() == 0
        assert asked.hear("asks to call") == f"sip:alice@example.test asks to call {other}"
        asked.hear("we hung up")
    assert result.exit_code == 0
    lines = result.output.split("\n")
    assert lines[:2] == [f"asking {uri} to call {other}", f"{other}: 100 Trying"]
    assert lines[-2:] == [f"{other}: 200 OK", ""]


def test_what_the_other_phone_says_is_told() -> None:
    with answering("--obey") as (asked, uri), answering("--busy") as (_, other):
        result = say("refer", uri, other)
        told = say("refer", uri, other, "--json")
        asked.hear("asks to call")
        asked.press()
        assert asked.end() == 0
    assert result.exit_code == told.exit_code == 1
    assert result.output.endswith(f"ringback: {other}: 486 Busy Here\n")
    failed = json.loads(told.output.split("\n")[-2])
    assert (failed["event"], failed["status"], failed["target"]) == ("failed", 486, other)
    assert asked.complaints == [f"ringback: {other}: 486 Busy Here"] * 2


def test_phones_decline_unless_told_otherwise() -> None:
    with answering() as (_, uri):
        result = say("refer", uri, "carol@127.0.0.1:9")
    assert result.exit_code == 1
    assert result.output.endswith("ringback: 603 Decline\n")


def test_what_nobody_can_be_called_for_is_declined() -> None:
    with answering("--obey") as (asked, uri):
        result = say("refer", uri, "sip:carol@127.0.0.1:9;method=OPTIONS")
        assert asked.hear("declined") == "declined: sip:carol@127.0.0.1:9;method=OPTIONS is nobody to be called"
    assert result.exit_code == 1


def test_silent() -> None:
    with udp_peer(lambda text: [response(text, "202 Accepted", "Contact: <sip:bob@127.0.0.1>", "Refer-Sub: false")]) as (port, heard):
        result = say("refer", f"bob@127.0.0.1:{port}", "carol", "--silent", "--user", f"alice@127.0.0.1:{port}")
    assert result.exit_code == 0
    assert result.output.endswith(f"sip:bob@127.0.0.1:{port}: 202 Accepted\n")
    assert "Refer-Sub: false\r\n" in heard[0]
    assert f"Refer-To: <sip:carol@127.0.0.1:{port}>\r\n" in heard[0]


def test_no_outcome_is_3() -> None:
    with udp_peer(lambda text: [response(text, "202 Accepted", "Contact: <sip:bob@127.0.0.1>")]) as (port, _):
        result = say("refer", f"bob@127.0.0.1:{port}", "carol@127.0.0.1:9", "--patience", "1s")
    assert result.exit_code == 3
    assert result.output.endswith("ringback: sip:carol@127.0.0.1:9: no result within 1 s\n")


def test_ctrl_c_ends_at_once() -> None:
    with answering("--obey") as (asked, uri), answering("--after", "1h") as (_, other), running("refer", uri, other) as command:
        command.hear("100 Trying")
        command.press()
        assert command.end() == 130
        asked.press()
        assert asked.end() == 0
    assert command.complaints == []


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["a b", "c"], "ringback: URI: a b is no SIP URI: malformed SIP URI\n"),
        (["bob@example.test", "a b"], "ringback: TARGET: a b is no SIP URI: malformed SIP URI\n"),
        (["bob@example.test"], "Missing argument 'TARGET'"),
    ],
)
def test_what_cannot_be_done_as_told_is_2(arguments: list[str], line: str) -> None:
    result = say("refer", *arguments)
    assert result.exit_code == 2
    assert line in result.output
