"""Session-Expires and Min-SE (RFC 4028)."""

from typing import Self

from ringback.message.errors import SipParseError
from ringback.message.fields.number import parse_seconds
from ringback.message.grammar import Params, ascii_lower, parse_params, render_params


class SessionExpires:
    """Seconds with parameters: a session's interval, or with Min-SE the shortest one somebody accepts."""

    __slots__ = ("params", "seconds")

    def __init__(self, seconds: int, params: Params | None = None) -> None:
        self.seconds = seconds
        self.params: Params = {} if params is None else params

    @classmethod
    def parse(cls, text: str) -> Self:
        """The value that `text` is; raises SipParseError."""
        seconds, semicolon, rest = text.partition(";")
        value = cls(parse_seconds(seconds.rstrip(" \t")), parse_params(semicolon + rest))
        if "refresher" in value.params and value.refresher not in ("uac", "uas"):
            raise SipParseError("malformed refresher")
        return value

    @property
    def refresher(self) -> str | None:
        """Who sends the refreshes, "uac" or "uas"; None where that is left open."""
        value = self.params.get("refresher")
        return None if value is None else ascii_lower(value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SessionExpires) and self.seconds == other.seconds and self.params == other.params

    def __hash__(self) -> int:
        return hash(self.seconds)

    def __str__(self) -> str:
        return f"{self.seconds}{render_params(self.params)}"

    def __repr__(self) -> str:
        return f"<SessionExpires {self}>"
