"""A party: what a program says to the SIP world and hears from it (RFC 3261 §8, §13)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from importlib.metadata import version
from types import TracebackType
from typing import Self

from ringback.address import Endpoint
from ringback.agent.core import AgentCore
from ringback.agent.errors import CallEnded
from ringback.agent.identity import Identity
from ringback.agent.incoming_call import IncomingCall
from ringback.agent.inspection import Refusal, shortcoming
from ringback.agent.interruption import Interruptible
from ringback.agent.media import MediaFactory, SilentMedia
from ringback.agent.outgoing_call import OutgoingCall
from ringback.agent.refusal import UNUSABLE, refusal_of
from ringback.agent.usage import usages_of
from ringback.digest import Account, Accounts
from ringback.message.uri import SipUri, parse_uri
from ringback.stack import Observer
from ringback.tokens import Tokens
from ringback.transaction.events import RequestReceived
from ringback.transaction.timers import DEFAULT_TIMERS, TimerValues
from ringback.transport.listening import listen, listening_point
from ringback.transport.transports import Transports

OnCall = Callable[[IncomingCall], Awaitable[None]]
"""A program's way with an incoming call; returning hangs up, or declines what was not answered."""

DEFAULT_LISTEN = ("udp://0.0.0.0:0",)


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
        proxy: str | None = None,
        on_call: OnCall | None = None,
        media: MediaFactory = SilentMedia,
        listen: Iterable[str] = DEFAULT_LISTEN,
        advertise: str | None = None,
        observer: Observer | None = None,
        open_transports: Callable[..., Transports] = Transports,
        timers: TimerValues = DEFAULT_TIMERS,
        max_transactions: int = 100_000,
        requires: Iterable[str] = (),
    ) -> None:
        """`username` is the account's, the address-of-record's own unless given; `realm` the only one its password is for.

        `proxy` is the URI of an outbound proxy, `listen` where to listen (`udp://0.0.0.0:0`: any free port of every address). `observer`
        sees every message. `open_transports` makes the transports: real sockets unless `partial(network.host, "192.0.2.1")` says otherwise.
        Callers must know every extension in `requires` (`100rel`): others get 421 Extension Required.
        Raises `SipParseError` or `ValueError` where `aor` is no SIP URI.
        """
        self.identity = Identity(aor, display_name)
        self.on_call = on_call
        self._listen = tuple(listen)
        self._accounts = [Account(username or self.identity.user, password=password, realm=realm)] if password is not None else []
        self._proxy = proxy
        self._media = media
        self._advertise = advertise
        self._observer = observer
        self._open_transports = open_transports
        self._timers = timers
        self._max_transactions = max_transactions
        self._requires = tuple(requires)
        self.core: AgentCore

    # Being there.

    async def open(self) -> None:
        """Listens. `OSError` says which address could not be had."""
        core = self.core = AgentCore(
            self.identity, Accounts(self._accounts, Tokens(), self._homes()), timers=self._timers, max_transactions=self._max_transactions
        )
        core.software = f"Ringback/{version('ringback')}"
        core.serving.update(INVITE=self._invited, ACK=None, BYE=None, CANCEL=None, OPTIONS=self._asked, PRACK=None, UPDATE=None)
        core.extensions.append("100rel")
        if self._proxy is not None:
            core.route_set = (f"<{self._proxy}>" if ";lr" in self._proxy else f"<{self._proxy};lr>",)
        core.stack.observer = self._observer
        core.transports = self._open_transports(core.stack.received, core.stack.failed, batch_ended=core.stack.batch_ended)
        core.stack.attach(core.transports)
        try:
            await listen(core.transports, [listening_point(text) for text in self._listen], self._advertise)
            if not any(endpoint.transport == "UDP" for endpoint in core.transports.endpoints):
                # RFC 3263 §4.1 prefers UDP among what is spoken: who listens for TCP alone is reached, and sends, by TCP alone.
                core.resolver.default_transport = core.transports.endpoints[0].transport
        except BaseException:
            await self._release()
            raise

    async def close(self) -> None:
        """Hangs up every call, waits for what that takes, and lets the sockets go."""
        core = self.core
        for dialog in core.dialogs:
            for usage in usages_of(dialog):
                usage.close()
        if core.tasks:
            await asyncio.wait(core.tasks, timeout=64 * core.timers.t1 + 1)
        await self._release()

    def _homes(self) -> list[str]:
        """The hosts that may ask for our password: the domain of the address-of-record, and the outbound proxy."""
        homes = [self.identity.uri.host]
        proxy = None if self._proxy is None else parse_uri(self._proxy)
        if isinstance(proxy, SipUri):
            homes.append(proxy.host)
        return homes

    async def _release(self) -> None:
        core = self.core
        for task in core.tasks:
            task.cancel()
        core.resolver.close()
        core.stack.batch_ended()
        core.stack.close()
        await core.transports.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        await self.close()

    async def run(self, *listen: str) -> None:
        """Listens, there if named, and serves until it is cancelled."""
        if listen:
            self._listen = listen
        async with self:
            await asyncio.get_running_loop().create_future()

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
    ) -> OutgoingCall:
        """A call to a URI, placed when it is awaited, entered, or told to `place()`.

        Without `offers` the callee is asked to offer; with `follows`, redirections are followed; after `ring_for` seconds it is given up.
        Who does not know the extensions that it `requires` (`100rel`) refuses it with 420.
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
        )

    # What it hears.

    def _invited(self, event: RequestReceived, _now: float) -> None:
        """§13.3.1: a call comes in."""
        core = self.core
        if self.on_call is None:
            core.refuse(event, Refusal(480))
            return
        if self._requires and (refusal := shortcoming(event.request, self._requires)) is not None:
            core.refuse(event, refusal)
            return
        try:
            call = IncomingCall(core, event, self._media(event.flow.endpoint.advertised))
        except UNUSABLE as error:
            core.refuse(event, refusal_of(error, core))
            return
        core.spawn(self._attend(call, self.on_call))

    async def _attend(self, call: IncomingCall, on_call: OnCall) -> None:
        """Runs the program's coroutine for a call; whatever becomes of it, the caller gets an end."""
        call.interruptible = Interruptible(_coroutine(on_call(call)))
        try:
            await call.interruptible
        except CallEnded:
            pass
        except Exception as error:  # noqa: BLE001 - whatever the program's own code raises
            if not call.is_answered and not call.is_over:
                await call.decline(500)
            self.core.loop.call_exception_handler({"message": "the coroutine of a call failed", "exception": error})
        finally:
            call.interruptible = None
            await call.hang_up()

    def _asked(self, event: RequestReceived, _now: float) -> None:
        """§11.2: what this party is capable of."""
        core = self.core
        assert event.transaction is not None, "OPTIONS has a transaction"
        response = core.response(event.request, 200)
        core.add_capabilities(response)
        core.respond(event.transaction, response)


async def _coroutine(awaitable: Awaitable[None]) -> None:
    await awaitable
