"""The server: which role receives which request (RFC 3261 §16.2, §10.3, §11.2), and how all of them start and end."""

from __future__ import annotations

import asyncio
import inspect
import logging
import secrets
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from hashlib import blake2s
from pathlib import Path

from ringback.address import DEFAULT_PORTS, Flow
from ringback.message.derive import response_to
from ringback.message.errors import SipParseError
from ringback.message.message import Request, Response
from ringback.message.methods import METHODS
from ringback.message.parser import Malformed
from ringback.server.access import Access
from ringback.server.config import Config
from ringback.server.domains import Domains, Place, reaches, scope_of
from ringback.server.location.location import Location
from ringback.server.proxy.proxy import Proxy
from ringback.server.proxy.record_route import AT_HOME, ELSEWHERE, UNPROVEN, RecordRoute
from ringback.server.proxy.routing import Decision, Forward, Redirect, Reject
from ringback.server.registrar import Registrar
from ringback.server.routing_file import Lookup, Route, RoutingFileError, checked, explain, load_route
from ringback.server.sources import Sources
from ringback.server.store import Store, StoreError
from ringback.server.users import Users
from ringback.stack import Observer, Stack
from ringback.tokens import Tokens
from ringback.transaction.events import Event, RequestReceived
from ringback.transaction.layer import TransactionLayer
from ringback.transaction.matching import key_of
from ringback.transaction.reply import reply_flow, stamp_source
from ringback.transaction.transaction import ServerTransaction
from ringback.transport.listening import listen
from ringback.transport.resolver import Resolver
from ringback.transport.transports import Transports

ALLOW = "OPTIONS, REGISTER"
_CAPABILITIES = (("Allow", ALLOW), ("Accept", "*/*"), ("Accept-Encoding", "identity"), ("Accept-Language", "en"), ("Supported", ""))
# Half a call's worth of seconds, spread so that those refused together do not come back together (§21.5.4).
_RETRY_AFTER = 5
# Seconds from the last final response to its ACK: T1, the round trip that every timer reckons with (§17.1.1.1).
_LAST_ACK = 0.5
# Seconds after which a changed password counts; a look costs some microseconds.
_USERS_EVERY = 1.0

# A source over UDP may be forged until it answers: it gets no more bytes back than so many for each of its own (as in RFC 9000 §8).
_MOST_BYTES_BACK = 3

logger = logging.getLogger("ringback.server")


def _shorten(response: Response, most: int) -> None:
    """Leaves out the last challenges, one excepted, of a response that is longer than so many octets."""
    headers = response.headers
    while headers.keys[-2] == headers.keys[-1] and len(response.to_bytes()) > most:
        headers.remove_line(len(headers.keys) - 1)


class Counts:
    """Plain integers that only grow: what the server did on its own."""

    __slots__ = ("malformed", "refused", "routing_errors")

    def __init__(self) -> None:
        self.malformed = 0
        self.refused = 0
        self.routing_errors = 0


class Server:
    """Registrar, location service and proxy behind one set of endpoints.

    `await start()`, then it runs within the loop until `await drain()` and `await close()`.
    """

    def __init__(
        self,
        config: Config,
        *,
        observer: Observer | None = None,
        report: Callable[[str], None] | None = None,
        open_transports: Callable[..., Transports] = Transports,
    ) -> None:
        """`observer` sees every message; `report` gets lines for the operator (default: the log).

        `open_transports` makes the transports: real sockets unless, say, `partial(network.host, "192.0.2.1")` gives a simulated host.
        """
        self.config = config
        self.counts = Counts()
        self.domains = Domains(config.domains)
        self.is_draining = False
        self._observer = observer
        self._report = report or logger.warning
        self._open_transports = open_transports
        self._token = Tokens()
        self._tag_key = secrets.token_bytes(16)
        self._sources = Sources(config.limits.half_open_per_source)
        self._resolver = Resolver()
        self.access: Access | None = None
        """Who must prove what; None where nobody has to."""
        # A Contact is where its owner is, unless its owner said who he is or the operator gave that up.
        is_open = config.auth == "none" or config.access.accept_strangers
        self._is_confined = is_open and not config.registrar.foreign_contacts
        self._store: Store | None = None
        self._users_alarm: asyncio.TimerHandle | None = None
        self._are_users_readable = True
        self._route: Route | None = None
        self._routing: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Reads the routing file, loads every binding, then listens: what cannot be answered rightly is not yet answered at all.

        Raises `RoutingFileError`, `StoreError`, or `OSError` that names the address that could not be had.
        """
        config = self.config
        loop = asyncio.get_running_loop()
        async with AsyncExitStack() as undo:
            # What was opened is closed again, last first, unless all of it succeeds.
            if config.data is not None:
                self._store = Store(config.data)
                undo.callback(self._store.close)
            if config.auth == "digest":
                self.users = Users(self._store)
                self._serve_users()
            self.location = Location(self._store, loop=loop, clock=loop.time)
            undo.callback(self.location.close)
            if config.auth == "digest":
                self.access = Access(
                    self.users, self.domains, self.location, config.access, prove=self._sources.prove, is_spiral=self._is_spiral
                )
            self.record_route = RecordRoute(secrets.token_bytes(32) if self._store is None else self._store.secret("record-route"))
            if config.routing is not None:
                self._route = load_route(config.routing, Lookup(self.location, self.domains))
            self.layer = TransactionLayer(max_transactions=config.limits.transactions, chance=secrets.SystemRandom().random)
            self.stack = Stack(self, self.layer)
            self.stack.observer = self._observer
            self.proxy = Proxy(
                self.stack,
                self.domains,
                self.record_route,
                self._resolver,
                config.proxy,
                sources=self._sources,
                determine=self._determine,
                refuse=self._refuse,
                relays_to=frozenset(config.relay.allow).__contains__,
                access=self.access,
                token=self._token,
            )
            self.registrar = self._make_registrar()
            self.transports = self._open_transports(
                self.stack.received,
                self.stack.failed,
                batch_ended=self.stack.batch_ended,
                message_limits=config.limits.message,
                stream_limits=config.limits.stream,
            )
            undo.push_async_callback(self.transports.close)
            self.transports.gather(config.transport.udp_round_ms / 1000)
            self.stack.attach(self.transports)
            await self._listen()
            undo.pop_all()
            if self.access is not None and self._store is not None:
                self._users_alarm = loop.call_later(_USERS_EVERY, self._look_at_users)

    def _serve_users(self) -> None:
        """Where no domain was named, those of the users are served."""
        if not self.config.domains:
            self.domains.serve(self.users.domains)

    def refresh_users(self) -> bool:
        """Reads the accounts again where they have changed; what fails is reported once, and the accounts stay as they are."""
        try:
            has_changed = self.users.refresh()
        except StoreError as error:
            if self._are_users_readable:
                self._report(f"changes of users are not seen: {error}")
            self._are_users_readable = False
            return False
        self._are_users_readable = True
        if has_changed:
            self._serve_users()
        return has_changed

    def _look_at_users(self) -> None:
        self.refresh_users()
        self._users_alarm = asyncio.get_running_loop().call_later(_USERS_EVERY, self._look_at_users)

    async def _listen(self) -> None:
        """Opens every endpoint, one per address of a wildcard, and TCP beside every UDP port (§18.2.1)."""
        await listen(self.transports, self.config.endpoints(), self.config.advertise)
        endpoints = self.transports.endpoints
        self.domains.listen(endpoints)
        self._resolver.speak(endpoints)
        self.record_route.serve(endpoints)
        self.proxy.own_sent_by = frozenset(endpoint.sent_by for endpoint in endpoints)

    # The core of the stack.

    def receive(self, event: Event, now: float) -> None:
        """Gives each new request to the role it is for."""
        if not isinstance(event, RequestReceived):
            return
        request = event.request
        host = event.flow.host
        try:
            proof = self.proxy.preprocess(request, event.flow)
            standing = UNPROVEN
            if proof is not None and request.to_tag is not None:
                standing = self.record_route.standing(proof, request, host)
                if standing == AT_HOME:
                    self._sources.prove(host, now)
            transaction = event.transaction
            if transaction is None:
                if proof is not None and standing != UNPROVEN:
                    self._pass_ack(request, event.flow, proof, standing, now)
                return
            if request.method == "CANCEL":
                self.proxy.cancel(event, now)
                return
            place = self.domains.place(request.uri_text)
            if proof is None or standing == UNPROVEN:
                if not self._is_for_us(event, transaction, place, now):
                    self.proxy.forward(event, place, None, now)
                return
            refusal = None
            if standing == ELSEWHERE and self.access is not None:
                refusal = self.access.refusal_within_dialog(request, event.flow, now)
            if refusal is not None:
                self._refuse(transaction, request, refusal)
            elif not place.is_here or not self._is_for_us(event, transaction, place, now):
                self.proxy.forward(event, place, self._ways_of(proof, host), now)
        except SipParseError as error:
            if event.transaction is not None:
                # What knows no field is the Request-URI.
                text = f"Malformed {error.field or 'Request-URI'}: {error.reason}"
                self._refuse(event.transaction, request, Reject(400, text))

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
                access.consume(request)
            self.proxy.forward_ack(request, flow, place, self._ways_of(proof, flow.host), now)

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
        if self.is_draining or (method == "INVITE" and not event.flow.endpoint.is_reliable and not self._sources.may_open(host, now)):
            self._refuse(transaction, request, Reject(503, headers=[("Retry-After", str(_RETRY_AFTER + secrets.randbelow(_RETRY_AFTER)))]))
            return True
        is_last_hop = method == "OPTIONS" and request.max_forwards == 0
        if not is_last_hop and (place.names_user or not place.is_served or "route" in request.headers.keys):
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
            self._tell_capabilities(transaction, request)
        elif access is not None and (refusal := access.refusal(request, event.flow, place, now)) is not None:
            self._refuse(transaction, request, refusal)
        else:
            self._refuse(transaction, request, Reject(405 if method in METHODS else 501, headers=[("Allow", ALLOW)]))
        return True

    def _is_spiral(self, request: Request, flow: Flow) -> bool:
        """Whether this server sent the request to itself (§16.3 item 4), so that it was looked at before: its branch is one under way."""
        if (flow.host, flow.port) not in self.domains.own:
            return False
        via = request.via
        return key_of(via.branch or "", via.host, via.port or DEFAULT_PORTS["UDP"], request.method) in self.layer.clients

    def _tell_capabilities(self, transaction: ServerTransaction, request: Request) -> None:
        """§11.2: what this server understands of requests to itself."""
        unknown = request.require
        if unknown:
            self._refuse(transaction, request, Reject(420, headers=[("Unsupported", ", ".join(unknown))]))
            return
        response = response_to(request, 200, tag=self._tag(transaction.key))
        headers = response.headers
        for name, value in _CAPABILITIES:
            headers.append(name, value)
        self.layer.reject(transaction, response)

    def _refuse(self, transaction: ServerTransaction, request: Request, decision: Redirect | Reject) -> None:
        """Answers once and keeps nothing (§8.2.7): a stranger gets one datagram for one."""
        self.counts.refused += 1
        response = response_to(request, decision.status, decision.reason, tag=self._tag(transaction.key))
        for name, value in decision.headers:
            response.headers.append(name, value)
        if decision.status in (401, 407) and not transaction.flow.endpoint.is_reliable:
            _shorten(response, _MOST_BYTES_BACK * len(transaction.octets))
        self.layer.reject(transaction, response)

    def _tag(self, key: str) -> str:
        """The To tag of an answer that is not kept: the same for the same request (§8.2.7)."""
        return blake2s(key.encode("utf-8", "surrogateescape"), key=self._tag_key, digest_size=8).hexdigest()

    def malformed(self, malformed: Malformed, flow: Flow, now: float) -> None:
        """Answers what was no SIP message where it can be answered; keeps nothing of it."""
        self.counts.malformed += 1
        request = malformed.request
        if request is None or request.method == "ACK":
            return
        try:
            stamp_source(request, flow)
            response = response_to(request, malformed.status, malformed.reason, tag=self._tag(request.headers.line("via") or ""))
            self.layer.outgoing.append((response.to_bytes(), reply_flow(request.via, flow)))
        except SipParseError:
            # So little of it can be read that even the answer cannot be made.
            return

    def advance(self, now: float) -> None:
        """Fires what is due of the proxy's timers."""
        self.proxy.advance(now)

    def next_deadline(self) -> float | None:
        """When the next of them is due."""
        return self.proxy.next_deadline()

    # Where to (§16.5).

    def _determine(self, request: Request, decided: Callable[[Decision, float], None]) -> Decision | None:
        if self._route is None:
            return self._located(request)
        try:
            result = self._route(request)
            if inspect.isawaitable(result):
                task = asyncio.get_running_loop().create_task(self._wait_for_route(request, result, decided))
                self._routing.add(task)
                task.add_done_callback(self._routing.discard)
                return None
            return checked(result) or self._located(request)
        except Exception as error:  # noqa: BLE001 - whatever the operator's own code raises
            return self._routing_failed(error)

    async def _wait_for_route(
        self, request: Request, result: Awaitable[Decision | None], decided: Callable[[Decision, float], None]
    ) -> None:
        try:
            decision = checked(await result) or self._located(request)
        except Exception as error:  # noqa: BLE001 - whatever the operator's own code raises
            decision = self._routing_failed(error)
        self.stack.run(lambda now: decided(decision, now))

    def _located(self, request: Request) -> Decision:
        """What happens where no routing function says otherwise: the bindings of the address-of-record."""
        place = self.domains.place(request.uri_text)
        bindings = self.location.lookup(place.aor) if place.aor is not None else ()
        if bindings and place.uri.scheme == "sips":
            # §16.6 item 7: what was asked for as sips goes nowhere in the clear.
            bindings = [binding for binding in bindings if binding.contact[:5].lower() == "sips:"]
        return Forward(*bindings) if bindings else Reject(404)

    def _routing_failed(self, error: Exception) -> Reject:
        self.counts.routing_errors += 1
        self._report(explain(error, self.config.routing or Path("routes.py")))
        return Reject(500, "Routing Failed")

    def _make_registrar(self) -> Registrar:
        # What a commit answers leaves in one go.
        self.location.batch_ended = self.stack.wake
        self.location.report = self._report
        return Registrar(
            self.location, self.domains, self.config.registrar, respond=self.layer.respond, refuse=self._refuse, token=self._token
        )

    # The operator's verbs.

    def reload(self) -> str | None:
        """Reads users and routing file again; where that fails the old ones stay. Gives the routing's fault, None where all is well."""
        if self.access is not None:
            self.refresh_users()
        if self.config.routing is None:
            return None
        try:
            self._route = load_route(self.config.routing, Lookup(self.location, self.domains))
        except RoutingFileError as error:
            self._report(f"{error} (the routing before it stays in force)")
            return str(error)
        return None

    async def drain(self) -> None:
        """Refuses what is new with 503 and Retry-After and waits for what is under way, at most as long as configured."""
        self.is_draining = True
        loop = asyncio.get_running_loop()
        end = loop.time() + self.config.drain.seconds
        while self.proxy.unanswered and loop.time() < end:  # noqa: ASYNC110 - looked at, so that no answered call has to tell
            await asyncio.sleep(0.05)
        if any(transaction.method == "INVITE" for transaction in self.layer.servers.values()):
            # The ACK of the last 2xx passes through here as well, though no transaction waits for it.
            await asyncio.sleep(min(_LAST_ACK, max(end - loop.time(), 0.0)))

    async def close(self) -> None:
        """Stops listening, commits what is staged, lets the store go."""
        if self._users_alarm is not None:
            self._users_alarm.cancel()
        for task in self._routing:
            task.cancel()
        self._resolver.close()
        self.location.close()
        self.stack.batch_ended()
        self.stack.close()
        await self.transports.close()
        if self._store is not None:
            self._store.close()
