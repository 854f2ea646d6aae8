"""Group commit: what is answered when, and what a failing, slow or hanging disk leaves."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from ringback.server.location.binding import Binding
from ringback.server.location.journal import _reserve
from ringback.server.location.location import Location
from ringback.server.store import Store, StoreUnavailable
from tests.server.location.bindings import ALICE, BOB, Answers, Clocks, binding, open_location, rows


class Slow:
    """Stands for a disk: every commit waits until `go` is called, and then ends as `verdict` says."""

    def __init__(self, location: Location, verdict: int = sqlite3.SQLITE_OK) -> None:
        self.verdict = verdict
        self.allowed = threading.Semaphore(0)
        assert location._journal is not None
        location._journal._connection.set_authorizer(self._ask)

    def _ask(self, *_: object) -> int:
        self.allowed.acquire(timeout=5)
        self.allowed.release()
        return self.verdict

    def go(self) -> None:
        self.allowed.release()


async def until(true: Callable[[], bool]) -> None:
    for _ in range(2_000):
        if true():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("never came true")


def on_loop(test: Callable[[Location], object], store: Store, **options: float) -> None:
    async def run() -> None:
        location = Location(store, loop=asyncio.get_running_loop(), **options)  # type: ignore[arg-type]
        try:
            await test(location)  # type: ignore[misc]
        finally:
            location.close()

    asyncio.run(run())


def test_bindings_are_seen_when_committed_and_not_before(store: Store) -> None:
    async def test(location: Location) -> None:
        answers = Answers()
        made = binding(location)
        location.update(ALICE, [made], answers)
        assert list(location.lookup(ALICE)) == []
        assert location.staged(ALICE) == (made,)
        await until(lambda: len(answers) == 1)
        assert answers == [None]
        assert list(location.lookup(ALICE)) == [made]
        assert rows(store) == [made.contact]

    on_loop(test, store)


def test_many_updates_share_one_commit_and_are_answered_in_order(store: Store) -> None:
    async def test(location: Location) -> None:
        commits = 0
        wake = location._journal._wake  # type: ignore[union-attr]

        def count() -> None:
            nonlocal commits
            commits += 1
            wake()

        location._journal._wake = count  # type: ignore[union-attr]
        order: list[int] = []
        for n in range(200):
            location.update(f"sip:{n}@x", [binding(location, f"sip:{n}@x")], lambda _, n=n: order.append(n))  # type: ignore[misc]
        await until(lambda: len(order) == 200)
        assert order == list(range(200))
        assert commits == 1
        assert len(rows(store)) == 200

    on_loop(test, store)


def test_a_later_update_rests_on_the_staged_state_and_a_query_waits_for_it(store: Store) -> None:
    async def test(location: Location) -> None:
        answers = Answers()
        first = binding(location)
        location.update(ALICE, [first], answers)
        second = binding(location, contact="sip:alice@192.0.2.9")
        location.update(ALICE, [*location.staged(ALICE), second], answers)
        location.update(ALICE, location.staged(ALICE), answers)
        assert answers == []
        location.update(ALICE, [second], answers)
        await until(lambda: len(answers) == 4)
        assert list(location.lookup(ALICE)) == [second]
        assert rows(store) == [second.contact]

    on_loop(test, store)


def test_what_comes_during_a_commit_goes_with_the_next(store: Store) -> None:
    async def test(location: Location) -> None:
        answers = Answers()
        first = binding(location)
        location.update(ALICE, [first], answers)
        await until(lambda: location._writing is not None or bool(answers))
        refreshed = Binding(first.row, ALICE, first.contact, "", 1.0, location.clock() + 90, 90, "call-1", 8)
        location.update(ALICE, [refreshed], answers)
        location.update(BOB, [binding(location, BOB)], answers)
        location.update(BOB, [], answers)
        await until(lambda: len(answers) == 4)
        assert answers == [None] * 4
        assert list(location.lookup(ALICE)) == [refreshed]
        assert rows(store, "cseq") == [8]

    on_loop(test, store)


def test_a_failed_commit_undoes_everything_staged(store: Store) -> None:
    async def test(location: Location) -> None:
        answers = Answers()
        kept = binding(location)
        location.update(ALICE, [kept], answers)
        await until(lambda: len(answers) == 1)
        other = sqlite3.connect(store.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        location.update(ALICE, [kept, binding(location)], answers)
        await until(lambda: location._writing is not None)
        location.update(ALICE, [], answers)
        location.update(BOB, [binding(location, BOB)], answers)
        await until(lambda: len(answers) == 4)
        assert [type(answer) for answer in answers[1:]] == [StoreUnavailable] * 3
        assert location.staged(ALICE) == (kept,)
        assert list(location.lookup(ALICE)) == [kept]
        assert list(location.lookup(BOB)) == []
        other.execute("ROLLBACK")
        other.close()
        location.update(BOB, [binding(location, BOB)], answers)
        await until(lambda: len(answers) == 5)
        assert answers[4] is None
        assert len(rows(store)) == 2

    on_loop(test, store)


def test_a_disk_that_hangs_refuses_at_once_and_what_it_wrote_after_all_is_taken_back(store: Store) -> None:
    async def test(location: Location) -> None:
        answers = Answers()
        kept = binding(location)
        location.update(ALICE, [kept], answers)
        await until(lambda: len(answers) == 1)
        disk = Slow(location)
        location.update(ALICE, [], answers)
        location.update(BOB, [binding(location, BOB)], answers)
        await until(lambda: len(answers) == 3)
        assert [str(answer) for answer in answers[1:]] == ["the disk does not answer"] * 2
        location.update(BOB, [binding(location, BOB)], answers)
        assert str(answers[3]) == "the disk does not answer"
        assert list(location.lookup(ALICE)) == [kept]
        disk.go()
        await until(lambda: location._writing is None and not location._owed)
        assert list(location.lookup(ALICE)) == [kept]
        assert rows(store) == [kept.contact]
        location.update(BOB, [binding(location, BOB)], answers)
        await until(lambda: len(answers) == 5)
        assert answers[4] is None

    on_loop(test, store, patience=0.05)


def test_one_failing_callback_does_not_cost_the_others_their_answer(store: Store) -> None:
    async def test(location: Location) -> None:
        reported: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))
        answers = Answers()

        def fail(_: Exception | None) -> None:
            raise KeyError("mine")

        location.update(ALICE, [binding(location)], fail)
        location.update(BOB, [binding(location, BOB)], answers)
        await until(lambda: len(answers) == 1)
        assert [type(error) for error in reported] == [KeyError]

    on_loop(test, store)


def test_closing_commits_what_is_staged(store: Store) -> None:
    answers = Answers()

    async def run() -> None:
        location = Location(store, loop=asyncio.get_running_loop())
        location.update(ALICE, [binding(location)], answers)
        await until(lambda: location._writing is not None or bool(answers))
        location.update(BOB, [binding(location, BOB)], answers)
        location.close()
        assert answers == [None, None]

    asyncio.run(run())
    assert len(rows(store)) == 2


def test_on_a_loop_expired_bindings_leave_by_themselves(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringback.server.location.location.SWEEP_EVERY", 0.001)
    clocks = Clocks()

    async def run() -> None:
        loop = asyncio.get_running_loop()
        location = Location(store, loop=loop, clock=lambda: clocks.now, wall=lambda: clocks.wall, interval=0.0)
        answers = Answers()
        location.update(ALICE, [binding(location)], answers)
        await until(lambda: bool(answers))
        clocks.pass_(100)
        await until(lambda: len(location) == 0 and location._writing is None and not location._owed)
        assert rows(store) == []
        location.close()

    asyncio.run(run())


def test_an_update_that_is_no_change_waits_for_nobody_on_a_loop_either(store: Store) -> None:
    async def test(location: Location) -> None:
        answers = Answers()
        location.update(ALICE, (), answers)
        assert answers == [None]

    on_loop(test, store)


def test_without_a_store_a_loop_sweeps_all_the_same(clocks: Clocks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringback.server.location.location.SWEEP_EVERY", 0.001)

    async def run() -> None:
        location = Location(loop=asyncio.get_running_loop(), clock=lambda: clocks.now, wall=lambda: clocks.wall)
        location.update(ALICE, [binding(location)], Answers())
        clocks.pass_(100)
        clocks.wall += 3_600
        await until(lambda: len(location) == 0)
        location.close()

    asyncio.run(run())


def test_each_commit_ends_with_one_word_to_whoever_sends(store: Store) -> None:
    async def test(location: Location) -> None:
        ends: list[int] = []
        answers = Answers()
        location.batch_ended = lambda: ends.append(len(answers))
        for n in range(5):
            location.update(f"sip:{n}@x", [binding(location, f"sip:{n}@x")], answers)
        await until(lambda: len(ends) == 1)
        assert ends == [5]
        disk = Slow(location)
        location.update(ALICE, [binding(location)], answers)
        await until(lambda: len(ends) == 2)
        assert ends == [5, 6]
        disk.go()
        await until(lambda: location._writing is None)

    on_loop(test, store, patience=0.05)


def test_a_hung_disk_that_then_fails_owes_nothing(store: Store) -> None:
    async def test(location: Location) -> None:
        answers = Answers()
        disk = Slow(location, sqlite3.SQLITE_DENY)
        location.update(ALICE, [binding(location)], answers)
        await until(lambda: len(answers) == 1)
        disk.go()
        await until(lambda: location._writing is None)
        assert isinstance(answers[0], StoreUnavailable)
        assert not location._owed
        assert rows(store) == []

    on_loop(test, store, patience=0.05)


def test_a_failing_callback_without_a_loop_is_its_callers_own(clocks: Clocks, store: Store) -> None:
    location = open_location(clocks, store)

    def fail(_: Exception | None) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError):
        location.update(ALICE, [binding(location)], fail)
    location.close()


def test_a_commit_that_ends_after_the_loop_has_is_nobodys_trouble(store: Store) -> None:
    async def run() -> tuple[Location, Slow]:
        location = Location(store, loop=asyncio.get_running_loop())
        disk = Slow(location)
        location.update(ALICE, [binding(location)], Answers())
        await until(lambda: location._writing is not None)
        return location, disk

    location, disk = asyncio.run(run())
    disk.go()
    location._journal.close(5.0)  # type: ignore[union-attr]
    assert len(rows(store)) == 1


def test_closing_does_not_wait_for_ever_for_a_disk_that_hangs(store: Store) -> None:
    async def test(location: Location) -> None:
        answers = Answers()
        disk = Slow(location)
        location.update(ALICE, [binding(location)], answers)
        await until(lambda: location._writing is not None)
        location.close()
        # Whoever still waits gets no answer, and asks again: nothing was promised.
        assert answers == []
        disk.go()

    on_loop(test, store, patience=0.05)


def test_a_log_that_cannot_be_made_long_is_only_slower(store: Store) -> None:
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    connection = store.connect()
    _reserve(connection)
    assert connection.execute("SELECT count(*) FROM meta WHERE name = 'reserve'").fetchone() == (0,)
    connection.close()
    other.close()


def test_a_binding_says_what_it_is(clocks: Clocks) -> None:
    assert repr(binding(open_location(clocks), q=0.5)) == "<Binding sip:alice@example.com → sip:alice@192.0.2.1 q=0.5>"


def test_a_failing_store_is_told_once_and_so_is_its_return(clocks: Clocks, store: Store, tmp_path: Path) -> None:
    location = open_location(clocks, store)
    told: list[str] = []
    location.report = told.append
    answers = Answers()
    with closing(sqlite3.connect(tmp_path / "ringback.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for _ in range(2):
            location.update(ALICE, [binding(location)], answers)
        other.execute("ROLLBACK")
    location.update(ALICE, [binding(location)], answers)
    assert [type(answer) for answer in answers] == [StoreUnavailable, StoreUnavailable, type(None)]
    assert [line.partition(":")[0] for line in told] == ["bindings cannot be stored, REGISTER is refused", "bindings are stored again"]
    location.close()


def test_what_is_written_into_a_removed_file_is_not_stored(tmp_path: Path) -> None:
    async def register() -> Exception | None:
        store = Store(tmp_path / "data")
        loop = asyncio.get_running_loop()
        location = Location(store, loop=loop, clock=loop.time)
        (tmp_path / "data" / "ringback.db").rename(tmp_path / "elsewhere.db")
        answered: asyncio.Future[Exception | None] = loop.create_future()
        location.update(ALICE, [binding(location)], answered.set_result)
        error = await asyncio.wait_for(answered, 5)
        assert location.lookup(ALICE) == ()
        location.close()
        store.close()
        return error

    error = asyncio.run(register())
    assert isinstance(error, StoreUnavailable)
    assert "removed or replaced" in str(error)
