"""Alarms that hardly ever ring: armed for every call and cancelled for nearly all of them, they cost no timer of the loop's."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable


class Alarm:
    """Something to be done at a time, unless it is cancelled before."""

    __slots__ = ("action", "time")

    def __init__(self, time: float, action: Callable[[], None]) -> None:
        self.time = time
        self.action: Callable[[], None] | None = action

    def cancel(self) -> None:
        """It will not be done."""
        self.action = None


class Agenda:
    """One queue for each length: what is armed later for as long rings later, and what was cancelled goes when its turn comes."""

    __slots__ = ("_queues",)

    def __init__(self) -> None:
        self._queues: dict[float, deque[Alarm]] = {}

    def after(self, seconds: float, now: float, action: Callable[[], None]) -> Alarm:
        """Arms an alarm. `seconds` is one of a few lengths, each of which has its queue for ever."""
        queue = self._queues.get(seconds)
        if queue is None:
            queue = self._queues[seconds] = deque()
        alarm = Alarm(now + seconds, action)
        queue.append(alarm)
        return alarm

    def advance(self, now: float) -> None:
        """Does what is due."""
        # What is done may arm an alarm of another length.
        for queue in list(self._queues.values()):
            while queue and queue[0].time <= now:
                action = queue.popleft().action
                if action is not None:
                    action()

    def next_deadline(self) -> float | None:
        """When something is due next; None where nothing is."""
        earliest = None
        for queue in self._queues.values():
            while queue and queue[0].action is None:
                queue.popleft()
            if queue and (earliest is None or queue[0].time < earliest):
                earliest = queue[0].time
        return earliest
