"""The stateless proxy (RFC 3261 §16.11): requests go on and responses back, each by what it says itself; nothing of them is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from ringback.address import DEFAULT_PORTS, Endpoint, Flow, Target
from ringback.message.derive import invite_of
from ringback.message.errors import SipParseError
from ringback.message.fields.via import Via
from ringback.message.message import Request, Response
from ringback.message.passing import PassingResponse
from ringback.server.domains import STATELESS
from ringback.server.outbound.flows import Flows, ForgedToken
from ringback.server.proxy.computed_via import ComputedVia
from ringback.server.proxy.destination import Destination, is_at_gruu
from ringback.server.proxy.forwarding import forwarded, frame, is_for_sips, next_hop, request_uri
from ringback.server.proxy.record_route import party
from ringback.server.proxy.routing import Decision, Forward, Gateway, Location, Redirect, Reject
from ringback.server.proxy.settling import preferred, settled
from ringback.server.proxy.validation import LOOP_SEPARATOR, ROUTED_STATELESSLY_BY, fault_of, has_looped, loop_hash
from ringback.transaction.reply import fallback_target, reply_flow

if TYPE_CHECKING:
    from ringback.server.domains import Domains, Place
    from ringback.server.proxy.proxy import Determine, Proxy
    from ringback.server.proxy.reach import MayLead
    from ringback.server.proxy.record_route import RecordRoute
    from ringback.server.proxy.response_context import ResponseContext
    from ringback.stack import Stack
    from ringback.transaction.transaction import ServerTransaction

_LEADING = (Forward, Location, Gateway)

# Where the source of a request is not plain from its Via, the parameter of ours that has it.
_WAY = "way"


class Passing:
    """A request on its way through, and what is done with it where it cannot go on."""

    __slots__ = ("branch", "breadth", "dialog", "flow", "keep", "loop_hash", "may_lead", "refuse", "request", "stays", "transaction")

    def __init__(
        self,
        request: Request,
        flow: Flow,
        transaction: ServerTransaction | None,
        *,
        breadth: int,
        loop_hash: str | None,
        dialog: tuple[str, str, str] | None,
        may_lead: MayLead | None,
        keep: Callable[[float], None] | None,
        refuse: Callable[[int], None],
    ) -> None:
        """`flow` is the way it came; `dialog` the one it may begin and we record-route: Call-ID, caller's tag, caller.

        `keep(now)` forwards it with state, None for CANCEL and ACK; `refuse(status)` answers it. An ACK has no `transaction`.
        """
        self.request = request
        self.flow = flow
        self.transaction = transaction
        self.branch = ""
        """Computed when it is sent."""
        self.breadth = breadth
        self.loop_hash = loop_hash
        self.dialog = dialog
        self.may_lead = may_lead
        self.keep = keep
        self.refuse = refuse
        self.stays = True
        """Whether we record-route the dialog."""


class StatelessProxy:
    """Forwards requests and responses of which nothing is kept."""

    def __init__(
        self, proxy: Proxy, stack: Stack, domains: Domains, record_route: RecordRoute, flows: Flows, via: ComputedVia, determine: Determine
    ) -> None:
        self._has_decided = False
        self._alone: frozenset[Endpoint] = frozenset()
        self.via = via
        self._proxy = proxy
        self._stack = stack
        self._domains = domains
        self._record_route = record_route
        self._flows = flows
        self._determine = determine

    def serve(self, endpoints: Sequence[Endpoint]) -> None:
        """Names the listening points."""
        self.via.own_sent_by = frozenset(endpoint.sent_by for endpoint in endpoints)
        counts = Counter(endpoint.transport for endpoint in endpoints)
        self._alone = frozenset(one for one in endpoints if not one.is_reliable and counts[one.transport] == 1)

    # Which requests.

    @property
    def is_used(self) -> bool:
        """Whether anything is or was forwarded so: only then an ACK or CANCEL of nothing kept may be of one of those requests."""
        return self._has_decided or self._domains.is_stateless_anywhere

    def takes(self, decision: Decision, place: Place) -> bool:
        """Whether a decision for a Request-URI is followed without state: the domain's mode, or the decision, says so."""
        return place.mode == STATELESS or (isinstance(decision, _LEADING) and decision.stateless)

    def is_within(self, request: Request) -> bool:
        """Whether a request within a dialog is of a domain that keeps no state: its Request-URI names a device, so its parties tell."""
        return any(self._domains.place_of(request, name).mode == STATELESS for name in ("To", "From"))

    def follow(self, context: ResponseContext, decision: Decision, request: Request, now: float) -> None:
        """Forwards to the one target that a decision comes to (§16.11), or answers.

        With state after all, in `context`, where it cannot be done rightly without.
        """
        self._has_decided = self._stack.layer.tells_strays = True
        transaction = context.transaction
        found = settled(decision, request, self._proxy.reach.resolve, lambda later, then: self.follow(context, later, request, then))
        if found is None:
            return
        own_hash = self._loop_hash(request)
        if own_hash != context.loop_hash and has_looped(request, self._proxy.own_sent_by, own_hash):
            found = Reject(482)
        if isinstance(found, Forward):
            passing = self._passing(context, request, own_hash, None, lambda then: context.decided(decision, request, then))
            self._pass_first(passing, found, now)
        elif not transaction.is_terminated:
            self._proxy.answer(transaction, request, found, now, is_awaited=False)

    def pass_on(self, context: ResponseContext, request: Request, may_lead: MayLead, now: float) -> None:
        """Forwards within a dialog, to the Request-URI; with state after all where it cannot be done rightly without."""

        def keep(then: float) -> None:
            self._proxy.keep(context, request, then)
            context.pass_on(request, may_lead, then)

        self._pass(self._passing(context, request, None, may_lead, keep), Destination(request.uri_text), now)

    def _passing(
        self,
        context: ResponseContext,
        request: Request,
        own_hash: str | None,
        may_lead: MayLead | None,
        keep: Callable[[float], None],
    ) -> Passing:
        transaction = context.transaction
        return Passing(
            request,
            transaction.flow,
            transaction,
            breadth=context.breadth,
            loop_hash=own_hash,
            dialog=context.begins,
            may_lead=may_lead,
            keep=keep,
            refuse=lambda status: self._proxy.refuse(transaction, request, Reject(status)),
        )

    def follow_stray(
        self, request: Request, flow: Flow, transaction: ServerTransaction | None, place: Place, may_lead: MayLead | None, now: float
    ) -> None:
        """Sends an ACK or CANCEL of nothing that is kept after its request, if that was forwarded without state (§16.11).

        `may_lead` as in `Proxy.forward`. An ACK that goes nowhere vanishes, a CANCEL gets 481.
        """

        def refuse(_status: int = 481) -> None:
            # Departs from RFC 3261 §16.10: a CANCEL that matches nothing is forwarded only after what went without state. What goes with
            # state bears a branch of chance, so the next element could match it to nothing either; §9.2's answer spares it the work.
            if transaction is not None:
                self._proxy.refuse(transaction, request, Reject(481))

        if not self.is_used or fault_of(request, place.uri.scheme) is not None:
            refuse()
            return
        invite = invite_of(request)
        passing = Passing(
            request,
            flow,
            transaction,
            breadth=self._proxy.breadth(request),
            loop_hash=self._loop_hash(request) if may_lead is None else None,
            dialog=None,
            may_lead=self._proxy.reach.way(request, place, may_lead) if may_lead is not None and self.is_within(request) else None,
            keep=None,
            refuse=refuse,
        )
        if passing.loop_hash is None:
            if passing.may_lead is None:
                refuse()
            else:
                self._pass(passing, Destination(request.uri_text), now)
            return
        if has_looped(request, self._proxy.own_sent_by, passing.loop_hash):
            refuse()
            return
        after = partial(self._go_after, passing, invite, place)
        decision = self._proxy.reach.target_of(request, flow, place) or self._determine(invite, after)
        if decision is not None:
            after(decision, now)

    def _go_after(self, passing: Passing, invite: Request, place: Place, decision: Decision, now: float) -> None:
        """Sends an ACK or CANCEL where a decision leads its INVITE, if without state."""
        found: Forward | Redirect | Reject | None = Reject(481)
        if self.takes(decision, place):
            found = settled(decision, invite, self._proxy.reach.resolve, partial(self._go_after, passing, invite, place))
        if isinstance(found, Forward):
            self._pass_first(passing, found, now)
        elif found is not None:
            passing.refuse(found.status)

    def _loop_hash(self, request: Request) -> str:
        """The loop hash of what keeps no state: the same for a request, its CANCEL and its ACK."""
        return loop_hash(request, self._domains.place(request.uri_text).aor or request.uri_text, ROUTED_STATELESSLY_BY)

    # On (§16.6).

    def _pass_first(self, passing: Passing, forward: Forward, now: float) -> None:
        """Sends a request to the first target of a decision."""
        try:
            steps = preferred(forward, passing.request)
        except SipParseError:
            passing.refuse(400)
            return
        if not steps:
            passing.refuse(480)
            return
        steps = self._proxy.reach.at_home(steps, passing.request)
        if steps:
            self._pass(passing, steps[0][0], now)
        else:
            passing.refuse(404)

    def _pass(self, passing: Passing, destination: Destination, now: float) -> None:
        """Sends a request to one destination; where its address must be asked for, later."""
        passing.branch = branch = self.via.branch(passing.request)
        passing.stays = self._proxy.stays or is_at_gruu(passing.request, destination)
        try:
            copy, uri, hop = next_hop(passing.request, request_uri(destination.uri), destination.route)
            if destination.flow is not None:
                self._send(passing, copy, uri, self._down(destination), destination.flow, now)
                return
            # RFC 3263 §4.4: the same each time, or a retransmission would go elsewhere.
            resolver = self._proxy.resolver
            targets = resolver.stable(hop, branch, now)
        except SipParseError:
            # The request was validated, so what does not parse is the target: the location service's or the routing function's fault.
            passing.refuse(500)
            return

        def found(targets: list[Target], then: float) -> None:
            may_lead = passing.may_lead
            leads = targets if may_lead is None else [target for target in targets if may_lead(target.host)]
            if leads or not targets:
                self._send(passing, copy, uri, leads[0] if leads else None, None, then)
            else:
                passing.refuse(403)

        if targets is not None:
            found(targets, now)
        else:
            resolver.ask(hop, lambda late: self._stack.run(lambda then: found(resolver.stable(hop, branch, then) or late, then)))

    def _down(self, destination: Destination) -> Flow | None:
        """The first open flow to a phone (RFC 5626 §7)."""
        flows = (self._proxy.open_flow(one.flow) for one in (destination, *destination.alternatives) if one.flow is not None)
        return next((flow for flow in flows if flow is not None), None)

    def _send(self, passing: Passing, copy: Request, uri: str, way: Target | Flow | None, flow_name: Flow | str | None, now: float) -> None:
        transaction = passing.transaction
        keep = passing.keep
        if transaction is not None:
            if transaction.is_terminated:
                return
            if transaction.response and keep is not None:
                # The address was long in coming: the caller has heard 100 and does not ask again, so now somebody must remember.
                keep(now)
                return
        addressed = None if way is None else self._addressed(passing, copy, uri, way, flow_name)
        if addressed is None:
            passing.refuse(480 if flow_name else 500)
            return
        goes, octets = addressed
        if keep is not None and isinstance(way, Target) and goes.endpoint.transport != way.transport:
            # Too large for UDP (§18.1.1). Its CANCEL and its ACK are not, and without state could not be seen to take the same way.
            keep(now)
            return
        if transaction is not None:
            self._stack.layer.abandon(transaction)
        self._stack.layer.outgoing.append((octets, goes))

    def _addressed(
        self, passing: Passing, copy: Request, uri: str, way: Target | Flow, flow_name: Flow | str | None
    ) -> tuple[Flow, bytes] | None:
        """The flow a copy leaves by and its octets; None where there is no way to the target."""
        came = passing.flow.endpoint
        dialog = passing.dialog
        callee = party(way.host, flow_name) if isinstance(flow_name, str) else way.host

        def render(via: str, goes: Endpoint) -> bytes:
            lines: tuple[str, ...] = ()
            if dialog is not None:
                is_sips = is_for_sips(copy, uri)
                lines = self._record_route.lines(dialog, callee, came, goes, is_sips=is_sips, is_wanted=passing.stays)
            return forwarded(copy, uri, passing.breadth, lines, via)

        text = passing.branch if passing.loop_hash is None else f"{passing.branch}{LOOP_SEPARATOR}{passing.loop_hash}"
        if not self._is_plain(passing.flow, passing.request.via):
            text += f";{_WAY}={self._flows.token(passing.flow)}"
        if isinstance(way, Flow):
            return way, render(way.endpoint.via + text, way.endpoint)
        return self._stack.address(way, text, render, came, any_size=passing.keep is None)

    def _is_plain(self, flow: Flow, via: Via) -> bool:
        """Whether the Via alone tells a response its way: not which endpoint or connection it is, nor where a NAT expects it."""
        return flow.endpoint in self._alone and flow.port == (via.rport or via.port or DEFAULT_PORTS["UDP"]) and "%" not in flow.host

    # Back.

    def receive(self, response: Response) -> None:
        """Sends a response that no transaction took to where the Via below ours says; one that we did not ask for goes nowhere."""
        try:
            taken = response.take_top_via() if isinstance(response, PassingResponse) else None
            if taken is not None:
                # Most responses need not be taken apart.
                token = Via.parse(taken[0]).params.get(_WAY) if f";{_WAY}=" in taken[0] else None
                branch, sent_by, below = response.branch, response.sent_by.lower(), Via.parse(taken[1])  # type: ignore[attr-defined]
            else:
                via = response.via
                if not response.remove_top_via():
                    return
                branch, sent_by, below, token = via.branch, via.sent_by, response.via, via.params.get(_WAY)
            if not self.via.is_ours(branch, sent_by, below, response):
                return
            flow = self._way_back(token, below)
            if flow is None:
                return
            if flow.endpoint.is_reliable:
                frame(response)
        except SipParseError:
            return
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
        target = fallback_target(below)
        return None if target is None else self._stack.ways.flow_to(target)
