"""What one NOTIFY says, and whether we understand it (RFC 6665 §3.2, §4.1.3)."""

from __future__ import annotations

from ringback.dialog.dialog import Dialog
from ringback.message.fields.event import SubscriptionState
from ringback.message.fields.media_type import MediaType
from ringback.message.headers import Headers
from ringback.message.message import Request

NEUTRAL = "neutral"
"""Before the first NOTIFY (§4.1.2.4)."""
TERMINATED = "terminated"


class Notification:
    """What one NOTIFY says."""

    __slots__ = ("content_type", "dialog", "expires", "reason", "request", "retry_after", "state")

    def __init__(self, request: Request, state: SubscriptionState, dialog: Dialog) -> None:
        """Raises `SipParseError` where Content-Type or a parameter of Subscription-State is malformed."""
        self.request = request
        self.dialog = dialog
        """The dialog it came in: which of several notifiers, where the SUBSCRIBE was forked."""
        self.state = state.value
        """"active", "pending", "terminated" or an extension."""
        self.reason = state.reason
        """Why the subscription is terminated: "timeout", "rejected" …; None where nothing is said."""
        self.retry_after = state.retry_after
        """The seconds after which a new subscription may be tried; None where nothing is said."""
        self.expires = state.expires
        """The seconds that the subscription still lasts; None where nothing is said."""
        content_type = request.content_type if request.body else None
        self.content_type: str | None = None if content_type is None else content_type.essence
        """What the body is: `application/pidf+xml`; None where there is no body."""

    @property
    def body(self) -> bytes:
        """The state of the resource, or nothing."""
        return self.request.body

    @property
    def headers(self) -> Headers:
        """Every header field of the NOTIFY."""
        return self.request.headers

    def __repr__(self) -> str:
        return f"<Notification {self.state} {self.content_type} {len(self.body)} octets>"


def is_understood(notification: Notification, accept: tuple[str, ...]) -> bool:
    """Whether a NOTIFY has a body we said we accept, or none (§3.2.1); one that ends the subscription is taken whatever it has."""
    kind = notification.content_type
    if kind is None or not accept or notification.state == TERMINATED:
        return True
    return any(MediaType.parse(one).includes(MediaType.parse(kind)) for one in accept)
