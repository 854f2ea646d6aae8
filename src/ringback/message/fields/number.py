"""Values that are one number: Content-Length, Max-Forwards, Expires, RSeq … (RFC 3261 §20). They are plain `int`."""

from ringback.message.errors import SipParseError
from ringback.message.grammar import parse_uint

MAX_SECONDS = 2**32 - 1
"""The longest delta-seconds (§20.19)."""

DEFAULT_EXPIRES = 3600
"""What a malformed lifetime counts as, in seconds (§10.2.1.1, §10.3 step 7)."""


def parse_number(text: str) -> int:
    """A number from 0 to 2**32 - 1: Content-Length, Max-Breadth; raises SipParseError."""
    return parse_uint(text, 2**32 - 1)


def parse_max_forwards(text: str) -> int:
    """A number of hops, 0 to 255 (§20.22); raises SipParseError."""
    return parse_uint(text, 255)


def parse_seconds(text: str) -> int:
    """delta-seconds from 0 to 2**32 - 1; raises SipParseError."""
    return parse_uint(text, MAX_SECONDS)


def parse_expires(text: str) -> int:
    """A lifetime in seconds; what is none, an absolute time of RFC 2543 included, counts as an hour (§10.2.1.1). Never raises."""
    try:
        return parse_uint(text, MAX_SECONDS)
    except SipParseError:
        return DEFAULT_EXPIRES


def parse_rseq(text: str) -> int:
    """The number of a reliable provisional response, 1 to 2**32 - 1 (RFC 3262 §7.1); raises SipParseError."""
    number = parse_uint(text, 2**32 - 1)
    if number == 0:
        raise SipParseError("number too small")
    return number
