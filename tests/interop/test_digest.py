"""Real clients prove their passwords: sipsak, sipp and baresip, which know MD5 alone and look at the first challenge alone."""

import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.interop.baresip import Phone
from tests.interop.ports import free_port
from tests.interop.running import PATIENCE, patiently
from tests.interop.server import RunningServer, ringback
from tests.interop.sipp import Sipp
from tests.interop.wire import DOMAIN, Peer, request

PASSWORD = "opensesame"


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[RunningServer]:
    """A server where alice and bob have accounts, made by its own command."""
    server = RunningServer(tmp_path, config='[access]\nalgorithms = ["MD5"]\n')
    server.command[server.command.index("none")] = "digest"
    # sipsak registers only at a domain that it can resolve.
    server.command += ["--domain", "127.0.0.1"]
    for address in (f"alice@{DOMAIN}", f"bob@{DOMAIN}", "alice@127.0.0.1"):
        command = ringback("user", "add", address, "--data", str(server.data), "--password-stdin")
        subprocess.run(command, input=PASSWORD, text=True, check=True, timeout=PATIENCE, capture_output=True)
    with server:
        yield server


def test_nobody_registers_without(guarded: RunningServer) -> None:
    with Peer(guarded.address) as peer:
        reply = peer.ask(peer.register("alice", peer.contact("alice")))
        assert reply.status == 401
        assert f'realm="{DOMAIN}"' in reply.field("WWW-Authenticate")
        assert peer.ask(request("MESSAGE", f"sip:bob@{DOMAIN}", peer.here)).status == 407


@pytest.mark.parametrize(("user", "password", "status"), [("alice", PASSWORD, 0), ("alice", "wrong", 2), ("nobody", PASSWORD, 2)])
def test_sipsak_registers(program: Callable[[str], str], guarded: RunningServer, user: str, password: str, status: int) -> None:
    command = [
        program("sipsak"), "-i", "-U", "-s", f"sip:{user}@127.0.0.1", "-p", f"127.0.0.1:{guarded.port}",
        "-C", f"sip:{user}@127.0.0.1:5099", "-u", user, "-a", password, "-x", "300", "-vv",
    ]  # fmt: skip
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False, stdin=subprocess.DEVNULL)
    assert ended.returncode == status, ended


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_sipp_registers(program: Callable[[str], str], guarded: RunningServer, tmp_path: Path, transport: str) -> None:
    here = ("127.0.0.1", free_port())
    sipp = Sipp(
        program("sipp"), "register_with_password", here=here, server=guarded.address, user="alice", folder=tmp_path,
        transport=transport,
    )  # fmt: skip
    with sipp:
        sipp.finish()


def test_two_phones_register_and_call(program: Callable[[str], str], guarded: RunningServer, tmp_path: Path) -> None:
    """The INVITE is challenged as well; what follows within the dialog is not."""
    path = program("baresip")
    alice, bob = (Phone(path, tmp_path / name, name, guarded.address, password=PASSWORD) for name in ("alice", "bob"))
    with alice, bob:
        alice.ready()
        bob.ready()
        with closing(sqlite3.connect(guarded.data / "ringback.db")) as store:
            patiently(lambda: store.execute("SELECT count(*) FROM binding").fetchone() == (2,), "both are registered")
        for caller, callee in ((alice, bob), (bob, alice)):
            caller.say("dial", callee.uri)
            call = callee.rings()
            callee.say("accept")
            caller.expect("CALL_ESTABLISHED", call)
            callee.expect("CALL_ESTABLISHED", call)
            callee.say("hangup")
            caller.closing(call)
            callee.closing(call)
