"""A simulated network: hosts that exchange datagrams and streams with delay, loss, duplication and reordering, all from one seed."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

from ringback.message.limits import DEFAULT_LIMITS, MessageLimits
from ringback.testing.datagrams import SimulatedUdp
from ringback.testing.figure import ladder_of
from ringback.testing.nat import Nat
from ringback.testing.streams import SimulatedTcp
from ringback.transport.limits import DEFAULT_STREAM_LIMITS, DEFAULT_WEBSOCKET_RULES, StreamLimits, WebSocketRules
from ringback.transport.tls import Contexts
from ringback.transport.transports import Transports
from ringback.transport.user import Failed, Received, logger

Address = tuple[str, int]

# Where ports that nobody asked for begin (RFC 6335 §6: dynamic ports).
_FIRST_FREE_PORT = 49_152


class Passed(NamedTuple):
    """Octets that went from one address to another: `time` is when they arrived; where they were lost, when they were sent."""

    time: float
    source: Address
    destination: Address
    transport: str
    octets: bytes


Fate = Callable[[Passed], Iterable[float]]
"""What becomes of one datagram: after how many seconds it arrives, once for each number."""


class Network:
    """A network in one process, for `SimulatedTimeLoop` (or any loop): the same seed gives the same run, to the last datagram.

    `delay` is the way from host to host in seconds. `loss`, `duplication` and `reordering` are the probabilities, 0.0 to 1.0, that a
    datagram vanishes, comes twice, or comes late enough (up to ten delays) for others to overtake it. Streams lose nothing and keep
    their order, as TCP's user sees it. Where `reports_unreachable`, a datagram to a port or host that nobody has comes back as an ICMP
    error; otherwise it vanishes. All of these may be changed while the network is in use.

        network = Network(loss=0.1, seed=7)
        transports = network.host("10.0.0.1", received, failed, batch_ended=batch_ended)
        await transports.open("UDP", "10.0.0.1", 5060)

    `fate` decides about each datagram instead of delay and chance: it is given the datagram with the time of its sending, and gives the
    seconds it takes, one number for each time it arrives; none at all, and it is lost. So one message is lost or late, and no other:

        network.fate = lambda datagram: () if b" 180 " in datagram.octets else (0.001,)

    `log` holds what arrived, in order; `lost` what did not.
    """

    def __init__(
        self,
        *,
        delay: float = 0.001,
        loss: float = 0.0,
        duplication: float = 0.0,
        reordering: float = 0.0,
        seed: int = 0,
        reports_unreachable: bool = False,
        fate: Fate | None = None,
    ) -> None:
        self.delay = delay
        self.loss = loss
        self.duplication = duplication
        self.reordering = reordering
        self.reports_unreachable = reports_unreachable
        self.fate = fate
        self.log: list[Passed] = []
        self.lost: list[Passed] = []
        self.hosts: dict[str, Transports] = {}
        self.names: dict[str, str] = {}
        """What hosts are called in a ladder, by address; one without a name is called by its address."""
        self.certificates: dict[str, Collection[str]] = {}
        """The domains in the certificate of a host, by its address. One without is, over TLS, whoever it has to be, and never says who."""
        self.ears: dict[Address, list[SimulatedUdp]] = {}
        self.listeners: dict[Address, SimulatedTcp] = {}
        self._chance = random.Random(seed)
        self._cuts: set[frozenset[str]] = set()
        self._nats: list[Nat] = []
        self._latest: dict[tuple[Address, Address], float] = {}
        self._held: list[tuple[Address, Address, Callable[[], None]]] = []
        self._ports = itertools.count(_FIRST_FREE_PORT)
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._sequence = itertools.count()
        self._alarm: asyncio.TimerHandle | None = None

    def host(
        self,
        address: str,
        received: Received,
        failed: Failed,
        *,
        also: Sequence[str] = (),
        batch_ended: Callable[[], None],
        message_limits: MessageLimits = DEFAULT_LIMITS,
        stream_limits: StreamLimits = DEFAULT_STREAM_LIMITS,
        tls: Contexts | None = None,
        websocket: WebSocketRules = DEFAULT_WEBSOCKET_RULES,
        report: Callable[[str], None] = logger.warning,
    ) -> Transports:
        """A host with a numeric address, and those it has `also`: the `Transports` of an element, over this network.

        It listens on these addresses, or on a wildcard: then on its first of that family. Over TLS nothing is enciphered, and what
        counts are the network's `certificates`; `tls` is not even looked at.
        """
        addresses = (address, *also)
        for one in addresses:
            if one in self.hosts or any(one == nat.outside for nat in self._nats):
                raise ValueError(f"{one} is another host's address")
        transports = Transports(
            received,
            failed,
            batch_ended=batch_ended,
            message_limits=message_limits,
            stream_limits=stream_limits,
            tls=tls,
            websocket=websocket,
            report=report,
            kinds={
                "UDP": lambda user, _: SimulatedUdp(self, addresses, user),
                "TCP": lambda user, limits: SimulatedTcp(self, addresses, user, limits),
                "TLS": lambda user, limits: SimulatedTcp(self, addresses, user, limits, "TLS"),
                "WS": lambda user, limits: SimulatedTcp(self, addresses, user, limits, "WS"),
                "WSS": lambda user, limits: SimulatedTcp(self, addresses, user, limits, "WSS"),
            },
        )
        self.hosts.update(dict.fromkeys(addresses, transports))
        return transports

    def nat(self, outside: str, inside: Iterable[str], *, timeout: float = 60.0, is_symmetric: bool = False) -> Nat:
        """Puts a NAT with the address `outside` before some hosts, whether they are there yet or not.

        Those `inside` are named by their addresses, or by their names in the ladder.

        A way through it lasts `timeout` seconds after the last datagram from within; `is_symmetric` gives each peer another port. The log
        and the ladder name who has said something to whom; what the peer saw is in its messages.
        """
        addresses = {name: address for address, name in self.names.items()}
        nat = Nat(
            outside,
            [addresses.get(host, host) for host in inside],
            lambda: asyncio.get_running_loop().time(),
            timeout=timeout,
            is_symmetric=is_symmetric,
        )
        self._nats.append(nat)
        return nat

    def translated(self, source: Address, destination: Address) -> tuple[Address, Address | None]:
        """What a datagram's source is for who receives it, and where it arrives; None where a NAT lets it pass nowhere."""
        seen = source
        for nat in self._nats:
            if source[0] in nat.inside and destination[0] not in nat.inside:
                seen = nat.goes_out(source, destination)
        for nat in self._nats:
            if destination[0] == nat.outside:
                return seen, nat.comes_in(seen, destination)
            if destination[0] in nat.inside and source[0] not in nat.inside:
                return seen, None
        return seen, destination

    def seen_from(self, source: Address, destination: Address) -> Address:
        """The address that a connection from a host has for its peer."""
        for nat in self._nats:
            if source[0] in nat.inside and destination[0] not in nat.inside:
                return nat.connects(source)
        return source

    def is_hidden(self, source: Address, destination: Address) -> bool:
        """Whether a NAT keeps one host from connecting to another."""
        return any(destination[0] in nat.inside and source[0] not in nat.inside for nat in self._nats)

    def ladder(self, *parties: str) -> str:
        """What has passed so far as a figure: a column for each host that has a name or said something, the seconds on the left.

        `parties` are the first columns, in this order. What was lost is drawn where it was sent, and marked so.
        """
        return ladder_of(self, parties)

    def cut(self, one: str, other: str) -> None:
        """Nothing passes between two hosts until `heal`: datagrams are lost, streams wait, connections do not open.

        Each is named by its address, or by its name in the ladder.
        """
        self._cuts.add(self._pair(one, other))

    def heal(self, one: str, other: str) -> None:
        """Ends a `cut`: what streams held back is delivered."""
        self._cuts.discard(self._pair(one, other))
        held, self._held = self._held, []
        for source, destination, arrive in held:
            self.pass_in_order(source, destination, arrive)

    def _pair(self, *hosts: str) -> frozenset[str]:
        addresses = {name: address for address, name in self.names.items()}
        return frozenset(addresses.get(host, host) for host in hosts)

    def is_cut(self, source: Address, destination: Address) -> bool:
        """Whether nothing passes between these two now."""
        return frozenset((source[0], destination[0])) in self._cuts

    def free_port(self) -> int:
        """A port nobody has been given yet."""
        return next(self._ports)

    def after(self, delay: float, action: Callable[[], None]) -> None:
        """Does something `delay` seconds from now; things of one moment happen in the order in which they were asked for."""
        loop = asyncio.get_running_loop()
        # A loop's own timers of one moment fire in any order, and a stream's octets must not.
        heapq.heappush(self._agenda, (round(loop.time() + delay, 9), next(self._sequence), action))
        self._arm(loop)

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._agenda and (self._alarm is None or self._agenda[0][0] < self._alarm.when()):
            if self._alarm is not None:
                self._alarm.cancel()
            self._alarm = loop.call_at(self._agenda[0][0], self._ring, loop)

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        self._alarm = None
        now = loop.time()
        try:
            while self._agenda and self._agenda[0][0] <= now:
                heapq.heappop(self._agenda)[2]()
        finally:
            self._arm(loop)

    def dropped(self, source: Address, destination: Address, octets: bytes) -> None:
        """Remembers a datagram that a NAT did not let pass."""
        self.lost.append(Passed(asyncio.get_running_loop().time(), source, destination, "UDP", octets))

    def passed(self, source: Address, destination: Address, transport: str, octets: bytes) -> None:
        """Remembers what arrived."""
        self.log.append(Passed(asyncio.get_running_loop().time(), source, destination, transport, octets))

    def pass_datagram(
        self, octets: bytes, source: Address, destination: Address, arrive: Callable[[], str | None], refused: Callable[[str], None]
    ) -> None:
        """Lets fate or chance decide about one datagram. `arrive` delivers it, or says why it cannot; then `refused` may hear of it."""
        datagram = Passed(asyncio.get_running_loop().time(), source, destination, "UDP", octets)
        delays = [] if self.is_cut(source, destination) else list(self._delays() if self.fate is None else self.fate(datagram))
        if not delays:
            self.lost.append(datagram)
        for delay in delays:
            self.after(delay, lambda: self._deliver(octets, source, destination, arrive, refused))

    def _delays(self) -> Iterable[float]:
        """How long a datagram takes by chance, each time it arrives."""
        if self._chance.random() < self.loss:
            return
        for _ in range(2 if self._chance.random() < self.duplication else 1):
            late = self._chance.uniform(1, 10) if self._chance.random() < self.reordering else 1
            yield self.delay * late

    def _deliver(
        self, octets: bytes, source: Address, destination: Address, arrive: Callable[[], str | None], refused: Callable[[str], None]
    ) -> None:
        reason = arrive()
        if reason is not None:
            self.lost.append(Passed(asyncio.get_running_loop().time(), source, destination, "UDP", octets))
            if self.reports_unreachable:
                self.after(self.delay, lambda: refused(reason))

    def pass_in_order(self, source: Address, destination: Address, arrive: Callable[[], None]) -> None:
        """Delivers a piece of a stream; across a `cut`, once that is healed."""
        if self.is_cut(source, destination):
            self._held.append((source, destination, arrive))
            return
        # Not before what went earlier, even if `delay` became less since.
        now = asyncio.get_running_loop().time()
        moment = max(now + self.delay, self._latest.get((source, destination), 0.0))
        self._latest[source, destination] = moment
        self.after(moment - now, arrive)
