"""Which header field holds which kind of value (RFC 3261 §20 and the extensions), and the compact forms of §7.3.3.

A new header field is one line here; a new kind of value is one file beside this one.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from ringback.message.fields.cseq import CSeq
from ringback.message.fields.name_addr import NameAddr, parse_contact
from ringback.message.fields.via import Via


class Field(NamedTuple):
    """What is known of one header field."""

    name: str
    """The spelling of its RFC, "Via"."""
    parse: Callable[[str], Any] | None = None
    """Makes one value of its text, raising SipParseError; None where the value is plain text."""
    is_list: bool = False
    """Whether one line may hold several values, separated by commas."""
    compact: str | None = None
    """Its one-letter form, "v"."""
    limit: int | None = None
    """Most values one message may hold (all lines together), None where only the message's own limits hold."""


_FIELDS = (
    Field("Accept", is_list=True, limit=32),
    Field("Accept-Contact", is_list=True, compact="a"),
    Field("Accept-Encoding", is_list=True, limit=32),
    Field("Accept-Language", is_list=True, limit=32),
    Field("Alert-Info", is_list=True),
    Field("Allow", is_list=True),
    Field("Allow-Events", is_list=True, compact="u"),
    Field("Authentication-Info"),
    Field("Authorization"),
    Field("Call-ID", compact="i"),
    Field("Call-Info", is_list=True),
    Field("Contact", parse_contact, is_list=True, compact="m"),
    Field("Content-Disposition"),
    Field("Content-Encoding", is_list=True, compact="e"),
    Field("Content-Language", is_list=True),
    Field("Content-Length", compact="l"),
    Field("Content-Type", compact="c"),
    Field("CSeq", CSeq.parse),
    Field("Date"),
    Field("Diversion", NameAddr.parse, is_list=True),
    Field("Error-Info", is_list=True),
    Field("Event", compact="o"),
    Field("Expires"),
    Field("Feature-Caps", is_list=True),
    Field("From", NameAddr.parse, compact="f"),
    Field("History-Info", NameAddr.parse, is_list=True),
    Field("Identity", compact="y"),
    Field("In-Reply-To", is_list=True),
    Field("Info-Package"),
    Field("Join"),
    Field("MIME-Version"),
    Field("Max-Breadth"),
    Field("Max-Forwards"),
    Field("Min-Expires"),
    Field("Min-SE"),
    Field("Organization"),
    Field("P-Asserted-Identity", NameAddr.parse, is_list=True),
    Field("P-Preferred-Identity", NameAddr.parse, is_list=True),
    Field("Path", NameAddr.parse, is_list=True),
    Field("Priority"),
    Field("Privacy"),
    Field("Proxy-Authenticate"),
    Field("Proxy-Authorization"),
    Field("Proxy-Require", is_list=True),
    Field("RAck"),
    Field("RSeq"),
    Field("Reason", is_list=True),
    Field("Record-Route", NameAddr.parse, is_list=True),
    Field("Recv-Info", is_list=True),
    Field("Refer-To", NameAddr.parse, compact="r"),
    Field("Referred-By", NameAddr.parse, compact="b"),
    Field("Reject-Contact", is_list=True, compact="j"),
    Field("Replaces"),
    Field("Reply-To", NameAddr.parse),
    Field("Request-Disposition", is_list=True, compact="d"),
    Field("Require", is_list=True),
    Field("Retry-After"),
    Field("Route", NameAddr.parse, is_list=True, limit=20),
    Field("SIP-ETag"),
    Field("SIP-If-Match"),
    Field("Server"),
    Field("Service-Route", NameAddr.parse, is_list=True),
    Field("Session-Expires", compact="x"),
    Field("Subject", compact="s"),
    Field("Subscription-State"),
    Field("Supported", is_list=True, compact="k"),
    Field("Target-Dialog"),
    Field("Timestamp"),
    Field("To", NameAddr.parse, compact="t"),
    Field("Unsupported", is_list=True),
    Field("User-Agent"),
    Field("Via", Via.parse, is_list=True, compact="v", limit=70),
    Field("WWW-Authenticate"),
    Field("Warning", is_list=True),
)

FIELDS: dict[str, Field] = {field.name.lower(): field for field in _FIELDS}
"""Every known header field by its long name in lower case."""

COMPACT_FORMS: dict[str, str] = {field.compact: field.name.lower() for field in _FIELDS if field.compact}
"""Long name in lower case by compact form."""
