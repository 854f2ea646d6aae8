"""What the transaction layer tells its user: one small class per thing that happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ringback.address import Flow
    from ringback.message.message import Request, Response
    from ringback.transaction.transaction import ClientTransaction, ServerTransaction


class RequestReceived:
    """A new request (RFC 3261 §17.2); retransmissions never get here.

    `transaction` is None for an ACK that matches none or belongs to a 2xx (§13.3.1.4, RFC 6026 §7.1).
    `cancels` is the INVITE server transaction that a CANCEL matched (§9.2).
    """

    __slots__ = ("cancels", "flow", "request", "transaction")

    def __init__(
        self,
        request: Request,
        flow: Flow,
        transaction: ServerTransaction | None,
        cancels: ServerTransaction | None = None,
    ) -> None:
        self.request = request
        self.flow = flow
        self.transaction = transaction
        self.cancels = cancels


class ResponseReceived:
    """A response that its client transaction passes up (§17.1)."""

    __slots__ = ("flow", "response", "transaction")

    def __init__(self, response: Response, flow: Flow, transaction: ClientTransaction) -> None:
        self.response = response
        self.flow = flow
        self.transaction = transaction


class TransactionTimedOut:
    """A transaction ended because its time was up.

    A client transaction by timer B or F, or 64*T1 after its CANCEL (§9.1); a server transaction by timer H, for want of an ACK, or because
    its user never answered a request whose client has given up (RFC 4320 §4.2).
    """

    __slots__ = ("transaction",)

    def __init__(self, transaction: ClientTransaction | ServerTransaction) -> None:
        self.transaction = transaction


class TransportFailed:
    """The transport could not send for this transaction (§17.1.4, §17.2.4, §18.4)."""

    __slots__ = ("reason", "transaction")

    def __init__(self, transaction: ClientTransaction | ServerTransaction, reason: str) -> None:
        self.transaction = transaction
        self.reason = reason


class StrayResponseReceived:
    """A response that matches no client transaction, for a core that forwards statelessly (RFC 3261 §18.1.2, §16.11)."""

    __slots__ = ("flow", "response")

    transaction = None

    def __init__(self, response: Response, flow: Flow) -> None:
        self.response = response
        self.flow = flow


Event = RequestReceived | ResponseReceived | StrayResponseReceived | TransactionTimedOut | TransportFailed
