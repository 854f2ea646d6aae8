"""The server ends, dies, starts again and reads its routes anew while people talk."""

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.baresip import Phone
from tests.interop.ports import free_port
from tests.interop.running import patiently
from tests.interop.server import RunningServer
from tests.interop.sipp import Sipp
from tests.interop.wire import DOMAIN, Peer, request

ROUTES = """
def route(request):
    return None
"""


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningServer]:
    """A server of the test's own."""
    (tmp_path / "routes.py").write_text(ROUTES)
    server = RunningServer(tmp_path, config='routing = "routes.py"\n')
    yield server.start()
    server.running.stop()


@pytest.mark.parametrize("how", ["kill", "end"])
@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_call_outlives_its_server(running: RunningServer, program: Callable[[str], str], tmp_path: Path, how: str, who: str) -> None:
    """What proves a dialog is kept in the store: the server that comes after knows it (and both phones) without having seen the call."""
    path = program("baresip")
    with Phone(path, tmp_path / "a", "alice", running.address) as alice, Phone(path, tmp_path / "b", "bob", running.address) as bob:
        alice.ready()
        bob.ready()
        alice.say("dial", bob.uri)
        call = bob.rings()
        bob.say("accept")
        alice.expect("CALL_ESTABLISHED", call)
        bob.expect("CALL_ESTABLISHED", call)
        running.kill() if how == "kill" else running.end()
        running.start()
        (alice if who == "caller" else bob).say("hangup")
        (bob if who == "caller" else alice).closing(call)
        # And the next call is as good as the first.
        bob.say("dial", alice.uri)
        again = alice.rings()
        alice.say("hangup")
        bob.closing(again)
    running.end()


@pytest.fixture
def sipp(program: Callable[[str], str], running: RunningServer, tmp_path: Path) -> Iterator[Callable[..., Sipp]]:
    """`sipp("call", port, …)` runs a scenario against the test's own server, for the one user there is."""
    with ExitStack() as stack:

        def run(scenario: str, port: int, **more: int) -> Sipp:
            place = {"here": ("127.0.0.1", port), "server": running.address, "user": "bob", "folder": tmp_path}
            return stack.enter_context(Sipp(program("sipp"), scenario, **place, **more))  # type: ignore[arg-type]

        yield run


def test_it_ends_when_the_call_that_rings_is_answered(running: RunningServer, sipp: Callable[..., Sipp]) -> None:
    """SIGTERM: new requests are refused with 503 and Retry-After, what is under way is finished first."""
    port = free_port()
    sipp("register", port).finish()
    called = sipp("answer_until_acknowledged", port, pause=700).wait_until_it_listens()
    caller = sipp("call_until_answered", free_port())
    patiently(lambda: caller.messages.exists() and "180 Ringing" in caller.heard(), "it rings")
    running.running.process.send_signal(signal.SIGTERM)
    running.running.wait_for("ending")
    with Peer(running.address) as peer:
        refused = peer.ask(request("OPTIONS", f"sip:{DOMAIN}", peer.here))
    assert refused.status == 503
    assert int(refused.field("Retry-After")) > 0
    caller.finish()
    # The ACK too came by way of the server.
    called.finish()
    assert running.running.wait() == 0


def test_routes_read_anew_fail_no_call(running: RunningServer, sipp: Callable[..., Sipp]) -> None:
    """SIGHUP forty times within 200 calls, every other time with a file that cannot be used."""
    port = free_port()
    sipp("register", port).finish()
    called = sipp("answer", port, calls=200).wait_until_it_listens()
    caller = sipp("call", free_port(), calls=200, rate=100)
    server = running.running
    heard = 0
    for number in range(20):
        patiently(lambda enough=number * 8: called.heard().count("\nBYE ") >= enough, "the calls go on")  # type: ignore[misc]
        for text, said in (("def route(request:\n", "all stays as it was"), (ROUTES + "#" * number, "routing read again")):
            (running.folder / "routes.py").write_text(text)
            server.process.send_signal(signal.SIGHUP)
            heard = server.wait_for(said, after=heard)
    caller.finish()
    called.finish()
    running.end()
