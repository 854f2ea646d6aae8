"""Lines for the operator about what peers do wrong: enough to see it, never a flood (each kind once in ten seconds)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

_SECONDS = 10.0


class Complaints:
    """Passes on the first complaint of each kind; further ones are counted for ten seconds, and the next line says how many there were."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._latest: dict[str, tuple[float, int]] = {}

    def __call__(self, kind: str, line: str) -> None:
        """Reports a line unless one of its kind went out a moment ago. Kinds are words of the program's own, so that they are few."""
        now = asyncio.get_running_loop().time()
        since, untold = self._latest.get(kind, (float("-inf"), 0))
        if now - since < _SECONDS:
            self._latest[kind] = since, untold + 1
            return
        self._latest[kind] = now, 0
        self._report(f"{line} (and {untold} more like it)" if untold else line)
