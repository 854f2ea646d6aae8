"""A connection that speaks SIP over WebSocket, over TCP or over TLS (RFC 7118)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from websockets.frames import CloseCode
from websockets.uri import WebSocketURI

from ringback.address import host_port
from ringback.transport.connection import OPEN, OPENING, Connection, Framing
from ringback.transport.limits import WebSocketRules
from ringback.transport.tcp import TcpTransport
from ringback.transport.websocket.admission import Admission
from ringback.transport.websocket.octets import ClientWebSocket, ServerWebSocket, WebSocket

if TYPE_CHECKING:
    from ringback.address import Flow


@lru_cache(maxsize=16)
def _admission(rules: WebSocketRules) -> Admission:
    return Admission(rules)


class WebSocketConnection(Connection):
    """A connection whose stream is a WebSocket: it is open when the handshake is over."""

    def __init__(self, owner: TcpTransport, flow: Flow, domain: str, *, is_accepted: bool) -> None:
        """As of any connection."""
        self._websocket: WebSocket
        super().__init__(owner, flow, domain, is_accepted=is_accepted)
        self._heard_at = owner.now
        self._was_asked = False

    def framing(self, owner: TcpTransport) -> Framing:
        """The WebSocket, on the side that we are."""
        limits = owner.user.message_limits
        rules = owner.user.websocket
        if self.is_accepted:
            self._websocket = ServerWebSocket(_admission(rules), self.flow.host, limits)
        else:
            user, password = rules.credentials or (None, None)
            uri = WebSocketURI(self.flow.endpoint.is_secure, self.domain, self.flow.port, rules.asked_path, "", user, password)
            self._websocket = ClientWebSocket(uri, limits)
        return self._websocket

    def opened(self) -> None:
        """The stream below is open: the client begins the handshake."""
        self._flush()

    def take(self, data: bytes) -> None:
        """Passes on the messages in what came."""
        self._heard_at = self._owner.now
        self._was_asked = False
        websocket = self._websocket
        if self.state == OPENING:
            if self.is_accepted and self.has_met_tls(data):
                return
            websocket.feed(data)
            data = b""
            if websocket.is_open and self._is_taken():
                self._flush()
                # Who only calls has nothing to say until it does.
                self._has_spoken = True
                super().opened()
        if self.state == OPEN:
            super().take(data)
        self._flush()
        if websocket.fault is not None:
            self.abort(websocket.fault)
        elif websocket.is_dead:
            if isinstance(websocket, ServerWebSocket) and websocket.refusal is not None:
                self._owner.user.counts.refused += 1
                if websocket.refusal.complaint:
                    self._complain(f"WebSocket {websocket.refusal.status}", "refused", websocket.refusal.complaint)
            elif websocket.last_words is not None:
                self._complain("WebSocket closed", "closed", websocket.last_words)
            self.end()

    def _is_taken(self) -> bool:
        """Whether there is room for whomever a proxy connects for."""
        websocket = self._websocket
        if not isinstance(websocket, ServerWebSocket) or websocket.client == self.flow.host:
            return True
        if self._owner.stand_for(self, websocket.client):
            return True
        websocket.close(CloseCode.TRY_AGAIN_LATER, "too many connections")
        return False

    def _complain(self, kind: str, end: str, reason: str) -> None:
        flow = self.flow
        peer = host_port(flow.host, flow.port)
        self._owner.user.complain(kind, f"{flow.endpoint.transport} from {peer} to {flow.endpoint.sent_by} {end}: {reason}")

    def write(self, data: bytes) -> None:
        """Writes one message to the open stream."""
        self._websocket.send(data)
        self._flush()

    def _flush(self) -> None:
        transport = self._transport
        assert transport is not None
        for data in self._websocket.take_outgoing():
            # An empty entry ends our side, which `end` does.
            if data and not transport.is_closing():
                transport.write(data)

    def eof_received(self) -> bool:
        """The peer sends no more; where the handshake was not over yet, there will be no WebSocket."""
        if self.state == OPENING and not self.is_accepted:
            self.abort("Peer Ended the WebSocket Handshake")
        return super().eof_received()

    def connection_lost(self, error: Exception | None) -> None:
        """The end; within the handshake it is a failure."""
        if self.state == OPENING and not self.is_accepted:
            self.abort("Peer Ended the WebSocket Handshake")
        super().connection_lost(error)

    def abort(self, reason: str | None = None) -> None:
        """Closes at once, with a goodbye to who listens to us."""
        if self.state == OPEN and reason is None:
            self._websocket.close(CloseCode.GOING_AWAY)
            self._flush()
        super().abort(reason)

    def is_overdue(self, now: float) -> bool:
        """Whether it has taken longer than it may; a peer that has been quiet is asked whether it is there (RFC 7118 §6)."""
        websocket = self._websocket
        websocket.looked_at()
        rules = self._owner.user.websocket
        quiet = now - self._heard_at
        if self.state == OPEN and rules.ping and quiet >= rules.ping:
            if quiet >= rules.ping + rules.pong:
                return True
            if not self._was_asked:
                self._was_asked = True
                websocket.ping()
                self._flush()
        return super().is_overdue(now)
