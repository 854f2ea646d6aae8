"""A party: what a program says to the SIP world and hears from it (RFC 3261 §8, §13)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib.metadata import version
from types import MappingProxyType, TracebackType
from typing import Self

from ringback.address import Endpoint
from ringback.agent.call.asserted_identity import trusting
from ringback.agent.call.attendance import OnCall, attend
from ringback.agent.call.call import Call
from ringback.agent.call.incoming_call import IncomingCall
from ringback.agent.call.info import DTMF_TYPES, InfoPackages, OnInfo
from ringback.agent.call.late_offer import OnOffer
from ringback.agent.call.media import MediaFactory, SilentMedia
from ringback.agent.call.outgoing_call import OutgoingCall
from ringback.agent.call.replaces import MayReplace, find_named_call, knows_the_dialog
from ringback.agent.call.session_timer import SHORTEST, Interval, shortness
from ringback.agent.capabilities import Capabilities, ask_options
from ringback.agent.core import AgentCore
from ringback.agent.event.event_package import EventPackage
from ringback.agent.event.expectation import Forks, receive_notify
from ringback.agent.event.notifier import Notifier, OnSubscription, receive_subscribe
from ringback.agent.event.publication import OnFailure, Publication
from ringback.agent.event.subscriber import DEFAULT_EXPIRES
from ringback.agent.event.subscription import Subscription
from ringback.agent.generic_request import send_request
from ringback.agent.identity import Identity, asks_for_tls, homes
from ringback.agent.inspection import Refusal, shortcoming
from ringback.agent.instant_message import Inbox, OnMessage, send_message
from ringback.agent.refusal import UNUSABLE, refusal_of
from ringback.agent.registration.registrar import loose_route
from ringback.agent.registration.registration import DEFAULT_LIFETIME, OnChange, Registration
from ringback.agent.registration.registrations import Registrations
from ringback.agent.service import OnRequest, Service, may_be_served
from ringback.agent.transfer.refer import DEFAULT_PATIENCE, OnProgress, Reference
from ringback.agent.transfer.referral import OnRefer, Referral, decline_referral, follow_transfer, receive_refer, refuse_subscription
from ringback.agent.usage import usages_of
from ringback.collector import calmed
from ringback.digest import Account, Accounts
from ringback.message.fields.event import Event
from ringback.message.fields.name_addr import NameAddr
from ringback.message.message import Response
from ringback.stack import Observer
from ringback.tokens import Tokens
from ringback.transaction.events import RequestReceived
from ringback.transaction.timers import DEFAULT_TIMERS, TimerValues
from ringback.transport.listening import listen, listening_point
from ringback.transport.tls import Contexts
from ringback.transport.transports import Transports

DEFAULT_LISTEN = ("udp://0.0.0.0:0",)

# What fails is raised, or answered: nobody else need hear of it.
logger = logging.getLogger("ringback.agent")

# Under load UDP is looked at in rounds (see transport/udp.py). A choice: as long as a packet of audio lasts, nothing beside ringing, and at
# 300 calls a second a third of all CPU: what wakes up for every datagram does its work with cold caches.
_UDP_ROUND = 0.02


class UserAgent:
    """One address-of-record and what it does.

        async with UserAgent("sip:alice@example.com", password=secret) as alice:
            async with alice.call("sip:bob@example.com") as call:
                await call.ended()

    or, as a phone that waits, `await UserAgent("sip:reception@example.com", on_call=reception).run("udp://0.0.0.0:5060")`.
    """

    def __init__(
        self,
        aor: str,
        *,
        display_name: str | None = None,
        password: str | None = None,
        username: str | None = None,
        realm: str | None = None,
        instance: str | None = None,
        accounts: Iterable[Account] = (),
        proxy: str | None = None,
        on_call: OnCall | None = None,
        media: MediaFactory = SilentMedia,
        listen: Iterable[str] = DEFAULT_LISTEN,
        advertise: str | None = None,
        tls: Contexts | None = None,
        observer: Observer | None = None,
        open_transports: Callable[..., Transports] = Transports,
        timers: TimerValues = DEFAULT_TIMERS,
        failover_after: float = 4.0,
        max_transactions: int = 100_000,
        requires: Iterable[str] = (),
        session_expires: int | None = 1800,
        min_se: int = SHORTEST,
        features: Mapping[str, str | None] = MappingProxyType({}),
        may_replace: MayReplace = knows_the_dialog,
        accepts_joins: bool = False,
        on_refer: OnRefer | None = None,
        accepts_transfers: bool = False,
        on_message: OnMessage | None = None,
        message_types: Iterable[str] = (),
        on_info: OnInfo | None = None,
        info_packages: Iterable[str] | None = None,
        trusted_peers: Iterable[str] = (),
    ) -> None:
        """`username` is the account's, the address-of-record's own unless given; `realm` the only one its password is for. `accounts` are
        further ones, for other realms.

        `instance` is the URN of this user agent, `uuid.uuid4().urn` say, the same at every start: with it a registration may be a flow that
        is kept alive and made anew where it fails (RFC 5626), and may bring a URI that leads to this agent from anywhere (RFC 5627).
        `proxy` is the URI of an outbound proxy, `listen` where to listen (`udp://0.0.0.0:0`: any free port of every address; where `aor` or
        `proxy` ask for TLS, or `tls` is given, `tls://0.0.0.0:0` as well). `tls` is what TLS shows and trusts: without it servers must show
        a certificate of their domain that the operating system trusts, and nobody can connect to us over TLS. `observer` sees every
        message. `open_transports` makes the transports: real sockets unless `partial(network.host, "192.0.2.1")` says otherwise.
        Where a domain has several servers, one may be silent for `failover_after` seconds before the next one is asked (RFC 3263 §4.3).
        Callers must know every extension in `requires` (`100rel`): others get 421 Extension Required. `features` are feature tags of our
        Contact besides those that say what we can do (RFC 3840): `{"automata": None, "language": "en,fi"}`.
        `may_replace` says who may take the place of a call of ours (RFC 3891); with `accepts_joins` the program takes calls that join
        another one (RFC 3911). `on_refer` decides about each REFER (RFC 3515): without it they are declined, or, with `accepts_transfers`,
        the peer of an answered call may send us to somebody else.
        `on_message` is given each MESSAGE of a type it takes, text/plain or one of `message_types` (`image/*`); without it there is none
        (RFC 3428). `on_info` is given the INFOs of calls but for digits: of the `info_packages` that we say we take, and of none; None says
        nothing of packages (RFC 6086). What one of the `trusted_peers` asserts of others is believed: addresses, or `192.0.2.0/24`.
        A call whose peer knows session timers is over unless it is refreshed within `session_expires` seconds, None for no such wish of
        ours; nobody may want fewer than `min_se` (RFC 4028).
        Raises `SipParseError` or `ValueError` where `aor` is no SIP URI, `ValueError` where the seconds contradict each other.
        """
        self.identity = Identity(aor, display_name, instance=instance)
        self.on_call = on_call
        self._tls = tls
        self._listen = tuple(listen)
        if self._listen == DEFAULT_LISTEN and (tls is not None or any(asks_for_tls(uri) for uri in (aor, proxy))):
            self._listen += ("tls://0.0.0.0:0",)
        self._accounts = [Account(username or self.identity.user, password=password, realm=realm)] if password is not None else []
        self._accounts += accounts
        self._proxy = proxy
        self._media = media
        self._advertise = advertise
        self._observer = observer
        self._open_transports = open_transports
        self._timers = timers
        self._failover_after = failover_after
        self._max_transactions = max_transactions
        self._requires = tuple(requires)
        self._interval = Interval(session_expires, min_se).check()
        self._features = features
        self.may_replace = may_replace
        self._accepts_joins = accepts_joins
        self.on_refer = on_refer or (follow_transfer if accepts_transfers else decline_referral)
        self.referrals: set[Referral] = set()
        """The REFERs of which nothing final has come yet."""
        self.refuses_with: int | None = None
        """While set, every call is refused with this status, 486 Busy Here or 480 say, and OPTIONS answered with it."""
        self._on_message = on_message
        self._message_types = tuple(message_types)
        self._info_packages = InfoPackages(info_packages, on_info)
        self._trusts = trusting(trusted_peers)
        self._services: dict[str, OnRequest] = {}
        self._notifiers: list[Notifier] = []
        self._core: AgentCore | None = None
        self._capabilities: Capabilities
        self._registrations: Registrations

    # Being there.

    async def open(self) -> None:
        """Listens. `OSError` says which address could not be had, `TlsError` which certificate."""
        accounts = Accounts(self._accounts, Tokens(), homes(self.identity.uri, self._proxy))
        core = self._core = AgentCore(self.identity, accounts, timers=self._timers, max_transactions=self._max_transactions)
        core.failover_after = self._failover_after
        core.software = f"Ringback/{version('ringback')}"
        core.serving.update(INVITE=self._invited, ACK=None, BYE=None, CANCEL=None, OPTIONS=None, PRACK=None, UPDATE=None)
        core.interval = self._interval
        core.extensions += ["100rel", "timer", "replaces", "tdialog", "norefersub"] + (["join"] if self._accepts_joins else [])
        if self.identity.instance is not None:
            core.extensions += ["gruu", "outbound", "path"]
        core.serving["REFER"] = partial(receive_refer, self)
        if self.on_refer is not decline_referral:
            core.event_packages["refer"] = partial(refuse_subscription, core)
        core.serving.update(SUBSCRIBE=partial(receive_subscribe, core), NOTIFY=partial(receive_notify, core))
        core.serving["INFO"] = None
        core.info_packages = self._info_packages
        core.trusts = self._trusts
        core.accepts += DTMF_TYPES
        if self._on_message is not None:
            inbox = Inbox(core, self._on_message, self._message_types)
            core.serving["MESSAGE"] = inbox.receive
            core.accepts += inbox.accept
        for method, on_request in self._services.items():
            core.serving[method] = Service(core, on_request).receive
        for notifier in self._notifiers:
            notifier.attach(core)
        if self._proxy is not None:
            core.route_set = core.outbound = (loose_route(self._proxy),)
        self._capabilities = Capabilities(core, self._media, self.readiness, self._features)
        core.serving["OPTIONS"] = self._capabilities.receive
        self._registrations = Registrations(core, self._capabilities)
        core.stack.observer = self._observer
        core.transports = self._open_transports(
            core.received, core.stack.failed, batch_ended=core.stack.batch_ended, tls=self._tls, report=logger.info
        )
        core.transports.watch(self._registrations.flow_closed)
        core.stack.attach(core.transports)
        core.stack.stand_in_by(core.resolver)
        core.transports.gather(_UDP_ROUND)
        try:
            await listen(core.transports, [listening_point(text) for text in self._listen], self._advertise)
            for endpoint in core.transports.endpoints:
                if not endpoint.is_reliable:
                    endpoint.ask_for_port()
            core.resolver.speak(core.transports.endpoints)
        except BaseException:
            await self._release()
            raise

    async def close(self) -> None:
        """Hangs up every call, waits for what that takes, and lets the sockets go."""
        core = self.core
        for standing in list(core.standing):
            standing.close()
        for dialog in core.dialogs:
            for usage in usages_of(dialog):
                usage.close()
        if core.tasks:
            await asyncio.wait(core.tasks, timeout=64 * core.timers.t1 + 1)
        await self._release()

    async def _release(self) -> None:
        core = self.core
        for task in core.tasks:
            task.cancel()
        core.resolver.close()
        core.transports.watch(None)
        core.stack.batch_ended()
        core.stack.close()
        await core.transports.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        await self.close()

    async def run(self, *listen: str) -> None:
        """Listens, there if named, and serves until it is cancelled: for a program that does nothing else (see `collector.calmed`)."""
        if listen:
            self._listen = listen
        async with self:
            with calmed():
                await asyncio.get_running_loop().create_future()

    @property
    def core(self) -> AgentCore:
        """What stands behind all of this. Raises `RuntimeError` before the agent is open."""
        if self._core is None:
            raise RuntimeError("the user agent is not open: `async with agent:`, or `await agent.open()`")
        return self._core

    @property
    def endpoints(self) -> list[Endpoint]:
        """Where it listens."""
        return self.core.transports.endpoints

    # What it says.

    def call(
        self,
        uri: str,
        *,
        headers: Iterable[tuple[str, object]] = (),
        offers: bool = True,
        follows: bool = True,
        ring_for: float | None = None,
        requires: Iterable[str] = (),
        media: MediaFactory | None = None,
        anonymous: bool | str = False,
        on_offer: OnOffer | None = None,
    ) -> OutgoingCall:
        """A call to a URI, placed when it is awaited, entered, or told to `place()`.

        Without `offers` the callee is asked to offer; with `follows`, redirections are followed; after `ring_for` seconds it is given up.
        Who does not know the extensions that it `requires` (`100rel`) refuses it with 420. An `anonymous` call does not say who calls, and
        asks the network not to: True, or what a privacy service shall hide, "header;session;id" (RFC 3323, RFC 3325).
        A coroutine function `on_offer` is given what the callee offers, without `offers`, and gives the answer: that of somebody else, who
        is called meanwhile. Until then the callee has no ACK, for which it waits 32 s; what the coroutine raises, the call raises.
        """
        return OutgoingCall(
            self.core,
            uri,
            media or self._media,
            headers=headers,
            offers=offers,
            follows=follows,
            ring_for=ring_for,
            requires=requires,
            anonymous=anonymous,
            on_offer=on_offer,
        )

    async def message(
        self,
        uri: str,
        content: str | bytes,
        content_type: str | None = None,
        *,
        headers: Iterable[tuple[str, object]] = (),
        expires: int | None = None,
    ) -> Response:
        """Sends an instant message (RFC 3428): text, or octets and their type; after `expires` seconds it is of no use any more.

        Gives the 2xx: 202 says that it will be delivered later, perhaps. One that goes to the same URI waits until this one is answered.
        Raises `RequestFailed`. What has more than 1300 octets goes over TCP.
        """
        return await send_message(self.core, uri, content, content_type, headers, expires)

    async def request(
        self,
        method: str,
        uri: str,
        *,
        headers: Iterable[tuple[str, object]] = (),
        body: bytes = b"",
        content_type: str | None = None,
    ) -> Response:
        """Sends a request of any method outside of calls; challenges are answered. Gives its final response, whatever the status.

        Raises `RequestTimedOut` or `Unreachable` where none came, ValueError for what has a verb of its own, INVITE say.
        """
        return await send_request(self.core, method, uri, headers, body, content_type)

    def refer(
        self,
        uri: str,
        refer_to: str,
        *,
        headers: Iterable[tuple[str, object]] = (),
        reports: bool = True,
        patience: float = DEFAULT_PATIENCE,
        on_progress: OnProgress | None = None,
    ) -> Reference:
        """Asks the party at a URI to contact another one, outside of any call (RFC 3515): a click to call.

        Awaiting it waits for the final status of that; the rest is as in `Reference`. `TransferFailed` says why it did not come about.
        """
        return Reference(self.core, uri, refer_to, headers=headers, reports=reports, patience=patience, on_progress=on_progress)

    def subscribe(
        self,
        uri: str,
        event: str,
        *,
        expires: int = DEFAULT_EXPIRES,
        accept: Iterable[str] = (),
        headers: Iterable[tuple[str, object]] = (),
        body: bytes = b"",
        content_type: str | None = None,
        forks: Forks = "first",
        resumes: bool = True,
        within: Call | None = None,
    ) -> Subscription:
        """A subscription to an event package at a URI, begun when it is awaited or entered; iterating it gives the notifications.

        `event` is an Event value, "presence". `within` a call that stands, it shares the call's dialog (RFC 6665 §4.5.2). The rest is as in
        `Subscription`.
        """
        session = None if within is None else within.session
        return Subscription(
            self.core,
            uri,
            Event.parse(event),
            expires=expires,
            accept=accept,
            headers=headers,
            body=body,
            content_type=content_type,
            forks=forks,
            resumes=resumes,
            dialog=None if session is None else session.dialog,
        )

    def registration(
        self,
        *,
        registrars: Iterable[str | None] = (None,),
        proxies: Iterable[str] = (),
        expires: int = DEFAULT_LIFETIME,
        q: float | None = None,
        on_change: OnChange | None = None,
    ) -> Registration:
        """A registration at the domain of the address-of-record, or at the `registrars` named by URI (None: the domain); see there. Through
        each of the `proxies`, where some are named: several ways to one agent, which needs an `instance` then (RFC 5626 §4.2.1).

        `async with alice.registration(): …` registers now, refreshes meanwhile, and removes the binding at the end.
        """
        ways = tuple(proxies) or (None,)
        if len(ways) > 1 and self.identity.instance is None:
            raise ValueError("several ways to one agent need its `instance`, or each would replace the one before")
        found = [self._registrations.registrar(uri, proxy) for uri in registrars for proxy in ways]
        return Registration(self._registrations, found, expires=expires, q=q, on_change=on_change)

    async def bindings(self, registrar: str | None = None) -> list[NameAddr]:
        """Where a registrar has this address-of-record bound to, every user agent's bindings included (§10.2.3)."""
        return await self._registrations.registrar(registrar).bindings()

    async def remove_bindings(self, registrar: str | None = None) -> None:
        """Removes every binding of this address-of-record, other user agents' included (§10.2.2)."""
        await self._registrations.registrar(registrar).remove_bindings()

    async def options(self, uri: str) -> Response:
        """Asks what a party can do and whether it would take a call now (§11.1); gives its answer, whatever the status.

        Raises `AuthenticationFailed`, or `RequestTimedOut` or `Unreachable` where no answer came.
        """
        return await ask_options(self.core, uri)

    def publish(
        self,
        event: str,
        body: bytes,
        *,
        content_type: str,
        expires: int = DEFAULT_EXPIRES,
        uri: str | None = None,
        headers: Iterable[tuple[str, object]] = (),
        on_failure: OnFailure | None = None,
    ) -> Publication:
        """A publication of event state (RFC 3903), of our own or of `uri`'s, made when it is awaited or entered; see `Publication`."""
        return Publication(
            self.core,
            Event.parse(event),
            body,
            content_type=content_type,
            expires=expires,
            uri=uri,
            headers=headers,
            on_failure=on_failure,
        )

    # What it hears.

    def serve(self, method: str, on_request: OnRequest) -> None:
        """Has a function or coroutine answer every request of a method, PUBLISH or one of your own, and names it in Allow from now on.

        It is given an `IncomingRequest`; what it returns is the answer, a `Reply`, a status or None for 200, and raising `Refused` refuses.
        ValueError for a method that calls and subscriptions live by.
        """
        if not may_be_served(method):
            raise ValueError(f"{method} is answered by the agent itself")
        self._services[method] = on_request
        if self._core is not None:
            self.core.serving[method] = Service(self.core, on_request).receive

    def serve_event(self, package: EventPackage, on_subscription: OnSubscription | None = None) -> Notifier:
        """Serves an event package from now on, or from when the agent is opened: its `Notifier` tells the subscribers what is new."""
        notifier = Notifier(package, on_subscription)
        self._notifiers.append(notifier)
        if self._core is not None:
            notifier.attach(self.core)
        return notifier

    def _invited(self, event: RequestReceived, _now: float) -> None:
        """§13.3.1: a call comes in."""
        core = self.core
        keys = event.request.headers.keys
        named: Call | None = None
        if "replaces" in keys or "join" in keys:
            found = find_named_call(core, event.request, self.may_replace, accepts_joins=self._accepts_joins)
            if isinstance(found, Refusal):
                core.refuse(event, found)
                return
            named = found
        readiness = self.readiness()
        if (readiness != 200 and named is None) or self.on_call is None:
            core.refuse(event, Refusal(readiness))
            return
        if self._requires and (refusal := shortcoming(event.request, self._requires)) is not None:
            core.refuse(event, refusal)
            return
        if (refusal := shortness(event.request, self._interval)) is not None:
            core.refuse(event, refusal)
            return
        try:
            call = IncomingCall(core, event, self._media(event.flow.endpoint.advertised))
        except UNUSABLE as error:
            core.refuse(event, refusal_of(error, core))
            return
        if named is not None:
            call.replaces, call.joins = (named, None) if "replaces" in keys else (None, named)
        core.spawn(attend(call, self.on_call))

    def readiness(self) -> int:
        """The status that an INVITE or an OPTIONS gets: 200, `refuses_with`, or 480 where nobody is there to take calls (§11.2)."""
        return self.refuses_with or (200 if self.on_call is not None else 480)
