"""Durations as people write them: `2s`, `1m30s`, `500ms`."""

import re
from collections.abc import Callable

import click

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
# Each part begins with a digit and ends with its unit, so that there is one way to read a text.
_PART = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h|d)", re.ASCII)
_BARE = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", re.ASCII)


def duration_between(least: float, most: float = 86_400.0 * 365) -> Callable[[str], float]:
    """An option type: a duration within bounds, in seconds; a bare number is seconds."""

    # Its name is what the help shows for the value.
    def duration(text: str) -> float:
        seconds = read_duration(text)
        if seconds is None:
            raise click.BadParameter(f"{text[:60]!r} is no duration such as 500ms, 2s, 1m30s or 1h")
        if not least <= seconds <= most:
            raise click.BadParameter(f"{text!r} is not from {duration_text(least)} to {duration_text(most)}")
        return seconds

    return duration


def read_duration(text: str) -> float | None:
    """The seconds that a text such as `1m30s` says; None where it says none."""
    if _BARE.fullmatch(text):
        return float(text)
    seconds = 0.0
    position = 0
    while position < len(text):
        part = _PART.match(text, position)
        if part is None:
            return None
        seconds += float(part[1]) * _UNITS[part[2]]
        position = part.end()
    return seconds if text else None


def duration_text(seconds: float) -> str:
    """A duration as `--expires` takes it: `1m30s`."""
    if 0 < seconds < 1:
        return f"{seconds * 1000:g}ms"
    text = ""
    left = seconds
    for unit in ("d", "h", "m"):
        count, left = divmod(left, _UNITS[unit])
        if count:
            text += f"{count:.0f}{unit}"
    return f"{text}{left:g}s" if left or not text else text


def clock(seconds: float) -> str:
    """How long something has lasted, as a phone shows it: `00:12`, `1:02:03`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"
