"""Addresses with a name and parameters: From, To, Contact, Route, Refer-To … (RFC 3261 §20.10, RFC 8217)."""

import re
from typing import Self

from ringback.message.errors import SipParseError
from ringback.message.fields.number import parse_expires
from ringback.message.fields.token_value import parse_qvalue
from ringback.message.grammar import (
    MAX_IDENTIFIER,
    MAX_URI,
    PLAIN_PARAMS,
    QUOTED_STRING,
    Params,
    parse_params,
    plain_params,
    quote,
    render_params,
    unquote,
)
from ringback.message.uri import Uri, parse_uri

# display-name = *(token LWS) / quoted-string
# Departs from RFC 3261 §25.1: characters outside ASCII may stand in an unquoted name; phones with such owners write them.
_WORDS = r"[A-Za-z0-9\-.!%*_+`'~ \t\x80-\U0010ffff]*+"
# name-addr = [ display-name ] LAQUOT addr-spec RAQUOT
_bracketed = re.compile(
    rf"({QUOTED_STRING}[ \t]*+|{_WORDS})<([A-Za-z][^<> \t\"]++)>(?:({PLAIN_PARAMS})|([ \t]*+(?:;.*+)?))", re.DOTALL
).fullmatch
# addr-spec without brackets: RFC 8217 forbids it a question mark, a comma and a semicolon of its own
_bare = re.compile(r"([A-Za-z][^<> \t\";,?]++)[ \t]*+(;.*+)?", re.DOTALL).fullmatch
_plain_name = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]++(?>(?:[ \t]++[A-Za-z0-9\-.!%*_+`'~]++)*)").fullmatch


class NameAddr:
    """A URI with a display name and the header field's own parameters.

    `uri` is parsed when first asked for, kept in `parsed_uri`, and raises SipParseError then; `uri_text` is what it was written as.
    After changing the `uri` in place, assign it, so that `uri_text` follows. `params` is by lower-case name (None for a name alone).
    """

    __slots__ = ("display_text", "params", "parsed_uri", "uri_text")

    display_text: str
    uri_text: str
    params: Params
    parsed_uri: Uri | None

    def __init__(self, uri: Uri | str, display_name: str | None = None, params: Params | None = None) -> None:
        self.display_text = ""
        self.display_name = display_name
        self.uri_text = str(uri)
        self.parsed_uri = None
        self.params = {} if params is None else params

    @classmethod
    def parse(cls, text: str) -> Self:
        """The address that `text` is; raises SipParseError."""
        address = cls.__new__(cls)
        address.parsed_uri = None
        found = _bracketed(text)
        if found is not None:
            display, uri, plain, rest = found.groups()
            address.display_text = display and display.strip(" \t")
        else:
            found = _bare(text)
            if found is None:
                raise SipParseError("malformed address")
            uri, rest = found.groups()
            plain = None
            address.display_text = ""
        if len(uri) > MAX_URI:
            raise SipParseError("URI too long")
        if ":" not in uri:
            raise SipParseError("URI without scheme")
        address.uri_text = uri
        params = address.params = plain_params(plain) if plain else parse_params(rest.lstrip(" \t")) if rest else {}
        if "tag" in params:
            tag = params["tag"]
            if tag is None or len(tag) > MAX_IDENTIFIER or tag[0] == '"':
                raise SipParseError("malformed tag")
        return address

    @property
    def display_name(self) -> str | None:
        """The name without quotes and escapes; None where there is none."""
        return unquote(self.display_text) if self.display_text else None

    @display_name.setter
    def display_name(self, name: str | None) -> None:
        self.display_text = "" if name is None else name if _plain_name(name) else quote(name)

    @property
    def uri(self) -> Uri:
        """The URI, typed by its scheme; raises SipParseError where it does not parse."""
        uri = self.parsed_uri
        if uri is None:
            uri = self.parsed_uri = parse_uri(self.uri_text)
        return uri

    @uri.setter
    def uri(self, uri: Uri | str) -> None:
        self.uri_text = str(uri)
        self.parsed_uri = None

    @property
    def tag(self) -> str | None:
        """The tag of From or To (§19.3); None where there is none."""
        return self.params.get("tag")

    @tag.setter
    def tag(self, tag: str | None) -> None:
        if tag is None:
            self.params.pop("tag", None)
        else:
            self.params["tag"] = tag

    @property
    def q(self) -> float | None:
        """A Contact's preference from 0 to 1; None where it has none. Raises SipParseError where it is no qvalue."""
        return parse_qvalue(self.params["q"]) if "q" in self.params else None

    @property
    def expires(self) -> int | None:
        """A Contact's lifetime in seconds; None where it has none. What is no number counts as 3600 (§10.3 step 7)."""
        return parse_expires(self.params["expires"] or "") if "expires" in self.params else None

    def copy(self) -> "NameAddr":
        """An independent copy."""
        address = NameAddr.__new__(NameAddr)
        address.display_text = self.display_text
        address.uri_text = self.uri_text
        address.params = self.params.copy()
        address.parsed_uri = None
        return address

    def __eq__(self, other: object) -> bool:
        """Written alike; for the same resource compare `uri.matches`."""
        return (
            isinstance(other, NameAddr)
            and self.uri_text == other.uri_text
            and self.params == other.params
            and self.display_name == other.display_name
        )

    __hash__ = None  # type: ignore[assignment]  # tags are added to addresses: one may be no key

    def __str__(self) -> str:
        text = f"<{self.uri_text}>{render_params(self.params)}"
        return f"{self.display_text} {text}" if self.display_text else text

    def __repr__(self) -> str:
        return f"<NameAddr {self}>"


class Star:
    """The `*` of a Contact that stands for all bindings (§10.2.2). There is one: `STAR`."""

    __slots__ = ()

    def __str__(self) -> str:
        return "*"

    def __repr__(self) -> str:
        return "STAR"


STAR = Star()


def parse_contact(text: str) -> NameAddr | Star:
    """One value of Contact: an address, or `STAR`; raises SipParseError."""
    return STAR if text == "*" else NameAddr.parse(text)


def parse_bracketed(text: str) -> NameAddr:
    """One value of Route, Record-Route, Path, History-Info …: their grammar knows no address without `<>`. Raises SipParseError."""
    address = NameAddr.parse(text)
    if "<" not in text.partition(address.uri_text)[0]:
        raise SipParseError("address without '<>'")
    return address


def parse_info(text: str) -> NameAddr:
    """One value of Alert-Info, Call-Info or Error-Info: `<URI>` with parameters and no name (§20.4, §20.9, §20.18)."""
    if text[:1] != "<":
        raise SipParseError("'<' expected")
    return NameAddr.parse(text)
