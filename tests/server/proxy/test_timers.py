"""RFC 3261 §16.8: timer C, and `ring_for`, by themselves and in the proxy."""

import asyncio

import pytest

from ringback.server.proxy.routing import Forward
from ringback.server.proxy.timers import BranchTimers
from tests.server.party import House, proxy, simulated


class Ringing:
    """Stands for a branch."""


def test_timer_c_is_longer_than_three_minutes() -> None:
    for seconds in (0.0, 179.0, 180.0):
        with pytest.raises(ValueError, match="180"):
            BranchTimers(seconds)


def test_branches_fall_due_in_their_order() -> None:
    timers = BranchTimers(200.0)
    one, two, three, four = branches = [Ringing() for _ in range(4)]
    assert timers.next_deadline() is None
    for index, branch in enumerate(branches):
        timers.start_timer_c(branch, float(index))  # type: ignore[arg-type]
    timers.start_timer_c(one, 10.0)  # type: ignore[arg-type]
    timers.ring(four, 50.0)  # type: ignore[arg-type]
    timers.stop(three)  # type: ignore[arg-type]
    timers.stop(three)  # type: ignore[arg-type]
    assert timers.next_deadline() == 50.0
    assert len(timers) == 4
    assert timers.take_due(49.9) == []
    assert timers.take_due(50.0) == [four]
    assert timers.next_deadline() == 201.0
    assert timers.take_due(209.9) == [two, four]
    assert timers.take_due(210.0) == [one]
    assert (timers.next_deadline(), len(timers)) == (None, 0)


@simulated
async def test_a_target_that_only_rings_is_cancelled_by_timer_c_and_counts_as_timed_out() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        sent = alice.ask()
        await alice.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        bob.reply(invite, 180)
        await alice.hears("180 INVITE")
        cancel = await bob.hears("CANCEL")
        assert bob.heard[-1].time == pytest.approx(181, abs=0.1)
        bob.reply(cancel, 200)
        bob.reply(invite, 487)
        alice.ack(sent, await alice.hears("408 INVITE"))


@simulated
async def test_every_provisional_response_but_100_sets_timer_c_anew() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        alice.ask()
        await alice.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        for status in (180, 183, 182):
            bob.reply(invite, status)
            await alice.hears(f"{status} INVITE")
            await asyncio.sleep(170)
        bob.reply(invite, 100)
        await bob.hears("CANCEL")
        assert bob.heard[-1].time == pytest.approx(2 * 170 + 181, abs=0.1)
        bob.reply(invite, 487)
        await alice.hears("408 INVITE")


@simulated
async def test_100_alone_does_not_set_timer_c_anew() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        alice.ask()
        await alice.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        bob.reply(invite, 100)
        await asyncio.sleep(100)
        bob.reply(invite, 100)
        await bob.hears("CANCEL")
        assert bob.heard[-1].time == pytest.approx(181, abs=0.1)
        bob.reply(invite, 486)
        await alice.hears("486 INVITE")


@simulated
async def test_a_target_that_answers_timer_c_with_200_wins_all_the_same() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        alice.ask()
        await alice.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        bob.reply(invite, 180)
        await alice.hears("180 INVITE")
        await bob.hears("CANCEL")
        bob.reply(invite, 200)
        await alice.hears("200 INVITE")


@simulated
async def test_a_target_that_ignores_timer_cs_cancel_is_given_up() -> None:
    async with House(proxy=proxy(timer_c=200.0)) as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        alice.ask()
        await alice.hears("100 INVITE")
        bob.reply(await bob.hears("INVITE"), 180)
        await alice.hears("180 INVITE")
        await alice.hears("408 INVITE")
        assert alice.heard[-1].time == pytest.approx(200 + 32, abs=0.1)


async def hunted(house: House, ring_for: float | None = 5.0) -> tuple[object, ...]:
    alice = await house.party("alice")
    phones = [await house.party(f"phone{index}") for index in range(3)]
    house.server.core.determination.route = lambda request: Forward(*(phone.uri for phone in phones), one_by_one=True, ring_for=ring_for)
    alice.ask()
    await alice.hears("100 INVITE")
    return alice, *phones


@simulated
async def test_one_by_one_each_rings_for_its_time() -> None:
    async with House() as house:
        alice, one, two, three = await hunted(house)
        first = await one.hears("INVITE")
        one.reply(first, 180)
        await alice.hears("180 INVITE")
        one.reply(await one.hears("CANCEL"), 200)
        assert one.heard[-1].time == pytest.approx(5, abs=0.1)
        assert two.heard == []
        one.reply(first, 487)
        # The second says nothing at all: it is left where it is and the third called.
        await two.hears("INVITE")
        last = await three.hears("INVITE")
        assert three.heard[-1].time == pytest.approx(10, abs=0.1)
        three.reply(last, 200)
        await alice.hears("200 INVITE")


@simulated
async def test_who_does_not_say_how_long_waits_as_long_as_the_configuration_says_but_for_the_last() -> None:
    async with House(proxy=proxy(ring_for=7.0)) as house:
        alice, one, two, three = await hunted(house, ring_for=None)
        for phone in (one, two):
            invite = await phone.hears("INVITE")
            phone.reply(invite, 180)
            await alice.hears("180 INVITE")
            phone.reply(await phone.hears("CANCEL"), 200)
            phone.reply(invite, 487)
        assert two.heard[1].time == pytest.approx(14, abs=0.1)
        last = await three.hears("INVITE")
        three.reply(last, 180)
        await alice.hears("180 INVITE")
        await three.hears_nothing(100)
        three.reply(last, 200)
        await alice.hears("200 INVITE")


@simulated
async def test_a_silent_target_that_wakes_up_after_its_time_is_cancelled() -> None:
    async with House() as house:
        alice, one, two, _ = await hunted(house)
        first = await one.hears("INVITE")
        await two.hears("INVITE")
        one.reply(first, 180)
        for _ in range(3):
            await one.hears("INVITE")
        one.reply(await one.hears("CANCEL"), 200)
        one.reply(first, 487)
        await one.hears("ACK")
        await alice.hears("180 INVITE")


@simulated
async def test_a_silent_target_that_answers_after_its_time_is_forwarded() -> None:
    async with House() as house:
        alice, one, two, _ = await hunted(house)
        first = await one.hears("INVITE")
        second = await two.hears("INVITE")
        two.reply(second, 180)
        await alice.hears("180 INVITE")
        one.reply(first, 200)
        await alice.hears("200 INVITE")
        two.reply(await two.hears("CANCEL"), 200)
        two.reply(second, 487)


@simulated
async def test_when_nobody_answers_in_time_the_caller_hears_408() -> None:
    async with House() as house:
        alice, *_ = await hunted(house)
        await alice.hears("408 INVITE")
        assert alice.heard[-1].time == pytest.approx(15, abs=0.1)


@simulated
async def test_ring_for_bounds_no_other_method() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob")
        house.server.core.determination.route = lambda request: Forward(bob.uri, ring_for=1)
        alice.ask("MESSAGE")
        message = await bob.hears("MESSAGE")
        await asyncio.sleep(3)
        bob.reply(message, 200)
        await alice.hears("200 MESSAGE")


@simulated
async def test_phones_of_a_lower_q_have_their_turn_after_the_configured_time() -> None:
    async with House(proxy=proxy(ring_for=15)) as house:
        alice = await house.party("alice")
        desk, mobile = await house.party("desk", q=1.0, aor="bob"), await house.party("mobile", q=0.5, aor="bob")
        alice.ask()
        await alice.hears("100 INVITE")
        invite = await desk.hears("INVITE")
        desk.reply(invite, 180)
        await alice.hears("180 INVITE")
        desk.reply(await desk.hears("CANCEL"), 200)
        assert desk.heard[-1].time == pytest.approx(15, abs=0.1)
        desk.reply(invite, 487)
        await desk.hears("ACK")
        invite = await mobile.hears("INVITE")
        mobile.reply(invite, 180)
        await alice.hears("180 INVITE")
        # The last one rings as long as the caller waits, up to Timer C.
        await mobile.hears_nothing(60)
        mobile.reply(invite, 200)
        await alice.hears("200 INVITE")
