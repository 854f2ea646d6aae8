"""`ringback answer`: what callers hear, what its user reads, and how it ends."""

import json
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.cli.running import COMMAND, answering, environment, running, say
from tests.cli.serving import PATIENCE, serving


@pytest.mark.parametrize(
    ("arguments", "heard", "why"),
    [
        (["--busy"], "486 Busy Here", "we declined with 486"),
        (["--decline"], "603 Decline", "we declined with 603"),
        (["--redirect", "carol@127.0.0.1:9"], "302 Moved Temporarily", "we redirected to sip:carol@127.0.0.1:9"),
    ],
)
def test_callers_are_refused_as_told(arguments: list[str], heard: str, why: str) -> None:
    with answering("--once", *arguments) as (phone, uri):
        result = say("call", uri, "--no-redirect")
        assert phone.end() == 0
    assert result.exit_code == 1
    assert f"ringback: {heard}" in result.output
    assert "180" not in result.output
    assert phone.said[-1].endswith(f" not answered: {why}")


def test_it_rings_before_it_refuses() -> None:
    with answering("--once", "--decline", "--after", "50ms") as (_, uri):
        result = say("call", uri)
    assert result.output.split("\n")[1:] == ["180 Ringing", "ringback: 603 Decline", ""]


def test_without_once_it_waits_for_the_next_caller() -> None:
    with answering() as (phone, uri):
        for _ in range(2):
            assert say("call", uri, "--hang-up-after", "0").exit_code == 0
            phone.hear("the peer hung up")
        phone.press()
        assert phone.end() == 0


def test_with_once_a_second_caller_hears_that_it_is_busy() -> None:
    with answering("--once") as (phone, uri), running("call", uri) as first:
        first.hear("in call with")
        second = say("call", uri)
        assert "486 Busy Here" in second.output
        first.press()
        assert phone.end() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_while_it_rings_says_that_nobody_is_there(number: int) -> None:
    with answering("--after", "1h") as (phone, uri), running("call", uri) as caller:
        caller.hear("180 Ringing")
        phone.press(number)
        assert phone.end() == 0
        assert caller.end() == 1
    assert caller.complaints == ["ringback: 480 Temporarily Unavailable"]


def test_ctrl_c_hangs_up_every_call() -> None:
    with answering() as (phone, uri), running("call", uri) as first, running("call", uri) as second:
        first.hear("in call with")
        second.hear("in call with")
        phone.press()
        assert phone.end() == 0
        assert first.end() == second.end() == 0
    assert first.said[-1].endswith("the peer hung up")
    assert second.said[-1].endswith("the peer hung up")
    assert phone.complaints == []


def test_messages_are_printed_without_power_over_the_terminal() -> None:
    with answering() as (phone, uri):
        assert say("message", uri, "Grüße \x1b[31m\u202e\nzwei", "--user", "alice@example.test", "--name", "Ann").exit_code == 0
        assert phone.hear("message from") == "message from Ann <sip:alice@example.test>: Grüße \\x1b[31m\\u202e"
        assert phone.hear("") == "zwei"


def test_json() -> None:
    with answering("--after", "0s", "--once", "--json") as (phone, uri):
        say("message", uri, "Hi", "--user", "alice@example.test")
        say("call", uri, "--user", "alice@example.test", "--name", "Ann", "--hang-up-after", "0")
        assert phone.end() == 0
    waiting, message, incoming, answered, ended = (json.loads(line) for line in phone.said)
    assert waiting["event"] == "waiting"
    assert (message["event"], message["sender"], message["body"]) == ("message", "sip:alice@example.test", "Hi")
    assert (incoming["event"], incoming["caller"], incoming["name"]) == ("incoming", "sip:alice@example.test", "Ann")
    assert answered["event"] == "answered"
    assert (ended["event"], ended["why"]) == ("ended", "the peer hung up")


def test_where_nobody_reads_any_more_it_ends_and_callers_are_told() -> None:
    phone = subprocess.Popen(
        [*COMMAND, "answer", "--listen", "udp://127.0.0.1:0", "--after", "1h"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    try:
        assert phone.stdout is not None
        assert phone.stderr is not None
        port = phone.stdout.readline().split()[4].partition(b":")[2].decode()
        phone.stdout.close()
        result = say("call", f"sip:bob@127.0.0.1:{port}")
        assert phone.wait(PATIENCE) == 0
        assert phone.stderr.read() == b""
        phone.stderr.close()
    finally:
        if phone.poll() is None:
            phone.kill()
            phone.wait(PATIENCE)
    assert "ringback: 480 Temporarily Unavailable" in result.output


def test_registered_it_is_found_through_the_server(tmp_path: Path) -> None:
    with (
        serving(folder=tmp_path) as server,
        running("answer", "--register", "--expires", "10m", "--user", f"bob@127.0.0.1:{server.port}") as bob,
    ):
        assert bob.hear("registered") == f"registered sip:bob@127.0.0.1:{server.port} for 10m"
        assert say("call", "bob", "--user", f"alice@127.0.0.1:{server.port}", "--hang-up-after", "0").exit_code == 0
        bob.press()
        assert bob.end() == 0
        assert bob.said[-1].startswith("unregistered ")
        gone = say("call", "bob", "--user", f"alice@127.0.0.1:{server.port}")
    assert (gone.exit_code, gone.output.split("\n")[1]) == (1, "ringback: 404 Not Found")


def test_a_registration_that_is_refused_ends_it(tmp_path: Path) -> None:
    with serving(folder=tmp_path, auth="digest") as server:
        result = say("answer", "--register", "--user", f"bob@127.0.0.1:{server.port}", "--password", "wrong")
    assert result.exit_code == 4
    assert result.output == "ringback: 401 Unauthorized: wrong password or unknown user for 127.0.0.1\n"


def test_a_port_that_is_taken() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        result = say("answer", "--listen", f"udp://127.0.0.1:{port}")
    why = f"cannot listen: Address already in use: UDP 127.0.0.1:{port}; --listen names another place"
    assert (result.exit_code, result.output) == (2, f"ringback: {why}\n")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--busy", "--decline"], "--decline, --busy and --redirect exclude each other"),
        (["--redirect", "!"], "--redirect: ! is no SIP URI: malformed SIP URI"),
        (["--register"], "whom to register? --user alice@example.org"),
        (["--register", "--user", "127.0.0.1"], "--user: 127.0.0.1 is no USER@DOMAIN, such as alice@example.org"),
    ],
)
def test_what_cannot_be_done_as_told_is_2(arguments: list[str], line: str) -> None:
    result = say("answer", *arguments)
    assert (result.exit_code, result.output) == (2, f"ringback: {line}\n")
