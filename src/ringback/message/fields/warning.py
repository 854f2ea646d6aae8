"""Warning: what a server would like to tell about a response (RFC 3261 §20.43)."""

import re
from typing import Self

from ringback.message.errors import SipParseError
from ringback.message.grammar import QUOTED_STRING, TOKEN, parse_uint, quote, unquote
from ringback.message.host import HOST

# warning-value = warn-code SP warn-agent SP warn-text
_warning = re.compile(rf"([0-9]{{3}})[ \t]++({HOST}(?>(?::[0-9]{{1,5}}+)?)(?=[ \t])|{TOKEN})[ \t]++({QUOTED_STRING})").fullmatch


class WarningValue:
    """A three-digit code, who warns (a host with port, or a name), and a text without its quotes."""

    __slots__ = ("agent", "code", "text")

    def __init__(self, code: int, agent: str, text: str) -> None:
        self.code = code
        self.agent = agent
        self.text = text

    @classmethod
    def parse(cls, text: str) -> Self:
        """The value that `text` is; raises SipParseError."""
        found = _warning(text)
        if found is None:
            raise SipParseError("malformed warning")
        return cls(parse_uint(found[1], 999), found[2], unquote(found[3]))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WarningValue) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __str__(self) -> str:
        return f"{self.code:03} {self.agent} {quote(self.text)}"

    def __repr__(self) -> str:
        return f"<WarningValue {self}>"
