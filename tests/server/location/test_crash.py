"""kill -9 at any moment: what was answered is there afterwards, and what was removed stays away (T04)."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ringback.server.location.location import Location
from ringback.server.store import Store

CRASHER = Path(__file__).with_name("crasher.py")


@pytest.fixture
def crasher() -> Iterator[subprocess.Popen[str]]:
    source = Path(__file__).parents[3] / "src"
    process = subprocess.Popen(
        [sys.executable, str(CRASHER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(source)},
    )
    yield process
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.stdout.close()
    process.wait(10)


def live_and_die(process: subprocess.Popen[str], folder: Path, chance: random.Random) -> tuple[list[str], str]:
    """One life: every line it wrote, and how it was to end."""
    assert process.stdin is not None
    assert process.stdout is not None
    kind = chance.choice(["statement", "opcode", "answer", "never"])
    most = {"statement": 60, "opcode": 400, "answer": 80, "never": 60}[kind]
    number = chance.randrange(1, most)
    process.stdin.write(f"{folder} {chance.randrange(1 << 30)} {kind} {number}\n")
    process.stdin.flush()
    lines: list[str] = []
    pid = 0
    for line in process.stdout:
        what, _, rest = line.rstrip("\n").partition(" ")
        if what == "pid":
            pid = int(rest)
        elif what == "end":
            assert rest == "-9", "the child must die of the kill and of nothing else"
            break
        else:
            lines.append(line.rstrip("\n"))
        # One that does not kill itself is killed when it has said so many lines, whatever its writer is doing then.
        if kind == "never" and pid and len(lines) >= number:
            os.kill(pid, signal.SIGKILL)
            kind = "killed"
    return lines, f"{kind} {number}"


def rounds_of(process: subprocess.Popen[str], folder: Path, chance: random.Random, seconds: float, most: int) -> int:
    end = time.monotonic() + seconds
    number = 0
    while number < most and time.monotonic() < end:
        number += 1
        # Half of the lives begin with what the one before left, half with nothing.
        here = folder / str(number // 2)
        before = contents(here)
        lines, fault = live_and_die(process, here, chance)
        check(before, lines, contents(here), fault)
    return number


def contents(folder: Path) -> dict[str, str]:
    """What a server that starts now would know."""
    store = Store(folder)
    try:
        location = Location(store)
        found = {aor: " ".join(str(binding.cseq) for binding in bindings) for aor, bindings in location._by_aor.items()}
        location.close()
        connection = store.connect()
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()
    finally:
        store.close()
    return found


def check(before: dict[str, str], lines: list[str], after: dict[str, str], fault: str) -> None:
    """Each address-of-record has its last answered state, or one asked for later: never an older one, never one nobody asked for."""
    asked: dict[str, list[str]] = {}
    answered: dict[str, int] = {}
    for line in lines:
        mark, aor, state = line.split(" ")
        history = asked.setdefault(aor, [before.get(aor, "gone")])
        if mark == "?":
            history.append(state)
        else:
            # Answers come in the order of the questions.
            answered[aor] = history.index(state, answered.get(aor, 0) + 1)
    for aor in asked.keys() | after.keys() | before.keys():
        history = asked.get(aor, [before.get(aor, "gone")])
        possible = history[answered.get(aor, 0) :]
        assert after.get(aor, "gone") in possible, f"{aor} after {fault}: {after.get(aor, 'gone')} is none of {possible}"


def test_nothing_answered_is_lost_and_nothing_removed_comes_back(
    crasher: subprocess.Popen[str], tmp_path: Path, seed: int, long_form: bool
) -> None:
    rounds = rounds_of(crasher, tmp_path, random.Random(seed), 600.0 if long_form else 6.0, 20_000 if long_form else 120)
    assert rounds >= 20


@pytest.mark.parametrize(
    ("after", "fault"),
    [({}, "the binding is lost"), ({"sip:1@x": "6"}, "an older one is back"), ({"sip:1@x": "7", "sip:2@x": "3"}, "a removed one is back")],
)
def test_the_check_finds_what_it_is_for(after: dict[str, str], fault: str) -> None:
    lines = ["? sip:1@x 6", "! sip:1@x 6", "? sip:1@x 7", "? sip:2@x gone", "! sip:1@x 7", "! sip:2@x gone"]
    check({"sip:2@x": "3"}, lines, {"sip:1@x": "7"}, "a good end")
    with pytest.raises(AssertionError, match="is none of"):
        check({"sip:2@x": "3"}, lines, after, fault)
