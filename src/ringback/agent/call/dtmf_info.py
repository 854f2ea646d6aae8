"""Digits in the bodies of INFO, as telephones write them: application/dtmf-relay and application/dtmf.

No RFC defines the two; RFC 6086 §9 keeps such uses of INFO as they are. The forms are Cisco's: `Signal=5` and `Duration=160` in lines of
their own, or a digit and nothing else.
"""

from __future__ import annotations

from ringback.message.errors import SipParseError
from ringback.message.fields.media_type import MediaType
from ringback.message.grammar import ascii_lower, ascii_upper, parse_uint

RELAY = "application/dtmf-relay"
PLAIN = "application/dtmf"

FLASH = "!"
"""The hook flash among the digits."""

DIGITS = "0123456789*#ABCD"
"""What can be sent: RFC 4733's events 0 to 15, in their order."""

# A choice: forty times what any phone writes.
_LONGEST = 1024

# RFC 4733 §3.2 numbers what has no key of its own; some phones write the number, or a word for the flash.
_NUMBERED = {**{str(number): DIGITS[number] for number in range(10, 16)}, **dict.fromkeys(("16", "hf", "flash", FLASH), FLASH)}


def is_dtmf(content_type: MediaType) -> bool:
    """Whether a body of this type holds a digit."""
    return content_type.essence in (RELAY, PLAIN)


def parse_digit(content_type: MediaType, body: bytes) -> str:
    """The digit in a body: one of `DIGITS`, or `FLASH`. Raises `SipParseError` where there is none."""
    if len(body) > _LONGEST:
        raise SipParseError("too long for a digit", "body")
    text = body.decode("ascii", "replace")
    if content_type.essence == RELAY or "=" in text:
        text = _lines(text).get("signal", "")
    return _digit(text.strip(" \t\r\n"))


def render_digit(digit: str, duration: int, content_type: str) -> bytes:
    """The body for one of `DIGITS`, held for so many milliseconds. ValueError for what is none."""
    if len(digit) != 1 or digit not in DIGITS:
        raise ValueError(f"no digit: {digit!r}")
    if content_type == PLAIN:
        return digit.encode("ascii")
    if content_type == RELAY:
        return f"Signal={digit}\r\nDuration={duration}\r\n".encode("ascii")
    raise ValueError(f"no way to write a digit: {content_type}")


def _lines(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in text.replace("\r", "\n").split("\n"):
        name, _, value = line.partition("=")
        found.setdefault(ascii_lower(name.strip(" \t")), value.strip(" \t"))
    if "duration" in found:
        # Nobody waits for it here, but what is no number makes the body malformed.
        parse_uint(found["duration"], 0xFFFFFFFF)
    return found


def _digit(text: str) -> str:
    digit = ascii_upper(text)
    if len(digit) == 1 and digit in DIGITS:
        return digit
    named = _NUMBERED.get(ascii_lower(text))
    if named is None:
        raise SipParseError("no digit", "body")
    return named
