"""How much a session or a medium may carry: the b= line (RFC 8866 §5.8, RFC 3890)."""

from typing import NamedTuple, Self

from ringback.sdp.errors import SdpError
from ringback.sdp.grammar import checked_token, is_token, parse_number

MAX_BANDWIDTH = 2**63 - 1


class Bandwidth(NamedTuple):
    """The b= line: `CT`, `AS` (kbit/s), `TIAS` (bit/s) or any other type, and its number."""

    type: str
    value: int

    @classmethod
    def of(cls, type_: str, value: int) -> Self:
        """A bandwidth; ValueError for what no line can hold."""
        if not 0 <= value <= MAX_BANDWIDTH:
            raise ValueError("a bandwidth is a number of at most 63 bits")
        return cls(checked_token(type_, "a bandwidth's type"), value)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The bandwidth that `text` (what follows `b=`) is; raises SdpError."""
        type_, colon, value = text.rstrip(" ").partition(":")
        if not (colon and is_token(type_)):
            raise SdpError("malformed b= line")
        return cls(type_, parse_number(value, MAX_BANDWIDTH))

    def __str__(self) -> str:
        return f"{self.type}:{self.value}"
