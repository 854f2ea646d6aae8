"""The basic rules of RFC 3261 §25.1 that every header field is built from: token, quoted-string, parameters, comma lists.

Each pattern stands under the ABNF name it renders. All of them are linear: possessive quantifiers leave nothing to go back to.
"""

import re
from collections.abc import Callable

from ringback.message.errors import SipParseError

MAX_URI = 1024
"""Longest URI that is parsed, in characters; the same number as Kamailio's MAX_URI_SIZE."""

MAX_PARAMS = 64
"""Most parameters of one value or one URI. A choice: real SIP stays below 20, RFC 4475's stranger messages below 10."""

MAX_IDENTIFIER = 256
"""Longest tag, branch or Call-ID, in characters. Generators write 16 to 80; RFC 4475 §3.1.1.7 shows 155 and 215."""

Params = dict[str, str | None]
"""Parameters by lower-case name; None is a name without a value."""

# token = 1*(alphanum / "-" / "." / "!" / "%" / "*" / "_" / "+" / "`" / "'" / "~" )
TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]++"  # noqa: S105  # no secret, the ABNF rule
# word adds ( ) < > : \ " / [ ] ? { } to token
WORD = r"[A-Za-z0-9\-.!%*_+`'~()<>:\\\"/\[\]?{}]++"
# quoted-string = DQUOTE *(qdtext / quoted-pair ) DQUOTE; octets that are not UTF-8 (surrogates) count as UTF8-NONASCII
QUOTED_STRING = r'"[^"\\\x00-\x08\x0a-\x1f\x7f]*+(?>(?:\\[\x00-\x09\x0b\x0c\x0e-\x7f][^"\\\x00-\x08\x0a-\x1f\x7f]*+)*)"'

_token = re.compile(TOKEN).fullmatch
_word_at_word = re.compile(f"{WORD}(?:@{WORD})?").fullmatch
_quoted_at = re.compile(QUOTED_STRING).match
_quoted_pair = re.compile(r"\\(.)", re.DOTALL)
_needs_pair = re.compile(r'["\\\x00-\x08\x0b\x0c\x0e-\x1f\x7f]')
_escaped_octet = re.compile(rb"%([0-9A-Fa-f]{2})")
_list_mark = re.compile(r'[",<]').search
_param_mark = re.compile(r'[";<]').search
_comment_marks = re.compile(r"[()]|\\.", re.DOTALL).finditer

# generic-param = token [ EQUAL ( token / host / quoted-string ) ]
# Departs from RFC 3261 §25.1: an unquoted value may hold any visible ASCII but the separators that end it, because deployed
# peers write addresses, base64 and URNs there and a relay has no reason to refuse them.
PARAM_VALUE = r"[!#-+\--:=?-\[\]-~]++"
_param_value = re.compile(PARAM_VALUE).fullmatch
PLAIN_PARAMS = f"(?>(?:;{TOKEN}(?>(?:={PARAM_VALUE})?))*)"
_are_plain_params = re.compile(PLAIN_PARAMS).fullmatch

_ASCII_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_ASCII_UPPER = {lower: upper for upper, lower in _ASCII_LOWER.items()}


def ascii_lower(text: str) -> str:
    """`text` with A–Z lowered and nothing else touched: §7.3.1 compares without case, and only ASCII has case there."""
    return text.lower() if text.isascii() else text.translate(_ASCII_LOWER)


def ascii_upper(text: str) -> str:
    """`text` with a–z raised and nothing else touched."""
    return text.upper() if text.isascii() else text.translate(_ASCII_UPPER)


def is_token(text: str) -> bool:
    """Whether `text` is a non-empty token."""
    return _token(text) is not None


def is_quoted(text: str) -> bool:
    """Whether `text` is one whole quoted-string."""
    found = _quoted_at(text)
    return found is not None and found.end() == len(text)


def is_call_id(text: str) -> bool:
    """Whether `text` is a callid: word [ "@" word ]."""
    return _word_at_word(text) is not None


def parse_uint(text: str, maximum: int) -> int:
    """The value of 1*DIGIT, from 0 to `maximum`; at most ten digits, so that no text buys a long conversion."""
    if not (text.isascii() and text.isdigit()):
        raise SipParseError("not a number")
    if len(text) > 10:
        raise SipParseError("number too large")
    number = int(text)
    if number > maximum:
        raise SipParseError("number too large")
    return number


def unquote(text: str) -> str:
    """The content of a quoted-string with its quoted-pairs undone; any other text as it is."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    inner = text[1:-1]
    return _quoted_pair.sub(r"\1", inner) if "\\" in inner else inner


def quote(text: str) -> str:
    """`text` as a quoted-string. CR and LF cannot stand in one, not even escaped: ValueError."""
    if "\r" in text or "\n" in text:
        raise ValueError("a quoted string cannot hold CR or LF")
    return f'"{_needs_pair.sub(_pair, text)}"'


def _pair(found: re.Match[str]) -> str:
    return "\\" + found[0]


def unescape(text: str) -> str:
    """`text` with every %HH undone, as UTF-8; octets that are no UTF-8 become surrogates (`surrogateescape`)."""
    if "%" not in text:
        return text
    return _escaped_octet.sub(_octet, text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def _octet(found: re.Match[bytes]) -> bytes:
    return bytes((int(found[1], 16),))


def escape(text: str, allowed: frozenset[str]) -> str:
    """`text` with every character outside `allowed` written as %HH of its UTF-8 octets."""
    if allowed.issuperset(text):
        return text
    return "".join(
        one if one in allowed else "".join([f"%{octet:02X}" for octet in one.encode("utf-8", "surrogateescape")]) for one in text
    )


def skip_quoted(text: str, start: int) -> int:
    """The index after the quoted-string that begins at `start`; SipParseError if it never ends."""
    found = _quoted_at(text, start)
    if found is None:
        raise SipParseError("quoted string is not closed")
    return found.end()


def skip_comment(text: str, start: int) -> int:
    """The index after the comment (comments nest) that begins at `start`, or -1 if it never ends."""
    depth = 0
    for found in _comment_marks(text, start):
        mark = found[0]
        if mark == "(":
            depth += 1
        elif mark == ")":
            depth -= 1
            if depth == 0:
                return found.end()
    return -1


def split_list(text: str) -> list[str]:
    """The elements of a comma list (§7.3.1), trimmed; commas in quoted strings and `<…>` do not separate.

    Parentheses do not shelter a comma: no field that is a list may hold comments, elsewhere they are ordinary characters (§25.1).
    Text that is empty or blank is the empty list (`Supported:` may be empty); an empty element beside others raises SipParseError.
    """
    if '"' in text or "<" in text:
        elements = _split_marked(text, ",", _list_mark)
    elif "," in text:
        elements = [element.strip(" \t") for element in text.split(",")]
    else:
        text = text.strip(" \t")
        return [text] if text else []
    if "" in elements:
        raise SipParseError("empty element in list")
    return elements


def _split_marked(text: str, separator: str, next_mark: Callable[..., re.Match[str] | None]) -> list[str]:
    """`text` cut at each separator outside quoted strings and `<…>`; `next_mark` finds the next separator, quote or `<`."""
    elements = []
    start = 0
    found = next_mark(text)
    while found is not None:
        position = found.start()
        mark = text[position]
        if mark == separator:
            elements.append(text[start:position].strip(" \t"))
            start = position = position + 1
        elif mark == '"':
            position = skip_quoted(text, position)
        else:
            position = text.find(">", position) + 1
            if position == 0:
                raise SipParseError("'<' is not closed")
        found = next_mark(text, position)
    elements.append(text[start:].strip(" \t"))
    return elements


def split_params(text: str) -> list[str]:
    """`text` cut at the semicolons outside quoted strings and `<…>`, trimmed; the first element is what precedes the first one."""
    if '"' not in text and "<" not in text:
        return [part.strip(" \t") for part in text.split(";")]
    return _split_marked(text, ";", _param_mark)


def parse_params(text: str) -> Params:
    """The parameters of `;name=value;name…` by lower-case name; None for a name alone, a quoted value keeps its quotes (see `unquote`).

    Raises SipParseError for anything else than parameters, a name twice (§7.3.1) and more than `MAX_PARAMS`.
    """
    if not text:
        return {}
    if _are_plain_params(text) is not None:
        return plain_params(text)
    parts = split_params(text)
    if parts[0]:
        raise SipParseError("';' expected")
    for part in parts[1:]:
        _check_param(part)
    return _params(parts)


def plain_params(text: str) -> Params:
    """What `parse_params` gives, for text already known to match `PLAIN_PARAMS`."""
    return _params(text.split(";")) if text else {}


def _params(parts: list[str]) -> Params:
    count = len(parts) - 1
    if count > MAX_PARAMS:
        raise SipParseError("too many parameters")
    params: Params = {}
    for part in parts[1:]:
        name, equal, value = part.partition("=")
        if equal:
            params[name.rstrip(" \t").lower()] = value.lstrip(" \t")
        else:
            params[name.lower()] = None
    if len(params) != count:
        raise SipParseError("parameter given twice")
    return params


def _check_param(part: str) -> None:
    name, equal, value = part.partition("=")
    if _token(name.rstrip(" \t")) is None:
        raise SipParseError("bad parameter name" if part else "empty parameter")
    if equal:
        value = value.lstrip(" \t")
        if _param_value(value) is None and not is_quoted(value):
            raise SipParseError("bad parameter value")


def render_params(params: Params) -> str:
    """The parameters as `;name=value;name`, in their order."""
    return "".join([f";{name}" if value is None else f";{name}={value}" for name, value in params.items()])
