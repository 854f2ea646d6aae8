"""Keeping a flow alive, and finding out that it is dead (RFC 5626 §4.4, RFC 6223 §5)."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from ringback.address import Flow
from ringback.message.errors import SipParseError
from ringback.message.grammar import ascii_lower, parse_uint
from ringback.message.message import Response

if TYPE_CHECKING:
    from ringback.agent.core import AgentCore

# Seconds between two signs of life, at least and at most, where the other end recommends nothing.
_STREAM_PAUSE = (95.0, 120.0)
_DATAGRAM_PAUSE = (24.0, 29.0)
# What it recommends is kept to by so much.
_SOONEST = 0.8
# Somebody who asks for a sign of life every second means a minute, or nobody any good.
_SHORTEST_PAUSE = 5.0
_LONGEST_PAUSE = 86_400

_PONG_WITHIN = 10.0
# RFC 5389 §7.2.1 with an RTO of half a second: seven requests, each wait twice the one before it, the last one sixteen times the RTO.
_STUN_WAITS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 8.0)
_TRANSACTION_BYTES = 12

_uniform = secrets.SystemRandom().uniform


def wish_for(response: Response) -> tuple[bool, int]:
    """Whether the answer to a REGISTER wants signs of life, and how many seconds at most between them, 0 where it does not say.

    By Require: outbound with a Flow-Timer perhaps (RFC 5626 §4.4), or by the `keep` of our Via (RFC 6223 §4.3).
    """
    try:
        keep = response.via.params.get("keep")
        if keep is not None:
            return True, _seconds(keep)
        if is_outbound(response):
            return True, _seconds(response.headers.text("Flow-Timer") or "0")
    except SipParseError:
        pass
    return False, 0


def is_outbound(response: Response) -> bool:
    """Whether a registrar says that it has registered a flow (RFC 5626 §4.2.1)."""
    return "require" in response.headers.keys and "outbound" in map(ascii_lower, response.require)


def _seconds(text: str) -> int:
    try:
        return parse_uint(text, _LONGEST_PAUSE)
    except SipParseError:
        # A slip of the pen is no reason to let the flow die.
        return 0


class Keepalive:
    """Signs of life down one flow, and what comes back."""

    def __init__(self, core: AgentCore, flow: Flow, most: int, answered: Callable[[], None], failed: Callable[[str], None]) -> None:
        """`most` is the longest pause that the other end wants, 0 for none; `answered` hears of each answer, `failed` why there is none."""
        self.flow = flow
        self.most = most
        self.was_answered = False
        self._core = core
        self._answered = answered
        self._failed = failed
        self._mapped: tuple[str, int] | None = None
        self._task = core.loop.create_task(self._keep())

    def stop(self) -> None:
        """Sends no more."""
        self._task.cancel()

    async def _keep(self) -> None:
        fault = None
        while fault is None:
            await asyncio.sleep(self._pause())
            fault = await self._fault()
            if fault is None:
                self.was_answered = True
                self._answered()
        self._failed(fault)

    def _pause(self) -> float:
        if self.most:
            most = max(self.most, _SHORTEST_PAUSE)
            return _uniform(_SOONEST * most, most)
        return _uniform(*(_STREAM_PAUSE if self.flow.connection else _DATAGRAM_PAUSE))

    async def _fault(self) -> str | None:
        """What a sign of life finds wrong with the flow; None where its answer comes."""
        transports = self._core.transports
        transaction = secrets.token_bytes(_TRANSACTION_BYTES)
        answer: asyncio.Future[tuple[bool, tuple[str, int] | None]] = self._core.loop.create_future()

        def answered(is_good: bool, mapped: tuple[str, int] | None) -> None:
            if not answer.done():
                answer.set_result((is_good, mapped))

        try:
            for wait in (_PONG_WITHIN,) if self.flow.connection else _STUN_WAITS:
                transports.ping(self.flow, transaction, answered)
                await asyncio.wait([answer], timeout=wait)
                if answer.done():
                    return self._judged(*answer.result())
            return "no answer to signs of life"
        finally:
            transports.expect_no_pong(self.flow, transaction)

    def _judged(self, is_good: bool, mapped: tuple[str, int] | None) -> str | None:
        if not is_good:
            return "signs of life are refused"
        before, self._mapped = self._mapped, mapped
        if before not in (None, mapped):
            # §4.4.2: a NAT has forgotten us, and whoever calls would be sent where nobody is any more.
            return "the way back has changed"
        return None
