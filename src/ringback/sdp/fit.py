"""Whether an answer fits its offer: what nobody could use, and what only a peer may write (RFC 3264 §6)."""

from ringback.sdp.description import SessionDescription
from ringback.sdp.destination import is_multicast
from ringback.sdp.direction import both, mirrored
from ringback.sdp.format import have_common_format, lower
from ringback.sdp.media import MediaDescription


def misfit(offer: SessionDescription, answer: SessionDescription) -> str | None:
    """Why `answer` cannot be used as one to `offer`, or None.

    What is only odd passes: a direction that the offer did not allow, a refused stream of another kind, a port for a stream that was
    offered without one. `ringback.sdp.stream` makes the best of them.
    """
    if len(answer.media) != len(offer.media):
        return f"{len(answer.media)} m= lines where the offer has {len(offer.media)}"
    for number, (offered, answered) in enumerate(zip(offer.media, answer.media, strict=True), 1):
        if not (offered.is_rejected or answered.is_rejected):
            fault = _stream_misfit(offered, answered)
            if fault is not None:
                return f"m= line {number}: {fault}"
    return None


def impropriety(offer: SessionDescription, answer: SessionDescription) -> str | None:
    """What is wrong with `answer` as one of our own beyond a misfit, or None."""
    if answer.origin == offer.origin and answer != offer:
        return "the o= line is the offer's, which another party made"
    if offer.all("t") != answer.all("t"):
        return "another time than the offer's"
    for number, (offered, answered) in enumerate(zip(offer.media, answer.media, strict=True), 1):
        if answered.is_rejected:
            continue
        if offered.is_rejected:
            return f"m= line {number}: a port for a stream that is offered with port 0"
        offered_way = offered.direction
        if answered.direction != both(answered.direction, offered_way if is_multicast(offered.connection) else mirrored(offered_way)):
            return f"m= line {number}: {answered.direction} does not answer {offered_way}"
    return None


def _stream_misfit(offered: MediaDescription, answered: MediaDescription) -> str | None:
    if lower(answered.kind) != lower(offered.kind):
        return "another kind of medium than the offer's"
    if _profile(answered) != _profile(offered):
        return "another protocol than the offer's"
    if is_multicast(offered.connection) or is_multicast(answered.connection):
        # A group that the offer does not name could be anybody: media would flood those who never asked for it.
        if answered.connection != offered.connection or answered.port != offered.port:
            return "the answer names another multicast address than the offer"
    if not have_common_format(offered, answered):
        return "no format in common"
    return None


def _profile(medium: MediaDescription) -> str:
    """The protocol without the F for early feedback: AVP and AVPF differ in when RTCP is sent only (RFC 4585 §5)."""
    return medium.protocol.removesuffix("F")
