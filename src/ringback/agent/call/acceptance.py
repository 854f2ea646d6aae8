"""The repetition of a 2xx to an INVITE until its ACK comes (RFC 3261 §13.3.1.4, RFC 6026 §7.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from ringback.agent.agenda import Alarm
from ringback.message.message import Request, Response
from ringback.transaction.transaction import ServerTransaction

if TYPE_CHECKING:
    from ringback.agent.core import AgentCore


class Acceptance:
    """A 2xx that was sent, is sent again after T1, twice T1 … at most T2 seconds, and given up after 64*T1.

    `on_end(ack)` is called once: with the ACK, or with None where none came.
    """

    __slots__ = ("_alarm", "_core", "_end", "_interval", "_response", "_transaction", "cseq", "on_end")

    def __init__(
        self,
        core: AgentCore,
        transaction: ServerTransaction,
        response: Response,
        on_end: Callable[[Request | None], None],
    ) -> None:
        self._core = core
        self._transaction = transaction
        self._response = response
        self.on_end = on_end
        self.cseq = response.cseq.number
        self._end = core.loop.time() + 64 * core.timers.t1
        self._interval = core.timers.t1
        self._alarm: Alarm | asyncio.TimerHandle | None = core.after(self._interval, self._again)
        core.respond(transaction, response)

    def _again(self) -> None:
        core = self._core
        now = core.loop.time()
        if now >= self._end:
            self._stop(None)
            return
        core.respond(self._transaction, self._response)
        self._interval = min(2 * self._interval, core.timers.t2)
        self._alarm = core.loop.call_later(min(self._interval, self._end - now), self._again)

    def acknowledge(self, ack: Request) -> None:
        """Takes the ACK; a second one says nothing new."""
        if self._alarm is not None:
            self._stop(ack)

    def abandon(self) -> None:
        """Stops without a word: the session is over."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _stop(self, ack: Request | None) -> None:
        self.abandon()
        self.on_end(ack)
