"""Authentication-Info: what a server proves and asks after it has served (RFC 3261 §20.6, RFC 7616 §3.5)."""

from typing import Self

from ringback.message.fields.auth_params import AuthParams, parse_auth_params, render_auth_params
from ringback.message.grammar import unquote


class AuthenticationInfo:
    """Parameters as written, by lower-case name: nextnonce, qop, rspauth, cnonce, nc."""

    __slots__ = ("params",)

    def __init__(self, params: AuthParams) -> None:
        self.params = params

    @classmethod
    def parse(cls, text: str) -> Self:
        """The value that `text` is; raises SipParseError."""
        return cls(parse_auth_params(text))

    def param(self, name: str) -> str | None:
        """A parameter's value without quotes and escapes; None where it is absent."""
        value = self.params.get(name)
        return None if value is None else unquote(value)

    @property
    def next_nonce(self) -> str | None:
        """The nonce to use next; None where the old one stays good."""
        return self.param("nextnonce")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AuthenticationInfo) and self.params == other.params

    def __hash__(self) -> int:
        return hash(frozenset(self.params))

    def __str__(self) -> str:
        return render_auth_params(self.params)

    def __repr__(self) -> str:
        return f"<AuthenticationInfo {self}>"
