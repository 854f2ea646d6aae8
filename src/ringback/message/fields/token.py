"""Values that are one word: option tags, methods, Call-IDs, language tags, event types … (RFC 3261 §25.1). They are plain `str`."""

import re

from ringback.message.errors import SipParseError
from ringback.message.grammar import MAX_IDENTIFIER, is_call_id, is_token

# language-tag = primary-tag *( "-" subtag ); subtags have digits since RFC 5646
_is_language_tag = re.compile(r"[A-Za-z]{1,8}+(?>(?:-[A-Za-z0-9]{1,8}+)*)").fullmatch
# event-type = event-package *( "." event-template ), each a token without dots
_is_event_type = re.compile(r"[A-Za-z0-9\-!%*_+`'~]++(?>(?:\.[A-Za-z0-9\-!%*_+`'~]++)*)").fullmatch
_is_mime_version = re.compile(r"[0-9]{1,10}+\.[0-9]{1,10}+").fullmatch


def parse_token(text: str) -> str:
    """`text`, a token; raises SipParseError."""
    if not is_token(text):
        raise SipParseError("not a token")
    return text


def parse_call_id(text: str) -> str:
    """`text`, a callid of at most `MAX_IDENTIFIER` characters, its case kept (§8.1.1.4); raises SipParseError."""
    if len(text) > MAX_IDENTIFIER:
        raise SipParseError("Call-ID too long")
    if not is_call_id(text):
        raise SipParseError("malformed Call-ID")
    return text


def parse_language_tag(text: str) -> str:
    """`text`, a language tag (§20.13); raises SipParseError."""
    if _is_language_tag(text) is None:
        raise SipParseError("malformed language tag")
    return text


def parse_event_type(text: str) -> str:
    """`text`, an event package and its templates, its case kept (RFC 6665 §8.2.2); raises SipParseError."""
    if _is_event_type(text) is None:
        raise SipParseError("malformed event type")
    return text


def parse_mime_version(text: str) -> str:
    """`text`, a version like "1.0" (§20.24); raises SipParseError."""
    if _is_mime_version(text) is None:
        raise SipParseError("malformed MIME version")
    return text
