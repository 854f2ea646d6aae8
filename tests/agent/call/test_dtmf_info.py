"""Digits in the bodies of INFO: every way of writing one."""

from __future__ import annotations

import pytest

from ringback.agent.call.dtmf_info import DIGITS, FLASH, PLAIN, RELAY, is_dtmf, parse_digit, render_digit
from ringback.message.errors import SipParseError
from ringback.message.fields.media_type import MediaType


@pytest.mark.parametrize("content_type", [RELAY, PLAIN])
@pytest.mark.parametrize("digit", DIGITS)
def test_what_is_written_is_read(digit: str, content_type: str) -> None:
    body = render_digit(digit, 160, content_type)
    assert parse_digit(MediaType.parse(content_type), body) == digit


def test_a_relay_is_written_as_phones_write_it() -> None:
    assert render_digit("#", 250, RELAY) == b"Signal=#\r\nDuration=250\r\n"
    assert render_digit("#", 250, PLAIN) == b"#"


@pytest.mark.parametrize(
    ("content_type", "body", "digit"),
    [
        (RELAY, b"Signal= 5\nDuration= 160", "5"),
        (RELAY, b"signal=d\r\n", "D"),
        (RELAY, b"Duration=100\r\nSIGNAL = 10\r\n\r\n", "*"),
        (RELAY, b"Signal=11", "#"),
        (RELAY, b"Signal=15", "D"),
        (RELAY, b"Signal=16", FLASH),
        (RELAY, b"Signal=hf", FLASH),
        (PLAIN, b"5\r\n", "5"),
        (PLAIN, b" * ", "*"),
        (PLAIN, b"12", "A"),
        (PLAIN, b"!", FLASH),
        (PLAIN, b"Signal=7\r\nDuration=250\r\n", "7"),
    ],
)
def test_every_way_of_writing_a_digit_is_read(content_type: str, body: bytes, digit: str) -> None:
    assert parse_digit(MediaType.parse(content_type), body) == digit


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (RELAY, b""),
        (RELAY, b"5"),
        (RELAY, b"Signal="),
        (RELAY, b"Signal=55"),
        (RELAY, b"Signal=\xd9\xa3"),
        (RELAY, b"Signal=5\r\nDuration=long"),
        (RELAY, b"Signal=5\r\nDuration=" + b"9" * 500),
        (RELAY, b"Signal=5\r\n" * 500),
        (PLAIN, b""),
        (PLAIN, b"E"),
        (PLAIN, b"17"),
    ],
)
def test_what_is_no_digit(content_type: str, body: bytes) -> None:
    with pytest.raises(SipParseError):
        parse_digit(MediaType.parse(content_type), body)


@pytest.mark.parametrize(("digit", "content_type"), [("12", RELAY), ("", RELAY), ("x", RELAY), ("!", PLAIN), ("1", "text/plain")])
def test_what_cannot_be_written(digit: str, content_type: str) -> None:
    with pytest.raises(ValueError, match=r"no digit|no way"):
        render_digit(digit, 160, content_type)


def test_the_two_types() -> None:
    assert is_dtmf(MediaType.parse("Application/DTMF-Relay;x=1"))
    assert is_dtmf(MediaType.parse("application/dtmf"))
    assert not is_dtmf(MediaType.parse("application/sdp"))
