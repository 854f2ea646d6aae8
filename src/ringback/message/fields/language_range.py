"""A language range with its preference: Accept-Language (RFC 3261 §20.3)."""

from ringback.message.fields.token import parse_language_tag
from ringback.message.fields.token_value import TokenValue


class LanguageRange(TokenValue):
    """A language tag or `*`, with `q`."""

    __slots__ = ()

    @classmethod
    def _check(cls, value: str) -> None:
        if value != "*":
            parse_language_tag(value)
