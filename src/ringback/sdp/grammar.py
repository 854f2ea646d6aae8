"""The basic rules of RFC 8866 §9 that every line is built from: token, number, visible text.

Patterns of this room are linear. No group is repeated possessively, only single classes of characters: in CPython 3.11.2 `(?:/b++)*+`
takes the slash of `/c`. A repeated group stands in an atomic one instead, which is read rightly.
"""

import re

from ringback.sdp.errors import SdpError

# token = 1*(ALPHA / DIGIT / "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" / "." / "^" / "_" / "`" / "{" / "|" / "}" / "~")
TOKEN = r"[A-Za-z0-9!#$%&'*+\-.^_`{|}~]++"  # noqa: S105  # no secret, the ABNF rule

is_token = re.compile(TOKEN).fullmatch
# non-ws-string = 1*(VCHAR/%x80-FF)
is_visible = re.compile(r"[^\x00-\x20\x7f]++").fullmatch
# byte-string, but it may be empty: any octet except NUL, LF and CR
_is_text = re.compile(r"[^\x00\r\n]*+").fullmatch

_ASCII_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def parse_number(text: str, maximum: int) -> int:
    """The value of 1*DIGIT, from 0 to `maximum`; at most twenty digits, so that no text buys a long conversion. Raises SdpError."""
    if not (text.isascii() and text.isdigit()):
        raise SdpError("not a number")
    if len(text) > 20:
        raise SdpError("number too large")
    number = int(text)
    if number > maximum:
        raise SdpError("number too large")
    return number


def parse_decimal(text: str, maximum: int) -> float:
    """The value of 1*DIGIT [ "." 1*DIGIT ], from 0 to `maximum`. Raises SdpError."""
    whole, point, fraction = text.partition(".")
    number: float = parse_number(whole, maximum)
    if point:
        number += parse_number(fraction, 10 ** len(fraction)) / 10 ** len(fraction)
    return number


def words(text: str) -> list[str]:
    """The parts of `text` between spaces."""
    # Departs from RFC 8866 §5: runs of spaces and spaces at either end separate like one, since phones, and RFC 4475's own examples
    # (`t= 0 0`), write them.
    parts = text.split(" ")
    return [part for part in parts if part] if "" in parts else parts


def ascii_lower(text: str) -> str:
    """`text` with A–Z lowered and nothing else touched: only ASCII has case in a token."""
    return text.lower() if text.isascii() else text.translate(_ASCII_LOWER)


def checked_text(text: str) -> str:
    """`text`, if it may stand in a line: ValueError for NUL, CR, LF and what UTF-8 has no octets for."""
    if _is_text(text) is None:
        raise ValueError("a line of a session description cannot hold NUL, CR or LF")
    if not text.isascii():
        text.encode("utf-8", "surrogateescape")
    return text


def checked_visible(text: str, what: str) -> str:
    """`text`, if it is one visible word: ValueError that says `what` it should have been."""
    if is_visible(text) is None:
        raise ValueError(f"{what} must be visible characters without a space: {text!r}")
    return text


def checked_token(text: str, what: str) -> str:
    """`text`, if it is a token: ValueError that says `what` it should have been."""
    if is_token(text) is None:
        raise ValueError(f"{what} must be a token: {text!r}")
    return text
