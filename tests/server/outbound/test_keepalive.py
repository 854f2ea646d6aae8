"""The ways to phones behind a NAT stay open, and dead ones are found (RFC 5626 §4.4, reliability: T07, A14)."""

import asyncio

import pytest

from ringback.message.derive import response_to
from ringback.message.message import Request
from ringback.server.config import NatConfig
from ringback.server.location.binding import Binding
from tests.server.outbound.test_nat import INSIDE, OUTSIDE, Behind, registers, talk
from tests.server.party import SERVER, House, Party, simulated
from tests.server.proving import PASSWORD, prove


def answers_options(phone: Party, status: int = 200) -> list[Request]:
    """Has a phone answer every OPTIONS; gives those that came."""
    asked: list[Request] = []

    def on_message(message: object) -> None:
        if isinstance(message, Request) and message.method == "OPTIONS":
            asked.append(message)
            phone._inbox.pop()
            phone.reply(message, status)

    phone.on_message = on_message
    return asked


@pytest.mark.parametrize("status", [200, 405, 481])
@simulated
async def test_a_phone_is_called_again_after_five_minutes_of_silence(status: int) -> None:
    """It registers, is called, hangs up, says nothing by itself for five minutes, and is called again."""
    async with Behind() as house:
        alice, bob = await house.party("alice"), await house.party("bob", INSIDE)
        asked = answers_options(bob, status)
        await registers(bob)
        await talk(await house.call(alice, bob))
        await asyncio.sleep(300)
        assert 11 <= len(asked) <= 13
        keepalive = house.server.core.keepalive
        assert keepalive is not None and (keepalive.sent, keepalive.missed) == (len(asked), 0)
        assert asked[0].uri_text == bob.uri
        await talk(await house.call(alice, bob))
        assert house.box._by_inside.keys() and len(house.box._by_port) == 1


@simulated
async def test_without_it_the_way_closes() -> None:
    """The same, and nobody says anything: it is the OPTIONS that keep the way open."""
    async with Behind(nat=NatConfig(keepalive=0)) as house:
        alice, bob = await house.party("alice"), await house.party("bob", INSIDE)
        asked = answers_options(bob)
        await registers(bob)
        await asyncio.sleep(300)
        assert asked == []
        alice.ask()
        await alice.hears("100 INVITE")
        await alice.hears("408 INVITE")


@simulated
async def test_every_flow_is_asked_once_in_an_interval_and_not_all_at_once() -> None:
    async with Behind(nat=NatConfig(keepalive=20), waits=False) as house:
        bob = await house.party("bob", INSIDE)
        asked = answers_options(bob)
        house.server.core.sources.prove(OUTSIDE, asyncio.get_running_loop().time())
        house.server.core.sources.prove("203.0.113.9", asyncio.get_running_loop().time())
        for number in range(200):
            name = f"sip:u{number}@example.com"
            flow = f"udp-{house.host}-5060-203.0.113.9-{1000 + number}"
            binding = Binding(number + 1, name, f"sip:u@10.0.0.9:{number}", "", 1.0, 100_000.0, 3600, "c", 1, flow=flow)
            house.server.location.update(name, (binding,), lambda error: None)
        await registers(bob)
        await asyncio.sleep(41)
        assert 2 <= len(asked) <= 3
        sent = [passed.time for passed in house.sent if passed.octets.startswith(b"OPTIONS sip:u@")]
        # Each twice, in no second many.
        assert 370 <= len(sent) <= 440
        assert max(sum(int(time) == second for time in sent) for second in range(42)) <= 30


@simulated
async def test_a_phone_that_is_not_behind_a_nat_is_left_alone() -> None:
    async with House() as house:
        bob = await house.party("bob")
        await registers(bob)
        await bob.hears_nothing(100)


@simulated
async def test_an_address_that_has_proved_nothing_is_asked_nothing() -> None:
    """A REGISTER may come in anybody's name: he gets its answer and not one datagram more."""
    async with Behind() as house:
        victim = await house.party("victim", INSIDE)
        await registers(victim)
        await victim.hears_nothing(1_000)


@simulated
async def test_a_password_proves_it() -> None:
    async with Behind(auth="digest") as house:
        house.server.users.add("bob", "example.com", PASSWORD)
        bob = await house.party("bob", INSIDE)
        await prove(bob, bob.request("REGISTER", "sip:example.com", to="<sip:bob@example.com>", contact=f"<{bob.uri}>"))
        await bob.hears("200 REGISTER")
        await bob.hears("OPTIONS", within=30)


@simulated
async def test_where_passwords_are_asked_a_binding_is_proof_enough() -> None:
    """What was loaded from the store: or each restart would cut off the phones behind NATs until they register again."""
    async with Behind(auth="digest", waits=False) as house:
        bob = await house.party("bob", INSIDE)
        bob.ask("OPTIONS", f"sip:{SERVER}")
        await bob.hears("200 OPTIONS")
        flow = f"udp-{SERVER}-5060-{OUTSIDE}-40001"
        binding = Binding(1, "sip:bob@example.com", bob.uri, "", 1.0, 100_000.0, 3600, "c", 1, flow=flow)
        house.server.location.update(binding.aor, (binding,), lambda error: None)
        await bob.hears("OPTIONS", within=30)


@simulated
async def test_an_answer_in_anothers_name_is_none() -> None:
    async with Behind() as house:
        bob, mallory = await house.party("bob", INSIDE), await house.party("mallory", "198.51.100.1")
        await registers(bob)
        house.server.core.sources.prove(OUTSIDE, asyncio.get_running_loop().time())
        asked = await bob.hears("OPTIONS")
        keepalive = house.server.core.keepalive
        assert keepalive is not None
        [ping] = keepalive._by_branch.values()
        for party, counts in ((mallory, False), (bob, True)):
            party.send(response_to(asked, 200, tag="t"))
            await asyncio.sleep(0.1)
            assert ping.is_answered is counts


@simulated
async def test_a_dead_connection_is_found_within_ten_seconds_of_the_missed_answer_and_its_binding_goes() -> None:
    async with Behind() as house:
        alice, bob = await house.party("alice"), await house.party("bob", INSIDE, transport="TCP")
        asked = answers_options(bob)
        await registers(bob)
        await asyncio.sleep(60)
        assert len(asked) >= 2
        house.network.cut(INSIDE, house.host)
        await asyncio.sleep(25 + 10 + 2)
        assert not house.server.location.registered("sip:bob@example.com")
        alice.ask()
        await alice.hears("404 INVITE")
        house.network.heal(INSIDE, house.host)


@simulated
async def test_a_connection_whose_phone_never_answers_options_is_not_called_dead() -> None:
    async with Behind() as house:
        alice, bob = await house.party("alice"), await house.party("bob", INSIDE, transport="TCP")
        await registers(bob)
        await asyncio.sleep(200)
        assert set(bob.kinds()) == {"OPTIONS"}
        await talk(await house.call(alice, bob))


@simulated
async def test_nothing_is_kept_of_a_flow_whose_binding_is_gone() -> None:
    async with Behind() as house:
        bob = await house.party("bob", INSIDE)
        answers_options(bob)
        await registers(bob)
        await asyncio.sleep(60)
        bob.ask(
            "REGISTER",
            "sip:example.com",
            to="<sip:bob@example.com>",
            contact="*",
            extra="Expires: 0",
            cseq=2,
            call_id=f"registers@{INSIDE}",
        )
        await bob.hears("200 REGISTER")
        other = await house.party("other", "192.0.2.9", q=1.0)
        await asyncio.sleep(60)
        keepalive = house.server.core.keepalive
        assert keepalive is not None and other
        assert (keepalive._by_branch, list(keepalive._waiting), [slot for slot in keepalive._last if slot]) == ({}, [], [])
