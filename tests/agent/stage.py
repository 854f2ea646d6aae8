"""A stage for user agents: a simulated network, agents with a host each, raw peers, and the look at the end that nothing is left."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self

from ringback import Request, Response, UserAgent
from ringback.message.parser import parse_datagram
from ringback.testing import Network, run
from ringback.trace.ladder import Arrow, draw
from tests.server.party import Party

# 64*T1 and what follows it: when every transaction must be over.
ROUNDS = 70.0


class Stage:
    """Agents by name on a network of their own: alice is 192.0.2.1, the next one 192.0.2.2 …

    At the end it closes every agent, waits until everything must be over, and asserts that no dialog, transaction or task is left and that
    no exception was swallowed.
    """

    def __init__(self, network: Network | None = None) -> None:
        self.network = network or Network()
        self.agents: dict[str, UserAgent] = {}
        self.parties: list[Party] = []
        self.faults: list[dict[str, Any]] = []
        self.names: dict[str, str] = {}

    def host(self, name: str) -> str:
        """The address of whoever is called so."""
        return next(host for host, other in self.names.items() if other == name)

    def _new_host(self, name: str) -> str:
        host = f"192.0.2.{len(self.names) + 1}"
        self.names[host] = name
        return host

    async def agent(self, name: str, aor: str | None = None, **options: Any) -> UserAgent:
        """An open agent, reached at `sip:NAME@ITS-HOST`, which is its address-of-record unless another is given."""
        host = self._new_host(name)
        options.setdefault("listen", [f"udp://{host}:5060"])
        agent = UserAgent(aor or f"sip:{name}@{host}", open_transports=functools.partial(self.network.host, host), **options)
        await agent.open()
        self.agents[name] = agent
        return agent

    async def party(self, name: str, towards: str) -> Party:
        """A raw peer that says what a test has it say, to the agent called `towards`."""
        party = Party(self.network, name, self._new_host(name), 5060, self.host(towards))
        self.parties.append(await party.open())
        return party

    def uri(self, name: str) -> str:
        """Where an agent is reached."""
        return f"sip:{name}@{self.host(name)}"

    def ladder(self, *names: str) -> str:
        """What arrived so far, as a figure; the columns are everybody unless named."""
        arrows = []
        for passed in self.network.log:
            message = parse_datagram(passed.octets)
            assert isinstance(message, Request | Response)
            label = message.method if isinstance(message, Request) else str(message.status)
            arrows.append(Arrow(self.names[passed.source[0]], self.names[passed.destination[0]], label))
        return draw(arrows, names or self.names.values())

    def messages(self, kind: type[Any] = object) -> list[Any]:
        """Every message that arrived, parsed; of one kind if that is given."""
        parsed = [parse_datagram(passed.octets) for passed in self.network.log]
        return [message for message in parsed if isinstance(message, kind)]

    def said(self) -> list[str]:
        """Every message that arrived in short: `INVITE`, `200 INVITE` …"""
        return [
            message.method if isinstance(message, Request) else f"{message.status} {message.cseq.method}" for message in self.messages()
        ]

    async def __aenter__(self) -> Self:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: self.faults.append(context))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if kind is None:
            await asyncio.sleep(ROUNDS)
        for agent in self.agents.values():
            await agent.close()
        if kind is None:
            for agent in self.agents.values():
                self._is_empty(agent)
        for party in self.parties:
            await party.transports.close()
        if kind is None:
            assert self.faults == [], "an exception in a callback would only be logged"

    def _is_empty(self, agent: UserAgent) -> None:
        core = agent.core
        assert not core.layer.servers, core.layer.servers
        assert not [one for one in core.layer.clients.values() if one.method != "BYE"], core.layer.clients
        assert len(core.dialogs) == 0, list(core.dialogs)
        assert not core.tasks, core.tasks


def on_stage(scenario: Callable[[Stage], Coroutine[Any, Any, None]], network: Network | None = None) -> Stage:
    """Plays a scenario in simulated time; gives the stage, for what was said on it."""
    stage = Stage(network)

    async def play() -> None:
        async with stage:
            await scenario(stage)

    run(play())
    return stage
