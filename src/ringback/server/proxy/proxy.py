"""The stateful, forking, record-routing proxy (RFC 3261 §16)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Protocol

from ringback.address import Endpoint, Flow, Target
from ringback.message.derive import response_to, trying
from ringback.message.errors import SipParseError
from ringback.message.message import Request, Response
from ringback.server.proxy.answer import answer_to
from ringback.server.proxy.computed_via import ComputedVia
from ringback.server.proxy.destination import is_at_gruu
from ringback.server.proxy.forwarding import forwarded, frame, is_for_sips, may_begin_dialog, next_hop
from ringback.server.proxy.preprocessing import preprocess
from ringback.server.proxy.reach import MayLead, Reach, Resolve
from ringback.server.proxy.record_route import party
from ringback.server.proxy.response_context import ResponseContext
from ringback.server.proxy.routing import Decision, Redirect, Reject
from ringback.server.proxy.stateless import StatelessProxy
from ringback.server.proxy.timers import BranchTimers
from ringback.server.proxy.trail import Trail
from ringback.server.proxy.validation import LOOP_SEPARATOR, fault_of, has_looped, loop_hash
from ringback.transaction.events import RequestReceived

if TYPE_CHECKING:
    from ringback.server.access import Access
    from ringback.server.config import ProxyConfig
    from ringback.server.domains import Domains, Place
    from ringback.server.outbound.flows import Flows
    from ringback.server.proxy.branch import Branch
    from ringback.server.proxy.edge import Edge
    from ringback.server.proxy.record_route import RecordRoute
    from ringback.server.sources import Sources
    from ringback.stack import Stack
    from ringback.transaction.transaction import ClientTransaction, ServerTransaction
    from ringback.transport.resolver import Resolver

Later = Callable[[list[Target], float], None]


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
        resolve: Resolve,
        flows: Flows,
        via: ComputedVia,
        party_of: Callable[[Request, Flow], str],
        edge: Edge | None,
        refuse: Refuse,
        relays_to: Callable[[str], bool],
        access: Access | None,
        token: Callable[[], str],
    ) -> None:
        """`party_of` says of who begins a dialog how it is reached, as `RecordRoute` takes it; `relays_to(host)` whether requests may go to
        a domain not served; `access` who must prove what, None where nobody has to; `token` gives unpredictable text for branches, `via`
        those of what is forwarded without state.
        """
        self.timers = BranchTimers(config.timer_c, config.failover_after)
        self.reach = Reach(domains, resolve, relays_to, edge)
        self._edge = edge
        self.refuse = refuse
        self.unanswered = 0
        self.own_sent_by: frozenset[str] = frozenset()
        self._stack = stack
        self._domains = domains
        self._record_route = record_route
        self.resolver = resolver
        self._sources = sources
        self.prove = sources.prove
        """Told the address of who has answered a request, when: it is its owner's."""
        self._determine = determine
        self._flows = flows
        self._party_of = party_of
        self.configure(config, relays_to)
        self._access = access
        self._token = token
        self.stateless = StatelessProxy(self, stack, domains, record_route, flows, via, determine)

    def configure(self, config: ProxyConfig, relays_to: Callable[[str], bool]) -> None:
        """Says how requests are forwarded from now on."""
        self._config = config
        self.stays = config.record_route
        """Whether it wants to be in the path of every dialog (§16.6 item 4)."""
        self.reach.relays_to = relays_to
        self.max_branches = config.max_branches
        self.ring_for = config.ring_for
        """Seconds a target tried before others rings where its decision does not say."""
        self.recurses = config.recurse
        self.redirects_on_request = config.redirect_on_request
        self.tells_ended = config.send_199
        self.tells_trail = config.history_info or config.diversion

    def preprocess(self, request: Request, flow: Flow) -> str | None:
        """§16.4 for a request just received; gives the proof of its dialog, if it shows one."""
        if "route" not in request.headers.keys and ";" not in request.uri_text:
            return None
        return preprocess(request, flow.endpoint, self._domains, self._record_route)

    def forward(self, event: RequestReceived, place: Place, may_lead: MayLead | None, now: float, down: Flow | None = None) -> None:
        """Forwards a request that is not for the server itself.

        `place` is what its Request-URI means; `may_lead` says where a request of a proven dialog may go, None stands for any other request.
        `down` is the flow it goes down, wherever its Request-URI leads.
        """
        request = event.request
        transaction = event.transaction
        assert transaction is not None
        fault = fault_of(request, place.uri.scheme)
        if fault is not None:
            self.refuse(transaction, request, fault)
            return
        own_hash = None
        if may_lead is None:
            # Within a dialog a request has one target and cannot fork: Max-Forwards is enough (RFC 5393 §4.1).
            own_hash = loop_hash(request, place.aor or request.uri_text)
            if has_looped(request, self.own_sent_by, own_hash):
                self.refuse(transaction, request, Reject(482))
                return
            if request.to_tag is not None:
                # Only our own Record-Route entry proves a dialog; an invented To tag opens no way through (§16.4, §12.2.2).
                self.refuse(transaction, request, Reject(481))
                return
            refusal = self._access.refusal(request, event.flow, place, now) if self._access is not None else None
            if refusal is not None:
                self.refuse(transaction, request, refusal)
                return
        elif down is None:
            may_lead = self.reach.way(request, place, may_lead)
            if may_lead is None:
                self.refuse(transaction, request, Reject(403, "Relaying Denied"))
                return
        breadth = self.breadth(request)
        if breadth < 1:
            self.refuse(transaction, request, Reject(440))
            return
        is_invite = request.method == "INVITE"
        may_begin = may_begin_dialog(request.method)
        begins = (request.call_id, request.from_tag or "", self._party_of(request, event.flow)) if may_begin else None
        context = ResponseContext(self, transaction, is_invite=is_invite, breadth=breadth, begins=begins, loop_hash=own_hash)
        if may_lead is not None and (down is not None or "route" in request.headers.keys or not place.is_user):
            if down is None and self.stateless.is_used and self.stateless.is_within(request):
                self.stateless.pass_on(context, request, may_lead, now)
            else:
                self.keep(context, request, now)
                context.pass_on(request, may_lead, now, down)
            return
        decision = self.reach.target_of(request, event.flow, place)
        if decision is None:
            decision = self._determine(request, partial(self._decided, context, request, place))
            if decision is None:
                self.keep(context, None, now)
                return
        if self.stateless.takes(decision, place):
            self.stateless.follow(context, decision, request, now)
        else:
            context.follow(decision, request, now)

    def _decided(self, context: ResponseContext, request: Request, place: Place, decision: Decision, now: float) -> None:
        """Takes a decision that took its time. Who has heard 100 meanwhile does not ask again: that must be remembered."""
        if self.stateless.takes(decision, place) and not (context.is_answered or context.transaction.response):
            context.transaction.user = None
            self.answered(context)
            self.stateless.follow(context, decision, request, now)
        else:
            context.decided(decision, request, now)

    def breadth(self, request: Request) -> int:
        """Incoming Max-Breadth (RFC 5393 §5.3.3); 0 where the request leaves none."""
        if "max-breadth" not in request.headers.keys:
            return self._config.max_breadth
        try:
            given: int = request.headers.value("max-breadth")
        except SipParseError:
            return self._config.max_breadth
        return min(given, self._config.max_breadth)

    def forward_ack(self, request: Request, flow: Flow, place: Place, may_lead: MayLead, now: float, down: Flow | None = None) -> None:
        """Passes on an ACK that no transaction took, the ACK of a 2xx (§16.6, RFC 6026 §7.1), within a dialog that is proven."""
        try:
            if down is not None:
                if request.max_forwards != 0:
                    via = f"{down.endpoint.via}z9hG4bK{self._token()}"
                    self._stack.layer.outgoing.append((forwarded(request, request.uri_text, self.breadth(request), (), via), down))
                return
            if self.stateless.is_used and self.stateless.is_within(request):
                self.stateless.follow_stray(request, flow, None, place, may_lead, now)
                return
            way = self.reach.way(request, place, may_lead)
            if request.max_forwards == 0 or way is None:
                return
            copy, uri, hop = next_hop(request, request.uri_text)
            targets = self.resolver.known(hop, now)
        except SipParseError:
            return
        if targets is None:
            self._ask(hop, partial(self._send_ack, copy, uri, flow, way))
        else:
            self._send_ack(copy, uri, flow, way, targets, now)

    def _send_ack(self, copy: Request, uri: str, flow: Flow, may_lead: MayLead, targets: list[Target], _now: float) -> None:
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
        context.cancel(event.request, now)
        return True

    # What response contexts ask of their proxy.

    def keep(self, context: ResponseContext, request: Request | None, now: float) -> None:
        """Gives a request state from here on, once; `request`, if it is an INVITE, is told so at once (§16.2).

        Where it has to be waited for, the transaction says 100 by itself (§17.2.1): so a quick refusal still needs no state.
        """
        if context.transaction.user is context:
            return
        context.transaction.user = context
        self.unanswered += 1
        if context.is_invite:
            self._sources.opened(context.transaction.flow.host)
            if request is not None and not context.transaction.response:
                self._stack.layer.respond(context.transaction, trying(request), now)

    def answer(
        self, transaction: ServerTransaction, request: Request, decision: Redirect | Reject, now: float, *, is_awaited: bool
    ) -> None:
        """Answers a request that has state. `is_awaited`: it has been forwarded meanwhile."""
        if is_awaited or transaction.response:
            # Who has heard 100 does not ask again: the answer has to be repeated until it arrives (§8.2.7 forbids the mixture).
            self._stack.respond(transaction, answer_to(request, decision, self._token()), now)
        else:
            self.refuse(transaction, request, decision)

    def trail_of(self, request: Request) -> Trail:
        """What whoever comes next is told of a request that came here."""
        place = self._domains.place(request.uri_text)
        return Trail(
            request,
            place.aor,
            lambda host: host in self._domains.names,
            with_history=self._config.history_info,
            with_diversion=self._config.diversion and request.method == "INVITE",
        )

    def open_flow(self, way: Flow | str) -> Flow | None:
        """A flow, or the one of this name, while something can be sent over it."""
        flow = self._flows.named(way) if isinstance(way, str) else way
        return flow if flow is not None and self._stack.ways.is_open(flow) else None

    def target_failed(self, target: Target, now: float, response: Response | None = None, *, is_last: bool = False) -> None:
        """A server kept silent, could not be reached or said 503: others come first for a while (RFC 3263 §4.3, RFC 3261 §21.5.4)."""
        retry_after = None
        if response is not None and "retry-after" in response.headers.keys:
            try:
                retry_after = float(response.headers.value("Retry-After").seconds)
            except SipParseError:
                retry_after = None
        # Where there is nobody else it makes no difference, unless it asked to be left alone.
        if not is_last or retry_after is not None:
            self.resolver.failed(target, now, retry_after)

    def targets_of(self, uri: str, now: float, later: Later) -> list[Target] | None:
        """Where a URI leads; None where that must be asked: then `later(targets, now)` is called."""
        targets = self.resolver.known(uri, now)
        if targets is None:
            self._ask(uri, later)
        return targets

    def _ask(self, uri: str, later: Later) -> None:
        self.resolver.ask(uri, lambda found: self._stack.run(lambda now: later(found, now)))

    def send(self, copy: Request, uri: str, way: Target | Flow, branch: Branch, now: float, *, any_size: bool) -> ClientTransaction | None:
        """Forwards a copy in a client transaction of its own (§16.6 items 8 to 10); None where there is no way to the target."""
        context = branch.context
        text = f"z9hG4bK{self._token()}"
        if context.loop_hash is not None:
            text += LOOP_SEPARATOR + context.loop_hash
        render = partial(self._octets, branch, copy, uri, way)
        if isinstance(way, Flow):
            flow, octets = way, render(way.endpoint.via + text, way.endpoint)
        else:
            addressed = self._stack.address(way, text, render, context.transaction.flow.endpoint, any_size=any_size)
            if addressed is None:
                return None
            flow, octets = addressed
        return self._stack.layer.forward(copy.method, text, octets, flow, now, branch)

    def _octets(self, branch: Branch, copy: Request, uri: str, way: Target | Flow, via: str, goes: Endpoint) -> bytes:
        """The copy as it leaves by the endpoint `goes`: with our Via, and our Record-Route where it may begin a dialog."""
        context = branch.context
        flow = context.transaction.flow
        if context.begins is None:
            path = () if self._edge is None or copy.method != "REGISTER" else self._edge.path(copy, flow, goes)
            return forwarded(copy, uri, branch.breadth, path, via)
        callee = way.host
        if isinstance(way, Flow):
            callee = party(callee, self._flows.name(way))
        elif goes.transport != way.transport:
            # Only this one request was too large for datagrams (§18.1.1).
            goes = flow.endpoint
        stays = self.stays or is_at_gruu(copy, branch.destination)
        is_sips = is_for_sips(copy, uri)
        lines = self._record_route.lines(context.begins, callee, flow.endpoint, goes, is_sips=is_sips, is_wanted=stays)
        return forwarded(copy, uri, branch.breadth, lines, via)

    def send_on(self, request: Request, flow: Flow, user: object, now: float) -> None:
        """Sends a request the way another went (§9.1: CANCEL follows its INVITE)."""
        self._stack.layer.request(request, flow, now, user)

    def respond(self, transaction: ServerTransaction, response: Response, now: float) -> None:
        """Sends a response upstream through the server transaction."""
        if transaction.flow.endpoint.is_reliable:
            frame(response)
        self._stack.layer.respond(transaction, response, now)

    def own_response(self, transaction: ServerTransaction, status: int, reason: str | None = None, *, tag: str | None = None) -> Response:
        """A response that no target gave (§8.2.6); its To tag is a new one unless `tag` is given."""
        return response_to(transaction.request, status, reason, tag=tag or self._token())

    def abandon(self, transaction: ServerTransaction) -> None:
        """Ends a server transaction that gets no final response (RFC 4320 §4.2)."""
        self._stack.layer.abandon(transaction)

    def received_request(self, transaction: ServerTransaction) -> Request:
        """The request of a transaction as forwarding wants it: parsed again, preprocessed again."""
        request = transaction.request
        preprocess(request, transaction.flow.endpoint, self._domains, self._record_route)
        if self._access is not None:
            self._access.consume(request, transaction.flow.host)
        return request

    def answered(self, context: ResponseContext) -> None:
        """A final response of this context went upstream."""
        self.unanswered -= 1
        if context.is_invite:
            self._sources.closed(context.transaction.flow.host)

    def advance(self, now: float) -> None:
        """Ends branches whose time is up, and has those go on that wait in vain."""
        for branch in self.timers.take_awaited(now):
            branch.kept_silent(now)
        for branch in self.timers.take_due(now):
            branch.context.time_is_up(branch, now)
