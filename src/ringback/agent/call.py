"""A call, whoever placed it: what both sides of it can do once it stands (RFC 3261 §13 to §15)."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from ringback.agent.errors import CallEnded, RequestFailed
from ringback.agent.interruption import Interruptible
from ringback.agent.media import Media
from ringback.agent.modification import modify
from ringback.message.fields.name_addr import NameAddr
from ringback.message.message import Request
from ringback.sdp.description import SessionDescription
from ringback.sdp.hold import is_held

if TYPE_CHECKING:
    from ringback.agent.core import AgentCore
    from ringback.agent.session import Session

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

    def __init__(self, core: AgentCore) -> None:
        self.core = core
        self.session: Session | None = None
        self.interval = core.interval
        """What is wanted of the session timer: the agent's wish, until the call is placed or answered to be changed (RFC 4028)."""
        self.reason: str | None = None
        """Why the call is over; None while it is not."""
        self.interruptible: Interruptible | None = None
        self._promises: set[asyncio.Future[Any]] = set()

    # What can be asked.

    @property
    def remote(self) -> NameAddr:
        """The other party, as From or To of the INVITE names it."""
        raise NotImplementedError

    @property
    def is_answered(self) -> bool:
        """Whether a 2xx was sent or has come, and the call is not over."""
        return self.session is not None and not self.session.dialog.is_early and not self.is_over

    @property
    def is_over(self) -> bool:
        """Whether the call has ended, or will not come about."""
        return self.reason is not None

    @property
    def is_held(self) -> bool:
        """Whether the peer has put us on hold: it wants to hear nothing from us (RFC 3264 §8.4)."""
        remote = None if self.session is None else self.session.negotiation.exchange.remote
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
        await self._turn(self._standing().negotiation.hold(), True)

    async def resume(self) -> None:
        """Takes the peer back from hold."""
        await self._turn(self._standing().negotiation.resume(), False)

    async def _turn(self, description: SessionDescription, holds: bool) -> None:
        negotiation = self._standing().negotiation
        before, negotiation.holds = negotiation.holds, holds
        try:
            await self.modify(description)
        except RequestFailed:
            negotiation.holds = before
            raise

    async def modify(self, description: SessionDescription | None, *, method: str = "INVITE") -> None:
        """Offers a new session description, by re-INVITE or `method="UPDATE"`; None asks the peer to offer one, or by UPDATE says nothing.

        UPDATE serves before the answer too, once offer and answer have passed reliably (RFC 3311 §5.1): `RuntimeError` until then.
        Raises `RequestRejected` where the peer refuses: then all stays as it was (RFC 3261 §14.1).
        """
        session = self._modifiable() if method == "UPDATE" else self._standing()
        await self.until(self.core.spawn(modify(session, description, method=method)))

    async def ended(self) -> str:
        """Waits until the call is over; gives the reason."""
        if self.reason is None:
            try:
                await self.promise()
            except CallEnded as ended:
                return ended.reason
        return self.reason or ""

    @property
    def early_sessions(self) -> list[Session]:
        """The sessions of the early dialogs."""
        return [] if self.session is None or not self.session.dialog.is_early else [self.session]

    def _modifiable(self) -> Session:
        if self.is_over or self.is_answered:
            return self._standing()
        ready = [one for one in self.early_sessions if one.negotiation.is_stable and one.negotiation.exchange.local is not None]
        if len(ready) != 1:
            raise RuntimeError("several parties have agreed" if ready else "no offer and answer have passed reliably yet")
        return ready[0]

    def _standing(self) -> Session:
        if self.is_over:
            raise CallEnded(self.reason or "")
        if self.session is None or self.session.dialog.is_early:
            raise RuntimeError("the call is not answered yet")
        return self.session

    # How it ends.

    def promise(self) -> asyncio.Future[Any]:
        """A future for a verb to wait on: it raises `CallEnded` where the call ends first. Whoever waits does so at once."""
        promise: asyncio.Future[Any] = self.core.loop.create_future()
        if self.reason is not None:
            promise.set_exception(CallEnded(self.reason))
        else:
            self._promises.add(promise)
            promise.add_done_callback(self._promises.discard)
        return promise

    async def until(self, task: asyncio.Task[T]) -> T:
        """Waits for a task; raises `CallEnded` where the call ends first, and lets the task go on."""
        promise = self.promise()

        def pass_on(done: asyncio.Task[T]) -> None:
            if not promise.done() and not done.cancelled():
                error = done.exception()
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
        self.media.close()
        for promise in list(self._promises):
            if not promise.done():
                promise.set_exception(CallEnded(reason))
        if self.interruptible is not None:
            self.interruptible.interrupt(CallEnded(reason))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        await self.hang_up()
