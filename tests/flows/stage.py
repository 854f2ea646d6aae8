"""Plays a flow on a simulated network: who takes part, what they do, and whether what was said is the RFC's flow.

    ALICE = Agent("Alice", "192.0.2.101", "sip:alice@atlanta.example.com", "client.atlanta.example.com")
    PROXY = Server("Proxy 1", "192.0.2.111", ("atlanta.example.com",), "ss1.atlanta.example.com")

    async def scenario(stage: Stage) -> None:
        async with stage.agents["Alice"].call("sip:bob@biloxi.example.com"):
            …

    played = perform(scenario, ALICE, PROXY, …, names={"biloxi.example.com": ["192.0.2.222"]})
    played.shows(flow("rfc3665", "3.8"), FIGURE, Differs("F10 F12", "To tag", …))

An `Agent` is a `UserAgent`, a `Server` the server, both ours; a `Phone` says exactly what the scenario tells it (`stage.phones["Alice"]`).
The order of the cast is that of the ladder's columns. What is said before the scenario begins, while everybody gets ready, and after it
has been quiet for a while is no part of the flow.
"""

from __future__ import annotations

import asyncio
import functools
import socket
import zlib
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

from ringback import UserAgent
from ringback.agent.call.media import SilentMedia
from ringback.sdp.codec import PCMU
from ringback.sdp.description import SessionDescription
from ringback.sdp.media import MediaDescription
from ringback.testing import Network, run
from tests.flows.comparison import Difference, same_messages
from tests.flows.consistency import broken_rules
from tests.flows.corpus import CorpusFlow, Step
from tests.flows.gateway import Gateway
from tests.flows.roaming import TwoHomes
from tests.flows.wire import element, ladder, said, same_ladder
from tests.server.party import House, Party

# Seconds after the last word that must pass in silence: longer than 64*T1, the longest anything is repeated.
QUIET = 40.0
# Seconds that no flow lasts.
PATIENCE = 600.0


class Phone(NamedTuple):
    """An endpoint that does what it is told. `server` is the address of its proxy; where `bound`, that knows where it is."""

    name: str
    host: str
    aor: str
    server: str
    bound: bool = True


class Agent(NamedTuple):
    """A user agent. `hostname` is what it calls its host, in Via, Contact and SDP; `server` the name of the server that has its binding."""

    name: str
    host: str
    aor: str
    hostname: str | None = None
    server: str | None = None
    options: Mapping[str, Any] = {}
    """What else `UserAgent` takes: `proxy`, `password` …"""
    transport: str = "udp"
    second_host: str | None = None
    """Another address of its host, where it can listen later."""


class Server(NamedTuple):
    """A server: registrar, location service and proxy of its domains. `hostname` is what it calls its host."""

    name: str
    host: str
    domains: tuple[str, ...]
    hostname: str | None = None
    config: Mapping[str, Any] = {}
    users: Mapping[str, str] = {}
    """Passwords by `user@domain`; where there are any, whoever calls has to prove who he is."""


class Absent(NamedTuple):
    """Somebody whose host does not answer, but whose server does not know it."""

    name: str
    host: str
    aor: str
    server: str


class Relay(NamedTuple):
    """An application layer gateway."""

    name: str
    host: str
    hostname: str


Part = Phone | Agent | Server | Absent | Relay


class OneCodec(SilentMedia):
    """An audio stream of PCMU and nothing else, as every flow of the RFCs has it."""

    __slots__ = ("_one",)

    def __init__(self, host: str) -> None:
        super().__init__(host)
        session_id = zlib.crc32(host.encode())
        self._one = SessionDescription.new(host, session_id=session_id, media=[MediaDescription.audio(49172, codecs=[PCMU])])

    def capabilities(self) -> SessionDescription:
        """One audio stream."""
        return self._one


# What an agent is told unless the cast says otherwise: the flows have one codec and are older than session timers (RFC 4028).
AS_OF_THE_RFCS: Mapping[str, Any] = {"media": OneCodec, "session_expires": None}


class Stage:
    """Everybody, once they are there."""

    def __init__(self, names: Mapping[str, Sequence[str]]) -> None:
        self.network = Network(delay=0.01)
        self.names = {name: list(addresses) for name, addresses in names.items()}
        self.hosts: dict[str, str] = {}
        self.agents: dict[str, UserAgent] = {}
        self.phones: dict[str, Party] = {}
        self.servers: dict[str, House] = {}
        self.faults: list[dict[str, Any]] = []
        self.began = 0.0
        self.life = AsyncExitStack()
        """What lasts beyond the scenario, such as a registration, and is left once the flow is looked at."""

    async def begin(self) -> None:
        """The flow begins here: what was said so far, and what still follows from it, is no part of it."""
        await asyncio.sleep(QUIET)
        self.began = asyncio.get_running_loop().time()

    async def resolve(self, name: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        """Names as everybody here knows them, in the form of `getaddrinfo`: no test asks the real DNS."""
        if name not in self.names:
            raise socket.gaierror(f"{name} is not known here")
        return [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", (host, port)) for host in self.names[name]]

    async def enter(self, part: Part, life: AsyncExitStack) -> None:
        """Lets somebody in, until `life` ends."""
        self.hosts[part.host] = part.name
        hostname = part.hostname if isinstance(part, Agent | Server | Relay) else None
        if hostname is not None:
            self.hosts[hostname] = part.name
            self.names.setdefault(hostname, [part.host])
        if isinstance(part, Server):
            auth = "digest" if part.users else "none"
            house = House(self.network, domains=part.domains, host=part.host, advertise=hostname, auth=auth, **part.config)
            self.servers[part.name] = await life.enter_async_context(house)
            for aor, password in part.users.items():
                user, _, domain = aor.partition("@")
                house.server.users.add(user, domain, password)
        elif isinstance(part, Relay):
            gateway = Gateway(self.network, part.host, part.hostname, self.names)
            await gateway.open()
            life.push_async_callback(gateway.transports.close)
        elif isinstance(part, Phone):
            phone = Party(self.network, _user(part), part.host, server=part.server)
            self.phones[part.name] = await phone.open()
            life.push_async_callback(phone.transports.close)
        elif isinstance(part, Agent):
            open_transports: Callable[..., Any] = functools.partial(self.network.host, part.host)
            if part.second_host is not None:
                open_transports = functools.partial(TwoHomes, self.network, part.host, part.second_host)
            agent = UserAgent(
                part.aor,
                listen=[f"{part.transport}://{part.host}:5060"],
                advertise=hostname,
                open_transports=open_transports,
                **{**AS_OF_THE_RFCS, **part.options},
            )
            self.agents[element(part.name)] = await life.enter_async_context(agent)

    def bind(self, part: Part) -> None:
        """Makes a phone or an agent known to its server, as a REGISTER would."""
        if isinstance(part, Server | Relay):
            return
        domain = part.aor.partition("@")[2]
        if isinstance(part, Phone) and part.bound:
            house = next(house for house in self.servers.values() if house.host == part.server)
            house.bind(_user(part), self.phones[part.name].uri, domain=domain)
        elif isinstance(part, Absent):
            self.servers[part.server].bind(_user(part), f"sip:{_user(part)}@{part.host}", domain=domain)
        elif isinstance(part, Agent) and part.server is not None:
            self.servers[part.server].bind(_user(part), f"sip:{_user(part)}@{part.hostname or part.host}", domain=domain)


def _user(part: Phone | Agent | Absent) -> str:
    return part.aor.removeprefix("sip:").partition("@")[0]


class Played(NamedTuple):
    """What was said."""

    steps: list[Step]
    hosts: Mapping[str, str]
    elements: Sequence[str]
    proxies: Collection[str]

    def shows(self, flow: CorpusFlow, figure: str, *differences: Difference, only: str | None = None, others: Collection[str] = ()) -> None:
        """Asserts that this is the RFC's flow but for the differences, breaks no rule of RFC 3261, and looks like the figure."""
        steps = same_messages(self.steps, flow, self.hosts, *differences, only=only)
        broken = broken_rules(steps, self.hosts, proxies=self.proxies, others=others)
        assert broken == [], "\n".join([f"{flow} breaks rules:", *broken])
        drawn = ladder(steps, self.elements)
        assert same_ladder(drawn, figure), f"{flow} looks like this:\n{drawn}"


def perform(
    scenario: Callable[[Stage], Coroutine[None, None, None]], *cast: Part, names: Mapping[str, Sequence[str]] | None = None
) -> Played:
    """Plays a scenario with this cast; `names` is what the DNS knows, everybody's own names beside it."""
    return run(_perform(scenario, cast, names or {}))


async def _perform(
    scenario: Callable[[Stage], Coroutine[None, None, None]], cast: Sequence[Part], names: Mapping[str, Sequence[str]]
) -> Played:
    stage = Stage(names)
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as life:
        # The phones and agents close before the servers look whether anything is left.
        for part in sorted(cast, key=lambda part: not isinstance(part, Server)):
            await stage.enter(part, life)
        loop.getaddrinfo = stage.resolve  # type: ignore[method-assign,assignment]  # no test asks the real DNS
        loop.set_exception_handler(lambda _, context: stage.faults.append(context))
        for part in cast:
            stage.bind(part)
        stage.began = loop.time()
        try:
            async with asyncio.timeout(PATIENCE):
                await scenario(stage)
        except TimeoutError:
            heard = "\n".join(str(step) for step in said(stage.network, stage.hosts, since=stage.began))
            raise AssertionError(f"after {PATIENCE:g} s the scenario is not over; what was said:\n{heard}") from None
        await asyncio.sleep(QUIET)
        steps = said(stage.network, stage.hosts, since=stage.began)
        await stage.life.aclose()
    assert stage.faults == [], f"an exception in a callback would only be logged: {stage.faults}"
    elements = list(dict.fromkeys(element(part.name) for part in cast))
    return Played(steps, stage.hosts, elements, set(stage.servers))
