"""What a device can do and what a caller wants of one, as predicates that match or do not (RFC 3840 §5, §9; RFC 3841 §7.2, §8)."""

from __future__ import annotations

import re
from math import inf
from typing import NamedTuple

from ringback.message.grammar import Params, ascii_lower, is_quoted, unquote

# base-tags of RFC 3840 §9: those that stand without "+".
BASE_TAGS = frozenset(
    (
        "actor", "application", "audio", "automata", "class", "control", "data", "description", "duplex", "events", "extensions", "isfocus",
        "language", "methods", "mobility", "priority", "schemes", "text", "type", "video",
    )
)  # fmt: skip
# Of the base tags, those of the IETF tree: in their full names no "sip." precedes them.
_WITHOUT_SIP = ("language", "type")

# number = [ "+" / "-" ] 1*DIGIT ["." 0*DIGIT]; numeric-relation = ">=" / "<=" / "=" / (number ":")
_NUMBER = r"[+-]?+[0-9]{1,30}+(?>(?:\.[0-9]{0,30}+)?)"
_numeric = re.compile(rf"#(>=|<=|=|{_NUMBER}:)({_NUMBER})").fullmatch

# Lists longer than that are compared as sets; of negations and ranges, which nobody writes many of, so many count then.
_MOST_PAIRS = 256
_MOST_OTHERS = 16


class Filter(NamedTuple):
    """One value that a feature tag may have, or, negated, must not have: a token in lower case, a string, or a range of numbers."""

    value: str | tuple[float, float]
    is_string: bool = False
    is_negated: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether it is one value, neither negated nor a range."""
        return not self.is_negated and isinstance(self.value, str)

    def allows(self, other: Filter) -> bool:
        """Whether something can have a value that satisfies both filters."""
        if self.is_negated and other.is_negated:
            return True
        if self.is_negated or other.is_negated:
            negated, plain = (self, other) if self.is_negated else (other, self)
            if isinstance(negated.value, tuple) and isinstance(plain.value, tuple):
                return not (negated.value[0] <= plain.value[0] and plain.value[1] <= negated.value[1])
            return (negated.value, negated.is_string) != (plain.value, plain.is_string)
        if isinstance(self.value, tuple) and isinstance(other.value, tuple):
            return self.value[0] <= other.value[1] and other.value[0] <= self.value[1]
        return (self.value, self.is_string) == (other.value, other.is_string)


Predicate = dict[str, tuple[Filter, ...]]
"""A conjunction: for each feature tag, by its full name, filters of which one has to hold."""


def predicate_of(params: Params) -> Predicate:
    """The predicate of a Contact's, Accept-Contact's or Reject-Contact's parameters; what is no feature parameter does not count."""
    predicate: Predicate = {}
    # A base tag wins over the same one written with "+" (RFC 3841 §7.2.3 step 3).
    for is_base in (True, False):
        for name, value in params.items():
            if (name in BASE_TAGS) if is_base else name[:1] == "+":
                filters = _filters(value)
                if filters:
                    predicate.setdefault(_tag(name), filters)
    return predicate


def _tag(name: str) -> str:
    """A parameter's name as the feature tag that it encodes (RFC 3841 §8)."""
    if name[:1] == "+":
        name = name[1:].replace("!", ":").replace("'", "/")
        # "+video" is not as it should be written, but there is no doubt what is meant.
        return f"sip.{name}" if name in BASE_TAGS and name not in _WITHOUT_SIP else name
    return name if name in _WITHOUT_SIP else f"sip.{name}"


def _filters(value: str | None) -> tuple[Filter, ...]:
    if value is None:
        return (Filter("true"),)
    text = unquote(value) if is_quoted(value) else value
    if text[:1] == "<" and text[-1:] == ">":
        return (Filter(text[1:-1], is_string=True),)
    return tuple([_filter(part.strip(" \t")) for part in text.split(",") if part.strip(" \t")])


def _filter(text: str) -> Filter:
    is_negated = text[0] == "!"
    text = text[is_negated:]
    found = _numeric(text)
    if found is None:
        return Filter(ascii_lower(text), is_negated=is_negated)
    relation, number = found[1], float(found[2])
    if relation == "=":
        limits = (number, number)
    elif relation == ">=":
        limits = (number, inf)
    elif relation == "<=":
        limits = (-inf, number)
    else:
        limits = (float(relation[:-1]), number)
    return Filter(limits, is_negated=is_negated)


def is_match(one: Predicate, other: Predicate) -> bool:
    """Whether something can satisfy both predicates (RFC 2533's matching): a tag that only one of them names hinders nothing."""
    return all(_can_meet(filters, other[tag]) for tag, filters in one.items() if tag in other)


def _can_meet(mine: tuple[Filter, ...], yours: tuple[Filter, ...]) -> bool:
    """Whether one of the filters on each side allow the same; in linear time."""
    if len(mine) * len(yours) > _MOST_PAIRS:
        plain = {one for one in mine if one.is_plain}
        if any(one in plain for one in yours):
            return True
        # Of plain values none is the same, so two of them are as good as all for what has negations and ranges to say.
        mine, yours = _few(mine), _few(yours)
    return any(one.allows(other) for one in mine for other in yours)


def _few(filters: tuple[Filter, ...]) -> tuple[Filter, ...]:
    plain = [one for one in filters if one.is_plain]
    others = [one for one in filters if not one.is_plain]
    return (*plain[:2], *others[:_MOST_OTHERS])


def score(wanted: Predicate, offered: Predicate) -> float:
    """How much of what is wanted is mentioned in what is offered, from 0 to 1 (RFC 3841 §7.2.4)."""
    return sum(tag in offered for tag in wanted) / len(wanted) if wanted else 1.0
