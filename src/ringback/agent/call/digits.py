"""The digits that the other party of a call presses, in the order they come, however they come."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from ringback.agent.call.call import Call

# A choice: what somebody presses whom nobody listens to is kept so far, and the rest is lost.
_MOST = 256


class Digits:
    """An iterator that waits for each digit; `CallEnded` where the call ends first. What was pressed before anybody listened waits."""

    __slots__ = ("_call", "_heard", "_waiting")

    def __init__(self, call: Call) -> None:
        self._call = call
        self._heard: deque[str] = deque()
        self._waiting: deque[asyncio.Future[str]] = deque()

    def put(self, digit: str) -> None:
        """A digit was pressed."""
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(digit)
                return
        if len(self._heard) < _MOST:
            self._heard.append(digit)

    async def read(self, timeout: float | None = None) -> str | None:  # noqa: ASYNC109 - silence is an answer here, no error
        """The next digit; None where none comes within so many seconds."""
        if self._heard:
            return self._heard.popleft()
        promise = self._call.promise()
        self._waiting.append(promise)
        try:
            async with asyncio.timeout(timeout):
                digit: str = await promise
                return digit
        except BaseException as error:
            if promise.done() and not promise.cancelled() and promise.exception() is None:
                # It came in the very moment in which its reader was called away.
                self._heard.appendleft(promise.result())
            if isinstance(error, TimeoutError):
                return None
            raise

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        digit = await self.read()
        assert digit is not None, "it was waited for without end"
        return digit
