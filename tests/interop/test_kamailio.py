"""Kamailio as the proxy before or behind ours: two of different make in one dialog, each with its own Record-Route."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.kamailio import running_kamailio
from tests.interop.ports import free_port
from tests.interop.server import RunningServer
from tests.interop.sipp import Sipp
from tests.interop.wire import unique

Address = tuple[str, int]


@pytest.fixture(scope="module")
def neighbours(program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Address, Address]]:
    """Where our server is and where Kamailio: ours sends users called far-… to Kamailio, Kamailio all whom it does not know to ours."""
    path = program("kamailio")
    folder = tmp_path_factory.mktemp("neighbours")
    port = free_port()
    routes = f"""
def route(request):
    if request.uri.user.startswith("far-"):
        return Forward(f"sip:{{request.uri.user}}@127.0.0.1:{port}")
"""
    (folder / "routes.py").write_text(routes)
    with (
        RunningServer(folder, config='routing = "routes.py"\n') as server,
        running_kamailio(path, folder, "kamailio.cfg", port=port, next=server.port) as address,
    ):
        yield server.address, address


PAIRS = [
    ("call", "answer"),
    ("call_and_be_hung_up_on", "answer_and_hang_up"),
    ("call_and_cancel", "ring_until_cancelled_afar"),
    ("call_busy", "be_busy"),
    ("call_declined", "decline"),
    ("call_and_change", "answer_and_change"),
    ("message", "take_message"),
]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("order", ["ours first", "kamailio first"])
@pytest.mark.parametrize(("caller", "callee"), PAIRS)
def test_two_proxies(
    program: Callable[[str], str],
    neighbours: tuple[Address, Address],
    tmp_path: Path,
    caller: str,
    callee: str,
    order: str,
    transport: str,
) -> None:
    ours, kamailio = neighbours
    near, far = (ours, kamailio) if order == "ours first" else (kamailio, ours)
    user = ("far-" if far == kamailio else "") + unique()
    with ExitStack() as stack:

        def sipp(scenario: str, port: int, server: Address) -> Sipp:
            place = ("127.0.0.1", port)
            return stack.enter_context(
                Sipp(program("sipp"), scenario, here=place, server=server, user=user, folder=tmp_path, transport=transport)
            )

        port = free_port()
        sipp("register", port, far).finish()
        called = sipp(callee, port, far).wait_until_it_listens()
        sipp(caller, free_port(), near).finish()
        called.finish()
    assert f"127.0.0.1:{ours[1]}" in called.heard()
