"""How far a referred-to request has come, as a NOTIFY of the refer package says it: message/sipfrag (RFC 3420, RFC 3515 §2.4.5)."""

from __future__ import annotations

from typing import NamedTuple

from ringback.message.errors import SipParseError
from ringback.message.grammar import parse_uint
from ringback.message.message import Response

SIPFRAG = "message/sipfrag"

# A choice: a status line is what is looked for, and no honest one is longer.
_LONGEST = 1024


class StatusLine(NamedTuple):
    """What a fragment begins with."""

    status: int
    reason: str

    @property
    def is_final(self) -> bool:
        """Whether nothing more will come of the request."""
        return self.status >= 200

    @property
    def is_success(self) -> bool:
        """Whether it was accepted."""
        return 200 <= self.status < 300

    def to_bytes(self) -> bytes:
        """The fragment: nothing but the status line, since header fields may tell the referrer what is not for it (RFC 3515 §5.2)."""
        return f"SIP/2.0 {self.status} {self.reason}\r\n".encode("utf-8", "surrogateescape")


TRYING = StatusLine(100, "Trying")


def status_line_of(response: Response) -> StatusLine:
    """What a response says, as a fragment may repeat it."""
    return StatusLine(response.status, response.reason)


def parse_sipfrag(octets: bytes) -> StatusLine:
    """The status line that a fragment begins with; raises `SipParseError` where it begins with none. What follows it is not read."""
    line = octets[:_LONGEST].partition(b"\n")[0].removesuffix(b"\r").decode("utf-8", "surrogateescape")
    version, blank, rest = line.partition(" ")
    digits, _, reason = rest.partition(" ")
    # Phones write the version in either case, as in a whole message (RFC 3261 §7.1).
    if not blank or version not in ("SIP/2.0", "sip/2.0") or len(digits) != 3:
        raise SipParseError("no status line", "sipfrag")
    try:
        status = parse_uint(digits, 699)
    except SipParseError:
        status = 0
    if status < 100:
        raise SipParseError("no status code", "sipfrag")
    return StatusLine(status, reason)
