"""Which header field holds which kind of value (RFC 3261 §20 and the extensions), and the compact forms of §7.3.3.

A new header field is one line here; a new kind of value is one file beside this one.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from ringback.message.fields.authentication_info import AuthenticationInfo
from ringback.message.fields.challenge import Challenge
from ringback.message.fields.credentials import Credentials
from ringback.message.fields.cseq import CSeq
from ringback.message.fields.date import Date
from ringback.message.fields.dialog_id import Join, Replaces, TargetDialog
from ringback.message.fields.diversion import Diversion
from ringback.message.fields.event import Event, SubscriptionState
from ringback.message.fields.feature_set import FeatureSet
from ringback.message.fields.history_info import HistoryInfo
from ringback.message.fields.identity import Identity
from ringback.message.fields.language_range import LanguageRange
from ringback.message.fields.media_type import MediaType
from ringback.message.fields.name_addr import NameAddr, parse_bracketed, parse_contact, parse_info
from ringback.message.fields.number import parse_expires, parse_max_forwards, parse_number, parse_rseq, parse_seconds
from ringback.message.fields.privacy import Privacy
from ringback.message.fields.rack import RAck
from ringback.message.fields.reason import Reason
from ringback.message.fields.retry_after import RetryAfter
from ringback.message.fields.session_expires import SessionExpires
from ringback.message.fields.software import Software
from ringback.message.fields.timestamp import Timestamp
from ringback.message.fields.token import parse_call_id, parse_event_type, parse_language_tag, parse_mime_version, parse_token
from ringback.message.fields.token_value import ContentDisposition, TokenValue
from ringback.message.fields.via import Via
from ringback.message.fields.warning import WarningValue
from ringback.message.grammar import ascii_lower


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
    Field("Accept", MediaType.parse, is_list=True, limit=32),
    Field("Accept-Contact", FeatureSet.parse, is_list=True, compact="a", limit=16),
    Field("Accept-Encoding", TokenValue.parse, is_list=True, limit=32),
    Field("Accept-Language", LanguageRange.parse, is_list=True, limit=32),
    Field("Alert-Info", parse_info, is_list=True),
    Field("Allow", parse_token, is_list=True),
    Field("Allow-Events", parse_event_type, is_list=True, compact="u"),
    Field("Authentication-Info", AuthenticationInfo.parse),
    Field("Authorization", Credentials.parse),
    Field("Call-ID", parse_call_id, compact="i"),
    Field("Call-Info", parse_info, is_list=True),
    Field("Contact", parse_contact, is_list=True, compact="m"),
    Field("Content-Disposition", ContentDisposition.parse),
    Field("Content-Encoding", parse_token, is_list=True, compact="e"),
    Field("Content-Language", parse_language_tag, is_list=True),
    Field("Content-Length", parse_number, compact="l"),
    Field("Content-Type", MediaType.parse, compact="c"),
    Field("CSeq", CSeq.parse),
    Field("Date", Date.parse),
    Field("Diversion", Diversion.parse, is_list=True),
    Field("Error-Info", parse_info, is_list=True),
    Field("Event", Event.parse, compact="o"),
    Field("Expires", parse_expires),
    Field("Feature-Caps", FeatureSet.parse, is_list=True),
    Field("From", NameAddr.parse, compact="f"),
    Field("History-Info", HistoryInfo.parse, is_list=True),
    Field("Identity", Identity.parse, compact="y"),
    Field("In-Reply-To", parse_call_id, is_list=True),
    Field("Info-Package", TokenValue.parse),
    Field("Join", Join.parse),
    Field("MIME-Version", parse_mime_version),
    Field("Max-Breadth", parse_number),
    Field("Max-Forwards", parse_max_forwards),
    Field("Min-Expires", parse_seconds),
    Field("Min-SE", SessionExpires.parse),
    Field("Organization"),
    Field("P-Asserted-Identity", NameAddr.parse, is_list=True),
    Field("P-Preferred-Identity", NameAddr.parse, is_list=True),
    Field("Path", parse_bracketed, is_list=True),
    Field("Priority", parse_token),
    Field("Privacy", Privacy.parse),
    Field("Proxy-Authenticate", Challenge.parse),
    Field("Proxy-Authorization", Credentials.parse),
    Field("Proxy-Require", parse_token, is_list=True),
    Field("RAck", RAck.parse),
    Field("RSeq", parse_rseq),
    Field("Reason", Reason.parse, is_list=True),
    Field("Record-Route", parse_bracketed, is_list=True),
    Field("Recv-Info", TokenValue.parse, is_list=True),
    Field("Refer-Sub", TokenValue.parse),
    Field("Refer-To", NameAddr.parse, compact="r"),
    Field("Referred-By", NameAddr.parse, compact="b"),
    Field("Reject-Contact", FeatureSet.parse, is_list=True, compact="j", limit=16),
    Field("Replaces", Replaces.parse),
    Field("Reply-To", NameAddr.parse),
    Field("Request-Disposition", parse_token, is_list=True, compact="d"),
    Field("Require", parse_token, is_list=True),
    Field("Retry-After", RetryAfter.parse),
    Field("Route", parse_bracketed, is_list=True, limit=20),
    Field("SIP-ETag", parse_token),
    Field("SIP-If-Match", parse_token),
    Field("Server", Software.parse),
    Field("Service-Route", parse_bracketed, is_list=True),
    Field("Session-Expires", SessionExpires.parse, compact="x"),
    Field("Subject", compact="s"),
    Field("Subscription-State", SubscriptionState.parse),
    Field("Supported", parse_token, is_list=True, compact="k"),
    Field("Target-Dialog", TargetDialog.parse),
    Field("Timestamp", Timestamp.parse),
    Field("To", NameAddr.parse, compact="t"),
    Field("Unsupported", parse_token, is_list=True),
    Field("User-Agent", Software.parse),
    Field("Via", Via.parse, is_list=True, compact="v", limit=70),
    Field("WWW-Authenticate", Challenge.parse),
    Field("Warning", WarningValue.parse, is_list=True),
)

FIELDS: dict[str, Field] = {ascii_lower(field.name): field for field in _FIELDS}
"""Every known header field by its long name in lower case."""

COMPACT_FORMS: dict[str, str] = {field.compact: ascii_lower(field.name) for field in _FIELDS if field.compact}
"""Long name in lower case by compact form."""
