"""The stateful, forking, record-routing proxy (RFC 3261 §16)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from ringback.address import Endpoint, Flow, Target
from ringback.message.derive import response_to, trying
from ringback.message.errors import SipParseError
from ringback.message.message import Request, Response
from ringback.message.uri import SipUri
from ringback.server.domains import STATELESS
from ringback.server.proxy.computed_via import ComputedVia
from ringback.server.proxy.destination import Destination
from ringback.server.proxy.forwarding import forwarded, is_for_sips, may_begin_dialog, next_hop
from ringback.server.proxy.preprocessing import preprocess
from ringback.server.proxy.response_context import Branch, ResponseContext
from ringback.server.proxy.routing import Decision, Forward, Redirect, Reject
from ringback.server.proxy.stateless import StatelessProxy
from ringback.server.proxy.timers import BranchTimers
from ringback.server.proxy.validation import LOOP_SEPARATOR, fault_of, has_looped, loop_hash
from ringback.transaction.events import RequestReceived

if TYPE_CHECKING:
    from ringback.server.access import Access
    from ringback.server.config import ProxyConfig
    from ringback.server.domains import Domains, Place
    from ringback.server.flows import Flows
    from ringback.server.proxy.record_route import RecordRoute
    from ringback.server.sources import Sources
    from ringback.stack import Stack
    from ringback.transaction.transaction import ClientTransaction, ServerTransaction
    from ringback.transport.resolver import Resolver

Later = Callable[[list[Target], float], None]
MayLead = Callable[[str], bool]
"""Whether a request may be sent to a numeric address."""

LOOPBACK = "127.0.0.1"
"""What `localhost` means wherever it is asked."""


def _anywhere(_host: str) -> bool:
    return True


class Refuse(Protocol):
    """How the server answers on its own: once, keeping nothing (§8.2.7)."""

    def __call__(self, transaction: ServerTransaction, request: Request, decision: Redirect | Reject) -> None:
        """Sends the response."""


class Determine(Protocol):
    """Where targets come from (§16.5)."""

    def __call__(self, request: Request, decided: Callable[[Decision, float], None]) -> Decision | None:
        """The decision for a validated, preprocessed request; None where it takes time: then `decided(decision, now)` is called."""


class Proxy:
    """Validates, preprocesses, asks where to, forwards; a `ResponseContext` does the rest."""

    def __init__(
        self,
        stack: Stack,
        domains: Domains,
        record_route: RecordRoute,
        resolver: Resolver,
        config: ProxyConfig,
        *,
        sources: Sources,
        determine: Determine,
        refuse: Refuse,
        relays_to: Callable[[str], bool],
        access: Access | None,
        token: Callable[[], str],
        flows: Flows,
        via: ComputedVia,
    ) -> None:
        """`relays_to(host)` says whether requests may go to a domain not served; `access` who must prove what, None where nobody has to;
        `token` gives unpredictable text for branches.
        """
        self.timers = BranchTimers(config.timer_c)
        self.unanswered = 0
        self.own_sent_by: frozenset[str] = frozenset()
        self._stack = stack
        self._domains = domains
        self._record_route = record_route
        self._resolver = resolver
        self._config = config
        self._sources = sources
        self._determine = determine
        self._refuse = refuse
        self._relays_to = relays_to
        self._access = access
        self._token = token
        self.stateless = StatelessProxy(self, stack, domains, resolver, record_route, flows, via, determine=determine, refuse=refuse)

    def preprocess(self, request: Request, flow: Flow) -> str | None:
        """§16.4 for a request just received; gives the proof of its dialog, if it shows one."""
        if "route" not in request.headers.keys and ";" not in request.uri_text:
            return None
        return preprocess(request, flow.endpoint, self._domains, self._record_route)

    def forward(self, event: RequestReceived, place: Place, may_lead: MayLead | None, now: float) -> None:
        """Forwards a request that is not for the server itself.

        `place` is what its Request-URI means; `may_lead` says where a request of a proven dialog may go, None stands for any other request.
        """
        request = event.request
        transaction = event.transaction
        assert transaction is not None
        fault = fault_of(request, place.uri.scheme)
        if fault is not None:
            self._refuse(transaction, request, fault)
            return
        own_hash = None
        if may_lead is None:
            # Within a dialog a request has one target and cannot fork: Max-Forwards is enough (RFC 5393 §4.1).
            own_hash = loop_hash(request, place.aor or request.uri_text)
            if has_looped(request, self.own_sent_by, own_hash):
                self._refuse(transaction, request, Reject(482))
                return
            if request.to_tag is not None:
                # Only our own Record-Route entry proves a dialog; an invented To tag opens no way through (§16.4, §12.2.2).
                self._refuse(transaction, request, Reject(481))
                return
            refusal = self._access.refusal(request, event.flow, place, now) if self._access is not None else None
            if refusal is not None:
                self._refuse(transaction, request, refusal)
                return
        else:
            may_lead = self.way(request, place, may_lead)
            if may_lead is None:
                self._refuse(transaction, request, Reject(403, "Relaying Denied"))
                return
        breadth = self.breadth(request)
        if breadth < 1:
            self._refuse(transaction, request, Reject(440))
            return
        is_invite = request.method == "INVITE"
        stays = self._config.record_route and may_begin_dialog(request.method)
        begins = (request.call_id, request.from_tag or "", event.flow.host) if stays else None
        context = ResponseContext(self, transaction, is_invite=is_invite, breadth=breadth, begins=begins, loop_hash=own_hash)
        if may_lead is not None and ("route" in request.headers.keys or not self._names_address_of_record(place)):
            if self.stateless.is_used and self.stateless.is_within(request):
                self.stateless.forward(context, request, None, may_lead, now)
            else:
                self.begin(context, request, None, may_lead, now)
            return
        decision = self.target_of(request, place)
        if decision is None:
            decision = self._determine(request, lambda later, then: self._follow(context, request, later, then))
            if decision is None:
                # The transaction says 100 by itself where this takes long (§17.2.1): so a quick refusal still needs no state.
                self._keep(context, now, None)
                return
        if not isinstance(decision, Forward):
            self._refuse(transaction, request, decision)
        elif decision.stateless or place.mode == STATELESS:
            self.stateless.forward(context, request, decision, None, now)
        else:
            self.begin(context, request, decision, None, now)

    def begin(self, context: ResponseContext, request: Request, decision: Forward | None, may_lead: MayLead | None, now: float) -> None:
        """Forwards with state: as a decision says, or within a dialog."""
        self._keep(context, now, request)
        if decision is not None:
            context.start(request, self._bounded(decision), decision.ring_for, now)
        elif may_lead is not None:
            context.pass_on(request, may_lead, now)

    def _keep(self, context: ResponseContext, now: float, request: Request | None) -> None:
        """From here on the request has state; `request`, if it is an INVITE, is told so at once (§16.2)."""
        context.transaction.user = context
        self.unanswered += 1
        if context.is_invite:
            self._sources.opened(context.transaction.flow.host)
            if request is not None:
                self._stack.respond(context.transaction, trying(request), now)

    def _release(self, context: ResponseContext) -> None:
        """Takes back what `_keep` did, as far as that is possible: nothing was said yet."""
        context.transaction.user = None
        self.answered(context)

    def target_of(self, request: Request, place: Place) -> Decision | None:
        """The decision where it is not the location service's or the routing function's to make (§16.5), else None."""
        if "route" in request.headers.keys:
            hop = request.routes[0].uri
            if isinstance(hop, SipUri) and self._may_relay(hop):
                return Forward(request.uri_text)
            return Reject(403, "Relaying Denied")
        if place.is_served or not isinstance(place.uri, SipUri):
            # Departs from RFC 3261 §16.5: a maddr of a URI of ours does not say where to send, or it would lead strangers anywhere.
            return None
        return Forward(request.uri_text) if self._may_relay(place.uri) else Reject(403, "Domain Not Served Here")

    def way(self, request: Request, place: Place, may_lead: MayLead) -> MayLead | None:
        """Where an in-dialog request may go, `may_lead` in general; None where its next hop is known to lie elsewhere."""
        if "route" in request.headers.keys:
            if place.scope and not may_lead(place.address or LOOPBACK):
                return None
            place = self._domains.place(request.routes[0].uri_text)
        elif self._names_address_of_record(place):
            return may_lead
        if isinstance(place.uri, SipUri) and self._may_relay(place.uri):
            return _anywhere
        # A name is looked at again once it is resolved.
        is_name = place.address is None and not place.scope
        return may_lead if is_name or may_lead(place.address or LOOPBACK) else None

    def _may_relay(self, uri: SipUri) -> bool:
        """Whether a request may be sent to a URI of no domain of ours: also its maddr, if it has one, must be allowed."""
        return self._relays_to(uri.host) and (uri.maddr is None or self._relays_to(uri.maddr))

    def _names_address_of_record(self, place: Place) -> bool:
        """Whether the remote target of a dialog is a user of ours, for the location service to resolve, rather than a device's address."""
        if place.aor is None or not isinstance(place.uri, SipUri):
            return False
        # Where a domain is an address, devices at other ports of that address are no users of it.
        return self._domains.is_own_address(place.uri) if place.address is not None else self._domains.is_ours(place.uri)

    def _follow(self, context: ResponseContext, request: Request, decision: Decision, now: float) -> None:
        """Does what a decision that took its time says, unless the caller gave up meanwhile."""
        if context.is_answered:
            return
        if isinstance(decision, Forward):
            is_stateless = decision.stateless or self._domains.place(request.uri_text).mode == STATELESS
            if is_stateless and not context.transaction.response:
                self._release(context)
                self.stateless.forward(context, request, decision, None, now)
            else:
                context.start(request, self._bounded(decision), decision.ring_for, now)
        else:
            context.is_answered = True
            self.answered(context)
            transaction = context.transaction
            if transaction.response:
                # Who has heard 100 does not ask again: the answer has to be repeated until it arrives (§8.2.7 forbids the mixture).
                response = response_to(request, decision.status, decision.reason, tag=self._token())
                for name, value in decision.headers:
                    response.headers.append(name, value)
                self._stack.respond(transaction, response, now)
            else:
                self._refuse(transaction, request, decision)

    def breadth(self, request: Request) -> int:
        """Incoming Max-Breadth (RFC 5393 §5.3.3); 0 where the request leaves none."""
        if "max-breadth" not in request.headers.keys:
            return self._config.max_breadth
        try:
            given: int = request.headers.value("max-breadth")
        except SipParseError:
            return self._config.max_breadth
        return min(given, self._config.max_breadth)

    def _bounded(self, decision: Forward) -> list[list[Destination]]:
        """The decision's steps, at most `max_branches` targets in all: one request must not become a flood."""
        steps = decision.steps()
        left = self._config.max_branches
        bounded = []
        for step in steps:
            if left > 0:
                bounded.append(step[:left])
                left -= len(step)
        return bounded

    def forward_ack(self, request: Request, flow: Flow, place: Place, may_lead: MayLead, now: float) -> None:
        """Passes on an ACK that no transaction took, the ACK of a 2xx (§16.6, RFC 6026 §7.1), within a dialog that is proven."""
        try:
            if self.stateless.is_used and self.stateless.is_within(request):
                self.stateless.forward_stray(request, flow, None, place, may_lead, now)
                return
            way = self.way(request, place, may_lead)
            if request.max_forwards == 0 or way is None:
                return
            copy, uri, hop = next_hop(request, request.uri_text)
            targets = self._resolver.known(hop, now)
        except SipParseError:
            return
        if targets is None:
            self._resolver.ask(hop, lambda found: self._stack.run(lambda _: self._send_ack(copy, uri, found, flow, way)))
        else:
            self._send_ack(copy, uri, targets, flow, way)

    def _send_ack(self, copy: Request, uri: str, targets: list[Target], flow: Flow, may_lead: MayLead) -> None:
        if targets and may_lead(targets[0].host):
            breadth = self.breadth(copy)
            branch = f"z9hG4bK{self._token()}"
            addressed = self._stack.address(targets[0], branch, lambda via, _: forwarded(copy, uri, breadth, (), via), flow.endpoint)
            if addressed is not None:
                way, octets = addressed
                self._stack.layer.outgoing.append((octets, way))

    def cancel(self, event: RequestReceived, now: float) -> bool:
        """§16.10: 200 at once, and every branch of the INVITE that rings is cancelled; False where no such INVITE is kept."""
        transaction = event.transaction
        assert transaction is not None
        context = None if event.cancels is None else event.cancels.user
        if not isinstance(context, ResponseContext):
            return False
        self._stack.layer.reject(transaction, response_to(event.request, 200, tag=self._token()))
        context.cancel(now)
        return True

    # What response contexts ask of their proxy.

    def targets_of(self, uri: str, now: float, later: Later) -> list[Target] | None:
        """Where a URI leads; None where that must be asked: then `later(targets, now)` is called."""
        targets = self._resolver.known(uri, now)
        if targets is None:
            self._resolver.ask(uri, lambda found: self._stack.run(lambda then: later(found, then)))
        return targets

    def send(self, copy: Request, uri: str, target: Target, branch: Branch, now: float, *, any_size: bool) -> ClientTransaction | None:
        """Forwards a copy in a client transaction of its own (§16.6 items 8 to 10); None where there is no way to the target."""
        context = branch.context
        text = f"z9hG4bK{self._token()}"
        if context.loop_hash is not None:
            text += LOOP_SEPARATOR + context.loop_hash
        flow = context.transaction.flow
        dialog = context.begins
        came = flow.endpoint

        def render(via: str, goes: Endpoint) -> bytes:
            if dialog is None:
                return forwarded(copy, uri, branch.breadth, (), via)
            if goes.transport != target.transport:
                # Only this one request was too large for datagrams (§18.1.1).
                goes = came
            lines = self._record_route.lines(dialog, target.host, came, goes, is_sips=is_for_sips(copy, uri))
            return forwarded(copy, uri, branch.breadth, lines, via)

        addressed = self._stack.address(target, text, render, came, any_size=any_size)
        if addressed is None:
            return None
        flow, octets = addressed
        return self._stack.layer.forward(copy.method, text, octets, flow, now, branch)

    def send_on(self, request: Request, flow: Flow, user: object, now: float) -> None:
        """Sends a request the way another went (§9.1: CANCEL follows its INVITE)."""
        self._stack.layer.request(request, flow, now, user)

    def respond(self, transaction: ServerTransaction, response: Response, now: float) -> None:
        """Sends a response upstream through the server transaction."""
        self._stack.layer.respond(transaction, response, now)

    def own_response(self, transaction: ServerTransaction, status: int, reason: str | None = None) -> Response:
        """A final response that no target gave (§8.2.6)."""
        return response_to(transaction.request, status, reason, tag=self._token())

    def abandon(self, transaction: ServerTransaction) -> None:
        """Ends a server transaction that gets no final response (RFC 4320 §4.2)."""
        self._stack.layer.abandon(transaction)

    def received_request(self, transaction: ServerTransaction) -> Request:
        """The request of a transaction as forwarding wants it: parsed again, preprocessed again."""
        request = transaction.request
        preprocess(request, transaction.flow.endpoint, self._domains, self._record_route)
        if self._access is not None:
            self._access.consume(request)
        return request

    def answered(self, context: ResponseContext) -> None:
        """A final response of this context went upstream."""
        self.unanswered -= 1
        if context.is_invite:
            self._sources.closed(context.transaction.flow.host)

    def advance(self, now: float) -> None:
        """Ends branches whose time is up."""
        for branch in self.timers.take_due(now):
            branch.context.time_is_up(branch, now)

    def next_deadline(self) -> float | None:
        """When a branch's time is up next."""
        return self.timers.next_deadline()
