"""A part of a session description, of the whole session or of one medium: its lines, and what can stand in either (RFC 8866 §5)."""

from typing import ClassVar

from ringback.sdp.bandwidth import Bandwidth
from ringback.sdp.connection import Connection, known_connection
from ringback.sdp.errors import SdpError
from ringback.sdp.grammar import checked_text, checked_token

Line = tuple[str, str]
"""A type letter and what follows its `=`."""

DIRECTIONS = frozenset({"sendrecv", "sendonly", "recvonly", "inactive"})

_RANK = {letter: rank for rank, letter in enumerate("vosiuepcbtrzka")}
_LAST = len(_RANK)


def first_line(lines: list[Line], letter: str) -> str | None:
    """The value of the first line of `letter`, or None."""
    for one, value in lines:
        if one == letter:
            return value
    return None


def first_attribute(lines: list[Line], name: str) -> str | None:
    """The value of the first attribute `name`, "" for one without a value, or None."""
    prefix = name + ":"
    for letter, value in lines:
        if letter == "a":
            if value == name:
                return ""
            if value.startswith(prefix):
                return value[len(prefix) :]
    return None


class Section:
    """Lines in their order, of types this room knows and others. Names are case-sensitive (§5).

    Read `lines` freely; change them through the methods, which keep the order that §5 asks for and refuse with ValueError what would
    break a line. `session_lines` are the lines of the session around a medium, from which it inherits; empty in a session itself.
    """

    __slots__ = ("lines", "session_lines")

    letters: ClassVar[frozenset[str]]
    """The types of line that belong in such a section."""

    lines: list[Line]
    session_lines: list[Line]

    def __init__(self) -> None:
        self.lines = []
        self.session_lines = []

    def first(self, letter: str) -> str | None:
        """The value of the first line of this type, or None."""
        return first_line(self.lines, letter)

    def all(self, letter: str) -> list[str]:
        """The values of all lines of this type."""
        return [value for one, value in self.lines if one == letter]

    def set_line(self, letter: str, value: str) -> None:
        """Makes this the only line of its type: where the first one was, or where §5 wants it."""
        line = self._line(letter, value)
        for index, (one, _) in enumerate(self.lines):
            if one == letter:
                self.lines[index + 1 :] = [other for other in self.lines[index + 1 :] if other[0] != letter]
                self.lines[index] = line
                return
        self._insert(line)

    def add_line(self, letter: str, value: str) -> None:
        """Puts a line after those of its type, or where §5 wants it."""
        self._insert(self._line(letter, value))

    def remove_lines(self, letter: str) -> None:
        """Takes out every line of this type."""
        self.lines[:] = [line for line in self.lines if line[0] != letter]

    def _line(self, letter: str, value: str) -> Line:
        if letter not in self.letters:
            raise ValueError(f"no type of line here: {letter!r}")
        return letter, checked_text(value)

    def _insert(self, line: Line) -> None:
        rank = _RANK[line[0]]
        index = len(self.lines)
        while index and _RANK.get(self.lines[index - 1][0], _LAST) > rank:
            index -= 1
        self.lines.insert(index, line)

    def attribute(self, name: str) -> str | None:
        """The value of the first attribute of this name in this very section: "" for one without a value, None where there is none."""
        return first_attribute(self.lines, name)

    def attributes(self, name: str) -> list[str]:
        """The values of all attributes of this name in this very section."""
        prefix = name + ":"
        start = len(prefix)
        return [value[start:] for letter, value in self.lines if letter == "a" and (value.startswith(prefix) or value == name)]

    def set_attribute(self, name: str, value: str = "") -> None:
        """Makes this the only attribute of its name, where the first one was or at the end; without a value it is a flag."""
        line = self._attribute(name, value)
        prefix = name + ":"
        for index, (letter, text) in enumerate(self.lines):
            if letter == "a" and (text == name or text.startswith(prefix)):
                rest = self.lines[index + 1 :]
                self.lines[index:] = [line, *[other for other in rest if not _is_attribute(other, name, prefix)]]
                return
        self._insert(line)

    def add_attribute(self, name: str, value: str = "") -> None:
        """Puts an attribute at the end; without a value it is a flag."""
        self._insert(self._attribute(name, value))

    def remove_attribute(self, *names: str) -> None:
        """Takes out every attribute of these names."""
        self.lines[:] = [line for line in self.lines if line[0] != "a" or line[1].partition(":")[0] not in names]

    @staticmethod
    def _attribute(name: str, value: str) -> Line:
        checked_token(name, "an attribute's name")
        return "a", f"{name}:{checked_text(value)}" if value else name

    def inherited_attribute(self, name: str) -> str | None:
        """What `attribute` gives, or else the session's."""
        value = first_attribute(self.lines, name)
        return first_attribute(self.session_lines, name) if value is None else value

    @property
    def connection(self) -> Connection | None:
        """Where media go (§5.7), in a medium that does not say so where the session says; None where neither does."""
        text = first_line(self.lines, "c")
        if text is None:
            text = first_line(self.session_lines, "c")
        return None if text is None else known_connection(text)

    @connection.setter
    def connection(self, connection: Connection | None) -> None:
        if connection is None:
            self.remove_lines("c")
        else:
            self.set_line("c", str(connection))

    @property
    def bandwidths(self) -> dict[str, int]:
        """The b= lines of this section by their type (§5.8), in the type's own unit: kbit/s for CT and AS, bit/s for TIAS (RFC 3890)."""
        found: dict[str, int] = {}
        for text in self.all("b"):
            try:
                bandwidth = Bandwidth.parse(text)
            except SdpError:
                continue
            found.setdefault(bandwidth.type, bandwidth.value)
        return found

    @bandwidths.setter
    def bandwidths(self, bandwidths: dict[str, int]) -> None:
        lines = [str(Bandwidth.of(type_, value)) for type_, value in bandwidths.items()]
        self.remove_lines("b")
        for line in lines:
            self.add_line("b", line)

    @property
    def direction(self) -> str:
        """`"sendrecv"`, `"sendonly"`, `"recvonly"` or `"inactive"` (§6.7), in a medium that does not say so the session's."""
        for lines in (self.lines, self.session_lines):
            for letter, value in lines:
                if letter == "a" and value in DIRECTIONS:
                    return value
        return "sendrecv"

    @direction.setter
    def direction(self, direction: str) -> None:
        if direction not in DIRECTIONS:
            raise ValueError(f"no direction: {direction!r}")
        kept: list[Line] = []
        place = -1
        for line in self.lines:
            if line[0] == "a" and line[1] in DIRECTIONS:
                place = len(kept) if place < 0 else place
            else:
                kept.append(line)
        self.lines[:] = kept
        if place < 0:
            self._insert(("a", direction))
        else:
            self.lines.insert(place, ("a", direction))


def _is_attribute(line: Line, name: str, prefix: str) -> bool:
    return line[0] == "a" and (line[1] == name or line[1].startswith(prefix))
