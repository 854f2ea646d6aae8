"""A subscription of ours: SUBSCRIBE, the notifications, the refreshes, the end (RFC 6665 §4.1).

    async with agent.subscribe("sip:bob@example.com", "presence", accept=["application/pidf+xml"]) as subscription:
        async for notification in subscription:
            print(notification.state, notification.body)

What is lost (481 to a refresh, a notifier that falls silent) is subscribed anew, as is what the notifier moves elsewhere
(`deactivated`); the iteration goes on. Without a SUBSCRIBE, for a request that subscribes by itself (REFER, RFC 3515):

    subscription = Subscription(core, uri, Event("refer"), expires=None, refreshes=False)
    subscription.expect(refer)                 # outside dialogs, before the REFER is sent: NOTIFYs establish the dialog
    subscription.join(dialog)                  # or, once it was accepted, within a dialog that is there
    subscription.fail(failure(…))              # if it was refused
    await subscription.established()
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Generator, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ringback.agent.call.negotiation import put_body
from ringback.agent.errors import RequestFailed, RequestTimedOut, failure
from ringback.agent.event.expectation import Expectation, Forks
from ringback.agent.event.notification import NEUTRAL, TERMINATED, Notification
from ringback.agent.event.subscriber import DEFAULT_EXPIRES, MAX_ATTEMPTS, Ending, Subscriber, min_expires_of
from ringback.agent.exchange import Exchange
from ringback.agent.usage import usages_of
from ringback.dialog.dialog import Dialog
from ringback.dialog.usage import DIALOG, effect_of
from ringback.message.fields.event import Event
from ringback.message.message import Request, Response
from ringback.message.uri import SipUri, parse_uri

if TYPE_CHECKING:
    from ringback.agent.core import AgentCore

# A choice: what a program does not read is refused rather than kept without end.
MAX_UNREAD = 100


class Subscription:
    """What a program subscribes to at one URI. Entering or awaiting it subscribes and waits for the first NOTIFY; leaving it unsubscribes.

    Iterating gives each `Notification` until the subscription is terminated; then `reason` and `retry_after` say what the notifier said.
    It raises `RequestFailed` where it was lost and could not be had again.
    """

    def __init__(
        self,
        core: AgentCore,
        uri: str,
        event: Event,
        *,
        expires: int | None = DEFAULT_EXPIRES,
        accept: Iterable[str] = (),
        headers: Iterable[tuple[str, object]] = (),
        body: bytes = b"",
        content_type: str | None = None,
        forks: Forks = "first",
        refreshes: bool = True,
        resumes: bool = True,
        dialog: Dialog | None = None,
    ) -> None:
        """`expires` in seconds, 0 to fetch the state once; `accept` the media types that are understood, any where empty.

        `headers` and `body` go into every SUBSCRIBE that begins a subscription. `forks`: whose subscription counts where the SUBSCRIBE
        reached several notifiers, the "first" one's or "all". Without `resumes` nothing is subscribed anew. With `dialog` the subscription
        lives within that dialog (§4.5.2); `ValueError` where its remote target is a GRUU, which is to be subscribed to by itself.
        """
        if dialog is not None and _is_gruu(dialog.remote_target):
            raise ValueError("a GRUU is subscribed to in a dialog of its own")
        self.core = core
        self.uri = uri
        self.event = event
        self.expires = expires
        self.accept = tuple(accept)
        self.subscribers: list[Subscriber] = []
        """The subscriptions that stand: one, or one for each notifier of a forked SUBSCRIBE."""
        self.reason: str | None = None
        """Why it is over; None while it is not. What the notifier said, in lower case, or what went wrong."""
        self.retry_after: int | None = None
        """The seconds after which the notifier may be asked again; None where it has said nothing."""
        self.failure: RequestFailed | None = None
        """What went wrong, where it was not the notifier that ended it."""
        self._headers = list(headers)
        self._body = body
        self._content_type = content_type
        self._forks = forks
        self._refreshes = refreshes
        self._resumes = resumes and dialog is None and expires != 0
        self._dialog = dialog
        self._expectation: Expectation | None = None
        self._unread: deque[Notification] = deque()
        self._news: asyncio.Future[None] | None = None
        self._established: asyncio.Future[None] = core.loop.create_future()
        # Nobody may be waiting when it fails.
        self._established.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._again: asyncio.TimerHandle | None = None
        self._begun_at = 0.0
        self._attempts = 0
        self._last_ending: Ending | None = None
        self._is_placed = False

    @property
    def state(self) -> str:
        """ "neutral" before the first NOTIFY, then "active", "pending" or "terminated"."""
        if self.reason is not None:
            return TERMINATED
        return self.subscribers[0].state if self.subscribers else NEUTRAL

    # How it begins.

    def subscribe(self) -> None:
        """Sends the SUBSCRIBE; returns at once. Raises `SipParseError` where the URI is none."""
        if self._is_placed:
            return
        self._is_placed = True
        self._subscribe()

    def _subscribe(self) -> None:
        """§4.1.2.1: a SUBSCRIBE that begins a subscription, with a new Call-ID and tag unless it is within a dialog."""
        core = self.core
        dialog = self._dialog
        expires = DEFAULT_EXPIRES if self.expires is None else self.expires
        request = core.request("SUBSCRIBE", self.uri) if dialog is None else dialog.request("SUBSCRIBE")
        headers = request.headers
        headers.append("Event", self.event)
        if self.expires is not None:
            headers.append("Expires", self.expires)
        if self.accept:
            headers.append("Accept", ", ".join(self.accept))
        for name, value in self._headers:
            headers.append(name, value)
        core.add_capabilities(request)
        if self._content_type is not None:
            put_body(request, self._content_type, self._body)
        self._begun_at = core.loop.time()
        self._last_ending = None
        if dialog is None:
            self.expect(request)
        else:
            self.join(dialog)
        expectation = self._expectation
        subscriber = self.subscribers[0] if dialog is not None else None

        def on_response(response: Response, _now: float) -> None:
            if not response.is_final:
                return
            if not response.is_success:
                self._refused(exchange, response, expectation, subscriber)
            elif expectation is not None:
                expectation.confirmed(response, expires)
            elif subscriber is not None and not subscriber.is_over:
                subscriber.confirmed(response, expires)

        exchange = Exchange(core, request, on_response, dialog)
        exchange.start(core.loop.time())
        core.stack.flush()

    def expect(self, request: Request) -> None:
        """A request outside dialogs, about to be sent, subscribes: the NOTIFYs that answer it establish the subscription."""
        self._is_placed = True
        self.core.standing.add(self)
        self._expectation = Expectation(
            self.core,
            request,
            self.event,
            self,
            expires=self.expires,
            refreshes=self._refreshes,
            accept=self.accept,
            forks=self._forks,
        )

    def join(self, dialog: Dialog) -> None:
        """A request within this dialog has subscribed."""
        self._is_placed = True
        self.core.standing.add(self)
        self.subscribers = [
            Subscriber(self.core, dialog, self.event, self, expires=self.expires, refreshes=self._refreshes, accept=self.accept)
        ]

    def _refused(self, exchange: Exchange, response: Response, expectation: Expectation | None, subscriber: Subscriber | None) -> None:
        """A SUBSCRIBE that begins a subscription was refused; nothing comes of it (§4.1.2.1), unless a NOTIFY came all the same."""
        if expectation is not None:
            if expectation.subscribers or expectation is not self._expectation:
                return
            expectation.withdraw()
        least = min_expires_of(response) if response.status == 423 else None
        if self.reason is None and least is not None and self._attempts < MAX_ATTEMPTS and least > (self.expires or 0):
            self._attempts += 1
            self.expires = least
            self._subscribe()
        else:
            self.fail(failure(response.status, response.reason, None if exchange.fault else response, fault=exchange.fault))
        if subscriber is not None:
            # Last, for the dialog lives on in what was begun instead of it.
            subscriber.abandon()
            if effect_of(response.status, "SUBSCRIBE") == DIALOG:
                for usage in usages_of(subscriber.dialog):
                    usage.dialog_ended(f"{response.status} to our SUBSCRIBE")

    async def established(self) -> None:
        """Waits for the first NOTIFY, subscribing if that was not done. Raises `RequestFailed` where it does not come."""
        self.subscribe()
        await asyncio.shield(self._established)

    def __await__(self) -> Generator[Any, Any, Self]:
        return self._establish().__await__()

    async def _establish(self) -> Self:
        try:
            await self.established()
        except asyncio.CancelledError:
            self.close()
            raise
        return self

    async def __aenter__(self) -> Self:
        return await self._establish()

    # What comes.

    def begun(self, subscriber: Subscriber) -> None:
        """A NOTIFY has established a subscription."""
        self.subscribers.append(subscriber)

    def notified(self, subscriber: Subscriber, notification: Notification) -> bool:
        """Takes a notification, unless too many are unread."""
        if len(self._unread) >= MAX_UNREAD and notification.state != TERMINATED and subscriber.state != NEUTRAL:
            return False
        self._unread.append(notification)
        self._attempts = 0
        if not self._established.done():
            self._established.set_result(None)
        self._wake()
        return True

    def ended(self, subscriber: Subscriber, ending: Ending) -> None:
        """One of the subscriptions is over; when it was the last, so is this, or it begins anew."""
        if subscriber in self.subscribers:
            self.subscribers.remove(subscriber)
        if self.subscribers or self.reason is not None:
            return
        if self._forks == "all" and self._expectation is not None and self._expectation.is_open:
            # Others whom the SUBSCRIBE reached may still speak up.
            self._last_ending = ending
            return
        self._conclude(ending)

    def _conclude(self, ending: Ending) -> None:
        if self._resumes and (ending.may_begin_anew or ending.reason == "deactivated"):
            self._resume()
        elif ending.failure is not None:
            self.fail(ending.failure)
        else:
            self._over(ending.reason, ending.retry_after)

    def closed(self, expectation: Expectation) -> None:
        """No notifier will come any more; a failure if none has (§4.1.2.4)."""
        if expectation is not self._expectation or self.reason is not None or self.subscribers:
            return
        if self._last_ending is None:
            self.fail(RequestTimedOut(408, "no NOTIFY came"))
        else:
            self._conclude(self._last_ending)

    def _resume(self) -> None:
        """Begins anew (§4.4.2), at once, but never more often than once in 64*T1."""
        loop = self.core.loop
        earliest = self._begun_at + 64 * self.core.timers.t1
        if loop.time() >= earliest:
            self._subscribe()
        else:
            self._again = loop.call_at(earliest, self._begin_anew)

    def _begin_anew(self) -> None:
        self._again = None
        self._subscribe()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Notification:
        while not self._unread:
            if self.failure is not None:
                raise self.failure
            if self.reason is not None:
                raise StopAsyncIteration
            if self._news is None or self._news.done():
                self._news = self.core.loop.create_future()
            await asyncio.shield(self._news)
        return self._unread.popleft()

    def _wake(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    # How it ends.

    def refresh(self) -> None:
        """Asks the notifiers for the state again, and for more time; returns at once."""
        for subscriber in list(self.subscribers):
            subscriber.refresh()

    async def unsubscribe(self) -> None:
        """Ends the subscription and waits for the notifier's last NOTIFY, at most 64*T1; what it says can still be read."""
        self._stop()
        subscribers = list(self.subscribers)
        if subscribers:
            await asyncio.gather(*[subscriber.unsubscribe() for subscriber in subscribers])
        self._over("left", None)

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        await self.unsubscribe()

    def close(self) -> None:
        """The agent closes, or whoever entered was interrupted: expects nothing more; dialogs say goodbye in tasks of the core's."""
        self._stop()
        for subscriber in list(self.subscribers):
            subscriber.close()
        if not self.subscribers:
            self._over("left", None)

    def _stop(self) -> None:
        self._resumes = False
        if self._expectation is not None:
            self._expectation.withdraw()
        if self._again is not None:
            self._again.cancel()
            self._again = None
            self._over("left", None)

    def fail(self, fault: RequestFailed) -> None:
        """It did not come about, or was lost: whoever waits for it or reads it is told."""
        if self.reason is None:
            self.failure = fault
            self._over(str(fault), fault.retry_after)

    def _over(self, reason: str, retry_after: int | None) -> None:
        if self.reason is not None:
            return
        self.reason = reason
        self.retry_after = retry_after
        self.core.standing.discard(self)
        if self._expectation is not None:
            self._expectation.withdraw()
        if not self._established.done():
            if self.failure is None:
                self._established.set_result(None)
            else:
                self._established.set_exception(self.failure)
        self._wake()


def _is_gruu(uri_text: str) -> bool:
    uri = parse_uri(uri_text)
    return isinstance(uri, SipUri) and "gr" in uri.params
