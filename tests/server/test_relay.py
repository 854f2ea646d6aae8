"""No relay for strangers: whatever a stranger writes, nothing reaches a host that is not a user's (reliability: open relay, SSRF)."""

import asyncio

import pytest

from ringback.message.message import Response
from tests.server.party import SERVER, House, kind_of, simulated
from tests.server.proving import answering, guarded, guest

# How an inner host may be written in a URI or Via.
HOSTS = [
    *(f"10.0.0.{index}" for index in range(1, 11)),
    *(f"192.168.1.{index}" for index in range(1, 6)),
    *(f"172.16.0.{index}" for index in range(1, 6)),
    *(f"127.0.0.{index}" for index in (1, 2, 66, 99)),
    *(f"203.0.113.{index}" for index in range(1, 6)),
    "169.254.169.254",
    "0.0.0.0",
    "255.255.255.255",
    "224.0.1.75",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "10.1",
    "167772161",
    "012.0.0.1",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:10.0.0.1]",
    "[::ffff:7f00:1]",
    "[::10.0.0.1]",
    "[fe80::1]",
    "[fc00::1]",
    "[64:ff9b::a00:1]",
    "localhost",
    "localhost.",
    "LOCALHOST",
    "inner.example",
    "10.0.0.1.",
    "１０.0.0.1",
    "10。0。0。1",
    "①0.0.0.1",
    "metadata.internal",
    f"{SERVER}.inner.example",
    "example.com.inner.example",
    "sub.example.com",
    "example.com%00.inner.example",
    "10.0.0.1%2e",
]


def _invented_tag(host: str) -> dict[str, str]:
    return {"uri": f"sip:x@{host}", "to": "<sip:x@example.com>;tag=invented", "extra": f"Route: <sip:{SERVER};lr>"}


def _invented_proof(host: str) -> dict[str, str]:
    return {
        "uri": f"sip:x@{host}",
        "to": "<sip:x@example.com>;tag=invented",
        "extra": f"Route: <sip:{SERVER}:5060;lr;proof=00112233445566778899>",
    }


def _strict(host: str) -> dict[str, str]:
    return {"uri": f"sip:{SERVER};lr;proof=00112233445566778899", "to": "<sip:x@example.com>;tag=i", "extra": f"Route: <sip:x@{host}>"}


CARRIERS = {
    "Request-URI": lambda host: {"uri": f"sip:x@{host}"},
    "Request-URI without user": lambda host: {"uri": f"sip:{host}:5060"},
    "Request-URI maddr": lambda host: {"uri": f"sip:bob@example.com;maddr={host}"},
    "own Request-URI maddr": lambda host: {"uri": f"sip:{SERVER};maddr={host}"},
    "invented To tag": _invented_tag,
    "invented proof": _invented_proof,
    "strict router": _strict,
    "Route": lambda host: {"uri": "sip:bob@example.com", "extra": f"Route: <sip:{host};lr>"},
    "Route behind ours": lambda host: {"uri": "sip:bob@example.com", "extra": f"Route: <sip:{SERVER};lr>, <sip:{host};lr>"},
    "Route maddr": lambda host: {"uri": "sip:bob@example.com", "extra": f"Route: <sip:other.example;lr;maddr={host}>"},
    "strict Route": lambda host: {"uri": "sip:bob@example.com", "extra": f"Route: <sip:{host}>"},
    "Refer-To": lambda host: {"uri": "sip:example.com", "extra": f"Refer-To: <sip:x@{host}>"},
    "Contact": lambda host: {"uri": "sip:nobody@example.com", "contact": f"<sip:x@{host}>"},
    "Record-Route": lambda host: {"uri": "sip:nobody@example.com", "extra": f"Record-Route: <sip:{host};lr>"},
    "Path": lambda host: {"uri": "sip:nobody@example.com", "extra": f"Path: <sip:{host};lr>"},
    "Reply-To": lambda host: {"uri": "sip:nobody@example.com", "extra": f"Reply-To: <sip:x@{host}>"},
}


def strangers(house: House, allowed: set[str]) -> list[tuple[str, bytes]]:
    return [(passed.destination[0], passed.octets[:60]) for passed in house.sent if passed.destination[0] not in allowed]


@pytest.mark.parametrize("auth", ["none", "digest"])
@pytest.mark.parametrize("carrier", CARRIERS)
@simulated
async def test_nothing_reaches_a_host_that_a_stranger_names(carrier: str, auth: str) -> None:
    async with House(waits=False, auth=auth) as house:
        for name in ("localhost", "inner.example", "metadata.internal", "sub.example.com", f"{SERVER}.inner.example"):
            house.names[name] = ["10.0.0.1"]
        mallory = await house.party("mallory", "198.51.100.1")
        await house.party("bob", "192.0.2.2", q=1.0)
        for host in HOSTS:
            for method in ("INVITE", "MESSAGE", "BYE", "ACK", "REFER"):
                request = mallory.request(
                    method, "sip:placeholder@example.com", **{k: v for k, v in CARRIERS[carrier](host).items() if k != "uri"}
                )
                request.uri_text = CARRIERS[carrier](host)["uri"]
                mallory.send(request)
        await asyncio.sleep(40)
        assert strangers(house, {mallory.host, "192.0.2.2"}) == []
        assert mallory.heard


@pytest.mark.parametrize("carrier", [carrier for carrier in CARRIERS if not carrier.startswith(("invented", "strict router"))])
@simulated
async def test_a_password_opens_no_way_to_other_hosts_either(carrier: str) -> None:
    async with guarded(waits=False) as house:
        for name in ("localhost", "inner.example", "metadata.internal", "sub.example.com", f"{SERVER}.inner.example"):
            house.names[name] = ["10.0.0.1"]
        alice, bob = await guest(house, "alice"), await house.party("bob", q=1.0)
        for host in HOSTS:
            parts = CARRIERS[carrier](host)
            request = alice.request("MESSAGE", "sip:placeholder@example.com", **{k: v for k, v in parts.items() if k != "uri"})
            request.uri_text = parts["uri"]
            alice.send(request)
            await asyncio.sleep(0.1)
            response = alice.heard[-1].message
            if isinstance(response, Response) and response.status == 407:
                alice.send(answering(alice, request, response))
        await asyncio.sleep(40)
        assert strangers(house, {alice.host, bob.host}) == []


@simulated
async def test_a_stranger_registers_no_inner_host() -> None:
    """With every way to write it, and a call to it afterwards."""
    async with House(waits=False) as house:
        for name in ("localhost", "inner.example", "metadata.internal", "sub.example.com"):
            house.names[name] = ["10.0.0.1"]
        mallory = await house.party("mallory", "198.51.100.1")
        for index, host in enumerate(HOSTS):
            for contact in (f"<sip:x@{host}>", f"<sip:x@{mallory.host};maddr={host}>", f"<sip:x@{mallory.host}@{host}>"):
                mallory.ask("REGISTER", "sip:example.com", to=f"<sip:u{index}@example.com>", contact=contact, cseq=index + 1)
            mallory.ask("INVITE", f"sip:u{index}@example.com")
        await asyncio.sleep(40)
        assert strangers(house, {mallory.host}) == []
        # What was bound all the same is bound to the flow it came over: who registers another place calls himself.
        assert "INVITE" in {kind_of(heard.message) for heard in mallory.heard}


@pytest.mark.parametrize(
    "form", ["{host}:5060", "{host}:5060;received=10.0.0.1", "198.51.100.1:5060;maddr={host}", "{host};rport=5060;received={host}"]
)
@simulated
async def test_no_response_goes_where_a_via_says(form: str) -> None:
    async with House(waits=False) as house:
        house.names["inner.example"] = ["10.0.0.1"]
        mallory = await house.party("mallory", "198.51.100.1")
        for index, host in enumerate(HOSTS):
            via = form.format(host=host)
            for method in ("INVITE", "OPTIONS", "REGISTER", "BYE"):
                octets = mallory.request(method, "sip:nobody@example.com").to_bytes()
                branch = f";branch=z9hG4bK{index}{method}".encode()
                mallory.send(octets.replace(octets.split(b"\r\n")[1], b"Via: SIP/2.0/UDP " + via.encode() + branch))
        await asyncio.sleep(40)
        assert strangers(house, {mallory.host}) == []


@simulated
async def test_the_canaries_would_sing() -> None:
    """The same network does show what leaves: a user registered at an inner host is called there."""
    async with House(waits=False) as house:
        mallory = await house.party("mallory", "198.51.100.1")
        house.bind("bob", "sip:bob@10.0.0.1")
        mallory.ask("MESSAGE")
        await asyncio.sleep(1)
        assert [host for host, _ in strangers(house, {mallory.host})] == ["10.0.0.1"] * 2
