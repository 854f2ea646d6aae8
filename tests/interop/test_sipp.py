"""sipp calls sipp through the server: every way a call can end, over UDP, TCP and IPv6."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.ports import free_port
from tests.interop.server import RunningServer
from tests.interop.sipp import Sipp
from tests.interop.wire import DOMAIN, Peer, request, unique

WAYS = [("udp", "127.0.0.1"), ("tcp", "127.0.0.1"), ("udp", "::1"), ("tcp", "::1")]
Servers = Callable[[str], RunningServer]


class Stage:
    """Where sipps meet: one server, one transport, one folder for what they log."""

    def __init__(self, sipp: str, server: RunningServer, transport: str, folder: Path) -> None:
        self.sipp = sipp
        self.server = server
        self.transport = transport
        self.folder = folder
        self.user = unique()
        self._open = ExitStack()

    def run(self, scenario: str, port: int | None = None, *, transport: str = "", **more: object) -> Sipp:
        """Starts a sipp at a port of its own."""
        host = self.server.host
        sipp = Sipp(
            self.sipp,
            scenario,
            here=(host, free_port(host) if port is None else port),
            server=self.server.address,
            folder=self.folder,
            transport=transport or self.transport,
            **{"user": self.user, **more},  # type: ignore[arg-type]
        )
        return self._open.enter_context(sipp)

    def callee(self, scenario: str, *, transport: str = "", port: int | None = None, **more: object) -> Sipp:
        """Registers with sipp, then waits at the registered port for calls."""
        port = free_port(self.server.host) if port is None else port
        self.run("register", port, transport=transport).finish()
        return self.run(scenario, port, transport=transport, **more).wait_until_it_listens()

    def close(self) -> None:
        self._open.close()


@pytest.fixture
def stage(program: Callable[[str], str], servers: Servers, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """On the transport and address of the test's parameter, else UDP on 127.0.0.1."""
    transport, host = getattr(request, "param", WAYS[0])
    made = Stage(program("sipp"), servers(host), transport, tmp_path)
    yield made
    made.close()


every_way = pytest.mark.parametrize("stage", WAYS, indirect=True, ids=" ".join)


@every_way
@pytest.mark.parametrize(
    ("caller", "callee"),
    [
        ("call", "answer"),
        ("call_and_be_hung_up_on", "answer_and_hang_up"),
        ("call_and_cancel", "ring_until_cancelled"),
        ("call_busy", "be_busy"),
        ("call_declined", "decline"),
        ("call_and_change", "answer_and_change"),
        ("message", "take_message"),
        ("options", "take_options"),
    ],
)
def test_one_of_each(stage: Stage, caller: str, callee: str) -> None:
    called = stage.callee(callee)
    stage.run(caller).finish()
    called.finish()


def test_the_callee_gives_up_ringing(stage: Stage) -> None:
    called = stage.callee("ring_out", pause=500)
    stage.run("call_unanswered").finish()
    called.finish()


def test_nobody_answers_and_the_caller_gives_up_after_2_s(stage: Stage) -> None:
    called = stage.callee("ring_until_cancelled")
    stage.run("call_and_cancel", pause=2000).finish()
    called.finish()


def test_nobody_answers_within_the_time_a_route_gives(stage: Stage) -> None:
    """ring_for: the proxy cancels the callee and answers 408 (§16.8)."""
    stage.user = "impatient"
    called = stage.callee("ring_until_cancelled")
    stage.run("call_timed_out").finish()
    called.finish()


@pytest.mark.parametrize("stage", WAYS[:2], indirect=True, ids=["udp", "tcp"])
def test_two_hundred_calls_at_100_a_second_without_a_failure(stage: Stage) -> None:
    called = stage.callee("answer", calls=200)
    caller = stage.run("call", calls=200, rate=100, more=("-l", "200"))
    caller.finish()
    called.finish()
    assert caller.process.returncode == called.process.returncode == 0
    assert len(re.findall(r"^BYE ", called.heard(), re.MULTILINE)) >= 200


@pytest.mark.parametrize("stage", WAYS[:2], indirect=True, ids=["udp", "tcp"])
def test_two_callees_ring_one_answers_the_other_is_cancelled(stage: Stage) -> None:
    answering = stage.callee("answer_later", pause=300)
    ringing = stage.callee("ring_until_cancelled")
    caller = stage.run("call_forked")
    caller.finish()
    answering.finish()
    ringing.finish()
    assert "CANCEL " not in answering.heard()
    assert "BYE " not in ringing.heard()
    # §16.7: the 487 of the one that lost is not the caller's business.
    assert " 487 " not in caller.heard()


@pytest.mark.parametrize("caller", ["udp", "tcp"])
def test_a_large_invite_goes_over_tcp_to_a_callee_that_listens_there(stage: Stage, caller: str) -> None:
    """§18.1.1: above 1300 octets TCP, though the callee registered for UDP."""
    port = free_port()
    stage.run("register", port).finish()
    called = stage.run("answer", port, transport="tcp").wait_until_it_listens()
    stage.run("call_large", transport=caller).finish()
    called.finish()
    assert "Via: SIP/2.0/TCP" in called.heard()


def test_a_large_invite_goes_over_udp_where_the_callee_has_no_tcp(stage: Stage) -> None:
    """§18.1.1: where TCP is refused, the request is tried again over UDP."""
    called = stage.callee("answer")
    stage.run("call_large").finish()
    called.finish()
    assert "Via: SIP/2.0/UDP" in called.heard()


def test_nobody_there_is_404(stage: Stage) -> None:
    with Peer(stage.server.address) as peer:
        assert peer.ask(request("MESSAGE", f"sip:{unique()}@{DOMAIN}", peer.here)).status == 404


def test_a_callee_that_is_gone_is_told_at_once(stage: Stage) -> None:
    """Nobody listens at the registered port: the system says so, and the caller need not wait for Timer B (§16.9)."""
    stage.run("register").finish()
    ended = stage.run("call")
    assert ended.wait(5) != 0
    assert re.search(r"^SIP/2\.0 5\d\d ", ended.heard(), re.MULTILINE), ended.heard()
