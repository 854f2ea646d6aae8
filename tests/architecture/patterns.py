"""Which regular expressions message/ compiles, and whether one can take more than linear time.

Run as a program it imports every module of ringback.message with a `re.compile` that takes notes, and prints them as JSON.
"""

import importlib
import json
import pkgutil
import re
import sys
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

SMALL = 64
"""A bounded repetition up to this many times is no danger by itself; nested ones count as their product."""

_SINGLE = (codes.IN, codes.LITERAL, codes.NOT_LITERAL, codes.ANY)


def fault_of(pattern: str) -> str | None:
    """What is wrong with a pattern, None when it is linear: possessive or atomic, but for one free repetition that is not nested."""
    return _fault(parser.parse(pattern))


def _fault(items: Any) -> str | None:
    free: list[str] = []
    fault = _walk(items, 1, free)
    if fault is not None or len(free) <= 1:
        return fault
    return f"{len(free)} repetitions can trade characters"


def _walk(items: Any, around: int, free: list[str]) -> str | None:
    """Notes the free repetitions of `items` in `free`; `around`: how often the repetitions around them may run together."""
    for code, value in items:
        bodies: list[Any] = []
        inner = around
        if code in (codes.MAX_REPEAT, codes.MIN_REPEAT):
            low, high, body = value
            count = SMALL + 1 if high is codes.MAXREPEAT else int(high)
            if count > SMALL and low != high:
                if around > 1:
                    return "a repetition inside a repetition can be retried"
                free.append("open")
            bodies, inner = [body], max(around, 1) * count
        elif code is codes.POSSESSIVE_REPEAT or code is codes.ATOMIC_GROUP:
            if code is codes.POSSESSIVE_REPEAT and (len(value[2]) > 1 or value[2][0][0] not in _SINGLE):
                return "a group is repeated possessively: CPython 3.11 lets such a group match half of itself; (?>(?:…)*) is right"
            # Nothing outside can make it retry, so its inside is judged as a pattern of its own.
            fault = _fault(value[2] if code is codes.POSSESSIVE_REPEAT else value)
            if fault is not None:
                return fault
        elif code is codes.SUBPATTERN:
            bodies = [value[3]]
        elif code is codes.BRANCH:
            bodies = list(value[1])
        elif code in (codes.ASSERT, codes.ASSERT_NOT):
            bodies = [value[1]]
        for body in bodies:
            fault = _walk(body, inner, free)
            if fault is not None:
                return fault
    return None


def _record() -> list[tuple[str, str]]:
    """(module, pattern) of every re.compile while ringback.message is imported."""
    seen: list[tuple[str, str]] = []
    compile_ = re.compile

    def note(pattern: Any, flags: Any = 0) -> Any:
        where = sys._getframe(1).f_globals.get("__name__", "")
        if where.startswith("ringback.") and isinstance(pattern, (str, bytes)):
            seen.append((where, pattern if isinstance(pattern, str) else pattern.decode("latin-1")))
        return compile_(pattern, flags)

    re.compile = note
    package = importlib.import_module("ringback.message")
    for module in pkgutil.walk_packages(package.__path__, "ringback.message."):
        importlib.import_module(module.name)
    return seen


if __name__ == "__main__":
    print(json.dumps(_record()))
