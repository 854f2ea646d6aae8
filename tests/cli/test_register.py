"""`ringback register`: a binding as long as it runs, the other questions to a registrar, and what goes wrong."""

import json
from pathlib import Path

import pytest

from tests.cli.peer import response, udp_peer
from tests.cli.running import account, at, running, say
from tests.cli.serving import serving


def test_registered_until_ctrl_c(tmp_path: Path) -> None:
    with serving(folder=tmp_path) as server:
        me = ("--user", f"alice@127.0.0.1:{server.port}")
        with running("register", *me, "--expires", "5m", "--q", "0.5") as command:
            assert command.hear("registered") == f"registered sip:alice@127.0.0.1:{server.port} for 5m"
            there = say("register", *me, "--query")
            told = say("register", *me, "--query", "--json")
            command.press()
            assert command.end() == 0
        assert command.said[-1] == f"unregistered sip:alice@127.0.0.1:{server.port}"
        gone = say("register", *me, "--query")
    assert there.exit_code == gone.exit_code == 0
    contact, _, rest = there.output.rstrip("\n").partition("  for another ")
    assert contact.startswith("sip:alice@127.0.0.1:")
    assert rest in ("4m59s  q=0.5", "5m  q=0.5", "4m58s  q=0.5")
    binding = json.loads(told.output)
    assert (binding["event"], binding["contact"], binding["q"]) == ("binding", contact, 0.5)
    assert 290 < binding["expires"] <= 300
    assert gone.output == f"sip:alice@127.0.0.1:{server.port} is registered nowhere\n"


def test_every_binding_is_removed(tmp_path: Path) -> None:
    with serving(folder=tmp_path) as server:
        me = ("--user", f"alice@127.0.0.1:{server.port}")
        with running("register", *me) as one, running("register", *me) as other:
            one.hear("registered")
            other.hear("registered")
            assert say("register", *me, "--query").output.count("\n") == 2
            removed = say("register", *me, "--remove")
            assert "registered nowhere\n" in say("register", *me, "--query").output
    assert (removed.exit_code, removed.output) == (0, f"sip:alice@127.0.0.1:{server.port} is registered nowhere any more\n")


def test_a_phone_that_says_which_it_is_takes_its_own_place(tmp_path: Path) -> None:
    with serving(folder=tmp_path) as server:
        me = ("--user", f"alice@127.0.0.1:{server.port}")
        phone = ("--instance", "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6")
        with running("register", *me, *phone) as one:
            one.hear("registered")
            before = say("register", *me, "--query").output
            with running("register", *me, *phone) as other:
                other.hear("registered")
                after = say("register", *me, "--query").output
    assert before.count("\n") == after.count("\n") == 1
    assert before.partition("  ")[0] != after.partition("  ")[0]


def test_passwords(tmp_path: Path) -> None:
    account(tmp_path / "data", "alice", "gehéim")
    file = tmp_path / "password"
    file.write_text("gehéim\r\nnot this\n")
    with serving("--listen", "udp://127.0.0.1:0", "--data", str(tmp_path / "data"), folder=tmp_path, auth=None) as server:
        me = ("register", "--query", "--user", "alice@example.org", *at(server))
        assert say(*me, "--password", "gehéim").exit_code == 0
        assert say(*me, "--password-file", str(file)).exit_code == 0
        assert say(*me, "--password-file", "-", text="gehéim\n").exit_code == 0
        assert say(*me, RINGBACK_PASSWORD="gehéim").exit_code == 0
        # What is said goes before what is around.
        assert say(*me, "--password", "gehéim", RINGBACK_PASSWORD="wrong").exit_code == 0
        assert say("register", "--query", *at(server), RINGBACK_USER="alice@example.org", RINGBACK_PASSWORD="gehéim").exit_code == 0
        assert say(*me[:-4], "--user", "nobody@example.org", "--auth-user", "alice", *at(server), "--password", "gehéim").exit_code == 1


def test_a_wrong_password_is_tried_once_and_told_in_one_line(tmp_path: Path) -> None:
    with serving(folder=tmp_path, auth="digest") as server:
        me = ("register", "--user", f"alice@127.0.0.1:{server.port}")
        wrong = say(*me, "--password", "wrong", "--trace")
        none = say(*me)
        told = say(*me, "--password", "wrong", "--json")
    assert wrong.exit_code == none.exit_code == told.exit_code == 4
    assert wrong.stdout.count("─ REGISTER") == 2
    assert wrong.stderr == "ringback: 401 Unauthorized: wrong password or unknown user for 127.0.0.1\n"
    why = "a password is wanted for 127.0.0.1; give --password-file, --password or RINGBACK_PASSWORD"
    assert none.output == f"ringback: 401 Unauthorized: {why}\n"
    assert {**json.loads(told.output), "time": 0} == {
        "time": 0,
        "event": "failed",
        "status": 401,
        "reason": "Unauthorized",
        "fault": "401 Unauthorized: wrong password or unknown user for 127.0.0.1",
    }


def test_what_the_registrar_is_asked() -> None:
    with udp_peer(lambda text: [response(text, "403 Forbidden")]) as (port, heard):
        refused = say("register", "--user", "alice@example.test", "--registrar", f"127.0.0.1:{port}", "--expires", "90s", "--name", "Ann")
        say("register", "--user", "alice@example.test", "--proxy", f"127.0.0.1:{port}", "--remove")
    assert (refused.exit_code, refused.output) == (1, "ringback: 403 Forbidden\n")
    lines = heard[0].split("\r\n")
    assert lines[0] == f"REGISTER sip:127.0.0.1:{port} SIP/2.0"
    assert "Expires: 90" in lines
    assert "To: <sip:alice@example.test>" in lines
    assert heard[1].startswith("REGISTER sip:example.test SIP/2.0\r\n")
    assert f"Route: <sip:127.0.0.1:{port};lr>" in heard[1]
    assert "Contact: *\r\n" in heard[1]


def test_ctrl_c_before_an_answer() -> None:
    with udp_peer(lambda _: []) as (port, _), running("register", "--user", f"a@127.0.0.1:{port}", "--trace") as command:
        command.hear("REGISTER")
        command.press()
        # A first copy may have arrived; the second Ctrl-C gives that up.
        command.hear("REGISTER")
        command.press()
        assert command.end() == 130
    assert command.complaints == []


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "ringback: whom to register? --user alice@example.org\n"),
        (["--user", "alice@example.test", "--query", "--remove"], "ringback: --query and --remove exclude each other\n"),
        (["--user", "alice@example.test", "--registrar", "a@b"], "ringback: --registrar: a@b names a user; a registrar is a host\n"),
        (["--user", "alice@example.test", "--expires", "0"], "Invalid value for '--expires': '0' is not from 1s to "),
        (["--user", "alice@example.test", "--instance", "phone"], "ringback: --instance: phone is no URN, such as urn:uuid:"),
        (["--user", "alice@example.test", "--q", "2"], "Invalid value for '--q'"),
    ],
)
def test_what_cannot_be_done_as_told_is_2(arguments: list[str], line: str) -> None:
    result = say("register", *arguments)
    assert result.exit_code == 2
    assert line in result.output


@pytest.mark.parametrize(("octets", "why"), [(b"", "a password has 1 to 1024 characters"), (b"\xff\n", "a password is text in UTF-8")])
def test_a_password_file_without_a_password(tmp_path: Path, octets: bytes, why: str) -> None:
    file = tmp_path / "password"
    file.write_bytes(octets)
    result = say("register", "--user", "alice@example.test", "--password-file", str(file))
    assert result.exit_code == 2
    assert result.output.startswith(f"ringback: --password-file: {why}")
