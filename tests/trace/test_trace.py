"""The observer: every message to every sink, and a sink that fails hurts nobody."""

import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from ringback.message.parser import Malformed
from ringback.trace.entry import Entry
from ringback.trace.json_lines import JsonLines
from ringback.trace.live import LiveLadder
from ringback.trace.pcap import Pcap
from ringback.trace.trace import Sink, Trace
from tests.trace.passed import ALICE, INVITE


class Notebook:
    """A sink that remembers, until it is full."""

    def __init__(self, name: str, room: int = 100) -> None:
        self.name = name
        self.room = room
        self.entries: list[Entry] = []
        self.is_closed = False

    def write(self, entry: Entry) -> None:
        if len(self.entries) >= self.room:
            raise OSError(28, "No space left on device")
        self.entries.append(entry)

    def close(self) -> None:
        self.is_closed = True
        if self.room == 0:
            raise OSError(5, "Input/output error")


def test_every_sink_hears_what_passed() -> None:
    first, second = Notebook("a"), Notebook("b")
    trace = Trace([first, second], clock=lambda: 12.5)
    trace("in", INVITE, ALICE, None)
    trace("out", b"x", ALICE, Malformed("Malformed Start Line"))
    trace.close()
    assert first.entries == second.entries
    request, fault = first.entries
    assert (request.time, request.direction, request.octets, request.flow, request.malformed) == (12.5, "in", INVITE, ALICE, None)
    assert fault.malformed == "Malformed Start Line"
    assert first.is_closed
    assert second.is_closed


def test_a_sink_that_fails_is_given_up_once() -> None:
    full, well = Notebook("full", 1), Notebook("well")
    heard: list[tuple[str, str | None]] = []
    trace = Trace([full, well], given_up=lambda name, error: heard.append((name, error.strerror)))
    for _ in range(3):
        trace("in", INVITE, ALICE)
    assert heard == [("full", "No space left on device")]
    assert (len(full.entries), len(well.entries)) == (1, 3)


def test_closing_never_fails() -> None:
    heard: list[str] = []
    last = Notebook("last")
    trace = Trace([Notebook("broken", 0), last], given_up=lambda name, _: heard.append(name))
    trace.close()
    trace.close()
    assert heard == ["broken"]
    assert last.is_closed


def test_by_default_a_failure_is_silent() -> None:
    trace = Trace([Notebook("full", 0)])
    trace("in", INVITE, ALICE)
    trace.close()


@given(st.lists(st.tuples(st.binary(max_size=120), st.sampled_from(["in", "out"]), st.booleans()), max_size=5))
def test_no_octets_break_any_sink(passed: list[tuple[bytes, str, bool]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sinks: list[Sink] = [
            LiveLadder(Console(file=io.StringIO(), width=100, force_terminal=True)),
            JsonLines(Path(folder) / "x.json"),
            Pcap(Path(folder) / "x.pcap"),
        ]
        failed: list[str] = []
        trace = Trace(sinks, given_up=lambda name, _: failed.append(name))
        for data, direction, is_fault in passed:
            for octets in (data, INVITE[:200] + data + INVITE[200:]):
                trace(direction, octets, ALICE, Malformed("Malformed Header Line") if is_fault else None)
        trace.close()
        assert failed == []
        lines = (Path(folder) / "x.json").read_bytes().count(b"\n")
    assert lines == 2 * len(passed)


def test_only_a_failing_sink_is_caught() -> None:
    class Broken(Notebook):
        def write(self, entry: Entry) -> None:
            raise KeyError("a fault of ours")

    with pytest.raises(KeyError):
        Trace([Broken("x")])("in", INVITE, ALICE)
