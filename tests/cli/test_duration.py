"""Durations as they are typed and shown."""

import click
import pytest

from ringback.cli.duration import clock, duration_between, duration_text, read_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2s", 2),
        ("500ms", 0.5),
        ("1m", 60),
        ("1m30s", 90),
        ("1h", 3600),
        ("1.5h", 5400),
        ("2d", 172_800),
        ("7", 7),
        ("0.25", 0.25),
        ("0", 0),
    ],
)
def test_what_is_typed(text: str, seconds: float) -> None:
    assert read_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "2x", "-1s", "1 m", "1m 30", "1e3", "nan", "٣s", "1m30", "99999999999s"])
def test_what_is_no_duration(text: str) -> None:
    assert read_duration(text) is None


def test_within_bounds() -> None:
    seconds = duration_between(1, 60)
    assert seconds("1m") == 60
    with pytest.raises(click.BadParameter, match="'61' is not from 1s to 1m"):
        seconds("61")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.5, "500ms"), (1, "1s"), (90, "1m30s"), (3600, "1h"), (90_061, "1d1h1m1s"), (86_400, "1d"), (1.5, "1.5s")],
)
def test_what_is_shown_can_be_typed(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text
    assert read_duration(text) == seconds


def test_a_clock() -> None:
    assert [clock(seconds) for seconds in (0, 12.9, 61, 3599, 3723)] == ["00:00", "00:12", "01:01", "59:59", "1:02:03"]
