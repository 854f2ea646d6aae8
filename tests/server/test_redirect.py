"""The redirect server (RFC 3261 §8.3): who is asked for tells the caller where, and takes no part in what follows."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ringback.message.derive import ack_of, cancel_of
from ringback.message.fields.name_addr import NameAddr
from ringback.server.config import DomainConfig
from ringback.server.location.binding import Binding
from ringback.server.proxy.routing import Decision, Forward, Location, Redirect, Reject, first
from tests.server.party import DOMAIN, SERVER, House, Party, simulated


def redirecting(**config: Any) -> House:
    """A house whose domain redirects."""
    return House(domain={DOMAIN: DomainConfig(mode="redirect")}, **config)


def decide(house: House, decision: Decision) -> None:
    """Has the routing function decide so."""
    house.server.core.determination.route = lambda request: decision


async def proven(house: House, name: str = "alice") -> Party:
    """A party whose source address is beyond doubt."""
    party = await house.party(name)
    house.server.core.sources.prove(party.host, asyncio.get_running_loop().time())
    return party


@simulated
async def test_session_via_redirect_server() -> None:
    # RFC 3665 §3.6: INVITE, 302, ACK; then a new INVITE, past the server.
    async with redirecting() as house:
        alice = await proven(house)
        bob = await house.party("bob", q=1.0)
        invite = alice.ask()
        moved = await alice.hears("302 INVITE")
        assert str(moved.contact.uri) == bob.uri
        assert moved.to_tag
        alice.ack(invite, moved)
        second = alice.request("INVITE", str(moved.contact.uri), call_id=invite.call_id, cseq=2)
        alice.send(second, to=bob.host)
        assert (await bob.hears("INVITE")).vias[0].host == alice.host
        await alice.hears_nothing(40)
        assert house.network.ladder().count("302 Moved Temporarily") == 1


@simulated
async def test_contacts_come_with_q_and_expires_the_best_first() -> None:
    async with redirecting() as house:
        alice = await proven(house)
        for name, q in (("a", 0.3), ("b", 1.0), ("c", 0.7)):
            house.bind("bob", f"sip:{name}@192.0.2.9", q)
        alice.ask("MESSAGE")
        moved = await alice.hears("302 MESSAGE")
        contacts = [NameAddr.parse(text) for text in moved.headers.texts("Contact")]
        assert [(contact.uri_text[:5], contact.q) for contact in contacts] == [("sip:b", 1.0), ("sip:c", 0.7), ("sip:a", 0.3)]
        assert all(90_000 < (contact.expires or 0) <= 100_000 for contact in contacts)


@simulated
async def test_nobody_is_sent_back_to_where_he_asked() -> None:
    async with redirecting() as house:
        alice = await proven(house)
        house.bind("bob", f"sip:bob@{DOMAIN}")
        alice.ask("MESSAGE")
        await alice.hears("404 MESSAGE")
        house.bind("bob", "sip:bob@192.0.2.9")
        alice.ask("MESSAGE")
        assert str((await alice.hears("302 MESSAGE")).contact.uri) == "sip:bob@192.0.2.9"
        alice.ask("MESSAGE", f"sip:nobody@{DOMAIN}")
        await alice.hears("404 MESSAGE")


@simulated
async def test_a_phone_that_only_this_server_reaches_is_told_to_nobody() -> None:
    async with redirecting() as house:
        alice = await proven(house)
        location = house.server.location
        aor = f"sip:bob@{DOMAIN}"
        binding = Binding(1, aor, "sip:bob@x.invalid", "", 1.0, location.clock() + 60, 60, "c", 1, flow="tcp-1-abc")
        location.update(aor, (binding,), lambda error: None)
        alice.ask("MESSAGE")
        await alice.hears("480 MESSAGE")


@simulated
async def test_cancel_gets_200_before_and_after_the_answer() -> None:
    async with redirecting() as house:
        alice = await proven(house)
        await house.party("bob", q=1.0)
        invite = alice.ask()
        moved = await alice.hears("302 INVITE")
        alice.send(cancel_of(invite))
        cancelled = await alice.hears("200 CANCEL")
        assert cancelled.to_tag == moved.to_tag
        alice.ack(invite, moved)
        alice.ask("CANCEL")
        await alice.hears("200 CANCEL")


@simulated
async def test_the_answer_to_an_invite_is_repeated_until_its_ack() -> None:
    async with redirecting() as house:
        alice = await proven(house)
        await house.party("bob", q=1.0)
        invite = alice.ask()
        moved = await alice.hears("302 INVITE")
        assert await alice.hears("302 INVITE") == moved
        alice.send(invite)
        assert await alice.hears("302 INVITE") == moved
        alice.ack(invite, moved)
        await alice.hears_nothing(40)


@simulated
async def test_a_source_that_may_be_forged_gets_one_datagram_for_one() -> None:
    async with redirecting() as house:
        silent = await house.party("silent", "198.51.100.1")
        await house.party("bob", q=1.0)
        silent.ask()
        await asyncio.sleep(40)
        assert silent.kinds() == ["302 INVITE"]
        alice = await house.party("alice")
        invite = alice.ask(transport="TCP")
        moved = await alice.hears("302 INVITE")
        alice.send(ack_of(invite, moved), transport="TCP")


@pytest.mark.parametrize("extra", ["Require: nothing-we-know", "Proxy-Require: nothing-we-know", "X-Unknown: 1"])
@pytest.mark.parametrize("method", ["INVITE", "SUBSCRIBE", "NEVERHEARD"])
@simulated
async def test_what_is_not_understood_is_redirected_all_the_same(method: str, extra: str) -> None:
    async with redirecting() as house:
        alice = await house.party("alice")
        await house.party("bob", q=1.0)
        alice.ask(method, extra=extra, max_forwards=0)
        await alice.hears(f"302 {method}")


@simulated
async def test_an_expires_that_was_malformed_is_3600() -> None:
    # What a phone registered with such an expires is told on with the hour that stands for it.
    async with redirecting() as house:
        alice = await proven(house)
        bob = await house.party("bob")
        bob.ask("REGISTER", f"sip:{DOMAIN}", to=f"<sip:bob@{DOMAIN}>", contact=f"<{bob.uri}>;expires=tomorrow")
        await bob.hears("200 REGISTER")
        alice.ask("MESSAGE")
        contact = (await alice.hears("302 MESSAGE")).contact
        assert 3590 < contact.expires <= 3600


@simulated
async def test_whatever_decides_the_targets_are_contacts() -> None:
    async with redirecting() as house:
        alice = await proven(house)
        decide(house, Forward("sip:a@192.0.2.8", "sip:b@192.0.2.9", one_by_one=True))
        alice.ask("MESSAGE")
        texts = (await alice.hears("302 MESSAGE")).headers.texts("Contact")
        assert texts == ["<sip:a@192.0.2.8>;q=1", "<sip:b@192.0.2.9>;q=0.999"]
        decide(house, first(Location(), Location(f"sip:carol@{DOMAIN}", else_=Redirect("sip:x@example.net", status=301)), Reject(486)))
        alice.ask("MESSAGE")
        assert str((await alice.hears("301 MESSAGE")).contact.uri) == "sip:x@example.net"
        decide(house, Reject(486))
        alice.ask("MESSAGE")
        await alice.hears("486 MESSAGE")


@simulated
async def test_only_phones_that_the_caller_wants_are_told() -> None:
    # RFC 3841 §7.
    async with redirecting() as house:
        alice = await proven(house)
        location = house.server.location
        aor = f"sip:bob@{DOMAIN}"
        deadline = location.clock() + 60
        desk = Binding(1, aor, "sip:desk@192.0.2.8", ";audio", 1.0, deadline, 60, "c", 1)
        mobile = Binding(2, aor, "sip:mobile@192.0.2.9", ';audio;mobility="mobile"', 1.0, deadline, 60, "d", 1)
        location.update(aor, (desk, mobile), lambda error: None)
        alice.ask("MESSAGE", extra='Reject-Contact: *;mobility="mobile"')
        assert (await alice.hears("302 MESSAGE")).contact.uri_text == "sip:desk@192.0.2.8"
        alice.ask("MESSAGE", extra="Reject-Contact: *;audio")
        await alice.hears("480 MESSAGE")
        alice.ask("MESSAGE", extra="Reject-Contact: =")
        await alice.hears("400 MESSAGE")


@simulated
async def test_a_decision_may_take_its_time() -> None:
    async with redirecting() as house:
        alice = await proven(house)

        async def slowly(request: object) -> Decision:
            await asyncio.sleep(1)
            return Forward("sip:a@192.0.2.8")

        house.server.core.determination.route = slowly
        invite = alice.ask()
        await alice.hears("100 INVITE")
        alice.send(cancel_of(invite))
        await alice.hears("200 CANCEL")
        alice.ack(invite, await alice.hears("302 INVITE"))


@simulated
async def test_who_must_prove_himself_must_do_so_here_too() -> None:
    async with redirecting(auth="digest", data=None) as house:
        alice = await house.party("alice", "198.51.100.7")
        house.bind("bob", "sip:bob@192.0.2.9")
        alice.ask()
        await alice.hears("407 INVITE")


@simulated
async def test_a_redirection_of_the_routing_function_leads_away_or_is_404() -> None:
    async with House() as house:
        alice = await house.party("alice")
        decide(house, Redirect(f"sip:bob@{DOMAIN}", "sip:bob@192.0.2.9", "tel:+49301", status=300))
        alice.ask("MESSAGE")
        assert (await alice.hears("300 MESSAGE")).headers.texts("Contact") == ["<sip:bob@192.0.2.9>", "<tel:+49301>"]
        decide(house, Redirect(f"sip:%62ob@{DOMAIN.upper()}"))
        alice.ask("MESSAGE")
        await alice.hears("404 MESSAGE")
        decide(house, Redirect(status=380, body=b"Voicemail: dial 9", content_type="text/plain"))
        alice.ask("MESSAGE")
        other = await alice.hears("380 MESSAGE")
        assert (other.body, other.headers.text("Content-Type")) == (b"Voicemail: dial 9", "text/plain")


def test_a_contact_that_cannot_be_read_leads_away() -> None:
    redirection = Redirect("mailto:bob@example.com", "sip:%")
    assert redirection.away_from("sip:bob@example.com") is redirection


@simulated
async def test_other_domains_are_proxied_beside_it() -> None:
    async with House(domains=(DOMAIN, "example.org"), domain={"example.org": DomainConfig(mode="redirect")}) as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        alice.ask("MESSAGE")
        bob.reply(await bob.hears("MESSAGE"), 200)
        await alice.hears("200 MESSAGE")
        alice.ask("OPTIONS", f"sip:{SERVER}")
        await alice.hears("200 OPTIONS")
