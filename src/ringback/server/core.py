"""The core of the server's stack: which role receives which request (RFC 3261 §16.2, §10.3, §11.2)."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial

from ringback.address import DEFAULT_PORTS, Endpoint, Flow
from ringback.message.errors import SipParseError
from ringback.message.message import Request
from ringback.message.methods import METHODS
from ringback.message.parser import Malformed
from ringback.message.uri import SipUri
from ringback.server.access import Access
from ringback.server.config import Config
from ringback.server.domains import REDIRECT, Domains, Place, reaches, scope_of
from ringback.server.gateway import Gateways
from ringback.server.gruus import Gruus
from ringback.server.location.location import Location
from ringback.server.mid_dialog import MidDialog, NotRegistered
from ringback.server.operation.counts import Counts
from ringback.server.operation.security import SecurityLog
from ringback.server.outbound.flows import Flows, ForgedToken
from ringback.server.outbound.keepalive import Keepalive
from ringback.server.outbound.nat import Nat, is_nowhere
from ringback.server.proxy.computed_via import ComputedVia
from ringback.server.proxy.edge import Edge, FlowGone
from ringback.server.proxy.edge_phones import EdgePhones
from ringback.server.proxy.proxy import Proxy
from ringback.server.proxy.reach import MayLead, anywhere
from ringback.server.proxy.record_route import AT_HOME, DOWN, ELSEWHERE, UNPROVEN, RecordRoute
from ringback.server.proxy.routing import Redirect, Reject
from ringback.server.redirect import RedirectServer
from ringback.server.registrar import Registrar
from ringback.server.sources import Sources
from ringback.server.stateless_uas import ALLOW, StatelessUas
from ringback.server.targets.determination import Determination
from ringback.server.users import Users
from ringback.stack import Stack
from ringback.tokens import Tokens
from ringback.transaction.events import Event, RequestReceived, StrayResponseReceived
from ringback.transaction.layer import TransactionLayer
from ringback.transaction.matching import key_of
from ringback.transaction.transaction import ServerTransaction
from ringback.transport.resolver import Enum, Resolver
from ringback.transport.tls import Identities

# Half a call's worth of seconds, spread so that those refused together do not come back together (§21.5.4).
_RETRY_AFTER = 5


def _relays_to(config: Config) -> Callable[[str], bool]:
    """Which hosts of others requests may be sent to: those allowed, and the registrar that an edge proxy stands before."""
    hosts = set(config.relay.allow)
    if config.edge.registrar is not None:
        hosts.add(SipUri.parse(config.edge.registrar).host)
    return frozenset(hosts).__contains__


class ServerCore:
    """Registrar, proxy and a UAS for requests to the server itself, over one stack."""

    def __init__(
        self,
        config: Config,
        *,
        domains: Domains,
        location: Location,
        users: Users | None,
        record_route: RecordRoute,
        flows: Flows,
        gruus: Gruus,
        resolver: Resolver,
        via: ComputedVia,
        counts: Counts,
        drop: Callable[[Flow, str], None],
        report: Callable[[str], None],
        peer: Callable[[Flow], Identities],
    ) -> None:
        """`users` None: nobody has to prove who he is; `peer` says who the other end of a flow is by its certificate;
        `drop(flow, reason)` closes a dead connection.

        Raises `OperatorFileError`.
        """
        self.domains = domains
        self.record_route = record_route
        self.sources = Sources(config.limits.half_open_per_source)
        self.is_draining = False
        self.group: Endpoint | None = None
        """Where REGISTER to all servers is heard (§10.2.6), if it is."""
        token = Tokens()
        self.layer = TransactionLayer(max_transactions=config.limits.transactions, chance=secrets.SystemRandom().random)
        edge_phones = EdgePhones(self.sources.prove)
        self.keepalive: Keepalive | None = None
        """What keeps the ways to phones open; None where nobody wants that."""
        if config.nat.mode == "auto" and config.nat.keepalive:
            self.keepalive = Keepalive(
                location if config.edge.registrar is None else edge_phones,
                flows,
                self.sources,
                config.nat.keepalive,
                is_open=users is None,
                send=lambda octets, flow: self.layer.outgoing.append((octets, flow)),
                drop=drop,
                token=token,
            )
            location.swept = self._look_after_flows
            edge_phones.looked_after = self.keepalive.look
        self.stack = Stack(self, self.layer)
        self._uas = StatelessUas(self.layer, counts)
        enum = Enum(config.dns.enum, resolver.inquiry)
        self.gateways = Gateways(self.stack, resolver, token, report)
        self.gateways.configure(config.gateway)
        self.determination = Determination(
            domains, location, gruus, config, counts=counts, report=report, run=self.stack.run, enum=enum, gateways=self.gateways
        )
        self._security = SecurityLog()
        self.access: Access | None = None
        """Who must prove what; None where nobody has to."""
        if users is not None:
            self.access = Access(
                users,
                domains,
                location,
                gruus,
                config.access,
                prove=self.sources.prove,
                is_spiral=self._is_spiral,
                peer=peer,
                security=self._security,
                is_stateless=lambda: self.proxy.stateless.is_used,
            )
        if users is not None:
            gruus.knows = users.knows
            if not config.access.accept_strangers:
                self.determination.retargeting.knows = users.knows
        self._mid_dialog = MidDialog(domains, location, flows, gruus)
        self.nat = Nat(domains, flows, location, is_on=config.nat.mode == "auto", is_open=users is None)
        self._confine(config)
        self.edge: Edge | None = None
        """What makes this an edge proxy; None where it is none."""
        if config.edge.registrar is not None:
            hides = partial(self.nat.hides_all, is_trusted=False)
            self.edge = Edge(config.edge.registrar, domains, flows, record_route, edge_phones, hides, report)
        self.proxy = Proxy(
            self.stack,
            domains,
            record_route,
            resolver,
            config.proxy,
            sources=self.sources,
            determine=self.determination.determine,
            resolve=self.determination.resolve,
            party_of=self.nat.party,
            edge=self.edge,
            refuse=self._refuse,
            relays_to=_relays_to(config),
            access=self.access,
            token=token,
            flows=flows,
            via=via,
        )
        self.redirect = RedirectServer(
            self.layer,
            access=self.access,
            sources=self.sources,
            determine=self.determination.determine,
            resolve=self.determination.resolve,
            refuse=self._refuse,
            tag_of=self._uas.tag_of,
            clock=location.clock,
        )
        # What a commit answers leaves in one go.
        location.batch_ended = self.stack.wake
        self.registrar = Registrar(
            location,
            domains,
            config.registrar,
            respond=self.layer.respond,
            refuse=self._uas.refuse,
            token=token,
            flows=flows,
            nat=self.nat,
            gruus=gruus,
        )

    def prepare(self, config: Config) -> Callable[[], None]:
        """Reads what a configuration names, and gives what puts all of it in force that may change; raises `OperatorFileError`."""
        determine = self.determination.prepare(config)

        def apply() -> None:
            determine()
            self.gateways.configure(config.gateway)
            self.domains.turn_to(config.modes, config.proxy.mode)
            self._confine(config)
            if self.access is not None:
                self.access.configure(config.access)
            self.proxy.configure(config.proxy, _relays_to(config))
            self.registrar.configure(config.registrar)
            self.sources.half_open_limit = config.limits.half_open_per_source
            self.layer.max_transactions = config.limits.transactions

        return apply

    def _confine(self, config: Config) -> None:
        # A Contact is where its owner is, unless its owner said who he is or the operator gave that up.
        is_open = not config.asks_passwords or config.access.accept_strangers
        self._is_confined = is_open and not config.registrar.foreign_contacts
        self.nat.is_trusting = not self._is_confined
        # Who runs a routing function may forward without state before this run has done so.
        self._may_be_stateless = self.domains.is_stateless_anywhere or config.routing is not None
        self.layer.tells_strays = self._may_be_stateless or self.keepalive is not None

    def receive(self, event: Event, now: float) -> None:
        """Gives each new request to the role it is for."""
        if not isinstance(event, RequestReceived):
            if isinstance(event, StrayResponseReceived):
                self._take_stray(event, now)
            return
        request = event.request
        flow = event.flow
        host = flow.remote[0]
        if flow.endpoint is self.group:
            self._hear_group(event, now)
            return
        try:
            way_down = None if self.edge is None else self.edge.way_down(request, flow)
            proof = self.proxy.preprocess(request, flow)
            standing = UNPROVEN
            if proof is not None and request.to_tag is not None:
                standing = self.record_route.standing(proof, request, host)
                if standing == AT_HOME:
                    self.sources.prove(host, now)
            transaction = event.transaction
            if transaction is None:
                if proof is not None and standing != UNPROVEN:
                    self._pass_ack(request, flow, proof, standing, now)
                elif self.proxy.stateless.is_used and not self._uas.has_refused(request):
                    place = self.domains.place(request.uri_text)
                    self.proxy.stateless.follow_stray(request, flow, None, place, None, now)
                return
            if request.method == "CANCEL":
                if not self.proxy.cancel(event, now):
                    self._follow_cancel(request, transaction, None if standing == UNPROVEN else proof, flow, now)
                return
            place = self.domains.place(request.uri_text)
            if place.is_sips and not flow.endpoint.is_secure:
                # §26.2.2: TLS on every hop. Who comes without has been led here by somebody who wanted it so, or has a setting wrong.
                speaks_tls = any(endpoint.is_secure for endpoint in self.stack.ways.endpoints)
                self._refuse(transaction, request, Reject(403, "SIPS Over TLS Only") if speaks_tls else Reject(416))
                return
            if way_down is not None:
                self.proxy.forward(event, place, anywhere, now, way_down)
                return
            if proof is None or standing == UNPROVEN:
                if not self._is_for_us(event, transaction, place, now):
                    # A GRUU is for where there is no other way to a phone: nobody can go there himself (RFC 5627 §6.1).
                    if place.mode == REDIRECT and place.gr is None:
                        self.redirect.receive(event, place, now)
                    else:
                        self.proxy.forward(event, place, None, now)
                return
            refusal = None
            if standing == ELSEWHERE and self.access is not None:
                refusal = self.access.refusal_within_dialog(request, flow, now)
            if refusal is not None:
                self._refuse(transaction, request, refusal)
            elif not place.is_here or not self._is_for_us(event, transaction, place, now):
                place, may_lead, down = self._way_within(request, place, proof, host)
                self.proxy.forward(event, place, may_lead, now, down)
        except ForgedToken:
            if self.edge is not None:
                self.edge.report_forgery(flow, now)
            if event.transaction is not None:
                self._refuse(event.transaction, request, Reject(403, "Flow Token Is Not of This Server"))
        except FlowGone:
            if event.transaction is not None:
                self._refuse(event.transaction, request, Reject(430))
        except NotRegistered:
            if event.transaction is not None:
                self._refuse(event.transaction, request, Reject(480))
        except SipParseError as error:
            if event.transaction is not None:
                # What knows no field is the Request-URI.
                text = f"Malformed {error.field or 'Request-URI'}: {error.reason}"
                self._refuse(event.transaction, request, Reject(400, text))

    def _hear_group(self, event: RequestReceived, now: float) -> None:
        """§10.2.6: of what is sent to all servers, REGISTER for a domain of ours is for us. To anything else each would have to say no."""
        request, transaction = event.request, event.transaction
        if transaction is None:
            return
        try:
            if request.method == "REGISTER":
                place = self.domains.place(request.uri_text)
                if place.is_served and self._is_for_us(event, transaction, place, now):
                    return
        except SipParseError:
            # Nor does anybody say what is wrong with it.
            pass
        self.layer.abandon(transaction)

    def _take_stray(self, event: StrayResponseReceived, now: float) -> None:
        if self.keepalive is not None and self.keepalive.receive(event.response, event.flow, now):
            # It was asked for after all.
            self.layer.stray_responses -= 1
        elif self._may_be_stateless or self.proxy.stateless.is_used:
            self.proxy.stateless.receive(event.response)

    def _look_after_flows(self, now: float) -> None:
        if self.keepalive is not None:
            self.keepalive.look(now)
            self.stack.flush()

    def _way_within(self, request: Request, place: Place, proof: str, source: str) -> tuple[Place, MayLead, Flow | None]:
        """What a request of a proven dialog is for, where it may go, and the flow it goes down. Raises `FlowGone` or `NotRegistered`."""
        may_lead = self._ways_of(proof, source)
        if place.gr is None or not place.is_served:
            return place, may_lead, self._way_down(request, place, proof) if DOWN in proof else None
        if "route" not in request.headers.keys:
            # Who is registered wants to be reached, wherever that is.
            may_lead = anywhere
        place, down = self._mid_dialog.follow(request, place)
        return place, may_lead, down

    def _may_follow(self, place: Place, proof: str) -> bool:
        """Whether a party of a dialog that came down a flow which is gone may be found at its Contact."""
        if place.address is not None and self.record_route.is_party(proof, place.address):
            return True
        return not self._is_confined and isinstance(place.uri, SipUri) and not is_nowhere(place.uri)

    def _way_down(self, request: Request, place: Place, proof: str) -> Flow | None:
        """The flow that a request of a proven dialog goes down; None where Route or Request-URI lead. Raises `FlowGone` if nothing does."""
        name = self.record_route.flow_name(proof, request)
        if not name or "route" in request.headers.keys:
            return None
        flow = self.nat.way_down(name, request)
        if flow is None and not self._may_follow(place, proof):
            raise FlowGone(name)
        return flow

    def _follow_cancel(self, request: Request, transaction: ServerTransaction, proof: str | None, flow: Flow, now: float) -> None:
        """What becomes of a CANCEL of nothing that is kept; `proof` is that of its dialog."""
        place = self.domains.place(request.uri_text)
        if place.mode == REDIRECT and proof is None:
            self.redirect.cancel(request, transaction)
            return
        may_lead = down = None
        if proof is not None:
            place, may_lead, down = self._way_within(request, place, proof, flow.host)
        if down is None:
            self.proxy.stateless.follow_stray(request, flow, transaction, place, may_lead, now)
        else:
            # What goes down a flow is kept.
            self._refuse(transaction, request, Reject(481))

    def _pass_ack(self, request: Request, flow: Flow, proof: str, standing: int, now: float) -> None:
        """Passes on an ACK whose dialog is proven. Nobody may challenge it (§22.1): it passes or vanishes."""
        place = self.domains.place(request.uri_text)
        # A proof in the Request-URI itself would be found again each time we sent the request to ourselves.
        if "route" not in request.headers.keys and place.is_here:
            return
        access = self.access
        if standing == AT_HOME or access is None or access.takes_ack(request, flow, now):
            if access is not None:
                # An ACK repeats what its INVITE had for us (§22.1); that has been read.
                access.consume(request, flow.host)
            place, may_lead, down = self._way_within(request, place, proof, flow.host)
            self.proxy.forward_ack(request, flow, place, may_lead, now, down)

    def _ways_of(self, proof: str, source: str) -> Callable[[str], bool]:
        """Which numeric addresses a request of a proven dialog may be sent to."""

        def may_lead(host: str) -> bool:
            # Where nobody says who he is, a dialog leads to its two parties: otherwise whoever calls himself could send anywhere.
            return reaches(source, scope_of(host)) and (not self._is_confined or self.record_route.is_party(proof, host))

        return may_lead

    def _is_for_us(self, event: RequestReceived, transaction: ServerTransaction, place: Place, now: float) -> bool:
        """Whether the request has found its end here; if so it is answered."""
        request = event.request
        method = request.method
        host = event.flow.host
        if self.is_draining or (method == "INVITE" and not event.flow.endpoint.is_reliable and not self.sources.may_open(host, now)):
            retry_after = str(_RETRY_AFTER + secrets.randbelow(_RETRY_AFTER))
            self._refuse(transaction, request, Reject(503, headers=[("Retry-After", retry_after)]))
            return True
        is_last_hop = method == "OPTIONS" and request.max_forwards == 0
        if not is_last_hop and (place.names_user or not place.is_served or "route" in request.headers.keys):
            return False
        if self.edge is not None and not is_last_hop and method != "OPTIONS":
            return False
        access = self.access
        if method == "REGISTER":
            verdict = None if access is None else access.register(request, event.flow, place, now)
            if isinstance(verdict, Reject):
                self._refuse(transaction, request, verdict)
            else:
                self.registrar.receive(event, now, verdict)
        elif method == "OPTIONS":
            # What a server can do is no secret, and what watches over it has no password.
            self._uas.tell_capabilities(transaction, request)
        elif access is not None and (refusal := access.refusal(request, event.flow, place, now)) is not None:
            self._refuse(transaction, request, refusal)
        else:
            self._refuse(transaction, request, Reject(405 if method in METHODS else 501, headers=[("Allow", ALLOW)]))
        return True

    def _refuse(self, transaction: ServerTransaction, request: Request, decision: Redirect | Reject) -> None:
        """Answers and forgets; what was forbidden is noted. What the registrar itself forbids is not: that is a phone set up wrongly."""
        if decision.status == 403:
            account = request.headers.text("From") or ""
            self._security.note("FailedACL", request, transaction.flow, account=account, reason=decision.reason or "")
        self._uas.refuse(transaction, request, decision)

    def _is_spiral(self, request: Request, flow: Flow) -> bool:
        """Whether this server sent the request to itself (§16.3 item 4), so that it was looked at before: its branch is one under way."""
        if (flow.host, flow.port) not in self.domains.own:
            return False
        via = request.via
        if self.proxy.stateless.via.has_sent(request):
            return True
        return key_of(via.branch or "", via.host, via.port or DEFAULT_PORTS["UDP"], request.method) in self.layer.clients

    def malformed(self, malformed: Malformed, flow: Flow, now: float) -> None:
        """Answers what was no SIP message where it can be answered; keeps nothing of it."""
        if flow.endpoint is self.group:
            return
        self._uas.answer_malformed(malformed, flow)

    def advance(self, now: float) -> None:
        """Fires what is due of the proxy's timers."""
        self.proxy.advance(now)
        if self.edge is not None:
            self.edge.phones.advance(now)

    def next_deadline(self) -> float | None:
        """When the next of them is due."""
        deadline = self.proxy.timers.next_deadline()
        if self.edge is None:
            return deadline
        return min((at for at in (deadline, self.edge.phones.next_deadline()) if at is not None), default=None)
