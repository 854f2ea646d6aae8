"""sipp calls sipp through a server that keeps nothing, and asks one that redirects (RFC 3261 §16.11, §8.3)."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.interop.server import RunningServer
from tests.interop.test_sipp import Stage
from tests.interop.wire import DOMAIN, Peer, request


@pytest.fixture(scope="module")
def stateless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server whose domain keeps no state."""
    folder = tmp_path_factory.mktemp("stateless")
    with RunningServer(folder, config=f'[domain."{DOMAIN}"]\nmode = "stateless"\n') as server:
        yield server


@pytest.fixture
def stage(program: Callable[[str], str], stateless: RunningServer, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """Sipps around it, over one transport."""
    made = Stage(program("sipp"), stateless, request.param, tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("stage", ["udp", "tcp"], indirect=True)
@pytest.mark.parametrize(
    ("caller", "callee"),
    [
        ("call", "answer"),
        ("call_and_be_hung_up_on", "answer_and_hang_up"),
        ("call_and_cancel", "ring_until_cancelled"),
        ("call_busy", "be_busy"),
        ("call_and_change", "answer_and_change"),
        ("message", "take_message"),
        ("options", "take_options"),
    ],
)
def test_one_of_each_through_a_server_that_keeps_nothing(stage: Stage, caller: str, callee: str) -> None:
    called = stage.callee(callee)
    stage.run(caller).finish()
    called.finish()


@pytest.mark.parametrize("stage", ["udp"], indirect=True)
def test_a_hundred_calls_without_state(stage: Stage) -> None:
    called = stage.callee("answer", calls=100)
    caller = stage.run("call", calls=100, rate=50, more=("-l", "100"))
    caller.finish()
    called.finish()
    assert caller.process.returncode == called.process.returncode == 0
    assert len(re.findall(r"^BYE ", called.heard(), re.MULTILINE)) >= 100


def test_a_caller_is_told_where_the_user_is(tmp_path: Path) -> None:
    with RunningServer(tmp_path, config=f'[domain."{DOMAIN}"]\nmode = "redirect"\n') as server, Peer(server.address) as peer:
        contact = f"sip:bob@{peer.here[0]}:{peer.here[1]}"
        register = request("REGISTER", f"sip:{DOMAIN}", peer.here, f"Contact: <{contact}>", to=f"sip:bob@{DOMAIN}")
        assert peer.ask(register).status == 200
        moved = peer.ask(request("MESSAGE", f"sip:bob@{DOMAIN}", peer.here))
        assert moved.status == 302
        assert moved.field("Contact").startswith(f"<{contact}>;q=1;expires=")
