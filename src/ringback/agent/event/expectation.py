"""The NOTIFYs that a request of ours asks for, which establish a subscription, and those that nobody asked for (RFC 6665 §4.4.1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from ringback.agent.event.notification import Notification, is_understood
from ringback.agent.event.subscriber import Listener, Subscriber
from ringback.agent.inspection import Refusal
from ringback.agent.usage import usages_of
from ringback.dialog.dialog import Dialog
from ringback.message.errors import SipParseError
from ringback.message.fields.event import Event
from ringback.message.grammar import ascii_lower
from ringback.message.message import Request, Response
from ringback.transaction.events import RequestReceived

if TYPE_CHECKING:
    from ringback.agent.core import AgentCore

Forks = Literal["first", "all"]
"""What becomes of a SUBSCRIBE that reached several notifiers: the first one's subscription is kept, or everybody's (RFC 6665 §5.4.9)."""

# A choice: nobody forks to as many, and each costs us a dialog.
MAX_FORKS = 32


class Expectation:
    """The NOTIFYs that a request of ours outside dialogs has asked for (§4.1.2.4): for 64*T1 each new notifier establishes a dialog.

    The first notifier's subscription is kept and others get a 481, or everybody's is (§5.4.9).
    """

    __slots__ = (
        "_closes",
        "_key",
        "accept",
        "core",
        "event",
        "expires",
        "forks",
        "granted",
        "listener",
        "refreshes",
        "request",
        "subscribers",
    )

    def __init__(
        self,
        core: AgentCore,
        request: Request,
        event: Event,
        listener: Listener,
        *,
        expires: int | None = None,
        refreshes: bool = True,
        accept: Iterable[str] = (),
        forks: Forks = "first",
    ) -> None:
        self.core = core
        self.request = request
        self.event = event
        self.listener = listener
        self.expires = self.granted = expires
        self.refreshes = refreshes
        self.accept = tuple(accept)
        self.forks = forks
        self.subscribers: list[Subscriber] = []
        """Those that were established, also the ones that have ended since."""
        self._key = (request.call_id, ascii_lower(request.from_tag or ""))
        core.expectations[self._key] = self
        self._closes = core.loop.call_later(64 * core.timers.t1, self._timed_out)

    def receive(self, event: RequestReceived) -> None:
        """Takes a NOTIFY of a dialog that is not there yet (§4.4.1)."""
        core = self.core
        request = event.request
        its = request.value("Event")
        if its is None:
            core.refuse(event, Refusal(400, "Missing Event"))
        elif not self.event.matches(its):
            core.refuse(event, Refusal(481 if its.value == self.event.value else 489))
        elif self.subscribers and (self.forks == "first" or len(self.subscribers) >= MAX_FORKS):
            core.refuse(event, Refusal(481))
        else:
            self._establish(event)

    def _establish(self, event: RequestReceived) -> None:
        core = self.core
        request = event.request
        state = request.value("Subscription-State")
        if state is None:
            core.refuse(event, Refusal(400, "Missing Subscription-State"))
            return
        # It is the NOTIFY that makes the dialog (§4.4.1), though we have sent the first request of it.
        dialog = Dialog.of_server(request, core.response(request, 200))
        dialog.local = self.request.headers.text("From") or dialog.local
        dialog.local_seq = self.request.cseq.number
        dialog.owns_call_id = True
        if not is_understood(Notification(request, state, dialog), self.accept):
            core.refuse(event, Refusal(415, None, (("Accept", ", ".join(self.accept)),)))
            return
        subscriber = Subscriber(
            core,
            dialog,
            self.event,
            self.listener,
            expires=self.expires,
            refreshes=self.refreshes,
            accept=self.accept,
            is_expected=False,
        )
        subscriber.granted = self.granted
        self.subscribers.append(subscriber)
        self.listener.begun(subscriber)
        subscriber.take(event)

    def confirmed(self, response: Response, expires: int) -> None:
        """Takes the 2xx to the SUBSCRIBE: how long the subscription of its sender lasts. It establishes nothing (§4.4.1)."""
        number = self.request.cseq.number
        try:
            tag = response.to_tag
        except SipParseError:
            tag = None
        for subscriber in self.subscribers:
            # The SUBSCRIBE may have been sent again, with credentials, after this one's notifier got it.
            subscriber.dialog.local_seq = max(subscriber.dialog.local_seq or 0, number)
            if subscriber.dialog.remote_tag == tag and not subscriber.is_over and not subscriber.is_told:
                subscriber.confirmed(response, expires)
        given = response.expires
        self.granted = expires if given is None else min(given, expires)

    @property
    def is_open(self) -> bool:
        """Whether a NOTIFY may still establish something."""
        return self.core.expectations.get(self._key) is self

    def _timed_out(self) -> None:
        self.withdraw()
        self.listener.closed(self)

    def withdraw(self) -> None:
        """Expects no more: whoever sends a NOTIFY that would establish something gets a 481."""
        self._closes.cancel()
        if self.is_open:
            del self.core.expectations[self._key]


def receive_notify(core: AgentCore, event: RequestReceived, _now: float) -> None:
    """Takes a NOTIFY that no usage of a dialog takes: it establishes a subscription, or nobody has asked for it (§4.1.3)."""
    request = event.request
    expectation = core.expectations.get((request.call_id, ascii_lower(request.to_tag or "")))
    dialog = core.dialogs.of_request(request)
    if dialog is None:
        if expectation is None:
            core.refuse(event, Refusal(481))
        else:
            expectation.receive(event)
        return
    subscribers = [usage for usage in usages_of(dialog) if isinstance(usage, Subscriber)]
    its = request.value("Event")
    if its is None and subscribers:
        core.refuse(event, Refusal(400, "Missing Event"))
    elif subscribers and all(its.value != subscriber.event.value for subscriber in subscribers):
        core.refuse(event, Refusal(489))
    else:
        core.refuse(event, Refusal(481))
