"""Requests that a URI asks for by its method and its header components (RFC 3261 §19.1.5, §8.1.3.4, RFC 3515 §2.1)."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from ringback.message.errors import SipParseError
from ringback.message.fields.registry import FIELDS
from ringback.message.grammar import ascii_lower, is_token
from ringback.message.headers import Headers, key_of
from ringback.message.message import Request
from ringback.message.uri import SipUri, parse_uri

HONOURED = frozenset(
    (
        "accept-contact",
        "call-info",
        "event",
        "in-reply-to",
        "join",
        "priority",
        "reject-contact",
        "replaces",
        "request-disposition",
        "require",
        "subject",
        "target-dialog",
        "user-to-user",
    )
)
"""The header components that are put into the request, by key. A URI comes from anywhere: what is not here is left out (§19.1.5 would let
a Route or a From be refused, an Authorization or a P-Asserted-Identity has no business here either), and so is a body."""

# They belong to a dialog or to another request: a URI cannot ask for one that makes sense.
_WITHIN_DIALOGS = frozenset(("ACK", "BYE", "CANCEL", "INFO", "NOTIFY", "PRACK", "UPDATE"))


class UriRequest(NamedTuple):
    """What a URI asks for."""

    uri: str
    """The Request-URI: without method and header components, every other parameter kept."""
    method: str
    """INVITE unless the URI says otherwise."""
    fields: tuple[tuple[str, str], ...]
    """The header fields it asks for and gets, names in their RFCs' spelling."""

    def put(self, request: Request, *, overrides: bool = True) -> None:
        """Puts the fields into a request: a list grows, and other fields replace what is there (§8.1.3.4) if they may."""
        headers = request.headers
        for name, value in self.fields:
            field = FIELDS.get(ascii_lower(name))
            if field is not None and field.is_list:
                headers.append(name, value)
            elif overrides or name not in headers:
                headers.set(name, value)


def request_of(uri_text: str, extensions: Collection[str]) -> UriRequest:
    """What a URI asks for; `extensions` are the option tags that it may require.

    Raises `SipParseError` where the URI is malformed or where what it asks for is no valid request, is one that makes sense within a dialog
    only, or requires an extension that we do not have.
    """
    uri = parse_uri(uri_text)
    if not isinstance(uri, SipUri) or (uri.headers_text is None and "method" not in uri.params):
        return UriRequest(uri_text, "INVITE", ())
    method = _method(uri)
    fields = _fields(uri, extensions)
    bare = uri.copy()
    bare.headers_text = None
    bare.params.pop("method", None)
    return UriRequest(str(bare), method, fields)


def invitation_of(uri_text: str, extensions: Collection[str]) -> UriRequest:
    """The same; raises `SipParseError` too where the URI asks for anything but an INVITE."""
    asked_for = request_of(uri_text, extensions)
    if asked_for.method != "INVITE":
        raise SipParseError(f"asks for {asked_for.method}", "URI")
    return asked_for


def is_invitation(uri_text: str, extensions: Collection[str]) -> bool:
    """Whether `invitation_of` makes an INVITE of a URI."""
    try:
        invitation_of(uri_text, extensions)
    except SipParseError:
        return False
    return True


def _method(uri: SipUri) -> str:
    if "method" not in uri.params:
        return "INVITE"
    method = uri.method or ""
    if not is_token(method):
        raise SipParseError("malformed method", "URI")
    if method in _WITHIN_DIALOGS:
        raise SipParseError(f"{method} makes no sense outside of a dialog", "URI")
    return method


def _fields(uri: SipUri, extensions: Collection[str]) -> tuple[tuple[str, str], ...]:
    fields: list[tuple[str, str]] = []
    headers = Headers()
    for name, value in uri.headers:
        key = key_of(name)
        if key not in HONOURED:
            continue
        field = FIELDS.get(key)
        if field is not None and not field.is_list and key in headers.keys:
            raise SipParseError(f"{field.name} twice", "URI")
        name = field.name if field is not None else name
        try:
            headers.append(name, value)
        except ValueError:
            raise SipParseError(f"line break in {name}", "URI") from None
        # Parsed, so that what is malformed is sent to nobody.
        headers.values(key)
        fields.append((name, value))
    unknown = [tag for tag in headers.values("require") if tag not in extensions]
    if unknown:
        raise SipParseError(f"requires {', '.join(unknown)}", "URI")
    return tuple(fields)
