"""One destination of a proxied request, and every attempt to reach it (RFC 3261 §16.6 items 6 to 11, RFC 3263 §4.3, RFC 5626 §7)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ringback.address import Flow, Target
from ringback.message.derive import cancel_of
from ringback.message.errors import SipParseError
from ringback.message.message import Request, Response
from ringback.server.proxy.destination import Destination
from ringback.server.proxy.forwarding import next_hop, request_uri
from ringback.transaction.events import Event, ResponseReceived, TransportFailed

if TYPE_CHECKING:
    from ringback.server.proxy.response_context import ResponseContext
    from ringback.server.proxy.trail import Trace
    from ringback.transaction.transaction import ClientTransaction, Transaction


class Cancelling:
    """User of a CANCEL's client transaction: nobody waits for its answer (§9.1)."""

    __slots__ = ()

    def receive(self, event: Event, now: float) -> None:
        """Lets it pass: what counts is the final response to the INVITE."""


_CANCELLING = Cancelling()

DONE = Response(200)
"""Stands for a final response that says nothing more: forwarded already, or followed. A context outlives its answer, for late 2xx
(RFC 6026), and keeps no message meanwhile.
"""


def part(transaction: Transaction) -> None:
    """Lets a transaction that is over go from its user: of the two that know each other, only the collector could free any."""
    if transaction.is_terminated:
        transaction.user = None


class Overtaken:
    """User of an attempt that kept silent until the next one was made: whichever says a word first goes on, the other is cancelled."""

    __slots__ = ("_branch", "_is_cancel_sent", "destination", "target", "transaction")

    def __init__(self, branch: Branch, transaction: ClientTransaction) -> None:
        self._branch = branch
        self.transaction = transaction
        self.target = branch.target
        self.destination = branch.destination
        self._is_cancel_sent = False

    def receive(self, event: Event, now: float) -> None:
        """Takes what the client transaction tells."""
        if not isinstance(event, ResponseReceived):
            part(self.transaction)
            return
        branch = self._branch
        context = branch.context
        if event.response.status < 200:
            if branch.takes_back(self):
                branch.receive(event, now)
            elif context.is_invite and not self._is_cancel_sent:
                self._is_cancel_sent = True
                _send_cancel(context, self.transaction, now)
        elif event.response.status < 300:
            try:
                context.success_received(event.response, now)
            except SipParseError:
                # Only glanced at until now: it is dropped as any malformed response is.
                return


def _send_cancel(context: ResponseContext, transaction: ClientTransaction, now: float) -> None:
    request = cancel_of(transaction.request)
    for reason in context.reasons:
        request.headers.append("Reason", reason)
    context.proxy.send_on(request, transaction.flow, _CANCELLING, now)


class Branch:
    """One branch: user of the client transaction of its latest attempt."""

    __slots__ = (
        "breadth",
        "context",
        "destination",
        "early",
        "final",
        "has_provisional",
        "is_cancel_sent",
        "is_cancelled",
        "is_given_up",
        "overtaken",
        "switched",
        "target",
        "targets",
        "trace",
        "transaction",
    )

    def __init__(self, context: ResponseContext, destination: Destination, breadth: int) -> None:
        self.context = context
        self.destination = destination
        self.breadth = breadth
        self.targets: list[Target] | None = None
        self.target: Target | None = None
        self.switched: Target | None = None
        self.transaction: ClientTransaction | None = None
        self.overtaken: ClientTransaction | None = None
        """The latest attempt that kept silent; it may still be the one that succeeds."""
        self.final: Response | None = None
        self.early: tuple[str, ...] = ()
        """The tags of early dialogs of which the caller knows, where he wants to know of their end (RFC 6228)."""
        self.trace: Trace | None = None
        """What its request says of the targets before, where that is told."""
        self.has_provisional = False
        self.is_cancelled = False
        self.is_cancel_sent = False
        self.is_given_up = False

    @property
    def found_nothing(self) -> bool:
        """Whether its destination leads nowhere: no address was found to send anything to."""
        return self.target is None and self.destination.flow is None

    # Out.

    def forward(self, request: Request, now: float) -> None:
        """Sends a copy of a request on its way, or asks where that is."""
        context = self.context
        destination = self.destination
        try:
            if context.trail is not None:
                request = context.trail.on(request, self)
            copy, uri, hop = next_hop(request, request_uri(destination.uri), destination.route)
            if destination.flow is not None:
                self._send_down(destination.flow, copy, uri, now)
                return
            if self.targets is None:
                targets = context.proxy.targets_of(hop, now, partial(self._resolved, copy, uri))
                if targets is None:
                    return
                self.targets = targets.copy()
                if context.may_lead is not None and not self._leads_there(now):
                    return
        except SipParseError:
            # The request was validated, so what does not parse is the target: the location service's or the routing function's fault.
            context.ended_here(self, 500, now)
        else:
            self._send(copy, uri, now)

    def _resolved(self, copy: Request, uri: str, targets: list[Target], now: float) -> None:
        context = self.context
        if self.final is not None:
            return
        self.targets = targets.copy()
        if context.is_answered or context.is_cancelled:
            context.ended_here(self, 487, now)
        elif context.may_lead is None or self._leads_there(now):
            self._send(copy, uri, now)

    def _leads_there(self, now: float) -> bool:
        """Keeps of the targets those a request of this dialog may go to; a branch that has none left is ended with 403."""
        assert self.targets is not None
        assert self.context.may_lead is not None
        found = len(self.targets)
        self.targets = [target for target in self.targets if self.context.may_lead(target.host)]
        if found and not self.targets:
            self.context.ended_here(self, 403, now)
            return False
        return True

    def _send(self, copy: Request, uri: str, now: float) -> None:
        assert self.targets is not None
        while self.targets:
            target = self.targets.pop(0)
            # A target that could not be reached over TCP gets its datagram after all, however large (§18.1.1).
            transaction = self.context.proxy.send(copy, uri, target, self, now, any_size=target is self.switched)
            if transaction is not None:
                self.target = target
                self.switched = target if transaction.flow.endpoint.transport != target.transport else None
                self._sent(transaction, now)
                return
        # §16.9: no way to send is as good as a 503.
        self._fail(503, now)

    def _send_down(self, way: Flow | str, copy: Request, uri: str, now: float) -> None:
        """Sends over the flow that a binding came by, wherever its URI would lead (RFC 5626 §7)."""
        self.targets = []
        flow = self.context.proxy.open_flow(way)
        transaction = None if flow is None else self.context.proxy.send(copy, uri, flow, self, now, any_size=True)
        if transaction is None:
            self._fail(430, now)
        else:
            self._sent(transaction, now)

    def _sent(self, transaction: ClientTransaction, now: float) -> None:
        self.transaction = transaction
        timers = self.context.proxy.timers
        if self.context.is_invite:
            timers.start_timer_c(self, now)
        if self.targets or self.destination.alternatives:
            timers.expect_a_word(self, now)

    # When an attempt has failed.

    def _fail(self, status: int, now: float, response: Response | None = None) -> None:
        """No attempt at this destination has succeeded: an alternative is tried, or the branch has ended. `response` if there was one."""
        context = self.context
        alternatives = self.destination.alternatives
        if alternatives and not (context.is_answered or self.is_cancelled):
            if self.destination.ended is not None:
                self.tell(response or context.made_up(status), now)
            self.destination = alternatives[0]._replace(alternatives=(*alternatives[1:], *alternatives[0].alternatives))
            self.targets = self.switched = None
            self._try_again(now)
        else:
            context.ended_here(self, status, now)

    def tell(self, response: Response, now: float) -> None:
        """Tells whoever wants to know how the destination fared."""
        if self.destination.ended is not None:
            self.destination.ended(response, not self.has_provisional and not self.is_given_up, now)

    def _try_again(self, now: float) -> None:
        self.has_provisional = self.is_cancel_sent = False
        context = self.context
        context.proxy.timers.stop(self)
        self.forward(context.proxy.received_request(context.transaction), now)

    def goes_on(self, response: Response, now: float) -> bool:
        """Whether a final response sends the request to another server or flow instead of ending the branch.

        A 503 speaks of one server (RFC 3263 §4.3), a 430 of one flow, a 408 of nobody (RFC 5626 §7); a gateway has statuses of its own.
        """
        status = response.status
        if status == 503 and self.target is not None:
            self.context.proxy.target_failed(self.target, now, response, is_last=not self.targets)
        if self.is_cancelled or self.context.is_answered:
            return False
        if status == 503 and self.targets:
            self._try_again(now)
            return True
        if status == 482 and self.overtaken is not None and not self.overtaken.is_terminated:
            # §8.2.2.2: it has the request already, by the attempt before this one.
            silent, self.transaction = self.overtaken, None
            self.has_provisional = self.is_cancel_sent = False
            return self.takes_back(silent.user)
        fails_on = self.destination.fails_on
        if self.destination.alternatives and (status in fails_on if fails_on else status in (408, 430)):
            self._fail(status, now, response)
            return True
        return False

    def transport_failed(self, now: float) -> None:
        """§16.6 item 7: the next address of the same target is tried; with none left it is as if it had answered 503 (§16.9)."""
        if self.final is not None:
            return
        if self.switched is not None and self.targets is not None:
            self.targets.insert(0, self.switched)
        elif self.target is not None and self.targets:
            self.context.proxy.target_failed(self.target, now)
        if self.targets and not (self.context.is_answered or self.is_cancelled):
            self._try_again(now)
        else:
            self._fail(503 if self.destination.flow is None else 430, now)

    def kept_silent(self, now: float) -> None:
        """The time for a first word is over (RFC 3263 §4.3): the next server, or flow, is tried; this one may still succeed."""
        if self.final is not None or self.has_provisional or self.is_cancelled or self.transaction is None:
            return
        if self.target is not None and self.targets:
            self.context.proxy.target_failed(self.target, now)
        self.transaction.user = Overtaken(self, self.transaction)
        self.overtaken, self.transaction = self.transaction, None
        if self.targets:
            self._try_again(now)
        else:
            self._fail(408, now)

    def takes_back(self, silent: Overtaken) -> bool:
        """Makes an overtaken attempt the one that counts, unless the one after it has spoken: then that is overtaken."""
        if self.final is not None or self.has_provisional or self.is_cancelled:
            return False
        self.overtaken = self.transaction
        if self.transaction is not None:
            self.transaction.user = Overtaken(self, self.transaction)
        self.transaction, self.target = silent.transaction, silent.target
        self.destination = silent.destination._replace(alternatives=self.destination.alternatives)
        self.transaction.user = self
        return True

    # In.

    def receive(self, event: Event, now: float) -> None:
        """Takes what the client transaction tells."""
        if isinstance(event, ResponseReceived):
            if self.destination.flow is not None and self.transaction is not None:
                self.context.proxy.prove(self.transaction.flow.host, now)
            try:
                self.context.response_received(self, event.response, now)
            except SipParseError:
                # Only glanced at until now: it is dropped as any malformed response is.
                return
            return
        if isinstance(event, TransportFailed):
            self.transport_failed(now)
        elif self.final is None:
            # §16.6 item 7: a branch that timed out counts as if it had answered 408; one that its caller gave up (§9.1), 487.
            self._timed_out(now)
        if event.transaction is not None:
            part(event.transaction)

    def _timed_out(self, now: float) -> None:
        if self.is_cancelled:
            self.context.ended_here(self, 408 if self.is_given_up else 487, now)
        else:
            self._fail(408, now)

    def cancel(self, now: float) -> None:
        """Has the branch end, at once where it rings: no CANCEL may go out before a provisional response (§9.1)."""
        self.is_cancelled = True
        if self.has_provisional:
            self.send_cancel(now)

    def send_cancel(self, now: float) -> None:
        """Sends the CANCEL that is due, once."""
        transaction = self.transaction
        if transaction is not None and not self.is_cancel_sent:
            self.is_cancel_sent = True
            # The layer ends the INVITE's transaction if no final response follows in time (§9.1).
            self.context.proxy.timers.stop(self)
            _send_cancel(self.context, transaction, now)
