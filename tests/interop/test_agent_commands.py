"""The commands of `ringback` with programs of other makes: `answer` and `call` with sipp and baresip, `register` at Kamailio."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.interop.baresip import Phone
from tests.interop.kamailio import running_kamailio
from tests.interop.ports import free_port
from tests.interop.running import Running, patiently
from tests.interop.server import PASSWORD, ringback
from tests.interop.sipp import Sipp
from tests.interop.wire import DOMAIN

LIMIT = 10.0
"""Seconds any of them may take."""


def command(folder: Path, name: str, *arguments: str) -> Running:
    return Running(f"ringback {name}", ringback(name, *arguments), folder=folder, environment={"PYTHONWARNINGS": "error", "COLUMNS": "140"})


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_answer_is_called_by_sipp(program: Callable[[str], str], tmp_path: Path, transport: str) -> None:
    here = ("127.0.0.1", free_port())
    with command(tmp_path, "answer", "--listen", f"{transport}://{here[0]}:{here[1]}", "--once") as answering:
        answering.wait_for(str(here[1]), seconds=LIMIT)
        with Sipp(
            program("sipp"), "uac", here=("127.0.0.1", free_port()), server=here, user="anybody", folder=tmp_path,
            transport=transport, is_built_in=True,
        ) as caller:  # fmt: skip
            caller.finish(LIMIT)
        assert answering.wait(LIMIT) == 0, answering.account("did not end well")


@pytest.mark.parametrize("options", [[], ["--late-offer"]], ids=["offer", "late offer"])
def test_call_reaches_a_phone_which_hangs_up(program: Callable[[str], str], tmp_path: Path, options: list[str]) -> None:
    with Phone(program("baresip"), tmp_path / "bob", "bob", None) as bob:
        bob.ready()
        with command(tmp_path, "call", bob.uri, "--listen", "udp://127.0.0.1:0", *options) as calling:
            name = bob.rings()
            bob.say("accept")
            bob.expect("CALL_ESTABLISHED", name, seconds=LIMIT)
            bob.say("hangup")
            assert calling.wait(LIMIT) == 0, calling.account("did not end well")


def test_call_hangs_up_on_a_phone(program: Callable[[str], str], tmp_path: Path) -> None:
    with Phone(program("baresip"), tmp_path / "bob", "bob", None) as bob:
        bob.ready()
        with command(tmp_path, "call", bob.uri, "--listen", "udp://127.0.0.1:0", "--hang-up-after", "200ms") as calling:
            name = bob.rings()
            bob.say("accept")
            bob.expect("CALL_ESTABLISHED", name, seconds=LIMIT)
            bob.expect("CALL_CLOSED", name, seconds=LIMIT)
            assert calling.wait(LIMIT) == 0, calling.account("did not end well")


def test_call_tells_that_a_phone_has_declined(program: Callable[[str], str], tmp_path: Path) -> None:
    with Phone(program("baresip"), tmp_path / "bob", "bob", None) as bob:
        bob.ready()
        with command(tmp_path, "call", bob.uri, "--listen", "udp://127.0.0.1:0") as calling:
            bob.rings()
            bob.say("hangup")
            assert calling.wait(LIMIT) == 1, calling.account("did not end as refused")
            assert any("486" in line for line in calling.said)


def test_message_is_read_on_a_phone(program: Callable[[str], str], tmp_path: Path) -> None:
    with Phone(program("baresip"), tmp_path / "bob", "bob", None) as bob:
        bob.ready()
        with command(tmp_path, "message", bob.uri, "hello there", "--listen", "udp://127.0.0.1:0") as sending:
            bob.wait_for("hello there", seconds=LIMIT)
            assert sending.wait(LIMIT) == 0, sending.account("did not end well")


def test_register_at_kamailio(program: Callable[[str], str], tmp_path: Path) -> None:
    """Registered until Ctrl-C, as another one asks; with a wrong password it is told so, by the exit status 4."""
    port = free_port()
    with running_kamailio(program("kamailio"), tmp_path, "kamailio_accounts.cfg", password=PASSWORD, algorithm="MD5") as address:
        options = ["--user", f"alice@{DOMAIN}", "--proxy", f"sip:127.0.0.1:{address[1]}"]

        def register(password: str, *more: str) -> Running:
            return command(tmp_path, "register", *options, "--password", password, *more)

        def is_registered() -> bool:
            with register(PASSWORD, "--listen", "udp://127.0.0.1:0", "--query") as asking:
                assert asking.wait(LIMIT) == 0, asking.account("ended otherwise")
                return any(f":{port}" in line for line in asking.said)

        with register("wrong", "--listen", "udp://127.0.0.1:0") as refused:
            assert refused.wait(LIMIT) == 4, refused.account("ended otherwise")
        with register(PASSWORD, "--listen", f"udp://127.0.0.1:{port}") as registering:
            patiently(is_registered, "alice is registered", LIMIT)
            assert registering.end(signal.SIGINT) == 0, registering.account("ended otherwise")
        assert not is_registered()
