"""Being registered: our binding at each registrar, made, refreshed, lost, made again and removed (RFC 3261 §10.2, RFC 3608)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ringback.address import Flow
from ringback.agent.errors import RequestFailed
from ringback.agent.registration.binding import NONE, Binding, Gruus
from ringback.agent.registration.registrar import Registrar

if TYPE_CHECKING:
    from ringback.agent.registration.registrations import Registrations

DEFAULT_LIFETIME = 3600
"""Seconds a binding is asked for: what a registrar grants whoever names no time (§10.3 step 7 has it as an example)."""

# Seconds to wait for the answer when leaving: four copies of the request over UDP are sent by then (timer E). A choice.
_PATIENCE = 5.0

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
        self.bindings = [Binding(self, registrations, registrar, index, expires, q) for index, registrar in enumerate(registrars, 1)]
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

    @property
    def route(self) -> tuple[str, ...]:
        """The way through a proxy of this registration's own over which we are registered."""
        return next((binding.registrar.route for binding in self.bindings if binding.is_bound and binding.fault is None), ())

    @property
    def gruus(self) -> Gruus:
        """The public and the temporary GRUU that the registrar gives this agent while it is registered (RFC 5627)."""
        return next((binding.gruus for binding in self.bindings if binding.gruus != NONE), NONE)

    def flow_closed(self, flow: Flow) -> None:
        """Hears that a connection is gone."""
        for binding in self.bindings:
            if binding.is_over(flow):
                binding.flow_failed("the connection was closed")

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
            await binding.end()
        if self in self._registrations.standing:
            self._registrations.standing.remove(self)
            self._registrations.core.standing.discard(self)
        self.bindings_changed()

    def bindings_changed(self) -> None:
        """Hears from a binding that it was made, lost, or could not be refreshed."""
        self._registrations.take_ways()
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
