"""Hostile text on a terminal (reliability of the logs): escaped and cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.trace.printable import LONGEST, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Bob Würmchen 電話", "Bob Würmchen 電話"),
        ("a\r\nb\tc\0", "a\\x0d\\x0ab\\x09c\\x00"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\u2066x\u2069\u200f\u061c", "\\u2066x\\u2069\\u200f\\u061c"),
        ("\u2028", "\\u2028"),
        ("\U000e0001", "\\U000e0001"),
        (b"caf\xe9".decode("utf-8", "surrogateescape"), "caf\\xe9"),
        ("\ud800", "\\ud800"),
        ("C:\\x1b", "C:\\\\x1b"),
    ],
)
def test_escapes(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_cut() -> None:
    assert printable("x" * 256) == "x" * 256
    assert printable("x" * 257) == "x" * 255 + "…"
    assert printable("abcdef", 4) == "abc…"


@given(st.text(st.characters(codec=None), max_size=300))
def test_nothing_printed_has_power(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    shown.encode("utf-8")
    assert len(shown) <= 10 * LONGEST
