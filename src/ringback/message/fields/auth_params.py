"""The comma-separated `name=value` pairs of the authentication fields (RFC 3261 §25.1, RFC 7616)."""

import re

from ringback.message.errors import SipParseError
from ringback.message.grammar import MAX_PARAMS, TOKEN, ascii_lower, is_quoted, is_token, split_list

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
