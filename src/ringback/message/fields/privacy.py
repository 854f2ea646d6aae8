"""Privacy: what a user asks intermediaries to hide (RFC 3323 §4.2)."""

from typing import Self

from ringback.message.errors import SipParseError
from ringback.message.grammar import MAX_PARAMS, ascii_lower, is_token


class Privacy:
    """The privacy values asked for, in lower case: "header", "session", "user", "id", "none", "critical" …"""

    __slots__ = ("values",)

    def __init__(self, *values: str) -> None:
        self.values = tuple([ascii_lower(value) for value in values])

    @classmethod
    def parse(cls, text: str) -> Self:
        """The value that `text` is; raises SipParseError."""
        # Departs from RFC 3323 §4.2: a comma separates as well. The values are tokens, so a peer that wrote one can mean nothing else.
        values = [value.strip(" \t") for value in text.replace(",", ";").split(";")]
        if len(values) > MAX_PARAMS:
            raise SipParseError("too many privacy values")
        if not all(map(is_token, values)):
            raise SipParseError("malformed privacy value")
        return cls(*values)

    def __contains__(self, value: str) -> bool:
        return ascii_lower(value) in self.values

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Privacy) and self.values == other.values

    def __hash__(self) -> int:
        return hash(self.values)

    def __str__(self) -> str:
        return ";".join(self.values)

    def __repr__(self) -> str:
        return f"<Privacy {self}>"
