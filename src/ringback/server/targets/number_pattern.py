"""Patterns of numbers as dial plans write them: `0[1-9]XX.`; matching takes linear time whatever is dialled."""

from __future__ import annotations

import re
from collections.abc import Callable

_CLASSES = {"X": "[0-9]", "Z": "[1-9]", "N": "[2-9]"}
_literal = re.compile(r"[0-9A-Za-z+*#\-_~=,/&$@%]").fullmatch
_set = re.compile(r"\[(?:[0-9A-Za-z](?:-[0-9A-Za-z])?|[+*#])+\]").match

ALLOWED = "digits, X (0–9), Z (1–9), N (2–9), [1-5], and at the end . (one or more characters) or ! (any number)"


def number_pattern(text: str) -> Callable[[str], object]:
    """A predicate for users of URIs: truthy where the whole user fits. Raises `ValueError` that says what a pattern may hold.

    The letters X, Z and N stand for digits as in every dial plan; another letter stands for itself.
    """
    if not text:
        raise ValueError(f"a pattern needs at least one of: {ALLOWED}")
    parts = []
    position = 0
    while position < len(text):
        character = text[position]
        if character in ".!" and position == len(text) - 1:
            parts.append(".+" if character == "." else ".*")
            position += 1
        elif character in _CLASSES:
            parts.append(_CLASSES[character])
            position += 1
        elif found := _set(text, position):
            parts.append(found.group())
            position = found.end()
        elif _literal(character):
            parts.append(re.escape(character))
            position += 1
        else:
            raise ValueError(f"{character!r} at position {position + 1} has no place here; a pattern is made of {ALLOWED}")
    try:
        return re.compile("".join(parts), re.DOTALL).fullmatch
    except re.error:
        # A range written backwards, [5-1].
        raise ValueError(f"no set runs backwards; a pattern is made of {ALLOWED}") from None
