"""When a branch has had its time: timer C (RFC 3261 §16.8), `ring_for`, and the wait for a cancelled branch to end (§9.1)."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ringback.server.proxy.response_context import Branch

# §9.1: 64*T1 after its CANCEL a transaction without a final response counts as cancelled.
CANCELLED_SECONDS = 32.0


class BranchTimers:
    """Timers of all branches of a proxy. Those of one length stand in the order they fall due, so setting and stopping one is a dict operation."""

    def __init__(self, timer_c: float) -> None:
        """`timer_c` in seconds; §16.6 item 11 wants more than 180."""
        if timer_c <= 180:
            raise ValueError(f"timer C must be longer than 180 s, not {timer_c}")
        self._timer_c = timer_c
        self._ringing: OrderedDict[Branch, float] = OrderedDict()
        self._cancelled: OrderedDict[Branch, float] = OrderedDict()
        self._bounded: list[tuple[float, int, Branch]] = []
        self._order = count()

    def start_timer_c(self, branch: Branch, now: float) -> None:
        """Sets timer C, or sets it anew (§16.7 item 2)."""
        if branch not in self._cancelled:
            self._ringing[branch] = now + self._timer_c
            self._ringing.move_to_end(branch)

    def ring(self, branch: Branch, deadline: float) -> None:
        """Bounds how long a branch may ring."""
        heapq.heappush(self._bounded, (deadline, next(self._order), branch))

    def await_cancelled(self, branch: Branch, now: float) -> None:
        """Bounds how long a cancelled branch may take to end."""
        self._ringing.pop(branch, None)
        self._cancelled.setdefault(branch, now + CANCELLED_SECONDS)

    def stop(self, branch: Branch) -> None:
        """The branch has ended."""
        self._ringing.pop(branch, None)
        self._cancelled.pop(branch, None)

    def next_deadline(self) -> float | None:
        """When the next of them is due."""
        deadlines = [next(iter(timers.values())) for timers in (self._ringing, self._cancelled) if timers]
        if self._bounded:
            deadlines.append(self._bounded[0][0])
        return min(deadlines, default=None)

    def take_due(self, now: float) -> list[Branch]:
        """The branches whose time is up."""
        due = []
        for timers in (self._ringing, self._cancelled):
            while timers and next(iter(timers.values())) <= now:
                due.append(timers.popitem(last=False)[0])
        while self._bounded and self._bounded[0][0] <= now:
            due.append(heapq.heappop(self._bounded)[2])
        return due

    def __len__(self) -> int:
        return len(self._ringing) + len(self._cancelled) + len(self._bounded)
