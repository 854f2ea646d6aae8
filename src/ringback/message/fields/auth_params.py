"""The comma-separated `name=value` pairs of the authentication fields (RFC 3261 §25.1, RFC 7616)."""

import re

from ringback.message.errors import SipParseError
from ringback.message.grammar import MAX_PARAMS, TOKEN, ascii_lower, is_quoted, is_token, split_list, unquote

# auth-scheme LWS …
_schemed = re.compile(rf"({TOKEN})[ \t]++(.++)", re.DOTALL).fullmatch

AuthParams = dict[str, str]
"""Parameters by lower-case name, values as written: a quoted one keeps its quotes, because digest clients compare them octet for octet."""


def split_scheme(text: str) -> tuple[str, str]:
    """The authentication scheme and what follows it; raises SipParseError where either is missing."""
    found = _schemed(text)
    if found is None:
        raise SipParseError("authentication scheme and parameters expected")
    return found[1], found[2]


def parse_auth_params(text: str) -> AuthParams:
    """The pairs of `text`; raises SipParseError, also for none, for a name twice and for more than `MAX_PARAMS`."""
    pairs = split_list(text)
    if not pairs:
        raise SipParseError("parameter expected")
    if len(pairs) > MAX_PARAMS:
        raise SipParseError("too many parameters")
    params = {}
    for pair in pairs:
        name, equal, value = pair.partition("=")
        name, value = name.rstrip(" \t"), value.lstrip(" \t")
        if not equal or not is_token(name) or not (is_token(value) or is_quoted(value)):
            raise SipParseError("malformed parameter")
        params[ascii_lower(name)] = value
    if len(params) != len(pairs):
        raise SipParseError("parameter given twice")
    return params


def render_auth_params(params: AuthParams) -> str:
    """The pairs as `name=value, name=value`, in their order."""
    return ", ".join([f"{name}={value}" for name, value in params.items()])


class AuthValue:
    """What a challenge and the credentials that answer it share: a scheme and its parameters as written, by lower-case name."""

    __slots__ = ("params", "scheme")

    def __init__(self, scheme: str, params: AuthParams) -> None:
        self.scheme = scheme
        self.params = params

    @property
    def is_digest(self) -> bool:
        """Whether the scheme is Digest."""
        return ascii_lower(self.scheme) == "digest"

    def param(self, name: str) -> str | None:
        """A parameter's value without quotes and escapes; None where it is absent."""
        value = self.params.get(name)
        return None if value is None else unquote(value)

    @property
    def realm(self) -> str | None:
        """The protection domain whose password is asked for."""
        return self.param("realm")

    @property
    def nonce(self) -> str | None:
        """The server's text to be hashed with the password."""
        return self.param("nonce")

    @property
    def opaque(self) -> str | None:
        """What the client returns unchanged."""
        return self.param("opaque")

    @property
    def algorithm(self) -> str:
        """The hash, "MD5" where none is named (RFC 7616 §3.3)."""
        return self.param("algorithm") or "MD5"

    def __hash__(self) -> int:
        return hash(ascii_lower(self.scheme))
