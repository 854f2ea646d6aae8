"""Putting the peer on hold, taking it back, and seeing that we are held (RFC 3264 §8.4, RFC 6337 §5.3)."""

from collections.abc import Callable

from ringback.sdp.description import SessionDescription
from ringback.sdp.destination import is_multicast, is_nowhere
from ringback.sdp.direction import SENDRECV, on_hold, receives
from ringback.sdp.format import lower
from ringback.sdp.media import MediaDescription
from ringback.sdp.succession import succeeding


def held(former: SessionDescription, wanted: SessionDescription | None = None) -> SessionDescription:
    """The offer that holds the peer: `former`, what we gave last, with each unicast stream receiving no more.

    A stream that received only becomes inactive. With `wanted`, the description of what we want otherwise, directions are taken from
    there, so that a stream that only the peer's own hold made recvonly becomes sendonly: music may then play when the peer comes back.
    The version counts up if a direction changes; where an offer was refused since, `OfferAnswer.next_edition` counts on from that one.
    """
    return _turned(former, lambda slot, medium: on_hold(_wanted(wanted, slot, medium, medium.direction)))


def resumed(former: SessionDescription, wanted: SessionDescription | None = None) -> SessionDescription:
    """The offer that ends our hold: each unicast stream in the direction it has in `wanted`, or sendrecv.

    That holds also for a stream that is recvonly because the peer holds us: an offer says what we want, and the peer's answer what it
    wants. The version counts up if a direction changes.
    """
    return _turned(former, lambda slot, medium: _wanted(wanted, slot, medium, SENDRECV))


def is_held(remote: SessionDescription) -> bool:
    """Whether the peer holds us: it has streams, and of none it wants to receive anything.

    Taken with care: sendonly may also come from a device that can do no more (RFC 6337 §5.3). A connection to 0.0.0.0 is the hold of
    RFC 2543. A group is held by nobody.
    """
    streams = [medium for medium in remote.media if not medium.is_rejected]
    return bool(streams) and all(is_stream_held(medium) for medium in streams)


def is_stream_held(remote: MediaDescription) -> bool:
    """Whether the peer wants to receive nothing on this stream of its description."""
    connection = remote.connection
    return is_nowhere(connection) or not (receives(remote.direction) or is_multicast(connection))


def _turned(former: SessionDescription, direction: Callable[[int, MediaDescription], str]) -> SessionDescription:
    description = former.copy()
    for slot, medium in enumerate(description.media):
        if not (medium.is_rejected or is_multicast(medium.connection)):
            turned = direction(slot, medium)
            if turned != medium.direction:
                medium.direction = turned
    return succeeding(former, description)


def _wanted(wanted: SessionDescription | None, slot: int, medium: MediaDescription, otherwise: str) -> str:
    """The direction of the medium in the same slot of `wanted`, or else of the first of the same kind there."""
    if wanted is None:
        return otherwise
    media = wanted.media
    for one in (*media[slot : slot + 1], *media):
        if lower(one.kind) == lower(medium.kind):
            return one.direction
    return otherwise
