"""Requests and responses (RFC 3261 §7): a start line, header fields, a body."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

from ringback.message.errors import SipParseError
from ringback.message.fields.cseq import CSeq
from ringback.message.fields.name_addr import NameAddr
from ringback.message.fields.via import Via
from ringback.message.headers import Headers, value_of
from ringback.message.status import REASONS
from ringback.message.uri import AnyUri, SipUri, TelUri, parse_uri


def _word(text: str) -> str:
    """`text` as a part of a start line, where a blank or a line break would begin the next part."""
    if " " in text or "\r" in text or "\n" in text:
        raise ValueError(f"a start line's parts may hold no blank, CR or LF: {text!r}")
    return text


class Message:
    """What requests and responses share.

    Typed accessors give None or [] where the field is absent and raise `SipParseError` where it is malformed.
    """

    __slots__ = ("body", "headers")

    headers: Headers
    body: bytes

    @property
    def start_line(self) -> str:
        """The first line, without its CRLF."""
        raise TypeError("a Message is a Request or a Response")

    def value(self, name: str) -> Any:
        """The first typed value of a field."""
        return self.headers.value(name)

    @property
    def via(self) -> Via:
        """The topmost Via (§20.42); `SipParseError` where there is none."""
        via: Via | None = self.headers.first("via")
        if via is None:
            raise SipParseError("Missing Via", "Via")
        return via

    @property
    def vias(self) -> list[Via]:
        """Every Via, topmost first."""
        return self.headers.values("via")

    @property
    def from_(self) -> NameAddr:
        """Who sends the request (§20.20)."""
        value: NameAddr = self.headers.value("from")
        return value

    @property
    def to(self) -> NameAddr:
        """Whom the request was meant for (§20.39)."""
        value: NameAddr = self.headers.value("to")
        return value

    @property
    def from_tag(self) -> str | None:
        """The tag of From."""
        return self.headers.tag("from")

    @property
    def to_tag(self) -> str | None:
        """The tag of To: present in requests within a dialog (§12.2)."""
        return self.headers.tag("to")

    @property
    def call_id(self) -> str:
        """Call-ID (§20.8), compared octet by octet."""
        headers = self.headers
        return value_of(headers.lines[headers.keys.index("call-id")]) if "call-id" in headers.keys else ""

    @property
    def cseq(self) -> CSeq:
        """CSeq (§20.16)."""
        value: CSeq = self.headers.first("cseq")
        return value

    @property
    def contact(self) -> Any:
        """The first Contact (§20.10): a `NameAddr`, or the `*` of a REGISTER that removes every binding."""
        return self.headers.value("contact")

    @property
    def contacts(self) -> list[Any]:
        """Every Contact."""
        return self.headers.values("contact")

    @property
    def routes(self) -> list[NameAddr]:
        """Every Route (§20.34), the next to visit first."""
        return self.headers.values("route")

    @property
    def record_routes(self) -> list[NameAddr]:
        """Every Record-Route (§20.30), the last proxy first."""
        return self.headers.values("record-route")

    @property
    def max_forwards(self) -> int | None:
        """Max-Forwards (§20.22)."""
        headers = self.headers
        if "max-forwards" not in headers.keys:
            return None
        if headers.lines[headers.keys.index("max-forwards")] == "Max-Forwards: 70":
            # What every client writes (§8.1.1.6).
            return 70
        value: int = headers.first("max-forwards")
        return value

    @property
    def expires(self) -> int | None:
        """Expires in seconds (§20.19)."""
        value: int | None = self.headers.value("expires")
        return value

    @property
    def require(self) -> list[str]:
        """Option tags of Require (§20.32)."""
        return self.headers.values("require")

    @property
    def supported(self) -> list[str]:
        """Option tags of Supported (§20.37)."""
        return self.headers.values("supported")

    @property
    def content_type(self) -> Any:
        """Content-Type (§20.15)."""
        return self.headers.value("content-type")

    def to_bytes(self) -> bytes:
        """The message as it goes on the wire; octets that were not UTF-8 come out as they came in."""
        head = "\r\n".join([self.start_line, *self.headers.lines, "", ""]).encode("utf-8", "surrogateescape")
        return head + self.body if self.body else head

    def __str__(self) -> str:
        return self.to_bytes().decode("utf-8", "replace")

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Message) and self.start_line == other.start_line and self.headers == other.headers and self.body == other.body
        )

    __hash__ = None  # type: ignore[assignment]  # a Message changes: it may be no key


class Request(Message):
    """A request (§7.1). `uri` may be given as text or typed; a blank or line break in it or in `method` raises `ValueError`."""

    __slots__ = ("_uri", "method", "uri_text")

    def __init__(
        self,
        method: str,
        uri: SipUri | TelUri | AnyUri | str,
        headers: Headers | Iterable[tuple[str, object]] = (),
        body: bytes = b"",
    ) -> None:
        self.method = _word(method)
        self.uri_text = _word(str(uri))
        self._uri: SipUri | TelUri | AnyUri | None = None
        self.headers = headers if isinstance(headers, Headers) else Headers(headers)
        self.body = body

    @classmethod
    def received(cls, method: str, uri_text: str, headers: Headers) -> Self:
        """A request as a parser makes it: nothing checked again, the body not there yet."""
        request = cls.__new__(cls)
        request.method = method
        request.uri_text = uri_text
        request._uri = None
        request.headers = headers
        request.body = b""
        return request

    @property
    def uri(self) -> SipUri | TelUri | AnyUri:
        """The Request-URI (§8.1.1.1); `SipParseError` where it does not parse."""
        if self._uri is None:
            self._uri = parse_uri(self.uri_text)
        return self._uri

    @uri.setter
    def uri(self, uri: SipUri | TelUri | AnyUri | str) -> None:
        self.uri_text = _word(str(uri))
        self._uri = None

    @property
    def start_line(self) -> str:
        """`Method SP Request-URI SP SIP-Version`."""
        return f"{self.method} {self.uri_text} SIP/2.0"

    def copy(self) -> Self:
        """An independent copy."""
        copy = self.__class__.__new__(self.__class__)
        copy.method = self.method
        copy.uri_text = self.uri_text
        copy._uri = self._uri
        copy.headers = self.headers.copy()
        copy.body = self.body
        return copy

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.uri_text}>"


class Response(Message):
    """A response (§7.2); the reason phrase defaults to the RFCs' own for the status."""

    __slots__ = ("reason", "status")

    def __init__(
        self, status: int, reason: str | None = None, headers: Headers | Iterable[tuple[str, object]] = (), body: bytes = b""
    ) -> None:
        self.status = status
        self.reason = REASONS.get(status, "") if reason is None else reason
        if "\r" in self.reason or "\n" in self.reason:
            raise ValueError(f"a reason phrase may hold no CR or LF: {reason!r}")
        self.headers = headers if isinstance(headers, Headers) else Headers(headers)
        self.body = body

    @classmethod
    def received(cls, status: int, reason: str, headers: Headers) -> Self:
        """A response as a parser makes it: nothing checked again, the body not there yet."""
        response = cls.__new__(cls)
        response.status = status
        response.reason = reason
        response.headers = headers
        response.body = b""
        return response

    @property
    def start_line(self) -> str:
        """`SIP-Version SP Status-Code SP Reason-Phrase`."""
        return f"SIP/2.0 {self.status} {self.reason}"

    def remove_top_via(self) -> bool:
        """Removes the topmost Via (§16.7 item 3); False where none is left."""
        self.headers.remove_first("via")
        return "via" in self.headers.keys

    @property
    def is_provisional(self) -> bool:
        """1xx: the request is still being worked on."""
        return self.status < 200

    @property
    def is_final(self) -> bool:
        """2xx to 6xx: the transaction's answer."""
        return self.status >= 200

    @property
    def is_success(self) -> bool:
        """2xx."""
        return 200 <= self.status < 300

    @property
    def retry_after(self) -> int | None:
        """The seconds to wait before the next attempt (§20.33); None where it says nothing usable."""
        try:
            value = self.headers.value("Retry-After")
        except SipParseError:
            return None
        seconds: int | None = None if value is None else value.seconds
        return seconds

    def copy(self) -> Self:
        """An independent copy."""
        copy = self.__class__.__new__(self.__class__)
        copy.status = self.status
        copy.reason = self.reason
        copy.headers = self.headers.copy()
        copy.body = self.body
        return copy

    def __repr__(self) -> str:
        return f"<Response {self.status} {self.reason} ({self.headers.text('cseq')})>"
