"""TCP (RFC 3261 §18): connections in both directions, found by the address at their far end."""

from __future__ import annotations

import asyncio
import errno
import itertools
import os
import socket
from collections.abc import Callable, Collection, Coroutine
from typing import Any, Protocol

from ringback.address import Endpoint, Flow, Target
from ringback.message.message import Request, Response
from ringback.message.parser import Malformed
from ringback.transport.connection import OPENING, Connection
from ringback.transport.endpoint import SocketAddress, address_error, bound_socket, is_multicast, is_wildcard, reaching, socket_address
from ringback.transport.limits import StreamLimits
from ringback.transport.listener import Listener, address_key
from ringback.transport.socket_options import choose_port_late
from ringback.transport.tls.alias import aliased_port
from ringback.transport.tls.identity import NOBODY, Identities
from ringback.transport.user import TransportUser

_READ_BYTES = 65_536

# Connections the kernel completes before we accept them. It caps this at net.core.somaxconn, whose default is the same number.
_BACKLOG = 4_096

# Domains of one certificate that a connection is found by. A choice: nobody is so many, and a table has an end.
MOST_ALIASES = 64

# A connection is found by its far end's address, port and domain: what was opened to one domain serves no other at the same address.
Peer = tuple[str, int, str]


class Listening(Protocol):
    """Whatever accepts connections until it is closed."""

    def close(self) -> None: ...


class TcpTransport:
    """Every TCP endpoint of ours and every connection, accepted or opened.

    A transport above TCP is a kind of it: `connection` is the class that cuts its stream into messages, `over` puts something between
    socket and connection.
    """

    transport = "TCP"
    connection: type[Connection] = Connection

    def __init__(self, user: TransportUser, limits: StreamLimits) -> None:
        self.user = user
        self.limits = limits
        self.now = 0.0
        self.buffer = memoryview(bytearray(_READ_BYTES))
        self._listeners: dict[Endpoint, Listening] = {}
        self._numbers = itertools.count(1)
        self._connections: dict[int, Connection] = {}  # all of them, until they are lost
        self._by_number: dict[int, Connection] = {}  # those that can be sent to
        self._by_peer: dict[Peer, Connection] = {}
        self._per_address = user.per_address
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._sweeper: asyncio.TimerHandle | None = None
        self._emptied: asyncio.Event | None = None

    @property
    def connections(self) -> Collection[Connection]:
        """All of them, until they are lost."""
        return self._connections.values()

    async def open(self, host: str, port: int, advertised: str | None = None) -> Endpoint:
        """Listens on a numeric address (`OSError` if it cannot be had)."""
        can_accept = self.can_accept()
        sock = bound_socket(socket.SOCK_STREAM, self.transport, host, port, shared=can_accept and os.name == "posix")
        endpoint = Endpoint(self.transport, sock.getsockname()[0], sock.getsockname()[1], advertised)
        if not can_accept:
            # The port is ours all the same: it stands in the Via of what we send.
            self._listeners[endpoint] = sock
            return endpoint
        try:
            sock.listen(_BACKLOG)
        except OSError as error:
            sock.close()
            raise address_error(self.transport, host, port, error) from None
        self._listeners[endpoint] = Listener(sock, endpoint, self.limits, self._per_address.__getitem__, self._accept, self._refused)
        return endpoint

    def can_accept(self) -> bool:
        """Whether anybody may connect to us."""
        return True

    def flow_to(self, target: Target, prefer: Endpoint | None = None) -> Flow | None:
        """The flow of the connection to the target that exists; else of one that opens when it is first sent to."""
        connection = self._by_peer.get((target.host, target.port, target.domain or target.host))
        if connection is not None:
            return connection.flow
        endpoint = reaching(self._listeners, target, prefer)
        remote = socket_address(target.host, target.port)
        if endpoint is None or remote is None or is_multicast(target.host):
            return None
        domain = target.domain or remote[0]
        connection = self._by_peer.get((*remote[:2], domain))
        if connection is None:
            connection = self._new(endpoint, remote, domain, is_accepted=False)
        return connection.flow

    def is_open(self, flow: Flow) -> bool:
        """Whether the flow's connection is still there, or on its way."""
        return flow.connection in self._by_number

    def connected(self, number: int) -> Flow | None:
        """The flow of the connection of this number, as long as it can be sent over."""
        connection = self._by_number.get(number)
        return None if connection is None else connection.flow

    def drop(self, flow: Flow, reason: str) -> None:
        """Closes the flow's connection at once."""
        connection = self._by_number.get(flow.connection)
        if connection is not None:
            connection.abort(reason)

    def sender(self, endpoint: Endpoint) -> Callable[[bytes, Flow], None]:
        """What sends over the flows of one endpoint."""
        return self.send

    def send(self, data: bytes, flow: Flow) -> None:
        """Writes on the flow's connection; `failed` is told, later, where that is no longer there."""
        connection = self._by_number.get(flow.connection)
        if connection is not None:
            connection.send(data)
        else:
            asyncio.get_running_loop().call_soon(self._fail, flow, "Connection closed")

    def _fail(self, flow: Flow, reason: str) -> None:
        self.user.failed(flow, reason)
        self.user.batch_ended()

    def _tell_closed(self, flow: Flow) -> None:
        if self.user.closed is not None:
            self.user.closed(flow)

    # The index of connections.

    def _new(self, endpoint: Endpoint, remote: SocketAddress, domain: str, *, is_accepted: bool) -> Connection:
        if self._sweeper is None:
            loop = asyncio.get_running_loop()
            self.now = loop.time()
            self._sweeper = loop.call_later(self.limits.sweep, self._sweep)
        flow = Flow(endpoint, remote, next(self._numbers), None if is_accepted else domain)
        connection = self.connection(self, flow, domain, is_accepted=is_accepted)
        self._connections[flow.connection] = connection
        self._by_number[flow.connection] = connection
        self._by_peer.pop((*flow.remote[:2], domain), None)
        self.know(connection, domain)
        # Departs from RFC 5922 §7.3: a URI with a numeric host names no domain that could be compared. It leads over the connection that is
        # open to that very address and port, whoever was meant and proven there; else nobody could follow a Record-Route of addresses.
        self.know(connection, flow.host)
        if is_accepted:
            self._per_address[address_key(flow.host)] += 1
        self.user.counts.by_transport[self.transport] = len(self._connections)
        return connection

    def unlist(self, connection: Connection) -> None:
        """No more is sent over this connection: whoever asks for a flow to its peer gets another one."""
        flow = connection.flow
        self._by_number.pop(flow.connection, None)
        self._forget(connection)

    def know(self, connection: Connection, domain: str, port: int | None = None) -> None:
        """Whoever asks for a domain at the far end's address, and its port or this one, gets this connection, unless there is another."""
        remote = connection.flow.remote
        peer = (remote[0], remote[1] if port is None else port, domain)
        if self._by_peer.setdefault(peer, connection) is connection:
            connection.known_as.append(peer)

    def _forget(self, connection: Connection) -> None:
        for peer in connection.known_as:
            if self._by_peer.get(peer) is connection:
                del self._by_peer[peer]
        connection.known_as.clear()

    def take_alias(self, connection: Connection, message: Request | Response | Malformed) -> None:
        """Looks whether a peer that has proven who it is wants requests to itself sent over the connection it made (RFC 5923 §8.2)."""
        port = aliased_port(message)
        if port is not None:
            connection.awaits_alias = False
            for domain in sorted(connection.peer.domains)[:MOST_ALIASES]:
                self.know(connection, domain, port)

    def lost(self, connection: Connection, reason: str | None) -> None:
        """A connection is gone; `reason` says why sending over it failed, None where it did not."""
        flow = connection.flow
        if self._connections.pop(flow.connection, None) is None:
            return
        self.unlist(connection)
        task = self._tasks.get(flow.connection)
        if task is not None:
            task.cancel()
        if connection.is_accepted:
            self._uncount(flow.host)
        if self._emptied is None:
            loop = asyncio.get_running_loop()
            if reason is not None:
                loop.call_soon(self._fail, flow, reason)
            if self.user.closed is not None:
                loop.call_soon(self._tell_closed, flow)
        self.user.counts.by_transport[self.transport] = len(self._connections)
        if self._emptied is not None and not self._connections:
            self._emptied.set()

    def stand_for(self, connection: Connection, host: str) -> bool:
        """An accepted connection is that of another host, so says its peer, a proxy; False where that host has as many as it may."""
        flow = connection.flow
        if self._per_address[address_key(host)] >= self.limits.per_address:
            return False
        remote = socket_address(host, flow.port)
        assert remote is not None
        self._uncount(flow.host)
        self._forget(connection)
        connection.flow = Flow(flow.endpoint, remote, flow.connection)
        connection.domain = host
        self._per_address[address_key(host)] += 1
        self._by_peer.pop((*remote[:2], host), None)
        self.know(connection, host)
        return True

    def _uncount(self, host: str) -> None:
        key = address_key(host)
        self._per_address[key] -= 1
        if not self._per_address[key]:
            del self._per_address[key]

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        self.now = now = loop.time()
        for connection in list(self._connections.values()):
            if connection.is_overdue(now):
                self.user.counts.overdue += 1
                if connection.state == OPENING:
                    self.stuck(connection)
                else:
                    connection.abort()
        self._sweeper = loop.call_later(self.limits.sweep, self._sweep) if self._connections else None

    def stuck(self, connection: Connection) -> None:
        """Gives up a connection that does not come about in time."""
        connection.abort("Peer does not answer")

    def peer(self, flow: Flow) -> Identities:
        """Whom the far end of the flow's connection has proven to be."""
        connection = self._by_number.get(flow.connection)
        return NOBODY if connection is None else connection.peer

    # Opening and accepting.

    def over(self, connection: Connection) -> asyncio.BufferedProtocol:
        """What reads from the connection's socket: the connection itself where nothing is enciphered."""
        return connection

    def _start(self, connection: Connection, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        number = connection.flow.connection
        task = self._tasks[number] = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(lambda _: self._tasks.pop(number, None))
        return task

    def _refused(self) -> None:
        self.user.counts.refused += 1

    def _accept(self, sock: socket.socket, remote: SocketAddress, endpoint: Endpoint) -> None:
        connection = self._new(endpoint, remote, remote[0], is_accepted=True)

        def taken(_task: asyncio.Task[None]) -> None:
            # A task cancelled before its first step has handed its socket to nobody.
            if not connection.has_joined:
                sock.close()

        self._start(connection, self._take(connection, sock)).add_done_callback(taken)

    async def _take(self, connection: Connection, sock: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: self.over(connection), sock)
        except OSError:
            connection.abort()

    def dial(self, connection: Connection) -> None:
        """Opens the connection; it hears how that went."""
        self._start(connection, self._connect(connection))

    async def _connect(self, connection: Connection) -> None:
        flow = connection.flow
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.limits.connect):
                sock = self._socket_from(flow)
                try:
                    await loop.sock_connect(sock, flow.remote)
                except BaseException:
                    sock.close()
                    raise
                await loop.create_connection(lambda: self.over(connection), sock=sock)
        except OSError as error:  # TimeoutError is one
            connection.abort(os.strerror(error.errno or errno.ETIMEDOUT))

    @staticmethod
    def _socket_from(flow: Flow) -> socket.socket:
        """A socket that will connect from the endpoint's address: a response on a new connection finds us there (§18.1.1)."""
        sock = socket.socket(socket.AF_INET6 if ":" in flow.host else socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            if not is_wildcard(flow.endpoint.host):
                choose_port_late(sock)
                sock.bind((flow.endpoint.host, 0))
        except BaseException:
            sock.close()
            raise
        return sock

    async def close(self) -> None:
        """Closes listeners and connections; returns when none is left."""
        for listener in self._listeners.values():
            listener.close()
        self._listeners.clear()
        self._emptied = asyncio.Event()
        for connection in list(self._connections.values()):
            connection.abort()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._connections:
            await self._emptied.wait()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        # The event loop closes a connection's descriptor in the turn after its protocol has heard of the end.
        await asyncio.sleep(0)
