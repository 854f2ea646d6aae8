"""One message that passed: when, which way, its octets, and what a reader wants to know of it at a glance."""

from __future__ import annotations

from ringback.address import Flow
from ringback.message.errors import SipParseError
from ringback.message.limits import MessageLimits
from ringback.message.message import Request, Response
from ringback.message.parser import parse_datagram
from ringback.trace.printable import printable

# What passed has been measured already; the trace shows whatever it was.
_NO_LIMITS = MessageLimits(*[1 << 30] * len(MessageLimits._fields))


class Entry:
    """A message and its way. `time` is in seconds since 1970, `direction` "in" or "out", `malformed` the fault of what was no message."""

    __slots__ = ("_message", "direction", "flow", "malformed", "octets", "time")

    def __init__(self, time: float, direction: str, octets: bytes, flow: Flow, malformed: str | None = None) -> None:
        self.time = time
        self.direction = direction
        self.octets = octets
        self.flow = flow
        self.malformed = malformed
        self._message: Request | Response | bool | None = malformed is None

    @property
    def message(self) -> Request | Response | None:
        """The message, parsed when first asked for; None where the octets are none."""
        if self._message is True:
            parsed = parse_datagram(self.octets, _NO_LIMITS)
            self._message = parsed if isinstance(parsed, (Request, Response)) else None
        return self._message or None

    @property
    def first_line(self) -> str:
        """The first line as it came, made printable."""
        return printable(self.octets[:1024].partition(b"\n")[0].rstrip(b"\r").decode("utf-8", "surrogateescape"))

    @property
    def label(self) -> str:
        """What stands on an arrow: `INVITE (SDP)`, `180 Ringing`, or `malformed`."""
        message = self.message
        if message is None:
            return "malformed" if self.malformed else self.first_line
        return label_of(message)

    @property
    def caption(self) -> str:
        """What stands beside an arrow: CSeq and who to whom, `1 INVITE alice → bob`; of what was no message fault and first line."""
        message = self.message
        if message is None:
            return f"{printable(self.malformed)}: {self.first_line}" if self.malformed else ""
        cseq = message.headers.text("cseq") or "?"
        return printable(f"{cseq}  {_party(message, 'from')} → {_party(message, 'to')}")


def label_of(message: Request | Response) -> str:
    """`INVITE (SDP)`, `200 OK (SDP)`, `REGISTER`: the name of a message in a ladder diagram."""
    name = message.method if isinstance(message, Request) else f"{message.status} {message.reason}"
    has_sdp = message.body and (message.headers.text("content-type") or "").lower().startswith("application/sdp")
    return printable(name + " (SDP)" if has_sdp else name)


def _party(message: Request | Response, field: str) -> str:
    """The user (or host) of From or To; ? where it cannot be read."""
    try:
        uri = getattr(message.headers.value(field), "uri", None)
    except SipParseError:
        return "?"
    return getattr(uri, "user", None) or getattr(uri, "host", None) or "?"
