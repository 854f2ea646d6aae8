"""Asking a peer to contact somebody, and hearing what has come of it: REFER, the client's side (RFC 3515, RFC 3892, RFC 4488, RFC 4538)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from ringback.agent.errors import CallEnded, TransferFailed
from ringback.agent.event.expectation import Expectation
from ringback.agent.event.notification import Notification
from ringback.agent.event.subscriber import Ending, Subscriber
from ringback.agent.exchange import Exchange
from ringback.agent.transfer.sipfrag import SIPFRAG, StatusLine, dialog_of, parse_sipfrag
from ringback.agent.usage import usages_of
from ringback.dialog.usage import DIALOG, effect_of
from ringback.message.errors import SipParseError
from ringback.message.fields.dialog_id import Replaces
from ringback.message.fields.event import Event
from ringback.message.fields.name_addr import NameAddr
from ringback.message.grammar import ascii_lower
from ringback.message.message import Request, Response

if TYPE_CHECKING:
    from ringback.agent.call.session import Session
    from ringback.agent.core import AgentCore

T = TypeVar("T")

DEFAULT_PATIENCE = 180.0
"""Seconds until there must be a result. A choice, RFC 3515 leaves it open: timer C gives a call as long to ring (RFC 3261 §16.6)."""

OnProgress = Callable[[StatusLine], None]
"""Hears how far the referred-to request has come: 100, 180 …"""


class ReferEvent(Event):
    """The Event of one REFER's notifications: their id, where they have one, is the CSeq number of the REFER (RFC 3515 §2.4.6)."""

    __slots__ = ("exchange",)

    def __init__(self) -> None:
        super().__init__("refer")
        self.exchange: Exchange | None = None

    def matches(self, other: Event) -> bool:
        """Whether a NOTIFY is of this REFER; the number changes when the REFER is sent again with credentials."""
        return other.value == "refer" and (other.id is None or self.exchange is None or other.id == str(self.exchange.cseq))


class Reference:
    """A REFER of ours. Awaiting it sends it and waits for the final status of what the peer does; raises `TransferFailed` where that fails.

    await agent.refer("sip:alice@example.com", "sip:bob@example.com")     # click to call: Alice's phone calls Bob
    """

    def __init__(
        self,
        core: AgentCore,
        uri: str,
        refer_to: str,
        *,
        session: Session | None = None,
        headers: Iterable[tuple[str, object]] = (),
        reports: bool = True,
        patience: float = DEFAULT_PATIENCE,
        on_progress: OnProgress | None = None,
    ) -> None:
        """`refer_to` is a URI or a name-addr, its URI with a method and header components where those are wanted (RFC 3261 §19.1.5).

        With `session` it goes through that session's dialog, and `uri` is not used. Without `reports` the peer is asked to say nothing of
        what comes of it (RFC 4488), and a 2xx to the REFER is the result. `patience` is how many seconds are waited for the result.
        `SipParseError` where `refer_to` is no address.
        """
        NameAddr.parse(refer_to if "<" in refer_to else f"<{refer_to}>").uri  # noqa: B018 - it raises where the URI is malformed
        self.core = core
        self.uri = uri
        self.refer_to = refer_to if "<" in refer_to else f"<{refer_to}>"
        self.session = session
        self.reports = reports
        self.patience = patience
        self.on_progress = on_progress
        self.latest: StatusLine | None = None
        """What the latest notification said; None before the first."""
        self.dialog: Replaces | None = None
        """The call that has come of it, where the peer names it: what the Replaces of an INVITE to its callee says (RFC 3891)."""
        self._headers = list(headers)
        self._event = ReferEvent()
        self._expectation: Expectation | None = None
        self._subscribers: list[Subscriber] = []
        self._alarm: asyncio.TimerHandle | None = None
        self._result: asyncio.Future[StatusLine] = core.loop.create_future()
        # Nobody may be waiting when it fails.
        self._result.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._is_sent = False

    # What is asked.

    def send(self) -> None:
        """Sends the REFER; returns at once."""
        if self._is_sent:
            return
        self._is_sent = True
        core = self.core
        session = self.session
        request = core.request("REFER", self.uri) if session is None else session.request("REFER")
        headers = request.headers
        headers.append("Refer-To", self.refer_to)
        headers.append("Referred-By", core.identity.address)
        for name, value in self._headers:
            headers.append(name, value)
        core.add_capabilities(request)
        if not self.reports:
            headers.append("Refer-Sub", "false")
        elif session is None:
            self._expectation = Expectation(core, request, self._event, self, refreshes=False)
        else:
            self._subscribers.append(Subscriber(core, session.dialog, self._event, self, refreshes=False))
        self._alarm = core.loop.call_later(self.patience, self._lose_patience)
        self._send(request)

    def _send(self, request: Request) -> None:
        core = self.core

        def on_response(response: Response, _now: float) -> None:
            if response.is_final:
                self._answered(exchange, response)

        exchange = Exchange(core, request, on_response, None if self.session is None else self.session.dialog)
        self._event.exchange = exchange
        exchange.start(core.loop.time())
        core.stack.flush()

    def _answered(self, exchange: Exchange, response: Response) -> None:
        if not response.is_success:
            self._refused(exchange, response)
        elif not self.reports:
            self._settle(StatusLine(response.status, response.reason))
        elif _is_silent(response):
            # RFC 4488 §4: the peer has made no subscription, though we have not asked for that.
            self._settle(StatusLine(response.status, response.reason))

    def _refused(self, exchange: Exchange, response: Response) -> None:
        session = self.session
        if session is not None and effect_of(response.status, "REFER") == DIALOG:
            for usage in usages_of(session.dialog):
                usage.dialog_ended(f"{response.status} to our REFER")
        reason = exchange.fault or response.reason
        self._fail(TransferFailed(response.status, reason, None if exchange.fault else response, is_refused=True))

    # What comes of it.

    def begun(self, subscriber: Subscriber) -> None:
        """A NOTIFY has established the dialog."""
        self._subscribers.append(subscriber)

    def notified(self, subscriber: Subscriber, notification: Notification) -> bool:
        """Takes a notification; one without a fragment that can be read says nothing new."""
        its = notification.request.value("Event")
        if its is not None and its.id is not None:
            # RFC 3515 §2.4.6: a SUBSCRIBE that ends it names it so.
            subscriber.event.params["id"] = its.id
        if notification.content_type == SIPFRAG:
            try:
                self.latest = parse_sipfrag(notification.body)
            except SipParseError:
                return True
            if self.latest.is_final:
                self.dialog = dialog_of(notification.body) if self.latest.is_success else None
                self._conclude(self.latest)
            elif self.on_progress is not None and not self._result.done():
                self.on_progress(self.latest)
        return True

    def _conclude(self, status: StatusLine) -> None:
        if status.is_success:
            self._settle(status)
        else:
            self._fail(TransferFailed(status.status, status.reason))

    def ended(self, _subscriber: Subscriber, ending: Ending) -> None:
        """The subscription is over; that is a failure where no result was told."""
        if ending.failure is not None:
            self._fail(TransferFailed(ending.failure.status, ending.reason))
        elif ending.reason == "rejected":
            self._fail(TransferFailed(603, "rejected"))
        else:
            self._fail(TransferFailed(500, f"ended without a result: {ending.reason}"))

    def closed(self, expectation: Expectation) -> None:
        """Nobody will notify any more."""
        if not expectation.subscribers:
            self._fail(TransferFailed(408, "no NOTIFY came"))

    def _lose_patience(self) -> None:
        self._alarm = None
        self._fail(TransferFailed(408, f"no result within {self.patience:g} s"))

    def _settle(self, status: StatusLine) -> None:
        if not self._result.done():
            self._result.set_result(status)
            self._finish()

    def _fail(self, fault: TransferFailed) -> None:
        if not self._result.done():
            self._result.set_exception(fault)
            self._finish()

    def _finish(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        # Later, since the notification that has brought the result may be the one that ends it.
        self.core.loop.call_soon(self._abandon)

    def _abandon(self) -> None:
        """Hears nothing more: a notification that still comes gets a 481, which ends the subscription there too."""
        if self._expectation is not None:
            self._expectation.withdraw()
        for subscriber in self._subscribers:
            subscriber.abandon()

    # Waiting.

    async def result(self) -> StatusLine:
        """The final status, sending the REFER if that was not done. Raises `TransferFailed`."""
        self.send()
        try:
            # The call through which we refer may end first; what the peer says of the result counts all the same.
            return await undisturbed(self._result)
        except asyncio.CancelledError:
            if not self._result.done():
                self._result.cancel()
                self._finish()
            raise

    def __await__(self) -> Generator[Any, Any, StatusLine]:
        return self.result().__await__()


async def undisturbed(future: asyncio.Future[T]) -> T:
    """Waits for a future, whatever call ends meanwhile under the coroutine that waits."""
    while True:
        try:
            return await asyncio.shield(future)
        except CallEnded:
            if future.done():
                return future.result()


def _is_silent(response: Response) -> bool:
    """Whether a 2xx says that there is no subscription."""
    try:
        refer_sub = response.headers.value("Refer-Sub")
    except SipParseError:
        return False
    return refer_sub is not None and ascii_lower(refer_sub.value) == "false"
