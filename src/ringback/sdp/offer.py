"""An offer of all we can do, as the first or as a later one of a session (RFC 3264 §5 and §8, RFC 3261 §14.2, RFC 6337 §5.2)."""

from ringback.sdp.description import SessionDescription
from ringback.sdp.direction import SENDRECV, both
from ringback.sdp.format import lower
from ringback.sdp.media import MediaDescription
from ringback.sdp.offer_answer import OfferAnswer
from ringback.sdp.slot import assigned, refused


def make_offer(session: OfferAnswer, capabilities: SessionDescription, *, direction: str = SENDRECV) -> SessionDescription:
    """`capabilities` as an offer that may be made next in `session`, for one whose INVITE has none, or to begin with.

    Streams keep their m= lines, ports and payload type numbers; one of which `capabilities` no longer has the kind is given up; what is
    new takes the m= lines of streams that are no more, then further ones. `direction` is what each stream shall do at most, seen from
    us; sendonly while we hold the peer. The o= line is the session's next (`OfferAnswer.next_edition`).
    """
    offer = capabilities.copy()
    if session.local is not None:
        offer.media = _in_slots(session.local.media, offer.media)
        session.payload_types.renumber(offer)
    for medium in offer.media:
        way = both(medium.direction, direction)
        if medium.port and medium.direction != way:
            medium.direction = way
    return session.next_edition(offer)


def _in_slots(former: list[MediaDescription], ours: list[MediaDescription]) -> list[MediaDescription]:
    def continues(slot: int, own: MediaDescription) -> bool:
        return former[slot].port != 0 and lower(former[slot].kind) == lower(own.kind)

    media = assigned(len(former), ours, continues, former)
    placed = [id(medium) for medium in media]
    new = [medium for medium in ours if medium.port and id(medium) not in placed]
    for slot, medium in enumerate(former):
        if medium.port == 0 and new:
            alike = [index for index, own in enumerate(new) if lower(own.kind) == lower(medium.kind)]
            media[slot] = new.pop(alike[0] if alike else 0)
    return [own if own is not None else refused(medium) for own, medium in zip(media, former, strict=True)] + new
