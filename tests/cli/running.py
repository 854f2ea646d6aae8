"""A command as a process of its own, for tests: what it says line by line, Ctrl-C, its exit status."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from click.testing import CliRunner, Result

from ringback.cli.main import main
from tests.cli.serving import PATIENCE, Serving

COMMAND = [sys.executable, "-c", "from ringback.cli.main import main; main()"]


class Running:
    """A command that runs."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.said: list[str] = []
        """The lines on standard output that were heard."""
        self.complaints: list[str] = []
        """The lines on standard error."""
        self._lines: queue.Queue[str | None] = queue.Queue()
        assert process.stdout is not None
        assert process.stderr is not None
        self._readers = [
            threading.Thread(target=self._read, args=(process.stdout,)),
            threading.Thread(target=self._complain, args=(process.stderr,)),
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: IO[bytes]) -> None:
        for line in stream:
            self._lines.put(line.decode().rstrip("\n"))
        self._lines.put(None)

    def _complain(self, stream: IO[bytes]) -> None:
        self.complaints += [line.decode().rstrip("\n") for line in stream]

    def hear(self, text: str) -> str:
        """The next line with this text in it."""
        while (line := self._lines.get(timeout=PATIENCE)) is not None:
            self.said.append(line)
            if text in line:
                return line
        raise AssertionError(f"it ended without saying {text!r}: {self.said} {self.complaints}")

    def press(self, number: int = signal.SIGINT) -> None:
        """Ctrl-C."""
        self.process.send_signal(number)

    def end(self) -> int:
        """Waits until it has ended by itself; gives the exit status, and all lines are there."""
        status = self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join()
        while (line := self._lines.get(timeout=PATIENCE)) is not None:
            self.said.append(line)
        self._lines.put(None)
        return status

    def stop(self) -> None:
        """Leaves nothing behind, whatever the test did."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join()
        for pipe in (self.process.stdout, self.process.stderr, self.process.stdin):
            if pipe is not None:
                pipe.close()


def environment(**more: str) -> dict[str, str]:
    """What a command sees: nobody's own account."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("RINGBACK_")}
    return {**own, "COLUMNS": "140", "PYTHONWARNINGS": "error", **more}


@contextmanager
def running(*arguments: str, **variables: str) -> Iterator[Running]:
    """A command in a process of its own, which is ended at the end whatever happens."""
    process = subprocess.Popen(
        [*COMMAND, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(**variables)
    )
    command = Running(process)
    try:
        yield command
    finally:
        command.stop()


@contextmanager
def answering(*arguments: str) -> Iterator[tuple[Running, str]]:
    """A phone that waits on 127.0.0.1; gives it and its URI."""
    with running("answer", "--listen", "udp://127.0.0.1:0", "--user", "bob@example.test", *arguments) as phone:
        line = phone.hear("waiting")
        port = (json.loads(line)["listening"][0] if "--json" in arguments else line.split(" ")[4]).partition(":")[2]
        yield phone, f"sip:bob@127.0.0.1:{port}"


def say(*arguments: str, text: str = "", **variables: str) -> Result:
    """A command within this process, which has to end by itself."""
    return CliRunner(env={"RINGBACK_USER": None, "RINGBACK_PASSWORD": None, **variables}).invoke(
        main, list(arguments), input=text, catch_exceptions=False
    )


def account(folder: Path, name: str, password: str) -> None:
    """Makes an account at example.org in the data of a server."""
    made = say("user", "add", f"{name}@example.org", "--data", str(folder), "--password-stdin", text=f"{password}\n")
    assert made.exit_code == 0, made.output


def at(server: Serving) -> tuple[str, str]:
    """The options by which everything goes to this server first."""
    return "--proxy", f"127.0.0.1:{server.port}"
