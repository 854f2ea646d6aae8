"""Chromium without a screen, and the phone within a page of it (JsSIP), driven over the DevTools protocol."""

from __future__ import annotations

import base64
import hashlib
import http.server
import itertools
import json
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from websockets.sync.client import ClientConnection, connect

from tests.interop.running import PATIENCE, Running, patiently

HERE = Path(__file__).parent
_FILES = {
    "/": (HERE / "phone.html", "text/html; charset=utf-8"),
    "/browser_phone.html": (HERE.parents[1] / "examples" / "browser_phone.html", "text/html; charset=utf-8"),
    "/jssip.min.js": (HERE / "vendor" / "jssip" / "jssip.min.js", "text/javascript; charset=utf-8"),
}


def key_pin(certificate: Path) -> str:
    """The digest of a certificate's key, by which Chromium is told to believe this one and no other."""
    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    return base64.b64encode(hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()).decode()


class _Files(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        found = _FILES.get(self.path)
        if found is None:
            self.send_error(404)
            return
        path, kind = found
        octets = path.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        self.wfile.write(octets)

    def log_message(self, *arguments: object) -> None:
        """What is fetched is no news."""


class Site:
    """A web server on this machine with the phone's page: its origin is one that browsers let have a microphone."""

    def __init__(self) -> None:
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Files)
        self._server.daemon_threads = False
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join(PATIENCE)
        self._server.server_close()


class Wire:
    """The DevTools protocol: commands answered in order, whatever is told in between."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)

    def ask(self, method: str, **params: object) -> dict[str, Any]:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            answer = json.loads(self._socket.recv(PATIENCE))
            if answer.get("id") == number:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                return dict(answer["result"])


class Browser(Running):
    """A Chromium of its own, which believes the server with this key and nobody else."""

    def __init__(self, program: str, folder: Path, pin: str) -> None:
        command = [
            program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--mute-audio",
            "--disable-extensions", "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--disable-features=WebRtcHideLocalIpsWithMdns",
            "--no-proxy-server", f"--ignore-certificate-errors-spki-list={pin}", f"--user-data-dir={folder / 'profile'}",
            "--remote-debugging-port=0", "about:blank",
        ]  # fmt: skip
        super().__init__("chromium", command, folder=folder)
        self._open = ExitStack()
        self._wire: Wire | None = None

    def ready(self) -> Self:
        """Waits until it can be driven."""
        number = self.wait_for("DevTools listening on ws://")
        url = self.said[number - 1].split()[-1]
        self._base = url.partition("/devtools/")[0]
        self._wire = self._connected(url)
        return self

    def _connected(self, url: str) -> Wire:
        return Wire(self._open.enter_context(connect(url, max_size=None, open_timeout=PATIENCE, proxy=None)))

    def phone(self, site: Site, path: str = "/") -> Phone:
        """A new page with a phone in it."""
        assert self._wire is not None
        target = self._wire.ask("Target.createTarget", url=f"{site.origin}{path}")["targetId"]
        wire = self._connected(f"{self._base}/devtools/page/{target}")
        return Phone(wire, lambda: self._leave(target))

    def _leave(self, target: str) -> None:
        assert self._wire is not None
        self._wire.ask("Target.closeTarget", targetId=target)

    def stop(self) -> None:
        self._open.close()
        super().stop()


class Phone:
    """JsSIP in a page."""

    def __init__(self, wire: Wire, leave: Callable[[], None]) -> None:
        self._wire = wire
        self._leave: Callable[[], None] | None = leave
        patiently(lambda: self.run("document.readyState === 'complete' && typeof JsSIP === 'object'"), "the page is there")

    def run(self, script: str) -> Any:
        """Runs a script in the page, waits for what it promises, gives the value."""
        answer = self._wire.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True)
        if "exceptionDetails" in answer:
            raise AssertionError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def start(self, url: str, **settings: object) -> Self:
        """Connects to the server; registers unless told otherwise."""
        self.run(f"start({json.dumps(url)}, {json.dumps(settings)})")
        return self

    def hears(self, event: str) -> str:
        """Waits for an event, by the beginning of its text."""
        limit = f"new Promise((done) => setTimeout(done, {int(PATIENCE * 500)}))"
        found = self.run(f"Promise.race([until({json.dumps(event)}), {limit}])")
        if found is None:
            raise AssertionError(f"the phone did not hear {event!r}, but {self.run('heard')}")
        return str(found)

    def leave(self) -> None:
        """Closes the page; may be called again."""
        leave, self._leave = self._leave, None
        if leave is not None:
            leave()

    def calls(self, uri: str) -> None:
        """Places a call."""
        self.run(f"call({json.dumps(uri)})")

    def answers(self) -> None:
        """Takes the call that rings."""
        self.run("session.answer(media)")

    def hangs_up(self, status: int | None = None) -> None:
        """Ends its call, or refuses it with a status."""
        self.run("session.terminate()" if status is None else f"session.terminate({{status_code: {status}}})")

    def shows(self, text: str) -> None:
        """Waits until the page of the example says so."""
        patiently(lambda: self.run("document.getElementById('state').textContent") == text, f"the page says {text!r}")
