"""A user agent from a command's beginning to its end: signals, what is said, the way out (RFC 3261 §9.1, §10.2.2, §15)."""

from __future__ import annotations

import asyncio
import errno
import signal
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from ringback.cli.fault import Fault, os_fault
from ringback.cli.live_state import LiveState
from ringback.cli.outcome import INTERRUPTED, as_fields, exit_status, explain
from ringback.message.errors import SipParseError

if TYPE_CHECKING:
    from ringback.agent.call.call import Call
    from ringback.agent.user_agent import UserAgent
    from ringback.cli.agent_options import AgentOptions

PATIENCE = 5.0
"""Seconds that a goodbye may take in all: four copies of a request over UDP are sent by then (timer E). A choice."""

# Seconds within which a second signal is the same Ctrl-C: it goes to the whole group of processes, and a wrapper passes it on. A choice.
_SAME = 0.2

_PERIOD = 0.02

Act = Callable[["UserAgent", LiveState], Awaitable[int]]
"""What a command does with an open agent; gives its exit status. It is cancelled when the user has enough of it."""


def run_agent(options: AgentOptions, act: Act, *, says_goodbye: bool = True, **more: Any) -> NoReturn:
    """Runs a command and ends with its status. `more` is for `UserAgent`. Without `says_goodbye` Ctrl-C leaves nothing to be said.

    Raises `Fault` for what cannot be done as told.
    """
    raise SystemExit(asyncio.run(_Run(options, act, says_goodbye, more).run()))


class _Run:
    def __init__(self, options: AgentOptions, act: Act, says_goodbye: bool, more: dict[str, Any]) -> None:
        self._options = options
        self._act = act
        self._says_goodbye = says_goodbye
        self._more = more
        self._stopped_at: float | None = None
        self._is_hurried = False
        self._main: asyncio.Task[int]
        self._state: LiveState

    async def run(self) -> int:
        from ringback.trace.live import LiveLadder
        from ringback.trace.trace import Trace

        loop = asyncio.get_running_loop()
        state = self._state = LiveState(is_json=self._options.is_json, on_gone=partial(loop.call_soon, self._stop))
        observer = None
        if self._options.is_traced:
            observer = Trace([LiveLadder(state.console)], given_up=lambda _name, _error: state.gone())
        agent = self._options.agent(observer=observer, **self._more)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop)
        with state:
            self._main = loop.create_task(self._run_agent(agent))
            return await self._main

    def _stop(self) -> None:
        """The first time: says goodbye, which takes as long as it may. The second time: ends at once."""
        loop = asyncio.get_running_loop()
        if self._main.done():
            return
        if self._stopped_at is not None:
            if loop.time() - self._stopped_at > _SAME:
                self._hurry()
            return
        self._stopped_at = loop.time()
        if not self._says_goodbye:
            self._hurry()
            return
        loop.call_later(PATIENCE, self._hurry)
        self._state.show(self, "saying goodbye; Ctrl-C again ends at once", spins=True)
        self._main.cancel()

    def _hurry(self) -> None:
        if not self._is_hurried and not self._main.done():
            self._is_hurried = True
            self._main.cancel()

    async def _run_agent(self, agent: UserAgent) -> int:
        try:
            await _open(agent)
            try:
                return await self._perform(agent)
            finally:
                await self._part(agent)
        except asyncio.CancelledError:
            return INTERRUPTED

    async def _perform(self, agent: UserAgent) -> int:
        from ringback.agent.errors import RequestFailed

        try:
            return await self._act(agent, self._state)
        except RequestFailed as error:
            return fail(self._state, error, self._options)
        except (SipParseError, ValueError) as error:
            # What the library thinks of what was typed.
            raise Fault(str(error)) from None

    async def _part(self, agent: UserAgent) -> None:
        """Lets what was said arrive, then closes the agent; what has no answer in time will have none."""
        loop = asyncio.get_running_loop()
        end = loop.time() + PATIENCE

        def is_late() -> bool:
            return self._is_hurried or loop.time() >= end

        async def close() -> None:
            while not is_late() and (agent.core.tasks or _is_awaiting(agent)):  # noqa: ASYNC110 - no transaction tells
                await asyncio.sleep(_PERIOD)
            await agent.close()

        closing = loop.create_task(close())
        while not closing.done():
            try:
                await asyncio.wait([closing], timeout=_PERIOD)
            except asyncio.CancelledError:
                # The user is in a hurry, and finds no patience at the next look.
                pass
            if is_late():
                for task in list(agent.core.tasks):
                    task.cancel()
        closing.result()


async def _open(agent: UserAgent) -> None:
    try:
        await agent.open()
    except OSError as error:
        hint = "; --listen names another place" if error.errno == errno.EADDRINUSE else ""
        raise Fault(f"cannot listen: {os_fault(error)}{hint}") from None


def _is_awaiting(agent: UserAgent) -> bool:
    """Whether a request of ours has no final response yet, or a refusal of an INVITE no ACK."""
    from ringback.transaction.machines import CALLING, COMPLETED, PROCEEDING, TRYING

    layer = agent.core.layer
    return any(one.state in (CALLING, TRYING, PROCEEDING) for one in layer.clients.values()) or any(
        one.method == "INVITE" and one.state == COMPLETED for one in layer.servers.values()
    )


def fail(state: LiveState, error: Any, options: AgentOptions) -> int:
    """Says what went wrong; gives the exit status."""
    has_password = options.password is not None
    state.fail(explain(error, has_password), **as_fields(error, has_password))
    return exit_status(error)


async def hang_up(call: Call) -> None:
    """Hangs up and waits for the peer's word on that, but no longer than a person would."""
    try:
        async with asyncio.timeout(PATIENCE):
            await call.hang_up()
    except TimeoutError:
        return
