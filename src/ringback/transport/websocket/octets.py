"""SIP over WebSocket as octets: one connection's handshake and frames, cut into messages (RFC 7118 §4, §5; RFC 6455)."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from http import HTTPStatus

from websockets.client import ClientProtocol
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request as HttpRequest
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI

from ringback.message.limits import DEFAULT_LIMITS, MessageLimits
from ringback.message.message import Request, Response
from ringback.message.parser import Malformed, parse_datagram
from ringback.transport.websocket.admission import SUBPROTOCOL, WHAT_THIS_IS, Admission, Refusal

# A browser's handshake has some 600 octets, its cookies excepted, for which nginx and Apache leave 8 KiB.
_HANDSHAKE_BYTES = 16_384
# What is read before the limits are looked at again: so many of the smallest frames take a few milliseconds.
_SLICE = 4_096
# A browser sends a message in one frame; what lies between may cut it again, into some KiB each.
_FRAGMENTS = 128
# Frames that say nothing between two looks of the sweep, a second: RFC 6455 names no bound, and one is usual in twenty seconds.
_IDLE_FRAMES = 64
# Below this nothing is a SIP message: its start line and the six fields that each must have are longer.
_SHORTEST_MESSAGE = 64

_HEAD_END = b"\r\n\r\n"
_CRLF = b"\r\n"

# A name of its own, for an operator who wants to see the frames or none of it.
_logger = logging.getLogger("ringback.websocket")
# A peer's handshakes and goodbyes are no news.
_logger.setLevel(logging.WARNING)


class WebSocket(ABC):
    """A WebSocket over a stream of octets, and the SIP messages in it: what both sides have in common.

    `feed` what was read, take messages by `next_message`, write what `take_outgoing` gives. Who breaks the rules is told so by a close
    code; once it `is_dead` nothing more comes.
    """

    def __init__(self, protocol: ServerProtocol | ClientProtocol, limits: MessageLimits) -> None:
        self.is_dead = False
        self.pings = 0
        """Double CRLFs that came as messages (RFC 5626 §4.4.1); take them to answer each by one CRLF."""
        self.awaits_pong = False
        """Whether the next CRLF that comes as a message is the answer to a double one of ours."""
        self.fault: str | None = None
        """Why the handshake failed."""
        self._protocol = protocol
        self._limits = limits
        self._head = bytearray()
        self._messages: list[bytes] = []
        self._parts: list[bytes] = []
        self._is_text = False
        self._idle_frames = 0
        self._has_progressed = True

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent: the handshake is over, and nobody has said goodbye."""
        return self._protocol.state is State.OPEN

    @property
    def last_words(self) -> str | None:
        """What a peer was told that we sent away, with the code of it (RFC 6455 §7.4.1)."""
        goodbye = self._protocol.close_sent
        return None if goodbye is None or self._protocol.close_rcvd is not None else f"{goodbye.reason} ({goodbye.code})"

    @property
    def is_between_messages(self) -> bool:
        """False while a message, a frame or the handshake is under way."""
        return self._has_progressed and not self._parts and not self._head

    def feed(self, data: bytes) -> None:
        """Takes what the connection read."""
        if not data:
            return
        self._has_progressed = False
        if self._protocol.state is State.CONNECTING and not self.is_dead:
            data = self._take_head(data)
        for start in range(0, len(data), _SLICE):
            if self.is_dead:
                return
            self._receive(data[start : start + _SLICE])

    def _take_head(self, data: bytes) -> bytes:
        """Collects the handshake's head, and acts on it once it is whole; gives what follows it."""
        head = self._head
        start = max(0, len(head) - len(_HEAD_END) + 1)
        head += data
        end = head.find(_HEAD_END, start) + len(_HEAD_END)
        if end < len(_HEAD_END):
            if len(head) > _HANDSHAKE_BYTES:
                self._shake_hands(None)
            return b""
        rest = bytes(memoryview(head)[end:])
        self._shake_hands(bytes(memoryview(head)[:end]) if end <= _HANDSHAKE_BYTES else None)
        self._head = bytearray()
        self._has_progressed = True
        return rest

    @abstractmethod
    def _shake_hands(self, head: bytes | None) -> None:
        """Acts on the head of the peer's handshake, None for one that is too long."""

    def _receive(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            self._has_progressed = True
            if isinstance(event, Frame) and not self.is_dead:
                self._take(event)
        if not self.is_open:
            self.is_dead = True

    def _take(self, frame: Frame) -> None:
        opcode = frame.opcode
        if opcode is Opcode.TEXT or opcode is Opcode.BINARY or opcode is Opcode.CONT:
            if opcode is not Opcode.CONT:
                self._is_text = opcode is Opcode.TEXT
            if frame.fin and not self._parts:
                self._complete(bytes(frame.data))
                return
            self._parts.append(bytes(frame.data))
            if frame.fin:
                message = b"".join(self._parts)
                self._parts.clear()
                self._complete(message)
            elif len(self._parts) >= _FRAGMENTS:
                self._fail(CloseCode.POLICY_VIOLATION, f"more than {_FRAGMENTS} fragments")
        elif opcode is not Opcode.CLOSE:
            self._said_nothing()

    def _said_nothing(self) -> None:
        self._idle_frames += 1
        if self._idle_frames > _IDLE_FRAMES:
            self._fail(CloseCode.POLICY_VIOLATION, "too many frames that say nothing")

    def _complete(self, message: bytes) -> None:
        if len(message) < _SHORTEST_MESSAGE:
            self._said_nothing()
        if self._is_text and not message.isascii():
            try:
                message.decode()
            except UnicodeDecodeError:
                # RFC 6455 §8.1.
                self._fail(CloseCode.INVALID_DATA, "a text message is not UTF-8")
                return
        if message.startswith(_CRLF) and not message.strip(_CRLF):
            # Several at once are answered once: two CRLFs in one message would be a ping again.
            self.pings = self.pings or int(len(message) >= 2 * len(_CRLF))
            self.awaits_pong = self.awaits_pong and len(message) != len(_CRLF)
        else:
            self._messages.append(message)

    def next_message(self) -> tuple[Request | Response | Malformed, bytes] | None:
        """The next message and its octets, None where more is needed. After what is no SIP message a sound one may come."""
        if not self._messages:
            return None
        # A list: one read leaves a thousand at most, and an empty deque takes 600 octets of each connection.
        octets = self._messages.pop(0)
        return parse_datagram(octets, self._limits), octets

    def send(self, message: bytes) -> None:
        """Frames one SIP message: as text, or as binary where it is not UTF-8 (RFC 7118 §4.2)."""
        if not self.is_open:
            return
        try:
            if not message.isascii():
                message.decode()
        except UnicodeDecodeError:
            self._protocol.send_binary(message)
        else:
            self._protocol.send_text(message)

    def ping(self) -> None:
        """Asks the peer for a sign of life (RFC 6455 §5.5.2)."""
        if self.is_open:
            self._protocol.send_ping(b"")

    def looked_at(self) -> None:
        """Begins a new count of frames that say nothing; to be called from time to time."""
        self._idle_frames = 0

    def close(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Says goodbye (RFC 6455 §7.1.2)."""
        if self.is_open:
            self._protocol.send_close(code, reason)
        self.is_dead = True

    def _fail(self, code: int, reason: str) -> None:
        """Says goodbye to a peer with which nothing can go on (RFC 6455 §7.1.7)."""
        self._protocol.fail(code, reason)
        self._parts.clear()
        self.is_dead = True

    def take_outgoing(self) -> list[bytes]:
        """What is to be written, in order; an empty entry ends our side of the connection."""
        return self._protocol.data_to_send()


class ServerWebSocket(WebSocket):
    """The side that was connected to. `client` is whose connection it is, `refusal` what was said to one that is not let in."""

    def __init__(self, admission: Admission, source: str, limits: MessageLimits = DEFAULT_LIMITS) -> None:
        """`source` is the numeric address that the connection comes from."""
        # No extensions: a message compressed a thousandfold is no danger where nothing is inflated.
        self._server = ServerProtocol(subprotocols=[Subprotocol(SUBPROTOCOL)], max_size=limits.message_bytes, logger=_logger)
        super().__init__(self._server, limits)
        self.client = source
        self.refusal: Refusal | None = None
        self._admission = admission
        self._page: list[bytes] = []

    def _shake_hands(self, head: bytes | None) -> None:
        if head is None:
            text = f"At most {_HANDSHAKE_BYTES} octets are read here.\n"
            self._refuse(Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, text, "its request is too long"))
            return
        server = self._server
        server.receive_data(head)
        events = server.events_received()
        if not events or not isinstance(request := events[0], HttpRequest):
            # The library has read enough to be speechless.
            text = f"This is no HTTP request that opens a WebSocket.\n\n{WHAT_THIS_IS}"
            self._refuse(Refusal(HTTPStatus.BAD_REQUEST, text, "it sends no HTTP request that opens a WebSocket"))
            return
        self.client = self._admission.client(self.client, request.headers)
        refusal = self._admission.refusal(request.path, request.headers, self.client)
        if refusal is not None:
            self._refuse(refusal)
            return
        response = server.accept(request)
        server.send_response(response)
        self._page = server.data_to_send()
        if self.is_open:
            # The one that shook hands keeps all that the browser said, cookies above all, as long as it lives.
            self._protocol = self._server = ServerProtocol(state=State.OPEN, max_size=self._limits.message_bytes, logger=_logger)
        else:
            status = HTTPStatus(response.status_code)
            self.refusal = Refusal(status, bytes(response.body).decode(), f"its handshake is malformed: {status.value} {status.phrase}")
            self.is_dead = True

    def _refuse(self, refusal: Refusal) -> None:
        self.refusal = refusal
        self.is_dead = True
        response = self._server.reject(refusal.status, refusal.text)
        if refusal.status is HTTPStatus.UPGRADE_REQUIRED:
            response.headers["Upgrade"] = "websocket"  # RFC 9110 §15.5.22
        elif refusal.status is HTTPStatus.UNAUTHORIZED:
            response.headers["WWW-Authenticate"] = 'Basic realm="SIP over WebSocket", charset="UTF-8"'
        self._page = [response.serialize(), b""]

    def take_outgoing(self) -> list[bytes]:
        """What is to be written, in order; an empty entry ends our side of the connection."""
        if not self._page:
            return super().take_outgoing()
        page, self._page = self._page, []
        return page + super().take_outgoing()


class ClientWebSocket(WebSocket):
    """The side that connects; its request is there to be written at once."""

    def __init__(self, uri: WebSocketURI, limits: MessageLimits = DEFAULT_LIMITS) -> None:
        self._client = ClientProtocol(uri, subprotocols=[Subprotocol(SUBPROTOCOL)], max_size=limits.message_bytes, logger=_logger)
        super().__init__(self._client, limits)
        self._client.send_request(self._client.connect())

    def _shake_hands(self, head: bytes | None) -> None:
        status = b"" if head is None else head.partition(b"\r\n")[0]
        if head is None or not status.startswith(b"HTTP/1.1 101"):
            text = status[:80].decode("ascii", "backslashreplace")
            self._give_up(f"WebSocket Refused: {text[9:]}" if text.startswith("HTTP/1.") else "Peer Speaks No WebSocket")
            return
        client = self._client
        client.receive_data(head)
        client.events_received()
        if not self.is_open:
            self._give_up("Malformed WebSocket Handshake")
        elif client.subprotocol != SUBPROTOCOL:
            # RFC 7118 §4.1.
            client.fail(CloseCode.POLICY_VIOLATION, "no subprotocol sip")
            self._give_up("Peer Speaks No SIP over WebSocket")

    def _give_up(self, fault: str) -> None:
        self.fault = fault
        self.is_dead = True
