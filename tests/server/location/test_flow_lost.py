"""A flow is lost (RFC 5626 §7): whatever was registered over it goes, at once and for good."""

import sqlite3
import sys

from ringback.server.location.binding import Binding
from ringback.server.location.location import Location
from ringback.server.store import Store, StoreUnavailable
from tests.server.location.bindings import ALICE, BOB, Answers, Clocks, binding, open_location, rows
from tests.server.location.test_group_commit import on_loop, until


def test_all_bindings_of_a_lost_flow_go_and_no_others(clocks: Clocks, store: Store) -> None:
    location = open_location(clocks, store)
    answers = Answers()
    over_wifi, over_cable = binding(location, flow="wifi"), binding(location, contact="sip:alice@192.0.2.2", flow="cable")
    location.update(ALICE, [over_wifi, over_cable], answers)
    location.update(BOB, [binding(location, BOB, flow="wifi")], answers)
    location.flow_lost("another")
    assert len(location) == 3
    location.flow_lost("wifi")
    assert list(location.lookup(ALICE)) == [over_cable]
    assert list(location.lookup(BOB)) == []
    assert rows(store, "flow") == ["cable"]
    location.flow_lost("wifi")
    location.close()


def test_without_a_store_they_go_as_well(clocks: Clocks) -> None:
    location = open_location(clocks)
    location.update(ALICE, [binding(location, flow="wifi")], Answers())
    location.flow_lost("wifi")
    assert list(location.registered(ALICE)) == []
    assert len(location) == 0


def test_what_a_binding_says_of_its_user_agent_outlives_a_restart(clocks: Clocks, store: Store) -> None:
    location = open_location(clocks, store)
    made = Binding(
        location.new_row(), ALICE, "sip:a@192.0.2.1;ob", "", 1.0, clocks.now + 60, 60, "c", 1,
        "<sip:inner@192.0.2.7;lr;ob>, <sip:192.0.2.8;lr>", "192.0.2.7", "f1", "urn:uuid:f81d4fae", 2, 2**63 - 1,
    )  # fmt: skip
    location.update(ALICE, [made], Answers())
    location.close()
    clocks.pass_(10)
    again = open_location(clocks, store)
    (found,) = again.lookup(ALICE)
    assert (found.flow, found.instance, found.reg_id) == ("f1", "urn:uuid:f81d4fae", 2)
    assert (found.path, found.era) == ("<sip:inner@192.0.2.7;lr;ob>, <sip:192.0.2.8;lr>", 2**63 - 1)
    assert found.refreshed_at == clocks.now - 10
    again.flow_lost("f1")
    assert rows(store) == []
    again.close()


def test_a_call_finds_no_lost_flow_even_before_the_disk_knows(store: Store) -> None:
    async def test(location: Location) -> None:
        answers = Answers()
        location.update(ALICE, [binding(location, flow="wifi")], answers)
        await until(lambda: answers == [None])
        location.flow_lost("wifi")
        assert list(location.lookup(ALICE)) == []
        await until(lambda: rows(store) == [])

    on_loop(test, store)


def test_a_registration_under_way_over_the_lost_flow_comes_to_nothing(store: Store) -> None:
    async def test(location: Location) -> None:
        answers = Answers()
        location.update(ALICE, [binding(location, flow="wifi")], answers)
        location.flow_lost("wifi")
        await until(lambda: answers == [None] and location._writing is None and not location._staged)
        assert list(location.lookup(ALICE)) == []
        assert rows(store) == []

    on_loop(test, store)


def test_a_binding_moved_to_a_new_flow_meanwhile_stays(store: Store) -> None:
    async def test(location: Location) -> None:
        answers = Answers()
        old = binding(location, flow="wifi")
        location.update(ALICE, [old], answers)
        await until(lambda: answers == [None])
        moved = Binding(old.row, ALICE, old.contact, "", 1.0, old.expires_at, 60, "call-1", 8, flow="cable")
        location.update(ALICE, [moved], answers)
        location.flow_lost("wifi")
        await until(lambda: answers == [None, None])
        assert list(location.lookup(ALICE)) == [moved]
        assert rows(store, "flow") == ["cable"]
        location.flow_lost("cable")
        await until(lambda: rows(store) == [])

    on_loop(test, store)


def test_a_store_that_fails_meanwhile_loses_it_later(store: Store) -> None:
    async def test(location: Location) -> None:
        answers = Answers()
        location.update(ALICE, [binding(location, flow="wifi")], answers)
        await until(lambda: answers == [None])
        other = sqlite3.connect(store.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        location.flow_lost("wifi")
        location.update(BOB, [binding(location, BOB)], answers)
        await until(lambda: len(answers) == 2)
        assert isinstance(answers[1], StoreUnavailable)
        assert list(location.lookup(ALICE)) == []
        other.execute("ROLLBACK")
        other.close()
        location.update(BOB, [binding(location, BOB)], answers)
        await until(lambda: len(answers) == 3)
        assert rows(store, "aor") == [BOB]

    on_loop(test, store)


def test_a_registration_after_the_loss_is_another_matter(store: Store) -> None:
    """A flow of datagrams can be lost, and found again."""

    async def test(location: Location) -> None:
        answers = Answers()
        location.update(ALICE, [binding(location, flow="udp")], answers)
        location.flow_lost("udp")
        again = binding(location, flow="udp")
        location.update(ALICE, [again], answers)
        await until(lambda: len(answers) == 2 and location._writing is None and not location._staged)
        assert list(location.lookup(ALICE)) == [again]
        assert rows(store, "id") == [again.row]
        assert not location._lost

    on_loop(test, store)


def test_ten_thousand_connections_lost_at_once_cost_no_more_than_each_by_itself(store: Store) -> None:
    async def test(location: Location) -> None:
        answers = Answers()
        for n in range(10_000):
            location.update(f"sip:{n}@x", [binding(location, f"sip:{n}@x", flow=f"tcp-{n}")], answers)
        await until(lambda: len(answers) == 10_000)
        location.update(ALICE, [binding(location)], answers)
        steps = 0

        def count(_frame: object, event: str, _arg: object) -> None:
            nonlocal steps
            steps += event == "call"

        sys.setprofile(count)
        try:
            for n in range(10_000):
                location.flow_lost(f"tcp-{n}")
        finally:
            sys.setprofile(None)
        assert steps < 300_000
        await until(lambda: len(location) == 1 and rows(store, "aor") == [ALICE])

    on_loop(test, store)
