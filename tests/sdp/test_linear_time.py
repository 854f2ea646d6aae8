"""No description makes its parser take more than linear time: 64 kB of anything repeated against 64 kB of ordinary lines, in one run."""

import contextlib
import time
from collections.abc import Callable

from ringback.sdp.description import SessionDescription
from ringback.sdp.errors import SdpError
from ringback.sdp.limits import DEFAULT_LIMITS
from tests.sdp.test_properties import look_at

SIZE = 65_000
ALLOWED = 20
HEAD = "v=0\r\no=- 1 2 IN IP4 h\r\ns=-\r\nt=0 0\r\nc=IN IP4 h\r\n"
MEDIUM = "m=audio 4000 RTP/AVP 0\r\n"

UNITS = [
    *'a0 \t"\\,;:=<>()|@/?%&*+-.é\0\r\n^',
    *[
        "\r\n",
        "\n\r",
        "a=\r\n",
        "a=x\r\n",
        "a=sendonly\r\n",
        "q=\r\n",
        MEDIUM,
        "m=a 0 a 0\r\n",
        "c=IN IP4 h\r\n",
        "b=AS:1\r\n",
        "t=0 0\r\n",
        "k=\r\n",
    ],
    *[
        "a=rtpmap:0 PCMU/8000\r\n",
        "a=rtpmap:9\r\n",
        "a=fmtp:0 a\r\n",
        "a=candidate:1 1 UDP 1 h 9 typ host\r\n",
        "a=crypto:1 A inline:AA\r\n",
    ],
    *["0 ", " 0", "a/", "/a", "a;", "a=b;", ":A", "00:", "A:0", "|1", "1|", "|1:1", "inline:A;", "inline:A|1:1;", "raddr h ", "a ", "typ "],
]
PREFIXES = [
    *("", "v=0\r\n", "v=0\r\no=", "v=0\r\no=- 1 2 IN IP4 ", HEAD, HEAD + "c=", HEAD + "c=IN IP4 ", HEAD + "a=", HEAD + "b=", HEAD + "t="),
    *(HEAD + "m=", HEAD + "m=audio ", HEAD + "m=audio 4000 ", HEAD + "m=audio 4000 RTP/AVP ", HEAD + "m=audio 4000 RTP", HEAD + MEDIUM),
    *[HEAD + MEDIUM + "a=" + name for name in ("rtpmap:0 ", "rtpmap:0 a/", "fmtp:0 ", "ptime:", "ptime:1.", "rtcp:", "ice-pwd:")],
    *[
        HEAD + MEDIUM + "a=" + name
        for name in ("candidate:", "candidate:1 1 UDP 1 h 9 typ host ", "crypto:", "crypto:1 A ", "crypto:1 A inline:")
    ],
    *[HEAD + MEDIUM + "a=" + name for name in ("crypto:1 A inline:AA|", "fingerprint:", "fingerprint:sha-1 ", "fingerprint:sha-1 00")],
]


def _read(octets: bytes) -> None:
    with contextlib.suppress(SdpError):
        description = SessionDescription.parse(octets)
        look_at(description)
        description.copy().to_bytes()
        for medium in description.media:
            for codec in medium.codecs:
                assert codec.parameters is not None


def _seconds(run: Callable[[bytes], None], octets: bytes) -> float:
    """CPU seconds, the best of three, since only the program's own work counts and not what else the machine does."""
    best = float("inf")
    for _ in range(3):
        begin = time.thread_time()
        run(octets)
        best = min(best, time.thread_time() - begin)
    return best


def _ordinary() -> float:
    """As many lines and octets as the limits let through, all of them looked at."""
    section = MEDIUM + "a=rtpmap:0 PCMU/8000\r\na=fmtp:0 x=y\r\n" + "a=candidate:1 1 UDP 2130706431 192.0.2.1 4000 typ host\r\n" * 34
    octets = (HEAD + section * DEFAULT_LIMITS.media).encode()
    assert 60_000 < len(octets) < DEFAULT_LIMITS.octets
    return _seconds(_read, octets)


def test_repetition_takes_linear_time() -> None:
    limit = ALLOWED * _ordinary()
    slow = []
    for prefix in PREFIXES:
        for unit in UNITS:
            for suffix in ("", "\r\n"):
                text = prefix + unit * ((SIZE - len(prefix)) // len(unit.encode())) + suffix
                octets = text.encode()
                begin = time.thread_time()
                _read(octets)
                if time.thread_time() - begin > limit and _seconds(_read, octets) > limit:
                    slow.append((prefix, unit, suffix))
    assert slow == []
