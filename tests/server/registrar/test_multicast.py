"""Registration by multicast to all SIP servers (RFC 3261 §10.2.6)."""

import functools

import pytest

from ringback import UserAgent
from ringback.server.config import RegistrarConfig
from tests.server.party import DOMAIN, House, simulated

GROUP = "224.0.1.75"


def listening(**config: object) -> House:
    return House(registrar=RegistrarConfig(multicast=True), **config)  # type: ignore[arg-type]


@pytest.mark.parametrize("via", ["", f";maddr={GROUP};ttl=1"])
@simulated
async def test_a_phone_that_knows_no_registrar_finds_it(via: str) -> None:
    async with listening() as house:
        bob, alice = await house.party("bob"), await house.party("alice")
        register = bob.request("REGISTER", f"sip:{DOMAIN}", to=f"<sip:bob@{DOMAIN}>", contact=f"<{bob.uri}>")
        register.headers.set("Via", f"{register.headers.text('Via')}{via}")
        bob.send(register, to=GROUP)
        ok = await bob.hears("200 REGISTER")
        assert ok.headers.texts("Contact") == [f"<{bob.uri}>;expires=3600"]
        alice.ask("INVITE", f"sip:bob@{DOMAIN}")
        await alice.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        assert invite.via.host == house.host
        assert GROUP not in str(invite.headers.text("Record-Route"))
        bob.reply(invite, 486)
        await bob.hears("ACK")
        await alice.hears("486 INVITE")


@pytest.mark.parametrize(
    ("method", "uri"),
    [
        ("REGISTER", "sip:example.net"),
        ("REGISTER", "sip:bob@example.com"),
        ("REGISTER", "sip:@"),
        ("INVITE", "sip:bob@example.com"),
        ("OPTIONS", "sip:example.com"),
        ("FOO", "sip:example.com"),
    ],
)
@simulated
async def test_what_is_not_for_us_is_answered_by_nobody(method: str, uri: str) -> None:
    async with listening() as house:
        alice = await house.party("alice")
        alice.send(alice.request(method, "sip:x").to_bytes().replace(b"sip:x ", uri.encode() + b" "), to=GROUP)
        await alice.hears_nothing(40)


@simulated
async def test_nor_is_what_is_no_message() -> None:
    async with listening() as house:
        alice = await house.party("alice")
        alice.send(b"REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nCSeq: x\r\n\r\n", to=GROUP)
        alice.send(f"ACK sip:bob@{DOMAIN} SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\n\n", to=GROUP)
        await alice.hears_nothing()


@simulated
async def test_nobody_listens_there_unless_asked_to() -> None:
    async with House() as house:
        bob = await house.party("bob")
        bob.send(bob.request("REGISTER", f"sip:{DOMAIN}", to=f"<sip:bob@{DOMAIN}>", contact=f"<{bob.uri}>"), to=GROUP)
        await bob.hears_nothing()


@simulated
async def test_what_all_hear_is_nobodys_flow() -> None:
    async with listening() as house:
        bob = await house.party("bob")
        contact = f'<{bob.uri}>;reg-id=1;+sip.instance="<urn:uuid:1>"'
        register = bob.request("REGISTER", f"sip:{DOMAIN}", to=f"<sip:bob@{DOMAIN}>", contact=contact, extra="Supported: outbound, path")
        bob.send(register, to=GROUP)
        assert "Require" not in (await bob.hears("200 REGISTER")).headers
        [binding] = house.server.location.registered(f"sip:bob@{DOMAIN}")
        assert (binding.flow, binding.reg_id) == ("", 0)


@simulated
async def test_an_agent_registers_so() -> None:
    async with listening() as house:
        open_transports = functools.partial(house.network.host, "192.0.2.9")
        async with UserAgent(f"sip:bob@{DOMAIN}", listen=["udp://192.0.2.9:5060"], open_transports=open_transports) as bob:
            async with bob.registration(registrars=[f"sip:{DOMAIN};maddr={GROUP}"]):
                [binding] = house.server.location.registered(f"sip:bob@{DOMAIN}")
                assert binding.contact == "sip:bob@192.0.2.9:5060"
            assert len(house.server.location) == 0
