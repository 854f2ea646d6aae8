"""`ringback serve` as a process of its own, for tests: started, listened to, ended."""

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 30
"""Seconds that a line or an end may take on a busy machine; far more than they need."""


class Serving:
    """A running server: its port, and the lines it says on stderr."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.said: list[str] = []
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.port = 0

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._lines.put(line.decode().rstrip("\n"))
        self._lines.put(None)

    def hear(self, text: str) -> str:
        """The next line with this text in it."""
        while (line := self._lines.get(timeout=PATIENCE)) is not None:
            self.said.append(line)
            if text in line:
                return line
        raise AssertionError(f"the server ended without saying {text!r}: {self.said}")

    def rest(self) -> list[str]:
        """The lines that nobody has heard, once it has ended."""
        lines = []
        while (line := self._lines.get(timeout=PATIENCE)) is not None:
            lines.append(line)
        return lines

    def end(self, number: int = signal.SIGTERM) -> int:
        """Asks it to end and gives its exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def stop(self) -> None:
        """Leaves nothing behind, whatever the test did."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        self._reader.join()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


@contextmanager
def serving(*arguments: str, folder: Path, auth: str | None = "none") -> Iterator[Serving]:
    """A server on a free port of 127.0.0.1 that has said what it serves; `auth` None leaves the default."""
    here = [] if "--data" in arguments else ["--listen", "udp://127.0.0.1:0", "--data", ":memory:"]
    if auth is not None:
        here += ["--auth", auth]
    server = Serving(
        subprocess.Popen(
            [sys.executable, "-c", "from ringback.cli.main import main; main()", "serve", *here, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env={**os.environ, "COLUMNS": "140", "PYTHONWARNINGS": "error"},
        )
    )
    try:
        server.port = int(server.hear("listening").split()[1].rpartition(":")[2])
        server.hear("no authentication" if auth == "none" else "nobody can register" if "--data" not in arguments else "  users ")
        yield server
    finally:
        server.stop()
