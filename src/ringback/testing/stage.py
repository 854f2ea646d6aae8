"""A stage: user agents and servers on a simulated network, each on a host of its own and found by name (RFC 2606, RFC 5737)."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from functools import partial
from itertools import chain
from types import TracebackType
from typing import Any, Self

from ringback.agent.call.session import Session
from ringback.agent.usage import usages_of
from ringback.agent.user_agent import UserAgent
from ringback.message.uri import SipUri, parse_uri
from ringback.server.config import Config
from ringback.server.server import Server
from ringback.testing.network import Network
from ringback.transaction.timers import DEFAULT_TIMERS

AgentFactory = Callable[..., Awaitable[UserAgent]]
"""What `Stage.agent`, and the fixture `sip_agent`, are."""

ServerFactory = Callable[..., Awaitable[Server]]
"""What `Stage.server`, and the fixture `sip_server`, are."""

DOMAIN = "example.com"

# Addresses for documentation: nobody has them.
_NETWORKS = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")
# After this nothing is repeated any more (RFC 3261 §17).
_QUIET = 64 * DEFAULT_TIMERS.t1 + 1


class Stage:
    """Agents and servers, and the network between them.

        async with Stage() as stage:
            await stage.agent("reception", on_call=menu)
            alice = await stage.agent("alice")
            async with alice.call("sip:reception@reception.test") as call:
                …

    Their names are known to each other and to nobody else: no lookup leaves the process. At the end everybody is closed, the agents first.
    `faults` holds what went wrong where nobody waited for it, as a loop's exception handler is told it: above all what an `on_call` raised.
    """

    def __init__(self, network: Network | None = None) -> None:
        self.network = network or Network()
        self.agents: dict[str, UserAgent] = {}
        self.servers: dict[str, Server] = {}
        self.faults: list[dict[str, Any]] = []
        self._addresses = chain.from_iterable(ipaddress.ip_network(text).hosts() for text in _NETWORKS)
        self._domain: str | None = None
        # Where names lead: those of a server's domains to it, others to the one agent that has them.
        self._places: dict[str, list[str]] = {}
        self._residents: dict[str, str] = {}

    # Who comes in.

    async def agent(self, name: str, *, registered: bool = False, **options: Any) -> UserAgent:
        """An open user agent on a new host; `options` are `UserAgent`'s: `password`, `on_call` …

        `name` is a user or a whole address-of-record. A user's is in the first domain of the latest server, `sip:alice@example.com`, or,
        where there is none, in a domain of its own, `sip:alice@alice.test`. Where `registered`, it is registered as long as it is open:
        what `Registration.register` raises comes out here. ValueError where the domain is another agent's.
        """
        aor = name if ":" in name else f"sip:{name}@{self._domain or f'{name}.test'}"
        uri = parse_uri(aor)
        if not isinstance(uri, SipUri):
            raise ValueError(f"not a SIP address-of-record: {aor}")
        host = self._new_host(uri.user or uri.host, self.agents)
        if uri.host not in self._places or uri.host in self._residents:
            resident = self._residents.setdefault(uri.host, aor)
            if resident != aor:
                raise ValueError(f"{uri.host} is the domain of {resident} alone: several users need a server with that domain")
            self._places.setdefault(uri.host, []).append(host)
        options.setdefault("listen", [f"udp://{host}:5060"])
        agent = UserAgent(aor, open_transports=partial(self.network.host, host), **options)
        await agent.open()
        self.agents[self.network.names[host]] = agent
        if registered:
            await agent.registration().register()
        return agent

    async def server(self, *, domains: Iterable[str] = (DOMAIN,), users: Mapping[str, str] | None = None, **config: Any) -> Server:
        """A started server on a new host: registrar, location service and proxy of its domains.

        `users` are passwords by user, of the first domain, or by `user@domain`: where they are given everybody must prove who he is, by
        digest. `config` is what else `Config` takes.
        """
        domains = list(domains)
        host = self._new_host("server", self.servers)
        config.setdefault("listen", [f"udp://{host}:5060"])
        config.setdefault("auth", "none" if users is None else "digest")
        server = Server(Config(domains=domains, **config), open_transports=partial(self.network.host, host))
        await server.start()
        self.servers[self.network.names[host]] = server
        for user, password in (users or {}).items():
            name, _, domain = user.partition("@")
            server.users.add(name, domain or domains[0], password)
        for domain in server.config.domains:
            self._places[domain] = [host]
            self._residents.pop(domain, None)
        self._domain = next(iter(server.config.domains), self._domain)
        return server

    def _new_host(self, name: str, others: Collection[str]) -> str:
        """An address for somebody, who gets a column of his own in the ladder."""
        host = str(next(self._addresses))
        taken = {*others, *self.network.names.values()}
        number = 1
        column = name
        while column in taken:
            number += 1
            column = f"{name} {number}"
        self.network.names[host] = column
        return host

    async def resolve(self, name: Any, port: Any, **_: Any) -> list[tuple[Any, ...]]:
        """Where a name leads, in the form of `getaddrinfo`."""
        hosts = self._places.get(name.lower() if isinstance(name, str) else "")
        if not hosts:
            raise socket.gaierror(socket.EAI_NONAME, f"nobody on the simulated network is called {name}")
        return [(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_UDP, "", (host, port)) for host in hosts]

    # What is left.

    def calls(self) -> dict[Session, str]:
        """Both sides of every call that is not over, each with who has it and with whom."""
        found = {}
        for name, agent in self.agents.items():
            for dialog in agent.core.dialogs:
                for usage in usages_of(dialog):
                    if isinstance(usage, Session) and not usage.is_over:
                        state = "not answered" if dialog.is_early else "answered"
                        found[usage] = f"{name}: a call with {usage.call.remote.uri_text}, {state}"
        return found

    async def settled(self, before: Collection[Session] = ()) -> list[str]:
        """Waits until calls are over, 33 seconds at most; gives those that are not. Calls that were there `before` do not count."""
        loop = asyncio.get_running_loop()
        end = loop.time() + _QUIET
        pause = 0.01
        while loop.time() < end and any(session not in before for session in self.calls()):
            await asyncio.sleep(pause)
            pause = 1.0
        return [text for session, text in self.calls().items() if session not in before]

    # How it begins and ends.

    async def open(self) -> None:
        """Takes the loop's name lookups and its reports of faults."""
        loop = asyncio.get_running_loop()
        loop.getaddrinfo = self.resolve  # type: ignore[method-assign,assignment]  # the only way to names that leaves everybody's code alone
        loop.set_exception_handler(lambda _, context: self.faults.append(context))

    async def close(self) -> None:
        """Closes everybody: agents hang up and say goodbye to their registrars while these are still there."""
        await asyncio.gather(*(agent.close() for agent in self.agents.values()))
        for server in self.servers.values():
            await server.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        await self.close()
