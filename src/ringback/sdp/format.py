"""What two media have in common: codecs by name, rate and channels, and what their parameters must agree on (RFC 3264 §6.1)."""

from collections.abc import Sequence
from functools import lru_cache

from ringback.sdp.codec import Codec
from ringback.sdp.media import MediaDescription

ACCOMPANYING = frozenset({"telephone-event", "tone", "cn"})
"""Formats that go along with a codec and carry no conversation by themselves (RFC 4733, RFC 3389)."""

_REFERRING = frozenset({"red", "rtx"})
"""Formats whose parameters name other payload types (RFC 2198, RFC 4588): never agreed on, since a renumbered one would mean another."""

_CONFIGURATION = {
    # RFC 4867 §8
    "amr": {"octet-align": "0", "crc": "0", "robust-sorting": "0", "interleaving": ""},
    "amr-wb": {"octet-align": "0", "crc": "0", "robust-sorting": "0", "interleaving": ""},
    # RFC 5577
    "g7221": {"bitrate": ""},
    # RFC 6184 §8.1
    "h264": {"packetization-mode": "0", "profile-level-id": "42000a"},
}
"""Parameters that make another format of a codec when they differ, and what each one is where it is not written."""

_PREVAILING = {
    # RFC 7261: silence is suppressed only where neither side objects
    "g729": ("annexb", "no", "yes"),
    # RFC 3952: the longer frame where the sides differ
    "ilbc": ("mode", "30", "30"),
}
"""A parameter, the value that wins when either side has it, and what it is where it is not written."""


def lower(text: str) -> str:
    """`text` in lower case where it is ASCII; other text names nothing that is compared without case."""
    return text.lower() if text.isascii() else text


def agreed_codecs(offered: Sequence[Codec], ours: Sequence[Codec], *, by_our_order: bool = False, one_codec: bool = False) -> list[Codec]:
    """The offered codecs that are among `ours`, under the offered numbers and with our parameters.

    They stand in the offer's order, or in ours where `by_our_order`. `one_codec` leaves the first one and what accompanies codecs. Empty
    where the offer has codecs and only what accompanies them is common.
    """
    return list(_agreed(tuple(offered), tuple(ours), by_our_order, one_codec))


# Most calls are between the same few lists of codecs.
@lru_cache(maxsize=64)
def _agreed(offered: tuple[Codec, ...], ours: tuple[Codec, ...], by_our_order: bool, one_codec: bool) -> tuple[Codec, ...]:
    agreed: list[tuple[int, Codec]] = []
    for codec in offered:
        for place, own in enumerate(ours):
            if is_same_configuration(codec, own):
                agreed.append((place, codec._replace(fmtp=_answered_fmtp(codec, own))))
                break
    if by_our_order:
        agreed.sort(key=lambda pair: pair[0])
    codecs = [codec for _, codec in agreed]
    leading = [codec for codec in codecs if not is_accompanying(codec)]
    if not leading:
        return tuple(codecs) if all(is_accompanying(codec) for codec in offered) else ()
    return tuple([codec for codec in codecs if codec is leading[0] or is_accompanying(codec)] if one_codec else codecs)


def agreed_formats(offered: MediaDescription, ours: MediaDescription) -> list[str]:
    """The offered formats of a medium without RTP that are among `ours`, compared as they are written."""
    return [one for one in offered.formats if one in ours.formats]


def have_common_format(offered: MediaDescription, answered: MediaDescription) -> bool:
    """Whether a format of the one is in the other too, under whatever number. Parameters are not looked at: there is no telling how
    each codec's are to be read."""
    if not is_rtp(offered):
        return bool(agreed_formats(offered, answered))
    codecs = answered.codecs
    return any(codec.is_same_format(other) for codec in offered.codecs for other in codecs)


def is_rtp(medium: MediaDescription) -> bool:
    """Whether the formats are payload types."""
    return "RTP/" in medium.protocol


def is_accompanying(codec: Codec) -> bool:
    """Whether the format carries no conversation by itself: events, tones, comfort noise."""
    return lower(codec.name) in ACCOMPANYING


def is_same_configuration(one: Codec, other: Codec) -> bool:
    """Whether both are one format, those parameters included that make another format of a codec."""
    if not one.is_same_format(other):
        return False
    name = lower(one.name)
    if name in _REFERRING:
        return False
    configuration = _CONFIGURATION.get(name)
    if configuration is None:
        return True
    ours, theirs = one.parameters, other.parameters
    return all(lower(ours.get(key, default)) == lower(theirs.get(key, default)) for key, default in configuration.items())


def _answered_fmtp(offered: Codec, own: Codec) -> str | None:
    """Our parameters, those of the offer beside them that the answer must repeat, and what prevails over ours."""
    name = lower(own.name)
    theirs, ours = offered.parameters, own.parameters
    changes = {key: theirs[key] for key in _CONFIGURATION.get(name, ()) if key in theirs and key not in ours}
    if name in _PREVAILING:
        key, value, default = _PREVAILING[name]
        if lower(theirs.get(key, default)) == value and key in theirs | ours:
            changes[key] = value
    if not changes:
        return own.fmtp
    return ";".join(f"{key}={value}" if value else key for key, value in (ours | changes).items())
