"""What was said on a simulated network, message by message, and its ladder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ringback.message.parser import Malformed, StreamParser, parse_datagram
from ringback.testing import Network, Passed
from ringback.trace.ladder import Arrow, draw
from tests.flows.corpus import Step


def element(name: str) -> str:
    """The element that `NAME@PLACE` is."""
    return name.partition("@")[0]


def said(network: Network, hosts: Mapping[str, str], *, since: float = 0.0) -> list[Step]:
    """Every message from `since` on, in order, those that were lost too; `hosts` says whose an address is."""
    streams: dict[tuple[object, object], StreamParser] = {}
    steps: list[Step] = []
    # One moment's arrivals stay in the order in which they arrived.
    for passed in sorted([*network.log, *network.lost], key=lambda one: one.time):
        for message, octets in _messages(passed, streams):
            assert not isinstance(message, Malformed), f"malformed on the wire: {message}\n{octets!r}"
            if passed.time >= since:
                sender, receiver = (element(hosts[address[0]]) for address in (passed.source, passed.destination))
                steps.append(Step(f"#{len(steps) + 1}", sender, receiver, message, octets))
    return steps


def _messages(passed: Passed, streams: dict[tuple[object, object], StreamParser]) -> Iterable[tuple[object, bytes]]:
    if passed.transport == "UDP":
        # CRLFs and STUN only keep a way open (RFC 5626 §4.4).
        if passed.octets.strip(b"\r\n") and passed.octets[0] > 1:
            yield parse_datagram(passed.octets), passed.octets
        return
    stream = streams.setdefault((passed.source, passed.destination), StreamParser())
    stream.feed(passed.octets)
    while (found := stream.next_message()) is not None:
        yield found


def ladder(steps: Iterable[Step], elements: Iterable[str]) -> str:
    """The ladder of these messages: method or status, and the number in the RFC where it is known; columns in the order of `elements`."""
    arrows = []
    for step in steps:
        number = "" if step.label.startswith("#") else f" {step.label}"
        arrows.append(Arrow(step.sender, step.receiver, step.kind.split(" ")[0] + number))
    return draw(arrows, elements)


def same_ladder(one: str, figure: str) -> bool:
    """Whether a ladder is the figure, whose indentation does not count."""

    def lines(text: str) -> list[str]:
        return [line.strip(" ") for line in text.strip("\n ").split("\n")]

    return lines(one) == lines(figure)
