"""Event and Subscription-State (RFC 6665 §8.2)."""

from typing import Self

from ringback.message.fields.number import parse_seconds
from ringback.message.fields.token import parse_event_type
from ringback.message.fields.token_value import TokenValue
from ringback.message.grammar import ascii_lower


class Event(TokenValue):
    """An event package with its templates, and the id of a subscription."""

    __slots__ = ()

    @classmethod
    def _check(cls, value: str) -> None:
        parse_event_type(value)

    @property
    def package(self) -> str:
        """The package's name without templates."""
        return self.value.partition(".")[0]

    @property
    def templates(self) -> list[str]:
        """The templates applied to the package, "winfo" …"""
        return self.value.split(".")[1:]

    @property
    def id(self) -> str | None:
        """The id that tells subscriptions of one dialog apart; None where there is none."""
        return self.param("id")

    def matches(self, other: "Event") -> bool:
        """Whether both name the same subscription: type and id alike octet for octet, other parameters aside (RFC 6665 §8.2.1)."""
        return self.value == other.value and self.params.get("id") == other.params.get("id")


class SubscriptionState(TokenValue):
    """How a subscription stands; `value` is "active", "pending", "terminated" or an extension, in lower case."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The state that `text` is; raises SipParseError."""
        state = super().parse(text)
        state.value = ascii_lower(state.value)
        return state

    @property
    def reason(self) -> str | None:
        """Why it ended, in lower case: "timeout", "noresource" …; None where nothing is said."""
        reason = self.param("reason")
        return None if reason is None else ascii_lower(reason)

    @property
    def expires(self) -> int | None:
        """The seconds it will still last; None where nothing is said. Raises SipParseError where it is no number."""
        return parse_seconds(self.params["expires"] or "") if "expires" in self.params else None

    @property
    def retry_after(self) -> int | None:
        """The seconds before a new attempt makes sense; None where nothing is said. Raises SipParseError where it is no number."""
        return parse_seconds(self.params["retry-after"] or "") if "retry-after" in self.params else None
