"""The server: how its roles start, are steered and end."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from contextlib import AsyncExitStack

from ringback.address import DEFAULT_PORTS, Flow
from ringback.server.access import Access
from ringback.server.admission_file import websocket_rules
from ringback.server.config import Config, ConfigError
from ringback.server.core import ServerCore
from ringback.server.domains import Domains
from ringback.server.gruus import Gruus
from ringback.server.location.location import Location
from ringback.server.operation import logs
from ringback.server.operation.counts import Counts
from ringback.server.operation.drain import Drain
from ringback.server.operation.reload import Reloaded, merged
from ringback.server.operation.validity import Validity
from ringback.server.operator_file import OperatorFileError
from ringback.server.outbound.flows import Flows
from ringback.server.proxy.computed_via import ComputedVia
from ringback.server.proxy.record_route import RecordRoute
from ringback.server.store import Store, StoreError
from ringback.server.targets import call_forwarding
from ringback.server.users import Users
from ringback.stack import Observer
from ringback.transport.listening import listen
from ringback.transport.resolver import Resolver
from ringback.transport.tls import Identities
from ringback.transport.transports import Transports

# sip.mcast.net (RFC 3261 §10.2.6).
ALL_SERVERS = "224.0.1.75"
# Seconds after which a changed password counts; a look costs some microseconds.
_USERS_EVERY = 1.0

logger = logging.getLogger("ringback.server")


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
        reread: Callable[[], Config] | None = None,
    ) -> None:
        """`observer` sees every message; `report` gets lines for the operator (default: the log); `reread` gives the configuration as it is
        written now (`ConfigError` where it cannot be used), for `reload`.

        `open_transports` makes the transports: real sockets unless, say, `partial(network.host, "192.0.2.1")` gives a simulated host.
        """
        self.config = config
        self.counts = Counts()
        self.domains = Domains(config.domains, modes=config.modes, mode=config.proxy.mode)
        self.leaving = asyncio.Event()
        """Set by whoever wants it to end, for whoever runs it: then drain, then close."""
        self._observer = observer
        self._report = report or logger.warning
        self._open_transports = open_transports
        self.reread = reread
        self._resolver = Resolver(config.dns.questions(), patience=config.dns.question_seconds, report=self._report)
        self.store: Store | None = None
        """What outlives the server; None where nothing does."""
        self.tls = config.tls.contexts()
        """The certificates that are shown and trusted."""
        self._validity = Validity(self.tls, self._report)
        self._users_alarm: asyncio.TimerHandle | None = None
        self._are_users_readable = True

    async def start(self) -> None:
        """Reads the routing file, loads every binding, then listens: what cannot be answered rightly is not yet answered at all.

        Raises `OperatorFileError`, `StoreError`, `TlsError`, or `OSError` that names the address that could not be had.
        """
        config = self.config
        loop = asyncio.get_running_loop()
        async with AsyncExitStack() as undo:
            # What was opened is closed again, last first, unless all of it succeeds.
            if config.data is not None:
                self.store = Store(config.data)
                undo.callback(self.store.close)
            self.users = Users(self.store)
            self._serve_users()
            self.location = Location(self.store, loop=loop, clock=loop.time)
            self.location.report = self._report
            undo.callback(self.location.close)
            self.flows = Flows(self._secret("flow"), secrets.token_hex(4))
            self.core = ServerCore(
                config,
                domains=self.domains,
                location=self.location,
                users=self.users if config.asks_passwords else None,
                record_route=RecordRoute(self._secret("record-route")),
                flows=self.flows,
                gruus=Gruus(self._secret("gruu")),
                resolver=self._resolver,
                via=ComputedVia(self._secret("via")),
                counts=self.counts,
                drop=self._drop,
                report=self._report,
                peer=self._peer,
            )
            self.leave = Drain(self.core, config.drain, self.leaving)
            self.forward_calls()
            stack = self.core.stack
            stack.observer = self._observer
            self.transports = self._open_transports(
                stack.received,
                stack.failed,
                batch_ended=stack.batch_ended,
                message_limits=config.limits.message,
                stream_limits=config.limits.stream,
                tls=self.tls,
                websocket=websocket_rules(config),
                report=self._report,
            )
            undo.push_async_callback(self.transports.close)
            self.transports.gather(config.transport.udp_round_ms / 1000)
            stack.attach(self.transports)
            stack.stand_in_by(self._resolver)
            await self._listen()
            self._forget_flows()
            self.transports.watch(self._connection_closed)
            self._validity.watch()
            self.core.gateways.begin()
            undo.pop_all()
            self._started_at = loop.time()
            if self.store is not None:
                self._users_alarm = loop.call_later(_USERS_EVERY, self._look_at_users)

    def _peer(self, flow: Flow) -> Identities:
        return self.transports.peer(flow)

    def _secret(self, name: str) -> bytes:
        """A key that outlives a restart where anything does."""
        return secrets.token_bytes(32) if self.store is None else self.store.secret(name)

    @property
    def uptime(self) -> float:
        """Seconds since it has been listening."""
        return asyncio.get_running_loop().time() - self._started_at

    @property
    def access(self) -> Access | None:
        """Who must prove what; None where nobody has to."""
        return self.core.access

    def _serve_users(self) -> None:
        """Where no domain was named, those of the users are served, if there is any use in being one."""
        if not self.config.domains and self.config.asks_passwords:
            self.domains.serve(self.users.domains)

    def forward_calls(self) -> None:
        """Takes what users have arranged for their calls; raises `StoreError`."""
        if self.store is not None:
            self.core.determination.retargeting.forwarding = call_forwarding.read(self.store)

    def refresh_users(self) -> bool:
        """Reads accounts and call forwarding again where they have changed; what fails is reported once, and they stay as they are."""
        try:
            has_changed = self.users.refresh()
            if has_changed:
                self.forward_calls()
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
        self.flows.serve(endpoints, self.transports.connected)
        self.core.record_route.serve(endpoints)
        self.core.proxy.own_sent_by = frozenset(endpoint.sent_by for endpoint in endpoints)
        self.core.proxy.stateless.serve(endpoints)
        if self.config.registrar.multicast:
            # Nothing but what comes from there has to do with it: it is opened when the others have been named.
            self.core.group = await self.transports.open("UDP", ALL_SERVERS, DEFAULT_PORTS["UDP"])

    def _drop(self, flow: Flow, reason: str) -> None:
        """Closes a connection that is dead."""
        self.transports.drop(flow, reason)

    def _forget_flows(self) -> None:
        """What was registered over connections of an earlier run, or at an endpoint that is no more, is reached by nobody."""
        for name in self.location.flows():
            if self.flows.named(name) is None:
                self.location.flow_lost(name)

    def _connection_closed(self, flow: Flow) -> None:
        """RFC 5626 §7: nobody is reached over a connection that is gone."""
        # Departs from RFC 5626 §7: an ICMP error over UDP costs the request it answers, not the binding. Anybody can send one in another's
        # name, and a binding whose phone is gone fails as quickly the next time.
        self.location.flow_lost(self.flows.name(flow))

    # The operator's verbs.

    def reload(self) -> Reloaded:
        """Reads configuration, routing file, certificates and users again, and asks the DNS anew. Where one of them cannot be used, all
        stays as it was.
        """
        self.refresh_users()
        try:
            config, reloaded = (self.config, Reloaded()) if self.reread is None else merged(self.config, self.reread())
            apply = [self.core.prepare(config)]
            rules = websocket_rules(config)
            if config.log != self.config.log:
                apply.append(logs.prepare(config.log))
        except (ConfigError, OperatorFileError, OSError) as error:
            fault = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
            self._report(f"{fault} (all stays as it was)")
            return Reloaded(fault=fault)
        if (invalid := self._validity.renew(config.tls.contexts())) is not None:
            return Reloaded(fault=invalid)
        for change in apply:
            change()
        self.config = config
        self.leave.config = config.drain
        self.transports.admit(rules)
        if "domains" in reloaded.changed:
            self.domains.serve(config.domains)
            self._serve_users()
        self._resolver.turn_to(config.dns.questions(), config.dns.question_seconds)
        self.core.determination.enum.forget()
        return reloaded

    async def drain(self) -> None:
        """Refuses what is new with 503 and Retry-After and waits for what is under way, at most as long as configured."""
        self.leave.begin()
        await self.leave.finish()

    async def close(self) -> None:
        """Stops listening, commits what is staged, lets the store go."""
        if self._users_alarm is not None:
            self._users_alarm.cancel()
        self._validity.close()
        self.core.determination.close()
        self.core.gateways.close()
        self._resolver.close()
        self.transports.watch(None)
        self.location.close()
        self.core.stack.batch_ended()
        self.core.stack.close()
        await self.transports.close()
        if self.store is not None:
            self.store.close()
