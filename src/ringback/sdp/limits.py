"""How much a session description may hold before it is refused: the bounds that keep its cost linear and small."""

from typing import NamedTuple


class SdpLimits(NamedTuple):
    """Bounds on one received description; one above them raises SdpError.

    The defaults and who else chose them: 64 KiB is what one UDP datagram may hold, so what one INVITE may; 32 media are twice PJSIP's
    16; 512 lines a section are twice what a browser's video with all its codecs, header extensions and candidates needs (PJSIP stops
    at 132 attributes); 128 formats are all that a seven-bit payload type can name.
    """

    octets: int = 65_536
    media: int = 32
    section_lines: int = 512
    formats: int = 128


DEFAULT_LIMITS = SdpLimits()
