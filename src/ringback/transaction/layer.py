"""The transaction layer (RFC 3261 §17, RFC 6026, RFC 4320): messages in, messages and events out. Time is an argument."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zlib import crc32

from ringback.address import Flow
from ringback.message.derive import response_to
from ringback.message.fields.via import Via
from ringback.message.message import Request, Response
from ringback.message.methods import METHODS
from ringback.transaction.actions import leave_clients, leave_servers
from ringback.transaction.events import Event, RequestReceived, StrayResponseReceived
from ringback.transaction.interpreter import NEVER, Medium, start_rows
from ringback.transaction.machines import (
    ACK,
    CANCELLED,
    INPUT_OF_STATUS,
    INVITE_CLIENT,
    INVITE_SERVER,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    PROCEEDING,
    REQUEST,
    TERMINATED,
    TRANSPORT_ERROR,
)
from ringback.transaction.matching import (
    cancelled_key,
    client_of,
    has_cookie,
    is_old_key,
    key_of,
    old_key,
    request_key,
    tag_of,
    transaction_key,
)
from ringback.transaction.reply import is_multicast, reply_flow, stamp_source
from ringback.transaction.timers import DEFAULT_TIMERS, TimerValues
from ringback.transaction.transaction import ClientTransaction, ServerTransaction, Transaction

OTHER = "other"
"""What counts for every method that nobody has heard of: there may be any number of them."""

MAX_TRANSACTIONS = 250_000
"""How many transactions may live at once. A choice: a call through a proxy leaves four behind, three of them for 64*T1 = 32 s
(timers J, L, M), which makes 200,000 at 2,000 calls a second; at some 600 octets each that is as much memory as such a machine gives."""


class TransactionLayer(Medium):
    """Every transaction of one element.

    A peer's faults are counted and dropped, never raised; a caller's raise `ValueError` and change nothing. Responses that match nothing
    are dropped (RFC 6026 §8.9) unless `tells_strays`. `events` and `outgoing` may be looked at; `take_events` and `take_outgoing` empty
    them.
    """

    def __init__(
        self,
        timers: TimerValues = DEFAULT_TIMERS,
        *,
        max_transactions: int = MAX_TRANSACTIONS,
        strict_sources: bool = True,
        chance: Callable[[], float] = lambda: 0.5,
    ) -> None:
        """`strict_sources`: over UDP a response counts only from the address its request went to. `chance` gives numbers in [0, 1)."""
        super().__init__(timers)
        starts = start_rows(timers)
        self._invite_client = starts[INVITE_CLIENT.name, False], starts[INVITE_CLIENT.name, True]
        self._non_invite_client = starts[NON_INVITE_CLIENT.name, False], starts[NON_INVITE_CLIENT.name, True]
        self._invite_server = starts[INVITE_SERVER.name, False], starts[INVITE_SERVER.name, True]
        self._non_invite_server = starts[NON_INVITE_SERVER.name, False], starts[NON_INVITE_SERVER.name, True]
        self._cancel_wait = ((64 * timers.t1, CANCELLED),)
        self.max_transactions = max_transactions
        self._strict_sources = strict_sources
        self._chance = chance
        self._failed: dict[Flow, str] = {}
        self._next_search = 0.0
        self.tells_strays = False
        """Whether the core hears of responses that match no client transaction (§18.1.2), as a stateless proxy must."""
        self.stray_responses = 0
        """Responses that matched no client transaction."""
        self.forged_responses = 0
        """Responses that matched one, but came from somewhere else."""
        self.forged_cancels = 0
        """CANCELs that matched an INVITE, but came from somewhere else."""
        self.shed_requests = 0
        """Requests refused because of `max_transactions`."""
        self.repeated_requests = 0
        """Requests that came again."""
        self.requests: dict[str, int] = {}
        """Requests by their method, repetitions left out."""
        self.responses: dict[int, int] = {}
        """Responses sent, by their status, repetitions left out."""

    # From the network

    def receive(self, message: Request | Response, flow: Flow, now: float, data: bytes | None = None) -> None:
        """Takes a message that came over `flow`; at most one event follows. `data` is its octets: giving them saves rendering it anew."""
        if isinstance(message, Response):
            self._response_received(message, flow, now)
        else:
            self._request_received(message, flow, now, data)

    def _response_received(self, response: Response, flow: Flow, now: float) -> None:
        transaction = client_of(response, self.clients)
        if transaction is None:
            self.stray_responses += 1
            if self.tells_strays:
                self.events.append(StrayResponseReceived(response, flow))
            return
        row = transaction.rows.get(INPUT_OF_STATUS[response.status])
        if row is None:
            return
        # Departs from RFC 3261 §17.1.3: over UDP anyone can write any source port and most branches can be seen on the way, so a response
        # counts only from the address that was asked.
        if flow.remote[0] != transaction.flow.remote[0] and self._strict_sources and not flow.endpoint.is_reliable:
            if not is_multicast(transaction.flow.host):
                self.forged_responses += 1
                return
        self.step(transaction, row, now, response, flow)

    def _request_received(self, request: Request, flow: Flow, now: float, data: bytes | None) -> None:
        via = request.via
        method = request.method
        key = request_key(request, via)
        transaction = self.servers.get(key)
        if transaction is None or method == "ACK":
            try:
                self.requests[method] += 1
            except KeyError:
                known = method if method in METHODS else OTHER
                self.requests[known] = self.requests.get(known, 0) + 1
        else:
            self.repeated_requests += 1
        if method == "ACK":
            if via.host != flow.remote[0] or len(via.params) != 1:
                stamp_source(request, flow)
            if transaction is None:
                self.events.append(RequestReceived(request, flow, None))
                return
        if transaction is not None:
            row = transaction.rows.get(ACK if method == "ACK" else REQUEST)
            if row is not None:
                self.step(transaction, row, now, request, flow)
            return
        cancels = self._cancelled(request, via, flow) if method == "CANCEL" else None
        remote = flow.remote
        back = flow
        if via.host != remote[0] or via.port != remote[1] or len(via.params) != 1:
            stamp_source(request, flow)
            back = reply_flow(via, flow)
        # A CANCEL that finds its INVITE makes room: it is let in.
        if len(self.servers) + len(self.clients) >= self.max_transactions and cancels is None:
            self._shed(request, back, key)
            return
        if data is None or back.remote[0] != remote[0]:
            data = request.to_bytes()
        start = (self._invite_server if method == "INVITE" else self._non_invite_server)[flow.endpoint.is_reliable]
        self.servers[key] = transaction = ServerTransaction(key, back, data)
        self.step(transaction, start, now, request, flow)
        if cancels is not None:
            self.events[-1].cancels = cancels  # type: ignore[union-attr]  # a server transaction begins with its RequestReceived

    def _cancelled(self, cancel: Request, via: Via, flow: Flow) -> ServerTransaction | None:
        """The INVITE that a CANCEL is about (§9.2)."""
        transaction = self.servers.get(cancelled_key(cancel, via))
        # Departs from RFC 3261 §9.2: a CANCEL needs no credentials, so it counts only from the address that its INVITE came from.
        if transaction is not None and transaction.flow.remote[0] != flow.remote[0]:
            self.forged_cancels += 1
            return None
        return transaction

    def _shed(self, request: Request, back: Flow, key: str) -> None:
        """Refuses a request without a transaction (§8.2.7, §21.5.4): one message for one, its To tag the same each time."""
        self.shed_requests += 1
        self.count(503)
        response = response_to(request, 503, tag=f"{crc32(key.encode('utf-8', 'surrogateescape')):08x}")
        # 5 to 15 s, so that those refused together do not come back together.
        response.headers.append("Retry-After", 5 + int(10 * self._chance()))
        self.outgoing.append((response.to_bytes(), back))

    # From the transaction user

    def request(self, request: Request, flow: Flow, now: float, user: Any = None) -> ClientTransaction:
        """Sends a request over `flow` in a transaction of its own. Its topmost Via is ours already, with a branch used for nothing else.

        `ValueError` for an ACK (it has no transaction, §17.1) and for a branch that is no RFC 3261 branch or is in use.
        """
        method = request.method
        via = request.via
        if method == "ACK":
            raise ValueError("an ACK has no client transaction: send it by itself")
        if not has_cookie(via):
            raise ValueError("a branch begins with z9hG4bK")
        key = transaction_key(via, method)
        if key in self.clients:
            raise ValueError(f"the branch is in use: {via.branch}")
        transaction = self._begin(key, method, request.to_bytes(), flow, now, user)
        if method == "CANCEL":
            cancelled = self.clients.get(transaction_key(via, "INVITE"))
            if cancelled is not None and cancelled.state == PROCEEDING:
                self.start(cancelled, self._cancel_wait, now)
        return transaction

    def forward(self, method: str, branch: str, data: bytes, flow: Flow, now: float, user: Any) -> ClientTransaction:
        """`request` for a proxy, which has the octets of its copy ready: their topmost Via names the flow's endpoint and a new `branch`."""
        endpoint = flow.endpoint
        return self._begin(key_of(branch, endpoint.advertised, endpoint.port, method), method, data, flow, now, user)

    def _begin(self, key: str, method: str, data: bytes, flow: Flow, now: float, user: Any) -> ClientTransaction:
        start = (self._invite_client if method == "INVITE" else self._non_invite_client)[flow.endpoint.is_reliable]
        self.clients[key] = transaction = ClientTransaction(key, flow, data, user)
        self.step(transaction, start, now)
        return transaction

    def respond(self, transaction: ServerTransaction, response: Response, now: float) -> None:
        """Passes a response to its server transaction, which drops it where the RFCs say so.

        That is a second final response, one that comes too late (RFC 6026 §8.3), and for another method than INVITE a 408 or a 1xx that
        RFC 4320 §4 forbids.
        """
        status = response.status
        if not 100 <= status < 700:
            raise ValueError(f"no status: {status}")
        row = transaction.rows.get(INPUT_OF_STATUS[status])
        if row is None:
            return
        try:
            self.responses[status] += 1
        except KeyError:
            self.responses[status] = 1
        if status >= 300 and is_old_key(transaction.key):
            self._expect_old_ack(transaction, response)
        self.step(transaction, row, now, response)

    def _expect_old_ack(self, transaction: ServerTransaction, response: Response) -> None:
        """Makes the ACK of a client without the magic cookie findable: it bears the To tag of this response (§17.2.3)."""
        if transaction.method == "INVITE":
            request = transaction.request
            key = old_key(request, request.via, "ACK", tag_of(response, "to"))
            self.ack_keys[transaction.key] = key
            self.servers[key] = transaction

    def count(self, status: int) -> None:
        """Notes that a response was sent."""
        self.responses[status] = self.responses.get(status, 0) + 1

    def reject(self, transaction: ServerTransaction, response: Response) -> None:
        """Answers statelessly (§8.2.7): sends once and forgets, so that who only asks costs nothing.

        The same request again is a new request, the ACK of this response an ACK without a transaction.
        """
        if not transaction.is_terminated:
            self.count(response.status)
            self.outgoing.append((response.to_bytes(), transaction.flow))
            self.abandon(transaction)

    def abandon(self, transaction: Transaction) -> None:
        """Forgets a transaction at once: it sends, hears and tells nothing more."""
        transaction.state = TERMINATED
        transaction.rows = {}
        transaction.octets = b""
        transaction.user = None
        if isinstance(transaction, ServerTransaction):
            transaction.response = b""
            leave_servers(self, transaction, None, None)
        else:
            leave_clients(self, transaction, None, None)

    # From the transport, and from time

    def transport_failed(self, flow: Flow, now: float, reason: str = "") -> None:
        """Tells every transaction that sends over `flow` that it cannot (§17.1.4, RFC 6026 §8.8): at once, or soon if errors abound."""
        self._failed[flow] = reason
        if now >= self._next_search:
            self._search_failed(now)
        elif self._next_search < self.deadline:
            self.deadline = self._next_search

    def _search_failed(self, now: float) -> None:
        failed, self._failed = self._failed, {}
        # No index is kept for what seldom happens. Looking at one transaction takes some 100 ns, so with this pause looking takes 1 % of
        # the time at most, however many errors are thrown at us.
        self._next_search = now + 1e-5 * (len(self.clients) + len(self.servers))
        remotes = {flow.remote for flow in failed}
        found: list[Transaction] = [one for one in self.clients.values() if one.flow.remote in remotes]
        found += [one for one in self.servers.values() if one.flow.remote in remotes]
        for transaction in found:
            reason = failed.get(transaction.flow)
            row = transaction.rows.get(TRANSPORT_ERROR)
            if reason is not None and row is not None:
                self.step(transaction, row, now, reason)

    def advance(self, now: float) -> None:
        """Fires every timer due; `now` is in seconds of a clock that never goes back."""
        if self._failed and now >= self._next_search:
            self._search_failed(now)
        self.fire(now)
        if self._failed and self._next_search < self.deadline:
            self.deadline = self._next_search

    def next_deadline(self) -> float | None:
        """When `advance` is wanted next: perhaps too early, never too late. None where nothing runs."""
        return None if self.deadline == NEVER else self.deadline

    def take_events(self) -> list[Event]:
        """What happened since the last time."""
        events, self.events = self.events, []
        return events

    def take_outgoing(self) -> list[tuple[bytes, Flow]]:
        """What is to be sent, each over its flow."""
        outgoing, self.outgoing = self.outgoing, []
        return outgoing
