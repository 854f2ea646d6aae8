"""Real clients prove their passwords: sipsak, sipp and baresip, which know MD5 alone and look at the first challenge alone."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.interop.baresip import Phone
from tests.interop.ports import free_port
from tests.interop.running import PATIENCE, patiently
from tests.interop.server import PASSWORD, RunningServer
from tests.interop.sipp import Sipp
from tests.interop.wire import DOMAIN, Peer, request


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
        patiently(lambda: guarded.bindings() == 2, "both are registered")
        for caller, callee in ((alice, bob), (bob, alice)):
            caller.say("dial", callee.uri)
            call = callee.rings()
            callee.say("accept")
            caller.expect("CALL_ESTABLISHED", call)
            callee.expect("CALL_ESTABLISHED", call)
            callee.say("hangup")
            caller.closing(call)
            callee.closing(call)
