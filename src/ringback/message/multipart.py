"""Bodies of several parts: cut apart, nested ones too, and put together (RFC 5621 §3, RFC 2046 §5.1)."""

import re
from typing import Self

from ringback.message.errors import SipParseError
from ringback.message.fields.media_type import MediaType
from ringback.message.fields.token_value import ContentDisposition
from ringback.message.grammar import is_token, quote
from ringback.message.headers import Headers, split_lines

MAX_PARTS = 16
"""Most parts of one body, those of nested multiparts included. Real SIP sends two to four (SDP, PIDF-LO, ISUP, a signature)."""

MAX_DEPTH = 3
"""Deepest nesting: RFC 5621 §3.4 itself shows two levels, a signature around them makes three."""

# boundary := 0*69<bchars> bcharsnospace
_is_boundary = re.compile(r"[A-Za-z0-9'()+_,\-./:=? ]{0,69}[A-Za-z0-9'()+_,\-./:=?]").fullmatch
# what may follow the boundary: the dashes of the last one, padding, the line's end
_rest_of_delimiter = re.compile(rb"(--)?[ \t]*+(?=\r\n|\Z)").match


class Part:
    """One part: its header fields, its octets, and where it is itself a multipart, what is in it."""

    __slots__ = ("body", "default_type", "headers", "multipart")

    def __init__(self, headers: Headers, body: bytes) -> None:
        self.headers = headers
        self.body = body
        self.default_type = "text/plain"
        self.multipart: Multipart | None = None

    @property
    def content_type(self) -> MediaType:
        """What the octets are; text/plain where nothing is said, message/rfc822 in a digest (RFC 2046 §5.1.5)."""
        value = self.headers.value("Content-Type")
        return value if isinstance(value, MediaType) else MediaType.parse(self.default_type)

    @property
    def content_disposition(self) -> ContentDisposition | None:
        """What the part is for; None where nothing is said."""
        value = self.headers.value("Content-Disposition")
        return value if isinstance(value, ContentDisposition) else None

    def to_bytes(self) -> bytes:
        """The part as it stands between two delimiters; a nested multipart is rendered anew."""
        body = self.body if self.multipart is None else self.multipart.to_bytes()
        head = "\r\n".join([*self.headers.lines, "", ""]) if self.headers.lines else "\r\n"
        return head.encode("utf-8", "surrogateescape") + body

    def __repr__(self) -> str:
        return f"<Part {self.content_type.essence} {len(self.body)} octets>"


class Multipart:
    """The parts of one body in their order. Preamble and epilogue are dropped, as RFC 2046 §5.1.1 asks."""

    __slots__ = ("boundary", "parts", "subtype")

    def __init__(self, parts: list[Part], boundary: str, subtype: str = "mixed") -> None:
        """`boundary` must be one by RFC 2046 (ValueError) and occur in no part, which `to_bytes` checks."""
        if _is_boundary(boundary) is None:
            raise ValueError(f"not a boundary of 1 to 70 characters: {boundary!r}")
        self.parts = parts
        self.boundary = boundary
        self.subtype = subtype

    @classmethod
    def parse(cls, body: bytes, content_type: MediaType) -> Self:
        """The parts of a body whose Content-Type is given, nested multiparts cut apart too.

        Raises SipParseError where there is no boundary, a delimiter is missing, a part's head is malformed, or `MAX_PARTS` or
        `MAX_DEPTH` is exceeded.
        """
        whole = cls([], _boundary(content_type), content_type.subtype)
        count = 0
        waiting: list[tuple[Multipart, bytes, int]] = [(whole, body, 1)]
        while waiting:
            multipart, octets, depth = waiting.pop()
            for text in _split(octets, multipart.boundary, MAX_PARTS - count):
                count += 1
                part = _parse_part(text)
                if multipart.subtype == "digest":
                    part.default_type = "message/rfc822"
                multipart.parts.append(part)
                inner = part.content_type
                if inner.type == "multipart":
                    if depth == MAX_DEPTH:
                        raise SipParseError("multipart nested too deep")
                    part.multipart = Multipart([], _boundary(inner), inner.subtype)
                    waiting.append((part.multipart, part.body, depth + 1))
        return whole

    @property
    def content_type(self) -> MediaType:
        """The Content-Type that goes with `to_bytes`."""
        boundary = self.boundary if is_token(self.boundary) else quote(self.boundary)
        return MediaType("multipart", self.subtype, {"boundary": boundary})

    def leaves(self) -> list[Part]:
        """Every part that is no multipart, at any depth, in the order they stand in the body."""
        found: list[Part] = []
        waiting = self.parts[::-1]
        while waiting:
            part = waiting.pop()
            if part.multipart is None:
                found.append(part)
            else:
                waiting.extend(part.multipart.parts[::-1])
        return found

    def to_bytes(self) -> bytes:
        """The body as octets; raises ValueError where the boundary occurs in a part or there is none."""
        delimiter = f"--{self.boundary}".encode("ascii")
        parts = [part.to_bytes() for part in self.parts]
        if not parts:
            raise ValueError("a multipart needs a part")
        if any(delimiter in part for part in parts):
            raise ValueError("the boundary occurs in a part")
        return b"".join([b"%b\r\n%b\r\n" % (delimiter, part) for part in parts]) + delimiter + b"--\r\n"

    def __repr__(self) -> str:
        return f"<Multipart {self.subtype} of {len(self.parts)}>"


def _boundary(content_type: MediaType) -> str:
    boundary = content_type.param("boundary")
    if content_type.type != "multipart" or boundary is None or _is_boundary(boundary) is None:
        raise SipParseError("multipart without a boundary of 1 to 70 characters")
    return boundary


def _split(body: bytes, boundary: str, limit: int) -> list[bytes]:
    """The octets between the delimiter lines; SipParseError where the first or the closing one is missing, or above `limit` parts."""
    delimiter = b"\r\n--" + boundary.encode("ascii")
    # The first delimiter needs no CRLF before it where there is no preamble.
    octets = b"\r\n" + body
    parts: list[bytes] = []
    start = -1
    at = octets.find(delimiter)
    while at >= 0:
        after = at + len(delimiter)
        rest = _rest_of_delimiter(octets, after)
        if rest is not None:
            is_closing = rest[1] is not None
            if start >= 0:
                if len(parts) == limit:
                    raise SipParseError("too many parts")
                parts.append(octets[start + 2 : at])
                if is_closing:
                    return parts
            elif is_closing:
                raise SipParseError("multipart without a part")
            # The line's own CRLF stays for the next search: in an empty part it also begins the next delimiter.
            start = after = rest.end()
        at = octets.find(delimiter, after)
    raise SipParseError("multipart without its delimiters")


def _parse_part(text: bytes) -> Part:
    """The part that stands between two delimiters: header fields up to an empty line, then octets."""
    if text[:2] == b"\r\n":
        return Part(Headers(), text[2:])
    head, _, body = text.partition(b"\r\n\r\n")
    lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    keys, lines = split_lines(lines) if head else ([], [])
    return Part(Headers.from_lines(keys, lines), body)
