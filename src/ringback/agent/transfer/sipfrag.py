"""How far a referred-to request has come, as a NOTIFY of the refer package says it: message/sipfrag (RFC 3420, RFC 3515 §2.4.5)."""

from __future__ import annotations

from typing import NamedTuple

from ringback.message.errors import SipParseError
from ringback.message.fields.dialog_id import Replaces
from ringback.message.grammar import parse_uint
from ringback.message.headers import Headers, split_lines
from ringback.message.message import Response

SIPFRAG = "message/sipfrag"

# A choice: a status line is what is looked for, and no honest one is longer.
_LONGEST = 1024
# A choice as well: the few fields that name a dialog are shorter.
_LONGEST_HEAD = 16_384

# What names the dialog that a response has made, and where its callee is.
_OF_DIALOG = ("From", "To", "Call-ID", "CSeq", "Contact")


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


def fields_of_dialog(response: Response) -> bytes:
    """What of a response names the dialog that it has made, to follow the status line in a fragment (RFC 3515 §2.4.5)."""
    headers = response.headers
    lines = [f"{name}: {text}\r\n" for name in _OF_DIALOG for text in headers.texts(name)]
    return "".join(lines).encode("utf-8", "surrogateescape")


def dialog_of(octets: bytes) -> Replaces | None:
    """The dialog that a fragment of a response names, as an INVITE to its callee would; None where it names none."""
    head = octets[:_LONGEST_HEAD].partition(b"\r\n\r\n")[0].decode("utf-8", "surrogateescape")
    try:
        headers = Headers.from_lines(*split_lines([line for line in head.split("\r\n")[1:] if line]))
        if any(headers.count(name) != 1 for name in ("From", "To", "Call-ID")):
            return None
        call_id, to_tag, from_tag = headers.value("Call-ID"), headers.tag("to"), headers.tag("from")
    except SipParseError:
        return None
    if to_tag is None or from_tag is None:
        return None
    return Replaces(call_id, {"to-tag": to_tag, "from-tag": from_tag})
