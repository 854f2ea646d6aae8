"""SIP and SIPS URIs (RFC 3261 §19.1, RFC 5954) and the one function that reads a URI of any scheme."""

import re
from typing import Self

from ringback.message.errors import SipParseError
from ringback.message.grammar import MAX_PARAMS, MAX_URI, Params, ascii_lower, ascii_upper, escape, parse_uint, unescape
from ringback.message.host import HOST, parse_host, render_host, same_host
from ringback.message.tel_uri import TelUri

__all__ = ["AnyUri", "SipUri", "TelUri", "Uri", "parse_uri", "user_text"]

# unreserved = alphanum / mark; "%" stands for escaped, whose two digits are checked afterwards
_UNRESERVED = r"A-Za-z0-9\-_.!~*'()%"
_USER = rf"[{_UNRESERVED}&=+$,;?/]"
_PASSWORD = rf"[{_UNRESERVED}&=+$,]"
_PARAMCHAR = rf"[{_UNRESERVED}\[\]/:&+$]"
_HEADER = rf"[{_UNRESERVED}\[\]/?:+$]"

# SIP-URI = "sip:" [ userinfo ] hostport uri-parameters [ headers ]
# Of a host and port that merely begin like userinfo ("example.com:5060") the characters are read twice, never more often.
_sip_uri = re.compile(
    rf"(?:({_USER}++)(?::({_PASSWORD}*+))?@)?({HOST})(?::([0-9]{{1,10}}+))?"
    rf"((?>(?:;{_PARAMCHAR}++(?>(?:={_PARAMCHAR}++)?))*))(?>(?:\?({_HEADER}++={_HEADER}*+(?>(?:&{_HEADER}++={_HEADER}*+)*)))?)"
).fullmatch
_bad_escape = re.compile(r"%(?![0-9A-Fa-f]{2})").search
_any_escape = re.compile(r"%([0-9A-Fa-f]{2})")
# absoluteURI = scheme ":" ( hier-part / opaque-part ); brackets for hosts of other schemes, "#" for fragments
_any_uri = re.compile(rf"([A-Za-z][A-Za-z0-9+\-.]*+):[{_UNRESERVED};/?:@&=+$,\[\]#]++").fullmatch

_ALPHANUM = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_MARKED = frozenset(_ALPHANUM + "-_.!~*'()")
_IN_USER = _MARKED | frozenset("&=+$,;?/")
_IN_PASSWORD = _MARKED | frozenset("&=+$,")
_IN_PARAM = _MARKED | frozenset("[]/:&+$")
_IN_HEADER = _MARKED | frozenset("[]/?:+$")

_NEVER_ON_ONE_SIDE = ("user", "ttl", "method", "maddr", "transport")


def user_text(user: str) -> str:
    """A user as it stands in a URI: escaped where it has to be."""
    return escape(user, _IN_USER)


def _same_escapes(found: re.Match[str]) -> str:
    char = chr(int(found[1], 16))
    return char if char in _MARKED else ascii_upper(found[0])


def _normal(text: str) -> str:
    """`text` with %HH undone where §19.1.4 calls both forms the same (unreserved characters) and in capitals elsewhere."""
    return _any_escape.sub(_same_escapes, text) if "%" in text else text


def _same_param(one: str | None, other: str | None) -> bool:
    return one == other or (one is not None and other is not None and ascii_lower(_normal(one)) == ascii_lower(_normal(other)))


class SipUri:
    """A SIP or SIPS URI. `==` asks for the same components, `matches` for what §19.1.4 calls equivalent.

    `scheme` is "sip" or "sips"; `host` is lower case, an IPv6 address without brackets; `params` maps the lower-case unescaped name to
    the value as written (None for a name alone); `user_text`, `password_text` and `headers_text` are as written, with their escapes.
    """

    __slots__ = ("headers_text", "host", "params", "password_text", "port", "scheme", "user_text")

    scheme: str
    user_text: str | None
    password_text: str | None
    host: str
    port: int | None
    params: Params
    headers_text: str | None

    def __init__(
        self,
        host: str,
        *,
        user: str | None = None,
        password: str | None = None,
        port: int | None = None,
        params: Params | None = None,
        headers: list[tuple[str, str]] | None = None,
        scheme: str = "sip",
    ) -> None:
        """A URI of unescaped components; escapes are added where they are needed."""
        self.scheme = scheme
        self.user_text = None if user is None else user_text(user)
        self.password_text = None if password is None else escape(password, _IN_PASSWORD)
        self.host = ascii_lower(host)
        self.port = port
        self.params = {} if params is None else {ascii_lower(n): None if v is None else escape(v, _IN_PARAM) for n, v in params.items()}
        self.headers_text = "&".join([f"{escape(n, _IN_HEADER)}={escape(v, _IN_HEADER)}" for n, v in headers]) if headers else None

    @classmethod
    def parse(cls, text: str) -> Self:
        """The URI that `text` is; raises SipParseError."""
        scheme, colon, rest = text.partition(":")
        if scheme != "sip":
            scheme = ascii_lower(scheme)
            if scheme not in ("sip", "sips") or not colon:
                raise SipParseError("not a SIP URI")
        if len(text) > MAX_URI:
            raise SipParseError("URI too long")
        found = _sip_uri(rest)
        if found is None or ("%" in rest and _bad_escape(rest)):
            raise SipParseError("malformed SIP URI")
        uri = cls.__new__(cls)
        uri.scheme = scheme
        uri.user_text, uri.password_text, host, port, params, uri.headers_text = found.groups()
        uri.host = host.lower() if host[0] != "[" else parse_host(host)
        uri.port = None if port is None else parse_uint(port, 65535)
        uri.params = _parse_params(params) if params else {}
        return uri

    @property
    def user(self) -> str | None:
        """The user with escapes undone, None where there is none."""
        return None if self.user_text is None else unescape(self.user_text)

    @user.setter
    def user(self, user: str | None) -> None:
        self.user_text = None if user is None else user_text(user)

    @property
    def password(self) -> str | None:
        """The password with escapes undone, None where there is none."""
        return None if self.password_text is None else unescape(self.password_text)

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The header components, names and values with escapes undone, in their order."""
        if self.headers_text is None:
            return []
        pairs = [pair.partition("=") for pair in self.headers_text.split("&")]
        return [(unescape(name), unescape(value)) for name, _, value in pairs]

    def param(self, name: str) -> str | None:
        """A parameter's value with escapes undone; None where it is absent or has none."""
        value = self.params.get(name)
        return None if value is None else unescape(value)

    @property
    def lr(self) -> bool:
        """Whether this is the URI of a loose router (§19.1.1)."""
        return "lr" in self.params

    @property
    def transport(self) -> str | None:
        """The transport parameter in capitals, as Via writes it; None where the URI does not say."""
        value = self.params.get("transport")
        return None if value is None else ascii_upper(unescape(value))

    @property
    def maddr(self) -> str | None:
        """The maddr parameter, an IPv6 address without brackets."""
        value = self.param("maddr")
        return None if value is None else ascii_lower(value.strip("[]"))

    @property
    def ttl(self) -> int | None:
        """The ttl parameter, 0 to 255; raises SipParseError where it is no such number."""
        value = self.param("ttl")
        return None if value is None else parse_uint(value, 255)

    @property
    def method(self) -> str | None:
        """The method parameter: which request a URI from outside asks for (§19.1.5)."""
        return self.param("method")

    def aor(self) -> str:
        """The address-of-record as the key of a location service (§10.3 step 5): no parameters, no password, escapes undone."""
        host = render_host(self.host)
        if self.port is not None:
            host = f"{host}:{self.port}"
        return f"{self.scheme}:{host}" if self.user_text is None else f"{self.scheme}:{unescape(self.user_text)}@{host}"

    def copy(self) -> "SipUri":
        """An independent copy."""
        uri = SipUri.__new__(SipUri)
        uri.scheme = self.scheme
        uri.user_text = self.user_text
        uri.password_text = self.password_text
        uri.host = self.host
        uri.port = self.port
        uri.params = self.params.copy()
        uri.headers_text = self.headers_text
        return uri

    def matches(self, other: object) -> bool:
        """Whether both URIs are equivalent by §19.1.4.

        This is no `==`: a parameter on one side only is mostly ignored, so the relation is not transitive and no hash can agree with it.
        Header components are compared with names blind to case and values as text, whatever their field. A transport on one side
        only never matches, as the examples of §19.1.4 show for its default.
        """
        if not isinstance(other, SipUri):
            return False
        if self.scheme != other.scheme or self.port != other.port or not same_host(self.host, other.host):
            return False
        for one, two in ((self.user_text, other.user_text), (self.password_text, other.password_text)):
            if one != two and (one is None or two is None or _normal(one) != _normal(two)):
                return False
        mine, theirs = self.params, other.params
        for name in _NEVER_ON_ONE_SIDE:
            if (name in mine) is not (name in theirs):
                return False
        for name, value in mine.items():
            if name in theirs and not _same_param(value, theirs[name]):
                return False
        if self.headers_text == other.headers_text:
            return True
        return sorted((ascii_lower(n), v) for n, v in self.headers) == sorted((ascii_lower(n), v) for n, v in other.headers)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SipUri) and _components(self) == _components(other)

    def __hash__(self) -> int:
        return hash((self.scheme, self.user_text, self.host, self.port))

    def __str__(self) -> str:
        text = f"[{self.host}]" if ":" in self.host else self.host
        if self.user_text is not None:
            password = "" if self.password_text is None else f":{self.password_text}"
            text = f"{self.user_text}{password}@{text}"
        if self.port is not None:
            text = f"{text}:{self.port}"
        for name, value in self.params.items():
            name = escape(name, _IN_PARAM)
            text += f";{name}" if value is None else f";{name}={value}"
        if self.headers_text is not None:
            text = f"{text}?{self.headers_text}"
        return f"{self.scheme}:{text}"

    def __repr__(self) -> str:
        return f"<SipUri {self}>"


def _components(uri: SipUri) -> tuple[object, ...]:
    return uri.scheme, uri.user_text, uri.password_text, uri.host, uri.port, uri.params, uri.headers_text


def _parse_params(text: str) -> Params:
    parts = text.split(";")
    if len(parts) > MAX_PARAMS + 1:
        raise SipParseError("too many URI parameters")
    params: Params = {}
    for part in parts[1:]:
        name, equal, value = part.partition("=")
        if "%" in name:
            name = unescape(name)
        params[ascii_lower(name)] = value if equal else None
    if len(params) != len(parts) - 1:
        raise SipParseError("URI parameter given twice")
    return params


class AnyUri:
    """A URI of a scheme that SIP gives no structure to: kept as it was written, compared as text after its scheme."""

    __slots__ = ("scheme", "text")

    def __init__(self, scheme: str, text: str) -> None:
        """`scheme` in lower case; `text` is the whole URI."""
        self.scheme = scheme
        self.text = text

    @classmethod
    def parse(cls, text: str) -> Self:
        """The absoluteURI that `text` is; raises SipParseError."""
        if len(text) > MAX_URI:
            raise SipParseError("URI too long")
        found = _any_uri(text)
        if found is None:
            raise SipParseError("malformed URI")
        return cls(ascii_lower(found[1]), text)

    def matches(self, other: object) -> bool:
        """Whether both are the same URI, blind to the scheme's case."""
        return self == other

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, AnyUri) and self.scheme == other.scheme and self.text[len(self.scheme) :] == other.text[len(other.scheme) :]
        )

    def __hash__(self) -> int:
        return hash(self.text[len(self.scheme) :])

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<AnyUri {self.text}>"


Uri = SipUri | TelUri | AnyUri


def parse_uri(text: str) -> Uri:
    """The URI that `text` is, typed by its scheme; raises SipParseError."""
    if text.startswith("sip:"):
        return SipUri.parse(text)
    scheme = ascii_lower(text.partition(":")[0])
    if scheme in ("sip", "sips"):
        return SipUri.parse(text)
    if scheme == "tel":
        return TelUri.parse(text)
    return AnyUri.parse(text)
