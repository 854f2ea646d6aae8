"""sipp calls sipp across transports and address families: the server stands on both sides (RFC 5658)."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.interop.ports import free_port, has_ipv6
from tests.interop.server import RunningServer
from tests.interop.sipp import Sipp
from tests.interop.wire import unique

V4, V6 = "127.0.0.1", "::1"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that listens on both families."""
    if not has_ipv6():
        pytest.skip("no ::1 here")
    server = RunningServer(tmp_path_factory.mktemp("both"))
    server.command += ["--listen", f"udp://[{V6}]:{server.port}"]
    with server:
        yield server


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("udp", V6), ("udp", V4)),
        (("udp", V4), ("udp", V6)),
        (("tcp", V6), ("udp", V4)),
        (("udp", V4), ("tcp", V6)),
        (("udp", V4), ("tcp", V4)),
        (("tcp", V4), ("udp", V4)),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize(("caller", "callee"), [("call", "answer"), ("call_and_be_hung_up_on", "answer_and_hang_up")])
def test_each_speaks_its_own(
    program: Callable[[str], str],
    both: RunningServer,
    tmp_path: Path,
    one: tuple[str, str],
    other: tuple[str, str],
    caller: str,
    callee: str,
) -> None:
    user = unique()

    def sipp(scenario: str, way: tuple[str, str], port: int) -> Sipp:
        transport, host = way
        return Sipp(program("sipp"), scenario, here=(host, port), server=(host, both.port), user=user, folder=tmp_path, transport=transport)

    port = free_port(other[1])
    with sipp("register", other, port) as registering:
        registering.finish()
    with sipp(callee, other, port).wait_until_it_listens() as answering, sipp(caller, one, free_port(one[1])) as calling:
        calling.finish()
        answering.finish()
    entries = [line for line in answering.heard().split("\n") if line.startswith("Record-Route: <sip:")]
    # Each entry names its side as that side has it.
    assert f"Record-Route: <sip:{'[::1]' if other[1] == V6 else V4}:{both.port}" in entries[0]
    assert (";transport=tcp" in entries[0]) is (other[0] == "tcp")
