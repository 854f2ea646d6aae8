"""A program of its own beside the test: what it says is kept, waits are bounded, it is stopped by its process id."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

PATIENCE = 20.0
"""Seconds a line or an end may take on a busy machine; far more than they need."""

_SHOWN_LINES = 60


def patiently(is_so: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Looks until `is_so()` holds; fails with `what` where it does not within so many seconds."""
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(0.005)


class Running:
    """A process with its output (both streams, in order) in `said`. A context manager that leaves nothing behind."""

    def __init__(self, name: str, command: Sequence[str], *, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.said: list[str] = []
        self._heard = threading.Condition()
        self._is_silent = False
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            # A group of its own: those it has started end with it, even where it left them behind.
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name=f"reads {name}")
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._heard:
                self.said.append(line.decode("utf-8", "replace").rstrip("\r\n"))
                self._heard.notify_all()
        with self._heard:
            self._is_silent = True
            self._heard.notify_all()

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_for(self, text: str, *, after: int = 0, seconds: float = PATIENCE) -> int:
        """Waits for a line with this text among those from number `after` on; gives the number of the line after it."""
        end = time.monotonic() + seconds
        looked_at = after
        with self._heard:
            while True:
                while looked_at < len(self.said):
                    looked_at += 1
                    if text in self.said[looked_at - 1]:
                        return looked_at
                if self._is_silent or not self._heard.wait(end - time.monotonic()):
                    raise AssertionError(self.account(f"did not say {text!r} within {seconds:g} s"))

    def wait(self, seconds: float = PATIENCE) -> int:
        """Waits for its end and gives the exit status, negative for a signal."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(self.account(f"did not end within {seconds:g} s")) from None
        self._reader.join(seconds)
        return status

    def end(self, number: int = signal.SIGTERM, seconds: float = PATIENCE) -> int:
        """Sends it a signal and gives its exit status."""
        self.process.send_signal(number)
        return self.wait(seconds)

    def kill(self) -> None:
        """kill -9, and only that."""
        self.process.kill()
        self.process.wait(PATIENCE)

    def account(self, fault: str) -> str:
        """`fault` with what the program said last."""
        lines = "\n".join(f"    {line}" for line in self.said[-_SHOWN_LINES:])
        return f"{self.name} {fault}; exit status {self.process.poll()}; it said last:\n{lines}"

    def stop(self) -> None:
        """Ends it, and those it has started, whatever they do; may be called again."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
