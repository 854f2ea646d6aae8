"""RFC 3261 §16.4: what the proxy takes out of a request before it looks where to send it."""

import asyncio

import pytest

from ringback.server.config import RelayConfig
from tests.server.party import SERVER, House, kind_of, simulated

OURS = [
    f"<sip:{SERVER};lr>",
    f"<sip:{SERVER}:5060;lr>",
    f"<sip:{SERVER}>",
    "<sip:example.com;lr>",
    "<sip:EXAMPLE.com:5080;transport=tcp;lr>",
    f"<sip:{SERVER};lr>, <sip:example.com;lr>",
    f"<sip:{SERVER};lr>\nRoute: <sip:{SERVER};lr>",
]


@pytest.mark.parametrize("route", OURS)
@simulated
async def test_a_route_that_names_us_is_removed(route: str) -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        alice.ask("MESSAGE", extra=f"Route: {route}")
        message = await bob.hears("MESSAGE")
        assert message.routes == []
        assert message.uri_text == bob.uri
        bob.reply(message, 200)
        await alice.hears("200 MESSAGE")


@pytest.mark.parametrize("route", ["<sip:192.0.2.100:5070;lr>", "<sip:sub.example.com;lr>", "<sip:192.0.2.10;lr>", "<tel:+1>"])
@simulated
async def test_a_route_that_names_another_is_not(route: str) -> None:
    async with House() as house:
        alice = await house.party("alice")
        await house.party("bob", q=1.0)
        alice.ask("MESSAGE", extra=f"Route: {route}")
        await alice.hears("403 MESSAGE")
        assert len(house.sent) == 1


@simulated
async def test_a_strict_routers_rewriting_is_undone() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        dialog = await house.call(alice, bob)
        [ours] = dialog.ok.headers.texts("Record-Route")
        bye = alice.compose("BYE", dialog)
        bye.headers.set("Route", f"<sip:bob@{bob.host}:{bob.port}>")
        bye.uri = ours[1:-1]
        alice.send(bye)
        got = await bob.hears("BYE")
        assert got.uri_text == f"sip:bob@{bob.host}:{bob.port}"
        assert got.routes == []
        bob.reply(got, 200)
        await alice.hears("200 BYE")


@simulated
async def test_a_strict_routers_rewriting_leaves_the_routes_between() -> None:
    async with House(relay=RelayConfig(allow=["192.0.2.3"])) as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        next_proxy = await house.party("next")
        dialog = await house.call(alice, bob)
        [ours] = dialog.ok.headers.texts("Record-Route")
        bye = alice.compose("BYE", dialog)
        bye.headers.set("Route", f"<sip:{next_proxy.host};lr>, <{bob.uri}>")
        bye.uri = ours[1:-1]
        alice.send(bye)
        got = await next_proxy.hears("BYE")
        assert got.uri_text == bob.uri
        assert [str(route) for route in got.routes] == [f"<sip:{next_proxy.host};lr>"]
        next_proxy.reply(got, 200)
        await alice.hears("200 BYE")


@pytest.mark.parametrize("method", ["BYE", "ACK", "INFO", "OPTIONS"])
@pytest.mark.parametrize("host", [SERVER, "example.com"])
@simulated
async def test_our_own_uri_with_its_proof_and_no_route_ends_here(method: str, host: str) -> None:
    """Forwarding it would send it to ourselves, proven again each time, until its hops are used up."""
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        dialog = await house.call(alice, bob)
        [ours] = dialog.ok.headers.texts("Record-Route")
        before = len(house.sent)
        request = alice.compose(method, dialog)
        request.headers.remove("Route")
        request.uri = ours[1:-1].replace(SERVER, host)
        alice.send(request)
        await alice.hears_nothing(0.0005)
        await bob.hears_nothing()
        assert len(house.sent) - before <= 1
        assert alice.kinds() in ([], [f"405 {method}"], [f"481 {method}"], [f"200 {method}"])


@pytest.mark.parametrize(
    ("uri", "is_stripped"),
    [
        (f"sip:bob@example.com;maddr={SERVER}", True),
        ("sip:bob@example.com;maddr=example.com", True),
        (f"sip:bob@example.com;maddr={SERVER};transport=udp", True),
        (f"sip:bob@example.com:5060;maddr={SERVER}", True),
        (f"sip:bob@example.com:5070;maddr={SERVER}", False),
        (f"sip:bob@example.com;maddr={SERVER};transport=tcp", False),
        ("sip:bob@example.com;maddr=192.0.2.77", False),
    ],
)
@simulated
async def test_a_maddr_of_ours_is_stripped(uri: str, is_stripped: bool) -> None:
    """What the routing function sees shows it: it is asked after preprocessing."""
    async with House() as house:
        seen: list[str] = []
        house.server.core.determination.route = lambda request: seen.append(request.uri_text)  # type: ignore[assignment,func-returns-value]
        alice = await house.party("alice")
        alice.ask("MESSAGE", uri)
        await alice.hears("404 MESSAGE")
        # Port 5060 may stay: only one that is not the default has to go.
        assert [text.replace(":5060", "") for text in seen] == ["sip:bob@example.com" if is_stripped else uri.replace(":5060", "")]


@simulated
async def test_a_maddr_with_a_port_of_its_own_is_stripped_with_it() -> None:
    async with House(listen=["udp://192.0.2.100:5062"]) as house:
        seen: list[str] = []
        house.server.core.determination.route = lambda request: seen.append(request.uri_text)  # type: ignore[assignment,func-returns-value]
        alice = await house.party("alice")
        request = alice.request("MESSAGE", f"sip:bob@example.com:5062;maddr={SERVER};transport=tcp;x=y", transport="TCP")
        from ringback.address import Target

        flow = alice.transports.flow_to(Target("TCP", SERVER, 5062))
        assert flow is not None
        alice.transports.send(request.to_bytes(), flow)
        await alice.hears("404 MESSAGE")
        assert seen == ["sip:bob@example.com;x=y"]


@pytest.mark.parametrize("uri", ["sip:bob@example.com;proof=abc", "sip:bob@example.com;lr;proof=abc;x=y", "sip:bob@example.com?X=;maddr=y"])
@simulated
async def test_what_only_looks_like_an_entry_of_ours_is_a_users_uri(uri: str) -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        alice.ask("MESSAGE", uri)
        await asyncio.sleep(0.1)
        assert [kind_of(heard.message) for heard in bob.heard] == ["MESSAGE"] or alice.kinds() == ["400 MESSAGE"]
        for heard in bob.heard:
            bob.reply(heard.message, 200)  # type: ignore[arg-type]


@simulated
async def test_another_servers_entry_as_request_uri_goes_nowhere() -> None:
    async with House() as house:
        alice = await house.party("alice")
        alice.ask("MESSAGE", "sip:192.0.2.66;lr;proof=abc", extra="Route: <sip:192.0.2.67>")
        await alice.hears("403 MESSAGE")
        alice.ask("MESSAGE", "tel:+1;maddr=192.0.2.66;proof=abc")
        await alice.hears("404 MESSAGE")
        assert len(house.sent) == 2
