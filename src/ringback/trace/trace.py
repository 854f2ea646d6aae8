"""The observer of a stack: every message that passes goes to each sink."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Protocol

from ringback.address import Flow
from ringback.message.parser import Malformed
from ringback.trace.entry import Entry


class Sink(Protocol):
    """Where a trace goes."""

    name: str
    """What a person calls it: a file's name, "ladder"."""

    def write(self, entry: Entry) -> None:
        """Takes one message; OSError where it can take no more."""

    def close(self) -> None:
        """Ends it."""


class Trace:
    """Give it to a stack: `stack.observer = Trace([JsonLines(path)])`. A sink that fails is given up; the calls go on."""

    def __init__(
        self,
        sinks: Iterable[Sink],
        clock: Callable[[], float] = time.time,
        given_up: Callable[[str, OSError], None] = lambda name, error: None,
    ) -> None:
        """`clock` gives seconds since 1970; `given_up` hears the name of a sink that failed, and why."""
        self._sinks = list(sinks)
        self._clock = clock
        self._given_up = given_up

    def __call__(self, direction: str, octets: bytes, flow: Flow, malformed: Malformed | None = None) -> None:
        """Takes what passed: "in" or "out", its octets, its flow, and the fault of what was no message."""
        entry = Entry(self._clock(), direction, octets, flow, malformed.reason if malformed is not None else None)
        for sink in self._sinks:
            try:
                sink.write(entry)
            except OSError as error:
                self._drop(sink, error)

    def _drop(self, sink: Sink, error: OSError) -> None:
        self._sinks = [one for one in self._sinks if one is not sink]
        self._given_up(sink.name, error)

    def close(self) -> None:
        """Closes every sink."""
        for sink in self._sinks:
            try:
                sink.close()
            except OSError as error:
                self._given_up(sink.name, error)
        self._sinks = []
