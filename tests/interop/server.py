"""The real server as a process of its own: started on a free port, ready when it answers OPTIONS, ended by its process id."""

import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.interop.ports import free_port
from tests.interop.running import PATIENCE, Running
from tests.interop.wire import DOMAIN, Peer
from tests.transport.tls.authority import Authority

PASSWORD = "opensesame"
"""Of whoever has an account at a server that asks for passwords."""

_PROGRAM = (sys.executable, "-c", "from ringback.cli.main import main; main()")


def ringback(*arguments: str) -> list[str]:
    """The command line of `ringback`, by the interpreter of the tests."""
    return [*_PROGRAM, *arguments]


class RunningServer:
    """`ringback serve` at `host:port`, with its data in `folder`/data; `start` after `kill` goes on with the same data.

    As a context manager it starts, and at the end must take SIGTERM with exit status 0, whatever it lived through.
    """

    def __init__(self, folder: Path, *, host: str = "127.0.0.1", config: str = "", data: Path | None = None) -> None:
        """`config` is TOML; TCP comes with UDP at the same port."""
        self.folder = folder
        self.host = host
        self.port = free_port(host)
        self.address = (host, self.port)
        self.data = folder / "data" if data is None else data
        self.uri_host = f"[{host}]" if ":" in host else host
        self._running: Running | None = None
        file = folder / "ringback.toml"
        file.write_text(config)
        self.command = ringback(
            "serve", "--config", str(file), "--auth", "none", "--domain", DOMAIN, "--data", str(self.data),
            "--listen", f"udp://{self.uri_host}:{self.port}",
        )  # fmt: skip

    @property
    def running(self) -> Running:
        """The process, also after its end."""
        assert self._running is not None
        return self._running

    def launch(self) -> Running:
        """Starts the process and waits for nothing."""
        if self._running is not None:
            self._running.stop()
        self._running = Running(
            "ringback serve",
            self.command,
            folder=self.folder,
            environment={"PYTHONWARNINGS": "error", "COLUMNS": "140"},
        )
        return self._running

    def start(self) -> Self:
        """Starts it and waits until it answers."""
        self.launch()
        self.wait_until_it_answers()
        return self

    def wait_until_it_answers(self, seconds: float = PATIENCE) -> None:
        """Asks OPTIONS until a 200 comes."""
        end = time.monotonic() + seconds
        with Peer(self.address, self.host) as peer:
            while True:
                peer.send(peer.options())
                # A port where nobody listens yet says so by ICMP, which `receive` swallows: ask again soon.
                data = peer.receive(0.02)
                if data is not None and data.startswith(b"SIP/2.0 200 "):
                    return
                if self.running.process.poll() is not None:
                    self.running.wait()
                    raise AssertionError(self.running.account("ended before it answered OPTIONS"))
                if time.monotonic() > end:
                    raise AssertionError(self.running.account(f"did not answer OPTIONS within {seconds:g} s"))

    def kill(self) -> None:
        """kill -9."""
        self.running.kill()

    def end(self) -> None:
        """SIGTERM: it must end with 0, and may have said nothing but what it announces, least of all a traceback."""
        status = self.running.end(signal.SIGTERM)
        assert status == 0, self.running.account("did not end with 0 on SIGTERM")
        said = [line for line in self.running.said if not line.startswith(("ringback", "  "))]
        assert said == [], self.running.account("complained")

    def ctl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`ringback ctl` for this server, ended."""
        command = ringback("ctl", *arguments, "--data", str(self.data))
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)

    def bindings(self) -> int:
        """How many bindings its store has."""
        with closing(sqlite3.connect(self.data / "ringback.db")) as store:
            return int(store.execute("SELECT count(*) FROM binding").fetchone()[0])

    def resident(self) -> int:
        """Its resident memory in bytes."""
        for line in Path(f"/proc/{self.running.pid}/status").read_text().split("\n"):
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    def descriptors(self) -> int:
        """How many files and sockets it has open."""
        return len(list(Path(f"/proc/{self.running.pid}/fd").iterdir()))

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.running.stop()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if error is None:
                self.end()
            else:
                error.add_note(self.running.account("was running meanwhile"))
        finally:
            self.running.stop()


class SecureServer(RunningServer):
    """A server with a certificate, which listens over TLS at `tls_port`, too."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder, "root")
        self.authority.issue("DNS:example.test", "DNS:localhost", "IP:127.0.0.1", file="pbx")
        self.tls_port = free_port()
        super().__init__(folder, config='[tls]\ncertificate = "pbx.pem"\nkey = "pbx.key"\n')
        self.command += ["--listen", f"tls://127.0.0.1:{self.tls_port}"]
