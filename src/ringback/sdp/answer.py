"""The answer to an offer: every m= line answered, with what both sides can do (RFC 3264 §6, RFC 6337 §5)."""

from collections.abc import Sequence
from typing import NamedTuple

from ringback.sdp.codec import Codec
from ringback.sdp.connection import Connection
from ringback.sdp.description import SessionDescription
from ringback.sdp.destination import is_multicast, is_nowhere
from ringback.sdp.direction import INACTIVE, RECVONLY, SENDONLY, SENDRECV, both, mirrored
from ringback.sdp.format import agreed_codecs, agreed_formats, is_rtp, lower
from ringback.sdp.media import MediaDescription
from ringback.sdp.slot import assigned, refused
from ringback.sdp.succession import succeeding

MAX_QUOTED = 32
"""Most characters of the peer's that a Warning repeats. A choice: longer than any name in the registries of RFC 8866 §8.2."""

_ONLY_IF_OFFERED = ("rtcp-mux", "rtcp-rsize")
"""What an answer may say only where the offer says it (RFC 5761 §5.1.1, RFC 5506 §5.2)."""


class Objection(NamedTuple):
    """Why a stream cannot be: a warn-code of RFC 3261 §20.43 and a text for people."""

    warn_code: int
    warn_text: str


class NotAcceptable(ValueError):  # noqa: N818  # the reason phrase of 488 and 606
    """An offer of which nothing can be used: 488 with a Warning, or 606 (RFC 3261 §13.3.1.3, §21.4.26).

    `objections` holds one per reason, the stream first that came nearest; `warn_code` and `warn_text` are those of the first.
    """

    def __init__(self, objections: Sequence[Objection]) -> None:
        super().__init__("; ".join([objection.warn_text for objection in objections]))
        self.objections = tuple(objections)

    @property
    def warn_code(self) -> int:
        """The three digits of the Warning."""
        return self.objections[0].warn_code

    @property
    def warn_text(self) -> str:
        """What the Warning says."""
        return self.objections[0].warn_text


class Preferences(NamedTuple):
    """What is wanted of an answer beyond what can be done.

    `direction`: what each stream shall do at most, seen from us; sendonly while we hold the peer (RFC 6337 §5.3). `by_our_order`: codecs
    in the order of our capabilities instead of the offer's. `one_codec`: one codec alone, with what accompanies it, for whoever cannot
    change codecs in the middle of a stream (§10.2). `takes_multicast`: streams of a group may be accepted.
    """

    direction: str = SENDRECV
    by_our_order: bool = False
    one_codec: bool = False
    takes_multicast: bool = False


DEFAULT_PREFERENCES = Preferences()


def make_answer(
    offer: SessionDescription,
    capabilities: SessionDescription,
    preferences: Preferences = DEFAULT_PREFERENCES,
    *,
    former: SessionDescription | None = None,
) -> SessionDescription:
    """What we answer to `offer`, if `capabilities` is what we would offer; raises NotAcceptable where no stream of it can be.

    Each m= line of the offer is answered in its place; those that we cannot do have port 0 (§6). A medium of `capabilities` answers one
    m= line; what is left of them is not mentioned. Its attributes are ours; payload type numbers are the offer's. `former` is what we
    gave this peer last, in an offer or an answer: the o= line continues it, and streams keep their ports.
    """
    offered, ours = offer.media, capabilities.media
    objections: list[dict[int, Objection]] = [{} for _ in offered]

    def fits(slot: int, own: MediaDescription) -> bool:
        objection = _objection(offered[slot], own, preferences)
        if objection is not None:
            objections[slot][_NEARNESS.index(objection.warn_code)] = objection
        return objection is None and bool(offered[slot].port)

    chosen = assigned(len(offered), ours, fits, former.media if former is not None else ())
    if all(own is None for own in chosen) and any(medium.port for medium in offered):
        raise NotAcceptable(_nearest(offered, objections))
    media = [_accepted(one, own, preferences) if own is not None else refused(one) for one, own in zip(offered, chosen, strict=True)]
    return _answer(offer, capabilities, media, former)


def make_refusal(
    offer: SessionDescription, capabilities: SessionDescription, *, former: SessionDescription | None = None
) -> SessionDescription:
    """The answer that takes no stream at all, for an offer that came where it cannot be refused otherwise: in a 2xx or a reliable
    provisional response (RFC 6337 §5.2.4). A BYE follows it."""
    return _answer(offer, capabilities, [refused(medium) for medium in offer.media], former)


def _answer(
    offer: SessionDescription, capabilities: SessionDescription, media: list[MediaDescription], former: SessionDescription | None
) -> SessionDescription:
    answer = capabilities.copy()
    answer.media = media
    for letter in "trz":
        answer.remove_lines(letter)
    for time in offer.all("t"):
        answer.add_line("t", time)
    # Each stream says its own direction, and groups of streams are for who understands those of the offer (RFC 5888 §9.2).
    answer.remove_attribute(SENDRECV, SENDONLY, RECVONLY, INACTIVE, "group")
    return answer if former is None else succeeding(former, answer)


def _accepted(offered: MediaDescription, own: MediaDescription, preferences: Preferences) -> MediaDescription:
    """`own` as the answer to `offered`, which it fits."""
    medium = own.copy()
    medium.kind = offered.kind
    # Feedback names payload types, and ours may have other numbers; it is for who knows RFC 4585 to say again.
    medium.remove_attribute("rtcp-fb", *[name for name in _ONLY_IF_OFFERED if offered.attribute(name) is None])
    if is_rtp(offered):
        medium.codecs = _common_codecs(offered, own, preferences)
    else:
        medium.formats = agreed_formats(offered, own)
    if is_multicast(offered.connection):
        _share_group(offered, medium)
    else:
        medium.port_count = 1
        medium.direction = both(mirrored(offered.direction), both(own.direction, preferences.direction))
    return medium


def _share_group(offered: MediaDescription, medium: MediaDescription) -> None:
    """§6.2: all members of a group see one stream, so address, port, direction, ptime and bandwidth are those of the offer."""
    medium.connection = offered.connection
    medium.port, medium.port_count = offered.port, offered.port_count
    medium.direction = offered.direction
    if offered.ptime is not None:
        medium.ptime = offered.ptime
    medium.remove_lines("b")
    for bandwidth in offered.all("b"):
        medium.add_line("b", bandwidth)


def _common_codecs(offered: MediaDescription, own: MediaDescription, preferences: Preferences) -> list[Codec]:
    return agreed_codecs(offered.codecs, own.codecs, by_our_order=preferences.by_our_order, one_codec=preferences.one_codec)


_NEARNESS = (304, 302, 300, 301, 330, 305)
"""Warn-codes in the order in which `_objection` looks, from streams far from being possible to those that nearly were."""


def _objection(offered: MediaDescription, own: MediaDescription, preferences: Preferences) -> Objection | None:
    """Why `own` cannot answer `offered`, or None."""
    if lower(offered.kind) != lower(own.kind):
        return Objection(304, f"Media type not available: {offered.kind[:MAX_QUOTED]}")
    if offered.protocol != own.protocol:
        return Objection(302, f"Incompatible transport protocol: {offered.protocol[:MAX_QUOTED]}")
    return _place_objection(offered.connection, own.connection, preferences) or _format_objection(offered, own, preferences)


def _place_objection(offered: Connection | None, own: Connection | None, preferences: Preferences) -> Objection | None:
    """Why media cannot go to the address offered, or None. No address at all is for who fills it in later, like 0.0.0.0 (§8.4)."""
    if offered is None or is_nowhere(offered):
        return None
    if offered.network_type != "IN":
        return Objection(300, f"Incompatible network protocol: {offered.network_type[:MAX_QUOTED]}")
    if own is not None and offered.address_type != own.address_type:
        return Objection(301, f"Incompatible network address type: {offered.address_type[:MAX_QUOTED]}")
    if is_multicast(offered) and not preferences.takes_multicast:
        return Objection(330, "Multicast not available")
    return None


def _format_objection(offered: MediaDescription, own: MediaDescription, preferences: Preferences) -> Objection | None:
    common = _common_codecs(offered, own, preferences) if is_rtp(offered) else agreed_formats(offered, own)
    return None if common else Objection(305, f"Incompatible media format: no {offered.kind[:MAX_QUOTED]} format in common")


def _nearest(offered: Sequence[MediaDescription], objections: Sequence[dict[int, Objection]]) -> list[Objection]:
    """For each stream that was wanted what came nearest, the nearest of all first, each once."""
    found: list[tuple[int, Objection]] = []
    for medium, ranked in zip(offered, objections, strict=True):
        if medium.port:
            rank = max(ranked, default=0)
            found.append((rank, ranked.get(rank) or Objection(304, f"Media type not available: {medium.kind[:MAX_QUOTED]}")))
    found.sort(key=lambda pair: -pair[0])
    return list(dict.fromkeys([objection for _, objection in found]))
