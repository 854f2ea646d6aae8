"""POSIX extended regular expressions for telephone numbers, in time linear to both (RFC 3402 §3.2, IEEE 1003.2 §2.8).

An expression of this kind comes from somebody's DNS, so it is not given to `re`, which can be made to backtrack for ever: here no step is
tried twice at the same place. Where several matches begin at the same place, repetitions take as much as they can, in their order.
"""

from __future__ import annotations

from typing import NamedTuple

ALPHABET = "+0123456789"
"""What a number is made of (RFC 6116 §3.1)."""

_ANY = frozenset(ALPHABET)
_DIGITS = frozenset("0123456789")
_CLASSES = {"digit": _DIGITS, "alnum": _DIGITS, "xdigit": _DIGITS, "punct": frozenset("+"), "graph": _ANY, "print": _ANY}
_NO_CLASSES = ("alpha", "blank", "cntrl", "lower", "space", "upper")

# Choices: what an expression says of 16 characters in earnest stays far below them.
_MOST_STEPS = 250
_DEEPEST = 20

CHARACTER, SPLIT, JUMP, SAVE, BEGIN, END = range(6)


class ExpressionError(ValueError):
    """No such expression, or one that asks for too much."""


class Step(NamedTuple):
    """One step: a character of `among`; a split to the steps `one` and `other`, the first preferred; a place saved as number `one` …"""

    kind: int
    among: frozenset[str] = frozenset()
    one: int = 0
    other: int = 0


class Expression:
    """A compiled expression."""

    def __init__(self, text: str) -> None:
        """Raises `ExpressionError`."""
        self._text = text
        self._place = 0
        self._groups = 0
        self._depth = 0
        self._steps: list[Step] = []
        steps = self._alternatives()
        if self._place < len(text):
            raise ExpressionError("unbalanced parenthesis")
        self._steps = steps

    # Steps of a part count from its own beginning: SPLIT and JUMP say how far to go.

    def _alternatives(self) -> list[Step]:
        steps = self._sequence()
        while self._peek() == "|":
            self._place += 1
            others = self._sequence()
            steps = _bounded([Step(SPLIT, one=1, other=len(steps) + 2), *steps, Step(JUMP, one=len(others) + 1), *others])
        return steps

    def _sequence(self) -> list[Step]:
        steps: list[Step] = []
        while self._peek() not in ("", "|", ")"):
            steps = _bounded(steps + self._repeated(self._atom()))
        return steps

    def _peek(self) -> str:
        return self._text[self._place : self._place + 1]

    def _next(self) -> str:
        character = self._peek()
        if not character:
            raise ExpressionError("ends too early")
        self._place += 1
        return character

    def _atom(self) -> list[Step]:
        character = self._next()
        if character == "(":
            return self._group()
        if character == "[":
            return [Step(CHARACTER, self._bracket())]
        if character == ".":
            return [Step(CHARACTER, _ANY)]
        if character == "^":
            return [Step(BEGIN)]
        if character == "$":
            return [Step(END)]
        if character in "*+?{":
            raise ExpressionError("nothing to repeat")
        if character == "\\":
            character = self._next()
            if character in "123456789":
                raise ExpressionError("back-reference within the expression")
        return [Step(CHARACTER, frozenset(character))]

    def _group(self) -> list[Step]:
        self._groups += 1
        self._depth += 1
        number = self._groups
        if self._depth > _DEEPEST:
            raise ExpressionError("nested too deeply")
        inner = self._alternatives()
        if self._next() != ")":
            raise ExpressionError("unbalanced parenthesis")
        self._depth -= 1
        return [Step(SAVE, one=2 * number), *inner, Step(SAVE, one=2 * number + 1)]

    def _bracket(self) -> frozenset[str]:
        """A bracket expression, read behind its "["; gives what of the alphabet it stands for."""
        is_negated = self._peek() == "^"
        if is_negated:
            self._place += 1
        among: set[str] = set()
        first = True
        while (character := self._next()) != "]" or first:
            first = False
            if character == "[" and self._peek() in (":", "=", "."):
                among |= self._class()
                continue
            last = character
            if self._peek() == "-" and self._text[self._place + 1 : self._place + 2] not in ("", "]"):
                self._place += 1
                last = self._next()
            among |= {one for one in ALPHABET if character <= one <= last}
        return _ANY - among if is_negated else frozenset(among)

    def _class(self) -> frozenset[str]:
        end = self._text.find(":]", self._place)
        name = self._text[self._place + 1 : end] if self._peek() == ":" and end >= 0 else ""
        if name not in _CLASSES and name not in _NO_CLASSES:
            raise ExpressionError("no such class of characters")
        self._place = end + 2
        return _CLASSES.get(name, frozenset())

    def _repeated(self, atom: list[Step]) -> list[Step]:
        while self._peek() and self._peek() in "*+?{":
            character = self._next()
            if character == "{":
                least, most = self._bounds()
            else:
                least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}[character]
            atom = _repeat(atom, least, most)
        return atom

    def _bounds(self) -> tuple[int, int | None]:
        """{m}, {m,} or {m,n}, read behind the brace."""
        end = self._text.find("}", self._place)
        low, comma, high = self._text[self._place : max(end, self._place)].partition(",")
        if end < 0 or not _is_count(low) or (high and not _is_count(high)):
            raise ExpressionError("malformed repetition")
        self._place = end + 1
        least = int(low)
        most = int(high) if high else (None if comma else least)
        if most is not None and most < least:
            raise ExpressionError("malformed repetition")
        return least, most

    def match(self, text: str) -> list[str] | None:
        """What the whole expression and each of its groups have matched in the text, leftmost; None where it does not match."""
        steps = self._steps
        tried: set[tuple[int, int]] = set()
        for start in range(len(text) + 1):
            waiting: list[tuple[int, int, dict[int, int]]] = [(0, start, {0: start})]
            while waiting:
                number, place, saved = waiting.pop()
                if (number, place) in tried:
                    continue
                tried.add((number, place))
                if number == len(steps):
                    saved = saved | {1: place}
                    return [text[saved.get(2 * group, 0) : saved.get(2 * group + 1, 0)] for group in range(self._groups + 1)]
                kind, among, one, other = steps[number]
                if kind == CHARACTER:
                    if text[place : place + 1] in among:
                        waiting.append((number + 1, place + 1, saved))
                elif kind == SPLIT:
                    waiting.append((number + other, place, saved))
                    waiting.append((number + one, place, saved))
                elif kind == JUMP:
                    waiting.append((number + one, place, saved))
                elif kind == SAVE:
                    waiting.append((number + 1, place, saved | {one: place}))
                elif place == (0 if kind == BEGIN else len(text)):
                    waiting.append((number + 1, place, saved))
        return None


def _is_count(text: str) -> bool:
    return 0 < len(text) <= 3 and text.isascii() and text.isdigit() and int(text) <= _MOST_STEPS


def _repeat(atom: list[Step], least: int, most: int | None) -> list[Step]:
    """An atom repeated: as often as it must, then as often as it may."""
    steps = _bounded(atom * least)
    if most is None:
        return _bounded([*steps, Step(SPLIT, one=1, other=len(atom) + 2), *atom, Step(JUMP, one=-len(atom) - 1)])
    optional: list[Step] = []
    for _ in range(most - least):
        optional = _bounded([Step(SPLIT, one=1, other=len(atom) + len(optional) + 1), *atom, *optional])
    return steps + optional


def _bounded(steps: list[Step]) -> list[Step]:
    if len(steps) > _MOST_STEPS:
        raise ExpressionError("asks for too much")
    return steps
