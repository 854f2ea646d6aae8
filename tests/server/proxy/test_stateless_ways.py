"""Where the stateless proxy sends what, and back (RFC 3261 §16.11, §18.2.2, RFC 3263 §4.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from ringback.message.derive import cancel_of
from ringback.message.message import Request
from ringback.server.config import DomainConfig
from ringback.server.location.binding import Binding
from ringback.server.proxy.routing import Decision, Forward, Location, Redirect, Reject, first
from ringback.testing import Names
from ringback.transport.resolver.records import Srv
from tests.server.party import DOMAIN, House, Party, simulated

STATELESS = {DOMAIN: DomainConfig(mode="stateless")}


def names() -> Names:
    """The DNS of this world."""
    return cast("Names", asyncio.get_running_loop().names)  # type: ignore[attr-defined]  # the simulated loop has it


def decide(house: House, decide_: Callable[[Request], Decision | Awaitable[Decision]]) -> None:
    """Has the routing function decide so."""
    house.server.core.determination.route = decide_  # type: ignore[assignment]


def is_kept(house: House) -> bool:
    """Whether anything is remembered of a request."""
    return bool(house.server.core.layer.servers or house.server.core.layer.clients)


async def two_servers(house: House) -> tuple[Party, Party, Party]:
    """A caller, and two servers that one name stands for, equal in every respect."""
    alice = await house.party("alice")
    for name, host in (("one", "192.0.2.21"), ("two", "192.0.2.22")):
        names().add(f"{name}.example.net", host)
    names().add("_sip._udp.example.net", Srv(0, 1, 5060, "one.example.net"), Srv(0, 1, 5060, "two.example.net"))
    house.bind("bob", "sip:bob@example.net")
    return alice, await house.party("one", "192.0.2.21"), await house.party("two", "192.0.2.22")


@simulated
async def test_a_transaction_has_one_server_and_different_ones_have_different_servers() -> None:
    async with House(domain=STATELESS) as house:
        alice, one, two = await two_servers(house)
        # Chance decides, as the key of the run does: all of so many the same way once in ten million runs.
        for _ in range(24):
            invite = alice.ask()
            await asyncio.sleep(0.1)
            alice.send(invite)
            alice.send(cancel_of(invite))
            await asyncio.sleep(0.1)
        heard = [party.kinds() for party in (one, two)]
        assert all(kinds == ["INVITE", "INVITE", "CANCEL"] * (len(kinds) // 3) for kinds in heard)
        assert all(heard)


@simulated
async def test_while_a_name_is_looked_up_nothing_is_said_and_what_takes_long_is_kept() -> None:
    async with House(domain=STATELESS) as house:
        alice, one, two = await two_servers(house)
        names().delay = 0.05
        alice.ask()
        await asyncio.sleep(1)
        assert alice.kinds() == []
        assert not is_kept(house)
        assert sorted(one.kinds() + two.kinds()) == ["INVITE"]
    async with House(domain=STATELESS) as house:
        alice, one, two = await two_servers(house)
        names().delay = 1
        invite = alice.ask()
        await alice.hears("100 INVITE")
        await asyncio.sleep(5)
        assert is_kept(house)
        for party in (one, two):
            for heard in party.heard[:1]:
                assert isinstance(heard.message, Request)
                party.reply(heard.message, 486)
        alice.ack(invite, await alice.hears("486 INVITE"))


@simulated
async def test_a_name_that_leads_nowhere_is_500() -> None:
    async with House(domain=STATELESS) as house:
        alice = await house.party("alice")
        for contact in ("sip:bob@nowhere.example.net", "sip:bob@[2001:db8::1]", "mailto:bob@example.net"):
            decide(house, lambda request, contact=contact: Forward(contact))  # type: ignore[misc]
            alice.ask("MESSAGE")
            await alice.hears("500 MESSAGE")
        assert not is_kept(house)


@simulated
async def test_a_response_passes_as_it_is_but_for_our_via() -> None:
    async with House(domain=STATELESS) as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        alice.ask()
        sent = bob.reply(await bob.hears("INVITE"), 200, extra="X-Unknown:  kept \nWarning: 399 x y", body=b"v=0\r\n")
        await alice.hears("200 INVITE")
        [octets] = [passed.octets for passed in house.sent if passed.destination[0] == alice.host]
        above, _, below = sent.to_bytes().partition(b"Via: ")
        assert octets == above + below.partition(b"\r\n")[2]


@simulated
async def test_the_path_of_a_phone_is_taken() -> None:
    async with House(domain=STATELESS) as house:
        alice = await house.party("alice")
        edge = await house.party("edge")
        location = house.server.location
        aor = f"sip:bob@{DOMAIN}"
        path = f"<sip:{edge.host};lr>"
        location.update(aor, (Binding(1, aor, "sip:bob@192.0.2.99", "", 1.0, 1e6, 3600, "c", 1, path=path),), lambda error: None)
        alice.ask()
        heard = await edge.hears("INVITE")
        assert (heard.uri_text, heard.headers.texts("Route")) == ("sip:bob@192.0.2.99", [path])


@simulated
async def test_the_phone_that_the_caller_wants_is_called_and_cancelled() -> None:
    # RFC 3841 §7: a CANCEL says again what its INVITE said.
    async with House(domain=STATELESS) as house:
        alice = await house.party("alice")
        mobile, desk = await house.party("mobile"), await house.party("desk")
        location = house.server.location
        aor = f"sip:bob@{DOMAIN}"
        bindings = (
            Binding(1, aor, mobile.uri, ';audio;mobility="mobile"', 1.0, 1e6, 3600, "c", 1),
            Binding(2, aor, desk.uri, ';audio;mobility="fixed"', 1.0, 1e6, 3600, "d", 1),
        )
        location.update(aor, bindings, lambda error: None)
        wish = 'Reject-Contact: *;mobility="mobile"'
        invite = alice.ask(extra=wish)
        heard = await desk.hears("INVITE")
        alice.ask("CANCEL", branch=invite.via.branch, call_id=invite.call_id, extra=wish)
        assert (await desk.hears("CANCEL")).via.branch == heard.via.branch
        for text, status in (("Reject-Contact: *;audio", 480), ("Reject-Contact: =", 400)):
            alice.ask("MESSAGE", extra=text)
            await alice.hears(f"{status} MESSAGE")
        assert not is_kept(house)
        assert mobile.kinds() == []


@simulated
async def test_a_phone_is_reached_down_its_flow_while_that_is_open() -> None:
    async with House(domain=STATELESS) as house:
        alice = await house.party("alice")
        bob = await house.party("bob")
        bob.ask("OPTIONS", f"sip:{house.host}", transport="TCP")
        await bob.hears("200 OPTIONS")
        flow = house.server.transports.connected("TCP", 1)
        assert flow is not None
        location = house.server.location
        aor = f"sip:bob@{DOMAIN}"
        binding = Binding(1, aor, "sip:bob@x.invalid", "", 1.0, 1e6, 3600, "c", 1, flow=house.server.flows.name(flow))
        location.update(aor, (binding,), lambda error: None)
        invite = alice.ask()
        heard = await bob.hears("INVITE")
        assert heard.via.transport == "TCP"
        assert not is_kept(house)
        bob.reply(heard, 486)
        alice.ack(invite, await alice.hears("486 INVITE"))
        await bob.hears("ACK")
        gone = Binding(2, aor, "sip:bob@x.invalid", "", 1.0, 1e6, 3600, "c", 1, flow="tcp-7-0000")
        location.update(aor, (gone,), lambda error: None)
        alice.ask("MESSAGE")
        await alice.hears("480 MESSAGE")


@pytest.mark.parametrize("is_open", [True, False])
@simulated
async def test_over_a_connection_that_closed_a_response_opens_another(is_open: bool) -> None:
    async with House(domain=STATELESS) as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        alice.ask(transport="TCP")
        heard = await bob.hears("INVITE")
        if not is_open:
            await alice.transports.close()
            await asyncio.sleep(1)
            house.parties.remove(alice)
            del house.network.hosts[alice.host]
            alice = await house.party("alice", alice.host)
        bob.reply(heard, 486)
        await alice.hears("486 INVITE")
        assert (alice.heard[-1].flow.endpoint.transport, alice.heard[-1].flow.port == 5060) == ("TCP", is_open)


@simulated
async def test_through_a_nat_that_nobody_told_of_a_response_goes_back_to_the_source() -> None:
    async with House(domain=STATELESS) as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        text = alice.request().to_bytes().replace(b"UDP 192.0.2.1:5060", b"UDP 10.0.0.1:5070")
        alice.send(text)
        heard = await bob.hears("INVITE")
        assert "way" in heard.vias[0].params
        bob.reply(heard, 486)
        await alice.hears("486 INVITE")


@simulated
async def test_a_way_that_this_server_never_wrote_is_taken_by_nothing() -> None:
    async with House(domain=STATELESS, listen=["udp://192.0.2.100:5060", "udp://192.0.2.100:5070"]) as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        alice.ask()
        heard = await bob.hears("INVITE")
        way = heard.vias[0].params["way"]
        assert way is not None
        for other in (way.replace("1", "2"), way[:-1], "x"):
            reply = heard.copy()
            vias = reply.headers.texts("Via")
            reply.headers.replace_first("Via", vias[0].replace(way, other))
            bob.heard.append(bob.heard[-1]._replace(message=reply))
            bob.reply(reply, 486)
        await alice.hears_nothing(1)
        bob.reply(heard, 486)
        await alice.hears("486 INVITE")


# Decisions.


@simulated
async def test_a_single_decision_may_be_followed_without_state() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        invite = alice.ask()
        await alice.hears("100 INVITE")
        bob.reply(await bob.hears("INVITE"), 486)
        alice.ack(invite, await alice.hears("486 INVITE"))
        await bob.hears("ACK")
        await asyncio.sleep(40)
        asked = []

        def route(request: Request) -> Decision:
            asked.append(request.method)
            return Location(stateless=True)

        decide(house, route)
        invite = alice.ask()
        heard = await bob.hears("INVITE")
        assert not is_kept(house)
        alice.send(cancel_of(invite))
        assert (await bob.hears("CANCEL")).via.branch == heard.via.branch
        bob.reply(heard, 487)
        alice.ack(invite, await alice.hears("487 INVITE"))
        assert (await bob.hears("ACK")).via.branch == heard.via.branch
        assert asked == ["INVITE", "INVITE", "INVITE"]


@simulated
async def test_an_ack_or_cancel_of_what_is_kept_asks_no_routing_function() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        asked = []

        def route(request: Request) -> Decision:
            asked.append(request.method)
            return Forward(bob.uri, stateless=request.uri.user == "fast")  # type: ignore[union-attr]

        decide(house, route)
        alice.ask("CANCEL")
        await alice.hears("481 CANCEL")
        assert asked == []
        alice.ask("MESSAGE", f"sip:fast@{DOMAIN}")
        await bob.hears("MESSAGE")
        alice.ask("CANCEL")
        await alice.hears("481 CANCEL")
        await bob.hears_nothing()
        assert asked == ["MESSAGE", "INVITE"]


@simulated
async def test_of_several_decisions_the_first_that_leads_anywhere_counts() -> None:
    async with House(domain=STATELESS) as house:
        alice = await house.party("alice")
        bob = await house.party("bob")
        nobody = Location(f"sip:nobody@{DOMAIN}")
        for decision in (
            first(nobody, Forward(bob.uri)),
            Location(f"sip:nobody@{DOMAIN}", else_={"unregistered": Forward(bob.uri)}),
            first(first(nobody), first(nobody, Forward(bob.uri))),
        ):
            decide(house, lambda request, decision=decision: decision)  # type: ignore[misc]
            alice.ask("MESSAGE")
            await bob.hears("MESSAGE")
        for refusal, status in ((Redirect("sip:x@example.net"), 302), (first(nobody, nobody), 404), (Reject(603), 603)):
            decide(house, lambda request, refusal=refusal: refusal)  # type: ignore[misc]
            alice.ask("MESSAGE")
            await alice.hears(f"{status} MESSAGE")
        assert not is_kept(house)


@pytest.mark.parametrize(("delay", "kinds"), [(0.1, []), (1.0, ["100 INVITE"])])
@simulated
async def test_a_decision_that_takes_its_time(delay: float, kinds: list[str]) -> None:
    async with House(domain=STATELESS) as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)

        async def route(request: Request) -> Any:
            await asyncio.sleep(delay)
            return Location()

        decide(house, route)
        invite = alice.ask()
        heard = await bob.hears("INVITE")
        assert alice.kinds() == kinds
        assert is_kept(house) is bool(kinds)
        bob.reply(heard, 486)
        refused = await alice.hears("486 INVITE")
        alice.ack(invite, refused)
        await bob.hears("ACK")


@simulated
async def test_a_user_of_ours_is_called_at_a_phone_without_asking_the_dns() -> None:
    async with House() as house:
        alice, bob = await house.party("alice"), await house.party("bob", q=1.0)
        house.server.core.determination.route = lambda request: Forward("sip:bob@example.com", stateless=True)
        alice.ask("INVITE", "sip:support@example.com")
        invite = await bob.hears("INVITE")
        assert invite.uri_text == bob.uri
        refused = bob.reply(invite, 486)
        await alice.hears("486 INVITE")
        assert refused.status == 486
        house.server.core.determination.route = lambda request: Forward("sip:nobody@example.com", stateless=True)
        alice.ask("MESSAGE", "sip:support@example.com")
        await alice.hears("404 MESSAGE")
