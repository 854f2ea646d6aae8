"""The subscriber's side of one subscription: one usage of one dialog, its NOTIFYs and its refreshes (RFC 6665 §4.1, RFC 5057).

What begins a subscription is another's affair: a `Subscription` with its SUBSCRIBE, a REFER (RFC 3515 §2.4.4). Outside dialogs, an
`Expectation` of the NOTIFYs that the request asks for makes a `Subscriber` of each dialog they establish:

    expectation = Expectation(core, request, Event("refer"), listener, refreshes=False)       # before the request is sent
    core.begin(request, …); expectation.withdraw()                                            # if it fails

Within a dialog there is nothing to establish: `Subscriber(core, dialog, event, listener, refreshes=False)`. Both tell the listener of
every notification, and once of the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ringback.agent.errors import RequestFailed, RequestTimedOut, failure
from ringback.agent.event.lifetime import renewal_delay
from ringback.agent.event.notification import NEUTRAL, TERMINATED, Notification, is_understood
from ringback.agent.exchange import Exchange
from ringback.agent.inspection import Refusal
from ringback.agent.usage import leave, usages_of
from ringback.dialog.dialog import Dialog
from ringback.dialog.usage import DIALOG, TRANSACTION, effect_of
from ringback.message.errors import SipParseError
from ringback.message.fields.event import Event
from ringback.message.message import Response
from ringback.transaction.events import RequestReceived

if TYPE_CHECKING:
    from ringback.agent.core import AgentCore
    from ringback.agent.event.expectation import Expectation

DEFAULT_EXPIRES = 3600

# A choice: a notifier that finds every interval too brief is not to be asked for ever.
MAX_ATTEMPTS = 3


class Ending(NamedTuple):
    """How a subscription ended. `failure` is what went wrong, where the notifier did not end it; `may_begin_anew`: it was merely lost."""

    reason: str
    retry_after: int | None = None
    failure: RequestFailed | None = None
    may_begin_anew: bool = False


class Listener(Protocol):
    """Whoever wants to know of a subscription."""

    def begun(self, subscriber: Subscriber) -> None:
        """A NOTIFY has established this one (not called for those that began within a dialog)."""

    def notified(self, subscriber: Subscriber, notification: Notification) -> bool:
        """Takes a notification; False where it cannot be taken now (then the notifier is asked to come back)."""

    def ended(self, subscriber: Subscriber, ending: Ending) -> None:
        """It is over."""

    def closed(self, expectation: Expectation) -> None:
        """Timer N has fired: no notifier will come any more. Its `subscribers` are empty if none has."""


class Subscriber:
    """One subscription in one dialog, from the subscriber's side. It refreshes itself, unless told not to, until it ends."""

    __slots__ = (
        "_attempts",
        "_dies",
        "_exchange",
        "_expected",
        "_leaving",
        "_over",
        "_refresh",
        "accept",
        "core",
        "dialog",
        "event",
        "expires_at",
        "granted",
        "is_over",
        "is_told",
        "listener",
        "refreshes",
        "requested",
        "state",
    )

    def __init__(
        self,
        core: AgentCore,
        dialog: Dialog,
        event: Event,
        listener: Listener,
        *,
        expires: int | None = None,
        refreshes: bool = True,
        accept: Iterable[str] = (),
        is_expected: bool = True,
    ) -> None:
        """`expires` is what a refresh asks for, and how long it lasts until the notifier says otherwise; None leaves that to the notifier.

        `is_expected`: a request of ours has just asked for a NOTIFY, which must come within 64*T1 (timer N).
        """
        self.core = core
        self.dialog = dialog
        self.event = event
        self.listener = listener
        self.refreshes = refreshes
        self.accept = tuple(accept)
        self.requested = expires
        self.state = NEUTRAL
        """"neutral" until the first NOTIFY, then what it says: "active", "pending", "terminated"."""
        self.is_over = False
        self.expires_at: float | None = None
        """When it ends unless it is refreshed, by the loop's clock."""
        self.granted = expires
        """The seconds that the latest 2xx gave; what was asked for until one has come."""
        self.is_told = False
        """Whether a NOTIFY has said how long it lasts: then that counts, not the 2xx (§4.1.3)."""
        self._refresh: asyncio.TimerHandle | None = None
        self._dies: asyncio.TimerHandle | None = None
        self._expected: asyncio.TimerHandle | None = None
        self._exchange: Exchange | None = None
        self._leaving = False
        self._over: asyncio.Future[None] | None = None
        self._attempts = 0
        if not dialog.usages:
            core.dialogs.add(dialog)
        dialog.begin(self)
        if is_expected:
            self.expect_notify()

    # Time.

    def expect_notify(self) -> None:
        """Starts timer N (§4.1.2.2): a NOTIFY must come within 64*T1."""
        _stop(self._expected)
        self._expected = self.core.loop.call_later(64 * self.core.timers.t1, self._not_notified)

    def last(self, seconds: int) -> None:
        """It lasts so long from now on, as the notifier says."""
        _stop(self._refresh, self._dies)
        loop = self.core.loop
        self.expires_at = loop.time() + seconds
        self._dies = loop.call_later(seconds, self._died)
        if self.refreshes and not self._leaving:
            self._refresh = loop.call_later(renewal_delay(seconds, self.core.timers.t1), self.refresh)

    def _not_notified(self) -> None:
        self._lose(RequestTimedOut(408, "no NOTIFY came"))

    def _died(self) -> None:
        self._lose(RequestTimedOut(408, "the subscription was not refreshed in time"))

    # What comes from the notifier.

    def receive_request(self, event: RequestReceived, now: float) -> bool:
        """Takes a NOTIFY of this subscription's (§8.2.1); False where it is for another usage."""
        if event.request.method != "NOTIFY":
            return False
        its = event.request.value("Event")
        if its is None or not self.event.matches(its):
            return False
        self.take(event)
        return True

    def take(self, event: RequestReceived) -> None:
        """Takes a NOTIFY that is this subscription's, and answers it (§4.1.3)."""
        core = self.core
        request = event.request
        state = request.value("Subscription-State")
        if state is None:
            core.refuse(event, Refusal(400, "Missing Subscription-State"))
            return
        notification = Notification(request, state, self.dialog)
        is_last = notification.state == TERMINATED
        if not is_understood(notification, self.accept):
            core.refuse(event, Refusal(415, None, (("Accept", ", ".join(self.accept)),)))
            return
        self.dialog.refresh_target(request)
        if not self.listener.notified(self, notification) and not is_last and not self._leaving:
            core.refuse(event, Refusal(500, "Not Read Yet", (("Retry-After", 5),)))
            return
        response = core.response(request, 200)
        response.headers.carry(request.headers, "record-route")
        response.headers.append("Contact", core.identity.contact(event.flow.endpoint))
        assert event.transaction is not None, "a NOTIFY has a transaction"
        core.respond(event.transaction, response)
        _stop(self._expected)
        self.state = notification.state
        if is_last:
            self._end(Ending(notification.reason or "terminated", notification.retry_after))
        elif notification.expires is not None:
            self.is_told = True
            # §4.2.2: a notifier never gives more than was asked for.
            self.last(notification.expires if self.requested is None else min(notification.expires, self.requested))
        elif self.expires_at is None:
            self.last(DEFAULT_EXPIRES if self.granted is None else self.granted)

    # What goes to the notifier.

    def refresh(self) -> None:
        """Asks for more time, and for the state of the resource (§4.1.2.2)."""
        if self._exchange is None and not self.is_over:
            self._subscribe(DEFAULT_EXPIRES if self.requested is None else self.requested)

    def _subscribe(self, expires: int) -> None:
        core = self.core
        request = self.dialog.request("SUBSCRIBE")
        headers = request.headers
        if core.software is not None:
            headers.append("User-Agent", core.software)
        headers.append("Event", self.event)
        headers.append("Expires", expires)
        if self.accept:
            headers.append("Accept", ", ".join(self.accept))
        self.expect_notify()

        def on_response(response: Response, _now: float) -> None:
            if response.is_final:
                if self._exchange is exchange:
                    self._exchange = None
                if not self.is_over:
                    self._answered(exchange, response, expires)

        exchange = Exchange(core, request, on_response, self.dialog)
        self._exchange = exchange
        exchange.start(core.loop.time())
        core.stack.flush()

    def _answered(self, exchange: Exchange, response: Response, expires: int) -> None:
        if response.is_success:
            self._attempts = 0
            self.confirmed(response, expires)
        elif self._leaving:
            if expires == 0:
                # There is nothing to leave, or nobody to tell.
                self._end(Ending("left"))
        else:
            self._refused(exchange, response, expires)

    def confirmed(self, response: Response, expires: int) -> None:
        """Takes the 2xx to a SUBSCRIBE that asked for so many seconds."""
        try:
            self.dialog.refresh_target(response)
            given = response.expires
        except SipParseError:
            given = None
        self.granted = expires if given is None else min(given, expires)
        if response.status == 204:
            # RFC 5839 §4: nothing has changed, so there will be no NOTIFY.
            _stop(self._expected)
            if self._leaving:
                self._end(Ending("left"))
        if self.granted and not self._leaving:
            self.last(self.granted)

    def _refused(self, exchange: Exchange, response: Response, expires: int) -> None:
        status = response.status
        fault = failure(status, exchange.fault or response.reason, None if exchange.fault else response, fault=exchange.fault)
        if status == 423 and self._attempts < MAX_ATTEMPTS:
            least = min_expires_of(response)
            if least is not None and least > expires:
                self._attempts += 1
                self.requested = least
                self._subscribe(least)
                return
        effect = effect_of(status, "SUBSCRIBE")
        if effect == TRANSACTION:
            # §4.1.2.2: it still stands, for as long as was known; another attempt half way to its end.
            if status != 408:
                # Where nobody answers, timer N has run as long as timer F, and is about to say that it is lost.
                _stop(self._expected)
            loop = self.core.loop
            left = 0.0 if self.expires_at is None else self.expires_at - loop.time()
            self._refresh = loop.call_later(max(left / 2, fault.retry_after or 0, 1), self.refresh)
        else:
            self._lose(fault, may_begin_anew=status == 481)
            if effect == DIALOG:
                for usage in usages_of(self.dialog):
                    usage.dialog_ended(f"{status} to our SUBSCRIBE")

    async def unsubscribe(self) -> None:
        """Ends it (§4.1.2.3): SUBSCRIBE with Expires 0; waits for the NOTIFY that says so, at most 64*T1."""
        if self.is_over:
            return
        if not self._leaving:
            self._leaving = True
            _stop(self._refresh, self._dies)
            self._over = self.core.loop.create_future()
            self._subscribe(0)
        assert self._over is not None, "made when it began to leave"
        await asyncio.shield(self._over)

    def close(self) -> None:
        """Unsubscribes, in a task of the core's."""
        self.core.spawn(self.unsubscribe())

    def dialog_ended(self, reason: str) -> None:
        """The dialog is gone, and the subscription with it."""
        self._lose(RequestFailed(481, reason))

    def abandon(self) -> None:
        """Forgets it without a word: the notifier's next NOTIFY gets a 481."""
        self._end(Ending("abandoned"))

    # The end.

    def _lose(self, fault: RequestFailed, *, may_begin_anew: bool = True) -> None:
        if self._leaving:
            self._end(Ending("left"))
        else:
            self._end(Ending(str(fault), fault.retry_after, fault, may_begin_anew))

    def _end(self, ending: Ending) -> None:
        if self.is_over:
            return
        self.is_over = True
        self.state = TERMINATED
        _stop(self._refresh, self._dies, self._expected)
        leave(self.core, self.dialog, self)
        if self._over is not None and not self._over.done():
            self._over.set_result(None)
        self.listener.ended(self, ending)


def min_expires_of(response: Response) -> int | None:
    """The shortest interval a 423 allows (RFC 3261 §20.23); None where it says nothing usable."""
    try:
        seconds: int | None = response.headers.value("Min-Expires")
    except SipParseError:
        return None
    return seconds


def _stop(*timers: asyncio.TimerHandle | None) -> None:
    for timer in timers:
        if timer is not None:
            timer.cancel()
