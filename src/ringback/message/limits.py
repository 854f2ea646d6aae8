"""How much a message may hold before it is refused: the bounds that keep every message's cost linear and small."""

from typing import NamedTuple


class MessageLimits(NamedTuple):
    """Bounds on one received message; a message above one is `Malformed` with the status that says so.

    The defaults and who else chose them: 64 KiB is the largest UDP datagram (RFC 3261 §18.1.1) and Asterisk's stream limit;
    8 KiB a line and 256 fields are the order of nginx and Apache (8 KiB; 100); 1,024 for a URI is Kamailio's MAX_URI_SIZE;
    70 Vias is where Max-Forwards ends (§8.1.1.6).
    """

    message_bytes: int = 65_536
    header_line_bytes: int = 8_192
    header_count: int = 256
    uri_bytes: int = 1_024
    via_count: int = 70
    route_count: int = 20


DEFAULT_LIMITS = MessageLimits()
