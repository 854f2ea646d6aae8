"""`ringback user`: what it does to the accounts, what it asks, and what a running server sees of it."""

import os
import pty
import re
import select
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ringback.cli.main import main
from ringback.digest import ha1
from ringback.server.store import Store
from ringback.server.users import Users
from tests.cli.serving import PATIENCE, serving
from tests.server.proving import answer_to


def user(*arguments: str, text: str = "secret\n") -> Result:
    return CliRunner().invoke(main, ["user", *arguments], input=text, catch_exceptions=False)


def key_of(folder: Path, name: str, algorithm: str = "MD5") -> str:
    store = Store(folder)
    try:
        return Users(store).ha1(name, "example.org", algorithm)
    finally:
        store.close()


def test_accounts_are_made_listed_changed_and_ended(tmp_path: Path) -> None:
    here = ("--data", str(tmp_path))
    assert user("list", *here).output == ""
    made = user("add", "alice@Example.ORG.", *here)
    assert (made.exit_code, made.output) == (0, "alice@example.org may register\n")
    assert user("add", "sip:bob@example.org", "--minimum", "SHA-256", "--password-stdin", *here).exit_code == 0
    assert user("list", *here).output == "alice@example.org\nbob@example.org  at least SHA-256\n"
    assert key_of(tmp_path, "alice") == ha1("alice", "example.org", "secret", "MD5")
    assert user("password", "alice@example.org", *here, text="other\r\nrest").output == "alice@example.org has a new password\n"
    assert key_of(tmp_path, "alice") == ha1("alice", "example.org", "other", "MD5")
    assert user("remove", "alice@example.org", *here).output == "alice@example.org is no user any more\n"
    assert user("list", *here).output == "bob@example.org  at least SHA-256\n"


def test_calls_are_sent_elsewhere_and_back(tmp_path: Path) -> None:
    here = ("--data", str(tmp_path))
    user("add", "alice@example.org", *here)
    assert user("forward", "alice@example.org", *here).output == "calls for alice@example.org are not forwarded\n"
    said = user("forward", "alice@example.org", "--busy", "--no-answer", "20", "bob@example.org", *here).output
    assert said == "busy: sip:bob@example.org\nno answer (after 20 s): sip:bob@example.org\n"
    said = user("forward", "alice@example.org", "--always", "tel:+4930123", *here).output
    assert said == "always: tel:+4930123\nbusy: sip:bob@example.org\nno answer (after 20 s): sip:bob@example.org\n"
    assert user("forward", "alice@example.org", *here).output == said
    said = user("forward", "alice@example.org", "--always", "--busy", "--off", *here).output
    assert said == "no answer (after 20 s): sip:bob@example.org\n"
    assert user("forward", "alice@example.org", "--no-answer", "--off", *here).output == "calls for alice@example.org are not forwarded\n"
    assert user("forward", "alice@example.org", "--off", *here).output == "calls for alice@example.org are not forwarded\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["sip:bob@example.org"], "a URI goes with --always, --busy, --no-answer SECONDS or --unregistered"),
        (["sip:bob@example.org", "--busy", "--off"], "a URI goes with --always, --busy, --no-answer SECONDS or --unregistered"),
        (["--busy"], "name the URI that calls shall go to, such as sip:bob@example.org, or --off"),
        (["--no-answer", "0", "sip:bob@example.org"], "a phone may ring from 1 to 3600 seconds before nobody has answered"),
        (
            ["--busy", "http://x"],
            "calls cannot be forwarded to 'http://x': allowed are such as sip:bob@example.org or tel:+4930123456",
        ),
    ],
)
def test_calls_that_cannot_be_sent_elsewhere(tmp_path: Path, arguments: list[str], line: str) -> None:
    here = ("--data", str(tmp_path))
    user("add", "alice@example.org", *here)
    result = user("forward", "alice@example.org", *arguments, *here)
    assert (result.exit_code, result.output) == (2, f"ringback: {line}\n")
    assert user("forward", "alice@example.org", *here).output == "calls for alice@example.org are not forwarded\n"
    unknown = user("forward", "nobody@example.org", *here)
    assert (unknown.exit_code, unknown.output) == (2, "ringback: there is no user nobody@example.org\n")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["add", "alice"], "'alice' is no USER@DOMAIN, such as alice@example.org"),
        (["add", "alice@a b"], "'a b' is no domain; allowed is a host name or address such as example.org, [::1] or 192.0.2.1"),
        (["add", "a:b@example.org"], "no user can be called 'a:b': 1 to 256 printable characters, no colon"),
        (["add", "a\nb@example.org"], "no user can be called 'a\\nb': 1 to 256 printable characters, no colon"),
        (["add", "@example.org"], "no user can be called '': 1 to 256 printable characters, no colon"),
        (["add", "known@example.org"], "known@example.org exists already; `ringback user password` gives a new password"),
        (["password", "alice@example.org"], "there is no user alice@example.org"),
        (["remove", "alice@example.org"], "there is no user alice@example.org"),
        (["remove", "alice@"], "'' is no domain; allowed is a host name or address such as example.org, [::1] or 192.0.2.1"),
    ],
)
def test_what_cannot_be_done_is_one_line(tmp_path: Path, arguments: list[str], line: str) -> None:
    here = ("--data", str(tmp_path))
    user("add", "known@example.org", *here)
    result = user(*arguments, *here)
    assert (result.exit_code, result.output) == (2, f"ringback: {line}\n")


@pytest.mark.parametrize("text", ["", "\n", "x" * 1025 + "\n"])
def test_a_password_has_some_length(tmp_path: Path, text: str) -> None:
    result = user("add", "alice@example.org", "--data", str(tmp_path), text=text)
    assert (result.exit_code, result.output) == (2, "ringback: a password has 1 to 1024 characters\n")


def test_the_servers_own_configuration_says_where(tmp_path: Path) -> None:
    file = tmp_path / "server.toml"
    file.write_text('domains = ["example.org"]\ndata = "kept"\n')
    assert user("add", "alice@example.org", "--config", str(file)).exit_code == 0
    assert (tmp_path / "kept" / "ringback.db").exists()
    result = user("add", "alice@example.net", "--config", str(file))
    assert (result.exit_code, result.output) == (2, "ringback: example.net is not among the domains served: example.org\n")
    result = user("list", "--config", str(tmp_path / "absent.toml"))
    assert (result.exit_code, result.output) == (2, f"ringback: {tmp_path}/absent.toml: cannot be read: No such file or directory\n")
    result = user("list", "--data", ":memory:")
    assert (result.exit_code, result.output) == (2, "ringback: --data :memory: keeps no users; name a folder\n")
    (tmp_path / "file").write_text("")
    result = user("list", "--data", str(tmp_path / "file"))
    assert result.exit_code == 2
    assert result.output.count("\n") == 1


def test_on_a_terminal_the_password_is_asked_for_twice_and_not_shown(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    command = [
        sys.executable,
        "-c",
        "from ringback.cli.main import main; main()",
        "user",
        "add",
        "alice@example.org",
        "--data",
        str(tmp_path),
    ]
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, close_fds=True, start_new_session=True)
    os.close(slave)
    said = b""
    try:
        for answer in (b"secret\n", b"secrte\n", b"secret\n", b"secret\n"):
            said += _until(master, rb": $")
            os.write(master, answer)
        said += _until(master, rb"may register")
        assert process.wait(PATIENCE) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(PATIENCE)
        os.close(master)
    assert b"secret" not in said
    assert said.count(b"Once more") == 2
    assert key_of(tmp_path, "alice") == ha1("alice", "example.org", "secret", "MD5")


def _until(descriptor: int, pattern: bytes) -> bytes:
    """What a terminal shows until it shows this."""
    shown = b""
    end = time.monotonic() + PATIENCE
    while not re.search(pattern, shown):
        left = end - time.monotonic()
        assert left > 0, shown
        if select.select([descriptor], [], [], left)[0]:
            shown += os.read(descriptor, 4096)
    return shown


def register(sock: socket.socket, password: str) -> int:
    """Registers alice at 127.0.0.1, who says what the server asks for; gives the last status."""
    host, port = sock.getsockname()
    extra = ""
    for cseq in (1, 2):
        branch = f"z9hG4bK{time.monotonic_ns()}"
        sock.send(
            (
                f"REGISTER sip:example.org SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{port};branch={branch}\r\n"
                f"From: <sip:alice@example.org>;tag=1\r\nTo: <sip:alice@example.org>\r\n"
                f"Call-ID: {branch}\r\nCSeq: {cseq} REGISTER\r\nMax-Forwards: 70\r\n"
                f"Contact: <sip:alice@{host}:{port}>\r\n{extra}Content-Length: 0\r\n\r\n"
            ).encode()
        )
        text = sock.recv(65_536).decode()
        if not text.startswith("SIP/2.0 401"):
            break
        [params] = [dict(re.findall(r'(\w+)="?([^",]+)', line)) for line in text.split("\r\n") if "algorithm=SHA-256" in line]
        extra = f"Authorization: {answer_to(params, 'REGISTER', 'sip:example.org', 'alice', password)}\r\n"
    return int(text.split(" ")[1])


def test_a_running_server_sees_every_change_within_a_second_or_so(tmp_path: Path) -> None:
    with (
        serving("--listen", "udp://127.0.0.1:0", "--data", "kept", folder=tmp_path, auth=None) as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
    ):
        sock.bind(("127.0.0.1", 0))
        sock.connect(("127.0.0.1", server.port))
        sock.settimeout(PATIENCE)
        here = ("--data", str(tmp_path / "kept"))

        def soon(password: str, status: int) -> None:
            end = time.monotonic() + PATIENCE
            while (found := register(sock, password)) != status:
                assert time.monotonic() < end, f"still {found}"
                select.select([], [], [], 0.1)

        assert register(sock, "secret") == 401
        assert user("add", "alice@example.org", *here).exit_code == 0
        soon("secret", 200)
        assert user("password", "alice@example.org", *here, text="new\n").exit_code == 0
        soon("new", 200)
        assert register(sock, "secret") == 401
        assert user("remove", "alice@example.org", *here).exit_code == 0
        soon("new", 401)
        assert server.end() == 0
