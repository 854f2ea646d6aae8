"""Calls between parties that do not share a transport: the proxy stands on both sides, with an entry in the route for each (RFC 5658)."""

import asyncio
from typing import Any

import pytest

from ringback.message.message import Request, Response
from tests.server.party import OVER_TLS, SERVER, Dialog, House, Party, kind_of, simulated


def sides(dialog: Dialog) -> list[str]:
    """The entries of the proxy as the caller heard them, without the proof."""
    return [text.partition(";lr")[0].removeprefix("<") for text in dialog.ok.headers.texts("Record-Route")]


async def between(house: House, one: str, other: str) -> tuple[Party, Party, Dialog]:
    alice = await house.party("alice", transport=one)
    bob = await house.party("bob", q=1.0, transport=other)
    return alice, bob, await house.call(alice, bob)


@pytest.mark.parametrize(("one", "other"), [("UDP", "TCP"), ("TCP", "UDP")])
@simulated
async def test_each_party_speaks_its_own_transport_to_the_end(one: str, other: str) -> None:
    async with House() as house:
        alice, bob, dialog = await between(house, one, other)
        entries = {"UDP": f"sip:{SERVER}:5060", "TCP": f"sip:{SERVER}:5060;transport=tcp"}
        assert sides(dialog) == [entries[other], entries[one]]
        assert dialog.invite.headers.texts("Record-Route") == dialog.ok.headers.texts("Record-Route")
        for sender, receiver in ((bob, alice), (alice, bob)):
            sender.within("INFO", dialog)
            got = await receiver.hears("INFO")
            assert got.routes == []
            assert got.uri_text == receiver.uri
            assert receiver.heard[-1].flow.endpoint.transport == receiver.transport
            receiver.reply(got, 200)
            await sender.hears("200 INFO")
        bob.within("BYE", dialog, cseq=3)
        alice.reply(await alice.hears("BYE"), 200)
        await bob.hears("200 BYE")


@simulated
async def test_a_request_too_large_for_datagrams_does_not_make_the_dialog_go_over_tcp() -> None:
    async with House() as house:
        alice, bob = await house.party("alice", transport="UDP"), await house.party("bob", q=1.0)
        dialog = await house.call(alice, bob, extra=f"X-Long: {'x' * 1000}")
        assert [heard.flow.endpoint.transport for heard in bob.heard] == ["TCP", "UDP"]
        assert sides(dialog) == [f"sip:{SERVER}:5060"]


@simulated
async def test_both_entries_go_and_what_is_below_them_stays() -> None:
    async with House() as house:
        alice, bob, dialog = await between(house, "UDP", "TCP")
        bye = alice.compose("BYE", dialog)
        routes = bye.headers.texts("Route")
        assert len(routes) == 2
        bye.headers.set("Route", ", ".join([*routes, f"<{bob.uri};lr>"]))
        alice.send(bye)
        got = await bob.hears("BYE")
        assert got.headers.texts("Route") == [f"<{bob.uri};lr>"]
        bob.reply(got, 200)
        await alice.hears("200 BYE")


@simulated
async def test_an_entry_alone_proves_nothing_where_the_other_has_the_proof() -> None:
    async with House() as house:
        alice, bob, dialog = await between(house, "UDP", "TCP")
        bye = alice.compose("BYE", dialog)
        bare = [route for route in bye.headers.texts("Route") if "proof" not in route]
        bye.headers.remove("Route")
        bye.headers.append("Route", bare[0])
        alice.send(bye)
        await alice.hears("481 BYE")
        await bob.hears_nothing()


SIX = "2001:db8::100"
EVERYTHING: dict[str, Any] = {
    "listen": [
        f"udp://{SERVER}:5060",
        f"udp://[{SIX}]:5060",
        f"tls://{SERVER}:5061",
        f"ws://{SERVER}:80",
        f"wss://{SERVER}:443",
        f"wss://[{SIX}]:443",
    ],
    "also": (SIX,),
    "tls": OVER_TLS["tls"],
}
KINDS = ["UDP", "TCP", "TLS", "WS", "WSS", "UDP over IPv6", "TCP over IPv6", "WSS over IPv6"]


async def speaking(house: House, name: str, kind: str) -> Party:
    """A party that has registered over a transport."""
    transport, _, family = kind.partition(" over ")
    number = len(house.parties) + 1
    host, server = (f"2001:db8::{number}", SIX) if family else (f"192.0.2.{number}", SERVER)
    party = await house.party(name, host, transport=transport, server=server)
    party.ask("REGISTER", "sip:example.com", to=f"<sip:{name}@example.com>", contact=f"<{party.uri}>")
    await party.hears("200 REGISTER")
    return party


@pytest.mark.parametrize(("one", "other"), [(one, other) for one in KINDS for other in KINDS])
@simulated
async def test_everybody_calls_everybody(one: str, other: str) -> None:
    """Within the call each party says something and one hangs up; nothing of the proxy is left in anybody's Route."""
    async with House(**EVERYTHING, waits=False) as house:
        alice, bob = await speaking(house, "alice", one), await speaking(house, "bob", other)
        dialog = await house.call(alice, bob)
        assert len(sides(dialog)) == (1 if one == other else 2)
        for sender, receiver in ((alice, bob), (bob, alice)):
            sender.within("INFO", dialog, cseq=3)
            got = await receiver.hears("INFO")
            assert (got.uri_text, got.routes) == (receiver.uri, [])
            flow = receiver.heard[-1].flow
            assert (flow.endpoint.transport, flow.host) == (receiver.transport, SIX if ":" in receiver.host else SERVER)
            receiver.reply(got, 200)
            await sender.hears("200 INFO")
        bob.within("BYE", dialog, cseq=4)
        alice.reply(await alice.hears("BYE"), 200)
        await bob.hears("200 BYE")


@simulated
async def test_a_call_that_shall_be_secure_stays_so() -> None:
    """sips over TLS in, over WSS out: both entries are sips, and what comes back is (RFC 5630 §4)."""
    async with House(**EVERYTHING, waits=False) as house:
        alice = await house.party("alice", transport="TLS", port=5061)
        bob = await house.party("bob", transport="WSS", port=443)
        for party in (alice, bob):
            contact = f"<sips:{party.name}@{party.host}:{party.port}{';transport=ws' if party is bob else ''}>"
            party.ask("REGISTER", "sips:example.com", to=f"<sips:{party.name}@example.com>", contact=contact)
            await party.hears("200 REGISTER")
        alice.ask("INVITE", "sips:bob@example.com", contact=f"<sips:alice@{alice.host}>")
        await alice.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        entries = [text.partition(";lr")[0] for text in invite.headers.texts("Record-Route")]
        assert entries == [f"<sips:{SERVER}:443;transport=ws", f"<sips:{SERVER}:5061"]
        assert invite.uri_text == f"sips:bob@{bob.host}:443;transport=ws"
        bob.reply(invite, 486)
        await alice.hears("486 INVITE")


@simulated
async def test_who_asks_for_security_and_is_registered_without_it_is_not_there() -> None:
    async with House(**EVERYTHING, waits=False) as house:
        alice, bob = await house.party("alice", transport="TLS", port=5061), await speaking(house, "bob", "UDP")
        alice.ask("INVITE", "sips:bob@example.com", contact=f"<sips:alice@{alice.host}>")
        while (kind := kind_of(await _next(alice))) == "100 INVITE":
            continue
        assert kind in ("404 INVITE", "480 INVITE")
        await bob.hears_nothing()


async def _next(party: Party) -> Request | Response:
    while not party._inbox:
        await asyncio.sleep(0.01)
    return party._inbox.pop(0).message


@simulated
async def test_an_address_in_via_is_written_as_its_family_is() -> None:
    async with House(**EVERYTHING, waits=False) as house:
        alice, bob = await speaking(house, "alice", "UDP"), await speaking(house, "bob", "UDP over IPv6")
        bob.ask("INVITE", "sip:alice@example.com", branch="z9hG4bKsix")
        await bob.hears("100 INVITE")
        invite = await alice.hears("INVITE")
        assert [via.host for via in invite.vias] == [SERVER, bob.host]
        assert invite.headers.texts("Via")[1].startswith(f"SIP/2.0/UDP [{bob.host}]:5060;")
        assert f"<sip:[{SIX}]:5060;lr" in invite.headers.texts("Record-Route")[1]
        alice.reply(invite, 486)
        await bob.hears("486 INVITE")
