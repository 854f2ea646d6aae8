"""Telephone numbers as SIP URIs, by NAPTR records below a suffix such as e164.arpa (RFC 6116, RFC 3764)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ringback.message.errors import SipParseError
from ringback.message.grammar import ascii_lower, ascii_upper
from ringback.message.uri import SipUri, parse_uri
from ringback.transport.resolver.expression import Expression, ExpressionError
from ringback.transport.resolver.inquiry import Asked, Inquiry, has_faults, holding
from ringback.transport.resolver.lookups import Found, Lookups
from ringback.transport.resolver.records import Naptr

# ITU-T E.164: a country code and a number of 15 digits at most; shorter than 3 is none.
_SHORTEST = 3
_LONGEST = 15

# RFC 6116 §5.2.1: more than five records that only lead on are taken for a loop; records looked at in one set are a choice.
_MOST_REFERENCES = 5
_MOST_RECORDS = 16


def is_number(text: str) -> bool:
    """Whether that is a global number as ENUM asks for it: "+" and digits (RFC 6116 §3.1); never a dialled string (§3.7)."""
    return text[:1] == "+" and _SHORTEST <= len(text) - 1 <= _LONGEST and text[1:].isascii() and text[1:].isdigit()


def domain_of(number: str, suffix: str) -> str:
    """The domain in which the records of a number stand (RFC 6116 §3.2)."""
    return f"{'.'.join(reversed(number[1:]))}.{suffix}"


def is_for_sip(service: str) -> bool:
    """Whether a service field offers SIP (RFC 6116 §3.4.3, RFC 3764 §4), also in the syntax of RFC 2916, which still stands in zones."""
    parts = ascii_lower(service).split("+")
    types = [part.partition(":")[0] for part in parts]
    if types[0] == "e2u":
        # Types that begin so are for private networks (§3.4.3.1), and nobody said that this is one.
        return "sip" in types and not any(kind.startswith("p-") for kind in types)
    return parts == ["sip", "e2u"]


def rewrite(regexp: str, number: str) -> str | None:
    """What a record's `!expression!replacement!` makes of a number; None where it does not match or is no such thing (RFC 3402 §3.2)."""
    if not regexp or regexp[0] in "\\iI0123456789":
        return None
    delimiter, parts, rest = regexp[0], [""], iter(regexp[1:])
    for character in rest:
        if character == delimiter:
            parts.append("")
        elif character == "\\":
            escaped = next(rest, "")
            parts[-1] += escaped if escaped == delimiter else character + escaped
        else:
            parts[-1] += character
    if len(parts) != 3 or not parts[0] or parts[2] not in ("", "i", "I"):
        return None
    try:
        matched = Expression(parts[0]).match(number)
    except ExpressionError:
        return None
    return None if matched is None else _filled_in(parts[1], matched)


def _filled_in(replacement: str, matched: Sequence[str]) -> str | None:
    """The replacement with its back-references filled in; None where it refers to a group that does not exist."""
    made = []
    rest = iter(replacement)
    for character in rest:
        if character == "\\":
            character = next(rest, "")
            if character and character in "123456789":
                if int(character) >= len(matched):
                    return None
                character = matched[int(character)]
        made.append(character)
    return "".join(made)


def sip_uri(record: Naptr, number: str) -> str | None:
    """The SIP URI that a record makes of a number; None where it makes none."""
    if ascii_upper(record.flags) != "U" or not is_for_sip(record.service):
        return None
    text = rewrite(record.regexp, number)
    try:
        return text if text is not None and isinstance(parse_uri(text), SipUri) else None
    except SipParseError:
        return None


def _may_follow(domain: str, inquiry: Inquiry) -> bool:
    """Whether a reference is no loop, and not one of too many, one after the other or side by side (RFC 6116 §5.2.1)."""
    asked = {ascii_lower(asked.name) for asked in inquiry.asked}
    return len(asked) <= _MOST_REFERENCES and ascii_lower(domain) not in asked


class Enum:
    """The SIP URIs of telephone numbers, remembered while their records count."""

    def __init__(self, suffixes: Sequence[str], inquire: Callable[[], Inquiry]) -> None:
        """`suffixes` are asked in their order until one knows the number; `inquire` begins the questions for one."""
        self.suffixes = suffixes
        self._inquire = inquire
        self._numbers: Lookups[str, list[str]] = Lookups(self._look, [])

    def known(self, number: str, now: float) -> list[str] | None:
        """The URIs of a number such as `+4930123`, the most preferred first, where no question is needed; None where `ask` must be called.

        What is no global number has none. The list is not the caller's to change.
        """
        if not self.suffixes or not is_number(number):
            return []
        known = self._numbers.known(number, now)
        return None if known is None else known.value

    def ask(self, number: str, resolved: Callable[[list[str]], None]) -> None:
        """Asks and calls `resolved(uris)` once they are known, never at once; the list is empty where the number has none."""
        self._numbers.ask(number, resolved)

    async def look(self, number: str) -> tuple[list[str], list[Asked]]:
        """Asks for a number, whatever is known; gives its URIs, and every question with its answer."""
        uris: list[str] = []
        asked: list[Asked] = []
        for suffix in self.suffixes:
            inquiry = self._inquire()
            await self._collect(inquiry, domain_of(number, suffix), number, uris)
            asked += inquiry.asked
            if uris:
                break
        return uris, asked

    async def _look(self, number: str) -> Found[list[str]]:
        uris, asked = await self.look(number)
        return Found(uris, holding(asked), has_faults(asked))

    async def _collect(self, inquiry: Inquiry, domain: str, number: str, uris: list[str]) -> None:
        """Adds what the records of a domain make of a number, in their order; those that only lead on are followed where they stand."""
        answer = await inquiry.naptr(domain)
        for record in sorted(answer.records, key=lambda record: (record.order, record.preference))[:_MOST_RECORDS]:
            if record.flags:
                uri = sip_uri(record, number)
                if uri is not None and uri not in uris:
                    uris.append(uri)
            elif record.replacement and _may_follow(record.replacement, inquiry):
                await self._collect(inquiry, record.replacement, number, uris)

    def forget(self) -> None:
        """Has every number asked for anew; what is known stands in where nobody answers."""
        self._numbers.forget()

    def close(self) -> None:
        """Abandons what was asked and not answered."""
        self._numbers.close()
