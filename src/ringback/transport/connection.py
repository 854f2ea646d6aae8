"""One connection: a stream cut into messages, and the bounds on it (RFC 3261 §18.3, RFC 5626 §4.4.1)."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Protocol, cast

from ringback.address import Flow, host_port
from ringback.message.message import Request, Response
from ringback.message.parser import Malformed, StreamParser
from ringback.transport.tls.identity import NOBODY

if TYPE_CHECKING:
    from ringback.transport.tcp import Peer, TcpTransport

# What is read and thrown away while a peer that was told goodbye still sends; beyond it the connection is cut.
_DISCARDED_BYTES = 1 << 20

# How a handshake of TLS begins, and the alert that says that none was expected (RFC 8446 §5.1, §6).
_CLIENT_HELLO = b"\x16\x03"
_UNEXPECTED = b"\x15\x03\x01\x00\x02\x02\x0a"

# The states of a connection, in the order in which they come.
UNOPENED, OPENING, OPEN, ENDING, CLOSED = range(5)


class Framing(Protocol):
    """Whatever cuts a stream into messages."""

    pings: int
    awaits_pong: bool

    @property
    def is_between_messages(self) -> bool: ...

    def feed(self, data: bytes) -> None: ...
    def next_message(self) -> tuple[Request | Response | Malformed, bytes] | None: ...


class Connection(asyncio.BufferedProtocol):
    """A connection, accepted or opened by us; it may be sent to before it is open. `owner` is told what becomes of it."""

    def __init__(self, owner: TcpTransport, flow: Flow, domain: str, *, is_accepted: bool) -> None:
        """`domain` is the name that the peer of a secured connection has to show; a numeric address where none was asked for."""
        self.flow = flow
        self.domain = domain
        self.is_accepted = is_accepted
        self.peer = NOBODY
        """Whom the other end has proven to be."""
        self.awaits_alias = False
        """Whether its first request may say where else the peer is found (RFC 5923): it has proven who it is."""
        self.known_as: list[Peer] = []
        """By what it is found."""
        self.state = OPENING if is_accepted else UNOPENED
        self._owner = owner
        self._parser = self.framing(owner)
        self._transport: asyncio.Transport | None = None
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._discarded = 0
        # Times are those of the owner's last sweep: no clock is read per message.
        self._since = owner.now  # of the state
        self._active_at = owner.now
        self._message_since: float | None = None
        self._has_spoken = False
        self._reason: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether it has been opened, its handshakes done, and nobody has ended it."""
        return self.state == OPEN

    @property
    def idle(self) -> float:
        """Seconds since something came, as of the last sweep."""
        return self._owner.now - self._active_at

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A plain connection is open at once."""
        self.joined(cast("asyncio.Transport", transport))
        if self.state != CLOSED:
            self.opened()

    def get_buffer(self, sizehint: int) -> memoryview:
        """One buffer serves every connection: what is read into it is taken out before anything else is read."""
        return self._owner.buffer

    def buffer_updated(self, count: int) -> None:
        """Passes on what came; what comes after a goodbye is thrown away."""
        owner = self._owner
        self._active_at = owner.now
        if self.state <= OPEN:
            self.take(bytes(owner.buffer[:count]))
            return
        self._discarded += count
        if self._discarded > _DISCARDED_BYTES:
            self.abort()

    # The framing: what another kind of connection has of its own.

    def framing(self, owner: TcpTransport) -> Framing:
        """What cuts this connection's stream."""
        return StreamParser(owner.user.message_limits)

    def take(self, data: bytes) -> None:
        """Cuts what came into messages and passes them on."""
        owner = self._owner
        if self.has_met_tls(data):
            return
        parser = self._parser
        parser.feed(data)
        user = owner.user
        awaits_pong = parser.awaits_pong = bool(user.pings) and self.flow.connection in user.pings
        message = None
        try:
            while self.state == OPEN and (found := parser.next_message()) is not None:
                message = found[0]
                self._has_spoken = self._has_spoken or message.__class__ is not Malformed
                if self.awaits_alias:
                    owner.take_alias(self, message)
                user.received(message, found[1], self.flow)
        finally:
            user.batch_ended()
        if parser.is_between_messages:
            self._message_since = None
        elif message is not None or self._message_since is None:
            self._message_since = owner.now
        if awaits_pong and not parser.awaits_pong:
            self._hear_pong()
        if parser.pings:
            user.counts.keepalives += parser.pings
            if self.state == OPEN:
                self.send(b"\r\n" * parser.pings)
            parser.pings = 0
        if isinstance(message, Malformed) and message.is_fatal:
            self.end()

    def _hear_pong(self) -> None:
        answered = self._owner.user.pings.pop(self.flow.connection, None)
        if answered is not None:
            answered(True, None)

    def has_met_tls(self, data: bytes) -> bool:
        """Whether somebody speaks TLS to a port that does not, and would wait for an answer: here is one in his own language."""
        if self._has_spoken or not data.startswith(_CLIENT_HELLO):
            return False
        flow = self.flow
        self._owner.user.complain(
            "TLS on a plain port",
            f"{flow.endpoint.transport} from {host_port(flow.host, flow.port)} to {flow.endpoint.sent_by} refused: it speaks TLS",
        )
        assert self._transport is not None
        self._transport.write(_UNEXPECTED)
        self.end()
        return True

    def write(self, data: bytes) -> None:
        """Writes one message to the open stream."""
        assert self._transport is not None
        self._transport.write(data)

    # What asyncio calls at the end.

    def eof_received(self) -> bool:
        """The peer sends no more: what was written still goes out, then the connection is closed."""
        self._enter(CLOSED)
        return False

    def pause_writing(self) -> None:
        """More waits to be written than may: the peer does not read."""
        self._owner.user.counts.overdue += 1
        self.abort("Peer does not read")

    def connection_lost(self, error: Exception | None) -> None:
        """The end. An orderly one is no failure: what was sent, was sent."""
        if error is not None and self.state == OPEN:
            self._reason = getattr(error, "strerror", None) or os.strerror(getattr(error, "errno", None) or 5)
        self.lost()

    # What the owner calls.

    @property
    def has_joined(self) -> bool:
        """Whether there is, or was, a stream below."""
        return self._transport is not None

    def joined(self, transport: asyncio.Transport) -> None:
        """Takes the stream below; messages pass when it is `opened`, at once or after a handshake."""
        self._transport = transport
        transport.set_write_buffer_limits(high=self._owner.limits.write_bytes)
        if self.state == CLOSED:
            transport.abort()

    def opened(self) -> None:
        """Writes what waited for the connection."""
        self._enter(OPEN)
        waiting, self._waiting = self._waiting, []
        for data in waiting:
            self.send(data)

    def send(self, data: bytes) -> None:
        """Writes, or keeps until the connection is open."""
        self._active_at = self._owner.now
        if self.state > OPENING:
            # On a connection already lost asyncio would warn in the log, once a write; `connection_lost` tells whom it concerns.
            if self._transport is not None and not self._transport.is_closing():
                self.write(data)
            return
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        if self.state == UNOPENED:
            self._enter(OPENING)
            self._owner.dial(self)
        elif self._waiting_bytes > self._owner.limits.write_bytes:
            self._owner.user.counts.overdue += 1
            self.abort("Peer does not answer")

    def end(self) -> None:
        """Lets what was written go out, then closes. Reading goes on meanwhile: closing with octets unread would reset the connection,
        and the peer might never see the last answer."""
        transport = self._transport
        if self.state <= OPEN and transport is not None:
            self._enter(ENDING)
            if transport.can_write_eof():
                transport.write_eof()
            else:
                transport.close()

    def abort(self, reason: str | None = None) -> None:
        """Closes at once; `reason`, if given, is told to whoever sent over this flow."""
        self._reason = reason
        self._enter(CLOSED)
        if self._transport is not None:
            self._transport.abort()
        else:
            self.lost()

    def fail(self, reason: str) -> None:
        """Gives up a connection that never came to be; what was written, such as why, still goes out."""
        self._reason = reason
        self._enter(CLOSED)
        if self._transport is not None:
            self._transport.close()

    def lost(self) -> None:
        """Gone: the owner forgets it and tells the failure, if there was one."""
        self._enter(CLOSED)
        self._waiting.clear()
        self._owner.lost(self, self._reason)

    def is_overdue(self, now: float) -> bool:
        """Whether it has taken longer than it may for what it is doing."""
        limits = self._owner.limits
        if self.state == OPEN:
            if self.is_accepted and not self._has_spoken and now - self._since >= limits.first_request:
                return True
            if self._message_since is not None and now - self._message_since >= limits.message:
                return True
            return now - self._active_at >= limits.idle
        if self.state == UNOPENED:
            return now - self._active_at >= limits.idle
        return now - self._since >= (limits.handshake if self.state == OPENING else limits.linger)

    def _enter(self, state: int) -> None:
        if state > self.state:
            self.state = state
            self._since = self._owner.now
            if state >= ENDING:
                self._owner.unlist(self)
