"""The notifier's side of one subscription: one usage of one dialog, its NOTIFYs and its end (RFC 6665 §4.2, RFC 5057).

A `Notifier` makes one of each SUBSCRIBE. A request that subscribes by itself (REFER, RFC 3515 §2.4.4) needs none:

    subscription = IncomingSubscription(core, dialog, Event("refer", {"id": "93"}), expires=180, content_types=("message/sipfrag",))
    subscription.notify(Body("message/sipfrag;version=2.0", b"SIP/2.0 100 Trying"))     # at once, after the 2xx
    subscription.terminate("noresource", Body(…))                                       # the last NOTIFY

The dialog is the session's, or `Dialog.of_server(request, response)`: the subscription puts it into the core's table and takes it out.
SUBSCRIBEs that refresh or end it come to it by themselves, as the dialog's usage.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from ringback.agent.call.negotiation import put_body
from ringback.agent.errors import failure
from ringback.agent.event.event_package import ACTIVE, PENDING, Body, Standing
from ringback.agent.event.notification import TERMINATED
from ringback.agent.exchange import Exchange
from ringback.agent.inspection import Refusal
from ringback.agent.usage import leave, usages_of
from ringback.dialog.dialog import Dialog
from ringback.dialog.usage import DIALOG, TRANSACTION, effect_of
from ringback.message.errors import SipParseError
from ringback.message.fields.event import Event
from ringback.message.fields.name_addr import NameAddr
from ringback.message.message import Request, Response
from ringback.transaction.events import RequestReceived

if TYPE_CHECKING:
    from ringback.agent.core import AgentCore

# RFC 6665 §4.2.1.1: what lasts an hour or longer is never too brief.
_NEVER_TOO_BRIEF = 3600


class IncomingSubscription:
    """A peer's subscription to a state of ours."""

    __slots__ = (
        "_body",
        "_done",
        "_exchange",
        "_expires_at",
        "_held",
        "_on_end",
        "_sent",
        "_timer",
        "_unsent",
        "authorize",
        "content_types",
        "core",
        "dialog",
        "event",
        "is_complete",
        "is_notified",
        "is_over",
        "max_expires",
        "min_expires",
        "reason",
        "request",
        "state",
    )

    def __init__(
        self,
        core: AgentCore,
        dialog: Dialog,
        event: Event,
        *,
        expires: int,
        state: Standing = ACTIVE,
        content_types: tuple[str, ...] = (),
        body: Callable[[IncomingSubscription], Body | None] = lambda subscription: None,
        on_end: Callable[[IncomingSubscription], None] = lambda subscription: None,
        authorize: Callable[[Request], Standing | Refusal] = lambda request: ACTIVE,
        min_expires: int = 1,
        max_expires: int = 86_400,
        is_complete: bool = True,
        request: Request | None = None,
    ) -> None:
        """It lasts `expires` seconds unless refreshed. `body` gives the state when a refresh asks for it; `on_end` hears of the end, once.

        Nothing is sent yet. `is_complete`: a newer body replaces one that waits (RFC 6665 §5.3.1).
        """
        self.core = core
        self.dialog = dialog
        self.event = event
        self.state: str = state
        """"active", "pending" or "terminated"."""
        self.content_types = content_types
        """What the bodies may be, as the subscriber accepts them."""
        self.reason: str | None = None
        """Why it ended; None while it has not."""
        self.request = request
        """The SUBSCRIBE that began it; None where it was another request."""
        self.authorize = authorize
        self.min_expires = min_expires
        self.max_expires = max_expires
        self.is_complete = is_complete
        self.is_over = False
        self.is_notified = False
        """Whether a NOTIFY has been sent."""
        self._body = body
        self._on_end = on_end
        self._unsent: deque[tuple[str, Body | None]] = deque()
        self._sent: tuple[str, Body | None] = (state, None)
        self._held: asyncio.TimerHandle | None = None
        self._exchange: Exchange | None = None
        self._done: asyncio.Future[None] | None = None
        self._arm(expires)
        if not dialog.usages:
            core.dialogs.add(dialog)
        dialog.begin(self)

    @property
    def subscriber(self) -> NameAddr:
        """Who subscribes: the peer, as it names itself."""
        return NameAddr.parse(self.dialog.remote)

    @property
    def expires(self) -> int:
        """The seconds that it still lasts."""
        return max(0, round(self._expires_at - self.core.loop.time()))

    def last(self, seconds: int) -> None:
        """It lasts so long from now on, unless refreshed again."""
        self._timer.cancel()
        self._arm(seconds)

    def _arm(self, seconds: int) -> None:
        self._expires_at = self.core.loop.time() + seconds
        self._timer = self.core.loop.call_later(seconds, self.terminate, "timeout")

    # What goes to the subscriber.

    def notify(self, body: Body | bytes | None) -> None:
        """Sends a state, as soon as the NOTIFY before is answered. Does nothing once it is over.

        Octets are of the first of `content_types`, which must not be empty then.
        """
        if self.is_over:
            return
        if isinstance(body, bytes):
            body = Body(self.content_types[0], body)
        if self.is_complete:
            self._unsent.clear()
        self._unsent.append((self.state, body))
        self._send_next()

    def approve(self) -> None:
        """A pending subscription becomes active: the subscriber gets the state (§4.2.2)."""
        if self.state == PENDING:
            self.state = ACTIVE
            self.notify(self._body(self))

    def terminate(self, reason: str, body: Body | None = None, *, retry_after: int | None = None) -> None:
        """Ends it with a last NOTIFY (§4.2.2): "rejected", "noresource", "giveup", "probation", "deactivated", "invariant", "timeout"."""
        if self.is_over:
            return
        state = f"{TERMINATED};reason={reason}"
        if retry_after is not None:
            state += f";retry-after={retry_after}"
        if self.is_complete:
            self._unsent.clear()
        self._unsent.append((state, body))
        self._end(reason)
        self._send_next()

    def _send_next(self) -> None:
        """One NOTIFY at a time: none overtakes another."""
        if self._exchange is not None or self._held is not None or not self._unsent:
            return
        core = self.core
        state, body = self._sent = self._unsent.popleft()
        request = self.dialog.request("NOTIFY")
        headers = request.headers
        if core.software is not None:
            headers.append("User-Agent", core.software)
        headers.append("Event", self.event)
        headers.append("Subscription-State", state if state.startswith(TERMINATED) else f"{state};expires={self.expires}")
        if body is not None:
            put_body(request, body.content_type, body.octets)
        self._exchange = Exchange(core, request, self._answered, self.dialog)
        self.is_notified = True
        self._exchange.start(core.loop.time())
        core.stack.flush()

    def _answered(self, response: Response, _now: float) -> None:
        if not response.is_final:
            return
        self._exchange = None
        if response.is_success:
            try:
                self.dialog.refresh_target(response)
            except SipParseError:
                # The subscriber has it all the same.
                pass
        else:
            self._failed(response)
        self._send_next()
        self._settle()

    def _failed(self, response: Response) -> None:
        """§4.2.2: nobody is there, or nobody who knows of the subscription; other failures lose one notification."""
        effect = effect_of(response.status, "NOTIFY")
        if effect == TRANSACTION:
            self._hold(failure(response.status, response.reason, response).retry_after)
            return
        self._unsent.clear()
        self._end(f"{response.status} to our NOTIFY")
        if effect == DIALOG:
            for usage in usages_of(self.dialog):
                usage.dialog_ended(f"{response.status} to our NOTIFY")

    def _hold(self, seconds: int | None) -> None:
        """The subscriber will take this NOTIFY, or a newer one in its place, later (RFC 3261 §20.33)."""
        if seconds is None or self.is_over:
            return
        if not self._unsent or not self.is_complete:
            self._unsent.appendleft(self._sent)
        self._held = self.core.loop.call_later(seconds, self._release)

    def _release(self) -> None:
        self._held = None
        self._send_next()

    # What comes from the subscriber.

    def receive_request(self, event: RequestReceived, now: float) -> bool:
        """Takes a SUBSCRIBE that refreshes or ends this subscription; False where it is for another usage."""
        request = event.request
        if request.method != "SUBSCRIBE":
            return False
        its = request.value("Event")
        if its is None or not self.event.matches(its):
            return False
        verdict = self.authorize(request)
        if isinstance(verdict, Refusal):
            self.core.refuse(event, verdict)
            self.terminate("rejected")
            return True
        expires = self.max_expires if request.expires is None else request.expires
        refusal = too_brief(expires, self.min_expires)
        if refusal is not None:
            self.core.refuse(event, refusal)
            return True
        self.dialog.refresh_target(request)
        expires = min(expires, self.max_expires)
        accept(self.core, event, expires, self.dialog.local_tag)
        if expires == 0:
            self.terminate("timeout", self._body(self))
        else:
            self.last(expires)
            self.notify(self._body(self))
        return True

    # The end.

    def close(self) -> None:
        """The program ends: the subscriber may try again later; a task of the core's waits until it knows."""
        self.terminate("probation")
        self.core.spawn(self.done())

    async def done(self) -> None:
        """Waits until the last NOTIFY is answered, or given up."""
        if self.is_over and self._exchange is None:
            return
        if self._done is None:
            self._done = self.core.loop.create_future()
        await asyncio.shield(self._done)

    def dialog_ended(self, reason: str) -> None:
        """The dialog is gone, and the subscription with it."""
        self._unsent.clear()
        self._end(reason)

    def _end(self, reason: str) -> None:
        if self.is_over:
            return
        self.is_over = True
        self.state = TERMINATED
        self.reason = reason
        self._timer.cancel()
        if self._held is not None:
            self._held.cancel()
            self._held = None
        leave(self.core, self.dialog, self)
        self._on_end(self)
        self._settle()

    def _settle(self) -> None:
        """Tells who waits for the end, once nothing is left to be sent."""
        if self.is_over and self._exchange is None and not self._unsent and self._done is not None and not self._done.done():
            self._done.set_result(None)

    def __repr__(self) -> str:
        return f"<IncomingSubscription {self.event} {self.state} of {self.dialog.remote}>"


def too_brief(expires: int, least: int) -> Refusal | None:
    """The 423 for an interval that is too brief (§4.2.1.1); None where it is not: 0 ends or fetches, an hour is always long enough."""
    if 0 < expires < min(least, _NEVER_TOO_BRIEF):
        return Refusal(423, None, (("Min-Expires", least),))
    return None


def accept(core: AgentCore, event: RequestReceived, expires: int, tag: str) -> Response:
    """Answers a SUBSCRIBE with 200 (§4.2.1.1, §8.3.1: never 202)."""
    assert event.transaction is not None, "a SUBSCRIBE has a transaction"
    response = core.response(event.request, 200, tag=tag)
    response.headers.carry(event.request.headers, "record-route")
    response.headers.append("Contact", core.identity.contact(event.flow.endpoint))
    response.headers.append("Expires", expires)
    core.add_capabilities(response)
    core.respond(event.transaction, response)
    return response
