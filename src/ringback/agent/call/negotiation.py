"""The offers and answers of one session, as bodies of its messages (RFC 3261 §13.2.1, RFC 3264, RFC 6141)."""

from __future__ import annotations

from ringback.agent.call.media import Media
from ringback.message.message import Message
from ringback.message.multipart import Multipart
from ringback.sdp.answer import NotAcceptable, Preferences, make_answer, make_refusal
from ringback.sdp.description import SessionDescription
from ringback.sdp.direction import SENDONLY, SENDRECV
from ringback.sdp.errors import SdpError
from ringback.sdp.fit import misfit
from ringback.sdp.hold import held, resumed
from ringback.sdp.offer import make_offer
from ringback.sdp.offer_answer import LOCAL_OFFER, STABLE, OfferAnswer

SDP = "application/sdp"


class UnsupportedBody(Exception):  # noqa: N818 - what the 415 calls it: Unsupported Media Type
    """A body that must be understood and is not (§8.2.3, 415)."""


def description_of(message: Message) -> bytes | None:
    """The session description in a message, alone or in a multipart; None where there is none.

    Raises `UnsupportedBody` for another body that is not optional, `SipParseError` for a malformed one.
    """
    if not message.body:
        return None
    content_type = message.content_type
    if content_type is None or content_type.essence == SDP:
        return message.body
    if content_type.type == "multipart":
        for part in Multipart.parse(message.body, content_type).leaves():
            if part.content_type.essence == SDP:
                return part.body
    disposition = message.headers.value("Content-Disposition")
    if disposition is not None and not disposition.is_required:
        return None
    raise UnsupportedBody(content_type.essence)


def put_description(message: Message, description: SessionDescription) -> None:
    """Makes a description the body of a message."""
    put_body(message, SDP, description.to_bytes())


def put_body(message: Message, content_type: str, body: bytes) -> None:
    """Makes octets the body of a message; what says so comes last of its header fields."""
    headers = message.headers
    headers.remove("Content-Length")
    headers.set("Content-Type", content_type)
    headers.append("Content-Length", len(body))
    message.body = body


class Negotiation:
    """Who offers and who answers, between a call's media and its messages. `holds` says that we hold the peer, or want to."""

    __slots__ = ("_previewed", "_proposed", "exchange", "holds", "media")

    def __init__(self, media: Media) -> None:
        self.media = media
        self.exchange = OfferAnswer()
        self.holds = False
        self._previewed: SessionDescription | None = None
        self._proposed: SessionDescription | None = None

    @property
    def awaits_answer(self) -> bool:
        """Whether an offer of ours is open."""
        return self.exchange.state == LOCAL_OFFER

    @property
    def is_stable(self) -> bool:
        """Whether no offer is open."""
        return self.exchange.state == STABLE

    @property
    def direction(self) -> str:
        """What each stream shall do at most, seen from us."""
        return SENDONLY if self.holds else SENDRECV

    def offer(self, description: SessionDescription | None = None) -> SessionDescription:
        """An offer of ours: of all that the media can do, unless another is given. ValueError where it may not be made."""
        offer = make_offer(self.exchange, self.media.capabilities(), direction=self.direction) if description is None else description
        self.exchange.offer(offer)
        return offer

    def hold(self) -> SessionDescription:
        """The offer that puts the peer on hold (RFC 3264 §8.4); it is not made yet."""
        return self.exchange.next_edition(held(self.in_force(), self.media.capabilities()))

    def resume(self) -> SessionDescription:
        """The offer that ends our hold; it is not made yet."""
        return self.exchange.next_edition(resumed(self.in_force(), self.media.capabilities()))

    def in_force(self) -> SessionDescription:
        """Our own description that is in force, to be offered once more."""
        if self.exchange.local is None:
            raise RuntimeError("nothing is agreed upon yet")
        return self.exchange.local

    @property
    def has_preview(self) -> bool:
        """Whether the answer to our open offer has been heard, though not reliably."""
        return self._previewed is not None

    def receive(self, octets: bytes) -> None:
        """Takes a description from the peer: the answer to our open offer, or an offer of theirs.

        Where the answer was heard before, `octets` are not looked at: the first one counts (RFC 3261 §13.2.1, RFC 6337 §3.1).
        Raises `SdpError` where it cannot be read or does not fit; then what was in force stays so (`roll_back` is the caller's).
        """
        if self.awaits_answer:
            self.exchange.receive_answer(self._previewed or SessionDescription.parse(octets))
            self._previewed = None
            self._agree()
        else:
            self.exchange.receive_offer(SessionDescription.parse(octets))

    def preview(self, octets: bytes) -> None:
        """Takes the answer in a provisional response that may get lost: the media may use it, but the 2xx says it again (RFC 6337 §3.1).

        Raises `SdpError` where it cannot be read or does not fit; then it is none.
        """
        offer = self.exchange.pending
        if offer is None or self._previewed is not None:
            return
        description = SessionDescription.parse(octets)
        fault = misfit(offer, description)
        if fault is not None:
            raise SdpError(fault)
        self._previewed = description
        self.media.agree(offer, description)

    def answer(self) -> SessionDescription:
        """Our answer to the peer's open offer, as proposed if it was; `NotAcceptable` where nothing in it can be done."""
        answer = self._proposed or self._make_answer()
        self.exchange.answer(answer, is_made=True)
        self._proposed = None
        self._agree()
        return answer

    def propose(self) -> SessionDescription:
        """The answer that a provisional response may say before: the offer stays open until it is said reliably (RFC 3261 §13.2.1).

        Media may flow from now on. `NotAcceptable` as with `answer`.
        """
        if self._proposed is None:
            self._proposed = self._make_answer()
            self.media.agree(self._proposed, self._open_offer())
        return self._proposed

    def prepare(self, answer: SessionDescription) -> None:
        """Has this be our answer to the offer that is open, or comes next; whether it fits is the caller's affair."""
        self._proposed = answer

    def _make_answer(self) -> SessionDescription:
        preferences = Preferences(direction=self.direction)
        return make_answer(self._open_offer(), self.media.capabilities(), preferences, former=self.exchange.sent)

    def answer_or_refuse(self) -> SessionDescription:
        """The same; where nothing in it can be done, an answer that refuses every stream (§13.2.2.4)."""
        try:
            return self.answer()
        except NotAcceptable:
            refusal = make_refusal(self._open_offer(), self.media.capabilities(), former=self.exchange.sent)
            self.exchange.answer(refusal, is_made=True)
            return refusal

    def roll_back(self) -> None:
        """Whatever is open was refused: what was in force stays in force (RFC 6141 §3.1)."""
        self._proposed = self._previewed = None
        if not self.is_stable:
            self.exchange.roll_back()

    def _open_offer(self) -> SessionDescription:
        offer = self.exchange.pending
        assert offer is not None, "there is an open offer to be answered"
        return offer

    def _agree(self) -> None:
        local, remote = self.exchange.local, self.exchange.remote
        assert local is not None
        assert remote is not None
        self.media.agree(local, remote)
