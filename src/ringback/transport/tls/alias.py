"""A connection that is used in the direction it was not opened in: what a peer says of itself in Via, and when that counts (RFC 5923)."""

from __future__ import annotations

from ringback.address import DEFAULT_PORTS
from ringback.message.errors import SipParseError
from ringback.message.message import Request, Response
from ringback.message.parser import Malformed


def aliased_port(message: Request | Response | Malformed) -> int | None:
    """The port at which whoever sent a request over TLS is found as well, if it wants the same connection used (RFC 5923 §8.2)."""
    if not isinstance(message, Request):
        return None
    try:
        via = message.via
    except SipParseError:
        return None
    if "alias" not in via.params or via.transport != "TLS":
        return None
    return DEFAULT_PORTS["TLS"] if via.port is None else via.port
