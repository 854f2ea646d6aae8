"""Changing a session that stands: re-INVITE and UPDATE, from both sides (RFC 3261 §14, RFC 3311, RFC 6141)."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

from ringback.agent.errors import CallEnded, failure
from ringback.agent.inspection import Refusal
from ringback.agent.negotiation import description_of, put_description
from ringback.agent.refusal import UNUSABLE, refusal_of
from ringback.dialog.glare import back_off
from ringback.message.message import Response
from ringback.sdp.description import SessionDescription
from ringback.transaction.events import RequestReceived

if TYPE_CHECKING:
    from ringback.agent.exchange import Exchange
    from ringback.agent.session import Session

_chance = secrets.SystemRandom().random


async def modify(session: Session, description: SessionDescription | None, *, method: str = "INVITE") -> None:
    """Offers a new description, by re-INVITE or UPDATE; without one a re-INVITE asks the peer to offer.

    Waits for whatever else is being negotiated, and after a 491 the time that §14.1 names. Raises `RequestRejected` where the peer does not
    want it: then everything stays as it was. `CallEnded` where the call is over by then.
    """
    if session.turn is None:
        session.turn = asyncio.Lock()
    async with session.turn:
        while True:
            # §14.1: no INVITE of ours while one of theirs is not finished.
            await session.settled()
            if session.is_over:
                raise CallEnded("the call is over")
            exchange = await _offer(session, description, method)
            response = exchange.response
            assert response is not None, "the exchange has ended"
            if response.is_success:
                return
            session.negotiation.roll_back()
            session.judge(method, exchange)
            if session.is_over:
                raise CallEnded("the call is over")
            if response.status != 491:
                raise failure(response.status, response.reason, response, fault=exchange.fault)
            await asyncio.sleep(back_off(session.dialog.owns_call_id, _chance))


async def _offer(session: Session, description: SessionDescription | None, method: str) -> Exchange:
    """Sends the request; when it returns a 2xx has been taken and acknowledged."""
    request = session.request(method)
    session.core.add_capabilities(request)
    if description is not None:
        session.negotiation.offer(description)
        put_description(request, description)
    answered: asyncio.Future[None] = session.core.loop.create_future()

    def on_response(response: Response, _now: float) -> None:
        if response.is_success:
            session.take_2xx(exchange, response)
        if response.is_final and not answered.done():
            answered.set_result(None)

    exchange = session.core.begin(request, on_response, dialog=session.dialog)
    session.exchange = exchange
    try:
        await answered
    finally:
        session.exchange = None
    return exchange


def receive_reinvite(session: Session, event: RequestReceived, _now: float) -> None:
    """§14.2: the peer offers anew, or asks us to."""
    core = session.core
    request = event.request
    if session.exchange is not None or session.negotiation.awaits_answer or session.acceptance is not None:
        core.refuse(event, Refusal(491))
        return
    if not session.negotiation.is_stable or session.dialog.is_early:
        core.refuse(event, _come_back())
        return
    response = _answer(session, event, renews=True)
    if response is not None:
        session.accept(event, response, lambda fault: None)
        session.learn(request)


def receive_update(session: Session, event: RequestReceived, _now: float) -> None:
    """RFC 3311 §5.2: the peer offers anew, also before the call is answered, or only refreshes its Contact."""
    core = session.core
    if event.request.body and session.negotiation.awaits_answer:
        core.refuse(event, Refusal(491))
        return
    if event.request.body and not session.negotiation.is_stable:
        core.refuse(event, _come_back())
        return
    response = _answer(session, event, renews=False)
    if response is not None:
        assert event.transaction is not None, "an UPDATE has a transaction"
        core.respond(event.transaction, response)
        session.learn(event.request)


def _come_back() -> Refusal:
    """§14.2, RFC 3311 §5.2: 500 with a random wish of up to ten seconds."""
    return Refusal(500, None, (("Retry-After", int(11 * _chance())),))


def _answer(session: Session, event: RequestReceived, *, renews: bool) -> Response | None:
    """The 2xx to a target refresh request, with the answer to its offer or, where `renews`, an offer of ours; None where it was refused."""
    core = session.core
    request = event.request
    negotiation = session.negotiation
    response = core.response(request, 200)
    response.headers.append("Contact", core.identity.contact(event.flow.endpoint))
    core.add_capabilities(response)
    try:
        octets = description_of(request)
        if octets is not None:
            negotiation.receive(octets)
            put_description(response, negotiation.answer())
        elif renews:
            put_description(response, negotiation.offer())
        session.dialog.refresh_target(request)
    except UNUSABLE as error:
        negotiation.roll_back()
        core.refuse(event, refusal_of(error, core))
        return None
    assert event.transaction is not None, "only an ACK has no transaction"
    return response
