"""The pump between transports, the transaction layer and its user: readable → receive → events → handlers → write → one alarm.

Everything here happens within one turn of the loop: a synchronous handler's 100 Trying and its forwarded request leave together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from ringback.address import Target
from ringback.message.message import Request, Response
from ringback.message.parser import Malformed, parse_message
from ringback.stand_ins import StandIns
from ringback.transaction.events import Event
from ringback.transaction.layer import TransactionLayer
from ringback.transaction.reply import fallback_target

if TYPE_CHECKING:
    from ringback.address import Endpoint, Flow
    from ringback.transaction.transaction import ClientTransaction, ServerTransaction
    from ringback.transport.resolver import Resolver

# RFC 3261 §18.1.1: above this, where the path MTU is not known, a request goes over a congestion-controlled transport.
LARGEST_UDP_REQUEST = 1300

# With hundreds of transactions a timer is always due, and waking up costs as much as a message. Looking 25 times a second keeps each
# within 40 ms, less than a tenth of T1; looking a hundred times took 5 % more CPU at 300 calls a second.
_SHORTEST_ALARM = 0.04

_AFTER_THE_INVITE = frozenset(("ACK", "CANCEL"))


class Core(Protocol):
    """The transaction user (RFC 3261 §5): whoever decides what a request means. All its methods return at once."""

    def receive(self, event: Event, now: float) -> None:
        """Takes an event whose transaction has no user of its own: every new request, above all."""

    def malformed(self, malformed: Malformed, flow: Flow, now: float) -> None:
        """Takes what was no SIP message."""

    def advance(self, now: float) -> None:
        """Fires whatever is due."""

    def next_deadline(self) -> float | None:
        """When `advance` wants to be called next."""


class Ways(Protocol):
    """What the stack asks of a set of transports: real sockets (`transport.Transports`) or a host of `testing.Network`."""

    @property
    def endpoints(self) -> list[Endpoint]:
        """Every listening point."""

    def flow_to(self, target: Target, prefer: Endpoint | None = None) -> Flow | None:
        """The way to a target, None where no endpoint has its transport and address family."""

    def is_open(self, flow: Flow) -> bool:
        """Whether something can still be sent over a flow."""

    def send(self, data: bytes, flow: Flow) -> None:
        """Sends without waiting; a failure comes back through `Stack.failed`."""


Observer = Callable[[str, bytes, "Flow", "Malformed | None"], None]
"""Sees what passes: "in" or "out", the octets, the flow, and what was wrong with them if they were no message."""


class Stack:
    """Transports below, a transaction layer within, a core above."""

    def __init__(self, core: Core, layer: TransactionLayer, clock: Callable[[], float] | None = None) -> None:
        """`clock` gives monotonic seconds; by default the running loop's time."""
        self.core = core
        self.layer = layer
        self.observer: Observer | None = None
        self.faults = 0
        """How many messages could not be handled by a fault of this program's own."""
        self._next_report = 0.0
        self._stand_ins: StandIns | None = None
        self.ways: Ways
        self._loop = asyncio.get_running_loop()
        self._clock = clock or self._loop.time
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_time = float("inf")
        self._is_pumping = False
        self._last_ring = float("-inf")

    def attach(self, ways: Ways) -> None:
        """Names the transports; they call `received`, `batch_ended` and `failed`."""
        self.ways = ways

    def stand_in_by(self, resolver: Resolver) -> None:
        """Has responses whose peer is gone go to the other hosts of its name (RFC 3263 §5). After `attach`."""
        self._stand_ins = StandIns(resolver, self.ways)

    def received(self, message: Request | Response | Malformed, data: bytes, flow: Flow) -> None:
        """Takes one message from a transport."""
        now = self._clock()
        self._is_pumping = True
        if self.observer is not None:
            self.observer("in", data, flow, message if isinstance(message, Malformed) else None)
        try:
            if isinstance(message, Malformed):
                self.core.malformed(message, flow, now)
                return
            self.layer.receive(message, flow, now, data)
            if self.layer.events:
                self._dispatch(now)
        except Exception as error:  # noqa: BLE001 - one message's fault must not cost the others of its batch
            self._report(error, now)

    def _dispatch(self, now: float) -> None:
        events = self.layer.events
        while events:
            event = events.pop(0)
            transaction = event.transaction
            user = transaction.user if transaction is not None else None
            (self.core if user is None else user).receive(event, now)

    def _report(self, error: Exception, now: float) -> None:
        """Tells the loop of a fault of this program's own, once a second at most: a flood of such messages is no flood of logs."""
        self.faults += 1
        if now >= self._next_report:
            self._next_report = now + 1.0
            self._loop.call_exception_handler({"message": "a message could not be handled", "exception": error})

    def batch_ended(self) -> None:
        """Writes what the handlers decided and re-arms the alarm; called by a transport once per batch of messages."""
        self._is_pumping = False
        layer = self.layer
        if layer.outgoing:
            send = self.ways.send
            observer = self.observer
            for data, flow in layer.take_outgoing():
                if flow.connection and not self.ways.is_open(flow):
                    flow = self._other_way(data, flow)
                send(data, flow)
                if observer is not None:
                    observer("out", data, flow, None)
        # An alarm that rings too early costs one look; only one that would ring too late must be set anew.
        soonest = self._last_ring + _SHORTEST_ALARM
        if self._alarm_time <= soonest:
            return
        deadline = layer.deadline
        later = self.core.next_deadline()
        if later is not None and later < deadline:
            deadline = later
        if deadline < self._alarm_time:
            if self._alarm is not None:
                self._alarm.cancel()
            self._alarm_time = deadline = max(deadline, soonest)
            self._alarm = self._loop.call_at(deadline, self._ring)

    def _other_way(self, data: bytes, flow: Flow) -> Flow:
        """The connection to open for a response whose own is closed (§18.2.2), and for an ACK or CANCEL, which go where their INVITE went
        (RFC 5923 §8.1); the closed one for all else, so that its failure is told.
        """
        message = parse_message(data)
        if isinstance(message, Request) and message.method in _AFTER_THE_INVITE and flow.domain is not None:
            again = Target(flow.endpoint.transport, flow.host, flow.port, domain=flow.domain)
            return self.ways.flow_to(again, flow.endpoint) or flow
        if not isinstance(message, Response):
            return flow
        target = fallback_target(message.via)
        other = None if target is None else self.ways.flow_to(target, flow.endpoint)
        if other is None:
            return flow
        if self._stand_ins is not None:
            self._stand_ins.sent(data, message.via, flow.host, other)
        return other

    def _ring(self) -> None:
        self._alarm = None
        self._alarm_time = float("inf")
        now = self._last_ring = self._clock()
        try:
            self.layer.advance(now)
            self.core.advance(now)
            self._dispatch(now)
        except Exception as error:  # noqa: BLE001 - likewise: the alarm must ring again
            self._report(error, now)
        self.batch_ended()

    def failed(self, flow: Flow, reason: str) -> None:
        """Takes a transport's word that nothing can be sent over a flow (§18.4)."""
        now = self._clock()
        if self._stand_ins is not None:
            self._stand_ins.failed(flow)
        self.layer.transport_failed(flow, now, reason)
        self._dispatch(now)
        self.batch_ended()

    def wake(self) -> None:
        """Pumps soon: for whoever had something sent from outside a handler, alone or among many in one turn of the loop."""
        if not self._is_pumping:
            self._is_pumping = True
            self._loop.call_soon(self.batch_ended)

    def flush(self) -> None:
        """Pumps now, unless a batch is being handled and will be pumped anyway: for a task that had something sent."""
        if not self._is_pumping:
            self.batch_ended()

    def run(self, action: Callable[[float], None]) -> None:
        """Calls `action(now)` from outside a handler (a task's end, a callback) and pumps what it gave rise to."""
        now = self._clock()
        action(now)
        self._dispatch(now)
        self.batch_ended()

    def send_request(
        self, request: Request, target: Target, user: object, branch: str, now: float, prefer: Endpoint | None = None
    ) -> ClientTransaction | None:
        """Sends a request in a client transaction of its own; None where no endpoint leads to the target.

        Puts our Via on top (§8.1.1.7, §18.1.1). A request too large for UDP goes over TCP where we can (§18.1.1). Call `batch_ended` after,
        unless a handler calls this: the pump then does it.
        """
        headers = request.headers
        if "content-length" not in headers:
            headers.append("Content-Length", len(request.body))
        headers.prepend("Via", "")

        def render(via: str, _: Endpoint) -> bytes:
            headers.replace_first("Via", via)
            return request.to_bytes()

        addressed = self.address(target, branch, render, prefer)
        return None if addressed is None else self.layer.request(request, addressed[0], now, user)

    def address(
        self,
        target: Target,
        branch: str,
        render: Callable[[str, Endpoint], bytes],
        prefer: Endpoint | None = None,
        *,
        any_size: bool = False,
    ) -> tuple[Flow, bytes] | None:
        """The flow a request shall leave by and its octets, made by `render` with our Via (§8.1.1.7) for the endpoint it leaves from; None
        where no endpoint leads there.

        One too large for UDP goes over TCP where we can (§18.1.1) unless it may have `any_size`; one to a group names it in Via.
        """
        flow = self.ways.flow_to(target, prefer)
        if flow is None:
            return None
        endpoint = flow.endpoint
        if target.ttl is not None:
            return flow, render(f"{endpoint.via}{branch};maddr={target.host};ttl={target.ttl}", endpoint)
        octets = render(endpoint.via + branch, endpoint)
        if len(octets) > LARGEST_UDP_REQUEST and not any_size and target.transport == "UDP":
            larger = self.ways.flow_to(target._replace(transport="TCP"), prefer)
            if larger is not None:
                return larger, render(larger.endpoint.via + branch, larger.endpoint)
        return flow, octets

    def respond(self, transaction: ServerTransaction, response: Response, now: float) -> None:
        """Answers through the machine (§17.2)."""
        self.layer.respond(transaction, response, now)

    def close(self) -> None:
        """Stops the alarm; the transports are their opener's to close."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
