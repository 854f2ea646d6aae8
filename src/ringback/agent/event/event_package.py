"""What a notifier knows about one event package: its name, its bodies, its times, who may subscribe (RFC 6665 §5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from ringback.agent.inspection import Refusal
from ringback.message.fields.media_type import MediaType
from ringback.message.fields.token import parse_event_type
from ringback.message.message import Request

if TYPE_CHECKING:
    from ringback.agent.event.incoming_subscription import IncomingSubscription

Standing = Literal["active", "pending"]

ACTIVE: Final = "active"
"""The subscriber may know the state."""
PENDING: Final = "pending"
"""Somebody must be asked first; meanwhile the subscriber gets the neutral state."""
REJECTED = Refusal(403)
"""The subscriber may not know the state."""

Authorize = Callable[[Request], Standing | Refusal]


class Body(NamedTuple):
    """The state of a resource as one NOTIFY carries it."""

    content_type: str
    octets: bytes


class EventPackage:
    """One event package as a user agent serves it. It is enough to name it and its media types; a subclass may decide everything by itself.

    EventPackage("presence", "application/pidf+xml", authorize=lambda request: ACTIVE if request.from_.uri in friends else PENDING)
    """

    def __init__(
        self,
        name: str,
        *content_types: str,
        default_expires: int = 3600,
        min_expires: int = 60,
        max_expires: int = 86_400,
        max_subscriptions: int = 10_000,
        is_complete: bool = True,
        authorize: Authorize | None = None,
        state: Body | bytes | None = None,
    ) -> None:
        """`content_types` are what its bodies may be, the first one where a SUBSCRIBE says nothing (Accept).

        Times are in seconds: what a SUBSCRIBE without Expires gets, what is too brief (423), and the longest given. `is_complete` says that
        every body tells the whole state, so that a newer one replaces what has not gone out yet (§5.3.1); else all are sent in order.
        `state` is what to begin with. `SipParseError` where the name is none, `ValueError` where the times contradict each other.
        """
        self.name = parse_event_type(name)
        self.content_types = tuple(content_types)
        self.default_expires = default_expires
        self.min_expires = min_expires
        self.max_expires = max_expires
        self.max_subscriptions = max_subscriptions
        self.is_complete = is_complete
        if not 0 < min_expires <= default_expires <= max_expires:
            raise ValueError("min_expires <= default_expires <= max_expires is wanted")
        self.state = self.as_body(state)
        self._authorize = authorize

    def as_body(self, state: Body | bytes | None) -> Body | None:
        """Octets as a body of the package's first media type; `ValueError` where it has none."""
        if state is None or isinstance(state, Body):
            return state
        if not self.content_types:
            raise ValueError(f"{self.name} has no media type: say which, as a Body")
        return Body(self.content_types[0], state)

    def authorize(self, request: Request) -> Standing | Refusal:
        """Whether who sends this SUBSCRIBE may: `ACTIVE`, `PENDING`, or a refusal, `REJECTED` for instance. Nobody is asked (§4.2.1.1).

        A refresh is asked about too, and may be refused; its PENDING changes nothing.
        """
        return ACTIVE if self._authorize is None else self._authorize(request)

    def body(self, subscription: IncomingSubscription) -> Body | None:
        """The state for one subscriber, None for the neutral state, which is all that a pending subscription gets (§6.2).

        Whoever overrides it answers in one of `subscription.content_types`.
        """
        return None if subscription.state == PENDING else self.state

    def content_types_for(self, request: Request) -> tuple[str, ...]:
        """The media types that both we and the subscriber know, ours first; empty where there is none (406, §4.1.2.1)."""
        if "accept" not in request.headers.keys:
            return self.content_types[:1]
        accepted: list[MediaType] = [one for one in request.headers.values("Accept") if one.q > 0]
        return tuple([ours for ours in self.content_types if any(one.includes(MediaType.parse(ours)) for one in accepted)])
