"""Compares what was said on the wire with a flow of an RFC, message by message and field by field.

    steps = same_messages(said(network, hosts), flow("rfc3665", "3.8"), hosts, Differs("F10 F12 F14", "To tag", …), …)

The messages are paired in order: sender, receiver and kind (`INVITE`, `200 INVITE`) of each must be the RFC's. Then the essentials
(`essentials.py`) of each pair must be equal. Whatever the two worlds differ in must be listed, with its reason in words:

- `Omitted("F1-F3", …)`: messages of the RFC that are not said here;
- `Added("Proxy 2 → Alice: 100 INVITE", "F8", …)`: a message said here, after F8, that the RFC has not (after "" at the very beginning);
- `Moved("F6", "F5", …)`: F6 is said before F5 here ("" for the very end); `trying("F6 F5", …)` makes such a list for every 100;
- `Differs("F4 F9-F11", "Max-Forwards", "69", …)`: in these messages a field is another one here, or `ABSENT`; where they are `ALL`, in
  every message that differs at all. The fields `kind`, `sender` and `receiver` are those of the pairing;
- `Means("Route Record-Route", "Proxy 1;transport=TCP", "Proxy 1", …)`: what is written so here in one of these fields, where it differs at
  all, the RFC writes so (`_` stands for the blank in a field's name);
- `Insecure("UDP", …)`: `sips` and TLS of the RFC are `sip` and this transport here.

A difference that is listed and does not occur fails too: the list is what it says. Whatever fails names the message and the field.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from tests.flows.corpus import CorpusFlow, Step
from tests.flows.essentials import ABSENT, Memory, Names, essentials

ALL = "all"


class Omitted(NamedTuple):
    """Messages of the RFC that are not said here."""

    labels: str
    reason: str


class Added(NamedTuple):
    """A message said here that the RFC has not."""

    step: str
    after: str
    reason: str


class Moved(NamedTuple):
    """A message said before another here and not where the RFC has it."""

    label: str
    before: str
    reason: str


class Differs(NamedTuple):
    """A field that is another one here in some messages."""

    labels: str
    field: str
    here: str
    reason: str


class Means(NamedTuple):
    """What is written in another way here, wherever it occurs in some fields."""

    fields: str
    here: str
    there: str
    reason: str


class Insecure(NamedTuple):
    """What stands for TLS here."""

    transport: str
    reason: str


Difference = Omitted | Added | Moved | Differs | Means | Insecure


def trying(*pairs: str) -> list[Difference]:
    """`"F6 F5"`: the 100 Trying F6 is said before F5, which the proxy forwards; `"Proxy 2 → Alice F8"`: one is said after F8 that the RFC
    leaves out.
    """
    differences: list[Difference] = []
    for pair in pairs:
        said, _, label = pair.rpartition(" ")
        if "→" in said:
            differences.append(Added(f"{said}: 100 INVITE", label, "RFC 3261 §16.2: a proxy of ours answers every INVITE 100 at once"))
        else:
            differences.append(
                Moved(said, label, "a proxy of ours answers 100 before it forwards; both leave in one turn (RFC 3261 §16.2)")
            )
    return differences


class Planned(NamedTuple):
    """What shall be said at one place: a message of the RFC, or one added."""

    label: str
    step: Step | None
    text: str


def labels(text: str) -> list[str]:
    """`"F1 F4-F6"` as the labels F1, F4, F5, F6."""
    found = []
    for part in text.split(" "):
        first, _, last = part.partition("-")
        numbers = range(int(first[1:]), int((last or first)[1:]) + 1)
        found += [f"F{number}" for number in numbers]
    return found


def same_messages(
    steps: Sequence[Step], flow: CorpusFlow, hosts: Mapping[str, str], *differences: Difference, only: str | None = None
) -> list[Step]:
    """Asserts that what was said is what the RFC shows but for the differences; gives the steps with the RFC's labels.

    `hosts` says whose an address on the wire is, with the names of the RFC's flow. `only` are the labels of the RFC's messages to compare
    with, where a flow shows but a part of what is said.
    """
    for difference in differences:
        assert difference.reason, f"{difference} has no reason"
    planned = plan(flow, differences, only)
    wanted, found = [one.text for one in planned], [str(step) for step in steps]
    if wanted != found:
        raise AssertionError(f"{flow}: the messages are not the RFC's ones in order{_beside(planned, steps)}")
    labelled = [step._replace(label=one.label or step.label) for one, step in zip(planned, steps, strict=True)]
    faults = list(_differing(planned, labelled, flow, hosts, differences))
    if faults:
        raise AssertionError(f"{flow}:\n" + "\n".join(faults))
    return labelled


def plan(flow: CorpusFlow, differences: Iterable[Difference], only: str | None = None) -> list[Planned]:
    """What shall be said, in order: the RFC's messages with the differences applied."""
    chosen = None if only is None else labels(only)
    parts = {step.label: (step, [step.sender, step.receiver, step.kind]) for step in flow.steps if chosen is None or step.label in chosen}
    order = list(parts)
    for difference in differences:
        if isinstance(difference, Differs) and difference.field in _PAIRING:
            for label in labels(difference.labels):
                part = parts[label][1]
                place = _PAIRING.index(difference.field)
                assert part[place] != difference.here, f"{flow} {label}: {difference.field} is no other here; {difference} is needless"
                part[place] = difference.here
        elif isinstance(difference, Omitted):
            for label in labels(difference.labels):
                order.remove(label)
        elif isinstance(difference, Moved):
            order.remove(difference.label)
            order.insert(order.index(difference.before) if difference.before else len(order), difference.label)
    planned = [Planned(label, parts[label][0], _text(*parts[label][1])) for label in order]
    for difference in differences:
        if isinstance(difference, Added):
            place = 0
            if difference.after:
                place = next(index for index, one in enumerate(planned) if one.label == difference.after) + 1
            while place < len(planned) and not planned[place].label:
                place += 1
            planned.insert(place, Planned("", None, difference.step))
    return planned


_PAIRING = ("sender", "receiver", "kind")


def _text(sender: str, receiver: str, kind: str) -> str:
    return f"{sender} → {receiver}: {kind}"


def _beside(planned: Sequence[Planned], steps: Sequence[Step]) -> str:
    """Both sequences as one list: `-` before what the RFC has, `+` before what was said."""
    lines = difflib.ndiff([one.text for one in planned], [str(step) for step in steps])
    waiting: dict[str, list[str]] = {}
    for one in planned:
        waiting.setdefault(one.text, []).append(one.label)
    shown = []
    for line in lines:
        if line[0] in "-+ ":
            label = waiting[line[2:]].pop(0) if line[0] in "- " else ""
            shown.append(f"  {line[0]} {label:>4} {line[2:]}")
    return " (- the RFC's, + here):\n" + "\n".join(shown)


def _differing(
    planned: Sequence[Planned], steps: Sequence[Step], flow: CorpusFlow, hosts: Mapping[str, str], differences: Sequence[Difference]
) -> Iterator[str]:
    secure_as = next((one.transport for one in differences if isinstance(one, Insecure)), None)
    theirs, ours = Names(flow.hosts, secure_as), Names(hosts)
    their_memory, our_memory = Memory(), Memory()
    listed = {
        (label, one.field): one
        for one in differences
        if isinstance(one, Differs) and one.field not in _PAIRING and one.labels != ALL
        for label in labels(one.labels)
    }
    everywhere = {one.field: one for one in differences if isinstance(one, Differs) and one.labels == ALL}
    needless = {*listed, *((ALL, field) for field in everywhere)}
    meanings = [one for one in differences if isinstance(one, Means)]
    unmet = set(meanings)
    for one, step in zip(planned, steps, strict=True):
        if one.step is None:
            continue
        there = essentials(one.step, theirs, their_memory)
        here = essentials(step, ours, our_memory)
        for field in {**there, **here}:
            value, expected = here.get(field, ABSENT), there.get(field, ABSENT)
            if value == expected or _means(value, expected, [one for one in meanings if field in _fields(one)], unmet):
                continue
            key = (one.label, field) if (one.label, field) in listed else (ALL, field)
            needless.discard(key)
            allowed = listed.get((one.label, field)) or everywhere.get(field)
            if allowed is None:
                yield f"  {one.label} {step}: {field} is {value!r}, in the RFC {expected!r}{_quirk(flow, one.label)}"
            elif value != allowed.here:
                yield f"  {one.label} {step}: {field} is {value!r}, but shall be {allowed.here!r}: {allowed.reason}"
    for label, field in sorted(needless):
        yield f"  {label}: {field} is as in the RFC; its entry in the list of differences is needless"
    for meaning in unmet:
        yield f"  {meaning.here!r} is nowhere in {meaning.fields}; its entry in the list of differences is needless"


def _fields(meaning: Means) -> list[str]:
    return [name.replace("_", " ") for name in meaning.fields.split(" ")]


def _means(value: str, expected: str, meanings: Sequence[Means], unmet: set[Means]) -> bool:
    """Whether a value is the expected one once everything is written as the RFC writes it."""
    used = [meaning for meaning in meanings if meaning.here in value]
    for meaning in used:
        value = value.replace(meaning.here, meaning.there)
    if value == expected:
        unmet.difference_update(used)
    return value == expected


def _quirk(flow: CorpusFlow, label: str) -> str:
    return f" (known of {label}: {flow.quirks[label]})" if label in flow.quirks else ""
