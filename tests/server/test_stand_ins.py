"""A response whose peer is gone goes to another host of the peer's name (RFC 3263 §5, RFC 3261 §18.2.2)."""

from __future__ import annotations

import asyncio

import pytest

from ringback.testing import Names, Srv
from tests.server.party import House, Party, simulated

NAME = "callers.test"


def publish(*hosts: str, port: int = 5060) -> None:
    """The servers of the caller's name, the first one preferred."""
    names: Names = asyncio.get_running_loop().names  # type: ignore[attr-defined]  # a SimulatedTimeLoop
    for priority, host in enumerate(hosts):
        names.add(f"_sip._tcp.{NAME}", Srv(priority, 0, port, f"{priority}.{NAME}"))
        names.add(f"{priority}.{NAME}", host)
        names.add(NAME, host)


async def asked_and_gone(house: House, sent_by: str = NAME) -> tuple[Party, str]:
    """Alice has asked Bob over TCP and is no more; gives Bob, who has not answered yet."""
    alice, bob = await house.party("alice", "192.0.2.2"), await house.party("bob", "192.0.2.3")
    house.bind("bob", bob.uri)
    request = alice.request("MESSAGE", "sip:bob@example.com", transport="TCP")
    request.headers.set("Via", f"SIP/2.0/TCP {sent_by};branch=z9hG4bKalice")
    alice.send(request, transport="TCP")
    heard = await bob.hears("MESSAGE")
    await alice.transports.close()
    await asyncio.sleep(0.1)
    bob.reply(heard, 200)
    return alice, request.call_id


@simulated
@pytest.mark.parametrize("sent_by", [NAME, f"{NAME}:5060"])
async def test_the_next_host_of_its_name_has_the_response(sent_by: str) -> None:
    async with House() as house:
        publish("192.0.2.2", "192.0.2.8", "192.0.2.9")
        other = await house.party("other", "192.0.2.9")
        _, call_id = await asked_and_gone(house, sent_by)
        assert (await other.hears("200 MESSAGE")).call_id == call_id


@simulated
async def test_a_name_that_does_not_lead_to_the_source_is_not_followed() -> None:
    async with House() as house:
        publish("192.0.2.9")
        victim = await house.party("victim", "192.0.2.9")
        await asked_and_gone(house)
        await victim.hears_nothing(5)


@simulated
@pytest.mark.parametrize("sent_by", ["192.0.2.2", "no.such.name", "192.0.2.2:5060"])
async def test_who_has_no_other_host_is_lost(sent_by: str) -> None:
    async with House() as house:
        publish("192.0.2.2", "192.0.2.9")
        other = await house.party("other", "192.0.2.9")
        await asked_and_gone(house, sent_by)
        await other.hears_nothing(5)


@simulated
async def test_a_host_that_is_still_there_gets_it_itself() -> None:
    async with House() as house:
        publish("192.0.2.2", "192.0.2.9")
        alice, bob = await house.party("alice", "192.0.2.2"), await house.party("bob", "192.0.2.3")
        other = await house.party("other", "192.0.2.9")
        house.bind("bob", bob.uri)
        request = alice.request("MESSAGE", "sip:bob@example.com", transport="TCP")
        request.headers.set("Via", f"SIP/2.0/TCP {NAME};branch=z9hG4bKalice")
        alice.send(request, transport="TCP")
        heard = await bob.hears("MESSAGE")
        await alice.loses_connections()
        bob.reply(heard, 200)
        await alice.hears("200 MESSAGE")
        await other.hears_nothing(5)
