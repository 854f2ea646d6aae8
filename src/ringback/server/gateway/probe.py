"""OPTIONS to a trunk, now and then: is it there? (RFC 3261 §11)"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from ringback.address import Target
from ringback.message.errors import SipParseError
from ringback.message.headers import Headers
from ringback.message.message import Request
from ringback.transaction.events import Event, ResponseReceived

if TYPE_CHECKING:
    from ringback.server.gateway.trunk import Trunk
    from ringback.stack import Stack
    from ringback.transaction.transaction import ClientTransaction
    from ringback.transport.resolver import Resolver

# What says that nobody is there who would take a call; whoever refuses an OPTIONS otherwise is there.
_AWAY = (408, 503)


class Probe:
    """Asks one trunk again and again, one request at a time: user of its client transactions."""

    def __init__(
        self, trunk: Trunk, stack: Stack, resolver: Resolver, token: Callable[[], str], *, interval: float, patience: float
    ) -> None:
        """`interval` in seconds from one answer to the next request; `patience`: seconds until an answer counts as missing."""
        self._trunk = trunk
        self._stack = stack
        self._resolver = resolver
        self._token = token
        self._interval = interval
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._alarm: asyncio.TimerHandle | None = None
        self._transaction: ClientTransaction | None = None
        self._round = 0

    def begin(self, delay: float) -> None:
        """Asks for the first time in so many seconds."""
        self._alarm = self._loop.call_later(delay, self._ask)

    def close(self) -> None:
        """Asks no more."""
        self._round += 1
        if self._alarm is not None:
            self._alarm.cancel()
        if self._transaction is not None:
            self._stack.layer.abandon(self._transaction)

    def _ask(self) -> None:
        self._round += 1
        number = self._round
        self._alarm = self._loop.call_later(self._patience, lambda: self._stack.run(lambda now: self._end(now, is_answered=False)))
        hop = self._trunk.target(None, is_number=False)

        def send(targets: list[Target], now: float) -> None:
            if number == self._round:
                self._send(hop, targets, now)

        try:
            targets = self._resolver.known(hop, self._loop.time())
        except SipParseError:
            targets = []
        if targets is None:
            self._resolver.ask(hop, lambda found: self._stack.run(lambda now: send(found, now)))
        else:
            known = targets
            self._stack.run(lambda now: send(known, now))

    def _send(self, uri: str, targets: list[Target], now: float) -> None:
        headers = Headers()
        headers.append("Max-Forwards", 70)
        headers.append("From", f"<sip:{self._stack.ways.endpoints[0].sent_by}>;tag={self._token()}")
        headers.append("To", f"<{uri}>")
        headers.append("Call-ID", self._token())
        headers.append("CSeq", "1 OPTIONS")
        request = Request("OPTIONS", uri, headers)
        branch = f"z9hG4bK{self._token()}"
        self._transaction = self._stack.send_request(request, targets[0], self, branch, now) if targets else None
        if self._transaction is None:
            self._end(now, is_answered=False)

    def receive(self, event: Event, now: float) -> None:
        """Takes what the client transaction tells."""
        if event.transaction is not self._transaction:
            return
        if not isinstance(event, ResponseReceived):
            self._end(now, is_answered=False)
        elif event.response.status >= 200:
            self._end(now, is_answered=event.response.status not in _AWAY)

    def _end(self, now: float, *, is_answered: bool) -> None:
        self._round += 1
        transaction, self._transaction = self._transaction, None
        if transaction is not None and not transaction.is_terminated:
            self._stack.layer.abandon(transaction)
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self._loop.call_later(self._interval, self._ask)
        self._trunk.probed(is_answered=is_answered, now=now)
