"""Authorization and Proxy-Authorization: a client's answer to a challenge (RFC 3261 §20.7, §20.28, RFC 7616, RFC 8898)."""

import re
from typing import Self

from ringback.message.errors import SipParseError
from ringback.message.fields.auth_params import AuthParams, AuthValue, parse_auth_params, render_auth_params, split_scheme
from ringback.message.grammar import ascii_lower

# token68 of RFC 7235 §2.1, the form Bearer has
_is_token68 = re.compile(r"[A-Za-z0-9\-._~+/]++=*+").fullmatch
_nonce_count = re.compile(r"[0-9A-Fa-f]{8}").fullmatch


class Credentials(AuthValue):
    """A scheme with either parameters as written, by lower-case name, or one opaque `token68` (Bearer)."""

    __slots__ = ("token68",)

    def __init__(self, scheme: str, params: AuthParams | None = None, token68: str | None = None) -> None:
        super().__init__(scheme, {} if params is None else params)
        self.token68 = token68

    @classmethod
    def parse(cls, text: str) -> Self:
        """The credentials that `text` is; raises SipParseError."""
        scheme, rest = split_scheme(text)
        if _is_token68(rest) is not None:
            return cls(scheme, None, rest)
        return cls(scheme, parse_auth_params(rest))

    @property
    def username(self) -> str | None:
        """Whose password the response proves."""
        return self.param("username")

    @property
    def uri(self) -> str | None:
        """The Request-URI the response was computed for."""
        return self.param("uri")

    @property
    def response(self) -> str | None:
        """The digest."""
        return self.param("response")

    @property
    def cnonce(self) -> str | None:
        """The client's own nonce."""
        return self.param("cnonce")

    @property
    def qop(self) -> str | None:
        """The quality of protection chosen, in lower case; None for a client of RFC 2069."""
        value = self.param("qop")
        return None if value is None else ascii_lower(value)

    @property
    def nonce_count(self) -> int | None:
        """How often the client has used the nonce; None where it does not say. Raises SipParseError where it is not eight hex digits."""
        value = self.param("nc")
        if value is None:
            return None
        found = _nonce_count(value)
        if found is None:
            raise SipParseError("malformed nonce count")
        return int(found[0], 16)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Credentials)
            and ascii_lower(self.scheme) == ascii_lower(other.scheme)
            and self.params == other.params
            and self.token68 == other.token68
        )

    __hash__ = AuthValue.__hash__

    def __str__(self) -> str:
        return f"{self.scheme} {render_auth_params(self.params) if self.token68 is None else self.token68}"

    def __repr__(self) -> str:
        # neither digest nor bearer token: a repr ends up in logs
        return f"<Credentials {self.scheme} username={self.username!r}>"
