"""A NAT between some hosts of a simulated network and all others (RFC 4787): what comes from within comes from its own address."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

Address = tuple[str, int]

_FIRST_PORT = 40_001


class _Mapping:
    """A port of the NAT's own, which stands for an address within."""

    __slots__ = ("heard_by", "inside", "port", "used")

    def __init__(self, inside: Address, port: int, now: float) -> None:
        self.inside = inside
        self.port = port
        self.used = now
        self.heard_by: dict[Address, float] = {}


class Nat:
    """The box: each address within has a port on the outside as long as it sends something every `timeout` seconds.

    What comes from outside passes only from where something was sent to in that time, and keeps nothing open. Where `is_symmetric`, each
    address on the outside is shown another port (RFC 4787 §4.1).
    """

    def __init__(self, outside: str, inside: Iterable[str], clock: Callable[[], float], *, timeout: float, is_symmetric: bool) -> None:
        self.outside = outside
        self.inside = frozenset(inside)
        self.timeout = timeout
        self.is_symmetric = is_symmetric
        self._clock = clock
        self._ports = itertools.count(_FIRST_PORT)
        self._by_inside: dict[tuple[Address, Address | None], _Mapping] = {}
        self._by_port: dict[int, _Mapping] = {}

    def forget(self) -> None:
        """Drops every mapping, as a box does that is started again: what comes from within gets other ports."""
        self._by_inside.clear()
        self._by_port.clear()

    def goes_out(self, source: Address, destination: Address) -> Address:
        """The address that a datagram from within has on the outside; opens that way for the answers."""
        now = self._clock()
        key = (source, destination if self.is_symmetric else None)
        mapping = self._by_inside.get(key)
        if mapping is None or now - mapping.used > self.timeout:
            mapping = self._by_inside[key] = _Mapping(source, next(self._ports), now)
            self._by_port[mapping.port] = mapping
        mapping.used = mapping.heard_by[destination] = now
        return self.outside, mapping.port

    def comes_in(self, source: Address, destination: Address) -> Address | None:
        """Where within a datagram from outside goes; None where it does not pass."""
        mapping = self._by_port.get(destination[1])
        if mapping is None or self._clock() - mapping.heard_by.get(source, float("-inf")) > self.timeout:
            return None
        return mapping.inside

    def connects(self, source: Address) -> Address:
        """The address that a connection from within has on the outside. It lasts as long as the connection."""
        return self.outside, next(self._ports)
