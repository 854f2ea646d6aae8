"""UDP on a simulated network."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ringback.address import Endpoint, Flow, Target
from ringback.message.parser import parse_datagram
from ringback.transport.endpoint import SocketAddress, address_error, is_multicast, is_wildcard, reaching, socket_address
from ringback.transport.stun import stun_answer
from ringback.transport.udp import is_keepalive, took_pong
from ringback.transport.user import TransportUser

if TYPE_CHECKING:
    from ringback.testing.network import Network


def own_address(addresses: Sequence[str], host: str, remote: str = "") -> str:
    """Which address of a host an endpoint has: its own, for a wildcard or a group the first of its family."""
    if host in addresses:
        return host
    family = ":" in (remote or host)
    return next((address for address in addresses if (":" in address) is family), addresses[0])


class SimulatedUdp:
    """The UDP endpoints of one host."""

    def __init__(self, network: Network, addresses: Sequence[str], user: TransportUser) -> None:
        self._network = network
        self._addresses = addresses
        self._user = user
        self._heard: dict[tuple[str, int], Endpoint] = {}

    async def open(self, host: str, port: int, advertised: str | None = None) -> Endpoint:
        """Listens on the host's address, a wildcard or a group."""
        if host not in self._addresses and not is_wildcard(host) and not is_multicast(host):
            raise address_error("UDP", host, port, OSError(errno.EADDRNOTAVAIL, ""))
        port = port or self._network.free_port()
        heard = (host if is_multicast(host) else own_address(self._addresses, host), port)
        if heard in self._heard:
            raise address_error("UDP", host, port, OSError(errno.EADDRINUSE, ""))
        endpoint = Endpoint("UDP", host, port, advertised)
        self._hear(heard, endpoint)
        return endpoint

    def _hear(self, heard: tuple[str, int], endpoint: Endpoint) -> None:
        self._heard[heard] = endpoint
        self._network.ears.setdefault(heard, []).append(self)

    def flow_to(self, target: Target, prefer: Endpoint | None = None) -> Flow | None:
        """The flow from an endpoint to the target; who sends to a group hears it too (RFC 3261 §18.1.1)."""
        endpoint = reaching(self._heard.values(), target, prefer)
        remote = socket_address(target.host, target.port)
        if endpoint is None or remote is None:
            return None
        if is_multicast(target.host) and remote[:2] not in self._heard:
            self._hear(remote[:2], endpoint)
        return Flow(endpoint, remote)

    def sender(self, endpoint: Endpoint) -> Callable[[bytes, Flow], None]:
        """What sends over the flows of one endpoint."""
        return self._send

    def _send(self, data: bytes, flow: Flow) -> None:
        source = (own_address(self._addresses, flow.endpoint.host, flow.host), flow.endpoint.port)
        seen, destination = self._network.translated(source, flow.remote[:2])
        if destination is None:
            self._network.dropped(source, flow.remote[:2], data)
            return

        def arrive() -> str | None:
            listening = [ear for ear in self._network.ears.get(destination, ()) if ear is not self or destination[0] in self._addresses]
            if not listening:
                return "Port unreachable" if destination[0] in self._network.hosts else "No route to host"
            for ear in listening:
                self._network.passed(source, destination, "UDP", data)
                ear.receive(data, seen, destination)
            return None

        self._network.pass_datagram(data, source, destination, arrive, lambda reason: self._refused(flow, reason))

    def receive(self, data: bytes, source: tuple[str, int], destination: tuple[str, int]) -> None:
        """Takes a datagram that has arrived."""
        user = self._user
        remote: SocketAddress = (*source, 0, 0) if ":" in source[0] else source
        answer = stun_answer(data, *source)
        if answer is not None or is_keepalive(data) or took_pong(data, user):
            user.counts.keepalives += 1
            if answer is not None:
                self._send(answer, Flow(self._heard[destination], remote))
            return
        try:
            user.received(parse_datagram(data, user.message_limits), data, Flow(self._heard[destination], remote))
        finally:
            user.batch_ended()

    def _refused(self, flow: Flow, reason: str) -> None:
        if flow.endpoint in self._heard.values():
            self._user.failed(flow, reason)
            self._user.batch_ended()

    async def close(self) -> None:
        """Listens no more."""
        for heard in self._heard:
            self._network.ears[heard].remove(self)
            if not self._network.ears[heard]:
                del self._network.ears[heard]
        self._heard.clear()
