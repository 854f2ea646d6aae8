"""The actions of `machines.py`: each adds to what a layer has to send or to tell, or lets octets go that no later state needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ringback.address import Flow
from ringback.message.derive import ack_of, trying
from ringback.message.message import Request, Response
from ringback.transaction import machines
from ringback.transaction.events import RequestReceived, ResponseReceived, TransactionTimedOut, TransportFailed
from ringback.transaction.transaction import ClientTransaction, ServerTransaction, Transaction, head_of

if TYPE_CHECKING:
    from ringback.transaction.interpreter import Action, Medium


def _send_request(medium: Medium, transaction: ClientTransaction, _message: Any, _flow: Any) -> None:
    medium.outgoing.append((transaction.octets, transaction.flow))


def _send_ack(medium: Medium, transaction: ClientTransaction, response: Response, _flow: Any) -> None:
    # The ACK takes the request's place: from now on it is what is sent again (§17.1.1.2).
    transaction.octets = ack_of(transaction.request, response).to_bytes()
    medium.outgoing.append((transaction.octets, transaction.flow))


def _response_to_tu(medium: Medium, transaction: ClientTransaction, response: Response, flow: Flow) -> None:
    medium.events.append(ResponseReceived(response, flow, transaction))


def _request_to_tu(medium: Medium, transaction: ServerTransaction, request: Request, flow: Flow) -> None:
    medium.events.append(RequestReceived(request, flow, transaction))


def _ack_to_tu(medium: Medium, _transaction: ServerTransaction, ack: Request, flow: Flow) -> None:
    medium.events.append(RequestReceived(ack, flow, None))


def _send_response(medium: Medium, transaction: ServerTransaction, response: Response, _flow: Any) -> None:
    transaction.response = octets = response.to_bytes()
    medium.outgoing.append((octets, transaction.flow))


def _relay_response(medium: Medium, transaction: ServerTransaction, response: Response, _flow: Any) -> None:
    medium.outgoing.append((response.to_bytes(), transaction.flow))


def _repeat_response(medium: Medium, transaction: ServerTransaction, _message: Any, _flow: Any) -> None:
    if transaction.response:
        medium.outgoing.append((transaction.response, transaction.flow))


def _send_trying(medium: Medium, transaction: ServerTransaction, _message: Any, _flow: Any) -> None:
    if not transaction.response:
        _send_response(medium, transaction, trying(transaction.request), None)


def _timeout_to_tu(medium: Medium, transaction: Transaction, _message: Any, _flow: Any) -> None:
    medium.events.append(TransactionTimedOut(transaction))


def _failure_to_tu(medium: Medium, transaction: Transaction, reason: str, _flow: Any) -> None:
    medium.events.append(TransportFailed(transaction, reason))


def _drop_body(_medium: Medium, transaction: ClientTransaction, _message: Any, _flow: Any) -> None:
    transaction.octets = head_of(transaction.octets)


def _drop_request(_medium: Medium, transaction: Transaction, _message: Any, _flow: Any) -> None:
    transaction.octets = b""


def _drop_response(_medium: Medium, transaction: ServerTransaction, _message: Any, _flow: Any) -> None:
    transaction.response = b""


def leave_clients(medium: Medium, transaction: ClientTransaction, _message: Any, _flow: Any) -> None:
    """Takes a terminated transaction out of its table at once (§17.1.1.2)."""
    medium.clients.pop(transaction.key, None)


def leave_servers(medium: Medium, transaction: ServerTransaction, _message: Any, _flow: Any) -> None:
    """Takes a terminated transaction out of its table at once (§17.2.1), with what led its ACK there."""
    key = transaction.key
    medium.servers.pop(key, None)
    if key in medium.ack_keys:
        medium.servers.pop(medium.ack_keys.pop(key), None)


def drop_user(_medium: Medium, transaction: Transaction, _message: Any, _flow: Any) -> None:
    """Lets the user go where no event of this very step is still to reach it: a timer's entry may outlive the transaction."""
    transaction.user = None


ACTIONS: dict[str, Action] = {
    machines.SEND_REQUEST: _send_request,
    machines.SEND_ACK: _send_ack,
    machines.REPEAT_ACK: _send_request,
    machines.RESPONSE_TO_TU: _response_to_tu,
    machines.REQUEST_TO_TU: _request_to_tu,
    machines.ACK_TO_TU: _ack_to_tu,
    machines.SEND_RESPONSE: _send_response,
    machines.RELAY_RESPONSE: _relay_response,
    machines.REPEAT_RESPONSE: _repeat_response,
    machines.SEND_TRYING: _send_trying,
    machines.TIMEOUT_TO_TU: _timeout_to_tu,
    machines.FAILURE_TO_TU: _failure_to_tu,
    machines.DROP_BODY: _drop_body,
    machines.DROP_REQUEST: _drop_request,
    machines.DROP_RESPONSE: _drop_response,
}

TELLING = frozenset((machines.RESPONSE_TO_TU, machines.TIMEOUT_TO_TU, machines.FAILURE_TO_TU))
"""Actions whose event the user has still to receive when the step is over."""
