"""Programs of ours as clients over WebSocket: at our own server, and at Kamailio's."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.interop.kamailio import running_kamailio
from tests.interop.ports import free_port
from tests.interop.running import Running, patiently
from tests.interop.server import RunningServer, ringback
from tests.interop.wire import DOMAIN

LIMIT = 10.0


class Server(RunningServer):
    """A server that listens for WebSockets, too."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.websocket = f"127.0.0.1:{free_port()}"
        self.command += ["--listen", f"ws://{self.websocket}"]


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path) as server:
        yield server


def command(server: Server, name: str, *arguments: str) -> Running:
    words = ringback(name, *arguments, "--transport", "ws", "--proxy", f"sip:{server.websocket}")
    return Running(f"ringback {name}", words, folder=server.folder, environment={"PYTHONWARNINGS": "error", "COLUMNS": "140"})


def test_one_answers_and_the_other_calls(there: Server) -> None:
    with command(there, "answer", "--user", f"bob@{DOMAIN}", "--register", "--once") as bob:
        patiently(lambda: there.bindings() == 1, "Bob is registered")
        with command(there, "call", f"sip:bob@{DOMAIN}", "--user", f"alice@{DOMAIN}", "--hang-up-after", "100ms") as alice:
            assert alice.wait(LIMIT) == 0, alice.account("did not end well")
        assert bob.wait(LIMIT) == 0, bob.account("did not end well")


def test_a_uri_that_asks_for_websocket_is_enough(there: Server) -> None:
    words = ringback("register", "--user", f"bob@{DOMAIN}", "--proxy", f"sip:{there.websocket};transport=ws")
    with Running("ringback register", words, folder=there.folder, environment={"PYTHONWARNINGS": "error"}) as bob:
        bob.wait_for("registered", seconds=LIMIT)
        assert there.bindings() == 1
        assert bob.end(signal.SIGINT) == 0, bob.account("did not end well")
    words = ringback("message", f"sip:nobody@{there.websocket};transport=ws", "hello", "--user", f"alice@{DOMAIN}")
    with Running("ringback message", words, folder=there.folder, environment={"PYTHONWARNINGS": "error"}) as alice:
        alice.wait(LIMIT)
        alice.wait_for("404")


def test_options(there: Server) -> None:
    words = ringback("ping", f"sip:{there.websocket};transport=ws")
    with Running("ringback ping", words, folder=there.folder, environment={"PYTHONWARNINGS": "error"}) as ping:
        assert ping.wait(LIMIT) == 0, ping.account("was not answered")


# Kamailio wants a path, which no command can say: a program can.
_PROGRAM = """
import asyncio
from functools import partial

from ringback import UserAgent
from ringback.transport import Transports
from ringback.transport.limits import WebSocketRules


async def answers(call):
    await call.answer()
    await call.ended()


def agent(name, **options):
    ways = partial(Transports, websocket=WebSocketRules(asked_path="{path}", ping=1.0))
    options.update(proxy="sip:127.0.0.1:{port};transport=ws", listen=["ws://127.0.0.1:0"], open_transports=ways)
    return UserAgent(f"sip:{{name}}@example.test", **options)


async def main():
    async with agent("bob", on_call=answers) as bob, agent("alice") as alice, bob.registration():
        # Both sides ask each other meanwhile whether they are there.
        await asyncio.sleep(2.5)
        async with alice.call("sip:bob@example.test"):
            print("answered")
    print("over")


asyncio.run(main())
"""


@pytest.fixture
def kamailio(program: Callable[[str], str], tmp_path: Path) -> Iterator[int]:
    """The port for WebSockets of a Kamailio."""
    path = program("kamailio")
    if not list(Path("/usr/lib").glob("*/kamailio/modules/websocket.so")):
        (pytest.fail if os.environ.get("CI") else pytest.skip)("kamailio-websocket-modules is not installed")
    port = free_port()
    with running_kamailio(path, tmp_path, "kamailio_websocket.cfg", websocket=port):
        yield port


def test_at_kamailio_one_registers_and_the_other_calls(kamailio: int, tmp_path: Path) -> None:
    words = [sys.executable, "-W", "error", "-c", _PROGRAM.format(path="/ws", port=kamailio)]
    with Running("a program", words, folder=tmp_path) as both:
        assert both.wait(LIMIT) == 0, both.account("did not end well")
        assert both.said == ["answered", "over"]


def test_kamailio_s_refusal_is_told(kamailio: int, tmp_path: Path) -> None:
    words = [sys.executable, "-W", "error", "-c", _PROGRAM.format(path="/nowhere", port=kamailio)]
    with Running("a program", words, folder=tmp_path) as both:
        assert both.wait(LIMIT) == 1
        both.wait_for("WebSocket Refused: 404 Not Found")
