"""A server that kept silent until the next one was asked, and answers after all (RFC 3263 §4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringback.address import Target
from ringback.message.derive import cancel_of
from ringback.transaction.events import Event, ResponseReceived
from ringback.transaction.transaction import ClientTransaction

if TYPE_CHECKING:
    from ringback.agent.exchange import Exchange


class Nobody:
    """The user of a transaction whose answer does not matter: a CANCEL's."""

    __slots__ = ()

    def receive(self, event: Event, now: float) -> None:
        """Hears and does nothing."""


NOBODY = Nobody()


class Overtaken:
    """The user of an attempt's transaction from then on: whoever begins to work on an INVITE is cancelled, and a 2xx is an answer still."""

    __slots__ = ("_exchange", "_is_cancelled", "_target", "_transaction")

    def __init__(self, exchange: Exchange, transaction: ClientTransaction, target: Target) -> None:
        self._exchange = exchange
        self._transaction = transaction
        self._target = target
        self._is_cancelled = False

    def receive(self, event: Event, now: float) -> None:
        """Takes what the transaction has to say."""
        if not isinstance(event, ResponseReceived):
            return
        if event.response.is_provisional:
            self.cancel(now)
        elif event.response.is_success:
            self._exchange.answered_late(self._transaction, self._target, event.response, now)

    def cancel(self, now: float) -> None:
        """Sends the CANCEL of an INVITE that is being worked on, once (§9.1)."""
        if self._transaction.method == "INVITE" and not self._is_cancelled:
            self._is_cancelled = True
            self._exchange.core.layer.request(cancel_of(self._transaction.request), self._transaction.flow, now, NOBODY)
