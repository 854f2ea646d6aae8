"""What a payload type stands for: rtpmap and fmtp (RFC 8866 §6.6, §6.15), and the static numbers of RFC 3551 §6."""

import re
from typing import NamedTuple, Self

from ringback.sdp.errors import SdpError
from ringback.sdp.grammar import TOKEN, ascii_lower, parse_number

# rtpmap-value = payload-type SP encoding-name "/" clock-rate [ "/" encoding-params ]
_rtpmap = re.compile(rf"([0-9]++) ++({TOKEN})/([0-9]++)(?:/([0-9]++))? *+").fullmatch

MAX_PAYLOAD_TYPE = 127
MAX_CLOCK_RATE = 2**32 - 1
"""A choice: the RTP timestamp has no more values than that."""
MAX_CHANNELS = 255


class Codec(NamedTuple):
    """A payload format under its number in one medium. `clock_rate` is in Hz; `fmtp` is the text of its parameters, None without."""

    payload_type: int
    name: str
    clock_rate: int
    channels: int = 1
    fmtp: str | None = None

    @classmethod
    def parse(cls, text: str, fmtp: str | None = None) -> Self:
        """The codec that `text` (what follows `a=rtpmap:`) is; raises SdpError."""
        found = _rtpmap(text)
        if found is None:
            raise SdpError("malformed rtpmap")
        number, name, rate, channels = found.groups()
        payload_type, clock_rate = parse_number(number, MAX_PAYLOAD_TYPE), parse_number(rate, MAX_CLOCK_RATE)
        count = parse_number(channels, MAX_CHANNELS) if channels else 1
        if not (clock_rate and count):
            raise SdpError("rtpmap without a clock rate or channels")
        return cls(payload_type, name, clock_rate, count, fmtp)

    def __str__(self) -> str:
        channels = "" if self.channels == 1 else f"/{self.channels}"
        return f"{self.payload_type} {self.name}/{self.clock_rate}{channels}"

    @property
    def is_dynamic(self) -> bool:
        """Whether the number means nothing without an rtpmap (RFC 3551 §3)."""
        return self.payload_type not in STATIC

    @property
    def parameters(self) -> dict[str, str]:
        """The `name=value` pairs of `fmtp` by lower-case name; a part without `=` is a name with the value ""."""
        pairs = {}
        for part in (self.fmtp or "").split(";"):
            name, _, value = part.partition("=")
            name = name.strip(" \t")
            if name:
                pairs[ascii_lower(name)] = value.strip(" \t")
        return pairs

    def is_same_format(self, other: "Codec") -> bool:
        """Whether both are one encoding: name without case, clock rate and channels; numbers and parameters may differ (RFC 3264 §6.1)."""
        return (
            self.clock_rate == other.clock_rate
            and self.channels == other.channels
            and (self.name == other.name or ascii_lower(self.name) == ascii_lower(other.name))
        )


STATIC = {
    codec.payload_type: codec
    for codec in (
        # RFC 3551 table 4
        Codec(0, "PCMU", 8_000),
        Codec(3, "GSM", 8_000),
        Codec(4, "G723", 8_000),
        Codec(5, "DVI4", 8_000),
        Codec(6, "DVI4", 16_000),
        Codec(7, "LPC", 8_000),
        Codec(8, "PCMA", 8_000),
        Codec(9, "G722", 8_000),
        Codec(10, "L16", 44_100, 2),
        Codec(11, "L16", 44_100),
        Codec(12, "QCELP", 8_000),
        Codec(13, "CN", 8_000),
        Codec(14, "MPA", 90_000),
        Codec(15, "G728", 8_000),
        Codec(16, "DVI4", 11_025),
        Codec(17, "DVI4", 22_050),
        Codec(18, "G729", 8_000),
        # RFC 3551 table 5
        Codec(25, "CelB", 90_000),
        Codec(26, "JPEG", 90_000),
        Codec(28, "nv", 90_000),
        Codec(31, "H261", 90_000),
        Codec(32, "MPV", 90_000),
        Codec(33, "MP2T", 90_000),
        Codec(34, "H263", 90_000),
    )
}
"""The payload types that need no rtpmap."""

PCMU, PCMA, G722, COMFORT_NOISE = STATIC[0], STATIC[8], STATIC[9], STATIC[13]
TELEPHONE_EVENT = Codec(101, "telephone-event", 8_000, fmtp="0-15")
"""DTMF as named events (RFC 4733): the sixteen keys."""
OPUS = Codec(111, "opus", 48_000, 2)
"""RFC 7587 §7: the rtpmap always says 48000/2, whatever is sent."""
