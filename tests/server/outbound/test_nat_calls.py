"""Calls of phones behind a NAT when something changes under way: ports, connections, sizes, transports."""

from typing import Any

import pytest

from ringback.server.config import EdgeConfig, NatConfig, RegistrarConfig
from tests.server.outbound.test_nat import INSIDE, Behind, registers, talk
from tests.server.party import OVER_TLS, SERVER, House, simulated
from tests.server.proving import PASSWORD, prove

EVERYTHING: dict[str, Any] = {
    "listen": [f"udp://{SERVER}:5060", f"tls://{SERVER}:5061", f"ws://{SERVER}:80", f"wss://{SERVER}:443"],
    "tls": OVER_TLS["tls"],
}


@pytest.mark.parametrize("transport", ["TLS", "WS", "WSS"])
@simulated
async def test_phones_behind_one_nat_over_every_connection(transport: str) -> None:
    async with Behind(**EVERYTHING) as house:
        alice, bob = await house.party("alice", INSIDE, transport=transport), await house.party("bob", "10.0.0.3", transport=transport)
        await registers(bob)
        await talk(await house.call(alice, bob))


@simulated
async def test_who_has_proved_himself_again_through_another_port_is_found_there_within_the_dialog() -> None:
    """The NAT has forgotten the phone in the midst of a call; it registers as it does every few minutes, then the other side hangs up."""
    async with Behind(auth="digest", nat=NatConfig(keepalive=0)) as house:
        for user in ("alice", "bob"):
            house.server.users.add(user, "example.com", PASSWORD)
        alice, bob = await house.party("alice"), await house.party("bob", INSIDE)
        register = {
            "method": "REGISTER",
            "uri": "sip:example.com",
            "to": "<sip:bob@example.com>",
            "contact": f"<{bob.uri}>",
            "call_id": "r",
        }
        await prove(bob, bob.request(**register, cseq=1))
        await bob.hears("200 REGISTER")
        await prove(alice, alice.request("INVITE"))
        await alice.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        bob.reply(invite, 200)
        ok = await alice.hears("200 INVITE")
        house.box.forget()
        await prove(bob, bob.request(**register, cseq=11))
        await bob.hears("200 REGISTER")
        bye = alice.request(
            "BYE",
            bob.uri,
            from_=str(ok.headers.text("From")),
            to=str(ok.headers.text("To")),
            call_id=ok.call_id,
            cseq=9,
            extra=f"Route: {ok.headers.text('Record-Route')}",
        )
        alice.send(bye)
        bob.reply(await bob.hears("BYE"), 200)
        await alice.hears("200 BYE")


@simulated
async def test_a_request_too_large_for_a_datagram_goes_down_the_flow_all_the_same() -> None:
    """There is no other way, and nobody behind a NAT can be connected to."""
    async with Behind() as house:
        alice, bob = await house.party("alice"), await house.party("bob", INSIDE)
        await registers(bob)
        dialog = await house.call(alice, bob, extra=f"X-Long: {'x' * 1500}")
        assert [heard.flow.endpoint.transport for heard in bob.heard] == ["UDP"] * len(bob.heard)
        await talk(dialog)


@simulated
async def test_a_phone_that_moves_its_contact_in_a_re_invite_is_still_down_its_flow() -> None:
    async with Behind() as house:
        alice, bob = await house.party("alice"), await house.party("bob", INSIDE)
        await registers(bob)
        dialog = await house.call(alice, bob)
        bob.within("INVITE", dialog, cseq=7)
        await bob.hears("100 INVITE")
        invite = await alice.hears("INVITE")
        alice.reply(invite, 200)
        ok = await bob.hears("200 INVITE")
        ack = bob.compose("ACK", dialog, cseq=7)
        ack.uri = ok.contact.uri
        bob.send(ack)
        await alice.hears("ACK")
        await talk(dialog)


@simulated
async def test_an_edge_that_is_its_own_registrar_finds_the_loop() -> None:
    async with House(edge=EdgeConfig(registrar=f"sip:{SERVER}"), waits=False) as house:
        bob = await house.party("bob")
        for method, uri in (("REGISTER", "sip:example.com"), ("MESSAGE", "sip:x@example.com")):
            bob.ask(method, uri)
            await bob.hears(f"482 {method}")
        assert len(house.sent) <= 6


@pytest.mark.parametrize(("contact_host", "is_found"), [("198.51.100.2", True), ("10.9.9.9", False)])
@simulated
async def test_a_peer_whose_connection_is_gone_is_found_at_a_contact_that_leads_somewhere(contact_host: str, is_found: bool) -> None:
    """A gateway may hear somewhere else than where it speaks from; a phone's own network is no such place."""
    async with House(**EVERYTHING, registrar=RegistrarConfig(foreign_contacts=True), waits=False) as house:
        pbx = await house.party("pbx", "198.51.100.1", transport="TLS")
        second = await house.party("second", "198.51.100.2", transport="TLS")
        bob = await house.party("bob", q=1.0)
        pbx.ask("INVITE", contact=f"<sip:pbx@{contact_host}:5061;transport=tls>")
        await pbx.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        ok = bob.reply(invite, 200)
        await pbx.hears("200 INVITE")
        await pbx.loses_connections()
        bye = bob.request(
            "BYE",
            str(invite.contact.uri),
            from_=str(ok.headers.text("To")),
            to=str(ok.headers.text("From")),
            call_id=ok.call_id,
            extra="".join(f"Route: {route}\n" for route in ok.headers.texts("Record-Route")),
        )
        bob.send(bye)
        if is_found:
            second.reply(await second.hears("BYE"), 200)
            await bob.hears("200 BYE")
        else:
            await bob.hears("430 BYE")
