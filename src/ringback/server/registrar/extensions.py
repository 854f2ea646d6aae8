"""Which extensions of REGISTER are understood, and which ones a user agent says it supports (RFC 3261 §8.2.2.3, §20.37)."""

from ringback.message.grammar import ascii_lower
from ringback.message.message import Request

EXTENSIONS = ("gruu", "outbound", "path")
"""RFC 5627, RFC 5626, RFC 3327."""


def not_understood(request: Request) -> list[str]:
    """The option tags that a request requires and nobody here knows."""
    return [tag for tag in request.require if ascii_lower(tag) not in EXTENSIONS]


def has_option(request: Request, tag: str) -> bool:
    """Whether a user agent says that it supports an extension; who requires it does."""
    headers = request.headers
    return any(name in headers.keys and tag in map(ascii_lower, headers.values(name)) for name in ("supported", "require"))
