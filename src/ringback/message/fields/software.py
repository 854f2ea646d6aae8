"""Server and User-Agent: what software speaks (RFC 3261 §20.35, §20.41)."""

import re
from typing import Self

from ringback.message.errors import SipParseError
from ringback.message.grammar import TOKEN, skip_comment

# product = token [SLASH product-version]
_item_at = re.compile(rf"[ \t]*+(?:(\()|({TOKEN})(?:[ \t]*+/[ \t]*+({TOKEN}))?(?=[ \t(]|\Z))").match


# A choice: real ones name a handful; more would only be work.
MOST_ITEMS = 256


class Software:
    """Products ("name" or "name/version") and comments (with their parentheses) in their order."""

    __slots__ = ("items",)

    def __init__(self, *items: str) -> None:
        self.items = items

    @classmethod
    def parse(cls, text: str) -> Self:
        """The value that `text` is; raises SipParseError."""
        text = text.rstrip(" \t")
        items: list[str] = []
        position = 0
        while position < len(text):
            if len(items) == MOST_ITEMS:
                raise SipParseError("too many products")
            found = _item_at(text, position)
            if found is None:
                raise SipParseError("malformed product")
            comment, name, version = found.groups()
            position = found.end()
            if comment is None:
                items.append(name if version is None else f"{name}/{version}")
            else:
                start = position - 1
                position = skip_comment(text, start)
                if position < 0:
                    raise SipParseError("comment is not closed")
                items.append(text[start:position])
        if not items:
            raise SipParseError("product expected")
        return cls(*items)

    @property
    def products(self) -> list[str]:
        """The products without the comments."""
        return [item for item in self.items if item[0] != "("]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Software) and self.items == other.items

    def __hash__(self) -> int:
        return hash(self.items)

    def __str__(self) -> str:
        return " ".join(self.items)

    def __repr__(self) -> str:
        return f"<Software {self}>"
