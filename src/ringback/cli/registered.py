"""A registration as the commands have it: while it lasts, what becomes of it is said."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ringback.cli.agent_run import PATIENCE, fail
from ringback.cli.duration import duration_text
from ringback.trace.printable import printable

if TYPE_CHECKING:
    from ringback.agent.errors import RequestFailed
    from ringback.agent.registration.registration import Registration
    from ringback.agent.user_agent import UserAgent
    from ringback.cli.agent_options import AgentOptions
    from ringback.cli.live_state import LiveState

# Less than the whole way out may take, so that there is time to say that nobody has answered.
_PATIENCE = PATIENCE - 1


class Registered:
    """Enter it to register, leave it to unregister. `refused` is done, with the exit status, when a refresh was refused for good."""

    def __init__(
        self,
        agent: UserAgent,
        state: LiveState,
        options: AgentOptions,
        *,
        registrar: str | None = None,
        expires: int,
        q: float | None = None,
    ) -> None:
        self.refused: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._registration = agent.registration(registrars=(registrar,), expires=expires, q=q, on_change=self._changed)
        self._aor = agent.identity.aor
        self._state = state
        self._options = options
        self._is_begun = False
        self._before: tuple[bool, RequestFailed | None] = (False, None)

    async def __aenter__(self) -> Self:
        self._state.show(self, f"registering {printable(self._aor)}", spins=True)
        try:
            await self._registration.register()
        except BaseException:
            self._state.drop(self)
            raise
        self._is_begun = True
        self._changed(self._registration)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        was_registered = self._registration.is_registered
        # From now on it is we who change it.
        self._is_begun = False
        self._state.drop(self)
        await self._registration.unregister(patience=_PATIENCE)
        if any(binding.registrar.is_asked for binding in self._registration.bindings):
            line = f"no answer: {printable(self._aor)} may stay registered until the binding expires"
            self._state.fail(line, aor=self._aor, fault=line)
        elif self._registration.fault is not None:
            fail(self._state, self._registration.fault, self._options)
        elif was_registered:
            self._state.tell("unregistered", f"unregistered {printable(self._aor)}", aor=self._aor)

    def _changed(self, registration: Registration) -> None:
        """Hears that the binding was made, lost, or could not be refreshed."""
        from ringback.agent.registration.binding import is_definite

        is_registered, fault = now = (registration.is_registered, registration.fault)
        if not self._is_begun or now == self._before:
            return
        self._before = now
        aor = printable(self._aor)
        if fault is not None:
            status = fail(self._state, fault, self._options)
            if is_definite(fault):
                if not self.refused.done():
                    self.refused.set_result(status)
                return
            self._state.show(self, f"trying again to register {aor}", spins=True)
        elif is_registered:
            seconds = registration.expires_in
            lasting = "" if seconds is None else f" for {duration_text(seconds)}"
            self._state.tell("registered", f"registered {aor}{lasting}", "green", aor=self._aor, expires=seconds)
            self._state.show(self, f"registered {aor}; Ctrl-C unregisters")
