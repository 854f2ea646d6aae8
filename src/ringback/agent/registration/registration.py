"""Being registered: our binding at each registrar, made, refreshed, lost, made again and removed (RFC 3261 §10.2, RFC 3608)."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ringback.address import Endpoint
from ringback.agent.errors import AuthenticationFailed, RequestFailed, RequestRejected
from ringback.agent.registration.registrar import Registrar, contacts_of, hosts_of, service_route_of
from ringback.message.errors import SipParseError
from ringback.message.fields.name_addr import NameAddr
from ringback.message.message import Response

if TYPE_CHECKING:
    from ringback.agent.capabilities import Capabilities
    from ringback.agent.core import AgentCore
    from ringback.agent.registration.registrations import Registrations

DEFAULT_LIFETIME = 3600
"""Seconds a binding is asked for: what a registrar grants whoever names no time (§10.3 step 7 has it as an example)."""

# Seconds. Refreshed 600 before the end, or halfway where that is sooner, as 3GPP TS 24.229 §5.1.1.4 has phones do; up to a tenth sooner,
# by chance, so that those who registered together (after a power cut, say) drift apart. A registrar that grants next to nothing is asked
# every five seconds at most: a choice.
_AHEAD = 600.0
_SHORTEST_PAUSE = 5.0

# RFC 5626 §4.5: the longest wait after a first failure is twice the base, then it doubles up to the maximum; half of it is chance.
_BASE_PAUSE = 30.0
_LONGEST_PAUSE = 1800.0

# A Retry-After (§20.33) is waited for, but a slip of the pen there shall not keep a phone off for years. A choice: a day.
_LONGEST_RETRY_AFTER = 86_400.0

# Seconds to wait for the answer when leaving: four copies of the request over UDP are sent by then (timer E). A choice.
_PATIENCE = 5.0

# Refusals below 500 that may pass by themselves. After any other the same request would only be refused again.
_PASSING = frozenset((408, 429, 480, 486, 491))

_chance = secrets.SystemRandom().random

OnChange = Callable[["Registration"], None]
"""Hears that `is_registered` or `fault` has changed."""


class Registration:
    """The bindings of one user agent at its registrars, while it lasts.

        async with alice.registration() as registration: …

    registers, refreshes meanwhile, and removes our binding (no other) at the end. A refresh that fails is tried again after pauses that
    grow; one that is refused for good, by a wrong password say, is not. `is_registered` and `fault` say how it stands.
    """

    def __init__(
        self,
        registrations: Registrations,
        registrars: Iterable[Registrar],
        *,
        expires: int = DEFAULT_LIFETIME,
        q: float | None = None,
        on_change: OnChange | None = None,
    ) -> None:
        """`expires` is the time to ask for in seconds, `q` our preference among other bindings (0 to 1). ValueError where they are not."""
        if not 1 <= expires <= 2**32 - 1:
            raise ValueError(f"no time for a binding to last: {expires}")
        if q is not None and not 0 <= q <= 1:
            raise ValueError(f"no preference from 0 to 1: {q}")
        self._registrations = registrations
        self._on_change = on_change
        self._changes: list[asyncio.Future[None]] = []
        self._before: tuple[bool, RequestFailed | None] = (False, None)
        self.bindings = [_Binding(self, registrations, registrar, expires, q) for registrar in registrars]
        if not self.bindings:
            raise ValueError("no registrar to register at")

    @property
    def is_registered(self) -> bool:
        """Whether a binding of ours stands at one registrar at least, as far as we know."""
        return any(binding.is_bound for binding in self.bindings)

    @property
    def expires_in(self) -> int | None:
        """The seconds that a binding of ours still lasts unless it is refreshed, the longest one; None where none stands."""
        return max((seconds for binding in self.bindings if (seconds := binding.expires_in) is not None), default=None)

    @property
    def fault(self) -> RequestFailed | None:
        """What the latest attempt has failed with, at the first registrar where it has; None where all is well."""
        return next((binding.fault for binding in self.bindings if binding.fault is not None), None)

    @property
    def service_route(self) -> tuple[str, ...]:
        """The Route values that a registrar wants our requests to have (RFC 3608)."""
        return next((binding.service_route for binding in self.bindings if binding.service_route), ())

    async def register(self) -> None:
        """Registers at every registrar now, or refreshes; afterwards it goes on by itself until `unregister`.

        Raises `AuthenticationFailed`, `RequestRejected`, `RequestTimedOut` or `Unreachable` where no registrar has taken it. Where one has,
        the others are tried again later.
        """
        standing = self._registrations.standing
        is_new = self not in standing
        if is_new:
            standing.append(self)
            self._registrations.core.standing.add(self)
        try:
            outcomes = await asyncio.gather(*(binding.make() for binding in self.bindings))
            faults = [fault for fault in outcomes if fault is not None]
            if len(faults) == len(outcomes):
                raise faults[0]
        except BaseException:
            if is_new:
                await self._leave()
            raise

    async def unregister(self, *, patience: float = _PATIENCE) -> None:
        """Removes our bindings (§10.2.2) and ends the refreshing. Waits `patience` seconds at most; then they expire by themselves."""
        removing = [asyncio.ensure_future(binding.remove()) for binding in self.bindings]
        _, late = await asyncio.wait(removing, timeout=patience)
        for task in late:
            task.cancel()
        await asyncio.gather(*removing, return_exceptions=True)
        await self._leave()

    def close(self) -> None:
        """The program ends: removes our bindings, in a task of the core's."""
        self._registrations.core.spawn(self.unregister())

    async def changed(self) -> bool:
        """Waits until `is_registered` or `fault` changes; gives `is_registered`."""
        change = asyncio.get_running_loop().create_future()
        self._changes.append(change)
        await change
        return self.is_registered

    async def _leave(self) -> None:
        for binding in self.bindings:
            await binding.stop()
        if self in self._registrations.standing:
            self._registrations.standing.remove(self)
            self._registrations.core.standing.discard(self)
        self.bindings_changed()

    def bindings_changed(self) -> None:
        """Hears from a binding that it was made, lost, or could not be refreshed."""
        self._registrations.take_routes()
        now = (self.is_registered, self.fault)
        if now == self._before:
            return
        self._before = now
        changes, self._changes = self._changes, []
        for change in changes:
            if not change.done():
                change.set_result(None)
        if self._on_change is not None:
            # Not within the turn that this is found out in: what it raises is the program's affair.
            asyncio.get_running_loop().call_soon(self._on_change, self)

    async def __aenter__(self) -> Self:
        await self.register()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        await self.unregister()

    def __repr__(self) -> str:
        return f"<Registration {'registered' if self.is_registered else self.fault or 'not registered'}>"


class _Binding:
    """Our binding at one registrar."""

    __slots__ = (
        "_asked",
        "_contact",
        "_end",
        "_failures",
        "_q",
        "_registrations",
        "_task",
        "fault",
        "is_bound",
        "registrar",
        "service_route",
        "user",
    )

    def __init__(self, user: Registration, registrations: Registrations, registrar: Registrar, expires: int, q: float | None) -> None:
        self.user = user
        self.registrar = registrar
        self.is_bound = False
        self.fault: RequestFailed | None = None
        self.service_route: tuple[str, ...] = ()
        self._registrations = registrations
        self._asked = expires
        self._q = "" if q is None else f";q={q:.3f}".rstrip("0").rstrip(".")
        self._contact: str | None = None
        self._end: asyncio.TimerHandle | None = None
        self._failures = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def expires_in(self) -> int | None:
        """The seconds that it still lasts; None where there is none."""
        return None if self._end is None else round(self._end.when() - self._core.loop.time())

    @property
    def _core(self) -> AgentCore:
        return self._registrations.core

    @property
    def _capabilities(self) -> Capabilities:
        return self._registrations.capabilities

    def _write_contact(self, endpoint: Endpoint) -> str:
        core = self._core
        self._contact = core.identity.contact(endpoint)
        return f"{self._contact}{self._capabilities.contact_params(endpoint)}{self._q}"

    async def make(self) -> RequestFailed | None:
        """Registers now and from then on; gives the fault where that fails, and tries again later unless it was refused for good."""
        await self.stop()
        pause: float | None
        try:
            pause = await self._register()
        except RequestFailed as error:
            pause = self._failed(error)
        if pause is not None:
            self._task = self._core.loop.create_task(self._keep(pause))
        return self.fault

    async def _keep(self, pause: float | None) -> None:
        while pause is not None:
            await asyncio.sleep(pause)
            try:
                pause = await self._register()
            except RequestFailed as error:
                pause = self._failed(error)

    async def _register(self) -> float:
        """One REGISTER that succeeds; gives the seconds after which it wants to be refreshed."""
        response = await self.registrar.ask(self._write_contact, self._asked)
        assert self._contact is not None, "the REGISTER had a Contact"
        seconds = granted(response, self._contact, self._asked)
        if seconds == 0:
            raise RequestRejected(response.status, "the registrar keeps no binding of ours", response)
        self._failures = 0
        self.fault = None
        self.service_route = service_route_of(response)
        for host in hosts_of(self.service_route):
            # RFC 3608: whom the registrar names may ask for its realm's password, as an outbound proxy may.
            self._core.accounts.trust(host)
        self._bound(seconds)
        return refresh_after(seconds, _chance())

    def _bound(self, seconds: float) -> None:
        self.is_bound = True
        if self._end is not None:
            self._end.cancel()
        self._end = self._core.loop.call_later(seconds, self._lose)
        self.user.bindings_changed()

    def _lose(self) -> None:
        """The binding is no more, or can no longer be counted on."""
        self.is_bound = False
        self.service_route = ()
        if self._end is not None:
            self._end.cancel()
            self._end = None
        self.user.bindings_changed()

    def _failed(self, error: RequestFailed) -> float | None:
        """The seconds to wait after a failure; None where trying again would be of no use."""
        self.fault = error
        if is_definite(error):
            self._lose()
            return None
        self._failures += 1
        self.user.bindings_changed()
        return max(back_off(self._failures, _chance()), min(error.retry_after or 0.0, _LONGEST_RETRY_AFTER))

    async def stop(self) -> None:
        """Ends the refreshing."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def remove(self) -> None:
        """Removes the binding, where there may be one."""
        await self.stop()
        contact = self._contact
        # After a timeout, or while no answer has come, nobody knows whether the registrar has it.
        is_there = self.is_bound or self.registrar.is_asked or (self.fault is not None and self.fault.response is None)
        self.fault = None
        self._lose()
        if contact is None or not is_there:
            return
        try:
            await self.registrar.ask(lambda _: contact, 0)
        except RequestFailed as error:
            self.fault = error


def granted(response: Response, contact: str, asked: int) -> int:
    """The seconds for which a 2xx to REGISTER says that our Contact is bound (§10.2.4), compared as URIs are (§19.1.4)."""
    ours = NameAddr.parse(contact).uri
    found = []
    for binding in contacts_of(response):
        try:
            if ours.matches(binding.uri):
                found.append(binding.expires)
        except SipParseError:
            continue
    own = [seconds for seconds in found if seconds is not None]
    if own:
        return max(own)
    # It says so for all, or it knows us by another address, as behind an address translator, or tells nobody what it keeps.
    expires = response.expires
    return asked if expires is None else expires


def refresh_after(seconds: float, chance: float) -> float:
    """When to refresh a binding that lasts so many seconds; `chance` is from 0 to 1."""
    latest = seconds - _AHEAD if seconds > 2 * _AHEAD else seconds / 2
    return max(latest * (1 - chance / 10), _SHORTEST_PAUSE)


def back_off(failures: int, chance: float) -> float:
    """The seconds to wait after so many failures in a row (RFC 5626 §4.5); `chance` is from 0 to 1."""
    longest = _LONGEST_PAUSE if failures > 10 else min(_LONGEST_PAUSE, _BASE_PAUSE * 2**failures)
    return longest * (1 + chance) / 2


def is_definite(error: RequestFailed) -> bool:
    """Whether the same request would be refused again: the fault is ours, or the user is not known there."""
    if isinstance(error, AuthenticationFailed) or error.status >= 600:
        return True
    return 400 <= error.status < 500 and error.status not in _PASSING and error.retry_after is None
