"""RAck: which reliable provisional response a PRACK acknowledges (RFC 3262 §7.2)."""

from typing import Self

from ringback.message.errors import SipParseError
from ringback.message.fields.cseq import MAX_CSEQ
from ringback.message.fields.number import parse_rseq
from ringback.message.grammar import is_token, parse_uint


class RAck:
    """The response's RSeq number, and the CSeq of the request it answers."""

    __slots__ = ("cseq_number", "method", "response_number")

    def __init__(self, response_number: int, cseq_number: int, method: str) -> None:
        self.response_number = response_number
        self.cseq_number = cseq_number
        self.method = method

    @classmethod
    def parse(cls, text: str) -> Self:
        """The value that `text` is; raises SipParseError."""
        words = text.replace("\t", " ").split(" ")
        parts = [word for word in words if word]
        if len(parts) != 3 or not is_token(parts[2]):
            raise SipParseError("two numbers and a method expected")
        return cls(parse_rseq(parts[0]), parse_uint(parts[1], MAX_CSEQ), parts[2])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RAck) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __str__(self) -> str:
        return f"{self.response_number} {self.cseq_number} {self.method}"

    def __repr__(self) -> str:
        return f"<RAck {self}>"
