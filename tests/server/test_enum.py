"""Telephone numbers that ENUM turns into SIP URIs, through the server (RFC 6116, RFC 3824)."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from ringback.message.derive import cancel_of
from ringback.server.config import DnsConfig, RouteConfig
from ringback.testing import Names
from ringback.transport.resolver.enum import domain_of
from ringback.transport.resolver.records import Naptr
from tests.server.party import DOMAIN, House, simulated

NUMBER = "+4930123456"
PSTN = RouteConfig(prefix="+", to=["sip:{user}@192.0.2.3"])


def names() -> Names:
    """The DNS of this test."""
    found: Names = asyncio.get_running_loop().names  # type: ignore[attr-defined]  # a SimulatedTimeLoop
    return found


def house(**config: Any) -> House:
    """A server that asks below e164.arpa."""
    return House(dns=DnsConfig(enum=["e164.arpa"]), **config)


def publish(*uris: str, number: str = NUMBER) -> None:
    """Publishes what a number is, the first URI preferred."""
    for preference, uri in enumerate(uris):
        names().add(domain_of(number, "e164.arpa"), Naptr(100, preference, "u", "E2U+sip", f"!^.*$!{uri}!", ""))


@simulated
@pytest.mark.parametrize("uri", [f"tel:{NUMBER}", "tel:+49-30-(123)456", f"sip:{NUMBER}@{DOMAIN}", f"sip:{NUMBER}@{DOMAIN};user=phone"])
async def test_a_number_that_is_nobodys_here_is_looked_up(uri: str) -> None:
    async with house() as at_home:
        publish("sip:bob@192.0.2.2")
        alice, bob = await at_home.party("alice"), await at_home.party("bob", "192.0.2.2")
        for _ in range(2):
            alice.ask("MESSAGE", uri=uri)
            got = await bob.hears("MESSAGE")
            assert got.uri_text == "sip:bob@192.0.2.2"
            bob.reply(got, 200)
            await alice.hears("200 MESSAGE")
        assert names().asked == [f"NAPTR {domain_of(NUMBER, 'e164.arpa')}"]


@simulated
async def test_several_uris_are_tried_in_their_order() -> None:
    async with house() as at_home:
        publish("sip:first@192.0.2.2", "sip:second@192.0.2.2")
        alice, bob = await at_home.party("alice"), await at_home.party("bob", "192.0.2.2")
        alice.ask("MESSAGE", uri=f"tel:{NUMBER}")
        for user, status in (("first", 404), ("second", 200)):
            got = await bob.hears("MESSAGE")
            assert got.uri.user == user
            bob.reply(got, status)
        await alice.hears("200 MESSAGE")


@simulated
async def test_a_uri_of_ours_is_a_user_of_ours() -> None:
    async with house() as at_home:
        publish(f"sip:bob@{DOMAIN}")
        alice, bob = await at_home.party("alice"), await at_home.party("bob", "192.0.2.2")
        at_home.bind("bob", "sip:bob@192.0.2.2")
        alice.ask("MESSAGE", uri=f"tel:{NUMBER}")
        bob.reply(await bob.hears("MESSAGE"), 200)
        await alice.hears("200 MESSAGE")


@simulated
async def test_a_user_called_like_a_number_is_not_looked_up() -> None:
    async with house() as at_home:
        publish("sip:elsewhere@192.0.2.9")
        alice, bob = await at_home.party("alice"), await at_home.party("bob", "192.0.2.2")
        at_home.bind(NUMBER, "sip:bob@192.0.2.2")
        alice.ask("MESSAGE", uri=f"sip:{NUMBER}@{DOMAIN}")
        bob.reply(await bob.hears("MESSAGE"), 200)
        await alice.hears("200 MESSAGE")
        assert names().asked == []


@simulated
@pytest.mark.parametrize("state", ["unknown", "silent", "broken", "useless"])
async def test_what_enum_does_not_know_takes_the_routes(state: str) -> None:
    async with house(route=[PSTN]) as at_home:
        if state == "useless":
            publish("mailto:bob@example.com", "tel:+441234567")
        elif state != "unknown":
            getattr(names(), state).add(domain_of(NUMBER, "e164.arpa"))
        alice, gateway = await at_home.party("alice"), await at_home.party("gateway", "192.0.2.3")
        alice.ask("INVITE", uri=f"tel:{NUMBER}")
        if state == "silent":
            await alice.hears("100 INVITE")
        got = await gateway.hears("INVITE")
        assert got.uri.user == NUMBER
        gateway.reply(got, 486)
        await alice.hears("486 INVITE")


@simulated
async def test_a_number_dialled_as_at_home_is_no_global_number() -> None:
    async with house() as at_home:
        alice = await at_home.party("alice")
        for uri in (f"sip:030123456@{DOMAIN}", "tel:123;phone-context=+49", f"sip:+4@{DOMAIN}"):
            alice.ask("MESSAGE", uri=uri)
            await alice.hears("404 MESSAGE")
        assert names().asked == []


@simulated
async def test_a_number_that_leads_to_itself_ends() -> None:
    async with house() as at_home:
        publish(f"sip:{NUMBER}@{DOMAIN}")
        other = "+441632960083"
        publish(f"sip:{NUMBER}@{DOMAIN};user=phone", number=other)
        alice = await at_home.party("alice")
        for uri in (f"tel:{NUMBER}", f"tel:{other}"):
            alice.ask("MESSAGE", uri=uri)
            await alice.hears("404 MESSAGE")


@simulated
async def test_who_gives_up_while_a_number_is_looked_up_gets_487() -> None:
    async with house() as at_home:
        names().delay = 2.0
        publish("sip:bob@192.0.2.2")
        alice, bob = await at_home.party("alice"), await at_home.party("bob", "192.0.2.2")
        invite = alice.ask("INVITE", uri=f"tel:{NUMBER}")
        await alice.hears("100 INVITE")
        alice.send(cancel_of(invite))
        await alice.hears("200 CANCEL")
        await alice.hears("487 INVITE")
        await bob.hears_nothing(5)


@simulated
async def test_a_reload_asks_anew() -> None:
    async with house() as at_home:
        publish("sip:bob@192.0.2.2")
        alice, bob = await at_home.party("alice"), await at_home.party("bob", "192.0.2.2")
        for _ in range(2):
            alice.ask("MESSAGE", uri=f"tel:{NUMBER}")
            bob.reply(await bob.hears("MESSAGE"), 200)
            await alice.hears("200 MESSAGE")
            at_home.server.reload()
        assert len(names().asked) == 2


@simulated
async def test_a_reload_may_name_another_suffix() -> None:
    async with house() as at_home:
        server = at_home.server
        names().add(domain_of(NUMBER, "enum.example"), Naptr(100, 10, "u", "E2U+sip", "!^.*$!sip:bob@192.0.2.2!", ""))
        alice, bob = await at_home.party("alice"), await at_home.party("bob", "192.0.2.2")
        alice.ask("MESSAGE", uri=f"tel:{NUMBER}")
        await alice.hears("404 MESSAGE")
        server.reread = lambda: msgspec.structs.replace(server.config, dns=DnsConfig(enum=["enum.example"]))
        assert server.reload().changed == ("dns.enum",)
        alice.ask("MESSAGE", uri=f"tel:{NUMBER}")
        bob.reply(await bob.hears("MESSAGE"), 200)
        await alice.hears("200 MESSAGE")
