"""Reason: why a request was sent (RFC 3326)."""

from ringback.message.fields.token_value import TokenValue
from ringback.message.grammar import ascii_upper, parse_uint


class Reason(TokenValue):
    """A protocol ("SIP", "Q.850"), a cause in its numbers, and a text."""

    __slots__ = ()

    @property
    def protocol(self) -> str:
        """The protocol in capitals."""
        return ascii_upper(self.value)

    @property
    def cause(self) -> int | None:
        """The cause; None where none is given. Raises SipParseError where it is no number."""
        return parse_uint(self.params["cause"] or "", 2**32 - 1) if "cause" in self.params else None

    @property
    def text(self) -> str | None:
        """The text without quotes; None where none is given."""
        return self.param("text")
