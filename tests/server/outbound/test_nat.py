"""Phones behind a NAT that know nothing of it: they register, call and are called down the flow they came over (RFC 3581, RFC 5626)."""

import asyncio
from typing import Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.address import Endpoint, Flow
from ringback.message.errors import SipParseError
from ringback.message.fields.via import Via
from ringback.message.uri import SipUri
from ringback.server.config import NatConfig, ProxyConfig, RegistrarConfig
from ringback.server.domains import Domains
from ringback.server.location.location import Location
from ringback.server.outbound.flows import Flows
from ringback.server.outbound.nat import Nat, _is_plain
from ringback.testing import Nat as NatBox
from tests.server.party import SERVER, Dialog, House, Party, simulated

INSIDE, OUTSIDE = "10.0.0.2", "203.0.113.1"
SILENT = NatConfig(keepalive=0)


class Behind(House):
    """A house whose phones at 10.0.0.x are behind a NAT."""

    box: NatBox

    async def __aenter__(self) -> Self:
        self.box = self.network.nat(OUTSIDE, ["10.0.0.2", "10.0.0.3"], timeout=60)
        return await super().__aenter__()


async def registers(phone: Party, *, contact: str | None = None, cseq: int = 1, status: int = 200) -> Any:
    phone.ask(
        "REGISTER",
        "sip:example.com",
        to=f"<sip:{phone.name}@example.com>",
        contact=contact or f"<{phone.uri}>",
        cseq=cseq,
        call_id=f"registers@{phone.host}",
    )
    return await phone.hears(f"{status} REGISTER")


async def talk(dialog: Dialog) -> None:
    """Each says something, then the callee hangs up."""
    for one, other in ((dialog.caller, dialog.callee), (dialog.callee, dialog.caller)):
        one.within("INFO", dialog, cseq=5)
        got = await other.hears("INFO")
        assert (got.uri_text, got.routes) == (other.uri, [])
        other.reply(got, 200)
        await one.hears("200 INFO")
    dialog.callee.within("BYE", dialog, cseq=6)
    dialog.caller.reply(await dialog.caller.hears("BYE"), 200)
    await dialog.callee.hears("200 BYE")


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
@simulated
async def test_a_phone_behind_a_nat_registers_and_is_called(transport: str) -> None:
    async with Behind() as house:
        alice, bob = await house.party("alice"), await house.party("bob", INSIDE, transport=transport)
        await registers(bob)
        dialog = await house.call(alice, bob)
        assert dialog.invite.uri_text == bob.uri
        await talk(dialog)


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
@simulated
async def test_a_phone_behind_a_nat_calls(transport: str) -> None:
    async with Behind() as house:
        alice, bob = await house.party("alice", INSIDE, transport=transport), await house.party("bob", q=1.0)
        await talk(await house.call(alice, bob))


@simulated
async def test_two_phones_behind_one_nat_call_each_other() -> None:
    async with Behind() as house:
        alice, bob = await house.party("alice", INSIDE), await house.party("bob", "10.0.0.3", transport="TCP")
        await registers(bob)
        await talk(await house.call(alice, bob))


@simulated
async def test_the_usual_call_has_no_flow_in_its_route() -> None:
    async with House() as house:
        alice, bob = await house.party("alice"), await house.party("bob")
        await registers(bob)
        dialog = await house.call(alice, bob)
        [route] = dialog.ok.headers.texts("Record-Route")
        assert route.partition("proof=")[2][:-1].isalnum()
        assert not any(binding.flow for binding in house.server.location.registered("sip:bob@example.com"))


@simulated
async def test_a_phone_that_registers_again_is_called_through_its_new_port() -> None:
    async with Behind(nat=SILENT) as house:
        alice, bob = await house.party("alice"), await house.party("bob", INSIDE)
        await registers(bob)
        house.box.forget()
        await registers(bob, cseq=2)
        [binding] = house.server.location.registered("sip:bob@example.com")
        assert binding.flow.endswith("-203.0.113.1-40002")
        await talk(await house.call(alice, bob))


@simulated
async def test_a_way_in_route_that_was_changed_is_no_way() -> None:
    async with Behind() as house:
        alice, bob = await house.party("alice"), await house.party("bob", INSIDE)
        await registers(bob)
        dialog = await house.call(alice, bob)
        for other in ("-203.0.113.1-40009", "-198.51.100.1-5060"):
            bye = alice.compose("BYE", dialog, branch=f"z9hG4bKforged{other}")
            [route] = bye.headers.texts("Route")
            assert "-203.0.113.1-40001" in route
            bye.headers.set("Route", route.replace("-203.0.113.1-40001", other))
            alice.send(bye)
            await alice.hears("481 BYE")
        await bob.hears_nothing()


@simulated
async def test_nobody_else_goes_down_a_flow_that_he_has_seen() -> None:
    """Another dialog, the same Route."""
    async with Behind() as house:
        alice, bob = await house.party("alice"), await house.party("bob", INSIDE)
        mallory = await house.party("mallory", "198.51.100.1")
        await registers(bob)
        dialog = await house.call(alice, bob)
        [route] = dialog.ok.headers.texts("Record-Route")
        mallory.ask("MESSAGE", bob.uri, to=f"<{bob.uri}>;tag=invented", extra=f"Route: {route}")
        await mallory.hears("481 MESSAGE")
        mallory.ask("MESSAGE", bob.uri, extra=f"Route: {route}")
        await mallory.hears("403 MESSAGE")
        await bob.hears_nothing()


@simulated
async def test_who_has_connected_again_is_found_within_the_dialog() -> None:
    async with Behind() as house:
        alice, bob = await house.party("alice"), await house.party("bob", INSIDE, transport="TCP")
        await registers(bob)
        dialog = await house.call(alice, bob)
        await bob.loses_connections()
        await registers(bob, cseq=2)
        await talk(dialog)


@simulated
async def test_who_is_reached_no_more_is_told_as_gone() -> None:
    async with Behind() as house:
        alice, bob = await house.party("alice"), await house.party("bob", INSIDE, transport="TCP")
        await registers(bob)
        dialog = await house.call(alice, bob)
        await bob.loses_connections()
        alice.within("BYE", dialog)
        await alice.hears("430 BYE")
        alice.within("ACK", dialog)
        await alice.hears_nothing()
        # Nor is there a binding any more.
        alice.ask()
        await alice.hears("404 INVITE")


@simulated
async def test_where_no_help_is_wanted_a_contact_elsewhere_is_refused() -> None:
    async with Behind(nat=NatConfig(mode="off")) as house:
        bob = await house.party("bob", INSIDE)
        assert (await registers(bob, status=403)).reason == f"Contact Is Not at {OUTSIDE} Where the REGISTER Came From"


@simulated
async def test_a_contact_that_may_be_foreign_is_followed_unless_it_is_a_mistake() -> None:
    async with Behind(registrar=RegistrarConfig(foreign_contacts=True)) as house:
        alice, bob = await house.party("alice"), await house.party("bob", INSIDE)
        gateway = await house.party("gateway", "198.51.100.1")
        await registers(bob)
        await registers(alice, contact=f"<{gateway.uri}>")
        await talk(await house.call(alice, bob))
        await talk(await house.call(bob, gateway, "sip:alice@example.com"))


UDP, TCP, TLS, WSS = (Endpoint(kind, SERVER, port) for kind, port in (("UDP", 5060), ("TCP", 5060), ("TLS", 5061), ("WSS", 443)))
NAT_PORT = 40_001


@pytest.mark.parametrize(
    ("contact", "via", "endpoint", "trusted", "hidden"),
    [
        # Where the request came from.
        ("sip:a@203.0.113.1:40001", "UDP 203.0.113.1:40001", UDP, False, False),
        # Another port of the same host: its own affair, unless it says that it sends from there, and that it hears where it sends from.
        ("sip:a@203.0.113.1:5070", "UDP 203.0.113.1:5060", UDP, False, False),
        ("sip:a@203.0.113.1", "UDP 203.0.113.1:5060", UDP, False, False),
        ("sip:a@203.0.113.1", "UDP 203.0.113.1:5060;rport=40001", UDP, False, True),
        ("sip:a@203.0.113.1", "UDP 203.0.113.1;rport=40001", UDP, True, True),
        ("sip:a@203.0.113.1:5070", "UDP 203.0.113.1:5060;rport=40001", UDP, False, False),
        ("sip:a@203.0.113.1", "TCP 203.0.113.1:5060;rport=40001", TCP, False, False),
        # Elsewhere, and nobody vouches for it.
        ("sip:a@10.0.0.2", "UDP 10.0.0.2;rport=40001", UDP, False, True),
        ("sip:a@198.51.100.1", "UDP 203.0.113.1", UDP, False, True),
        ("sip:a@phone.example.net", "UDP 203.0.113.1", UDP, False, True),
        ("sip:a@203.0.113.1;maddr=198.51.100.1", "UDP 203.0.113.1", UDP, False, True),
        ("sip:a@10.0.0.2", "TCP 10.0.0.2", TCP, False, True),
        # Elsewhere, where that may be meant.
        ("sip:a@198.51.100.1", "UDP 203.0.113.1", UDP, True, False),
        ("sip:a@gateway.example.net", "UDP 203.0.113.1", UDP, True, False),
        ("sip:a@198.51.100.1", "UDP 198.51.100.1", UDP, True, True),
        ("sip:a@10.0.0.2", "UDP 203.0.113.1", UDP, True, True),
        ("sip:a@nobody.invalid", "UDP 203.0.113.1", UDP, True, True),
        # Nobody opens a connection to a browser, or to a phone over TLS.
        ("sip:a@nobody.invalid;transport=ws", "WSS nobody.invalid", WSS, True, True),
        ("sip:a@203.0.113.1:5061;transport=tls", "TLS 203.0.113.1", TLS, True, True),
        ("sips:a@203.0.113.1:5061", "TLS 203.0.113.1", TLS, False, True),
        # What shall be secure does not come in the clear; what is the server's own is nobody's.
        ("sips:a@10.0.0.2", "TCP 10.0.0.2", TCP, False, False),
        (f"sip:a@{SERVER}", "UDP 203.0.113.1", UDP, False, False),
    ],
)
def test_who_is_reached_only_down_the_flow(contact: str, via: str, endpoint: Endpoint, trusted: bool, hidden: bool) -> None:
    flow = Flow(endpoint, ("203.0.113.1", NAT_PORT), 1 if endpoint.is_reliable else 0)
    domains = Domains(["example.com"], [UDP, TCP])
    nat = Nat(domains, Flows(b"key", "run"), Location(clock=lambda: 0.0), is_on=True, is_open=True)
    assert nat.hides(SipUri.parse(contact), Via.parse(f"SIP/2.0/{via}"), flow, is_trusted=trusted) is hidden


def test_who_wants_no_help_gets_it_where_there_is_no_other_way() -> None:
    nat = Nat(Domains(["example.com"]), Flows(b"key", "run"), Location(clock=lambda: 0.0), is_on=False, is_open=True)
    for endpoint, hidden in ((UDP, False), (TCP, False), (TLS, True), (WSS, True)):
        flow = Flow(endpoint, ("203.0.113.1", NAT_PORT), 1)
        via = Via.parse(f"SIP/2.0/{endpoint.transport} 10.0.0.2")
        assert nat.hides(SipUri.parse("sip:a@10.0.0.2"), via, flow, is_trusted=False) is hidden


@simulated
async def test_a_request_through_another_proxy_has_no_flow() -> None:
    """Whoever is behind it is that proxy's to find: by its Record-Route, or at the Contact."""
    async with House() as house:
        alice, bob = await house.party("alice"), await house.party("bob", q=1.0)
        invite = alice.request(contact="<sip:alice@192.0.2.77>", extra="Via: SIP/2.0/UDP 192.0.2.77;branch=z9hG4bKfirst")
        alice.send(invite)
        got = await bob.hears("INVITE")
        assert got.headers.texts("Record-Route")[0].partition("proof=")[2][:-1].isalnum()
        bob.reply(got, 486)
        await asyncio.sleep(0.1)
        assert alice.kinds() == ["100 INVITE", "486 INVITE"]
        alice.ack(invite, bob.reply(got, 486))


@simulated
async def test_who_cannot_be_reached_otherwise_is_kept_in_the_path_of() -> None:
    """Also by a proxy that was told to stay out of it."""
    async with Behind(proxy=ProxyConfig(record_route=False)) as house:
        alice, bob, carol = await house.party("alice"), await house.party("bob", INSIDE), await house.party("carol", q=1.0)
        await registers(bob)
        await talk(await house.call(alice, bob))
        await talk(await house.call(bob, carol, "sip:carol@example.com"))
        alice.ask("INVITE", "sip:carol@example.com")
        await alice.hears("100 INVITE")
        invite = await carol.hears("INVITE")
        assert "record-route" not in invite.headers
        carol.reply(invite, 486)
        await alice.hears("486 INVITE")
        alice.ack(invite, carol.reply(invite, 486))


@pytest.mark.parametrize(
    ("contact", "endpoint", "remote", "is_usual"),
    [
        ("<sip:a@192.0.2.9:5070>", UDP, ("192.0.2.9", 5070), True),
        ("<sip:a@192.0.2.9:5070;ob>;q=1", UDP, ("192.0.2.9", 5070), True),
        ("<sip:a@192.0.2.9>", UDP, ("192.0.2.9", 5060), True),
        ("<sip:a@[2001:db8::9]:5070>", UDP, ("2001:db8::9", 5070), True),
        ("<sip:a@192.0.2.9:5060>", TCP, ("192.0.2.9", 40_001), True),
        ("<sip:a@192.0.2.9:50700>", UDP, ("192.0.2.9", 5070), False),
        ("<sip:a@192.0.2.90:5070>", UDP, ("192.0.2.9", 5070), False),
        ("<sip:a@192.0.2.9>", UDP, ("192.0.2.9", 5070), False),
        ("<sip:a@192.0.2.9.example.com>", TCP, ("192.0.2.9", 40_001), False),
        ("sip:a@192.0.2.9:5070", UDP, ("192.0.2.9", 5070), False),
    ],
)
def test_the_usual_contact_takes_one_look(contact: str, endpoint: Endpoint, remote: tuple[str, int], is_usual: bool) -> None:
    assert _is_plain(f"Contact: {contact}", Flow(endpoint, remote)) is is_usual


_hosts = st.sampled_from(
    ["10.0.0.1", "203.0.113.1", "[2001:db8::1]", "[::ffff:10.0.0.1]", "x.invalid", "phone.example.net", "256.1.1.1", "0.0.0.0"]
)
_ports = st.sampled_from(["", ":0", ":5060", ":40001", ":65535"])
_params = st.sampled_from(["", ";transport=ws", ";maddr=10.0.0.9", ";maddr=x", ";ob", ";maddr"])


@given(_hosts, _ports, _params, _hosts, _ports, st.sampled_from(["", ";rport", ";rport=1;received=1.2.3.4"]), st.booleans())
def test_whatever_a_phone_says_it_is_reached_at_its_source_or_at_its_word(
    host: str, port: str, params: str, sent_by: str, via_port: str, rport: str, trusted: bool
) -> None:
    nat = Nat(Domains(["example.com"], [UDP]), Flows(b"key", "run"), Location(clock=lambda: 0.0), is_on=True, is_open=True)
    via = Via.parse(f"SIP/2.0/UDP {sent_by}{via_port}{rport}")
    try:
        contact = SipUri.parse(f"sip:a@{host}{port}{params}")
    except SipParseError:
        return
    for endpoint, remote in ((UDP, ("203.0.113.1", NAT_PORT)), (UDP, ("fe80::1%eth0", 5060, 0, 2)), (WSS, ("203.0.113.1", NAT_PORT))):
        hidden = nat.hides(contact, via, Flow(endpoint, remote, int(endpoint is WSS)), is_trusted=trusted)
        at_home = (contact.maddr or contact.host) == remote[0]
        # Nobody is followed to another place than his own unless that is allowed.
        assert hidden or at_home or trusted
