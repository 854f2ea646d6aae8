"""Useless as an amplifier: what the server refuses by itself to an address it does not know costs one datagram, and few octets."""

import asyncio

import pytest

from ringback.message.derive import cancel_of
from ringback.server.proxy.routing import Redirect, Reject
from tests.server.party import SERVER, House, simulated

# Each kind of request that the server answers by itself: what differs from an INVITE of nobody.
KINDS: dict[str, dict[str, object]] = {
    "INVITE of nobody": {},
    "INVITE of a domain not served": {"uri": "sip:x@other.example"},
    "INVITE with an invented To tag": {"to": "<sip:bob@example.com>;tag=x"},
    "INVITE with no hops left": {"max_forwards": 0},
    "INVITE with a Route elsewhere": {"extra": "Route: <sip:192.0.2.66;lr>"},
    "INVITE that requires the unknown": {"extra": "Proxy-Require: a, b, c"},
    "INVITE with no breadth left": {"extra": "Max-Breadth: 0"},
    "INVITE of another scheme": {"uri": "mailto:x@example.com"},
    "INVITE of a tel number": {"uri": "tel:+12015550123"},
    "INVITE of the server itself": {"uri": f"sip:{SERVER}"},
    "INVITE with a malformed Route": {"extra": "Route: <"},
    "OPTIONS of the server itself": {"method": "OPTIONS", "uri": f"sip:{SERVER}"},
    "OPTIONS of the domain": {"method": "OPTIONS", "uri": "sip:example.com"},
    "OPTIONS with no hops left": {"method": "OPTIONS", "max_forwards": 0},
    "OPTIONS that requires the unknown": {"method": "OPTIONS", "uri": "sip:example.com", "extra": "Require: a"},
    "OPTIONS of nobody": {"method": "OPTIONS"},
    "REGISTER that asks": {"method": "REGISTER", "uri": "sip:example.com", "to": "<sip:bob@example.com>"},
    "REGISTER of a domain not served": {"method": "REGISTER", "uri": "sip:other.example"},
    "REGISTER of another host": {
        "method": "REGISTER",
        "uri": "sip:example.com",
        "to": "<sip:x@example.com>",
        "contact": "<sip:x@10.0.0.1>",
    },
    "REGISTER too brief": {
        "method": "REGISTER",
        "uri": "sip:example.com",
        "to": "<sip:x@example.com>",
        "contact": "<sip:x@198.51.100.1>;expires=1",
    },
    "REGISTER of nonsense": {"method": "REGISTER", "uri": "sip:example.com", "to": "<sip:x@example.com>", "contact": "<<<"},
    "BYE without a call": {"method": "BYE", "to": "<sip:bob@example.com>;tag=x"},
    "CANCEL of nothing": {"method": "CANCEL"},
    "PRACK without a call": {"method": "PRACK", "to": "<sip:bob@example.com>;tag=x"},
    "MESSAGE to nobody": {"method": "MESSAGE", "body": "hello"},
    "SUBSCRIBE to nobody": {"method": "SUBSCRIBE", "extra": "Event: presence"},
    "SUBSCRIBE to the server": {"method": "SUBSCRIBE", "uri": f"sip:{SERVER}"},
    "a method of no RFC": {"method": "FROBNICATE"},
    "a method of no RFC to the server": {"method": "FROBNICATE", "uri": f"sip:{SERVER}"},
    "ACK": {"method": "ACK"},
    "ACK within no dialog": {"method": "ACK", "to": "<sip:bob@example.com>;tag=x"},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("repeats", [1, 3])
@simulated
async def test_one_datagram_for_one_and_three_octets_for_one(kind: str, repeats: int) -> None:
    """The silent source acknowledges nothing; 40 s is longer than any timer of a transaction that is kept."""
    async with House(waits=False) as house:
        silent = await house.party("silent", "198.51.100.1")
        request = silent.request(**{"uri": "sip:nobody@example.com", **KINDS[kind]})  # type: ignore[arg-type]
        for _ in range(repeats):
            silent.send(request)
            await asyncio.sleep(1)
        await asyncio.sleep(40)
        out = house.sent
        assert len(out) <= repeats
        assert all(len(passed.octets) <= 3 * len(request.to_bytes()) for passed in out)
        assert len(out) == (0 if kind.startswith("ACK") else repeats)
        assert len({passed.octets for passed in out} - {b""}) <= 1 or "REGISTER" in kind, "the same To tag each time (§8.2.7)"
        if "REGISTER that asks" not in kind:
            assert house.server.core.layer.servers == {}


FIELDS = {
    "Via": "SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bKa",
    "From": "<sip:a@b>;tag=1",
    "To": "<sip:c@d>",
    "Call-ID": "c",
    "CSeq": "1 OPTIONS",
}


def malformed(start: str = "OPTIONS sip:example.com SIP/2.0", extra: str = "", **fields: str) -> str:
    """An OPTIONS with other fields, or without those that are empty."""
    lines = [
        f"{name}: {value}" for name, value in (FIELDS | {name.replace("_", "-"): value for name, value in fields.items()}).items() if value
    ]
    return "\n".join([start, *lines, *([extra] if extra else []), "", ""])


MALFORMED = {
    "no Call-ID": malformed(Call_ID=""),
    "CSeq of another method": malformed(CSeq="1 INVITE"),
    "a body that is not there": malformed(extra="Content-Length: 100"),
    "another version": malformed("OPTIONS sip:example.com SIP/3.0"),
    "two Max-Forwards": malformed(extra="Max-Forwards: 1\nMax-Forwards: 2"),
}


@pytest.mark.parametrize("kind", MALFORMED)
@simulated
async def test_malformed_requests_too(kind: str) -> None:
    async with House() as house:
        silent = await house.party("silent", "198.51.100.1")
        for _ in range(2):
            silent.send(MALFORMED[kind])
        await asyncio.sleep(40)
        one, other = house.sent
        assert one.octets == other.octets
        assert len(one.octets) <= 3 * len(MALFORMED[kind])


@pytest.mark.parametrize("decision", [Reject(480), Redirect("sip:x@y"), Reject(603, "No", [("X", "y")])], ids=repr)
@pytest.mark.parametrize("delay", [None, 0.0, 0.1])
@simulated
async def test_what_the_routing_function_refuses_at_once_or_soon(decision: Reject, delay: float | None) -> None:
    async with House() as house:

        async def later(request: object) -> object:
            await asyncio.sleep(delay or 0)
            return decision

        house.server.core.determination.route = (lambda request: decision) if delay is None else later  # type: ignore[assignment]
        silent = await house.party("silent", "198.51.100.1")
        silent.ask()
        await asyncio.sleep(40)
        assert len(house.sent) == 1
        assert silent.kinds() == [f"{decision.status} INVITE"]


@simulated
async def test_what_is_refused_after_100_is_repeated_until_it_arrives() -> None:
    async with House() as house:

        async def slowly(request: object) -> object:
            await asyncio.sleep(1)
            return Reject(480)

        house.server.core.determination.route = slowly  # type: ignore[assignment]
        alice = await house.party("alice")
        sent = alice.ask()
        await alice.hears("100 INVITE")
        first = await alice.hears("480 INVITE")
        assert await alice.hears("480 INVITE") == first
        alice.ack(sent, first)
        await alice.hears_nothing(40)


@simulated
async def test_a_cancel_of_a_refused_invite_is_481() -> None:
    async with House() as house:
        alice = await house.party("alice")
        sent = alice.ask("INVITE", "sip:nobody@example.com")
        await alice.hears("404 INVITE")
        alice.send(cancel_of(sent))
        await alice.hears("481 CANCEL")


@simulated
async def test_an_unproven_source_has_twenty_invites_open_at_most() -> None:
    async with House() as house:
        flood = await house.party("flood", "198.51.100.1")
        bob = await house.party("bob", q=1.0)
        for _ in range(30):
            flood.ask()
        await asyncio.sleep(0.1)
        kinds = flood.kinds()
        assert (kinds.count("100 INVITE"), kinds.count("503 INVITE")) == (20, 10)
        refused = next(heard.message for heard in flood.heard if getattr(heard.message, "status", 0) == 503)
        assert 5 <= int(refused.headers.text("Retry-After") or 0) <= 10
        assert len(bob.heard) == 20
        first = bob.heard[0].message.vias[1].branch
        # Other sources and other methods are not concerned; nor is who comes by TCP, whose address is no invention.
        alice = await house.party("alice")
        alice.ask()
        await alice.hears("100 INVITE")
        bob.reply(bob.heard[0].message, 486)  # type: ignore[arg-type]
        flood.ack(flood.request(branch=first), await flood.hears("486 INVITE"))
        # With one answered there is room for one more.
        flood.ask()
        await flood.hears("100 INVITE")
        flood.ask()
        await flood.hears("503 INVITE")
        flood.ask("MESSAGE")
        flood.ask(transport="TCP")
        await flood.hears("100 INVITE")


@simulated
async def test_a_source_that_proved_itself_has_no_such_limit() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        await house.call(alice, bob)
        for _ in range(30):
            alice.ask()
        await asyncio.sleep(0.1)
        assert alice.kinds().count("100 INVITE") == 30
