"""The offer in the callee's 2xx, answered by the program when it knows how: until then the ACK waits (RFC 3261 §13.2.2.4)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from ringback.agent.call.negotiation import description_of
from ringback.agent.errors import CallEnded
from ringback.agent.refusal import UNUSABLE
from ringback.message.message import Response
from ringback.sdp.description import SessionDescription
from ringback.sdp.fit import misfit

if TYPE_CHECKING:
    from ringback.agent.call.outgoing_call import OutgoingCall
    from ringback.agent.call.session import Session

OnOffer = Callable[[SessionDescription], Awaitable[SessionDescription]]
"""A program's way with the offer of a callee that was asked for one: gives the answer. It has 32 s, for so long a callee waits."""


class LateOffer:
    """The one offer that a program answers itself. Other parties' 2xx, and this one once there is an answer, go the usual way."""

    __slots__ = ("_call", "_on_offer", "session")

    def __init__(self, call: OutgoingCall, on_offer: OnOffer) -> None:
        self.session: Session | None = None
        """The session with the party whose offer it is, once it has come."""
        self._call = call
        self._on_offer: OnOffer | None = on_offer

    def holds(self, session: Session, response: Response) -> bool:
        """Whether a 2xx is to wait for the program: the first one with an offer, and its repetitions."""
        if self._on_offer is None or self._call.is_over:
            return False
        if self.session is None:
            try:
                octets = description_of(response)
                offer = None if octets is None else SessionDescription.parse(octets)
            except UNUSABLE:
                return False
            if offer is None:
                return False
            self.session = session
            self._call.core.spawn(self._decide(response, session, offer, self._on_offer))
        return session is self.session

    async def _decide(self, response: Response, session: Session, offer: SessionDescription, on_offer: OnOffer) -> None:
        call = self._call
        try:
            answer = await call.until(call.core.spawn(_answer(on_offer, offer)))
            fault = misfit(offer, answer)
            if fault is not None:
                raise ValueError(f"no answer to the callee's offer: {fault}")
            session.negotiation.prepare(answer)
        except CallEnded:
            pass
        except Exception as error:  # noqa: BLE001 - whatever the program's own code raises; it is told whoever waits for the call
            call.fail(error)
        self._on_offer = None
        call.take_2xx(response)


async def _answer(on_offer: OnOffer, offer: SessionDescription) -> SessionDescription:
    return await on_offer(offer)
