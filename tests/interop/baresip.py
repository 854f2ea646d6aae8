"""baresip, a real phone: no sound card, driven over its control connection, which tells every event of a call."""

import itertools
import json
import select
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import pytest

from tests.interop.ports import free_port
from tests.interop.running import PATIENCE, Running, patiently
from tests.interop.wire import DOMAIN, Peer

_MODULES = [Path("/usr/lib/baresip/modules"), *Path("/usr/lib").glob("*/baresip/modules"), Path("/usr/local/lib/baresip/modules")]

# aubridge connects its own source with its own player: sound without a device. A name that both share would mix two phones' sound.
_CONFIG = """
sip_listen       127.0.0.1:{port}
ctrl_tcp_listen  127.0.0.1:{control}
module_path      {modules}
module           stdio.so
module           g711.so
module           aubridge.so
module_app       account.so
module_app       menu.so
module_app       ctrl_tcp.so
audio_source     aubridge,here
audio_player     aubridge,here
audio_alert      aubridge,alert
{more}
"""

Event = dict[str, Any]


class Phone(Running):
    """One baresip with one account at the server, `ready` once it has registered; or with one that is its own address."""

    def __init__(
        self,
        program: str,
        folder: Path,
        user: str,
        server: tuple[str, int] | None,
        *,
        transport: str = "udp",
        more: str = "",
        password: str = "",
        modules: Sequence[str] = (),
        contact: str = "",
        port: int = 0,
        account: str = "",
    ) -> None:
        """`more` are lines for its configuration, `modules` are loaded besides those it needs. Without a server it registers nowhere.

        `port` is the server's for this transport, if not that of its address.
        `account` are further parameters of its account, each with its `;`.
        `contact` is the URI of the one contact that its module of that name may send messages to.
        """
        found = next((path for path in _MODULES if (path / "ctrl_tcp.so").exists()), None)
        if found is None:
            pytest.fail("baresip's modules are in none of its usual places")
        folder.mkdir()
        # With the port for SIP it takes the next one, for TLS.
        self.here = ("127.0.0.1", free_port(together=2))
        self.contact_port = self.here[1] + (transport == "tls")
        self.control = free_port()
        self.uri = f"sip:{user}@{DOMAIN}" if server else f"sip:{user}@127.0.0.1:{self.here[1]}"
        more = "\n".join([*(f"module {name}.so" for name in modules), more])
        (folder / "config").write_text(_CONFIG.format(port=self.here[1], control=self.control, modules=found, more=more))
        if server is None:
            (folder / "accounts").write_text(f"<{self.uri};transport={transport}>;regint=0\n")
        else:
            way = f"127.0.0.1:{port or server[1]};transport={transport}"
            account += password and f";auth_pass={password}"
            (folder / "accounts").write_text(f'<{self.uri}>;outbound="sip:{way}";regint=600{account}\n')
        (folder / "contacts").write_text(contact and f"<{contact}>\n")
        (folder / "current_contact").write_text(contact)
        self.events: list[Event] = []
        self._known: set[object] = set()
        self._numbers = itertools.count(1)
        self._unread = b""
        super().__init__(f"baresip {user}", [program, "-4", "-f", str(folder)], folder=folder)
        self.user = user
        self.password = password
        self.server = server
        self._sock: socket.socket | None = None

    def ready(self) -> Self:
        """Waits for its control connection; and until the registrar knows it, where there is one that asks for no password."""
        self._connect()
        if self.password or self.server is None:
            return self
        with Peer(self.server) as peer:
            patiently(
                lambda: f"@127.0.0.1:{self.contact_port}" in peer.ask(peer.register(self.user, None)).field("Contact"),
                f"{self.name} is registered",
            )
        return self

    def _connect(self) -> None:

        def is_open() -> bool:
            try:
                self._sock = socket.create_connection(("127.0.0.1", self.control))
            except ConnectionRefusedError:
                if self.process.poll() is not None:
                    raise AssertionError(self.account("ended before it was ready")) from None
                return False
            return True

        patiently(is_open, f"{self.name} opens its control connection")

    def say(self, command: str, parameter: str = "") -> None:
        """Types a command."""
        text = json.dumps({"command": command, "params": parameter, "token": str(next(self._numbers))})
        assert self._sock is not None
        self._sock.sendall(f"{len(text)}:{text},".encode())

    def expect(self, kind: str, call: str = "", *, seconds: float = PATIENCE) -> Event:
        """Waits for an event of this kind of a call, by its Call-ID; without one, of a call not yet asked about."""
        end = time.monotonic() + seconds
        looked_at = 0
        while True:
            for event in self.events[looked_at:]:
                looked_at += 1
                if event.get("type") == kind and (event.get("id") == call or (not call and event.get("id") not in self._known)):
                    self._known.add(event.get("id"))
                    return event
            if not self._listen(end - time.monotonic()):
                kinds = [f"{event.get('type')} {event.get('param', '')}" for event in self.events]
                raise AssertionError(self.account(f"told no {kind} within {seconds:g} s, only {kinds}"))

    def rings(self) -> str:
        """Waits for a call to come in and gives its Call-ID."""
        return str(self.expect("CALL_INCOMING")["id"])

    def closing(self, call: str) -> str:
        """Waits for the end of a call and gives the reason told."""
        return str(self.expect("CALL_CLOSED", call)["param"])

    def _listen(self, seconds: float) -> bool:
        """Takes in what the control connection has; False where nothing comes in time or it is closed."""
        assert self._sock is not None
        if seconds <= 0 or not select.select([self._sock], [], [], seconds)[0]:
            return False
        data = self._sock.recv(65_536)
        self._unread += data
        while b":" in self._unread:
            length, _, rest = self._unread.partition(b":")
            size = int(length)
            if len(rest) <= size:
                break
            told = json.loads(rest[:size])
            self._unread = rest[size + 1 :]
            if told.get("event"):
                self.events.append(told)
        return bool(data)

    def stop(self) -> None:
        """Ends it: first as its user would."""
        sock, self._sock = getattr(self, "_sock", None), None
        if sock is not None:
            sock.close()
        super().stop()
