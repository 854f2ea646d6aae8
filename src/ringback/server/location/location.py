"""The location service (RFC 3261 §10, §16.5): which contacts an address-of-record has now. An index in memory, a store behind it."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TypeAlias

from ringback.message.uri import SipUri
from ringback.server.location.binding import Binding, aor_of
from ringback.server.location.index import Index
from ringback.server.location.journal import Batch, Journal, read
from ringback.server.store import Store, StoreError, StoreUnavailable, store_error

Committed: TypeAlias = Callable[[Exception | None], None]

SWEEP_EVERY = 1.0
# The wall clock has been set, not merely disciplined, where it is so many seconds from where it was.
JUMP = 2.0


class LocationFull(StoreUnavailable):
    """There is no room for another binding."""


class _Update:
    __slots__ = ("aor", "bindings", "committed", "number")

    def __init__(self, number: int, aor: str, bindings: tuple[Binding, ...], committed: Committed) -> None:
        self.number = number
        self.aor = aor
        self.bindings = bindings
        self.committed = committed


class _Writing:
    """A batch under way: the updates that wait for it, and what of it must be written even if they fail."""

    __slots__ = ("batch", "owed", "updates")

    def __init__(self, batch: Batch, updates: list[_Update], owed: dict[int, Binding | None]) -> None:
        self.batch = batch
        self.updates = updates
        self.owed = owed


class Location:
    """Bindings by address-of-record: `lookup` sees what is committed, `staged` what will be once the updates under way are.

    Without a store an update is committed at once; with a store and no loop, before `update` returns. With both there is group commit: at
    once where the last one is `interval` seconds ago, else together with whatever else comes until then. An update is called back on the
    loop's thread, in the order of the updates; `batch_ended`, where it is set, is called after those of one commit, so that what they
    answered can leave together.
    """

    def __init__(
        self,
        store: Store | None = None,
        *,
        loop: asyncio.AbstractEventLoop | None = None,
        clock: Callable[[], float] | None = None,
        wall: Callable[[], float] = time.time,
        interval: float = 0.04,
        patience: float = 0.9,
        capacity: int = 1_000_000,
    ) -> None:
        """Loads every binding of the store, so that the first request finds them; raises `StoreError` where that fails.

        `clock` is monotonic (default: the loop's), `wall` gives seconds since 1970; `patience` is how many seconds a commit may take before
        it counts as failed; `capacity` the most bindings held.
        """
        self.clock: Callable[[], float] = clock or (loop.time if loop is not None else time.monotonic)
        self.capacity = capacity
        self.batch_ended: Callable[[], None] | None = None
        self.report: Callable[[str], None] | None = None
        """Told in one line when the store fails, and when it is back."""
        self.swept: Callable[[float], None] | None = None
        """Called with the time about once a second as long as anything is bound."""
        self._is_failing = False
        self._wall = wall
        self._loop = loop
        self._interval = interval
        self._patience = patience

        now = self.clock()
        # Deadlines run on the monotonic clock; the store, which outlives it, has them on the wall clock: that much later.
        self._offset = wall() - now
        self._index = Index(now)
        self._by_aor = self._index.by_aor
        self._last_row = 0

        self._staged: dict[str, tuple[Binding, ...]] = {}
        self._updates: list[_Update] = []
        self._last_update = 0
        # Flows lost while something was under way: what was staged until then may bring bindings over them.
        self._lost: dict[str, int] = {}
        self._rows: dict[int, Binding | None] = {}
        # What the store lacks of the index, whether or not any update succeeds: expired rows, rows of a commit given up.
        self._owed: dict[int, Binding | None] = {}
        self._shift = 0.0
        self._writing: _Writing | None = None
        self._given_up = False
        self._next_commit = now
        self._flush_alarm: asyncio.Handle | None = None
        self._stall_alarm: asyncio.Handle | None = None
        self._sweep_alarm: asyncio.Handle | None = None

        self._store = store
        self._journal: Journal | None = None
        self._connection: sqlite3.Connection | None = None
        if store is not None:
            try:
                self._connection = store.connect()
                self._load(self._connection)
            except sqlite3.Error as error:
                if self._connection is not None:
                    self._connection.close()
                raise store_error(error, store.path) from error
            if loop is not None:
                self._connection.close()
                self._connection = None
                self._journal = Journal(store, self._wake)
            self._arm_sweep()

    def _load(self, connection: sqlite3.Connection) -> None:
        # A million objects that will stay would be searched for garbage again and again while they are made.
        collecting = gc.isenabled()
        gc.disable()
        try:
            several: set[str] = set()
            for binding in read(connection, self._wall(), self._offset):
                self._last_row = binding.row
                before = self._by_aor.get(binding.aor)
                if before is not None:
                    several.add(binding.aor)
                self._index.put(binding.aor, (binding,) if before is None else (*before, binding))
            for aor in several:
                self._index.put(aor, _by_preference(self._by_aor[aor]))
        finally:
            if collecting:
                gc.enable()

    @property
    def by_aor(self) -> Mapping[str, Sequence[Binding]]:
        """Every binding by its address-of-record, some perhaps expired; for reading."""
        return self._by_aor

    def __len__(self) -> int:
        """How many bindings are held, those expired in the last few seconds included."""
        return self._index.size

    def lookup(self, aor: str | SipUri) -> Sequence[Binding]:
        """The live bindings a call to an address-of-record can go to, highest q first; it is given as `aor_of` has it, or as a URI.

        A `sips:` URI finds only `sips:` contacts: what was asked to be secure is not sent in the clear (§16.6 item 6, RFC 5630 §5.3).
        """
        if isinstance(aor, SipUri):
            if aor.scheme == "sips":
                return [b for b in self.lookup(aor_of(aor)) if b.contact[:5].lower() == "sips:"]
            aor = aor_of(aor)
        bindings = self._by_aor.get(aor)
        if bindings is None:
            return ()
        now = self.clock()
        for binding in bindings:
            if binding.expires_at <= now or not binding.is_sip:
                return [b for b in bindings if b.expires_at > now and b.is_sip]
        return bindings

    def registered(self, aor: str) -> Sequence[Binding]:
        """All live bindings of an address-of-record, those included whose URI only another medium could follow (mailto, tel)."""
        now = self.clock()
        return [b for b in self._by_aor.get(aor, ()) if b.expires_at > now]

    def staged(self, aor: str) -> tuple[Binding, ...]:
        """The bindings of an address-of-record as the updates under way will leave them, expired ones included."""
        staged = self._staged.get(aor)
        return self._by_aor.get(aor, ()) if staged is None else staged

    def flows(self) -> Sequence[str]:
        """The names of the flows that bindings were made over."""
        return tuple(self._index.flows())

    def contact_over(self, flow: str) -> str:
        """The contact that was registered last over a flow, which is one of `flows()`."""
        return max(self._index.over(flow), key=lambda binding: binding.refreshed_at).contact

    def flow_lost(self, flow: str) -> None:
        """No message will arrive over a flow any more: every binding made over it goes, whosever it is (RFC 5626 §7).

        `lookup` sees at once that they are gone, and no later failure of the store brings them back.
        """
        if self._staged:
            self._lost[flow] = self._last_update
        self._drop(set(self._index.over(flow)))

    def _drop(self, lost: set[Binding]) -> None:
        for aor in {binding.aor for binding in lost}:
            gone = [binding.row for binding in self._by_aor.get(aor, ()) if binding in lost]
            self.update(aor, [b for b in self.staged(aor) if b not in lost], partial(self._forget, gone))
            self._index.put(aor, tuple([b for b in self._by_aor.get(aor, ()) if b not in lost]))

    def _forget(self, rows: list[int], error: Exception | None) -> None:
        if error is not None and self._store is not None:
            # A row that lives on with another flow is written again by what made it so.
            self._owed.update(dict.fromkeys(rows))

    def _drop_late(self, updates: list[_Update]) -> None:
        """What was committed over flows that were lost while it was under way goes as well."""
        lost = self._lost
        settled = updates[-1].number if updates else 0
        self._lost = {flow: number for flow, number in lost.items() if number > settled}
        self._drop({b for update in updates for b in update.bindings if b.flow and lost.get(b.flow, 0) >= update.number})

    def new_row(self) -> int:
        """A row for a binding that refreshes none."""
        self._last_row += 1
        return self._last_row

    def update(self, aor: str, bindings: Iterable[Binding], committed: Committed) -> None:
        """Makes `bindings` those of `aor`, all of them or, where the store fails, none.

        `committed(None)` says that they are stored and seen by `lookup`; `committed(error)` that nothing has changed: a `StoreUnavailable`
        may pass by itself. Where `bindings` are those staged already, it says when they are committed. May call back before it returns.
        """
        before = self.staged(aor)
        bindings = _by_preference(bindings)
        if self._given_up:
            committed(StoreUnavailable("the disk does not answer"))
            return
        if len(bindings) > len(before) and self._index.size + len(self._updates) >= self.capacity:
            committed(LocationFull(f"{self.capacity} bindings are held already"))
            return
        if bindings == before:
            bindings = before
            if aor not in self._staged:
                committed(None)
                return
        if self._store is None:
            self._index.put(aor, bindings)
            self._arm_sweep()
            committed(None)
            return
        if bindings is not before:
            self._stage(before, bindings)
        self._staged[aor] = bindings
        self._last_update += 1
        self._updates.append(_Update(self._last_update, aor, bindings, committed))
        self._arm_flush()

    def _stage(self, before: tuple[Binding, ...], bindings: tuple[Binding, ...]) -> None:
        rows = self._rows
        for binding in bindings:
            if binding not in before:
                rows[binding.row] = binding
        if before:
            kept = [binding.row for binding in bindings]
            for binding in before:
                if binding.row not in kept:
                    rows[binding.row] = None

    def advance(self, now: float) -> None:
        """Removes what has expired and notices a wall clock that was set. Where there is a loop, this happens by itself."""
        offset = self._wall() - now
        if abs(offset - self._offset) > JUMP:
            # A binding lasts as long as was granted, whatever the calendar says meanwhile: the stored deadlines move along.
            if self._store is not None:
                self._shift += offset - self._offset
            self._offset = offset
        for binding in self._index.sweep(now, self._staged):
            if self._store is not None:
                self._owed[binding.row] = None
        if self._owed or self._shift:
            self._arm_flush()

    def close(self) -> None:
        """Commits what is staged, calls back whom it concerns, and lets the store go. Waits for the disk, but not for ever."""
        if self._journal is not None:
            for _ in range(2):  # the batch under way, then what came after it
                if self._writing is None and self._updates:
                    self._flush()
                if self._writing is not None:
                    self._collect(self._patience)
            self._journal.close(self._patience)
        for alarm in (self._flush_alarm, self._stall_alarm, self._sweep_alarm):
            if alarm is not None:
                alarm.cancel()
        if self._connection is not None:
            self._connection.close()

    # Group commit: at most one batch is under way; what comes meanwhile gathers for the next.

    def _arm_flush(self) -> None:
        if self._loop is None:
            self._flush()
        elif self._writing is None and self._flush_alarm is None:
            wait = self._next_commit - self.clock()
            if wait > 0:
                self._flush_alarm = self._loop.call_later(wait, self._flush)
            else:
                # Not before the end of this turn: the rest of what the socket holds goes with it.
                self._flush_alarm = self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_alarm = None
        batch = Batch(self._owed | self._rows, self._offset, self._shift)
        writing = self._writing = _Writing(batch, self._updates, self._owed)
        self._updates, self._rows, self._owed, self._shift = [], {}, {}, 0.0
        if self._journal is not None and self._loop is not None:
            self._next_commit = self.clock() + self._interval
            self._stall_alarm = self._loop.call_later(self._patience, self._give_up)
            self._journal.submit(batch)
        elif self._connection is not None and self._store is not None:
            try:
                batch.write(self._connection)
            except sqlite3.Error as error:
                self._settle(writing, store_error(error, self._store.path))
            else:
                self._settle(writing, None)

    def _wake(self) -> None:
        """On the writer's thread: one hop to the loop for the whole batch."""
        if self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(self._collect)
            except RuntimeError:
                # The loop is closed; `close` collects.
                return

    def _collect(self, timeout: float = 0) -> None:
        if self._journal is None or self._writing is None:
            return
        try:
            error = self._journal.outcome(timeout)
        except TimeoutError:
            return
        if self._stall_alarm is not None:
            self._stall_alarm.cancel()
            self._stall_alarm = None
        self._settle(self._writing, error)

    def _settle(self, writing: _Writing, error: StoreError | None) -> None:
        self._writing = None
        self._tell(error)
        if self._given_up:
            self._given_up = False
            if error is None:
                self._take_back(writing)
        elif error is None:
            for update in writing.updates:
                self._index.put(update.aor, update.bindings)
                if self._staged.get(update.aor) is update.bindings:
                    del self._staged[update.aor]
                self._call_back(update, None)
            if self._lost:
                self._drop_late(writing.updates)
            self._arm_sweep()
        if error is not None:
            self._owed = writing.owed | self._owed
            self._shift += writing.batch.shift
            if writing.updates:
                self._fail(writing.updates, error)
        elif self._updates or self._owed or self._shift:
            self._arm_flush()
        if self.batch_ended is not None:
            self.batch_ended()

    def _tell(self, error: StoreError | None) -> None:
        if self.report is not None and (error is not None) is not self._is_failing:
            self.report("bindings are stored again" if error is None else f"bindings cannot be stored, REGISTER is refused: {error}")
        self._is_failing = error is not None

    def _fail(self, updates: list[_Update], error: StoreError) -> None:
        """Undoes everything staged: what came after the failed batch may rest on it, and need not wait to fail in its turn."""
        updates = updates + self._updates
        self._updates, self._rows = [], {}
        self._staged.clear()
        self._lost.clear()
        for update in updates:
            self._call_back(update, error)

    def _give_up(self) -> None:
        """The disk hangs: those who wait are told now, those who come are refused until it answers."""
        self._stall_alarm = None
        if self._writing is not None:
            self._given_up = True
            self._tell(StoreUnavailable("the disk does not answer"))
            updates, self._writing.updates = self._writing.updates, []
            self._fail(updates, StoreUnavailable("the disk does not answer"))
            if self.batch_ended is not None:
                self.batch_ended()

    def _take_back(self, writing: _Writing) -> None:
        """A batch given up was written after all: the store shall hold again what the index holds."""
        rows = writing.batch.rows
        held = {binding.row: binding for bindings in self._by_aor.values() for binding in bindings if binding.row in rows}
        for row in rows:
            self._owed[row] = held.get(row)

    def _call_back(self, update: _Update, error: StoreError | None) -> None:
        try:
            update.committed(error)
        except Exception as exception:  # one caller's fault must not cost the others their answer
            if self._loop is None:
                raise
            self._loop.call_exception_handler({"message": "a registration's callback failed", "exception": exception})

    def _arm_sweep(self) -> None:
        if self._loop is not None and self._sweep_alarm is None and self._index.size:
            self._sweep_alarm = self._loop.call_later(0.01 if self._index.is_behind else SWEEP_EVERY, self._sweep)

    def _sweep(self) -> None:
        self._sweep_alarm = None
        self.advance(self.clock())
        if self.swept is not None:
            self.swept(self.clock())
        self._arm_sweep()


def _by_preference(bindings: Iterable[Binding]) -> tuple[Binding, ...]:
    """Highest q first (§16.6); among equals the order stays."""
    together = tuple(bindings)
    return together if len(together) < 2 else tuple(sorted(together, key=_preference))


def _preference(binding: Binding) -> float:
    return -binding.q
