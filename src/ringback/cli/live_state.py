"""What a command of the user agent says while it runs: lines, and on a terminal below them what goes on now, with its clock."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import click
from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from ringback.cli.duration import clock

# Seconds from one picture to the next: often enough for a clock and a spinner.
_PERIOD = 0.1


class Output(Console):
    """Standard output, whose reader may leave."""

    def on_broken_pipe(self) -> None:
        """Rich would end the program here and now; a call wants to be hung up first."""
        raise BrokenPipeError("nobody reads it any more")


class LiveState:
    """A list of what has happened, one line each, or one JSON object each; enter it to have the state of the moment shown below."""

    def __init__(self, *, is_json: bool = False, on_gone: Callable[[], object] = lambda: None) -> None:
        """`on_gone` hears, once, that nobody reads the lines any more."""
        self.is_json = is_json
        self.console = Output(highlight=False, soft_wrap=True, stderr=is_json)
        """For what is to stand among the lines, a ladder; standard error where the lines are JSON."""
        self._errors = Console(highlight=False, soft_wrap=True, stderr=True)
        self._on_gone = on_gone
        self._ongoing: dict[object, _Ongoing] = {}
        self._loop = asyncio.get_running_loop()
        is_shown = self.console.is_terminal and not is_json
        self._live = Live(console=self.console, auto_refresh=False, transient=True, get_renderable=self._picture) if is_shown else None
        self._alarm: asyncio.TimerHandle | None = None

    # What has happened.

    def tell(self, event: str, line: str | Text = "", style: str = "", **fields: Any) -> None:
        """One line; or one JSON object with the event, the time, and the fields that are not None. An empty line is left out."""
        try:
            if self.is_json:
                told = {"time": _now(), "event": event} | {name: value for name, value in fields.items() if value is not None}
                # ASCII: control characters and octets that were not UTF-8 come out as escapes.
                click.echo(json.dumps(told))
            elif line:
                self.console.print(Text(line, style) if isinstance(line, str) else line)
                self._flush()
        except BrokenPipeError:
            self.gone()

    def fail(self, line: str, event: str = "failed", **fields: Any) -> None:
        """What went wrong: a line on standard error; or a JSON object like the others."""
        if self.is_json:
            self.tell(event, **fields)
        else:
            self._errors.print(Text(f"ringback: {line}", "red"))

    def gone(self) -> None:
        """Nobody reads any more: what is still said goes nowhere, and whoever runs the command is told."""
        # What is still in the buffer would fail once more at the end of the program.
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, sys.stdout.fileno())
        os.close(descriptor)
        self._on_gone()

    def _flush(self) -> None:
        """A line that waits in a pipe's buffer is no news."""
        self.console.file.flush()

    # What goes on now.

    def show(self, key: object, text: str, *, spins: bool = False) -> None:
        """From now on this goes on, and is shown with its own clock until `drop`; what went on under this key is over."""
        self._ongoing[key] = _Ongoing(Text(text, no_wrap=True, overflow="ellipsis"), self._loop.time(), spins)

    def drop(self, key: object) -> float:
        """This does not go on any more. Gives how many seconds it has."""
        ongoing = self._ongoing.pop(key, None)
        return 0.0 if ongoing is None else self._loop.time() - ongoing.since

    def _picture(self) -> RenderableType:
        grid = Table.grid(padding=(0, 1))
        for ongoing in self._ongoing.values():
            sign = ongoing.spinner or Text("●", "green")
            grid.add_row(sign, Text(clock(self._loop.time() - ongoing.since), "bold"), ongoing.text)
        return grid

    def _tick(self) -> None:
        assert self._live is not None, "nothing ticks without a terminal"
        self._alarm = self._loop.call_later(_PERIOD, self._tick)
        try:
            self._live.refresh()
        except OSError:
            # The terminal was closed; SIGHUP says the rest.
            self._alarm.cancel()

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
            self._tick()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._ongoing.clear()
        if self._alarm is not None:
            self._alarm.cancel()
        if self._live is not None:
            self._live.stop()


class _Ongoing:
    __slots__ = ("since", "spinner", "text")

    def __init__(self, text: Text, since: float, spins: bool) -> None:
        self.text = text
        self.since = since
        self.spinner = Spinner("dots") if spins else None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
