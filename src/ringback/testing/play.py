"""One test in simulated time: its loop, its stage, and what is said when it hangs or leaves something behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from traceback import format_exception
from types import TracebackType
from typing import Any, TypeVar

from ringback.testing.loop import HungError, SimulatedTimeLoop
from ringback.testing.network import Network
from ringback.testing.stage import Stage
from ringback.testing.waiting import is_ours

T = TypeVar("T")

# Seconds of simulated time for the end, however late it is: more than anybody needs to say goodbye.
_FAREWELL = 3600.0
# Lines of a ladder in a report: what is between the first and the last is seldom what went wrong.
_FIRST, _LAST = 60, 10


class LeftoverError(AssertionError):
    """A test is over, and calls that it began are not."""


class Play:
    """The simulated loop of one test, which its asynchronous fixtures run on as well, and the stage on it."""

    def __init__(self, *, ends_at: float = 86_400.0, patience: float = 0.0, **network: Any) -> None:
        """`ends_at` and `patience` are `SimulatedTimeLoop`'s, all else is `Network`'s."""
        self.stage = Stage(Network(**network))
        self.has_failed = False
        self._loop = SimulatedTimeLoop(ends_at=ends_at, patience=patience)
        self._runner = asyncio.Runner(loop_factory=lambda: self._loop)
        self._shown = 0
        self._figure: str | None = None
        self.run(self.stage.open())

    def run(self, awaitable: Awaitable[T], name: str = "stage") -> T:
        """Runs something to its end; where it hangs, `HungError` comes out, and it is cancelled."""
        __tracebackhide__ = True
        task: asyncio.Task[Any] | None = None

        async def main() -> T:
            nonlocal task
            task = asyncio.current_task()
            assert task is not None, "a coroutine runs in a task"
            task.set_name(name)
            return await awaitable

        try:
            return self._runner.run(main())
        except HungError:
            assert task is not None, "what hangs has begun"
            self._abandon(task)
            raise

    def _abandon(self, task: asyncio.Task[Any]) -> None:
        # What follows is said because the test has failed, and would only mislead.
        self._figure = self.ladder()
        task.cancel()
        self._loop.ends_at = self._loop.time() + _FAREWELL
        self._runner.run(_over(task))

    def perform(self, test: Awaitable[None], name: str) -> None:
        """Runs a test. Afterwards raises what an `on_call` raised meanwhile, or `LeftoverError` for the calls that it left."""
        __tracebackhide__ = True
        before = self.stage.calls()
        try:
            self.run(test, name)
            left = self.run(self.stage.settled(before))
        except BaseException:
            self.has_failed = True
            raise
        self._judge(left)

    def close(self) -> None:
        """Closes everybody and the loop. Raises as `perform` does, unless the test has failed already."""
        __tracebackhide__ = True
        self._loop.ends_at = self._loop.time() + _FAREWELL
        left: list[str] = []
        try:
            if not self.has_failed:
                left = self.run(self.stage.settled())
            self.run(self.stage.close())
        finally:
            self._runner.close()
        if not self.has_failed:
            self._judge(left)

    def _judge(self, left: list[str]) -> None:
        __tracebackhide__ = True
        faults = self.stage.faults
        if faults:
            self.has_failed = True
            self._shown += 1
            raise _raised(faults[0])
        if left:
            self.has_failed = True
            lines = "\n".join(f"    {text}" for text in left)
            raise LeftoverError(f"the test is over, these calls are not (hang up, or use `async with`):\n{lines}")

    def ladder(self) -> str:
        """The ladder for a report; the middle of a long one is left out."""
        if self._figure is not None:
            return self._figure
        head, *lines = self.stage.network.ladder().splitlines() or [""]
        if len(lines) > _FIRST + _LAST:
            lines = [*lines[:_FIRST], f"⋮ {len(lines) - _FIRST - _LAST} more", *lines[-_LAST:]]
        return "\n".join([head, *lines]).strip("\n")

    def faults(self) -> list[str]:
        """What went wrong where nobody waited for it and was not raised yet: each a traceback, or what is known."""
        texts = [_told(fault) for fault in self.stage.faults[self._shown :]]
        self._shown = len(self.stage.faults)
        return texts


async def _over(task: asyncio.Task[Any]) -> None:
    """Waits for the end of a cancelled task; what it raises then is of no interest any more."""
    await asyncio.gather(task, return_exceptions=True)


def _raised(fault: dict[str, Any]) -> BaseException:
    """What a fault was, its traceback beginning in the program's own code."""
    error = fault.get("exception")
    if not isinstance(error, BaseException):
        return AssertionError(str(fault.get("message")))
    error.add_note(f"Nobody was there to catch it: {fault.get('message')}")
    return error.with_traceback(_own(error.__traceback__))


def _told(fault: dict[str, Any]) -> str:
    error = _raised(fault)
    return "".join(format_exception(error)).rstrip("\n")


def _own(traceback: TracebackType | None) -> TracebackType | None:
    """A traceback without the lines of ours that led into the program's code; as it is, where all of it is ours."""
    found = traceback
    while found is not None and is_ours(found.tb_frame):
        found = found.tb_next
    return found or traceback
