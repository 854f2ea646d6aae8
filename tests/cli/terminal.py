"""A command on a terminal of its own, for tests: what a person sees, and types."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from types import TracebackType
from typing import Self

from tests.cli.running import COMMAND, environment
from tests.cli.serving import PATIENCE


class Terminal:
    """100 columns wide. Enter it to have the command stopped at the end whatever happens."""

    def __init__(self, *arguments: str) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        variables = environment(TERM="xterm-256color")
        del variables["COLUMNS"]
        # start_new_session and a terminal that is opened first make it the controlling one: Ctrl-C becomes SIGINT.
        opening = f"import os; os.close(os.open({os.ttyname(slave)!r}, os.O_RDWR)); from ringback.cli.main import main; main()"
        self._process = subprocess.Popen(
            [COMMAND[0], "-c", opening, *arguments], stdin=slave, stdout=slave, stderr=slave, env=variables, start_new_session=True
        )
        os.close(slave)
        self.shown = b""

    def until(self, pattern: str) -> None:
        """Waits until the terminal has shown this since the last such look."""
        begin = len(self.shown)
        end = time.monotonic() + PATIENCE
        while not re.search(pattern, self.shown[begin:].decode(errors="replace")):
            assert self._read(end - time.monotonic()), self.shown

    def press(self, keys: str) -> None:
        """Types."""
        os.write(self._master, keys.encode())

    def end(self) -> int:
        """Waits until the command has ended by itself; gives its exit status."""
        end = time.monotonic() + PATIENCE
        while self._read(end - time.monotonic()):
            pass
        return self._process.wait(PATIENCE)

    def lines(self) -> list[str]:
        """What stands there in the end, without empty lines and what was overwritten."""
        text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", re.sub(r"[^\n]*\r\x1b\[2K|\x1b\[2K[^\n]*(?=\r\x1b)", "", self.shown.decode()))
        return [shown for line in text.split("\n") if (shown := line.rstrip("\r").rpartition("\r")[2])]

    def _read(self, seconds: float) -> bool:
        """Takes what is shown; False where the other end is closed, or nothing comes in time."""
        if not select.select([self._master], [], [], max(seconds, 0))[0]:
            return False
        try:
            octets = os.read(self._master, 65536)
        except OSError:
            # Linux says so where the last holder of the other end is gone.
            return False
        self.shown += octets
        return bool(octets)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(PATIENCE)
        os.close(self._master)


def on_terminal(*arguments: str) -> Terminal:
    """A command on a terminal."""
    return Terminal(*arguments)
