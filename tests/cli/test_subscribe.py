"""`ringback subscribe`: what it prints of a notifier's states, how it ends."""

import json

import pytest

from ringback.agent.event.event_package import PENDING, REJECTED
from ringback.message.fields.event import Event
from tests.cli.notifier import watched
from tests.cli.peer import response, udp_peer
from tests.cli.running import running, say


def test_states_until_ctrl_c() -> None:
    with (
        watched(state=b"<presence>\r\n\t<note>\x1b[31m\\</note>\n</presence>\n") as bob,
        running("subscribe", f"bob@127.0.0.1:{bob.port}", "presence", "--expires", "10m") as command,
    ):
        assert command.hear("active") == "active for 10m, application/pidf+xml, 45 octets"
        assert [command.hear("") for _ in range(3)] == ["<presence>", " " * 8 + "<note>\\x1b[31m\\</note>", "</presence>"]
        command.press()
        assert command.end() == 0
        assert [request.expires for request in bob.requests] == [600, 0]
    assert command.said[-1] == f"unsubscribed from presence of sip:bob@127.0.0.1:{bob.port}"
    assert command.complaints == []


def test_once_and_json() -> None:
    with watched() as bob:
        result = say("subscribe", f"bob@127.0.0.1:{bob.port}", "presence", "--once", "--json", "--accept", "application/pidf+xml")
        fetched = say("subscribe", f"bob@127.0.0.1:{bob.port}", "presence", "--expires", "0")
    assert result.exit_code == fetched.exit_code == 0
    notification, end = (json.loads(line) for line in result.output.split("\n")[:-1])
    assert {**notification, "time": 0} == {
        "time": 0,
        "event": "notification",
        "state": "active",
        "expires": 3600,
        "content_type": "application/pidf+xml",
        "body": "<presence/>\n",
    }
    assert end["event"] == "unsubscribed"
    assert bob.requests[0].headers.text("Accept") == "application/pidf+xml"
    assert Event.parse(bob.requests[0].headers.text("Event") or "").value == "presence"
    assert fetched.output.split("\n")[1] == "<presence/>"
    assert "unsubscribed" not in fetched.output


def test_the_notifier_ends_it() -> None:
    with watched(PENDING) as bob, running("subscribe", f"bob@127.0.0.1:{bob.port}", "presence") as command:
        assert command.hear("pending") == "pending for 1h"
        bob.end()
        assert command.hear("terminated").startswith("terminated: ")
        assert command.end() == 0
    assert "ended: " in command.said[-1]


def test_refusals_are_1() -> None:
    with watched(REJECTED) as bob:
        rejected = say("subscribe", f"bob@127.0.0.1:{bob.port}", "presence")
        unknown = say("subscribe", f"bob@127.0.0.1:{bob.port}", "dialog")
    assert (rejected.exit_code, rejected.output) == (1, "ringback: 403 Forbidden\n")
    assert (unknown.exit_code, unknown.output) == (1, "ringback: 489 Bad Event (Allow-Events: presence)\n")


def test_a_notifier_that_says_no_later_is_1() -> None:
    def answer(text: str) -> list[str]:
        if not text.startswith("SUBSCRIBE"):
            return []
        fields = dict(line.split(": ", 1) for line in text.split("\r\n")[1:] if ": " in line)
        contact = fields["Contact"].partition("<")[2].partition(">")[0]
        to = fields["To"].partition("<")[2].partition(">")[0]
        notify = [
            f"NOTIFY {contact} SIP/2.0",
            "Via: SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bKpeer",
            "Max-Forwards: 70",
            f"From: <{to}>;tag=peer",
            f"To: {fields['From']}",
            f"Call-ID: {fields['Call-ID']}",
            "CSeq: 1 NOTIFY",
            f"Contact: <{to}>",
            "Event: presence",
            "Subscription-State: terminated;reason=rejected;retry-after=90",
            "Content-Type: application/octet-stream",
            "Content-Length: 1",
        ]
        return [response(text, "200 OK", f"Contact: <{to}>", "Expires: 60"), "\r\n".join(notify) + "\r\n\r\n\udcff"]

    with udp_peer(answer) as (port, _):
        result = say("subscribe", f"bob@127.0.0.1:{port}", "presence")
        told = say("subscribe", f"bob@127.0.0.1:{port}", "presence", "--json")
    assert result.exit_code == told.exit_code == 1
    assert result.output.split("\n") == [
        "terminated: rejected, application/octet-stream, 1 octets",
        "(1 octets)",
        f"subscription to presence of sip:bob@127.0.0.1:{port} ended: rejected; it may be asked again after 1m30s",
        "",
    ]
    assert json.loads(told.output.split("\n")[0])["octets"] == "/w=="


def test_nobody_there_is_3() -> None:
    with udp_peer(lambda _: []) as (port, _):
        pass
    result = say("subscribe", f"bob@127.0.0.1:{port}", "presence")
    assert (result.exit_code, result.output) == (3, "ringback: nobody can be reached there: Port unreachable\n")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["a b", "presence"], "ringback: URI: a b is no SIP URI: malformed SIP URI\n"),
        (["bob@example.test", "a b"], "ringback: EVENT: a b is no event package: malformed event type\n"),
        (["bob@example.test", "presence", "--accept", "text"], "ringback: --accept: text is no media type: "),
        (["bob@example.test"], "Missing argument 'EVENT'"),
    ],
)
def test_what_cannot_be_done_as_told_is_2(arguments: list[str], line: str) -> None:
    result = say("subscribe", *arguments)
    assert result.exit_code == 2
    assert line in result.output
