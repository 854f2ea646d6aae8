"""One of two servers is taken out while people call: nobody notices (A17). All are real processes, the callers are sipp."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.interop.ports import free_port
from tests.interop.running import patiently
from tests.interop.server import RunningServer
from tests.interop.sipp import Sipp
from tests.interop.wire import Peer

_DISPATCH = """
def route(request):
    return Forward("sip:bob@127.0.0.1:{}", "sip:bob@127.0.0.1:{}", one_by_one=True)
"""
_DELIVER = """
def route(request):
    return Forward("sip:bob@127.0.0.1:{}")
"""


def routed(folder: Path, name: str, routes: str, config: str = "") -> RunningServer:
    """A server with a routing function."""
    (folder / name).mkdir()
    (folder / name / "routes.py").write_text(routes)
    return RunningServer(folder / name, config='routing = "routes.py"\n' + config)


@pytest.mark.interop
@pytest.mark.parametrize("how", ["SIGTERM", pytest.param("ctl drain", marks=pytest.mark.long)])
def test_no_call_fails_when_one_of_two_servers_is_drained(program: Callable[[str], str], tmp_path: Path, long_form: bool, how: str) -> None:
    calls, rate = (1_200, 100) if long_form else (200, 80)
    path = program("sipp")
    callee = free_port()
    nodes = [routed(tmp_path, name, _DELIVER.format(callee), "[drain]\ncalls_seconds = 1\n") for name in ("one", "two")]
    dispatcher = routed(tmp_path, "dispatcher", _DISPATCH.format(nodes[0].port, nodes[1].port))
    place = {"user": "bob", "folder": tmp_path}
    try:
        for server in (*nodes, dispatcher):
            server.start()
        with (
            Sipp(path, "answer", here=("127.0.0.1", callee), server=nodes[0].address, calls=calls, **place) as called,  # type: ignore[arg-type]
            Sipp(
                path, "call", here=("127.0.0.1", free_port()), server=dispatcher.address, calls=calls, rate=rate, pause=300, **place
            ) as caller,  # type: ignore[arg-type]
        ):
            patiently(lambda: caller.messages.exists() and caller.heard().count("\nACK ") > calls // 4, "calls go on")
            if how == "SIGTERM":
                nodes[0].running.process.send_signal(signal.SIGTERM)
            else:
                drained = nodes[0].ctl("drain")
                assert drained.returncode == 0, drained
            nodes[0].running.wait_for("ending")
            with Peer(nodes[0].address) as watch:
                reply = watch.ask(watch.options())
                assert reply.status == 503, "load balancers leave"
                assert int(reply.field("Retry-After")) > 0
            assert nodes[0].running.wait() == 0
            caller.finish()
            called.finish()
        served = json.loads(nodes[1].ctl("transactions", "--method", "INVITE", "--json").stdout)
        assert served["total"] > 0, "the other one has served the rest"
        dispatcher.end()
        nodes[1].end()
    finally:
        for server in (*nodes, dispatcher):
            server.running.stop()
