"""The location service: what is seen when, in what order, and what a failure leaves."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ringback.message.uri import SipUri
from ringback.server.location.binding import Binding, aor_of
from ringback.server.location.journal import _reserve
from ringback.server.location.location import Location, LocationFull
from ringback.server.store import Store, StoreError, StoreUnavailable

ALICE = "sip:alice@example.com"
BOB = "sip:bob@example.com"


class Clocks:
    """A monotonic and a wall clock that stand still until told otherwise."""

    def __init__(self) -> None:
        self.now = 5_000.0
        self.wall = 1_800_000_000.0

    def pass_(self, seconds: float) -> None:
        self.now += seconds
        self.wall += seconds


class Answers(list[Exception | None]):
    """A callback that remembers what it was told."""

    def __call__(self, error: Exception | None) -> None:
        self.append(error)


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr("ringback.server.store.BUSY_TIMEOUT", 0.05)
    store = Store(tmp_path)
    yield store
    store.close()


def open_location(clocks: Clocks, store: Store | None = None, capacity: int = 100) -> Location:
    return Location(store, clock=lambda: clocks.now, wall=lambda: clocks.wall, capacity=capacity)


def binding(location: Location, aor: str = ALICE, contact: str = "sip:alice@192.0.2.1", *, q: float = 1.0, expires: int = 60) -> Binding:
    return Binding(location.new_row(), aor, contact, ";+x=1", q, location.clock() + expires, expires, "call-1", 7, "", "192.0.2.1")


def rows(store: Store, column: str = "contact") -> list[object]:
    connection = store.connect()
    found = [value for (value,) in connection.execute(f"SELECT {column} FROM binding ORDER BY id")]
    connection.close()
    return found


# The form of an address-of-record


@pytest.mark.parametrize(
    ("uri", "aor"),
    [
        ("sip:alice@example.com", ALICE),
        ("sips:alice@Example.COM", ALICE),
        ("sip:%61lice:secret@example.com:5070;transport=tcp;user=phone?Subject=x", ALICE),
        ("sip:Alice@example.com", "sip:Alice@example.com"),
        ("sip:a%40b@example.com", "sip:a@b@example.com"),
        ("sip:alice@[2001:DB8::1]", "sip:alice@2001:db8::1"),
        ("sip:example.com", "sip:example.com"),
    ],
)
def test_an_address_of_record_in_canonical_form(uri: str, aor: str) -> None:
    assert aor_of(SipUri.parse(uri)) == aor


# In memory


def test_lookup_gives_live_bindings_highest_q_first(clocks: Clocks) -> None:
    location = open_location(clocks)
    low, high, short = binding(location, q=0.1), binding(location, q=0.9), binding(location, q=1.0, expires=10)
    answers = Answers()
    location.update(ALICE, [low, high, short], answers)
    assert answers == [None]
    assert list(location.lookup(ALICE)) == [short, high, low]
    assert list(location.lookup(SipUri.parse("sip:%61lice@example.com;transport=udp"))) == [short, high, low]
    clocks.pass_(10)
    assert list(location.lookup(ALICE)) == [high, low]
    assert len(location) == 3
    clocks.pass_(100)
    assert list(location.lookup(ALICE)) == []
    location.advance(clocks.now)
    assert len(location) == 0
    assert list(location.lookup(BOB)) == []


def test_a_sips_uri_finds_only_sips_contacts(clocks: Clocks) -> None:
    location = open_location(clocks)
    plain, secure = binding(location), binding(location, contact="SIPS:alice@192.0.2.1")
    location.update(ALICE, [plain, secure], Answers())
    assert list(location.lookup(SipUri.parse("sips:alice@example.com"))) == [secure]
    assert list(location.lookup(SipUri.parse("sip:alice@example.com"))) == [plain, secure]


def test_an_update_that_changes_nothing_is_committed_already(clocks: Clocks) -> None:
    location = open_location(clocks)
    answers = Answers()
    location.update(ALICE, (), answers)
    assert answers == [None]


def test_no_more_bindings_than_there_is_room_for(clocks: Clocks) -> None:
    location = open_location(clocks, capacity=2)
    first, second = binding(location), binding(location)
    answers = Answers()
    location.update(ALICE, [first, second], answers)
    location.update(BOB, [binding(location, BOB)], answers)
    assert answers[0] is None
    assert isinstance(answers[1], LocationFull)
    assert list(location.lookup(BOB)) == []
    # One who has a binding may still refresh it.
    location.update(ALICE, [first, binding(location)], answers)
    assert answers[2] is None


def test_memory_of_one_binding(clocks: Clocks) -> None:
    tracemalloc = pytest.importorskip("tracemalloc")
    location = open_location(clocks, capacity=10_000)
    answers = Answers()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for n in range(2_000):
        aor = f"sip:user{n:06}@sip.example.com"
        contact = f"sip:user{n:06}@192.0.2.111:50{n:04};transport=udp;ob"
        params = f';+sip.instance="<urn:uuid:00000000-0000-1000-8000-{n:012}>";q=0.7'
        made = Binding(
            location.new_row(), aor, contact, params, 0.7, clocks.now + n, 3600, f"call-{n:030}@192.0.2.111", n, "", f"192.0.2.{n}"
        )
        location.update(aor, (made,), answers)
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert used / 2_000 < 1_024


# With a store


def test_what_is_committed_is_there_after_a_restart(clocks: Clocks, store: Store) -> None:
    location = open_location(clocks, store)
    answers = Answers()
    one, two = binding(location, q=0.2), binding(location, contact="sip:alice@192.0.2.2", q=0.8, expires=3600)
    location.update(ALICE, [one, two], answers)
    location.update(BOB, [binding(location, BOB, "sip:bob@192.0.2.3")], answers)
    location.update(BOB, [], answers)
    assert answers == [None, None, None]
    location.close()

    clocks.pass_(30)
    clocks.now = 17.0
    again = open_location(clocks, store)
    found = list(again.lookup(ALICE))
    assert [(b.contact, b.params, b.q, b.expires, b.call_id, b.cseq, b.source) for b in found] == [
        ("sip:alice@192.0.2.2", ";+x=1", 0.8, 3600, "call-1", 7, "192.0.2.1"),
        ("sip:alice@192.0.2.1", ";+x=1", 0.2, 60, "call-1", 7, "192.0.2.1"),
    ]
    assert [b.expires_at - clocks.now for b in found] == pytest.approx([3570, 30])
    assert list(again.lookup(BOB)) == []
    assert again.new_row() > max(b.row for b in found)
    again.close()


def test_what_expired_while_the_server_was_down_does_not_come_back(clocks: Clocks, store: Store) -> None:
    location = open_location(clocks, store)
    location.update(ALICE, [binding(location, expires=60)], Answers())
    location.close()
    clocks.pass_(60)
    again = open_location(clocks, store)
    assert len(again) == 0
    assert rows(store) == []
    again.close()


def test_octets_that_are_no_text_survive_the_store(clocks: Clocks, store: Store) -> None:
    aor = b"sip:\xff\xc3\xa4@example.com".decode("utf-8", "surrogateescape")
    contact = "sip:jörg@192.0.2.1"
    location = open_location(clocks, store)
    answers = Answers()
    location.update(aor, [binding(location, aor, contact)], answers)
    assert answers == [None]
    location.close()
    again = open_location(clocks, store)
    assert [b.contact for b in again.lookup(aor)] == [contact]
    again.close()


def test_expired_rows_leave_the_store(clocks: Clocks, store: Store) -> None:
    location = open_location(clocks, store)
    location.update(ALICE, [binding(location, expires=60), binding(location, expires=600, contact="sip:long@192.0.2.1")], Answers())
    clocks.pass_(100)
    location.advance(clocks.now)
    assert rows(store) == ["sip:long@192.0.2.1"]
    location.close()


def test_more_rows_than_one_statement_takes(clocks: Clocks, store: Store) -> None:
    location = open_location(clocks, store, capacity=1000)
    answers = Answers()
    many = [binding(location, contact=f"sip:{n}@192.0.2.1") for n in range(150)]
    location.update(ALICE, many, answers)
    location.update(ALICE, many[:10], answers)
    assert answers == [None, None]
    assert rows(store) == [f"sip:{n}@192.0.2.1" for n in range(10)]
    location.close()


# Clocks that jump


@pytest.mark.parametrize("jump", [-10 * 365 * 86_400.0, -3_600.0, 3_600.0, 10 * 365 * 86_400.0])
def test_a_binding_lasts_as_long_as_granted_though_the_wall_clock_is_set(clocks: Clocks, store: Store, jump: float) -> None:
    location = open_location(clocks, store)
    location.update(ALICE, [binding(location, expires=600)], Answers())
    clocks.wall += jump
    location.update(BOB, [binding(location, BOB, expires=600)], Answers())
    assert len(location.lookup(ALICE)) == 1
    location.advance(clocks.now)
    location.close()

    clocks.pass_(300)
    again = open_location(clocks, store)
    for aor in (ALICE, BOB):
        (found,) = again.lookup(aor)
        assert found.expires_at - clocks.now == pytest.approx(300, abs=0.01)
    again.close()


def test_a_clock_set_back_while_the_server_was_down_extends_nothing_beyond_what_was_granted(clocks: Clocks, store: Store) -> None:
    location = open_location(clocks, store)
    location.update(ALICE, [binding(location, expires=600)], Answers())
    location.close()
    clocks.wall -= 86_400
    again = open_location(clocks, store)
    (found,) = again.lookup(ALICE)
    assert found.expires_at - clocks.now == pytest.approx(600, abs=0.01)
    again.close()


def test_a_clock_that_is_only_disciplined_is_left_alone(clocks: Clocks, store: Store) -> None:
    location = open_location(clocks, store)
    location.update(ALICE, [binding(location, expires=600)], Answers())
    before = rows(store, "expires_at")
    clocks.wall += 1.0
    location.advance(clocks.now)
    assert rows(store, "expires_at") == before
    location.close()


# Failures, without a loop


def test_a_locked_store_refuses_and_recovers(clocks: Clocks, store: Store) -> None:
    location = open_location(clocks, store)
    answers = Answers()
    kept = binding(location)
    location.update(ALICE, [kept], answers)
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    location.update(ALICE, [], answers)
    location.update(BOB, [binding(location, BOB)], answers)
    assert [type(answer) for answer in answers] == [type(None), StoreUnavailable, StoreUnavailable]
    assert "locked" in str(answers[1])
    assert list(location.lookup(ALICE)) == [kept]
    assert list(location.lookup(BOB)) == []
    assert location.staged(ALICE) == (kept,)
    other.execute("ROLLBACK")
    other.close()
    location.update(BOB, [binding(location, BOB)], answers)
    assert answers[3] is None
    assert len(rows(store)) == 2
    location.close()


def test_a_full_disk_refuses_all_of_an_update_and_recovers(clocks: Clocks, store: Store) -> None:
    location = open_location(clocks, store, capacity=1_000)
    answers = Answers()
    location.update(BOB, [binding(location, BOB)], answers)
    connection = location._connection
    assert connection is not None
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    many = [binding(location, contact=f"sip:{n}@192.0.2.1;{'x' * 500}") for n in range(100)]
    location.update(ALICE, many, answers)
    assert isinstance(answers[1], StoreUnavailable)
    assert "full" in str(answers[1])
    assert list(location.lookup(ALICE)) == []
    assert len(rows(store)) == 1
    connection.execute("PRAGMA max_page_count = 100000")
    location.update(ALICE, many, answers)
    assert answers[2] is None
    assert len(rows(store)) == 101
    location.close()


def test_an_expired_row_that_could_not_be_deleted_is_deleted_later(clocks: Clocks, store: Store) -> None:
    location = open_location(clocks, store)
    location.update(ALICE, [binding(location, expires=60)], Answers())
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    clocks.pass_(100)
    clocks.wall += 1_000
    location.advance(clocks.now)
    assert len(location) == 0
    assert len(rows(store)) == 1
    other.execute("ROLLBACK")
    other.close()
    location.advance(clocks.now)
    assert rows(store) == []
    location.close()


def test_a_damaged_table_is_an_error_that_does_not_pass(clocks: Clocks, store: Store) -> None:
    location = open_location(clocks, store)
    other = sqlite3.connect(store.path)
    other.execute("ALTER TABLE binding RENAME TO elsewhere")
    other.close()
    answers = Answers()
    location.update(ALICE, [binding(location)], answers)
    assert isinstance(answers[0], StoreError)
    assert not isinstance(answers[0], StoreUnavailable)
    location.close()
    with pytest.raises(StoreError, match="no such table"):
        open_location(clocks, store)


# Group commit, on a loop with a thread behind it


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
