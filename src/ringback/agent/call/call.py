"""A call, whoever placed it: what both sides of it can do once it stands (RFC 3261 §13 to §15)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from ringback.agent.call.digits import Digits
from ringback.agent.call.dtmf_info import RELAY
from ringback.agent.call.info import send_digits, send_info
from ringback.agent.call.interruption import Interruptible
from ringback.agent.call.media import Media
from ringback.agent.call.modification import modify
from ringback.agent.call.negotiation import Negotiation
from ringback.agent.capabilities import Features, feature_params
from ringback.agent.errors import CallEnded, RequestFailed
from ringback.agent.generic_request import send_request_within
from ringback.agent.instant_message import send_message_within
from ringback.agent.transfer.refer import DEFAULT_PATIENCE, OnProgress
from ringback.agent.transfer.sipfrag import StatusLine
from ringback.message.fields.name_addr import NameAddr
from ringback.message.fields.privacy import Privacy
from ringback.message.fields.reason import Reason
from ringback.message.message import Request, Response
from ringback.sdp.description import SessionDescription
from ringback.sdp.hold import is_held

if TYPE_CHECKING:
    from ringback.agent.call.outgoing_call import OutgoingCall
    from ringback.agent.call.session import Session
    from ringback.agent.core import AgentCore
    from ringback.agent.transfer.referral import OnRefer

T = TypeVar("T")


class Call:
    """What an `IncomingCall` and an `OutgoingCall` share.

    Verbs that wait raise `CallEnded` when the call ends under them. As a context manager a call is hung up at the end of the block.
    """

    media: Media
    """The call's media; what they are is the user agent's `media` factory's affair."""
    request: Request
    """The INVITE."""
    replaces: Call | None = None
    """The call of ours that this one takes the place of: it is hung up when this one is answered (RFC 3891)."""
    joins: Call | None = None
    """The call of ours whose conversation this one wants to join (RFC 3911)."""
    on_transfer: OnRefer | None = None
    """The program's way with a REFER of this call's peer; the user agent's where None."""
    transferred: OutgoingCall | None = None
    """The call to which the peer has sent us, once we follow."""
    was_referred: bool = False
    """Whether a REFER of the peer's was accepted within this call: the notifications of the next one bear its number."""

    privacy: Privacy | None = None
    """What we ask to be hidden of us in this call; None where that is nothing (RFC 3323)."""
    anonymous_contact: str | None = None
    """Our Contact in a call in which nobody shall know us."""
    contact_params: str = ""
    """What stands behind our Contact in this call: `show_features`."""
    asserted_identity: NameAddr | None = None
    """Who the other party is by the word of a trusted peer (RFC 3325); None where none has said it."""
    end_reasons: tuple[Reason, ...] = ()
    """Why the other party has ended the call, or given it up, where it says so (RFC 3326)."""
    _digits: Digits | None = None

    def __init__(self, core: AgentCore) -> None:
        self.core = core
        self.session: Session | None = None
        self.interval = core.interval
        """What is wanted of the session timer: the agent's wish, until the call is placed or answered to be changed (RFC 4028)."""
        self.reason: str | None = None
        """Why the call is over; None while it is not."""
        self.interruptible: Interruptible | None = None
        self._last_negotiation: Negotiation | None = None
        self._promises: list[asyncio.Future[Any]] = []
        self._listeners: list[asyncio.Future[None]] = []

    # What can be asked.

    @property
    def has_media(self) -> bool:
        """Whether there is `media` yet: a call that is given up before it is placed never has any."""
        return "media" in self.__dict__

    @property
    def remote(self) -> NameAddr:
        """The other party, as From or To of the INVITE names it."""
        raise TypeError("a Call is an IncomingCall or an OutgoingCall")

    @property
    def is_answered(self) -> bool:
        """Whether a 2xx was sent or has come, and the call is not over."""
        return self.session is not None and not self.session.dialog.is_early and not self.is_over

    @property
    def is_over(self) -> bool:
        """Whether the call has ended, or will not come about."""
        return self.reason is not None

    @property
    def negotiation(self) -> Negotiation | None:
        """The offers and answers of the session, after its end too; None before there was one."""
        return self._last_negotiation if self.session is None else self.session.negotiation

    @property
    def is_held(self) -> bool:
        """Whether the peer has put us on hold: it wants to hear nothing from us (RFC 3264 §8.4)."""
        remote = None if self.negotiation is None else self.negotiation.exchange.remote
        return remote is not None and is_held(remote)

    # What can be done.

    async def hang_up(self, reason: str | None = None) -> None:
        """Ends the call: BYE where it was answered, CANCEL or a refusal before; nothing where it is over.

        `reason` is a Reason value (RFC 3326) for the peer: `SIP;cause=200;text="Call completed elsewhere"`.
        """
        if self.session is not None and not self.is_over:
            await self.session.hang_up(reason)

    async def hold(self) -> None:
        """Puts the peer on hold, by a re-INVITE (RFC 3264 §8.4). Raises `RequestRejected` where the peer will not have it."""
        await self._turn(self.standing().negotiation.hold, True)

    async def resume(self) -> None:
        """Takes the peer back from hold."""
        await self._turn(self.standing().negotiation.resume, False)

    async def _turn(self, offer: Callable[[], SessionDescription], holds: bool) -> None:
        session = self.standing()
        negotiation = session.negotiation
        before, negotiation.holds = negotiation.holds, holds
        try:
            await self.until(self.core.spawn(modify(session, offer)))
        except (RequestFailed, ValueError):
            negotiation.holds = before
            raise

    async def modify(self, description: SessionDescription | None, *, method: str = "INVITE") -> None:
        """Offers a new session description, by re-INVITE or `method="UPDATE"`; None asks the peer to offer one, or by UPDATE says nothing.

        UPDATE serves before the answer too, once offer and answer have passed reliably (RFC 3311 §5.1): `RuntimeError` until then.
        Raises `RequestRejected` where the peer refuses: then all stays as it was (RFC 3261 §14.1).
        """
        session = self._modifiable() if method == "UPDATE" else self.standing()
        await self.until(self.core.spawn(modify(session, description, method=method)))

    async def transfer(
        self,
        target: str | Call,
        *,
        reports: bool = True,
        patience: float = DEFAULT_PATIENCE,
        on_progress: OnProgress | None = None,
    ) -> StatusLine:
        """Sends the peer to a URI, or brings it together with the peer of another call of ours (RFC 5589); hold it first if it shall wait.

        Returns when the peer says that it got there; then this call, and the other one, are hung up. `TransferFailed` says why it did not:
        then all stands as before. `reports=False` does not wait for that, and hangs up as soon as the peer is willing. `patience` is how
        many seconds are waited; `on_progress` hears how far it has come.
        """
        # Here, since what transfers knows both kinds of calls.
        from ringback.agent.transfer.transfer import transfer_attended, transfer_blind

        if isinstance(target, Call):
            return await transfer_attended(self, target, patience=patience, on_progress=on_progress)
        return await transfer_blind(self, target, reports=reports, patience=patience, on_progress=on_progress)

    def show_features(self, features: Features) -> None:
        """Shows the peer feature tags of ours, `{"isfocus": None}`, in each Contact of this call from now on (RFC 3840 §7).

        An INVITE not placed yet has them, the answer, and `modify`; nothing of an anonymous call. ValueError where a tag is malformed.
        """
        self.contact_params = feature_params(features)

    async def message(
        self, content: str | bytes, content_type: str | None = None, *, headers: Iterable[tuple[str, object]] = ()
    ) -> Response:
        """Sends an instant message within the call (RFC 3428): text, or octets and their type. As `UserAgent.message`."""
        return await self.until(self.core.spawn(send_message_within(self._begun(), content, content_type, headers)))

    async def send_request(
        self, method: str, *, headers: Iterable[tuple[str, object]] = (), body: bytes = b"", content_type: str | None = None
    ) -> Response:
        """Sends a request of any method within the call; gives its final response, whatever the status. As `UserAgent.request`."""
        return await self.until(self.core.spawn(send_request_within(self._begun(), method, headers, body, content_type)))

    async def send_info(
        self,
        package: str | None,
        body: bytes = b"",
        content_type: str | None = None,
        *,
        headers: Iterable[tuple[str, object]] = (),
    ) -> Response:
        """Sends an INFO of an info package that the peer takes (RFC 6086); without a package it is as in old times.

        Gives the 2xx. Raises `RequestRejected`, with 469 and nothing sent where the peer does not take the package.
        """
        return await self.until(self.core.spawn(send_info(self._begun(), package, body, content_type, headers)))

    async def send_digits(self, digits: str, *, duration: int = 160, content_type: str = RELAY) -> None:
        """Presses 0 to 9, `*`, `#` and A to D, each for so many milliseconds, by INFO; `application/dtmf` is the other type for that.

        Raises `RequestRejected` where the peer does not take one, ValueError where one is no digit; blanks and hyphens are passed over.
        """
        await self.until(self.core.spawn(send_digits(self._begun(), digits, duration, content_type)))

    def digits(self) -> Digits:
        """The digits that the peer presses: `async for digit in call.digits()`, until the call's end raises `CallEnded`."""
        if self._digits is None:
            self._digits = Digits(self)
        return self._digits

    async def read_digit(self, *, timeout: float | None = None) -> str | None:  # noqa: ASYNC109 - silence is an answer here, no error
        """The next digit that the peer presses, 0 to 9, `*`, `#`, A to D, or `!` for the hook flash.

        None where none comes within `timeout` seconds; `CallEnded` where the call ends first.
        """
        return await self.digits().read(timeout)

    def take_digit(self, digit: str) -> None:
        """A digit has come, by INFO or in the media."""
        self.digits().put(digit)

    async def ended(self) -> str:
        """Waits until the call is over; gives the reason."""
        if self.reason is None:
            over = self.core.loop.create_future()
            self._listeners.append(over)
            if self.interruptible is None or not self.interruptible.is_current():
                await over
            else:
                # The call's own coroutine is told, not interrupted.
                self.interruptible.is_patient = True
                try:
                    await over
                finally:
                    self.interruptible.is_patient = False
        return self.reason or ""

    @property
    def early_sessions(self) -> list[Session]:
        """The sessions of the early dialogs."""
        return [] if self.session is None or not self.session.dialog.is_early else [self.session]

    def _modifiable(self) -> Session:
        if self.is_over or self.is_answered:
            return self.standing()
        ready = [one for one in self.early_sessions if one.negotiation.is_stable and one.negotiation.exchange.local is not None]
        if len(ready) != 1:
            raise RuntimeError("several parties have agreed" if ready else "no offer and answer have passed reliably yet")
        return ready[0]

    def standing(self) -> Session:
        """The session of a call that was answered; `CallEnded` where it is over, RuntimeError where it was not answered."""
        if self.is_over:
            raise CallEnded(self.reason or "")
        if self.session is None or self.session.dialog.is_early:
            raise RuntimeError("the call is not answered yet")
        return self.session

    def _begun(self) -> Session:
        """The session, also of a call that is not answered yet; RuntimeError where there is none, `CallEnded` where it is over."""
        if self.is_over or self.session is None:
            return self.standing()
        return self.session

    # How it ends.

    def promise(self) -> asyncio.Future[Any]:
        """A future for a verb to wait on: it raises `CallEnded` where the call ends first. Whoever waits does so at once."""
        promise: asyncio.Future[Any] = self.core.loop.create_future()
        if self.reason is not None:
            promise.set_exception(CallEnded(self.reason))
        else:
            self._promises = [one for one in self._promises if not one.done()]
            self._promises.append(promise)
        return promise

    async def until(self, task: asyncio.Task[T]) -> T:
        """Waits for a task; raises `CallEnded` where the call ends first, and lets the task go on."""
        promise = self.promise()

        def pass_on(done: asyncio.Task[T]) -> None:
            # Asked for even where nobody waits any more: what a task fails with is then known, and not reported as lost.
            error = None if done.cancelled() else done.exception()
            if not promise.done() and not done.cancelled():
                if error is None:
                    promise.set_result(done.result())
                else:
                    promise.set_exception(error)

        task.add_done_callback(pass_on)
        result: T = await promise
        return result

    def session_ended(self, session: Session, reason: str) -> None:
        """Hears from a session of this call that it is over."""
        if session is self.session:
            self.end(reason)

    def end(self, reason: str) -> None:
        """The call is over: whoever waits on it is told."""
        if self.reason is not None:
            return
        self.reason = reason
        if self.has_media:
            self.media.close()
        for promise in self._promises:
            if not promise.done():
                promise.set_exception(CallEnded(reason))
        for listener in self._listeners:
            if not listener.done():
                listener.set_result(None)
        if self.interruptible is not None:
            self.interruptible.interrupt(CallEnded(reason))
        # Call and session know each other: parted, both are freed at once, and the garbage collector never sees them.
        if self.session is not None:
            self._last_negotiation = self.session.negotiation
            self.session = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        await self.hang_up()
