from collections.abc import Callable

import pytest

from ringback.message.errors import SipParseError
from ringback.message.fields.number import parse_expires, parse_max_forwards, parse_number, parse_rseq, parse_seconds


@pytest.mark.parametrize(
    ("parse", "lowest", "highest"),
    [(parse_number, 0, 2**32 - 1), (parse_max_forwards, 0, 255), (parse_seconds, 0, 2**32 - 1), (parse_rseq, 1, 2**32 - 1)],
)
def test_the_bounds(parse: Callable[[str], int], lowest: int, highest: int) -> None:
    assert parse(str(lowest)) == lowest
    assert parse(str(highest)) == highest
    for number in (lowest - 1, highest + 1):
        with pytest.raises(SipParseError):
            parse(str(number))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("7200", 7200),
        ("4294967295", 4294967295),
        ("4294967296", 3600),
        ("1" + "0" * 100, 3600),
        ("Thu, 01 Dec 1994 16:00:00 GMT", 3600),
        ("", 3600),
    ],
)
def test_a_malformed_lifetime_is_an_hour(text: str, seconds: int) -> None:
    assert parse_expires(text) == seconds
