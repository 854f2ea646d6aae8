"""WWW-Authenticate and Proxy-Authenticate: what a server asks before it serves (RFC 3261 §20.27, §20.44, RFC 7616, RFC 8898)."""

from typing import Self

from ringback.message.fields.auth_params import AuthValue, parse_auth_params, render_auth_params, split_scheme
from ringback.message.grammar import ascii_lower


class Challenge(AuthValue):
    """A scheme ("Digest", "Bearer") and its parameters as written, by lower-case name."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The challenge that `text` is; raises SipParseError."""
        scheme, rest = split_scheme(text)
        return cls(scheme, parse_auth_params(rest))

    @property
    def qop(self) -> list[str]:
        """The qualities of protection on offer, in lower case; empty for a server of RFC 2069."""
        return [one for one in (part.strip(" \t") for part in ascii_lower(self.param("qop") or "").split(",")) if one]

    @property
    def is_stale(self) -> bool:
        """Whether only the nonce was too old, the password being right."""
        return ascii_lower(self.param("stale") or "") == "true"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Challenge) and ascii_lower(self.scheme) == ascii_lower(other.scheme) and self.params == other.params

    __hash__ = AuthValue.__hash__

    def __str__(self) -> str:
        return f"{self.scheme} {render_auth_params(self.params)}"

    def __repr__(self) -> str:
        return f"<Challenge {self.scheme} realm={self.realm!r}>"
