"""From octets to sections: lines, their types, what must be there once and what must be there at all (RFC 8866 §5)."""

from collections.abc import Callable
from typing import TypeVar

from ringback.sdp.connection import Connection
from ringback.sdp.errors import SdpError
from ringback.sdp.limits import SdpLimits
from ringback.sdp.media import MediaDescription
from ringback.sdp.origin import known_origin
from ringback.sdp.section import Line, first_line

Value = TypeVar("Value")

_ONCE = {"v": "version", "o": "origin", "s": "session name"}


def split_lines(octets: bytes, limits: SdpLimits) -> tuple[list[str], bool]:
    """The lines without their ends, and whether each ended in CRLF; octets that are no UTF-8 become surrogates. Raises SdpError.

    A line may end in LF alone, as §5 wishes, and the last one in nothing.
    """
    if len(octets) > limits.octets:
        raise SdpError("description too long")
    text = octets.decode("utf-8", "surrogateescape")
    ends = text.count("\r\n")
    if "\0" in text:
        raise SdpError("NUL in a line", text.count("\n", 0, text.index("\0")) + 1)
    if text.count("\n") == ends and text.endswith("\r\n") and not text.endswith("\r\n\r\n"):
        rows = text[:-2].split("\r\n")
        is_plain = True
    else:
        rows = [row.removesuffix("\r") for row in text.split("\n")]
        # Departs from RFC 8866 §9: empty lines after the last one are passed over; senders who count wrongly leave them.
        while rows and not rows[-1]:
            rows.pop()
        is_plain = False
    if text.count("\r") != ends:
        for number, row in enumerate(rows, 1):
            if "\r" in row:
                raise SdpError("CR within a line", number)
        # What is left is a CR behind the last line, where an LF may be cut off.
    return rows, is_plain


def read_sections(rows: list[str], limits: SdpLimits) -> tuple[list[Line], list[MediaDescription]]:
    """The lines of the session and its media; raises SdpError for what makes a description unusable."""
    # Departs from RFC 8866 §5: behind v= the lines of a section may stand in any order, because deployed phones put b= before c= or a=
    # before t= and nothing is ambiguous about it.
    # Departs from RFC 8866 §5 and §5.12: a line of a type that nobody defined is kept and passed over, as is k=, so that a description
    # that only passes through leaves as it came.
    session: list[Line] = []
    lines = session
    media: list[MediaDescription] = []
    numbers: list[int] = []
    if not rows or rows[0].rstrip(" ") != "v=0":
        raise SdpError("description of another kind than v=0", 1)
    for number, row in enumerate(rows, 1):
        if row[1:2] != "=":
            raise SdpError("line without a type", number)
        letter, value = row[0], row[2:]
        if letter != "a":
            if letter == "m":
                medium = _checked(MediaDescription.parse, value, number)
                medium.session_lines = session
                media.append(medium)
                numbers.append(number)
                if len(medium.formats) > limits.formats:
                    raise SdpError("too many formats", number)
                if len(media) > limits.media:
                    raise SdpError("too many media", number)
                lines = medium.lines
                continue
            if letter in _ONCE:
                if media or (number > 1 and first_line(session, letter) is not None):
                    raise SdpError(f"{_ONCE[letter]} given twice", number)
                if letter == "o":
                    _checked(known_origin, value, number)
            elif letter == "c":
                if lines is session and first_line(session, "c") is not None:
                    raise SdpError("connection of the session given twice", number)
                _checked(Connection.parse, value, number)
            elif not (letter.isascii() and letter.isalpha()):
                raise SdpError("line without a type", number)
        lines.append((letter, value))
        if len(lines) > limits.section_lines:
            raise SdpError("too many lines in one section", number)
    _check_completeness(session, media, numbers)
    return session, media


def _checked(parse: Callable[[str], Value], text: str, number: int) -> Value:
    """What `parse` makes of the line, an error with the line's number."""
    try:
        return parse(text)
    except SdpError as error:
        raise SdpError(error.reason, number) from None


def _check_completeness(session: list[Line], media: list[MediaDescription], numbers: list[int]) -> None:
    """Raises SdpError where a line is missing that must be there."""
    for letter, name in (("o", "origin"), ("s", "session name"), ("t", "time")):
        if first_line(session, letter) is None:
            raise SdpError(f"description without {name}")
    if first_line(session, "c") is None:
        for medium, number in zip(media, numbers, strict=True):
            # Departs from RFC 8866 §5.7: a medium that is refused goes nowhere and may lack its c=, as answers of deployed phones do.
            if medium.port and first_line(medium.lines, "c") is None:
                raise SdpError("medium without connection", number)
