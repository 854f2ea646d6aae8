"""Kamailio before or behind our proxy over TLS: each shows a certificate and believes nobody without one (RFC 3261 §26.3.2.2)."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.interop.kamailio import running_kamailio
from tests.interop.ports import free_port
from tests.interop.server import RunningServer
from tests.interop.sipp import Sipp
from tests.interop.wire import unique
from tests.transport.tls.authority import Authority

Address = tuple[str, int]

_TLS = """
routing = "routes.py"
[tls]
certificate = "ours.pem"
key = "ours.key"
client_certificates = "required"
trust = "root.pem"
"""


@pytest.fixture(scope="module")
def neighbours(program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Address, Address]]:
    """Where our server is and where Kamailio, over UDP; between the two there is TLS alone."""
    path = program("kamailio")
    folder = tmp_path_factory.mktemp("neighbours")
    authority = Authority(folder, "root")
    authority.issue("DNS:ours.example", "IP:127.0.0.1", file="ours")
    authority.issue("DNS:kamailio.example", "IP:127.0.0.1", file="kamailio")
    ours, theirs = free_port(), free_port()
    routes = f"""
def route(request):
    if request.uri.user.startswith("far-"):
        return Forward(f"sip:{{request.uri.user}}@127.0.0.1:{theirs};transport=tls")
"""
    (folder / "routes.py").write_text(routes)
    server = RunningServer(folder, config=_TLS)
    server.command += ["--listen", f"tls://127.0.0.1:{ours}"]
    with server, running_kamailio(path, folder, "kamailio_tls.cfg", next=ours, tls=theirs, files=folder) as address:
        yield server.address, address


@pytest.mark.parametrize("order", ["ours first", "kamailio first"])
@pytest.mark.parametrize(
    ("caller", "callee"),
    [
        ("call", "answer"),
        ("call_and_be_hung_up_on", "answer_and_hang_up"),
        ("call_and_cancel", "ring_until_cancelled_afar"),
        ("call_declined", "decline"),
        ("call_and_change", "answer_and_change"),
        ("message", "take_message"),
    ],
)
def test_two_proxies(
    program: Callable[[str], str], neighbours: tuple[Address, Address], tmp_path: Path, caller: str, callee: str, order: str
) -> None:
    ours, kamailio = neighbours
    near, far = (ours, kamailio) if order == "ours first" else (kamailio, ours)
    user = ("far-" if far == kamailio else "") + unique()
    with ExitStack() as stack:

        def sipp(scenario: str, port: int, server: Address) -> Sipp:
            return stack.enter_context(Sipp(program("sipp"), scenario, here=("127.0.0.1", port), server=server, user=user, folder=tmp_path))

        port = free_port()
        sipp("register", port, far).finish()
        called = sipp(callee, port, far).wait_until_it_listens()
        sipp(caller, free_port(), near).finish()
        called.finish()
        assert "Via: SIP/2.0/TLS" in called.heard(), "between the two it went over TLS"
