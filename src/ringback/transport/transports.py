"""Every transport behind one door: open endpoints, find flows, send (RFC 3261 §18)."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Mapping
from typing import Protocol

from ringback.address import Endpoint, Flow, Target
from ringback.message.limits import DEFAULT_LIMITS, MessageLimits
from ringback.transport.connection import Connection
from ringback.transport.limits import DEFAULT_STREAM_LIMITS, DEFAULT_WEBSOCKET_RULES, StreamLimits, WebSocketRules
from ringback.transport.stun import stun_request
from ringback.transport.tcp import TcpTransport
from ringback.transport.tls.contexts import Contexts
from ringback.transport.tls.identity import NOBODY, Identities
from ringback.transport.tls.transport import TlsTransport
from ringback.transport.udp import UdpTransport
from ringback.transport.user import Answered, Counts, Failed, Received, TransportUser, logger


class Transport(Protocol):
    """What each kind of transport does."""

    async def open(self, host: str, port: int, advertised: str | None = None) -> Endpoint: ...
    def flow_to(self, target: Target, prefer: Endpoint | None = None) -> Flow | None: ...
    def sender(self, endpoint: Endpoint) -> Callable[[bytes, Flow], None]: ...
    async def close(self) -> None: ...


Kinds = Mapping[str, Callable[[TransportUser, StreamLimits], Transport]]


def _websocket(user: TransportUser, limits: StreamLimits) -> Transport:
    # The library below takes 20 ms to import: nobody shall wait for it who listens on none.
    from ringback.transport.websocket.transport import WebSocketTransport

    return WebSocketTransport(user, limits)


def _secure_websocket(user: TransportUser, limits: StreamLimits) -> Transport:
    from ringback.transport.websocket.transport import SecureWebSocketTransport

    return SecureWebSocketTransport(user, limits)


# A new transport is one line here.
KINDS: Kinds = {
    "UDP": lambda user, _: UdpTransport(user),
    "TCP": TcpTransport,
    "TLS": TlsTransport,
    "WS": _websocket,
    "WSS": _secure_websocket,
}

PING = b"\r\n\r\n"


class Transports:
    """The transports of one element, and the endpoints it listens on.

    `received(message, octets, flow)` is called for each message that arrives, `failed(flow, reason)` where sending over a flow failed,
    `batch_ended()` after each run of such calls. None of them is called from within `send`, and none may raise.
    `tls` is what TLS shows and trusts (without it, it shows nothing and trusts what the operating system does); `websocket` says who may
    connect over WebSocket; `report` gets lines for the operator, about peers that do not get through.
    """

    def __init__(
        self,
        received: Received,
        failed: Failed,
        *,
        batch_ended: Callable[[], None],
        message_limits: MessageLimits = DEFAULT_LIMITS,
        stream_limits: StreamLimits = DEFAULT_STREAM_LIMITS,
        tls: Contexts | None = None,
        websocket: WebSocketRules = DEFAULT_WEBSOCKET_RULES,
        report: Callable[[str], None] = logger.warning,
        kinds: Kinds = KINDS,
    ) -> None:
        self.endpoints: list[Endpoint] = []
        self._user = TransportUser(received, failed, batch_ended, message_limits, report=report, tls=tls, websocket=websocket)
        self._stream_limits = stream_limits
        self._kinds = kinds
        self._transports: dict[str, Transport] = {}
        self._senders: dict[Endpoint, Callable[[bytes, Flow], None]] = {}

    def gather(self, udp_round: float) -> None:
        """Has UDP sockets under load looked at in rounds of so many seconds (see `udp.py`); 0, the default, never."""
        self._user.udp_round = udp_round

    def watch(self, closed: Callable[[Flow], None] | None) -> None:
        """Has `closed(flow)` called when the connection of a flow is gone, whoever ended it and why; None ends that."""
        self._user.closed = closed

    def admit(self, rules: WebSocketRules) -> None:
        """Says who may connect over WebSocket from now on; connections that there are stay."""
        self._user.websocket = rules

    @property
    def counts(self) -> Counts:
        """What was counted so far."""
        return self._user.counts

    async def open(self, transport: str, host: str, port: int, advertised: str | None = None) -> Endpoint:
        """Listens: `transport` as in Via, `host` numeric, port 0 for any free one. `OSError` says which address could not be had.

        `advertised` is the host that Via and Record-Route name instead. A UDP endpoint on a multicast address hears that group.
        """
        kind = self._transports.get(transport)
        if kind is None:
            maker = self._kinds.get(transport)
            if maker is None:
                raise OSError(errno.EPROTONOSUPPORT, f"No such transport: {transport}")
            kind = self._transports[transport] = maker(self._user, self._stream_limits)
        endpoint = await kind.open(host, port, advertised)
        self._senders[endpoint] = kind.sender(endpoint)
        self.endpoints.append(endpoint)
        return endpoint

    def flow_to(self, target: Target, prefer: Endpoint | None = None) -> Flow | None:
        """A flow to the target: from `prefer` where that is possible; over the connection that is open to it already (§18.1.1).

        A new connection opens when something is first sent over its flow. None where no endpoint of ours can reach the target or its host
        is not a numeric address.
        """
        kind = self._transports.get(target.transport)
        return None if kind is None else kind.flow_to(target, prefer)

    def is_open(self, flow: Flow) -> bool:
        """Whether something can still be sent over a flow: a datagram always, over a connection while it lasts."""
        kind = self._transports.get(flow.endpoint.transport)
        return flow.connection == 0 or (isinstance(kind, TcpTransport) and kind.is_open(flow))

    @property
    def connections(self) -> list[Connection]:
        """Every connection there is now, of every transport."""
        return [one for kind in self._transports.values() if isinstance(kind, TcpTransport) for one in kind.connections]

    def connected(self, transport: str, connection: int) -> Flow | None:
        """The flow of a connection by its number, None where it is closed or never was."""
        kind = self._transports.get(transport)
        return kind.connected(connection) if isinstance(kind, TcpTransport) else None

    def peer(self, flow: Flow) -> Identities:
        """Whom the far end of a flow has proven to be by its certificate (RFC 5922): nobody, unless it is TLS."""
        kind = self._transports.get(flow.endpoint.transport)
        return kind.peer(flow) if isinstance(kind, TcpTransport) else NOBODY

    def drop(self, flow: Flow, reason: str) -> None:
        """Closes the connection of a flow at once; who has sent over it is told the reason. Without a connection nothing happens."""
        kind = self._transports.get(flow.endpoint.transport)
        if isinstance(kind, TcpTransport):
            kind.drop(flow, reason)

    def send(self, data: bytes, flow: Flow) -> None:
        """Sends without waiting. What goes wrong on the network arrives later, by `failed`."""
        sender = self._senders.get(flow.endpoint)
        if sender is None:
            asyncio.get_running_loop().call_soon(self._endpoint_closed, flow)
        else:
            sender(data, flow)

    def ping(self, flow: Flow, transaction: bytes, answered: Answered) -> None:
        """Asks for a sign of life (RFC 5626 §4.4): by a double CRLF on a connection, else by a STUN Binding request with this transaction,
        twelve octets, which may be sent again. `answered` is called once, when the answer comes; `expect_no_pong` ends that.
        """
        self._user.pings[flow.connection or transaction] = answered
        self.send(PING if flow.connection else stun_request(transaction), flow)

    def expect_no_pong(self, flow: Flow, transaction: bytes) -> None:
        """An answer that comes now is of no interest any more."""
        self._user.pings.pop(flow.connection or transaction, None)

    def _endpoint_closed(self, flow: Flow) -> None:
        self._user.failed(flow, "Endpoint closed")
        self._user.batch_ended()

    async def close(self) -> None:
        """Closes endpoints and connections; nothing is called back afterwards but what is under way already."""
        transports, self._transports = list(self._transports.values()), {}
        self.endpoints.clear()
        self._senders.clear()
        for transport in transports:
            await transport.close()
