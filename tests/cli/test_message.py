"""`ringback message`: what is sent, and what is said of the answer."""

import json

import pytest

from tests.cli.peer import response, udp_peer
from tests.cli.running import answering, running, say


def test_a_message_arrives() -> None:
    with answering() as (phone, uri):
        result = say("message", uri, "Hello")
        piped = say("message", uri, text="from a pipe\n")
        assert phone.hear("message from").endswith(": Hello")
        assert phone.hear("message from").endswith(": from a pipe")
    assert (result.exit_code, result.output) == (0, "200 OK\n")
    assert piped.exit_code == 0


def test_what_is_sent() -> None:
    with udp_peer(lambda text: [response(text, "202 Accepted")]) as (port, heard):
        result = say("message", f"bob@127.0.0.1:{port}", "Grüße", "--expires", "1m")
        say("message", "bob", "-", "--content-type", "text/html", "--user", f"alice@127.0.0.1:{port}", text="<b>hi</b>\n")
        told = say("message", f"bob@127.0.0.1:{port}", "x", "--json")
    assert (result.exit_code, result.output) == (0, "202 Accepted: taken, to be delivered later\n")
    assert "Content-Type: text/plain;charset=utf-8\r\n" in heard[0]
    assert "Expires: 60\r\n" in heard[0]
    assert heard[0].endswith("\r\n\r\nGrüße")
    assert "Content-Type: text/html\r\n" in heard[1]
    assert heard[1].endswith("\r\n\r\n<b>hi</b>")
    fields = json.loads(told.output)
    assert (fields["event"], fields["status"], fields["reason"]) == ("sent", 202, "Accepted")


def test_a_refusal_is_1() -> None:
    with udp_peer(lambda text: [response(text, "404 Not Found", 'Warning: 399 x "gone"')]) as (port, _):
        result = say("message", f"bob@127.0.0.1:{port}", "x")
    assert (result.exit_code, result.output) == (1, 'ringback: 404 Not Found (Warning: 399 x "gone")\n')


def test_ctrl_c_ends_at_once() -> None:
    with udp_peer(lambda _: []) as (port, heard), running("message", f"bob@127.0.0.1:{port}", "x", "--trace") as command:
        command.hear("MESSAGE")
        command.press()
        assert command.end() == 130
    assert len(heard) < 4
    assert command.complaints == []


@pytest.mark.parametrize(
    ("arguments", "text", "line"),
    [
        (["a b", "x"], "", "ringback: URI: a b is no SIP URI: malformed SIP URI\n"),
        (["127.0.0.1", "x", "--content-type", "text"], "", "ringback: "),
        (["127.0.0.1"], "x" * 60_001, "ringback: a message has 60000 characters at most\n"),
        ([], "", "Missing argument 'URI'"),
    ],
)
def test_what_cannot_be_done_as_told_is_2(arguments: list[str], text: str, line: str) -> None:
    result = say("message", *arguments, text=text)
    assert result.exit_code == 2
    assert line in result.output
