"""Call forwarding as users have it: what is kept, and what becomes of their calls (RFC 5359 §2.7 to §2.9)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ringback.server.store import Store
from ringback.server.targets.call_forwarding import Forwarding, ForwardingTable, checked_target, read
from ringback.server.users import UserError, Users, UserTable
from tests.server.party import DOMAIN, House, simulated


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path)
    UserTable(store).add("alice", DOMAIN, "p")
    yield store
    store.close()


def test_what_is_set_is_kept_until_it_is_cleared(store: Store) -> None:
    table = ForwardingTable(store)
    assert table.of("alice", DOMAIN) == Forwarding()
    table.forward("alice", DOMAIN, "busy", "sip:bob@example.com")
    table.forward("alice", DOMAIN, "no_answer", "tel:+4930123", 20)
    table.forward("alice", DOMAIN, "busy", "carol@example.com", 99)
    assert table.of("alice", DOMAIN) == Forwarding(busy="sip:carol@example.com", no_answer="tel:+4930123", ring_for=20)
    assert read(store) == {"sip:alice@example.com": table.of("alice", DOMAIN)}
    table.clear("alice", DOMAIN, "no_answer")
    assert table.of("alice", DOMAIN) == Forwarding(busy="sip:carol@example.com")
    table.clear("alice", DOMAIN)
    assert read(store) == {}


def test_a_server_sees_every_change_and_nothing_outlives_its_user(store: Store) -> None:
    users = Users(store)
    other = Store(store.path.parent, is_shared=True)
    ForwardingTable(other).forward("alice", DOMAIN, "always", "sip:bob@example.com")
    assert users.refresh()
    assert not users.refresh()
    UserTable(other).remove("alice", DOMAIN)
    assert users.refresh()
    assert read(store) == {}
    other.close()


@pytest.mark.parametrize("ring_for", [None, 0, 0.5, 3601, float("nan")])
def test_nobody_has_answered_only_after_some_time(store: Store, ring_for: float | None) -> None:
    with pytest.raises(UserError, match="from 1 to 3600 seconds"):
        ForwardingTable(store).forward("alice", DOMAIN, "no_answer", "sip:bob@example.com", ring_for)
    assert read(store) == {}


def test_only_users_have_their_calls_forwarded(store: Store) -> None:
    table = ForwardingTable(store)
    for verb in (
        lambda: table.forward("bob", DOMAIN, "busy", "sip:x@y"),
        lambda: table.clear("bob", DOMAIN),
        lambda: table.of("bob", DOMAIN),
    ):
        with pytest.raises(UserError, match=r"there is no user bob@example\.com"):
            verb()


@pytest.mark.parametrize(
    "target", ["", "http://example.com", "sip:", "mailto:bob@example.com", "sip:bob@example.com?Subject=x", "\udcff", "tel:x"]
)
def test_calls_go_to_telephones(target: str) -> None:
    with pytest.raises(UserError, match="calls cannot be forwarded to"):
        checked_target(target, "alice", DOMAIN)


@pytest.mark.parametrize(
    ("target", "kept"),
    [
        ("bob", f"sip:bob@{DOMAIN}"),
        ("+4930123456", f"sip:+4930123456@{DOMAIN}"),
        ("bob@example.net", "sip:bob@example.net"),
        (f"sip:alice@{DOMAIN};gr=urn:uuid:1", f"sip:alice@{DOMAIN};gr=urn:uuid:1"),
    ],
)
def test_a_name_alone_is_one_of_the_same_domain(target: str, kept: str) -> None:
    assert checked_target(target, "alice", DOMAIN) == kept


@pytest.mark.parametrize("target", ["alice", f"alice@{DOMAIN}", f"sips:alice@{DOMAIN.upper()};transport=tcp"])
def test_nobody_has_calls_forwarded_to_himself(target: str) -> None:
    with pytest.raises(UserError, match="would only come back"):
        checked_target(target, "alice", DOMAIN)


def arranged(house: House, **users: Forwarding) -> None:
    house.server.core.determination.retargeting.forwarding = {f"sip:{name}@{DOMAIN}": what for name, what in users.items()}


@simulated
async def test_2_7_every_call_goes_elsewhere() -> None:
    async with House() as house:
        alice, bob = await house.party("alice"), await house.party("bob", q=1.0)
        carol = await house.party("carol", q=1.0)
        arranged(house, bob=Forwarding(always=f"sip:carol@{DOMAIN}"))
        await house.call(alice, carol)
        assert bob.heard == [], "no phone of bob rings"
        alice.ask("MESSAGE")
        bob.reply(await bob.hears("MESSAGE"), 200)
        await alice.hears("200 MESSAGE")


@simulated
async def test_whose_phones_are_all_gone_has_somebody_else_called() -> None:
    async with House() as house:
        alice, carol = await house.party("alice"), await house.party("carol", q=1.0)
        arranged(house, bob=Forwarding(unregistered=f"sip:carol@{DOMAIN}"))
        await house.call(alice, carol)


@simulated
async def test_what_comes_back_ends() -> None:
    async with House() as house:
        alice, bob = await house.party("alice"), await house.party("bob", q=1.0)
        arranged(
            house,
            bob=Forwarding(always=f"sip:carol@{DOMAIN}"),
            carol=Forwarding(always=f"sip:dave@{DOMAIN}"),
            dave=Forwarding(always=f"sip:bob@{DOMAIN}"),
            erin=Forwarding(always=f"sip:erin@{DOMAIN}"),
        )
        for uri in (f"sip:bob@{DOMAIN}", f"sip:erin@{DOMAIN}"):
            invite = alice.ask("INVITE", uri)
            refusal = await alice.hears("482 INVITE")
            assert refusal.reason == "Call Forwarding Loop"
            alice.ack(invite, refusal)
        assert bob.heard == []


@simulated
async def test_a_chain_is_only_so_long() -> None:
    async with House() as house:
        alice = await house.party("alice")
        await house.party("u9", q=1.0)
        arranged(house, **{f"u{n}": Forwarding(always=f"sip:u{n + 1}@{DOMAIN}") for n in range(9)})
        alice.ask("INVITE", f"sip:u0@{DOMAIN}")
        await alice.hears("482 INVITE")


@simulated
async def test_2_8_who_is_busy_has_somebody_else_called() -> None:
    async with House() as house:
        alice, bob = await house.party("alice"), await house.party("bob", q=1.0)
        carol = await house.party("carol", q=1.0)
        arranged(house, bob=Forwarding(busy=f"sip:carol@{DOMAIN}"))
        alice.ask("INVITE")
        await alice.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        bob.reply(invite, 486)
        await bob.hears("ACK")
        invite = await carol.hears("INVITE")
        carol.reply(invite, 200)
        await alice.hears("200 INVITE")


@simulated
async def test_2_9_who_does_not_answer_in_time_has_somebody_else_called() -> None:
    async with House() as house:
        alice, bob = await house.party("alice"), await house.party("bob", q=1.0)
        carol = await house.party("carol", q=1.0)
        arranged(house, bob=Forwarding(no_answer=f"sip:carol@{DOMAIN}", ring_for=20))
        alice.ask("INVITE")
        await alice.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        bob.reply(invite, 180)
        await alice.hears("180 INVITE")
        await carol.hears_nothing(19)
        bob.reply(await bob.hears("CANCEL"), 200)
        bob.reply(invite, 487)
        await bob.hears("ACK")
        carol.reply(await carol.hears("INVITE"), 200)
        await alice.hears("200 INVITE")


@simulated
async def test_two_who_are_busy_do_not_send_a_caller_round() -> None:
    async with House() as house:
        alice, bob = await house.party("alice"), await house.party("bob", q=1.0)
        carol = await house.party("carol", q=1.0)
        arranged(house, bob=Forwarding(busy=f"sip:carol@{DOMAIN}"), carol=Forwarding(busy=f"sip:bob@{DOMAIN}"))
        alice.ask("INVITE")
        await alice.hears("100 INVITE")
        for phone in (bob, carol):
            phone.reply(await phone.hears("INVITE"), 486)
            await phone.hears("ACK")
        await alice.hears("486 INVITE")
        assert len(bob.heard) == 2
