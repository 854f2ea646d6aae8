"""Changing a session that stands: re-INVITE and UPDATE, from both sides (RFC 3261 §14, RFC 3311, RFC 6141)."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from ringback.agent.call.negotiation import description_of, put_description
from ringback.agent.call.prack import is_reliable, is_settled, receive_reliable
from ringback.agent.call.reliable import TAG as RELIABLE
from ringback.agent.call.session_timer import agree, ask_again, raise_minimum, shortness
from ringback.agent.errors import CallEnded, RequestFailed, failure
from ringback.agent.inspection import Refusal
from ringback.agent.refusal import UNUSABLE, refusal_of
from ringback.dialog.glare import back_off
from ringback.message.errors import SipParseError
from ringback.message.message import Response
from ringback.sdp.description import SessionDescription
from ringback.transaction.events import RequestReceived

if TYPE_CHECKING:
    from ringback.agent.call.session import Session
    from ringback.agent.exchange import Exchange

_chance = secrets.SystemRandom().random


# In units of T1. A choice: for so long a peer may say that it is not the moment before that is taken for a no; twice as long as an INVITE
# of its own may take that nobody answers.
_PATIENCE = 128

# §14.2: nobody asks for more seconds than ten while an offer of its own is open; who does means something else.
_LONGEST_WISH = 10


Wanted = SessionDescription | Callable[[], SessionDescription] | None
"""A description to be offered, or what makes it when its turn has come; None for no offer."""


async def modify(session: Session, wanted: Wanted, *, method: str = "INVITE") -> None:
    """Offers a new description, by re-INVITE or UPDATE; without one a re-INVITE asks the peer to offer, and an UPDATE only refreshes.

    The version in its o= line is seen to. Waits for whatever else is being negotiated, after a 491 the time that §14.1 names, after a 500
    the time it asks for. Raises `RequestRejected` where the peer does not want it: then everything stays as it was. `CallEnded` where the
    call is over by then; `ValueError` where the description may not follow the one in force.
    """
    if session.turn is None:
        session.turn = asyncio.Lock()
    async with session.turn:
        core = session.core
        patience = core.loop.time() + _PATIENCE * core.timers.t1
        while True:
            await _when_free(session)
            if session.is_over:
                raise CallEnded("the call is over")
            before = session.negotiation.exchange.local
            exchange = await _offer(session, wanted() if callable(wanted) else wanted, method)
            response = exchange.response
            assert response is not None, "the exchange has ended"
            if session.has_ended():
                raise CallEnded("the call is over")
            if response.is_success:
                return
            session.judge(method, exchange)
            if session.has_ended():
                raise CallEnded("the call is over")
            if core.loop.time() < patience and raise_minimum(session, response):
                continue
            if is_settled(session, exchange.cseq) and before is not None:
                # RFC 6141 §3.4: what was agreed upon before the refusal is taken back, so that both know where they are.
                await _offer(session, before, method)
            error = failure(response.status, response.reason, response, fault=exchange.fault)
            wait = _wait_after(session, error)
            if wait is None or core.loop.time() + wait > patience:
                raise error
            await asyncio.sleep(wait)


async def _when_free(session: Session) -> None:
    """Waits until nothing is under way that must be finished first; what begins during one wait is waited for as well."""
    while True:
        if session.acceptances:
            # §14.1: no INVITE of ours while one of theirs is not finished.
            await session.settled()
        elif session.provisionals is not None and session.provisionals.outstanding is not None:
            await session.provisionals.settled()
        elif session.receipt is not None and session.receipt.pending:
            await session.receipt.acknowledged()
        else:
            return


def _wait_after(session: Session, error: RequestFailed) -> float | None:
    """How long to wait before the next attempt: after a 491 (§14.1), or a 500 that says when (§14.2); None where there is to be none."""
    if error.status == 491:
        return back_off(session.dialog.owns_call_id, _chance)
    wish = error.retry_after if error.status == 500 else None
    return wish if wish is not None and wish <= _LONGEST_WISH else None


async def _offer(session: Session, description: SessionDescription | None, method: str) -> Exchange:
    """Sends the request; when it returns a 2xx has been taken and acknowledged, and the session ended where that was no good."""
    negotiation = session.negotiation
    if description is not None:
        # What the peer refused has used up its version, and what it changed meanwhile another one (RFC 3264 §8).
        description = negotiation.offer(negotiation.exchange.next_edition(description))
    request = session.request(method)
    session.core.add_capabilities(request)
    session.core.info_packages.put(request)
    required = _required(session, method)
    if required:
        request.headers.append("Require", ", ".join(required))
    ask_again(session, request)
    if description is not None:
        put_description(request, description)
    answered: asyncio.Future[None] = session.core.loop.create_future()

    def on_response(response: Response, _now: float) -> None:
        if response.is_provisional:
            _take_provisional(session, exchange, response)
            return
        # All at once: what the peer sends next is already in the same batch.
        fault = session.take_2xx(exchange, response) if response.is_success else None
        if fault is not None and not session.is_over:
            session.send_bye()
            session.end(fault)
        if not response.is_success and description is not None:
            negotiation.roll_back()
        session.exchange = None
        if not answered.done():
            answered.set_result(None)

    exchange = session.core.begin(request, on_response, dialog=session.dialog, contact_params=session.call.contact_params)
    session.exchange = exchange if exchange.response is None else None
    await answered
    return exchange


def _required(session: Session, method: str) -> list[str]:
    """What our INVITE required is required again (RFC 4028 §7.4); reliable provisional responses of INVITEs alone (RFC 3262 §4)."""
    invite = session.call.request
    if not session.dialog.owns_call_id or "require" not in invite.headers.keys:
        return []
    return [tag for tag in invite.require if method == "INVITE" or tag != RELIABLE]


def _take_provisional(session: Session, exchange: Exchange, response: Response) -> None:
    try:
        if is_reliable(response):
            receive_reliable(session, exchange, response)
    except SipParseError:
        # What is malformed, or has no number, cannot be acknowledged; its sender will notice.
        return


def receive_reinvite(session: Session, event: RequestReceived, _now: float) -> None:
    """§14.2: the peer offers anew, or asks us to."""
    core = session.core
    dialog = session.dialog
    is_inviting = session.exchange is not None and session.exchange.request.method == "INVITE"
    if is_inviting or session.negotiation.awaits_answer or (dialog.is_early and dialog.owns_call_id):
        core.refuse(event, Refusal(491))
        return
    if not session.negotiation.is_stable or dialog.is_early:
        core.refuse(event, _come_back())
        return
    # A 2xx of ours whose ACK has not come is no hindrance where it had the answer: the peer has it, else it would not go on.
    response = _answer(session, event, renews=True)
    if response is not None:
        session.accept(event, response, lambda fault: None)


def receive_update(session: Session, event: RequestReceived, _now: float) -> None:
    """RFC 3311 §5.2: the peer offers anew, also before the call is answered, or only refreshes its Contact."""
    core = session.core
    if event.request.body and _is_offering(session):
        core.refuse(event, Refusal(491))
        return
    if event.request.body and _is_answering(session):
        core.refuse(event, _come_back())
        return
    response = _answer(session, event, renews=False)
    if response is not None:
        assert event.transaction is not None, "an UPDATE has a transaction"
        core.respond(event.transaction, response)


def _is_offering(session: Session) -> bool:
    """Whether an offer of ours is open, or a PRACK of ours that completes an exchange (RFC 6337 §4.3)."""
    return session.negotiation.awaits_answer or (session.receipt is not None and session.receipt.pending > 0)


def _is_answering(session: Session) -> bool:
    """Whether an offer of theirs is open, or our answer in a provisional response is not acknowledged (RFC 6337 §4.3)."""
    if not session.negotiation.is_stable:
        return True
    outstanding = None if session.provisionals is None else session.provisionals.outstanding
    return outstanding is not None and bool(outstanding.body)


def _come_back() -> Refusal:
    """§14.2, RFC 3311 §5.2: 500 with a random wish of up to ten seconds."""
    return Refusal(500, None, (("Retry-After", int(11 * _chance())),))


def _answer(session: Session, event: RequestReceived, *, renews: bool) -> Response | None:
    """The 2xx to a target refresh request, with the answer to its offer or, where `renews`, an offer of ours; None where it was refused."""
    core = session.core
    request = event.request
    negotiation = session.negotiation
    too_short = shortness(request, session.call.interval)
    if too_short is not None:
        core.refuse(event, too_short)
        return None
    former_target, former_packages = session.dialog.remote_target, session.peer_info_packages
    response = core.response(request, 200)
    response.headers.append("Contact", session.contact(event.flow))
    core.add_capabilities(response)
    core.info_packages.put_back(request, response)
    try:
        session.learn(request)
        session.dialog.refresh_target(request)
        octets = description_of(request)
        if octets is not None:
            negotiation.receive(octets)
            put_description(response, negotiation.answer())
        elif renews:
            put_description(response, negotiation.offer())
    except UNUSABLE as error:
        negotiation.roll_back()
        # RFC 6141 §4.6: a request that is refused moves nobody; RFC 6086 §5.2.4: nor does it change what the peer takes.
        session.dialog.remote_target, session.peer_info_packages = former_target, former_packages
        core.refuse(event, refusal_of(error, core))
        return None
    assert event.transaction is not None, "only an ACK has no transaction"
    if not session.dialog.is_early:
        agree(session, request, response)
    return response
