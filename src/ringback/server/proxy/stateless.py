"""The stateless proxy (RFC 3261 §16.11): requests go on and responses back, each by what it says itself; nothing of them is kept."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from ringback.address import DEFAULT_PORTS, Endpoint, Flow, Target
from ringback.message.derive import invite_of
from ringback.message.errors import SipParseError
from ringback.message.fields.via import Via
from ringback.message.message import Request, Response
from ringback.server.domains import STATELESS
from ringback.server.flows import Flows, ForgedToken
from ringback.server.proxy.computed_via import ComputedVia
from ringback.server.proxy.destination import Destination
from ringback.server.proxy.forwarding import forwarded, is_for_sips, next_hop, request_uri
from ringback.server.proxy.routing import Decision, Forward, Reject
from ringback.server.proxy.validation import ROUTED_STATELESSLY_BY, fault_of, has_looped, loop_hash
from ringback.transaction.reply import fallback_target, reply_flow

if TYPE_CHECKING:
    from ringback.server.domains import Domains, Place
    from ringback.server.proxy.proxy import Determine, MayLead, Proxy, Refuse
    from ringback.server.proxy.record_route import RecordRoute
    from ringback.server.proxy.response_context import ResponseContext
    from ringback.stack import Stack
    from ringback.transaction.transaction import ServerTransaction
    from ringback.transport.resolver import Resolver

_WAY = "way"


class Passing:
    """A request on its way through, and what is done with it where it cannot go on."""

    __slots__ = ("breadth", "dialog", "flow", "keep", "loop_hash", "may_lead", "refuse", "request", "transaction")

    def __init__(
        self,
        request: Request,
        flow: Flow,
        transaction: ServerTransaction | None,
        *,
        breadth: int,
        loop_hash: str | None,
        dialog: tuple[str, str, str] | None,
        may_lead: Callable[[str], bool] | None,
        keep: Callable[[float], None] | None,
        refuse: Callable[[int], None],
    ) -> None:
        """`flow` is the way it came; `dialog` the one it may begin and we record-route: Call-ID, caller's tag, caller.

        `keep(now)` forwards it with state, None for CANCEL and ACK; `refuse(status)` answers it. An ACK has no `transaction`.
        """
        self.request = request
        self.flow = flow
        self.transaction = transaction
        self.breadth = breadth
        self.loop_hash = loop_hash
        self.dialog = dialog
        self.may_lead = may_lead
        self.keep = keep
        self.refuse = refuse


class StatelessProxy:
    """Forwards requests and responses of which nothing is kept."""

    def __init__(
        self,
        proxy: Proxy,
        stack: Stack,
        domains: Domains,
        resolver: Resolver,
        record_route: RecordRoute,
        flows: Flows,
        via: ComputedVia,
        *,
        determine: Determine,
        refuse: Refuse,
    ) -> None:
        self.is_used = domains.is_stateless_anywhere
        """Whether anything is or was forwarded so: only then an ACK or CANCEL of nothing kept may be of one of those requests."""
        self.via = via
        self._proxy = proxy
        self._stack = stack
        self._domains = domains
        self._resolver = resolver
        self._record_route = record_route
        self._flows = flows
        self._determine = determine
        self._refuse = refuse

    def is_within(self, request: Request) -> bool:
        """Whether a request within a dialog is of a domain that keeps no state: its Request-URI names a device, so its parties tell."""
        return any(self._domains.place_of(request, name).mode == STATELESS for name in ("To", "From"))

    def forward(self, context: ResponseContext, request: Request, decision: Forward | None, may_lead: MayLead | None, now: float) -> None:
        """Forwards to the first target of a decision, or where None within a dialog; with state after all where it cannot be done rightly.

        `context` is kept only in that case.
        """
        self.is_used = True
        transaction = context.transaction
        own_hash = None if may_lead is not None else self._loop_hash(request)
        if own_hash is not None and has_looped(request, self._proxy.own_sent_by, own_hash):
            self._refuse(transaction, request, Reject(482))
            return
        passing = Passing(
            request,
            transaction.flow,
            transaction,
            breadth=context.breadth,
            loop_hash=own_hash,
            dialog=context.begins,
            may_lead=may_lead,
            keep=partial(self._proxy.begin, context, request, decision, may_lead),
            refuse=lambda status: self._refuse(transaction, request, Reject(status)),
        )
        self._pass(passing, _first_of(request, decision), now)

    def forward_stray(
        self, request: Request, flow: Flow, transaction: ServerTransaction | None, place: Place, may_lead: MayLead | None, now: float
    ) -> None:
        """Sends an ACK or CANCEL of nothing that is kept after its request, if that was forwarded without state (§16.11).

        `may_lead` as in `Proxy.forward`. An ACK that goes nowhere vanishes, a CANCEL gets 481.
        """

        def refuse(_status: int = 481) -> None:
            # Departs from RFC 3261 §16.10: a CANCEL that matches nothing is forwarded only after what went without state. What goes with
            # state bears a branch of chance, so the next element could match it to nothing either; §9.2's answer spares it the work.
            if transaction is not None:
                self._refuse(transaction, request, Reject(481))

        def follow(decision: Decision | None, then: float) -> None:
            if decision is None or (isinstance(decision, Forward) and (decision.stateless or place.mode == STATELESS)):
                self._pass(passing, _first_of(request, decision), then)
            else:
                refuse()

        own_hash = None
        is_lost = not self.is_used or fault_of(request, place.uri.scheme) is not None
        if not is_lost and may_lead is not None:
            may_lead = self._proxy.way(request, place, may_lead) if self.is_within(request) else None
            is_lost = may_lead is None
        elif not is_lost:
            own_hash = self._loop_hash(request)
            is_lost = has_looped(request, self._proxy.own_sent_by, own_hash)
        if is_lost:
            refuse()
            return
        passing = Passing(
            request,
            flow,
            transaction,
            breadth=self._proxy.breadth(request),
            loop_hash=own_hash,
            dialog=None,
            may_lead=may_lead,
            keep=None,
            refuse=refuse,
        )
        if may_lead is not None:
            follow(None, now)
            return
        decision = self._proxy.target_of(request, place) or self._determine(invite_of(request), follow)
        if decision is not None:
            follow(decision, now)

    def _loop_hash(self, request: Request) -> str:
        """The loop hash of what keeps no state: the same for a request, its CANCEL and its ACK."""
        return loop_hash(request, self._domains.place(request.uri_text).aor or request.uri_text, ROUTED_STATELESSLY_BY)

    def _pass(self, passing: Passing, destination: Destination, now: float) -> None:
        """Sends a request to one destination (§16.6); where its address must be asked for, later."""
        try:
            copy, uri, hop = next_hop(passing.request, request_uri(destination.uri))
            targets = self._resolver.known(hop, now)
        except SipParseError:
            # The request was validated, so what does not parse is the target: the location service's or the routing function's fault.
            passing.refuse(500)
            return
        if targets is not None:
            self._send(passing, copy, uri, targets, now)
        else:
            self._resolver.ask(hop, lambda found: self._stack.run(lambda then: self._send(passing, copy, uri, found, then)))

    def _send(self, passing: Passing, copy: Request, uri: str, targets: list[Target], now: float) -> None:
        transaction = passing.transaction
        keep = passing.keep
        if transaction is not None:
            if transaction.is_terminated:
                return
            if transaction.response and keep is not None:
                # The address was long in coming: the caller has heard 100 and does not ask again, so now somebody must remember.
                keep(now)
                return
        may_lead = passing.may_lead
        leads = targets if may_lead is None else [target for target in targets if may_lead(target.host)]
        if not leads:
            passing.refuse(403 if targets else 500)
            return
        # RFC 3263 §4.4: the same each time, or a retransmission would go elsewhere.
        target = leads[0]
        flow = passing.flow
        dialog = passing.dialog
        came = flow.endpoint

        def render(via: str, goes: Endpoint) -> bytes:
            lines = () if dialog is None else self._record_route.lines(dialog, target.host, came, goes, is_sips=is_for_sips(copy, uri))
            return forwarded(copy, uri, passing.breadth, lines, via)

        text = self.via.branch(passing.request, passing.loop_hash) + self._way(flow)
        addressed = self._stack.address(target, text, render, came, any_size=keep is None)
        if addressed is None:
            passing.refuse(500)
            return
        way, octets = addressed
        if keep is not None and way.endpoint.transport != target.transport:
            # Too large for UDP (§18.1.1). Its CANCEL and its ACK are not, and without state could not be seen to take the same way.
            keep(now)
            return
        if transaction is not None:
            self._stack.layer.abandon(transaction)
        self._stack.layer.outgoing.append((octets, way))

    def _way(self, flow: Flow) -> str:
        """A parameter of our Via that says which endpoint or connection the response shall leave by, where that is not plain."""
        transport = flow.endpoint.transport
        if not flow.connection and sum(endpoint.transport == transport for endpoint in self._stack.ways.endpoints) == 1:
            return ""
        return f";{_WAY}={self._flows.token(flow)}"

    def receive(self, response: Response) -> None:
        """Sends a response that no transaction took to where the Via below ours says; one that we did not ask for goes nowhere."""
        try:
            via = response.via
            if not response.remove_top_via():
                return
            below = response.via
            if not self.via.is_ours(via, below, response):
                return
            flow = self._way_back(via.params.get(_WAY), below)
        except SipParseError:
            return
        if flow is not None:
            self._stack.layer.outgoing.append((response.to_bytes(), flow))

    def _way_back(self, token: str | None, below: Via) -> Flow | None:
        """The flow of a response whose topmost Via is now `below` (§18.2.2)."""
        host = below.received or below.host
        if token is not None:
            try:
                flow = self._flows.find(token)
            except ForgedToken:
                return None
            if flow is not None and flow.host.partition("%")[0] == host:
                return reply_flow(below, flow)
        if below.transport == "UDP":
            return self._stack.ways.flow_to(Target("UDP", host, below.rport or below.port or DEFAULT_PORTS["UDP"]))
        # The connection is closed: a new one may be opened (§18.2.2).
        return self._stack.ways.flow_to(fallback_target(below))


def _first_of(request: Request, decision: Forward | None) -> Destination:
    """The one target that §16.11 has chosen: the first of a decision, or the Request-URI."""
    return Destination(request.uri_text) if decision is None else decision.steps()[0][0]
