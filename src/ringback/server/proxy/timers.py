"""When a branch has rung long enough, timer C (RFC 3261 §16.8) and `ring_for`, or was silent too long (RFC 3263 §4.3)."""

from __future__ import annotations

import heapq
from collections import OrderedDict, deque
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ringback.server.proxy.branch import Branch


class BranchTimers:
    """Timers of all branches of a proxy.

    Timer C is one length for all, and so is the wait for a first word: they stand in the order they fall due, so setting and stopping one
    costs little.
    """

    def __init__(self, timer_c: float, failover_after: float = 4.0) -> None:
        """Both in seconds; §16.6 item 11 wants more than 180 for timer C."""
        if timer_c <= 180:
            raise ValueError(f"timer C must be longer than 180 s, not {timer_c}")
        self._timer_c = timer_c
        self._ringing: OrderedDict[Branch, float] = OrderedDict()
        self._bounded: list[tuple[float, int, Branch]] = []
        self._order = count()
        self._failover_after = failover_after
        self._awaited: deque[tuple[float, Branch]] = deque()

    def start_timer_c(self, branch: Branch, now: float) -> None:
        """Sets timer C, or sets it anew (§16.7 item 2)."""
        self._ringing[branch] = now + self._timer_c
        self._ringing.move_to_end(branch)

    def ring(self, branch: Branch, deadline: float) -> None:
        """Bounds how long a branch may ring."""
        heapq.heappush(self._bounded, (deadline, next(self._order), branch))

    def expect_a_word(self, branch: Branch, now: float) -> None:
        """Bounds how long a branch that has somewhere else to go may stay silent."""
        self._awaited.append((now + self._failover_after, branch))

    def stop(self, branch: Branch) -> None:
        """Timer C is over for this branch: it ended or was cancelled."""
        self._ringing.pop(branch, None)

    def next_deadline(self) -> float | None:
        """When the next of them is due."""
        first = next(iter(self._ringing.values())) if self._ringing else None
        if self._bounded and (first is None or self._bounded[0][0] < first):
            first = self._bounded[0][0]
        if self._awaited and (first is None or self._awaited[0][0] < first):
            return self._awaited[0][0]
        return first

    def take_awaited(self, now: float) -> list[Branch]:
        """The branches whose first word should have come, whether or not it has."""
        due = []
        while self._awaited and self._awaited[0][0] <= now:
            due.append(self._awaited.popleft()[1])
        return due

    def take_due(self, now: float) -> list[Branch]:
        """The branches whose time is up."""
        due = []
        while self._ringing and next(iter(self._ringing.values())) <= now:
            due.append(self._ringing.popitem(last=False)[0])
        while self._bounded and self._bounded[0][0] <= now:
            due.append(heapq.heappop(self._bounded)[2])
        return due

    def __len__(self) -> int:
        return len(self._ringing) + len(self._bounded) + len(self._awaited)
