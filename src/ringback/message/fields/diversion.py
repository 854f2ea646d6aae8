"""Diversion: who has sent a call on, and why (RFC 5806 §4)."""

from typing import Self

from ringback.message.fields.name_addr import NameAddr, parse_bracketed
from ringback.message.grammar import ascii_lower, parse_uint, unquote


class Diversion(NameAddr):
    """One party that sent the call on; the latest stands first."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The value that `text` is; raises SipParseError."""
        parse_bracketed(text)
        return super().parse(text)

    @property
    def reason(self) -> str:
        """Why, in lower case: "user-busy", "no-answer", "unconditional" …; "unknown" where nothing is said."""
        return ascii_lower(unquote(self.params.get("reason") or "unknown"))

    @property
    def counter(self) -> int:
        """How many diversions this one stands for, 1 where nothing is said; raises SipParseError where it is no number."""
        return parse_uint(self.params["counter"] or "", 99) if "counter" in self.params else 1
