"""The ladder of what passed on a simulated network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ringback.message.message import Request, Response
from ringback.message.parser import parse_datagram
from ringback.trace.entry import label_of
from ringback.trace.ladder import Arrow, draw
from ringback.transport.udp import is_keepalive

if TYPE_CHECKING:
    from ringback.testing.network import Network, Passed


def ladder_of(network: Network, parties: Sequence[str] = ()) -> str:
    """Every message with its time, as `Network.ladder` gives it."""
    names = network.names
    passed = [(one, "") for one in network.log] + [(one, " ✗ lost") for one in network.lost]
    # Stable: what arrived at one moment stays in its order.
    passed.sort(key=lambda pair: pair[0].time)
    arrows = [
        Arrow(names.get(one.source[0], one.source[0]), names.get(one.destination[0], one.destination[0]), _label(one) + fate, one.time)
        for one, fate in passed
    ]
    return draw(arrows, dict.fromkeys([*parties, *names.values()]))


def _label(passed: Passed) -> str:
    message = parse_datagram(passed.octets)
    if isinstance(message, Request | Response):
        return label_of(message)
    if passed.octets.startswith((b"GET ", b"HTTP/1.1 ")):
        return "WebSocket"
    if passed.transport == "UDP" and passed.octets[:1] in (b"\0", b"\1"):
        return "STUN"
    return "keep-alive" if is_keepalive(passed.octets) else f"{len(passed.octets)} octets"
