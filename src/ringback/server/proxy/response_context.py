"""One proxied request: the branches it was forwarded to and the responses that came (RFC 3261 §16.7, §16.8, §16.10).

A synchronous class fed by events; it owns no task and no timer of the loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringback.address import Target
from ringback.message.derive import cancel_of
from ringback.message.errors import SipParseError
from ringback.message.message import Request, Response
from ringback.server.proxy.best_response import best_of
from ringback.server.proxy.destination import Destination
from ringback.server.proxy.forwarding import next_hop, request_uri
from ringback.transaction.events import Event, ResponseReceived, TransactionTimedOut, TransportFailed

if TYPE_CHECKING:
    from ringback.server.proxy.proxy import MayLead, Proxy
    from ringback.transaction.transaction import ClientTransaction, ServerTransaction


class Branch:
    """One attempt at one target: user of its client transaction."""

    __slots__ = (
        "breadth",
        "context",
        "destination",
        "final",
        "has_provisional",
        "is_cancel_sent",
        "is_cancelled",
        "is_given_up",
        "switched",
        "targets",
        "transaction",
    )

    def __init__(self, context: ResponseContext, destination: Destination, breadth: int) -> None:
        self.context = context
        self.destination = destination
        self.breadth = breadth
        self.targets: list[Target] | None = None
        self.switched: Target | None = None
        self.transaction: ClientTransaction | None = None
        self.final: Response | None = None
        self.has_provisional = False
        self.is_cancelled = False
        self.is_cancel_sent = False
        self.is_given_up = False

    def receive(self, event: Event, now: float) -> None:
        """Takes what the client transaction tells."""
        if isinstance(event, ResponseReceived):
            try:
                self.context.response_received(self, event.response, now)
            except SipParseError:
                # Only glanced at until now: it is dropped as any malformed response is.
                return
        elif isinstance(event, TransportFailed):
            self.context.target_failed(self, now)
        elif self.final is None:
            # §16.6 item 7: a branch that timed out counts as if it had answered 408; one that its caller gave up (§9.1), 487.
            self.context.ended_here(self, 487 if self.is_cancelled and not self.is_given_up else 408, now)


class Cancelling:
    """User of a CANCEL's client transaction: nobody waits for its answer (§9.1)."""

    __slots__ = ()

    def receive(self, event: Event, now: float) -> None:
        """Lets it pass: what counts is the final response to the INVITE."""


_CANCELLING = Cancelling()


class ResponseContext:
    """Tries the steps of a routing decision in turn, forwards what §16.7 says at once, and chooses the best of the rest at the end."""

    __slots__ = (
        "_may_lead",
        "_proxy",
        "_ring_for",
        "_steps",
        "begins",
        "branches",
        "breadth",
        "is_answered",
        "is_cancelled",
        "is_invite",
        "loop_hash",
        "transaction",
    )

    def __init__(
        self,
        proxy: Proxy,
        transaction: ServerTransaction,
        *,
        is_invite: bool,
        breadth: int,
        begins: tuple[str, str, str] | None,
        loop_hash: str | None,
    ) -> None:
        """`breadth` is the incoming Max-Breadth, `begins` the dialog it may begin and we record-route: Call-ID, caller's tag, caller."""
        self._proxy = proxy
        self.transaction = transaction
        self.is_invite = is_invite
        self.loop_hash = loop_hash
        self.branches: list[Branch] = []
        self.is_answered = False
        self.is_cancelled = False
        self._steps: list[list[Destination]] = []
        self._ring_for: float | None = None
        self._may_lead: MayLead | None = None
        self.breadth = breadth
        self.begins = begins

    def receive(self, event: Event, now: float) -> None:
        """Takes what the server transaction tells. That it got no ACK or could not send ends no branch (§16.9)."""
        if isinstance(event, TransactionTimedOut) and not self.is_answered:
            # Whoever asked has given up (RFC 4320 §4.2): what still comes is for nobody.
            self._answered(now)

    def start(self, request: Request, steps: list[list[Destination]], ring_for: float | None, now: float) -> None:
        """Forwards to the targets of each step in turn, each step ringing for `ring_for` seconds where that is not None."""
        self._steps = steps
        self._ring_for = ring_for
        self._start_step(request, now)

    def pass_on(self, request: Request, may_lead: MayLead, now: float) -> None:
        """Forwards to the Request-URI alone, as within a dialog, and only to such addresses."""
        self._may_lead = may_lead
        branch = Branch(self, Destination(request.uri_text), self.breadth)
        self.branches.append(branch)
        self._forward(branch, request, now)

    def _start_step(self, request: Request, now: float) -> None:
        """Forwards to the next targets; more than Max-Breadth allows at once wait for a step of their own (RFC 5393 §5.3.3)."""
        step = self._steps.pop(0)
        count = len(step)
        if count == 1:
            started = [Branch(self, step[0], self.breadth)]
        else:
            if count > self.breadth:
                self._steps.insert(0, step[self.breadth :])
                step = step[: self.breadth]
                count = self.breadth
            share, extra = divmod(self.breadth, count)
            started = [Branch(self, one, share + (index < extra)) for index, one in enumerate(step)]
        self.branches += started
        for branch in started:
            self._forward(branch, request, now)
        if self._ring_for is not None and self.is_invite:
            for branch in started:
                self._proxy.timers.ring(branch, now + self._ring_for)

    def _forward(self, branch: Branch, request: Request, now: float) -> None:
        try:
            copy, uri, hop = next_hop(request, request_uri(branch.destination.uri))
            if branch.targets is None:
                targets = self._proxy.targets_of(hop, now, lambda found, later: self._resolved(branch, copy, uri, found, later))
                if targets is None:
                    return
                branch.targets = targets.copy()
                if self._may_lead is not None and not self._leads_there(branch, now):
                    return
        except SipParseError:
            # The request was validated, so what does not parse is the target: the location service's or the routing function's fault.
            self.ended_here(branch, 500, now)
        else:
            self._send(branch, copy, uri, now)

    def _resolved(self, branch: Branch, copy: Request, uri: str, targets: list[Target], now: float) -> None:
        if branch.final is not None:
            return
        branch.targets = targets.copy()
        if self.is_answered or self.is_cancelled:
            self.ended_here(branch, 487, now)
        elif self._may_lead is None or self._leads_there(branch, now):
            self._send(branch, copy, uri, now)

    def _leads_there(self, branch: Branch, now: float) -> bool:
        """Keeps of a branch's targets those a request of this dialog may go to; one that has none left is ended with 403."""
        assert branch.targets is not None
        assert self._may_lead is not None
        found = len(branch.targets)
        branch.targets = [target for target in branch.targets if self._may_lead(target.host)]
        if found and not branch.targets:
            self.ended_here(branch, 403, now)
            return False
        return True

    def _send(self, branch: Branch, copy: Request, uri: str, now: float) -> None:
        assert branch.targets is not None
        while branch.targets:
            target = branch.targets.pop(0)
            # A target that could not be reached over TCP gets its datagram after all, however large (§18.1.1).
            transaction = self._proxy.send(copy, uri, target, branch, now, any_size=target is branch.switched)
            if transaction is not None:
                branch.transaction = transaction
                branch.switched = target if transaction.flow.endpoint.transport != target.transport else None
                if self.is_invite:
                    self._proxy.timers.start_timer_c(branch, now)
                return
        # §16.9: no way to send is as good as a 503.
        self.ended_here(branch, 503, now)

    def target_failed(self, branch: Branch, now: float) -> None:
        """§16.6 item 7: the next address of the same target is tried; with none left it is as if it had answered 503 (§16.9)."""
        if branch.final is not None:
            return
        if branch.switched is not None and branch.targets is not None:
            branch.targets.insert(0, branch.switched)
        if branch.targets and not (self.is_answered or self.is_cancelled):
            self._forward(branch, self._proxy.received_request(self.transaction), now)
        else:
            self.ended_here(branch, 503, now)

    def ended_here(self, branch: Branch, status: int, now: float) -> None:
        """Ends a branch as if its target had answered so."""
        if self.is_answered:
            self._proxy.timers.stop(branch)
            branch.final = _DONE
        else:
            self._store(branch, self._proxy.own_response(self.transaction, status), now)

    def response_received(self, branch: Branch, response: Response, now: float) -> None:
        """§16.7 items 2 to 6 for one response."""
        status = response.status
        if status < 200:
            branch.has_provisional = True
            if branch.is_cancelled:
                self._cancel(branch, now)
            if status > 100 and not self.is_answered:
                if self.is_invite:
                    if not branch.is_cancelled:
                        self._proxy.timers.start_timer_c(branch, now)
                    self._forward_upstream(response, now)
                # RFC 4320 §4.1: a provisional response but 100 may not go back for a non-INVITE request.
            return
        if status < 300:
            if (self.is_invite or not self.is_answered) and not self._forward_upstream(response, now):
                self.ended_here(branch, 502, now)
                return
            branch.final = response
            self._answered(now)
            return
        if response.remove_top_via():
            self._store(branch, response, now)
        else:
            # §16.7 item 3: one with no other Via was not meant for anybody upstream, who waits for an answer all the same.
            self.ended_here(branch, 502, now)

    def _forward_upstream(self, response: Response, now: float) -> bool:
        transaction = self.transaction
        if transaction.flow.endpoint.is_reliable:
            # Where Content-Length says where a message ends, every line of the head has to be sound.
            response.headers  # noqa: B018 - parsed if only glanced at until now
        if not response.remove_top_via():
            return False
        self._proxy.respond(self.transaction, response, now)
        return True

    def _answered(self, now: float) -> None:
        """A final response went upstream: what still rings is cancelled (§16.7 item 10), what is kept only for answering is dropped."""
        if not self.is_answered:
            self.is_answered = True
            self._steps = []
            self.begins = None
            self._may_lead = None
            self._proxy.answered(self)
        self._cancel_all(now)
        ringing = []
        for branch in self.branches:
            if branch.final is not None:
                self._proxy.timers.stop(branch)
                branch.final = _DONE
            else:
                ringing.append(branch)
        # An ended branch knows its context, for late 2xx; were it known in turn, only the collector could free the two.
        self.branches = ringing

    def _store(self, branch: Branch, response: Response, now: float) -> None:
        """§16.7 item 4: keeps a final response; the last one decides what happens next."""
        if branch.final is not None:
            return
        self._proxy.timers.stop(branch)
        if self.is_answered:
            branch.final = _DONE
            return
        if branch.is_given_up and response.status == 487:
            # §16.8: a target whose time was up did not refuse: it counts as one that timed out.
            response = self._proxy.own_response(self.transaction, 408)
        branch.final = response
        if response.status >= 600:
            self._steps = []
            self._cancel_all(now)
        if any(other.final is None for other in self.branches):
            return
        if self._steps and not self.is_cancelled:
            self._start_step(self._proxy.received_request(self.transaction), now)
            return
        self._answer_with_best(now)

    def _answer_with_best(self, now: float) -> None:
        best = best_of([branch.final for branch in self.branches if branch.final is not None])
        if best.status == 503:
            # §16.7 item 6: a 503 would say that this proxy itself serves nobody.
            best = self._proxy.own_response(self.transaction, 500, "All Targets Unavailable")
        if best.status == 408 and not self.is_invite:
            # RFC 4320 §4.2: nobody upstream waits any more, and a 408 would start a storm.
            self._proxy.abandon(self.transaction)
        else:
            self._proxy.respond(self.transaction, best, now)
        self._answered(now)

    def cancel(self, now: float) -> None:
        """The caller gave up (§16.10): whatever rings is cancelled and no new branch begins; the 487s that come back decide the rest."""
        self.is_cancelled = True
        self._steps = []
        if not self.branches and not self.is_answered:
            self._proxy.respond(self.transaction, self._proxy.own_response(self.transaction, 487), now)
            self._answered(now)
        self._cancel_all(now)

    def time_is_up(self, branch: Branch, now: float) -> None:
        """Timer C or `ring_for` (§16.8): a target that rings is cancelled, one that never said a word counts as timed out."""
        if branch.final is not None or branch.is_cancelled:
            return
        branch.is_given_up = branch.is_cancelled = True
        if branch.has_provisional:
            self._cancel(branch, now)
        else:
            self.ended_here(branch, 408, now)

    def _cancel_all(self, now: float) -> None:
        if not self.is_invite:
            return
        for branch in self.branches:
            if branch.final is None and not branch.is_cancelled:
                branch.is_cancelled = True
                # §9.1: before a provisional response no CANCEL may go out; the branch remembers that one is due.
                if branch.has_provisional:
                    self._cancel(branch, now)

    def _cancel(self, branch: Branch, now: float) -> None:
        transaction = branch.transaction
        if transaction is not None and not branch.is_cancel_sent:
            branch.is_cancel_sent = True
            # The layer ends the INVITE's transaction if no final response follows in time (§9.1).
            self._proxy.timers.stop(branch)
            self._proxy.send_on(cancel_of(transaction.request), transaction.flow, _CANCELLING, now)


# Stands for a final response already forwarded: a context that outlives its answer, for late 2xx (RFC 6026), keeps no message.
_DONE = Response(200)
