"""CSeq: the number and method that order requests (RFC 3261 §20.16)."""

from typing import Self

from ringback.message.errors import SipParseError
from ringback.message.grammar import is_token, parse_uint

MAX_CSEQ = 2**31 - 1
"""The largest sequence number (§8.1.1.5)."""


class CSeq:
    """A sequence number and the method it counts; the method's case matters."""

    __slots__ = ("method", "number")

    def __init__(self, number: int, method: str) -> None:
        self.number = number
        self.method = method

    @classmethod
    def parse(cls, text: str) -> Self:
        """The CSeq that `text` is; raises SipParseError."""
        number, _, method = text.partition(" ")
        if not (number.isdigit() and method.isalpha() and method.isascii()):
            # RFC 4475 §3.1.1.1 puts tabs and several blanks between the two; methods of other tokens are rare
            parts = text.replace("\t", " ").split(" ")
            number, method = parts[0], parts[-1]
            if len(parts) < 2 or any(parts[1:-1]) or not is_token(method):
                raise SipParseError("number and method expected")
        return cls(parse_uint(number, MAX_CSEQ), method)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CSeq) and self.number == other.number and self.method == other.method

    def __hash__(self) -> int:
        return hash((self.number, self.method))

    def __str__(self) -> str:
        return f"{self.number} {self.method}"

    def __repr__(self) -> str:
        return f"<CSeq {self}>"
