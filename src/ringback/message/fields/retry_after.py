"""Retry-After: when a service or a callee may be there again (RFC 3261 §20.33)."""

from typing import Self

from ringback.message.errors import SipParseError
from ringback.message.fields.number import parse_seconds
from ringback.message.grammar import Params, parse_params, render_params, skip_comment


class RetryAfter:
    """Seconds, a remark (the comment with its parentheses, as written), and parameters."""

    __slots__ = ("comment", "params", "seconds")

    def __init__(self, seconds: int, comment: str = "", params: Params | None = None) -> None:
        self.seconds = seconds
        self.comment = comment
        self.params: Params = {} if params is None else params

    @classmethod
    def parse(cls, text: str) -> Self:
        """The value that `text` is; raises SipParseError."""
        rest = text.lstrip("0123456789")
        digits = text[: len(text) - len(rest)]
        rest = rest.lstrip(" \t")
        comment = ""
        if rest[:1] == "(":
            end = skip_comment(rest, 0)
            if end < 0:
                raise SipParseError("comment is not closed")
            comment, rest = rest[:end], rest[end:].lstrip(" \t")
        return cls(parse_seconds(digits), comment, parse_params(rest))

    @property
    def duration(self) -> int | None:
        """The seconds the callee will then be there; None where nothing is said. Raises SipParseError where it is no number."""
        return parse_seconds(self.params["duration"] or "") if "duration" in self.params else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RetryAfter) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(self.seconds)

    def __str__(self) -> str:
        comment = f" {self.comment}" if self.comment else ""
        return f"{self.seconds}{comment}{render_params(self.params)}"

    def __repr__(self) -> str:
        return f"<RetryAfter {self}>"
