"""Ladder diagrams as text: a column for each party, an arrow for each message, as sngrep and the RFCs draw them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rich.cells import cell_len, set_cell_size

SHORTEST_ARROW = 8


class Arrow(NamedTuple):
    """A message between two parties, each known by a name. `time` in seconds, if it shall be shown."""

    source: str
    destination: str
    label: str
    time: float | None = None


def draw(arrows: Iterable[Arrow], parties: Iterable[str] = ()) -> str:
    """The ladder of these messages, one line each, under the names of the parties.

    `parties` fixes the order of the columns; whoever is not named there comes after, in order of appearance. Where arrows have a time, it
    stands on the left, in seconds. The same arrows give the same text: tests and documents can hold it.
    """
    arrows = list(arrows)
    names = list(dict.fromkeys([*parties, *(name for arrow in arrows for name in arrow[:2])]))
    if not names:
        return ""
    columns = {name: index for index, name in enumerate(names)}
    # A column is as wide as the longest arrow between two neighbours needs; a longer way has room in proportion.
    # It is odd, so that a rung stands in its middle.
    width = max([cell_len(name) + 2 for name in names] + [_room(arrow, columns) for arrow in arrows]) | 1
    has_times = any(arrow.time is not None for arrow in arrows)
    margin = 10 if has_times else 0
    lines = [" " * margin + header(names, width)]
    for arrow in arrows:
        clock = "" if arrow.time is None else f"{arrow.time:.3f}"
        left, drawn, right = rungs(columns[arrow.source], columns[arrow.destination], arrow.label, len(names), width)
        lines.append((clock.ljust(margin) + left + drawn + right).rstrip(" "))
    return "\n".join(lines) + "\n"


def _room(arrow: Arrow, columns: dict[str, int]) -> int:
    distance = abs(columns[arrow.source] - columns[arrow.destination]) or 1
    return -(-(cell_len(arrow.label) + SHORTEST_ARROW) // distance)


def header(names: Sequence[str], width: int) -> str:
    """The names, each in the middle of a column of `width` cells; a longer name is cut."""
    return "".join([_centred(name if cell_len(name) < width else set_cell_size(name, width - 2) + "…", width) for name in names]).rstrip(
        " "
    )


def rungs(source: int, destination: int, label: str, count: int, width: int) -> tuple[str, str, str]:
    """One line of a ladder with `count` columns, in three parts: the rungs left of the arrow, the arrow, the rungs right of it.

    An arrow to its own column (a server that sends to itself) is drawn as `⟲` beside the rung.
    """
    first, last = sorted((source, destination))
    middle = width // 2
    rung = " " * middle + "│" + " " * (width - middle - 1)
    left = rung * first + " " * middle + "│"
    after = count - last - 1
    if first == last:
        room = width - 1 if after else cell_len(label) + 3
        return left, set_cell_size(f" ⟲ {label}", room), ("│" + " " * (width - middle - 1) + rung * (after - 1)) if after else ""
    span = (last - first) * width - 1
    if cell_len(label) > span - 5:
        label = set_cell_size(label, span - 6) + "…"
    line = _centred(f" {label} ", span - 1, "─")
    drawn = line + "▶" if source < destination else "◀" + line
    return left, drawn, "│" + " " * (width - middle - 1) + rung * after


def _centred(text: str, width: int, fill: str = " ") -> str:
    room = max(width - cell_len(text), 0)
    return fill * (room // 2) + text + fill * (room - room // 2)
