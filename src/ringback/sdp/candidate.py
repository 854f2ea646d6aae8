"""One way in which ICE may reach a medium: a=candidate (RFC 8839 §5.1, RFC 8445 §5.3)."""

import re
from ipaddress import ip_address
from typing import NamedTuple, Self

from ringback.sdp.errors import SdpError
from ringback.sdp.grammar import is_token, is_visible, parse_number

MAX_PRIORITY = 2**31 - 1
MAX_COMPONENT = 256
MAX_PORT = 65_535

# foundation = 1*32ice-char; ice-char = ALPHA / DIGIT / "+" / "/"
_is_foundation = re.compile(r"[A-Za-z0-9+/]{1,32}").fullmatch


class Candidate(NamedTuple):
    """A transport address and what ICE must know of it.

    `component` is 1 for RTP and 2 for RTCP; `type` is `"host"`, `"srflx"`, `"prflx"`, `"relay"` or another token; the related address
    is the base or the mapped address behind it, None where it is not told; `extensions` are pairs that are not understood here.
    """

    foundation: str
    component: int
    transport: str
    priority: int
    host: str
    port: int
    type: str
    related_host: str | None = None
    related_port: int | None = None
    extensions: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The candidate that `text` (what follows `a=candidate:`) is; raises SdpError."""
        # An extension's value may be empty, so single spaces separate here.
        parts = text.split(" ")
        if len(parts) < 8 or parts[6] != "typ":
            raise SdpError("malformed candidate")
        foundation, component, transport, priority, host, port, _, type_, *rest = parts
        if not (_is_foundation(foundation) and is_token(transport) and is_visible(host) and is_token(type_)):
            raise SdpError("malformed candidate")
        if len(rest) % 2:
            # Some senders end the line with a space.
            if rest.pop():
                raise SdpError("candidate with half an extension")
        pairs = list(zip(rest[::2], rest[1::2], strict=True))
        related_host = related_port = None
        if pairs and pairs[0][0] == "raddr":
            related_host = pairs.pop(0)[1]
        if pairs and pairs[0][0] == "rport":
            related_port = parse_number(pairs.pop(0)[1], MAX_PORT)
        component_id, priority_value = parse_number(component, MAX_COMPONENT), parse_number(priority, MAX_PRIORITY)
        if not (component_id and priority_value) or related_host == "" or not all(is_token(name) for name, _ in pairs):
            raise SdpError("malformed candidate")
        related = related_host, related_port
        return cls(foundation, component_id, transport, priority_value, host, parse_number(port, MAX_PORT), type_, *related, tuple(pairs))

    @property
    def is_address(self) -> bool:
        """Whether the host is an IP address: a candidate with a name is to be ignored (RFC 8839 §5.1)."""
        try:
            ip_address(self.host)
        except ValueError:
            return False
        return True

    def __str__(self) -> str:
        parts: list[object] = [self.foundation, self.component, self.transport, self.priority, self.host, self.port, "typ", self.type]
        if self.related_host is not None:
            parts += ["raddr", self.related_host]
        if self.related_port is not None:
            parts += ["rport", self.related_port]
        for pair in self.extensions:
            parts += pair
        return " ".join([str(part) for part in parts])
