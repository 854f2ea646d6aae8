"""What two descriptions in force mean for each stream: who sends what, where (RFC 3264 §6.1, §7)."""

from typing import NamedTuple

from ringback.sdp.codec import Codec
from ringback.sdp.connection import Connection
from ringback.sdp.description import SessionDescription
from ringback.sdp.destination import is_multicast, is_nowhere
from ringback.sdp.direction import RECVONLY, both, mirrored
from ringback.sdp.media import MediaDescription


class Stream(NamedTuple):
    """A stream that both sides keep. `slot` counts m= lines from 0; `direction` is ours.

    `codecs` are those we may send with, the preferred one first, under the numbers that the peer gave them, whoever offered; what
    arrives bears the numbers of `local.codecs`.
    """

    slot: int
    local: MediaDescription
    remote: MediaDescription
    direction: str
    codecs: tuple[Codec, ...]

    @property
    def destination(self) -> Connection | None:
        """Where to send, to `remote.port`; None where neither media nor RTCP shall be sent (§8.4)."""
        return None if is_nowhere(self.remote.connection) else self.remote.connection


def streams_of(local: SessionDescription, remote: SessionDescription) -> list[Stream]:
    """The streams of two descriptions of which one answers the other."""
    streams = []
    for slot, (ours, theirs) in enumerate(zip(local.media, remote.media, strict=True)):
        if not (ours.is_rejected or theirs.is_rejected):
            own_codecs = ours.codecs
            codecs = tuple([codec for codec in theirs.codecs if any(codec.is_same_format(own) for own in own_codecs)])
            streams.append(Stream(slot, ours, theirs, _direction(ours, theirs), codecs))
    return streams


def _direction(ours: MediaDescription, theirs: MediaDescription) -> str:
    """What both allow. In a group there is one view of the stream; to an address that is nowhere nothing is sent."""
    place = theirs.connection
    direction = both(ours.direction, theirs.direction if is_multicast(place) else mirrored(theirs.direction))
    return both(direction, RECVONLY) if is_nowhere(place) else direction
