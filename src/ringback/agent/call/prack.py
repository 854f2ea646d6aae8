"""Reliable provisional responses as the caller takes and acknowledges them (RFC 3262 §4, §5)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from ringback.agent.call.negotiation import description_of, put_description
from ringback.agent.call.reliable import TAG
from ringback.agent.refusal import UNUSABLE
from ringback.message.errors import SipParseError
from ringback.message.message import Request, Response
from ringback.sdp.description import SessionDescription

if TYPE_CHECKING:
    from ringback.agent.call.session import Session
    from ringback.agent.exchange import Exchange

Reoffer = Callable[[SessionDescription], SessionDescription | None]
"""Given the callee's answer in a reliable provisional response, the offer that its PRACK shall carry, or None (RFC 3262 §5)."""


class Receipt:
    """What was received reliably of one INVITE within one dialog: the latest number, and whether offer and answer have passed."""

    __slots__ = ("_waiting", "cseq", "is_settled", "number", "pending")

    def __init__(self, cseq: int, number: int) -> None:
        self.cseq = cseq
        self.number = number
        self.is_settled = False
        self.pending = 0
        """PRACKs whose responses have not come."""
        self._waiting: list[asyncio.Future[None]] = []

    async def acknowledged(self) -> None:
        """Waits for the responses to our PRACKs: before that no UPDATE may offer anything (RFC 6337 §4.3)."""
        if self.pending:
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(waiting)
            await waiting

    def answered(self) -> None:
        """A PRACK has its final response, or will never have one."""
        self.pending -= 1
        if self.pending == 0:
            waiting, self._waiting = self._waiting, []
            for one in waiting:
                if not one.done():
                    one.set_result(None)


def is_reliable(response: Response) -> bool:
    """Whether a provisional response wants a PRACK (§4)."""
    return response.status > 100 and "require" in response.headers.keys and TAG in response.require


def is_settled(session: Session, cseq: int) -> bool:
    """Whether the INVITE of this number has had its offer and its answer reliably before its 2xx: then that has nothing to add."""
    receipt = session.receipt
    return receipt is not None and receipt.cseq == cseq and receipt.is_settled


def receive_reliable(session: Session, exchange: Exchange, response: Response, reoffer: Reoffer | None = None) -> bool:
    """Takes a reliable provisional response to our INVITE and acknowledges it; False where it is to be ignored: repeated, or out of order.

    An offer in it is answered in the PRACK. Where its answer is no good the session is ended by a BYE. Raises `SipParseError` for a
    malformed or missing RSeq.
    """
    number = response.value("RSeq")
    if number is None:
        raise SipParseError("Missing RSeq", "RSeq")
    if session.is_over:
        return False
    cseq = response.cseq.number
    receipt = session.receipt
    if receipt is None or receipt.cseq != cseq:
        receipt = session.receipt = Receipt(cseq, number)
    elif number != receipt.number + 1:
        return False
    receipt.number = number
    prack = session.request("PRACK")
    prack.headers.append("RAck", f"{number} {cseq} {response.cseq.method}")
    fault = None
    try:
        # RFC 6141 §4.6: a reliable provisional response refreshes the target as a 2xx does.
        session.dialog.refresh_target(response)
        session.learn(response)
        octets = description_of(response)
        # RFC 3261 §13.2.1: once offer and answer have passed, further descriptions are ignored.
        if octets is not None and not receipt.is_settled:
            _take_description(session, exchange, octets, prack, reoffer)
            receipt.is_settled = True
    except UNUSABLE as error:
        fault = f"the {response.status} is unusable: {error}"
    _send(session, receipt, prack)
    if fault is not None:
        session.negotiation.roll_back()
        session.send_bye()
        session.end(fault)
    return True


def _take_description(session: Session, exchange: Exchange, octets: bytes, prack: Request, reoffer: Reoffer | None) -> None:
    """The answer to the INVITE's offer; or an offer where it had none."""
    negotiation = session.negotiation
    if not exchange.request.body:
        negotiation.receive(octets)
        put_description(prack, negotiation.answer_or_refuse())
        return
    negotiation.receive(octets)
    answer = negotiation.exchange.remote
    if reoffer is None or answer is None:
        return
    try:
        offer = reoffer(answer)
        if offer is not None:
            put_description(prack, negotiation.offer(offer))
    except Exception as error:  # noqa: BLE001 - the program's own code, whatever it raises: the PRACK goes out without an offer
        session.core.loop.call_exception_handler({"message": "what makes the offer of a PRACK failed", "exception": error})


def _send(session: Session, receipt: Receipt, prack: Request) -> None:
    """Sends a PRACK; an offer in it ends with its response."""
    negotiation = session.negotiation
    receipt.pending += 1
    has_offer = bool(prack.body) and negotiation.awaits_answer

    def on_response(response: Response, _now: float) -> None:
        if response.is_provisional:
            return
        receipt.answered()
        if session.is_over:
            return
        if response.is_success:
            fault = session.take_answer(response, "the 2xx to the PRACK") if has_offer else None
            if fault is not None:
                negotiation.roll_back()
                session.send_bye()
                session.end(fault)
            return
        if has_offer:
            negotiation.roll_back()
        session.judge("PRACK", exchange)

    exchange = session.core.begin(prack, on_response, dialog=session.dialog)
