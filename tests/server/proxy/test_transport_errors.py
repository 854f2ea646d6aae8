"""RFC 3261 §16.9 and §16.6 item 7: targets that cannot be reached."""

import asyncio
import socket

import pytest

from ringback.server.proxy.routing import Forward
from ringback.testing import Network
from tests.server.party import House, Party, simulated


@simulated
async def test_a_target_that_cannot_be_reached_counts_as_503_and_so_as_500() -> None:
    async with House(Network(reports_unreachable=True)) as house:
        alice = await house.party("alice")
        house.bind("bob", "sip:bob@192.0.2.66")
        alice.ask()
        await alice.hears("100 INVITE")
        await alice.hears("500 INVITE")
        assert alice.heard[-1].time < 0.1
        alice.ask("MESSAGE")
        await alice.hears("500 MESSAGE")


@simulated
async def test_the_other_branches_ring_on() -> None:
    async with House(Network(reports_unreachable=True)) as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        house.bind("bob", "sip:bob@192.0.2.66")
        alice.ask()
        await alice.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        bob.reply(invite, 180)
        await alice.hears("180 INVITE")
        await bob.hears_nothing(5)
        bob.reply(invite, 480)
        await alice.hears("480 INVITE")


@simulated
async def test_each_address_of_a_target_is_tried() -> None:
    async with House(Network(reports_unreachable=True)) as house:
        house.names["phone.example"] = ["192.0.2.66", "192.0.2.67", "192.0.2.2"]
        alice = await house.party("alice")
        bob = await house.party("bob", "192.0.2.2")
        house.bind("bob", "sip:bob@phone.example")
        alice.ask()
        await alice.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        bob.reply(invite, 200)
        await alice.hears("200 INVITE")
        branches = [passed.octets.split(b"branch=")[1][:32] for passed in house.sent if passed.octets.startswith(b"INVITE")]
        assert len(branches) == len(set(branches)) == 3


@simulated
async def test_a_branch_that_outlives_its_caller_ends_without_a_word() -> None:
    async with House() as house:

        async def slowly(*_: object, **__: object) -> list[object]:
            await asyncio.sleep(4)
            return [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", ("192.0.2.66", 5060))]

        asyncio.get_running_loop().getaddrinfo = slowly  # type: ignore[method-assign,assignment]
        alice = await house.party("alice")
        house.bind("bob", "sip:bob@phone.example")
        alice.ask("MESSAGE")
        # 100 after 3.5 s, then nothing: the caller's timer F fires before the branch's own.
        await alice.hears("100 MESSAGE")
        await asyncio.sleep(60)
        assert alice.kinds() == []


@simulated
async def test_when_no_address_is_left_it_is_500() -> None:
    async with House(Network(reports_unreachable=True)) as house:
        house.names["phone.example"] = ["192.0.2.66", "192.0.2.67"]
        alice = await house.party("alice")
        house.bind("bob", "sip:bob@phone.example")
        alice.ask()
        await alice.hears("100 INVITE")
        await alice.hears("500 INVITE")


@pytest.mark.parametrize(
    "contact",
    ["sip:bob@unknown.example", "sip:bob@192.0.2.2;transport=sctp", "sip:bob@[2001:db8::1]", "sips:bob@192.0.2.2", "tel:+1", "nonsense"],
)
@simulated
async def test_a_target_to_which_nothing_leads_is_500_and_the_next_is_tried(contact: str) -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", "192.0.2.3")
        house.server.core.determination.route = lambda request: Forward(contact)
        for method in ("INVITE", "MESSAGE"):
            alice.ask(method)
            if method == "INVITE":
                await alice.hears("100 INVITE")
            answer = await alice.hears(f"500 {method}")
            assert answer.reason == ("Server Internal Error" if contact in ("tel:+1", "nonsense") else "No Server Found")
        house.server.core.determination.route = lambda request: Forward(contact, bob.uri, one_by_one=True)
        alice.ask("MESSAGE")
        bob.reply(await bob.hears("MESSAGE"), 200)
        await alice.hears("200 MESSAGE")


@simulated
async def test_a_tcp_target_that_refuses_is_500() -> None:
    async with House() as house:
        alice = await house.party("alice")
        await house.party("bob")
        house.bind("bob", "sip:bob@192.0.2.2:5099;transport=tcp")
        alice.ask("MESSAGE")
        await alice.hears("500 MESSAGE")


@simulated
async def test_a_caller_that_vanished_ends_no_branch() -> None:
    """The error concerns the way upstream: what rings downstream rings on (§16.9)."""
    async with House(Network(reports_unreachable=True)) as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        alice.ask()
        await alice.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        await alice.transports.close()
        bob.reply(invite, 180)
        await asyncio.sleep(1)
        assert bob.kinds() == []
        bob.reply(invite, 200)


@simulated
async def test_a_caller_over_tcp_whose_connection_closed_leaves_nothing_behind() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        alice.ask(transport="TCP")
        await alice.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        await alice.transports.close()
        bob.reply(invite, 180)
        await asyncio.sleep(1)
        bob.reply(invite, 486)
        await bob.hears("ACK")


@simulated
async def test_what_is_too_large_for_udp_goes_over_it_all_the_same_where_there_is_no_tcp() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = Party(house.network, "bob", "192.0.2.2")
        await bob.transports.open("UDP", bob.host, bob.port)
        house.parties.append(bob)
        house.bind("bob", bob.uri)
        alice.ask("MESSAGE", body="x" * 1400)
        got = await bob.hears("MESSAGE")
        assert (got.via.transport, len(got.body)) == ("UDP", 1400)
        bob.reply(got, 200)
        await alice.hears("200 MESSAGE")


@simulated
async def test_a_target_whose_time_is_up_while_it_is_resolved_is_not_called() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", "192.0.2.2")

        async def slow(*_: object, **__: object) -> list[object]:
            await asyncio.sleep(3)
            return [(2, 2, 17, "", (bob.host, 5060))]

        asyncio.get_running_loop().getaddrinfo = slow  # type: ignore[method-assign,assignment]
        house.server.core.determination.route = lambda request: Forward("sip:bob@slow.example", ring_for=1)
        sent = alice.ask()
        await alice.hears("100 INVITE")
        alice.ack(sent, await alice.hears("408 INVITE"))
        await bob.hears_nothing(10)
