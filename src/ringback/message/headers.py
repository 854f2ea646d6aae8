"""The header fields of one message: ordered, blind to case and compact forms, raw until asked for (RFC 3261 §7.3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ringback.message.errors import SipParseError
from ringback.message.fields.registry import COMPACT_FORMS, FIELDS
from ringback.message.grammar import ascii_lower, is_token, split_list


def _spellings() -> dict[str, str]:
    """Every usual way to write a known field's name, so that one dict lookup gives its key."""
    table = {}
    for key, field in FIELDS.items():
        for name in (field.name, key, field.name.upper()):
            table[name] = key
    for compact, key in COMPACT_FORMS.items():
        table[compact] = table[compact.upper()] = key
    return table


_KEYS = _spellings()

# Fields that say where a message goes. Others may be empty, some by their grammar (§20.1, §20.5, §20.37), the rest because it harms nobody.
_NEVER_EMPTY = frozenset(("via", "route", "record-route", "path", "service-route"))


def key_of(name: str) -> str:
    """The key of a field name: its long form in lower case (§7.3.1, §7.3.3)."""
    key = _KEYS.get(name)
    if key is None:
        key = ascii_lower(name)
        key = COMPACT_FORMS.get(key, key)
    return key


def split_lines(lines: list[str]) -> tuple[list[str], list[str]]:
    """Gives the keys of raw header lines and the lines themselves, a folded field as one line with its folds kept (§7.3.1).

    Raises `SipParseError` where a line is no header field.
    """
    try:
        keys = [_KEYS[line[: line.index(":")]] for line in lines]
    except (KeyError, ValueError):
        return _split_unusual_lines(lines)
    return keys, lines


def _split_unusual_lines(lines: list[str]) -> tuple[list[str], list[str]]:
    """The same for heads with folds, unknown names, or blanks before the colon."""
    keys: list[str] = []
    whole: list[list[str]] = []
    for line in lines:
        if line[:1] in (" ", "\t"):
            if not whole:
                raise SipParseError("Header Begins with White Space")
            whole[-1].append(line)
            continue
        name, colon, _ = line.partition(":")
        name = name.rstrip(" \t")
        if not colon or not is_token(name):
            raise SipParseError("Malformed Header Line")
        keys.append(key_of(name))
        whole.append([line])
    return keys, ["\r\n".join(parts) for parts in whole]


def value_of(line: str) -> str:
    """The value of a raw line: unfolded, trimmed of blanks."""
    text = line[line.index(":") + 1 :].strip(" \t")
    if "\r" in text:
        text = " ".join([part.strip(" \t") for part in text.split("\r\n")]).strip(" ")
    return text


def _checked(value: object) -> str:
    text = str(value)
    # An escaped NUL may stand in a quoted string (RFC 4475 §3.1.1.2).
    if "\r" in text or "\n" in text or ("\0" in text and "\0" in text.replace("\\\0", "")):
        raise ValueError(f"a header field value may hold no CR, LF or NUL: {text!r}")
    return text


class Headers:
    """An ordered list of header fields.

    A name may be given in any case and in its compact form. `text`/`texts` give raw values, `value`/`values` typed ones, parsed once.
    A value to be set is text or a typed value; one with CR, LF or NUL raises `ValueError`, so no field can smuggle in another.
    """

    __slots__ = ("_all", "_first", "_tags", "keys", "lines")

    keys: list[str]
    """The key of each field, in order; to be read only."""
    lines: list[str]
    """The raw line of each field as it goes on the wire, without its CRLF; to be read only."""

    def __init__(self, fields: Iterable[tuple[str, object]] = ()) -> None:
        self.keys = []
        self.lines = []
        self._first: dict[str, Any] | None = None
        self._all: dict[str, list[Any]] | None = None
        self._tags: dict[str, str | None] | None = None
        for name, value in fields:
            self.append(name, value)

    @classmethod
    def from_lines(cls, keys: list[str], lines: list[str]) -> Headers:
        """Headers over lists that `split_lines` made; the lists are taken, not copied."""
        headers = cls.__new__(cls)
        headers.keys = keys
        headers.lines = lines
        headers._first = None
        headers._all = None
        headers._tags = None
        return headers

    def copy(self) -> Headers:
        """An independent copy; typed values already parsed are parsed anew when asked for."""
        return Headers.from_lines(self.keys.copy(), self.lines.copy())

    def __contains__(self, name: str) -> bool:
        return (_KEYS.get(name) or key_of(name)) in self.keys

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for line in self.lines:
            yield line[: line.index(":")].rstrip(" \t"), value_of(line)

    def count(self, name: str) -> int:
        """How many lines carry this field."""
        return self.keys.count(key_of(name))

    def text(self, name: str) -> str | None:
        """The raw value of the field's first line, None where the field is absent."""
        key = _KEYS.get(name) or key_of(name)
        keys = self.keys
        return value_of(self.lines[keys.index(key)]) if key in keys else None

    def texts(self, name: str) -> list[str]:
        """Every raw value, in order; comma lists are split where the field is a list (§7.3.1)."""
        key = key_of(name)
        if key not in self.keys:
            return []
        lines = [value_of(line) for k, line in zip(self.keys, self.lines, strict=True) if k == key]
        field = FIELDS.get(key)
        if field is None or not field.is_list:
            return lines
        try:
            texts = [text for line in lines for text in split_list(line)]
            if field.limit is not None and len(texts) > field.limit:
                raise SipParseError("too many values")
            if "" in lines and key in _NEVER_EMPTY:
                raise SipParseError("no value")
        except SipParseError as error:
            raise SipParseError(error.reason, field.name) from None
        return texts

    def value(self, name: str) -> Any:
        """The first value, typed by the registry (text where the field is unknown); None where it is absent.

        Raises `SipParseError` that names the field where it does not parse.
        """
        return self.first(key_of(name))

    def first(self, key: str) -> Any:
        """`value` for those who have the key at hand."""
        first = self._first
        if first is None:
            first = self._first = {}
        elif key in first:
            return first[key]
        keys = self.keys
        if key not in keys:
            return None
        line = self.lines[keys.index(key)]
        text = value_of(line)
        field = FIELDS.get(key)
        if field is None or field.parse is None:
            return text
        try:
            if "," in text and field.is_list:
                text = split_list(text)[0]
            elif not text and field.is_list:
                return next(iter(self.values(key)), None)
            parsed = first[key] = field.parse(text)
        except SipParseError as error:
            raise SipParseError(error.reason, field.name) from None
        return parsed

    def values(self, name: str) -> list[Any]:
        """Every value, typed by the registry; raises `SipParseError` that names the field where one does not parse."""
        key = key_of(name)
        if self._all is None:
            self._all = {}
        elif key in self._all:
            return self._all[key]
        texts: list[Any] = self.texts(key)
        field = FIELDS.get(key)
        if field is not None and field.parse is not None:
            try:
                texts = [field.parse(text) for text in texts]
            except SipParseError as error:
                raise SipParseError(error.reason, field.name) from None
        self._all[key] = texts
        return texts

    def set(self, name: str, value: object) -> None:
        """Leaves exactly one field of this name, where the first stood, else at the end."""
        key = _KEYS.get(name) or key_of(name)
        keys = self.keys
        line = f"{name}: {_checked(value)}"
        if key not in keys:
            keys.append(key)
            self.lines.append(line)
            return
        first = keys.index(key)
        self.lines[first] = line
        while keys.count(key) > 1:
            index = keys.index(key, first + 1)
            del keys[index], self.lines[index]
        self._forget(key)

    def append(self, name: str, value: object) -> None:
        """Adds a field after all others."""
        key = _KEYS.get(name) or key_of(name)
        line = f"{name}: {_checked(value)}"
        self.keys.append(key)
        self.lines.append(line)
        self._forget(key)

    def prepend(self, name: str, value: object) -> None:
        """Adds a value before all others of its field; a field not there yet goes below the Vias, Via on top."""
        key = _KEYS.get(name) or key_of(name)
        line = f"{name}: {_checked(value)}"
        keys = self.keys
        if key in keys:
            index = keys.index(key)
        else:
            index = 0
            if key != "via":
                while index < len(keys) and keys[index] == "via":
                    index += 1
        keys.insert(index, key)
        self.lines.insert(index, line)
        self._forget(key)

    def replace_first(self, name: str, value: object) -> None:
        """Puts a value in the place of the field's first one; KeyError where the field is absent."""
        key = key_of(name)
        rest = self._take_first(key)
        index = self.keys.index(key)
        line = f"{name}: {_checked(value)}"
        self.lines[index] = f"{line}, {rest}" if rest else line

    def remove_first(self, name: str) -> None:
        """Removes the first value of a field; KeyError where the field is absent."""
        key = _KEYS.get(name) or key_of(name)
        rest = self._take_first(key)
        index = self.keys.index(key)
        if rest:
            self.lines[index] = f"{name}: {rest}"
        else:
            del self.keys[index], self.lines[index]

    def remove_line(self, index: int) -> None:
        """Removes one line, as `keys` and `lines` count them."""
        self._forget(self.keys[index])
        del self.keys[index], self.lines[index]

    def _take_first(self, key: str) -> str:
        """What follows the first value in its own line, and forgets what was parsed of the field."""
        if key not in self.keys:
            raise KeyError(key)
        self._forget(key)
        line = self.lines[self.keys.index(key)]
        if "," not in line:
            return ""
        field = FIELDS.get(key)
        return ", ".join(split_list(value_of(line))[1:]) if field is not None and field.is_list else ""

    def remove(self, name: str) -> None:
        """Removes every field of this name; nothing happens where there is none."""
        key = key_of(name)
        keys, lines = self.keys, self.lines
        while key in keys:
            index = keys.index(key)
            del keys[index], lines[index]
        self._forget(key)

    def carry(self, source: Headers, *keys: str) -> None:
        """Appends another message's lines of these keys as they stand (§8.2.6.2: a response carries Via, From, To, Call-ID, CSeq)."""
        for key, line in zip(source.keys, source.lines, strict=True):
            if key in keys:
                self.keys.append(key)
                self.lines.append(line)

    def tag(self, key: str) -> str | None:
        """The tag of From or To (`"from"`, `"to"`), None where there is none; `SipParseError` where the field is malformed.

        It is read from the raw line where that is safe: right after the last `>`, any quotes before it balanced.
        """
        tags = self._tags
        if tags is None:
            tags = self._tags = {}
        elif key in tags:
            return tags[key]
        if key not in self.keys:
            return None
        tag = tags[key] = self._read_tag(key)
        return tag

    def _read_tag(self, key: str) -> str | None:
        line = self.lines[self.keys.index(key)]
        end = line.rfind(">")
        if end >= 0 and ('"' not in line or (line.count('"') == 2 and "\\" not in line)):
            parameters = line[end + 1 :]
            if not parameters:
                return None
            if parameters[:5] == ";tag=" and parameters.isascii():
                tag = parameters[5:]
                if tag.isalnum():
                    return tag
        tag = self.first(key).tag
        return tag if isinstance(tag, str) else None

    def line(self, key: str) -> str | None:
        """The first raw line under a key (`"from"`, not `"f"`), for readers who know where to look in it."""
        keys = self.keys
        return self.lines[keys.index(key)] if key in keys else None

    def _forget(self, key: str) -> None:
        if self._first is not None:
            self._first.pop(key, None)
        if self._all is not None:
            self._all.pop(key, None)
        if self._tags is not None:
            self._tags.pop(key, None)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self.keys == other.keys and [v for _, v in self] == [v for _, v in other]

    __hash__ = None  # type: ignore[assignment]  # a Headers changes: it may be no key

    def __repr__(self) -> str:
        return f"<Headers {', '.join(name for name, _ in self)}>"
