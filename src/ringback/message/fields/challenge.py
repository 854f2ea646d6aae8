"""WWW-Authenticate and Proxy-Authenticate: what a server asks before it serves (RFC 3261 §20.27, §20.44, RFC 7616, RFC 8898)."""

from typing import Self

from ringback.message.fields.auth_params import AuthParams, parse_auth_params, render_auth_params, split_scheme
from ringback.message.grammar import ascii_lower, unquote


class Challenge:
    """A scheme ("Digest", "Bearer") and its parameters as written, by lower-case name."""

    __slots__ = ("params", "scheme")

    def __init__(self, scheme: str, params: AuthParams) -> None:
        self.scheme = scheme
        self.params = params

    @classmethod
    def parse(cls, text: str) -> Self:
        """The challenge that `text` is; raises SipParseError."""
        scheme, rest = split_scheme(text)
        return cls(scheme, parse_auth_params(rest))

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

    def __hash__(self) -> int:
        return hash(ascii_lower(self.scheme))

    def __str__(self) -> str:
        return f"{self.scheme} {render_auth_params(self.params)}"

    def __repr__(self) -> str:
        return f"<Challenge {self.scheme} realm={self.realm!r}>"
