"""Running a coroutine so that the end of its call makes whatever it awaits raise `CallEnded`."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any

from ringback.agent.errors import CallEnded


class Interruptible:
    """An awaitable around a coroutine. `interrupt(error)` raises the error at the point where the coroutine waits, whatever it waits for.

    The task that awaits this is cancelled, and the cancellation turned into the error on its way in: timeouts and task groups inside see
    an ordinary exception.
    """

    __slots__ = ("_error", "_task", "coroutine", "is_patient")

    def __init__(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self.coroutine = coroutine
        """What is run: whoever looks for where it waits finds it here."""
        self._error: CallEnded | None = None
        self._task: asyncio.Task[None] | None = None
        self.is_patient = False
        """While set the coroutine is not interrupted: what it waits for is to be told of the end."""

    def is_current(self) -> bool:
        """Whether it is this coroutine that asks, and no task it has begun."""
        return self._task is not None and self._task is asyncio.current_task()

    def interrupt(self, error: CallEnded) -> None:
        """Raises `error` where the coroutine waits; does nothing if it is this coroutine that asks, or if it has ended.

        What it waited for and has got by now it gets: the error is for what it waits for next.
        """
        task = self._task
        if task is not None and not self.is_patient and not task.done() and task is not asyncio.current_task():
            task.get_loop().call_soon(self._cancel, task, error)

    def _cancel(self, task: asyncio.Task[None], error: CallEnded) -> None:
        if not self.is_patient and not task.done():
            self._error = error
            task.cancel()

    def __await__(self) -> Generator[Any, Any, None]:
        self._task = asyncio.current_task()
        coroutine = self.coroutine
        try:
            waited = coroutine.send(None)
            while True:
                try:
                    value = yield waited
                except asyncio.CancelledError as cancelled:
                    error, self._error = self._error, None
                    if error is None:
                        waited = coroutine.throw(cancelled)
                    else:
                        # The cancellation was this object's own, and ends here.
                        if self._task is not None:
                            self._task.uncancel()
                        waited = coroutine.throw(error)
                except BaseException as error:  # noqa: BLE001 - whatever was thrown in belongs to the coroutine
                    waited = coroutine.throw(error)
                else:
                    waited = coroutine.send(value)
        except StopIteration:
            return
        finally:
            coroutine.close()
