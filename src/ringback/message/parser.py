"""From octets to messages: one datagram (RFC 3261 §7, §18.3) or a stream framed by Content-Length (§7.5, §18.3)."""

from __future__ import annotations

import re

from ringback.message.errors import SipParseError
from ringback.message.fields.registry import FIELDS
from ringback.message.grammar import TOKEN, ascii_upper, is_token
from ringback.message.headers import Headers, split_lines
from ringback.message.host import HOST
from ringback.message.limits import DEFAULT_LIMITS, MessageLimits
from ringback.message.message import Request, Response
from ringback.message.methods import METHODS
from ringback.message.passing import glance

_HEAD_END = b"\r\n\r\n"
_GLANCED = frozenset((b"SIP/2.0 1", b"SIP/2.0 2"))
# "CSeq: 999999999 BYE": a response whose line is longer may hold a number that no CSeq can be (RFC 4475 §3.1.2.5).
_USUAL_CSEQ = 19
_ONCE = ("from", "to", "call-id", "cseq")


# As much of a Via as an answer cannot do without.
_sent_by = re.compile(rf"SIP/2\.0/{TOKEN} {HOST}(?::[0-9]{{1,5}}+)?").match
_branch = re.compile(rf";branch={TOKEN}").search


class Malformed:
    """Octets that are no SIP message.

    `reason` is fit for a reason phrase; `status` what to answer with. `request` holds as much of a request as could be read, for the
    answer to be built from; it is None where the octets were a response, an ACK or nothing readable: those get no answer. `is_fatal`
    says that a stream cannot go on: where the next message begins is unknown.
    """

    __slots__ = ("is_fatal", "reason", "request", "status")

    def __init__(self, reason: str, status: int = 400, request: Request | None = None, is_fatal: bool = False) -> None:
        self.reason = reason
        self.status = status
        self.request = request
        self.is_fatal = is_fatal

    def __repr__(self) -> str:
        return f"<Malformed {self.status} {self.reason}>"


class _Fault(Exception):  # noqa: N818 - not an error of this program but the end of one parse
    """Inside this module only: what ends the parse."""

    def __init__(self, reason: str, status: int = 400, request: Request | None = None) -> None:
        self.malformed = Malformed(reason, status, None if request is not None and request.method == "ACK" else request)


def _salvage(start: str, lines: list[str]) -> Request | None:
    """As much of a faulty request as an answer needs: its method and whatever lines are header fields."""
    if ascii_upper(start[:4]) == "SIP/":
        return None
    method, _, rest = start.partition(" ")
    if not is_token(method):
        return None
    keys: list[str] = []
    kept: list[str] = []
    for line in lines:
        try:
            key, whole = split_lines([line])
        except SipParseError:
            continue
        keys += key
        kept += whole
    return _answerable(Request.received(method, rest.partition(" ")[0], Headers.from_lines(keys, kept)))


def _answerable(request: Request) -> Request | None:
    """The request with a topmost Via that an answer can go back by: of one that does not parse, what can be read (RFC 4475 §3.1.2.1)."""
    headers = request.headers
    try:
        request.via  # noqa: B018 - parsed to see whether it can be
    except SipParseError:
        text = headers.text("via") or ""
        found = _sent_by(text)
        if found is None:
            return None
        branch = _branch(text)
        headers.lines[headers.keys.index("via")] = f"Via: {found[0]}{branch[0] if branch else ''}"
    return request


def _parse_request_line(start: str, lines: list[str], limits: MessageLimits) -> tuple[str, str]:
    """Method and Request-URI (§7.1)."""
    parts = start.split(" ")
    if len(parts) == 3:
        method, uri, version = parts
        if (version == "SIP/2.0" or ascii_upper(version) == "SIP/2.0") and (method in METHODS or is_token(method)):
            if len(uri) > limits.uri_bytes:
                raise _Fault("Request-URI Too Long", 414, _salvage(start, lines))
            if not uri or uri[0] == "<":
                raise _Fault("Malformed Request-URI", 400, _salvage(start, lines))
            return method, uri
        if ascii_upper(version[:4]) == "SIP/" and is_token(method):
            raise _Fault("Version Not Supported", 505, _salvage(start, lines))
    raise _Fault("Malformed Request-Line", 400, _salvage(start, lines))


def _parse_status_line(start: str) -> tuple[int, str]:
    """Status code and reason phrase (§7.2)."""
    version, digits, reason = start[:7], start[8:11], start[11:]
    if version != "SIP/2.0" and ascii_upper(version) != "SIP/2.0":
        raise _Fault("Version Not Supported", 505)
    if not (start[7:8] == " " and len(digits) == 3 and digits.isdigit() and digits.isascii() and "1" <= digits[0] <= "6"):
        raise _Fault("Malformed Status-Line")
    if reason and reason[0] != " ":
        raise _Fault("Malformed Status-Line")
    return int(digits), reason[1:]


def _parse_head(head: bytes, limits: MessageLimits) -> Request | Response:
    """Start line and header fields, with the checks every element must make (§16.3 item 1); raises `_Fault`."""
    text = head.decode("utf-8", "surrogateescape")
    lines = text.split("\r\n")
    start = lines.pop(0)
    line_count = len(lines)
    if line_count > limits.header_count:
        raise _Fault("Too Many Header Fields", 400, _salvage(start, lines[: limits.header_count]))
    if text.count("\n") != line_count or text.count("\r") != line_count:
        raise _Fault("Bare CR or LF in Head", 400, _salvage(start, lines))
    if len(text) > limits.header_line_bytes and any(len(line) > limits.header_line_bytes for line in lines):
        short = [line for line in lines if len(line) <= limits.header_line_bytes]
        raise _Fault("Header Field Too Long", 400, _salvage(start, short))
    try:
        keys, lines = split_lines(lines)
    except SipParseError as error:
        raise _Fault(error.reason, 400, _salvage(start, lines)) from None
    headers = Headers.from_lines(keys, lines)
    message: Request | Response
    request = None
    if start[:4] == "SIP/" or ascii_upper(start[:4]) == "SIP/":
        status, reason = _parse_status_line(start)
        message = Response.received(status, reason, headers)
    else:
        method, uri = _parse_request_line(start, lines, limits)
        message = request = Request.received(method, uri, headers)
    count = keys.count
    # §7.3.1: these stand once; two of them are where two elements would read two different messages.
    if (
        count("from") != 1
        or count("to") != 1
        or count("call-id") != 1
        or count("cseq") != 1
        or count("content-length") > 1
        or count("max-forwards") > 1
    ):
        raise _Fault(_wrong_count(keys), 400, request if "via" in keys else None)
    try:
        if headers.first("via") is None:
            raise _Fault("Missing Via")
        if request is not None:
            if headers.first("cseq").method != method:
                raise _Fault("CSeq Method Differs from Request", 400, request)
        elif len(headers.lines[keys.index("cseq")]) > _USUAL_CSEQ:
            headers.first("cseq")
    except SipParseError as error:
        answerable = None if request is None else _answerable(request)
        raise _Fault(f"Malformed {error.field}: {error.reason}", 400, answerable) from None
    if line_count > limits.route_count and (count("via") > limits.via_count or count("route") > limits.route_count):
        raise _Fault("Too Many Hops Recorded", 400, request)
    return message


def _wrong_count(keys: list[str]) -> str:
    """Says which field is missing or stands twice."""
    for key in ("from", "to", "call-id", "cseq", "content-length", "max-forwards"):
        if keys.count(key) > 1:
            return f"Repeated {FIELDS[key].name}"
    return f"Missing {next(FIELDS[key].name for key in _ONCE if key not in keys)}"


def _content_length(message: Request | Response) -> int | None:
    """Content-Length in octets, None where absent; raises `_Fault` for anything but a plain number (§20.14)."""
    headers = message.headers
    if "content-length" not in headers.keys:
        return None
    line = headers.lines[headers.keys.index("content-length")]
    if line == "Content-Length: 0":
        return 0
    text = headers.text("content-length") or ""
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise _Fault("Malformed Content-Length", 400, message if isinstance(message, Request) else None)
    return int(text)


def parse_datagram(data: bytes, limits: MessageLimits = DEFAULT_LIMITS) -> Request | Response | Malformed:
    """The message in one datagram (§18.3); never raises. Most responses are only glanced at: see `PassingResponse`.

    Octets beyond Content-Length are dropped; a body shorter than it makes the message `Malformed`.
    """
    if data[:9] in _GLANCED and len(data) <= limits.header_line_bytes:
        passing = glance(data)
        if passing is not None:
            return passing
    return parse_message(data, limits)


def parse_message(data: bytes, limits: MessageLimits = DEFAULT_LIMITS) -> Request | Response | Malformed:
    """The same with every header line looked at.

    Octets beyond Content-Length are dropped; a body shorter than it makes the message `Malformed`.
    """
    end = data.find(_HEAD_END)
    if end <= 0 or data[0] == 13:
        data = data.lstrip(b"\r\n")  # §7.5 asks it of streams; a datagram loses nothing by it
        end = data.find(_HEAD_END)
    try:
        if len(data) > limits.message_bytes:
            raise _Fault("Message Too Large", 513, _salvage_octets(data[: end if end >= 0 else 0], limits))
        if end < 0:
            raise _Fault("Header Fields Not Ended by an Empty Line", 400, _salvage_octets(data, limits))
        message = _parse_head(data[:end], limits)
        body = data[end + 4 :]
        length = _content_length(message)
        if length is not None and length != len(body):
            if length > len(body):
                raise _Fault("Body Shorter than Content-Length", 400, message if isinstance(message, Request) else None)
            body = body[:length]
        message.body = body
        return message
    except _Fault as fault:
        return fault.malformed


def _salvage_octets(head: bytes, limits: MessageLimits) -> Request | None:
    lines = head.decode("utf-8", "surrogateescape").split("\r\n", limits.header_count)
    return _salvage(lines[0], [line for line in lines[1:] if len(line) <= limits.header_line_bytes])


class StreamParser:
    """Cuts a stream into messages by Content-Length (§18.3). Feed it octets; take messages until there is none.

    After a `Malformed` with `is_fatal` nothing more comes: close the connection once the answer is written. `pings` counts the
    double CRLFs that a peer sent between messages to keep its flow alive (RFC 5626 §4.4.1); take them to answer each by CRLF. Whoever
    has sent one sets `awaits_pong`, which the CRLF that answers it ends.
    """

    __slots__ = ("_awaited", "_buffer", "_empty_lines", "_limits", "_message", "_scanned", "awaits_pong", "is_dead", "pings")

    def __init__(self, limits: MessageLimits = DEFAULT_LIMITS) -> None:
        self._buffer = bytearray()
        self._limits = limits
        self._scanned = 0
        self._empty_lines = 0
        self._message: Request | Response | None = None
        self._awaited = 0
        self.is_dead = False
        self.pings = 0
        self.awaits_pong = False

    @property
    def is_between_messages(self) -> bool:
        """True where no octet of a message not yet whole has come."""
        return not self._buffer

    def feed(self, data: bytes) -> None:
        """Takes what the connection read."""
        if not self.is_dead:
            self._buffer += data

    def next_message(self) -> tuple[Request | Response | Malformed, bytes] | None:
        """The next whole message and its octets, None where more is needed. Linear in what was fed, however it was cut."""
        if self.is_dead:
            return None
        try:
            if self._message is None and not self._take_head():
                return None
            if len(self._buffer) < self._awaited:
                return None
        except _Fault as fault:
            octets = bytes(self._buffer)
            self._die()
            fault.malformed.is_fatal = True
            return fault.malformed, octets
        message = self._message
        assert message is not None
        octets = bytes(memoryview(self._buffer)[: self._awaited])
        del self._buffer[: self._awaited]
        message.body = octets[self._scanned :]
        self._message = None
        self._scanned = 0
        return message, octets

    def _take_head(self) -> bool:
        buffer = self._buffer
        if self._scanned == 0:
            self._skip_empty_lines()
            if buffer == b"\r":
                return False
        end = buffer.find(_HEAD_END, max(0, self._scanned - 3))
        if end < 0:
            self._scanned = len(buffer)
            if len(buffer) > self._limits.message_bytes:
                raise _Fault("Message Too Large", 513, _salvage_octets(bytes(buffer[: self._limits.message_bytes]), self._limits))
            return False
        message = _parse_head(bytes(memoryview(buffer)[:end]), self._limits)
        length = _content_length(message)
        request = message if isinstance(message, Request) else None
        if length is None:
            raise _Fault("Missing Content-Length", 400, request)
        if end + 4 + length > self._limits.message_bytes:
            raise _Fault("Message Too Large", 513, request)
        self._message = message
        self._scanned = end + 4
        self._awaited = end + 4 + length
        return True

    def _skip_empty_lines(self) -> None:
        """§7.5: CRLFs before a start line are no part of a message; each two of them are a ping."""
        buffer = self._buffer
        skip = 0
        while buffer[skip : skip + 2] == b"\r\n":
            skip += 2
        if skip and self.awaits_pong:
            self.awaits_pong = False
            self._empty_lines -= 1
        self._empty_lines += skip // 2
        self.pings += self._empty_lines // 2
        self._empty_lines %= 2
        del buffer[:skip]
        if buffer and buffer != b"\r":
            self._empty_lines = 0

    def _die(self) -> None:
        self.is_dead = True
        self._buffer = bytearray()
        self._message = None
