"""What each dynamic payload type has stood for: within a stream a number never changes its meaning (RFC 3264 §8.3.2)."""

from collections.abc import Sequence

from ringback.sdp.codec import Codec
from ringback.sdp.description import SessionDescription
from ringback.sdp.format import is_rtp, lower

_FREE = (*range(96, 128), *range(35, 64))
"""Numbers for a codec whose own is taken: the dynamic ones first, then those that RFC 5761 §4 leaves beside RTCP."""

_MOST_UNREAD = 4
"""Exchanges kept as they are. A choice: a description takes some 2 kB, its numbers 200 octets."""


class PayloadTypes:
    """Per stream, the codec of each dynamic number that either side has used. A slot with a new medium begins anew."""

    __slots__ = ("_read", "_unread")

    def __init__(self) -> None:
        self._read: list[tuple[str, dict[int, Codec]]] = []
        # Most sessions have one exchange and nobody ever asks what its numbers stood for.
        self._unread: list[tuple[SessionDescription, SessionDescription]] = []

    def learn(self, local: SessionDescription, remote: SessionDescription) -> None:
        """Takes note of two descriptions that are in force from now on."""
        self._unread.append((local, remote))
        if len(self._unread) > _MOST_UNREAD:
            self._catch_up()

    @property
    def _slots(self) -> list[tuple[str, dict[int, Codec]]]:
        """The kind and the numbers of each m= line."""
        self._catch_up()
        return self._read

    def _catch_up(self) -> None:
        unread, self._unread = self._unread, []
        for local, remote in unread:
            self._note(local, remote)

    def _note(self, local: SessionDescription, remote: SessionDescription) -> None:
        for slot, (ours, theirs) in enumerate(zip(local.media, remote.media, strict=True)):
            kind = lower(ours.kind)
            is_refused = ours.is_rejected or theirs.is_rejected
            if slot == len(self._read):
                self._read.append((kind, {}))
            elif is_refused or self._read[slot][0] != kind:
                self._read[slot] = (kind, {})
            if not is_refused:
                known = self._read[slot][1]
                for codec in ours.codecs + theirs.codecs:
                    if codec.is_dynamic:
                        known.setdefault(codec.payload_type, codec)

    def fault(self, description: SessionDescription) -> str | None:
        """Which number `description`, an offer of ours, gives another meaning, or None."""
        for number, (medium, (kind, known)) in enumerate(zip(description.media, self._slots, strict=False), 1):
            if kind == lower(medium.kind) and not medium.is_rejected:
                for codec in medium.codecs:
                    if codec.payload_type in known and not codec.is_same_format(known[codec.payload_type]):
                        return f"m= line {number}: payload type {codec.payload_type} was {known[codec.payload_type].name} before"
        return None

    def renumber(self, description: SessionDescription) -> None:
        """Gives the dynamic codecs of `description`, an offer of ours in the making, the numbers they had; new ones get free numbers."""
        for medium, (kind, known) in zip(description.media, self._slots, strict=False):
            if kind == lower(medium.kind) and is_rtp(medium) and not medium.is_rejected:
                codecs = medium.codecs
                numbered = _renumbered(codecs, known)
                if numbered != codecs:
                    medium.codecs = numbered


def _renumbered(codecs: Sequence[Codec], known: dict[int, Codec]) -> list[Codec]:
    """`codecs` under numbers that contradict nothing known; one for which no number is left is left out."""
    taken = {codec.payload_type for codec in codecs} | known.keys()
    free = [number for number in reversed(_FREE) if number not in taken]
    former = dict(known)
    numbered = []
    for codec in codecs:
        if codec.is_dynamic:
            number = _former_number(codec, former)
            if number is not None:
                del former[number]
                codec = codec._replace(payload_type=number)
            elif codec.payload_type in known:
                if not free:
                    continue
                codec = codec._replace(payload_type=free.pop())
        numbered.append(codec)
    return numbered


def _former_number(codec: Codec, former: dict[int, Codec]) -> int | None:
    """The number that the codec had: the one it has now if that was it, else the one with the same parameters, else any."""
    same = [number for number, known in former.items() if known.is_same_format(codec)]
    if codec.payload_type in same:
        return codec.payload_type
    return next((number for number in same if former[number].fmtp == codec.fmtp), same[0] if same else None)
