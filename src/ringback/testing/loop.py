"""An asyncio loop in simulated time: it never sleeps but jumps to its next timer, and says so when nothing will ever happen."""

from __future__ import annotations

import asyncio
import os
import selectors
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from ringback.testing.names import Names
from ringback.testing.waiting import place_of

T = TypeVar("T")

_Events = list[tuple[selectors.SelectorKey, int]]


class HungError(RuntimeError):
    """Nothing is ready, no timer is armed (or the loop's last moment is reached), and something still waits."""


class _JumpingSelector(selectors.DefaultSelector):
    """The real selector, but waiting is the loop's affair."""

    loop: SimulatedTimeLoop

    def select(self, timeout: float | None = None) -> _Events:
        return self.loop.pass_time(timeout, super().select)


class SimulatedTimeLoop(asyncio.SelectorEventLoop):
    """An asyncio event loop whose clock is simulated: an hour of timers takes milliseconds, and every race happens the same way each time.

    `loop.time()` starts at 0.0 and moves only when nothing else is ready, straight to the next timer, in whole nanoseconds. Use it with
    `run(...)`, with `asyncio.Runner(loop_factory=SimulatedTimeLoop)` or as a context manager:

        with SimulatedTimeLoop() as loop:
            loop.run_until_complete(main())

    Where a program of the real clock would wait forever, `HungError` is raised, naming the test and what its tasks wait for; also when
    simulated time passes `ends_at` seconds (a day), because a timer that re-arms itself would otherwise hide the same fault.

    Threads keep real time. While `run_in_executor` has work outstanding, the simulated clock stands still and the loop really waits. A
    thread of your own that answers by `call_soon_threadsafe` is unknown to the loop: `patience` is how many real seconds to give such
    threads before each jump and before giving up. Real sockets are read when they are ready, but the clock does not wait for them either.
    """

    def __init__(self, *, patience: float = 0.0, ends_at: float = 86_400.0) -> None:
        self._now = 0.0
        self._patience = patience
        self.ends_at = ends_at
        """The simulated second after which the loop goes no further; it may be moved."""
        self.names = Names()
        """The DNS of this loop: every name that leads somewhere."""
        self._at_work = 0
        selector = _JumpingSelector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        """Simulated seconds since the loop was made."""
        return self._now

    def pass_time(self, timeout: float | None, select: Callable[[float | None], _Events]) -> _Events:
        """What the loop's selector does in place of waiting `timeout` seconds (None: for ever)."""
        events = select(0)
        if events or timeout == 0:
            return events
        if self._at_work:
            return select(None)
        if self._patience and (events := select(self._patience)):
            return events
        if timeout is None:
            raise HungError(f"Nothing will ever happen: {self._waiting()}")
        # Whole nanoseconds: sums of decimal fractions meet again at the same float, and a timer due at 32.0 reads 32.0.
        self._now = round(self._now + timeout, 9)
        if self._now > self.ends_at:
            raise HungError(f"Simulated time passed {self.ends_at:g} s: {self._waiting()}")
        return []

    def _waiting(self) -> str:
        """The test that runs, if pytest runs it, and where each task waits."""
        tasks = []
        for task in asyncio.all_tasks(self):
            tasks.append(f"{task.get_name()} waits at {place_of(task)}")
        test = os.environ.get("PYTEST_CURRENT_TEST")
        return "; ".join(([test] if test else []) + sorted(tasks)) or "no task exists"

    # The loop declares this with type parameters that no subclass can repeat in Python 3.11's own typing.
    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]  # typeshed: varargs
        """As any loop; the simulated clock stands still until the work is done."""
        future = super().run_in_executor(executor, func, *args)
        self._at_work += 1
        future.add_done_callback(self._work_ended)
        return future

    def _work_ended(self, _future: asyncio.Future[T]) -> None:
        self._at_work -= 1

    async def shutdown_default_executor(self, *args: Any, **kwargs: Any) -> None:
        """As any loop; it is a thread too that ends the threads."""
        self._at_work += 1
        try:
            await super().shutdown_default_executor(*args, **kwargs)
        finally:
            self._at_work -= 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """Cancels what still runs and closes the loop."""
        try:
            tasks = asyncio.all_tasks(self)
            for task in tasks:
                task.cancel()
            if tasks:
                self.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            self.run_until_complete(self.shutdown_asyncgens())
            self.run_until_complete(self.shutdown_default_executor())
        finally:
            self.close()


def run(main: Coroutine[Any, Any, T], *, patience: float = 0.0, ends_at: float = 86_400.0) -> T:
    """Runs a coroutine on a new `SimulatedTimeLoop` and gives its result: the body of a test in one line."""
    with asyncio.Runner(loop_factory=lambda: SimulatedTimeLoop(patience=patience, ends_at=ends_at)) as runner:
        return runner.run(main)
