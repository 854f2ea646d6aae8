"""Timestamp: when a request was sent by its sender's clock, and how long the answer took (RFC 3261 §20.38)."""

import re
from typing import Self

from ringback.message.errors import SipParseError

# Timestamp = 1*(DIGIT) [ "." *(DIGIT) ] [ LWS delay ]; digits are bounded so that no text buys a long conversion
_timestamp = re.compile(r"([0-9]{1,20}+(?>(?:\.[0-9]{0,20}+)?))(?:[ \t]++([0-9]{0,20}+(?>(?:\.[0-9]{0,20}+)?)))?").fullmatch


class Timestamp:
    """Two decimal numbers, kept as text: a response repeats the first one digit for digit (§8.2.6.1)."""

    __slots__ = ("delay_text", "sent_text")

    def __init__(self, sent_text: str, delay_text: str | None = None) -> None:
        self.sent_text = sent_text
        self.delay_text = delay_text

    @classmethod
    def parse(cls, text: str) -> Self:
        """The value that `text` is; raises SipParseError."""
        found = _timestamp(text)
        if found is None:
            raise SipParseError("malformed timestamp")
        return cls(found[1], found[2])

    @property
    def sent(self) -> float:
        """The sender's clock, in seconds since whenever it likes."""
        return _decimal(self.sent_text)

    @property
    def delay(self) -> float:
        """Seconds between the request's arrival and the response; 0 where nothing is said."""
        return _decimal(f"0{self.delay_text or ''}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Timestamp) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __str__(self) -> str:
        return f"{self.sent_text} {self.delay_text}" if self.delay_text else self.sent_text

    def __repr__(self) -> str:
        return f"<Timestamp {self}>"


def _decimal(text: str) -> float:
    whole, _, decimals = text.partition(".")
    digits = whole + decimals
    return int(digits) / 10 ** len(decimals) if digits.isascii() and digits.isdigit() else 0.0
