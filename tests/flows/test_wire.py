"""What was said on a network, put together again: streams cut anyhow, what was lost, keepalives."""

from __future__ import annotations

import asyncio

import pytest

from ringback.testing import Network, Passed, run
from tests.flows.corpus import flow
from tests.flows.stage import Phone, Stage, perform
from tests.flows.wire import ladder, said, same_ladder

HOSTS = {"192.0.2.1": "Alice", "192.0.2.2": "Bob@work"}
HERE, THERE = ("192.0.2.1", 5060), ("192.0.2.2", 5060)
STEPS = flow("rfc3665", "3.1").steps


def network(*passed: Passed, lost: tuple[Passed, ...] = ()) -> Network:
    """A network on which this was said."""
    found = Network()
    found.log += passed
    found.lost += lost
    return found


def test_a_stream_is_cut_into_messages() -> None:
    """Segments hold less than a message, or more; a keepalive between messages is none."""
    both = STEPS[0].octets + b"\r\n\r\n" + STEPS[3].octets
    segments = [both[:100], both[100:700], both[700:]]
    steps = said(network(*(Passed(index, HERE, THERE, "TCP", octets) for index, octets in enumerate(segments))), HOSTS)
    assert [(step.label, step.kind, step.octets) for step in steps] == [("#1", "INVITE", STEPS[0].octets), ("#2", "ACK", STEPS[3].octets)]


def test_each_connection_is_a_stream_of_its_own() -> None:
    other = ("192.0.2.1", 49152)
    half = len(STEPS[0].octets) // 2
    passed = [
        Passed(1.0, HERE, THERE, "TCP", STEPS[0].octets[:half]),
        Passed(2.0, other, THERE, "TCP", STEPS[3].octets),
        Passed(3.0, HERE, THERE, "TCP", STEPS[0].octets[half:]),
    ]
    assert [step.kind for step in said(network(*passed), HOSTS)] == ["ACK", "INVITE"]


def test_what_was_lost_was_said() -> None:
    """In the order of time, everything from a moment on; datagrams of a keepalive are no messages."""
    steps = said(
        network(
            Passed(1.0, HERE, THERE, "UDP", STEPS[0].octets),
            Passed(3.0, THERE, HERE, "UDP", STEPS[1].octets),
            Passed(4.0, THERE, HERE, "UDP", b"\r\n\r\n"),
            lost=(Passed(2.0, HERE, THERE, "UDP", STEPS[0].octets),),
        ),
        HOSTS,
        since=2.0,
    )
    assert [str(step) for step in steps] == ["Alice → Bob: INVITE", "Bob → Alice: 180 INVITE"]


def test_what_is_malformed_is_shown() -> None:
    with pytest.raises(AssertionError, match="malformed on the wire"):
        said(network(Passed(1.0, HERE, THERE, "UDP", b"not SIP\r\n\r\n")), HOSTS)


def test_a_ladder_has_the_numbers_of_the_rfc() -> None:
    steps = [STEPS[0], STEPS[1]._replace(label="#2")]
    assert same_ladder(
        ladder(steps, ["Alice", "Bob"]),
        """
            Alice             Bob
              │── INVITE F1 ──▶│
              │◀───── 180 ─────│
        """,
    )


def test_a_scenario_that_never_ends_is_told_from_one_that_does() -> None:
    """… with what was said until then."""
    alice = Phone("Alice", "192.0.2.1", "alice@example.com", "192.0.2.2", bound=False)
    bob = Phone("Bob", "192.0.2.2", "bob@example.com", "192.0.2.1", bound=False)

    async def scenario(stage: Stage) -> None:
        stage.phones["Alice"].ask("OPTIONS")
        await asyncio.get_running_loop().create_future()

    with pytest.raises(AssertionError, match="not over; what was said:\nAlice → Bob: OPTIONS"):
        perform(scenario, alice, bob)


def test_a_flow_begins_where_the_scenario_says_so() -> None:
    alice = Phone("Alice", "192.0.2.1", "alice@example.com", "192.0.2.2", bound=False)
    bob = Phone("Bob", "192.0.2.2", "bob@example.com", "192.0.2.1", bound=False)

    async def scenario(stage: Stage) -> None:
        stage.phones["Alice"].ask("OPTIONS")
        await stage.begin()
        stage.phones["Alice"].ask("MESSAGE")

    assert [step.kind for step in perform(scenario, alice, bob).steps] == ["MESSAGE"]


def test_names_are_known_or_not() -> None:
    async def ask() -> None:
        stage = Stage({"example.com": ["192.0.2.1", "192.0.2.2"]})
        assert [info[4] for info in await stage.resolve("example.com", 5060)] == [HERE, THERE]
        with pytest.raises(OSError, match="not known here"):
            await stage.resolve("example.org", 5060)

    run(ask())
