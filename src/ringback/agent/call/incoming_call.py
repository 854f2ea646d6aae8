"""A call that comes in: rung, answered, declined or sent elsewhere (RFC 3261 §13.3, §9.2)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ringback.agent.agenda import Alarm
from ringback.agent.call.asserted_identity import asserted_identities
from ringback.agent.call.call import Call
from ringback.agent.call.media import Media
from ringback.agent.call.negotiation import Negotiation, description_of, put_description
from ringback.agent.call.reason import allowed_in_refusal, in_words, reasons_of
from ringback.agent.call.reliable import REMINDER, ReliableResponses, Remnant, is_required_by, is_understood_by
from ringback.agent.call.replaces import replace
from ringback.agent.call.session import Session
from ringback.agent.call.session_timer import agree
from ringback.agent.errors import CallEnded
from ringback.agent.identity import wants_sips
from ringback.agent.inspection import Refusal
from ringback.agent.refusal import UNUSABLE, refusal_of
from ringback.dialog.dialog import Dialog
from ringback.message.fields.name_addr import NameAddr
from ringback.message.message import Response
from ringback.message.uri import parse_uri
from ringback.transaction.events import Event, RequestReceived

if TYPE_CHECKING:
    from ringback.agent.core import AgentCore

# §13.3.1.1: a provisional response at least every minute, lest a proxy give the call up.
_REMINDER = 60.0


class Finished:
    """The user of an INVITE's transaction after its final response: all of a call that the transaction keeps for its last 32 s."""

    __slots__ = ("local_tag",)

    def __init__(self, local_tag: str) -> None:
        self.local_tag = local_tag

    def cancelled(self, _event: RequestReceived, _now: float) -> None:
        """§9.2: too late, nothing happens."""

    def receive(self, event: Event, now: float) -> None:
        """An ACK that never came, a transport that failed: whoever answered hears of it elsewhere."""


class IncomingCall(Call):
    """An INVITE of somebody else's. What is not answered when the program is done with it is declined."""

    def __init__(self, core: AgentCore, event: RequestReceived, media: Media) -> None:
        """Raises one of `refusal.UNUSABLE` where the INVITE's body or Contact is no good; then nothing was changed."""
        super().__init__(core)
        self.request = event.request
        self.media = media
        self.addressee: NameAddr = event.request.to
        """Whom the caller meant: To of the INVITE."""
        self.local_tag = core.token()
        self._event = event
        is_secure = wants_sips(event.request, "record-route", "contact")
        self._contact = core.identity.contact(event.flow.endpoint, is_secure=is_secure)
        assert event.transaction is not None, "an INVITE has a transaction"
        self._transaction = event.transaction
        self._negotiation = Negotiation(media)
        self._is_final = False
        self._alarm: asyncio.TimerHandle | None = None
        self._last: Response | None = None
        self._repeats: Alarm | asyncio.TimerHandle | None = None
        octets = description_of(event.request)
        if octets is not None:
            self._negotiation.receive(octets)
        expires = event.request.expires
        if expires is not None:
            # §13.3.1 step 1.
            self._alarm = core.loop.call_later(expires, self._expired)
        self._transaction.user = self
        self.asserted_identity = next(iter(asserted_identities(core, event.request, event.flow)), None)

    @property
    def remote(self) -> NameAddr:
        """The caller: From of the INVITE."""
        return self.request.from_

    @property
    def is_declined(self) -> bool:
        """Whether a final response other than 2xx was sent."""
        return self._is_final and not self.is_answered

    # What the callee does.

    async def ring(self, status: int = 180, reason: str | None = None, *, reliable: bool = False) -> None:
        """Says that somebody is being alerted: 180 Ringing, or another 1xx. It is said again every minute (§13.3.1.1).

        With `reliable` it is repeated until the caller acknowledges it, and this returns then: where the caller knows of it, and always
        where it insists (RFC 3262). Where no PRACK comes within 32 s the call is refused: `CallEnded`.
        """
        self._check_provisional(status)
        try:
            if is_required_by(self.request) or (reliable and is_understood_by(self.request)):
                await self._provide(status, reason)
            else:
                self._provisional(self._response(status, reason))
        except UNUSABLE as error:
            raise self._unusable(error) from error

    async def progress(self, status: int = 183, reason: str | None = None, *, reliable: bool = True) -> Media:
        """Begins the media before the call is answered: 183 Session Progress with our answer, or our offer where the INVITE had none.

        It is reliable where the caller knows of that, or insists. Else the answer is said again in the 200, and where the INVITE had no
        offer the 183 has no description either: there is no early media with such a caller. Gives the media. Where nothing in the offer
        can be done the call is refused with 488: `CallEnded`.
        """
        self._check_provisional(status)
        try:
            if is_required_by(self.request) or (reliable and is_understood_by(self.request)):
                await self._provide(status, reason, describes=True)
            else:
                response = self._response(status, reason)
                if not self._negotiation.is_stable:
                    put_description(response, self._negotiation.propose())
                self._provisional(response)
        except UNUSABLE as error:
            raise self._unusable(error) from error
        return self.media

    async def answer(self) -> Media:
        """Answers: 200 with our answer (or offer, where the INVITE had none). Returns the media when the ACK has come.

        Where nothing in the offer can be done the call is refused with 488, and where no ACK comes within 32 s it is hung up: `CallEnded`.
        """
        self._check_open()
        await self._ready_to_accept()
        response = self._response(200)
        self.core.add_capabilities(response)
        self.core.info_packages.put_back(self.request, response)
        try:
            self._describe(response)
            self._establish(response)
        except UNUSABLE as error:
            raise self._unusable(error) from error
        session = self.session
        assert session is not None, "the dialog was established"
        agree(session, self.request, response)
        session.dialog.confirm(response)
        settled = self.promise()

        def on_settled(fault: str | None) -> None:
            if fault is None and self.replaces is not None:
                replace(self.replaces)
            if fault is None and not settled.done():
                settled.set_result(None)

        self._finish()
        session.accept(self._event, response, on_settled)
        await settled
        return self.media

    async def decline(self, status: int = 603, reason: str | None = None, *, headers: Iterable[tuple[str, object]] = ()) -> None:
        """Refuses the call: 603 Decline, 486 Busy Here, 480 Temporarily Unavailable, or what else of 400 to 699 says why (§13.3.1.3).

        `reason` is the reason phrase unless it is the RFC's own; `headers` go along: Retry-After, a Reason of Q.850 (RFC 6432).
        """
        if not 400 <= status <= 699:
            raise ValueError(f"no refusal: {status}")
        if not self._is_final:
            self._refuse(Refusal(status, reason, tuple(headers)), f"we declined with {status}")

    async def redirect(self, *uris: str, status: int = 302) -> None:
        """Sends the caller elsewhere (§13.3.1.2): the URIs, the best first; `SipParseError` where one is none."""
        if not 300 <= status <= 399:
            raise ValueError(f"no redirection: {status}")
        if not uris:
            raise ValueError("a redirection says where to go")
        for uri in uris:
            parse_uri(uri)
        if not self._is_final:
            contacts = tuple(("Contact", f"<{uri}>") for uri in uris)
            self._refuse(Refusal(status, None, contacts), f"we redirected to {', '.join(uris)}")

    async def hang_up(self, reason: str | None = None) -> None:
        """Ends the call: BYE where it was answered, else 603."""
        if self._is_final:
            await super().hang_up(reason)
        else:
            await self.decline(headers=allowed_in_refusal(reason))

    # How that is said.

    def _check_provisional(self, status: int) -> None:
        if not 101 <= status <= 199:
            raise ValueError(f"no provisional response that begins a dialog: {status}")
        self._check_open()

    def _unusable(self, error: Exception) -> CallEnded:
        """Refuses the call because of one of `UNUSABLE`; gives what its coroutine is told."""
        self._refuse(refusal_of(error, self.core))
        return CallEnded(f"refused: {error}")

    def _check_open(self) -> None:
        if self.is_over:
            raise CallEnded(self.reason or "")
        if self._is_final:
            raise RuntimeError("the call has its final response")

    def _response(self, status: int, reason: str | None = None) -> Response:
        response = self.core.response(self.request, status, reason, tag=self.local_tag)
        response.headers.carry(self.request.headers, "record-route")
        response.headers.append("Contact", self._contact + self.contact_params)
        return response

    def _describe(self, response: Response) -> None:
        """Our answer, or our offer where the INVITE had none; nothing where both have passed reliably before (RFC 3262 §5)."""
        negotiation = self._negotiation
        if not negotiation.is_stable:
            put_description(response, negotiation.answer())
        elif negotiation.exchange.local is None:
            put_description(response, negotiation.offer())

    async def _provide(self, status: int, reason: str | None, *, describes: bool = False) -> None:
        """Sends a provisional response reliably, after the PRACK of the one before; returns when its own has come (RFC 3262 §3)."""
        if self.session is not None and self.session.provisionals is not None:
            await self.session.provisionals.settled()
            self._check_open()
        response = self._response(status, reason)
        # RFC 3311 §4: whoever is to know that UPDATE may be sent before the answer.
        self.core.add_capabilities(response)
        self.core.info_packages.put_back(self.request, response)
        self._establish(response)
        session = self.session
        assert session is not None, "the dialog was established"
        if session.provisionals is None:
            session.provisionals = ReliableResponses(self.core, self._transaction, self.promise, self._refuse)
        # RFC 3262 §5: the first one has the offer that the INVITE has not.
        if describes or (self._negotiation.is_stable and self._negotiation.exchange.local is None):
            self._describe(response)
        self._stop_repeating()
        session.provisionals.send(response)
        self._repeats = self.core.loop.call_later(REMINDER, self._remind_reliably, status, reason)
        await session.provisionals.settled()

    def _remind_reliably(self, status: int, reason: str | None) -> None:
        self.core.spawn(self._provide_again(status, reason))

    async def _provide_again(self, status: int, reason: str | None) -> None:
        with contextlib.suppress(CallEnded):
            await self._provide(status, reason)

    async def _ready_to_accept(self) -> None:
        """Waits while a description of ours is unacknowledged or an offer within the early dialog is open (RFC 3262 §3, §5)."""
        session = self.session
        if session is None:
            return
        if session.provisionals is not None:
            await session.provisionals.described()
        if session.turn is not None:
            async with session.turn:
                pass
        self._check_open()

    def _establish(self, response: Response) -> None:
        """The dialog, with the first response that has a To tag (§12.1.1)."""
        if self.session is None:
            dialog = Dialog.of_server(self.request, response)
            self.session = Session(self.core, self, dialog, self._negotiation)
            self.session.learn(self.request)

    def _provisional(self, response: Response) -> None:
        self._establish(response)
        self._last = response
        self._stop_repeating()
        self._repeats = self.core.after(_REMINDER, self._remind)
        self.core.respond(self._transaction, response)

    def _remind(self) -> None:
        if self._last is not None:
            self._provisional(self._last)

    def _refuse(self, refusal: Refusal, why: str | None = None) -> None:
        """Sends a final response other than 2xx; the early dialog ends with it. One that cannot be written raises and changes nothing."""
        response = self.core.refusal(self.request, refusal, tag=self.local_tag)
        self._finish()
        self.core.respond(self._transaction, response)
        session = self.session
        self._over(why or f"we refused with {refusal.status}")
        if session is not None and session.provisionals is not None and session.provisionals.outstanding is not None:
            Remnant(self.core, session.dialog, session.provisionals)

    def _finish(self) -> None:
        self._is_final = True
        self._transaction.user = Finished(self.local_tag)
        self._stop_repeating()
        if self.session is not None and self.session.provisionals is not None:
            self.session.provisionals.stop()
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _stop_repeating(self) -> None:
        if self._repeats is not None:
            self._repeats.cancel()
            self._repeats = None

    def _over(self, reason: str) -> None:
        if self.session is not None:
            self.session.end(reason)
        self.end(reason)

    # What happens to it.

    def cancelled(self, event: RequestReceived, _now: float) -> None:
        """§9.2: the caller has given up; nothing happens where the final response is out."""
        if not self._is_final:
            self.end_reasons = reasons_of(event.request)
            self._refuse(Refusal(487), in_words("the caller cancelled", self.end_reasons))

    def session_ended(self, session: Session, reason: str) -> None:
        """§15.1.2: a BYE for the early dialog ends the INVITE as well, with 487."""
        if not self._is_final:
            self._finish()
            self.core.refuse(self._event, Refusal(487), tag=self.local_tag)
        super().session_ended(session, reason)

    def _expired(self) -> None:
        self._alarm = None
        if not self._is_final:
            self._refuse(Refusal(487, "Request Expired"), "the invitation expired")

    def receive(self, event: Event, now: float) -> None:
        """Takes what befalls the INVITE's transaction: a transport that failed."""
        self._finish()
        self._over("the caller cannot be reached")
