"""Alice calls Bob, and what the two do crosses on the way: who said what when, drawn, held against RFC 5407, and what both made of it.

    async def alice(call: OutgoingCall) -> None:
        await call
        await at(5)
        await call.hang_up()

    async def bob(call: IncomingCall) -> None:
        await call.answer()
        await at(5)
        await call.hang_up()

    race = play(alice, bob, fates={"ACK": [LOST]})
    race.follows("3.2.1")
    race.shows(FIGURE)

When nothing has been said for longer than anything is repeated, the two must be of one mind: the call over on both sides, or standing with
mirrored dialogs and descriptions. Then it is hung up, which belongs to no figure, and nothing may be left of it; nor may either of them
have broken a rule of `race_rules`.
"""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ringback import IncomingCall, OutgoingCall, Request, Response
from ringback.agent.call.call import Call
from ringback.agent.errors import CallEnded
from ringback.message.parser import parse_datagram
from ringback.testing import Network, Passed, run
from ringback.trace.ladder import Arrow, draw
from tests.agent.stage import Stage
from tests.flows.race_rules import rules_broken_by

WAY = 0.1
"""Seconds from one to the other."""

LOST: tuple[float, ...] = ()
"""The fate of what never arrives."""

# Longer than 64*T1, the longest anything is repeated.
QUIET = 40.0

_STEPS = Path(__file__).resolve().parent / "corpus" / "rfc5407" / "steps.tsv"


class Said(NamedTuple):
    """One message, and after how many seconds it arrives; more than once, or never."""

    time: float
    sender: str
    receiver: str
    message: Request | Response
    delays: Sequence[float]
    after: int
    """How many messages had arrived anywhere when it was sent."""

    @property
    def kind(self) -> str:
        """`INVITE`, `re-INVITE` where it is within a dialog, `200 INVITE` …"""
        message = self.message
        if isinstance(message, Response):
            return f"{message.status} {message.cseq.method}"
        return "re-INVITE" if message.method == "INVITE" and message.to_tag is not None else message.method

    @property
    def label(self) -> str:
        """Its kind, and its fate where that is out of the ordinary."""
        if not self.delays:
            return f"{self.kind} (lost)"
        if self.delays == (WAY,):
            return self.kind
        return f"{self.kind} (at {' and '.join(f'{self.time + delay:.1f}' for delay in self.delays)})"


Fates = Mapping[str, Sequence[tuple[float, ...]]]
"""By kind: what becomes of the first such message, the second …; all after them arrive as they should."""


class Race:
    """What was said, who took part, and what they made of it."""

    def __init__(self, fates: Fates, weather: Callable[[], tuple[float, ...]] = lambda: (WAY,)) -> None:
        self.said: list[Said] = []
        self.network = Network(delay=WAY, fate=self._fate)
        self.stage: Stage
        self.caller: OutgoingCall
        self.callee: IncomingCall
        self.heard: list[BaseException] = []
        """What the verbs of the two raised, where their scenarios let that pass."""
        self.ends_at: int | None = None
        """How much of what was said is in the figure."""
        self._fates = {kind: list(fates) for kind, fates in fates.items()}
        self._weather = weather

    def _fate(self, datagram: Passed) -> tuple[float, ...]:
        message = parse_datagram(datagram.octets)
        assert isinstance(message, Request | Response)
        names = self.stage.names
        said = Said(
            datagram.time,
            names[datagram.source[0]].title(),
            names[datagram.destination[0]].title(),
            message,
            self._weather(),
            len(self.network.log),
        )
        fates = self._fates.get(said.kind)
        if fates:
            said = said._replace(delays=fates.pop(0))
        self.said.append(said)
        return tuple(said.delays)

    @property
    def figure(self) -> str:
        """All that was said before the end, by the time of its sending."""
        arrows = [Arrow(said.sender, said.receiver, said.label, said.time) for said in self.said[: self.ends_at]]
        return "\n" + draw(arrows, [name.title() for name in self.stage.names.values()])

    def shows(self, figure: str) -> None:
        """Asserts what the figure looks like."""
        assert self.figure == figure, f"it looks like this:{self.figure}"

    def kinds(self, sender: str) -> list[str]:
        """What one of them said before the end."""
        return [said.kind for said in self.said[: self.ends_at] if said.sender == sender]

    def messages(self, kind: str) -> list[Any]:
        """Every message of a kind that was sent."""
        return [said.message for said in self.said if said.kind == kind]

    def follows(self, section: str, *, corrected: Mapping[str, tuple[str, str, str]] | None = None) -> None:
        """Asserts that each says what RFC 5407's figure has him say, in its order; what the RFC no longer shows may follow.

        `corrected` says of a step by its number what it is, from whom and to whom, where the RFC's own details and its figure differ.
        """
        with _STEPS.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE) if row[0] == section]
        assert rows, f"RFC 5407 has no section {section}"
        steps = [(corrected or {}).get(label, (what, sender, receiver)) for _, label, what, sender, receiver in rows]
        for name in ("Alice", "Bob"):
            theirs = [_essence(what) for what, sender, _ in steps if sender == name]
            ours = [_essence(kind) for kind in self.kinds(name)]
            assert ours[: len(theirs)] == theirs, f"{name} says {ours}, RFC 5407 §{section} has {theirs}"

    def events(self) -> list[tuple[float, str, Request | Response, bool]]:
        """What was said and what arrived, in order: when, by whom or where, the message, and whether it was said."""
        arrived: list[tuple[float, str, Request | Response, bool]] = []
        for passed in self.network.log:
            message = parse_datagram(passed.octets)
            assert isinstance(message, Request | Response)
            arrived.append((passed.time, self.stage.names[passed.destination[0]].title(), message, False))
        events = []
        done = 0
        for said in self.said:
            events += arrived[done : said.after]
            events.append((said.time, said.sender, said.message, True))
            done = said.after
        return events + arrived[done:]

    async def silence(self) -> None:
        """Waits until nothing has been said for so long that nothing more will be."""
        while self.said[-1].time > asyncio.get_running_loop().time() - QUIET:
            await asyncio.sleep(1)

    def agrees(self) -> None:
        """Asserts that the two are of one mind."""
        caller, callee = self.caller, self.callee
        assert caller.is_over == callee.is_over, f"for the caller {caller.reason}, for the callee {callee.reason}"
        if caller.is_over:
            return
        assert caller.session is not None
        assert callee.session is not None
        _mirrored(caller, callee)


def _mirrored(caller: Call, callee: Call) -> None:
    assert caller.session is not None
    assert callee.session is not None
    one, other = caller.session, callee.session
    assert not one.dialog.is_early
    assert not other.dialog.is_early
    names = one.dialog.call_id, one.dialog.local_tag, one.dialog.remote_tag
    assert names == (other.dialog.call_id, other.dialog.remote_tag, other.dialog.local_tag)
    # What came before the other knew the dialog was not counted there.
    assert (other.dialog.remote_seq or 0) <= (one.dialog.local_seq or 0)
    assert (one.dialog.remote_seq or 0) <= (other.dialog.local_seq or 0)
    ours, theirs = one.negotiation, other.negotiation
    assert ours.is_stable
    assert theirs.is_stable
    assert ours.exchange.local is not None
    assert ours.exchange.local == theirs.exchange.remote
    assert ours.exchange.remote == theirs.exchange.local
    for session in (one, other):
        assert session.exchange is None
        assert session.acceptances == ()
        assert session.turn is None or not session.turn.locked()


def _essence(what: str) -> str:
    """`200 OK (re-INVITE)`, `re-INVITE` and `ACK (retransmission)` as far as every figure says it: the status, or the method."""
    return what.split(" ")[0].removeprefix("re-")


async def at(moment: float) -> None:
    """Waits until this many seconds after the beginning."""
    await asyncio.sleep(max(moment - asyncio.get_running_loop().time(), 0.0))


Caller = Callable[[OutgoingCall], Coroutine[Any, Any, None]]
Callee = Callable[[IncomingCall], Coroutine[Any, Any, None]]


def play(
    alice: Caller,
    bob: Callee,
    *,
    fates: Fates | None = None,
    weather: Callable[[], tuple[float, ...]] = lambda: (WAY,),
    bob_is: Mapping[str, Any] | None = None,
    **options: Any,
) -> Race:
    """Has Alice call Bob; gives what came of it. `options` are those of her call, `bob_is` those of his agent.

    `weather` is the fate of what `fates` says nothing of. `CallEnded` ends what either of them does, and is all that may.
    """
    race = Race(fates or {}, weather)

    async def reception(call: IncomingCall) -> None:
        race.callee = call
        try:
            await bob(call)
        except CallEnded as ended:
            race.heard.append(ended)
        await call.ended()

    async def scenario(stage: Stage) -> None:
        caller = await stage.agent("alice")
        await stage.agent("bob", on_call=reception, **(bob_is or {}))
        race.caller = caller.call(stage.uri("bob"), **options)
        try:
            await alice(race.caller)
        except CallEnded as ended:
            race.heard.append(ended)
        await race.silence()
        race.agrees()
        race.ends_at = len(race.said)
        await race.caller.hang_up()
        await race.silence()
        race.agrees()
        events = race.events()
        broken = [*rules_broken_by("Alice", events), *rules_broken_by("Bob", events)]
        assert broken == [], "\n".join([race.figure, *broken])
        for agent in stage.agents.values():
            core = agent.core
            assert not (core.layer.clients or core.layer.servers or core.tasks or len(core.dialogs)), "something is left"

    async def main() -> None:
        async with Stage(race.network) as race.stage:
            await scenario(race.stage)

    run(main())
    return race
