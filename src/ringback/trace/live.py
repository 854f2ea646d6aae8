"""The ladder while it happens: one line a message, columns that appear as parties do."""

from __future__ import annotations

import zlib
from datetime import datetime

from rich.console import Console
from rich.style import Style
from rich.text import Text

from ringback.address import host_port
from ringback.message.message import Response
from ringback.trace.entry import Entry
from ringback.trace.ladder import header, rungs

NAME_OF_OURS = "ringback"
_TIME = 13
_WIDE, _NARROW = 26, 22
_COLUMNS_OF_A_FILE = 6
_CALL_COLOURS = (
    "cyan",
    "green",
    "yellow",
    "blue",
    "magenta",
    "bright_cyan",
    "bright_green",
    "bright_yellow",
    "bright_blue",
    "bright_magenta",
)


class LiveLadder:
    """Prints on a rich console. This element is one column, each peer gets one; where they do not all fit, whoever was silent longest makes
    room. Every call has its colour, as in sngrep. A line never wraps on a terminal: what does not fit is cut."""

    name = "ladder"

    def __init__(self, console: Console) -> None:
        self._console = console
        room = console.width - _TIME
        self._width = _WIDE if room >= 4 * _WIDE or not console.is_terminal else _NARROW
        self._most = max(room // self._width, 2) if console.is_terminal else _COLUMNS_OF_A_FILE
        self._columns: list[str] = []
        self._last_seen: dict[str, int] = {}
        self._count = 0

    def write(self, entry: Entry) -> None:
        """Prints one line, and the names above it where they changed."""
        for line in self._lines(entry):
            if self._console.is_terminal:
                self._console.print(line, no_wrap=True, overflow="ellipsis", crop=True)
            else:
                self._console.print(line, soft_wrap=True)

    def _lines(self, entry: Entry) -> list[Text]:
        flow = entry.flow
        transport = "" if flow.endpoint.transport == "UDP" else f"{flow.endpoint.transport} "
        peer = transport + host_port(flow.host, flow.port)
        way = (peer, NAME_OF_OURS) if entry.direction == "in" else (NAME_OF_OURS, peer)
        is_new = self._seat(way)
        source, destination = (self._columns.index(name) for name in way)
        left, drawn, right = rungs(source, destination, entry.label, len(self._columns), self._width)
        moment = datetime.fromtimestamp(entry.time).astimezone().strftime("%H:%M:%S.%f")[:-3]
        line = Text.assemble((moment, "dim"), " " + left, (drawn, _style(entry)), right, (entry.caption, "dim"))
        line.rstrip()
        if not is_new:
            return [line]
        return [Text(" " * _TIME + header(self._columns, self._width), "bold"), line]

    def _seat(self, way: tuple[str, str]) -> bool:
        """Gives each of the two a column; True where one is new."""
        self._count += 1
        is_new = False
        for name in way:
            if name not in self._last_seen:
                is_new = True
                if len(self._columns) < self._most:
                    self._columns.append(name)
                else:
                    silent = min((one for one in self._columns if one not in way), key=self._last_seen.__getitem__)
                    del self._last_seen[silent]
                    self._columns[self._columns.index(silent)] = name
            self._last_seen[name] = self._count
        return is_new

    def close(self) -> None:
        """Nothing to end: the console is its owner's."""


def _style(entry: Entry) -> Style:
    """Red for faults and refusals; otherwise the call's own colour."""
    message = entry.message
    if message is None:
        return Style(color="red", bold=True)
    if isinstance(message, Response) and message.status >= 400:
        return Style(color="red")
    # crc32, for hash() differs from run to run.
    colour = _CALL_COLOURS[zlib.crc32(message.call_id.encode("utf-8", "surrogateescape")) % len(_CALL_COLOURS)]
    return Style(color=colour)
