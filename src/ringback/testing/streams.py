"""TCP and TLS on a simulated network: the real connections of `ringback.transport`, over streams that exist only here."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from ringback.address import SECURE, Endpoint
from ringback.testing.datagrams import own_address
from ringback.testing.frames import unframed
from ringback.transport.connection import Connection
from ringback.transport.endpoint import SocketAddress, address_error, is_wildcard
from ringback.transport.limits import StreamLimits
from ringback.transport.listener import address_key
from ringback.transport.tcp import TcpTransport
from ringback.transport.tls.identity import NOBODY, Identities
from ringback.transport.user import TransportUser

if TYPE_CHECKING:
    from ringback.testing.network import Network


class SimulatedStream(asyncio.Transport):
    """One end of a stream. What is written arrives at the other end, whole and in order."""

    peer: SimulatedStream

    def __init__(
        self, network: Network, transport: str, protocol: asyncio.BufferedProtocol, local: tuple[str, int], remote: tuple[str, int]
    ) -> None:
        super().__init__()
        self._network = network
        self._transport = transport
        self._protocol = protocol
        self._local = local
        self._remote = remote
        self._is_closing = False
        self._has_ended = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """`sockname` and `peername`, as of a socket."""
        return {"sockname": self._local, "peername": self._remote}.get(name, default)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """A simulated stream takes everything at once."""

    def is_closing(self) -> bool:
        """Whether nothing more can be written."""
        return self._is_closing

    def can_write_eof(self) -> bool:
        """A stream can be ended in one direction."""
        return True

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Sends octets."""
        octets = bytes(data)
        if octets and not self._is_closing:
            self._network.pass_in_order(self._local, self._remote, lambda: self.peer.arrive(octets))

    def write_eof(self) -> None:
        """Sends nothing more, still reads."""
        if not self._has_ended:
            self._has_ended = True
            self._network.pass_in_order(self._local, self._remote, lambda: self.peer.arrive(b""))

    def close(self) -> None:
        """Ends the stream in order."""
        if not self._is_closing:
            self.write_eof()
            self._end(None)

    def abort(self) -> None:
        """Ends the stream at once: the other end sees a reset."""
        if not self._is_closing:
            self._network.pass_in_order(self._local, self._remote, self.peer.reset)
            self._end(None)

    def arrive(self, octets: bytes) -> None:
        """Takes what has arrived; none at all means that the other end has ended."""
        if self._is_closing:
            if octets:
                self._network.pass_in_order(self._local, self._remote, self.peer.reset)
            return
        if not octets:
            if not self._protocol.eof_received():
                self.close()
            return
        said = unframed(octets) if self._transport in ("WS", "WSS") else octets
        if said:
            self._network.passed(self._remote, self._local, self._transport, said)
        while octets and not self._is_closing:
            buffer = cast("memoryview[int]", self._protocol.get_buffer(len(octets)))
            count = min(len(buffer), len(octets))
            buffer[:count] = octets[:count]
            octets = octets[count:]
            self._protocol.buffer_updated(count)

    def reset(self) -> None:
        """The other end is gone."""
        if not self._is_closing:
            self._end(ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"))

    def _end(self, error: Exception | None) -> None:
        self._is_closing = True
        asyncio.get_running_loop().call_soon(self._protocol.connection_lost, error)


class _Listening:
    """A simulated listening socket."""

    def __init__(self, network: Network, address: tuple[str, int]) -> None:
        self._network = network
        self._address = address

    def close(self) -> None:
        del self._network.listeners[self._address]


class SimulatedTcp(TcpTransport):
    """The endpoints and connections of one host: TCP, or TLS in which nothing is enciphered and certificates are words of the network's."""

    def __init__(
        self, network: Network, addresses: Sequence[str], user: TransportUser, limits: StreamLimits, transport: str = "TCP"
    ) -> None:
        super().__init__(user, limits)
        self.transport = transport
        if transport in ("WS", "WSS"):
            from ringback.transport.websocket.connection import WebSocketConnection

            self.connection = WebSocketConnection
        self._network = network
        self._addresses = addresses

    async def open(self, host: str, port: int, advertised: str | None = None) -> Endpoint:
        """Listens on the host's address or a wildcard."""
        if host not in self._addresses and not is_wildcard(host):
            raise address_error(self.transport, host, port, OSError(errno.EADDRNOTAVAIL, ""))
        port = port or self._network.free_port()
        address = (own_address(self._addresses, host), port)
        if address in self._network.listeners:
            raise address_error(self.transport, host, port, OSError(errno.EADDRINUSE, ""))
        endpoint = Endpoint(self.transport, host, port, advertised)
        self._network.listeners[address] = self
        self._listeners[endpoint] = _Listening(self._network, address)
        return endpoint

    async def _connect(self, connection: Connection) -> None:
        remote = connection.flow.remote[:2]
        local = (own_address(self._addresses, connection.flow.endpoint.host, remote[0]), self._network.free_port())
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        stream = SimulatedStream(self._network, self.transport, connection, local, remote)

        def made() -> None:
            connection.peer = self._shown_by(remote[0])
            if connection.peer is NOBODY or connection.peer.covers(connection.domain):
                connection.connection_made(stream)
            else:
                connection.joined(stream)
                connection.fail(f"TLS: shows a certificate for {connection.peer}, not for {connection.domain}")
            opened.set_result(None)

        self._network.after(self._network.delay, lambda: self._knock(stream, local, remote, opened, made))
        try:
            async with asyncio.timeout(self.limits.connect):
                await opened
        except OSError as error:
            connection.abort(error.strerror or "Connection timed out")

    def _shown_by(self, host: str) -> Identities:
        """Whom a host's certificate names: nobody where it has none, or nothing is secured."""
        names = self._network.certificates.get(host) if self.transport in SECURE else None
        return NOBODY if names is None else Identities(frozenset(names))

    def _knock(
        self,
        stream: SimulatedStream,
        local: tuple[str, int],
        remote: tuple[str, int],
        opened: asyncio.Future[None],
        made: Callable[[], None],
    ) -> None:
        """What the connection request meets at the other host."""
        network = self._network
        if network.is_cut(local, remote) or network.is_hidden(local, remote):
            return
        listener = network.listeners.get(remote)
        if listener is not None and listener.transport == self.transport:
            network.after(network.delay, lambda: stream.peer.reset() if opened.done() else made())
            stream.peer = listener.accept(stream, remote, local, network.seen_from(local, remote))
            return
        if listener is not None:
            error = OSError(errno.ECONNRESET, "Connection reset by peer")
        elif remote[0] in network.hosts:
            error = OSError(errno.ECONNREFUSED, "Connection refused")
        elif network.reports_unreachable:
            error = OSError(errno.EHOSTUNREACH, "No route to host")
        else:
            return

        def refuse() -> None:
            if not opened.done():
                opened.set_exception(error)

        network.after(network.delay, refuse)

    def accept(self, stream: SimulatedStream, local: tuple[str, int], remote: tuple[str, int], seen: tuple[str, int]) -> SimulatedStream:
        """The near end of a connection that another host opens, seen from here as that address; closed at once beyond the limit of one."""
        endpoint = next(endpoint for endpoint in self._listeners if (own_address(self._addresses, endpoint.host), endpoint.port) == local)
        is_refused = self._per_address[address_key(seen[0])] >= self.limits.per_address
        address: SocketAddress = (*seen, 0, 0) if ":" in seen[0] else seen
        connection = self._new(endpoint, address, address[0], is_accepted=True)
        connection.peer = self._shown_by(remote[0])
        connection.awaits_alias = bool(connection.peer.domains)
        near = SimulatedStream(self._network, self.transport, connection, local, remote)
        near.peer = stream
        connection.connection_made(near)
        if is_refused:
            self._refused()
            connection.abort()
        return near
