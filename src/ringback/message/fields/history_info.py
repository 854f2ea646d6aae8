"""History-Info: whom a request was for, one target after the other (RFC 7044 §5)."""

import re
from typing import Self

from ringback.message.errors import SipParseError
from ringback.message.fields.name_addr import NameAddr, parse_bracketed
from ringback.message.fields.privacy import Privacy
from ringback.message.grammar import ascii_lower
from ringback.message.uri import SipUri

# index-val = number *("." number); number = [ %x31-39 *DIGIT ] DIGIT
_index = re.compile(r"(?:0|[1-9][0-9]{0,8})(?>(?:\.(?:0|[1-9][0-9]{0,8}))*)").fullmatch

Index = tuple[int, ...]
"""The place of a target in the tree of all targets: `1.2` is the second one that the first was sent on to."""


class HistoryInfo(NameAddr):
    """One target and its index; in the URI's header components why it failed, and whether it is to be hidden."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The value that `text` is; raises SipParseError."""
        parse_bracketed(text)
        return super().parse(text)

    @property
    def index(self) -> Index:
        """The index; raises SipParseError where there is none, or none that can be read."""
        text = self.params.get("index")
        if text is None or _index(text) is None:
            raise SipParseError("malformed index")
        return tuple([int(number) for number in text.split(".")])

    @property
    def is_private(self) -> bool:
        """Whether the target asks to be hidden from other domains (RFC 7044 §10.1.1)."""
        uri = self.uri
        if not isinstance(uri, SipUri):
            return False
        try:
            return any(ascii_lower(name) == "privacy" and "history" in Privacy.parse(value) for name, value in uri.headers)
        except SipParseError:
            return False


def render_index(index: Index) -> str:
    """The index as it is written, `1.2.1`."""
    return ".".join(map(str, index))
