"""Agents of ours in the test's own process, on real sockets of 127.0.0.1, beside peers that are processes of their own."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from ringback import Call, CallEnded, IncomingCall, UserAgent
from ringback.sdp.description import SessionDescription
from tests.interop.ports import free_port

T = TypeVar("T")

LIMIT = 15.0
"""Seconds a whole test may take."""


class Loopback:
    """Agents by name, and all they say and hear. At the end they close, and nothing may be left of them, nor an exception swallowed."""

    def __init__(self) -> None:
        self.agents: list[UserAgent] = []
        self.said: list[bytes] = []
        """Every datagram and message sent by an agent."""
        self.heard: list[bytes] = []
        """Every one that came."""
        self.faults: list[dict[str, Any]] = []

    async def agent(self, name: str, aor: str = "", *, transport: str = "udp", port: int = 0, **options: Any) -> UserAgent:
        """An open agent at a port of its own; its address-of-record is its address unless given."""
        port = port or free_port()
        agent = UserAgent(
            aor or f"sip:{name}@127.0.0.1:{port}", listen=[f"{transport}://127.0.0.1:{port}"], observer=self._passed, **options
        )
        await agent.open()
        self.agents.append(agent)
        return agent

    def _passed(self, direction: str, octets: bytes, *_: object) -> None:
        (self.said if direction == "out" else self.heard).append(octets)

    def repeated(self) -> list[bytes]:
        """What was sent or came more than once: retransmissions."""
        return [octets for each in (self.said, self.heard) for octets, count in Counter(each).items() if count > 1]

    def heard_first_lines(self, beginning: str) -> list[str]:
        """The first lines of what came, those that begin so."""
        lines = [octets.partition(b"\r\n")[0].decode() for octets in self.heard]
        return [line for line in lines if line.startswith(beginning)]

    async def __aenter__(self) -> Self:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: self.faults.append(context))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for agent in self.agents:
            await agent.close()
        if error is not None:
            passed = b"\n".join([b"came:", *self.heard[-12:], b"said:", *self.said[-12:]])
            error.add_note(passed.decode("utf-8", "replace"))
            return
        for agent in self.agents:
            assert not agent.core.tasks, agent.core.tasks
            assert len(agent.core.dialogs) == 0, list(agent.core.dialogs)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, left
        assert self.faults == [], "an exception in a callback would only be logged"


def on_loopback(scenario: Callable[[Loopback], Coroutine[Any, Any, None]], seconds: float = LIMIT) -> Loopback:
    """Plays a scenario in real time, bounded; gives what was said in it."""
    loopback = Loopback()

    async def play() -> None:
        async with asyncio.timeout(seconds), loopback:
            await scenario(loopback)

    asyncio.run(play())
    return loopback


def uri_of(agent: UserAgent) -> str:
    """Where an agent is reached, by address and port."""
    endpoint = agent.endpoints[0]
    return f"sip:{agent.identity.user}@{endpoint.host}:{endpoint.port}"


async def beside(wait: Callable[[], T]) -> T:
    """What a blocking function gives, with the agents going on meanwhile."""
    return await asyncio.to_thread(wait)


async def until(is_so: Callable[[], object], what: str, seconds: float = 10.0) -> None:
    """Looks until `is_so()` holds, with the agents going on meanwhile."""
    try:
        async with asyncio.timeout(seconds):
            while not is_so():
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"not within {seconds:g} s: {what}") from None


class Calls:
    """Takes an agent's calls: the next one is awaited from `next()`; it stays until it is over. `rings` for so many seconds first."""

    def __init__(self, rings: float = 0.0, *, answers: bool = True) -> None:
        self._arrived: asyncio.Queue[IncomingCall] = asyncio.Queue()
        self._rings = rings
        self._answers = answers
        self.ends: list[str] = []
        """Why each call that came has ended."""

    async def take(self, call: IncomingCall) -> None:
        """The agent's `on_call`."""
        try:
            await call.ring()
            if self._answers:
                await asyncio.sleep(self._rings)
                await call.answer()
            self._arrived.put_nowait(call)
            await call.ended()
        except CallEnded:
            pass
        finally:
            self.ends.append(call.reason or "")

    async def next(self) -> IncomingCall:
        """The next call, answered if that is what this does."""
        return await self._arrived.get()


async def gather(*waiting: Awaitable[Any]) -> None:
    """Waits for all; the first that fails fails it."""
    await asyncio.gather(*waiting)


def description_of(call: Call, side: str) -> SessionDescription:
    """What the peer ("remote") or we ("local") said last, of what was agreed upon."""
    assert call.session is not None, "the call was answered"
    exchange = call.session.negotiation.exchange
    description = exchange.remote if side == "remote" else exchange.local
    assert description is not None, "something was agreed upon"
    return description


def direction_of(call: Call) -> str:
    """What the peer said last its audio does: sendrecv, sendonly …"""
    return description_of(call, "remote").media[0].direction


def our_direction_of(call: Call) -> str:
    """What we said last ours does."""
    return description_of(call, "local").media[0].direction
