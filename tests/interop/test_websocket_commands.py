"""The commands of `ringback` as clients of a real server over WebSocket: they register, are called and call."""

from collections.abc import Iterator
from pathlib import Path

import pytest

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


def test_options(there: Server) -> None:
    words = ringback("ping", f"sip:{there.websocket};transport=ws")
    with Running("ringback ping", words, folder=there.folder, environment={"PYTHONWARNINGS": "error"}) as ping:
        assert ping.wait(LIMIT) == 0, ping.account("was not answered")
