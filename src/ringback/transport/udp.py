"""UDP (RFC 3261 §18, RFC 3581): sockets drained in batches, written directly, and told of ICMP errors."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections import deque
from collections.abc import Callable

from ringback.address import Endpoint, Flow, Target
from ringback.message.parser import parse_datagram
from ringback.transport.endpoint import SocketAddress, address_error, bound_socket, is_multicast, is_wildcard, reaching, socket_address
from ringback.transport.icmp import read_error
from ringback.transport.socket_options import allow_fragments, ask_for_errors, enlarge_buffer
from ringback.transport.stun import stun_answer, stun_outcome
from ringback.transport.user import TransportUser

# How many datagrams one wake-up takes: enough that the loop's own cost vanishes, few enough that timers and streams get their turn.
_AT_ONCE = 64

# Under load a socket may be looked at in rounds instead of at every datagram, as network drivers do with interrupts (Linux' NAPI): to wake
# up with cold caches and to wake the peers costs as much as a message's own work. So many datagrams at once begin it, so many empty rounds
# end it.
_BUSY = 4
_QUIET_ROUNDS = 25

# Datagrams that wait while the operating system takes no more; beyond it they are lost, as datagrams are.
_QUEUE_LENGTH = 1_024

# Remote addresses whose Flow is kept. A flow is only a value: when the table is full it is begun anew.
_FLOWS_KEPT = 16_384

# What send may answer when the machine is short of buffers: a lost datagram, which a retransmission makes good.
_SHORTAGES = (errno.ENOBUFS, errno.ENOMEM)


def is_keepalive(data: bytes) -> bool:
    """Whether a datagram only keeps a NAT open, as phones' CRLFs and zeros do: it is no message and gets no answer."""
    return len(data) < 5 or not data.strip(b"\r\n\0 ")


def took_pong(data: bytes, user: TransportUser) -> bool:
    """Whether a datagram answers a STUN request of ours."""
    outcome = stun_outcome(data) if user.pings else None
    answered = None if outcome is None else user.pings.pop(outcome.transaction, None)
    if outcome is None or answered is None:
        return False
    answered(outcome.mapped is not None, outcome.mapped)
    return True


class UdpSocket:
    """One bound socket: reads into `user`, writes datagrams. `endpoint` is whom its flows belong to."""

    __slots__ = ("_failures", "_loop", "_queue", "_quiet_rounds", "_round", "_sendto", "_sock", "_user", "endpoint", "flows", "ttls")

    def __init__(self, sock: socket.socket, endpoint: Endpoint, user: TransportUser) -> None:
        self.endpoint = endpoint
        self._sock = sock
        self._sendto = sock.sendto
        self._user = user
        self.flows: dict[SocketAddress, Flow] = {}
        self.ttls: dict[SocketAddress, int] = {}
        self._queue: deque[tuple[bytes, Flow]] = deque()
        self._failures: list[tuple[Flow, str]] = []
        self._round: asyncio.TimerHandle | None = None
        self._quiet_rounds = 0
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock.fileno(), self._readable)

    def flow(self, remote: SocketAddress) -> Flow:
        """The flow between this socket and a peer."""
        flow = self.flows.get(remote)
        if flow is None:
            if len(self.flows) >= _FLOWS_KEPT:
                self.flows.clear()
            flow = self.flows[remote] = Flow(self.endpoint, remote)
        return flow

    def _readable(self) -> None:
        if self._drain() >= _BUSY and self._user.udp_round:
            self._loop.remove_reader(self._sock.fileno())
            self._quiet_rounds = 0
            self._round = self._loop.call_later(self._user.udp_round, self._look)

    def _look(self) -> None:
        """One round under load; after enough of them without a datagram, back to being woken."""
        count = self._drain()
        self._quiet_rounds = 0 if count else self._quiet_rounds + 1
        if self._quiet_rounds < _QUIET_ROUNDS:
            # Where more was there than one round may take, the next follows as soon as others had their turn.
            self._round = self._loop.call_later(self._user.udp_round if count < _AT_ONCE else 0.0, self._look)
        else:
            self._round = None
            self._loop.add_reader(self._sock.fileno(), self._readable)

    def _drain(self) -> int:
        """Takes what is there, at most so much that others get their turn, and has it handled; gives how many datagrams it was."""
        user = self._user
        limits = user.message_limits
        received = user.received
        recvfrom = self._sock.recvfrom
        known = self.flows.get
        parse = parse_datagram
        batch: list[tuple[bytes, SocketAddress]] = []
        count = 0
        try:
            while count < _AT_ONCE:
                try:
                    data, remote = recvfrom(65_535)
                except BlockingIOError:
                    if not count:
                        self._take_icmp_errors()
                    break
                except OSError:
                    count += 1
                    self._take_icmp_errors()
                    continue
                count += 1
                if (len(data) < 5 or data[0] < 33) and self._took_keepalive(data, remote):
                    user.counts.keepalives += 1
                else:
                    batch.append((data, remote))
            # All are parsed, then all are handled: each stretch of code runs while it is at hand.
            for message, data, flow in [(parse(data, limits), data, known(remote) or self.flow(remote)) for data, remote in batch]:
                received(message, data, flow)
        finally:
            if self._failures:
                self._report()
            else:
                user.batch_ended()
        return count

    def _took_keepalive(self, data: bytes, remote: SocketAddress) -> bool:
        """Whether a datagram was no message but a sign of life; STUN's is answered (RFC 5626 §4.4.2), or an answer to ours."""
        if is_keepalive(data) or took_pong(data, self._user):
            return True
        answer = stun_answer(data, remote[0], remote[1])
        if answer is None:
            return False
        self.send(answer, self.flow(remote))
        return True

    def send(self, data: bytes, flow: Flow) -> None:
        """Sends one datagram now, or as soon as the operating system takes it; failures are reported, never raised."""
        if self._queue:
            self._enqueue(data, flow)
            return
        try:
            if self.ttls:
                self._sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, self.ttls.get(flow.remote, 1))
            self._sendto(data, flow.remote)
        except OSError as error:
            self._not_sent(data, flow, error)
        except OverflowError:
            self._fail(flow, "No such port")

    def _not_sent(self, data: bytes, flow: Flow, error: OSError) -> None:
        # An earlier datagram's ICMP error makes the next call on the socket fail, whomever that one is for: take what is queued, try again.
        for _ in range(8):
            if isinstance(error, BlockingIOError):
                self._enqueue(data, flow)
                return
            if error.errno in _SHORTAGES:
                self._user.counts.dropped += 1
                return
            if not self._take_icmp_errors():
                break
            try:
                self._sendto(data, flow.remote)
                return
            except OSError as again:
                error = again
        self._fail(flow, error.strerror or os.strerror(errno.EIO))

    def _enqueue(self, data: bytes, flow: Flow) -> None:
        if len(self._queue) >= _QUEUE_LENGTH:
            self._user.counts.dropped += 1
            return
        if not self._queue:
            self._loop.add_writer(self._sock.fileno(), self._writable)
        self._queue.append((data, flow))

    def _writable(self) -> None:
        waiting = self._queue
        self._queue = deque()
        self._loop.remove_writer(self._sock.fileno())
        for data, flow in waiting:
            self.send(data, flow)

    def _take_icmp_errors(self) -> bool:
        """Empties the error queue into failures; False where there was nothing in it."""
        taken = 0
        while taken < _AT_ONCE and (error := read_error(self._sock)) is not None:
            taken += 1
            if error.reason is not None:
                self._fail(self.flow(error.remote), error.reason)
        if not taken:
            return False
        # libuv, and with it uvloop, watches a descriptor no more once it had an error.
        self._loop.remove_reader(self._sock.fileno())
        self._loop.add_reader(self._sock.fileno(), self._readable)
        return True

    def _fail(self, flow: Flow, reason: str) -> None:
        # Not at once: whoever sends is in the midst of something.
        if not self._failures:
            self._loop.call_soon(self._report)
        self._failures.append((flow, reason))

    def _report(self) -> None:
        failures, self._failures = self._failures, []
        if not failures:
            return
        for flow, reason in dict.fromkeys(failures):
            self._user.failed(flow, reason)
        self._user.batch_ended()

    def set_ttl(self, remote: SocketAddress, ttl: int) -> None:
        """Datagrams to this group go out with this TTL; others keep 1 (§18.2.2)."""
        if ttl == 1:
            self.ttls.pop(remote, None)
        else:
            self.ttls[remote] = ttl

    def join(self, group: str, interface: str) -> None:
        """Receives what is sent to an IPv4 group, on the interface that has this address; any interface where it is a wildcard."""
        membership = socket.inet_aton(group) + socket.inet_aton(interface)
        self._sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)

    def close(self) -> None:
        """Stops reading and writing; what waited to be written is lost."""
        if self._round is not None:
            self._round.cancel()
        self._loop.remove_reader(self._sock.fileno())
        self._loop.remove_writer(self._sock.fileno())
        self._queue.clear()
        self._sock.close()


class UdpTransport:
    """Every UDP endpoint of ours."""

    def __init__(self, user: TransportUser) -> None:
        self._user = user
        self._sockets: dict[Endpoint, UdpSocket] = {}
        self._groups: dict[tuple[str, int], UdpSocket] = {}
        self._ways: dict[tuple[Target, Endpoint | None], Flow] = {}

    async def open(self, host: str, port: int, advertised: str | None = None) -> Endpoint:
        """Listens on a numeric address; on a multicast address, to what is sent to that group (`OSError` if it cannot be had)."""
        is_group = is_multicast(host)
        if is_group and ":" in host:
            # §18.1.1 leaves IPv6 multicast undefined.
            raise address_error("UDP", host, port, OSError(errno.EAFNOSUPPORT, ""))
        sock = self._bind(host, port, is_group)
        endpoint = Endpoint("UDP", sock.getsockname()[0], sock.getsockname()[1], advertised)
        self._sockets[endpoint] = opened = UdpSocket(sock, endpoint, self._user)
        self._ways.clear()
        if is_group:
            self._join(opened, endpoint.host)
        return endpoint

    @staticmethod
    def _bind(host: str, port: int, is_group: bool) -> socket.socket:
        sock = bound_socket(socket.SOCK_DGRAM, "UDP", host, port, shared=is_group)
        enlarge_buffer(sock)
        allow_fragments(sock)
        ask_for_errors(sock)
        if sock.family == socket.AF_INET and not is_group and not is_wildcard(host):
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(host))
        return sock

    def _join(self, ear: UdpSocket, group: str) -> None:
        interfaces = {
            endpoint.host
            for endpoint in self._sockets
            if ":" not in endpoint.host and not is_multicast(endpoint.host) and not is_wildcard(endpoint.host)
        }
        for interface in interfaces or {"0.0.0.0"}:
            ear.join(group, interface)

    def flow_to(self, target: Target, prefer: Endpoint | None = None) -> Flow | None:
        """The flow from an endpoint of ours to the target; None where no endpoint reaches it or its host is not numeric."""
        way = self._ways.get((target, prefer))
        if way is not None:
            return way
        endpoint = reaching(self._sockets, target, prefer)
        remote = socket_address(target.host, target.port)
        if endpoint is None or remote is None:
            return None
        opened = self._sockets[endpoint]
        if is_multicast(target.host):
            if ":" in remote[0] or not self._listen_to_group(remote[0], remote[1], opened):
                return None
            opened.set_ttl(remote, 1 if target.ttl is None else target.ttl)
            return opened.flow(remote)
        if len(self._ways) >= _FLOWS_KEPT:
            self._ways.clear()
        way = self._ways[target, prefer] = opened.flow(remote)
        return way

    def _listen_to_group(self, group: str, port: int, opened: UdpSocket) -> bool:
        """§18.1.1: who sends to a group must hear what the group is sent, for the responses go there too."""
        if (group, port) in self._groups or any((endpoint.host, endpoint.port) == (group, port) for endpoint in self._sockets):
            return True
        try:
            ear = self._groups[group, port] = UdpSocket(self._bind(group, port, is_group=True), opened.endpoint, self._user)
            self._join(ear, group)
        except OSError:
            return False
        return True

    def sender(self, endpoint: Endpoint) -> Callable[[bytes, Flow], None]:
        """What sends over the flows of one endpoint."""
        return self._sockets[endpoint].send

    async def close(self) -> None:
        """Closes every socket."""
        for opened in (*self._sockets.values(), *self._groups.values()):
            opened.close()
        self._sockets.clear()
        self._groups.clear()
        self._ways.clear()
