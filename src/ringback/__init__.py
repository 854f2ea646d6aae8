"""Ringback: the complete SIP platform for Python. These are its public names; the rooms below are for those who need more."""

from ringback.message.errors import SipParseError
from ringback.message.headers import Headers
from ringback.message.message import Request, Response
from ringback.message.parser import Malformed, StreamParser, parse_datagram
from ringback.message.uri import AnyUri, SipUri, TelUri, parse_uri
from ringback.server.proxy.routing import Forward, Redirect, Reject

__all__ = [
    "AnyUri",
    "Forward",
    "Headers",
    "Malformed",
    "Redirect",
    "Reject",
    "Request",
    "Response",
    "SipParseError",
    "SipUri",
    "StreamParser",
    "TelUri",
    "parse_datagram",
    "parse_uri",
]
