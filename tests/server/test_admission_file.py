"""The operator's own word on who may open a WebSocket (RFC 7118 §7)."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from ringback.server.admission_file import load_admit
from ringback.server.config import WebSocketConfig
from ringback.server.operator_file import OperatorFileError
from ringback.transport.websocket.handshake import Handshake
from tests.server.party import DOMAIN, SERVER, House, simulated

WRONG = {
    "no function": ("x = 1", ": needs a function admit(handshake)"),
    "an async function": ("async def admit(handshake):\n    return True", ": needs a function admit(handshake), and not an async one"),
    "a function of two": ("def admit(a, b):\n    return True", ": needs a function admit(handshake)"),
    "no Python": ("def admit(", ":1: '(' was never closed"),
    "a fault": ("import os\nos.nothing", ":2: AttributeError: module 'os' has no attribute 'nothing'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_cannot_be_used_is_said_so(tmp_path: Path, name: str) -> None:
    text, fault = WRONG[name]
    path = tmp_path / "admission.py"
    path.write_text(text)
    with pytest.raises(OperatorFileError) as refused:
        load_admit(path)
    assert str(refused.value).startswith(f"{path}{fault}")


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(OperatorFileError, match="No such file"):
        load_admit(tmp_path / "none.py")


def test_cookies_say_who_has_logged_in(tmp_path: Path) -> None:
    path = tmp_path / "admission.py"
    path.write_text("def admit(handshake):\n    return handshake.cookies.get('session') == 'good'")
    admit = load_admit(path)
    assert admit(Handshake("/", SERVER, {"cookie": "session=good"})) is True
    assert admit(Handshake("/", SERVER, {})) is False


def test_it_is_read_again_and_a_fault_leaves_it_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "admission.py"
    path.write_text("def admit(handshake):\n    return 401")

    @simulated
    async def scene() -> None:
        websocket = WebSocketConfig(admission=path)
        async with House(listen=[f"udp://{SERVER}:5060", f"ws://{SERVER}"], websocket=websocket) as house:
            alice = await house.party("alice", transport="WS")
            alice.ask("OPTIONS", f"sip:{DOMAIN}")
            await alice.hears_nothing()
            path.write_text("def admit(")
            house.server.reread = lambda: msgspec.structs.replace(house.server.config)
            assert str(path) in str(house.server.reload().fault)
            alice.ask("OPTIONS", f"sip:{DOMAIN}")
            await alice.hears_nothing()
            path.write_text("def admit(handshake):\n    return True")
            assert house.server.reload().fault is None
            alice.ask("OPTIONS", f"sip:{DOMAIN}")
            await alice.hears("200 OPTIONS")

    scene()
