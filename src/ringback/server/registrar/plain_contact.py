"""The Contact that nearly every phone sends, told by its shape: one look instead of the five that a whole one takes."""

from __future__ import annotations

import re
from collections.abc import Container
from typing import ClassVar

from ringback.address import DEFAULT_PORTS
from ringback.message.uri import Uri, parse_uri

# <sip:user@IPv4[:port]>[;expires=delta-seconds] with nothing escaped, no other parameter and no second Contact
_plain = re.compile(
    r"[^:<]++:[ \t]*+<(sip:[A-Za-z0-9\-_.!~*'()+]{1,64}+@([0-9.]{7,15}+)(?>(?::([0-9]{1,5}+))?))>(?>(?:;expires=([0-9]{1,9}+))?)[ \t]*+"
).fullmatch


class PlainContact:
    """What a `NameAddr` would say of such a Contact."""

    __slots__ = ("expires", "port", "uri_text")

    params: ClassVar[dict[str, str | None]] = {}
    q: ClassVar[float | None] = None

    def __init__(self, uri_text: str, port: int, expires: int | None) -> None:
        self.uri_text = uri_text
        self.port = port
        self.expires = expires

    @property
    def uri(self) -> Uri:
        """The URI, parsed: needed only beside other bindings."""
        return parse_uri(self.uri_text)


def plain_contact(line: str, source: str, own: Container[tuple[str, int]]) -> PlainContact | None:
    """The Contact of a raw header line, if it is plain, at the numeric address `source` and not this server, whose hosts and ports are
    `own`: it needs no further check.

    None where it takes the long way, which is all that None means.
    """
    found = _plain(line)
    if found is None:
        return None
    text, host, digits, expires = found.groups()
    port = DEFAULT_PORTS["UDP"] if digits is None else int(digits)
    if host != source or port > 65_535 or (host, port) in own:
        return None
    return PlainContact(text, port, None if expires is None else int(expires))
