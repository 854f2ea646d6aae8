"""No value makes its parser take more than linear time: 64 kB of anything repeated against 64 kB of ordinary values, in one run."""

import contextlib
import time
from collections.abc import Callable

import pytest

from ringback.message.errors import SipParseError
from ringback.message.fields.registry import FIELDS
from ringback.message.fields.via import Via
from ringback.message.grammar import parse_params, split_list, split_params, unescape, unquote
from ringback.message.uri import parse_uri

SIZE = 65_536
ALLOWED = 20

UNITS = [
    *'a0 \t"\\,;:=<>()[]@/?%&*+-.é\0',
    *[
        '\\"',
        '""',
        '"a"',
        "<>",
        "()",
        "(\\",
        ";a",
        ";a=b",
        ';a="b"',
        "; a",
        "a,",
        ", ",
        " ,",
        "a=b,",
        'a="b",',
        "%41",
        "sip:",
        "a@",
        "a.",
        "::",
        "1 ",
        "\t ",
    ],
]
PREFIXES = ["", '"', "<sip:", "<sip:a@h>", "sip:a@h", "SIP/2.0/UDP h", "Digest a=", "1 ", "5 (", "*;", "a/b;", "a;"]


def _seconds(run: Callable[[str], object], text: str) -> float:
    """CPU seconds, the best of three, since only the program's own work counts and not what else the machine does."""
    best = float("inf")
    for _ in range(3):
        begin = time.thread_time()
        with contextlib.suppress(SipParseError):
            run(text)
        best = min(best, time.thread_time() - begin)
    return best


def _ordinary() -> float:
    one = "SIP/2.0/UDP pc33.atlanta.com:5060;branch=z9hG4bK776asdhds;received=192.0.2.1;rport=5060, "
    text = (one * (SIZE // len(one)))[:-2]
    return _seconds(lambda text: [Via.parse(element) for element in split_list(text)], text)


# Each kind once: Route stands for Record-Route.
PARSERS: dict[str, Callable[[str], object]] = {
    key: parse for parse, key in {field.parse: key for key, field in FIELDS.items() if field.parse}.items()
}
PARSERS |= {
    "split_list": split_list,
    "split_params": split_params,
    "parse_params": parse_params,
    "parse_uri": parse_uri,
    "unescape": unescape,
    "unquote": unquote,
}


@pytest.mark.parametrize("name", PARSERS)
def test_repetition_takes_linear_time(name: str) -> None:
    limit = ALLOWED * _ordinary()
    slow = []
    for prefix in PREFIXES:
        for unit in UNITS:
            text = prefix + unit * (SIZE // len(unit))
            begin = time.thread_time()
            with contextlib.suppress(SipParseError):
                PARSERS[name](text)
            if time.thread_time() - begin > limit and _seconds(PARSERS[name], text) > limit:
                slow.append((prefix, unit))
    assert slow == []
