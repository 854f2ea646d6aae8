"""The location service: what is seen when, in what order, and what a failure leaves."""

import sqlite3

import pytest

from ringback.message.uri import SipUri
from ringback.server.location.binding import Binding, aor_of
from ringback.server.location.location import LocationFull
from ringback.server.store import Store, StoreError, StoreUnavailable
from tests.server.location.bindings import ALICE, BOB, Answers, Clocks, binding, open_location, rows

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
