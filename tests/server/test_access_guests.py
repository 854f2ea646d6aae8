"""Callers of other domains who have an account here, too: asked for it where they are let in so (RFC 3665 §3.3, RFC 3261 §22.3)."""

from __future__ import annotations

from ringback.server.config import AccessConfig, RelayConfig
from tests.server.party import DOMAIN, House, Party, simulated
from tests.server.proving import PASSWORD, answering, challenged, prove

CAROL = "<sip:carol@elsewhere.example>;tag=1"
GUESTS = AccessConfig(guests=True)


async def cast(house: House) -> tuple[Party, Party]:
    """Carol, who is of another domain and has an account here, and Bob."""
    for user in ("carol", "bob"):
        house.server.users.add(user, DOMAIN, PASSWORD)
    return await house.party("carol"), await house.party("bob", q=1.0)


@simulated
async def test_a_guest_is_asked_for_the_password_of_an_account_in_the_callees_domain() -> None:
    async with House(auth="digest", access=GUESTS) as house:
        carol, bob = await cast(house)
        await prove(carol, carol.request("MESSAGE", from_=CAROL))
        got = await bob.hears("MESSAGE")
        assert got.headers.texts("Proxy-Authorization") == []
        bob.reply(got, 200)
        await carol.hears("200 MESSAGE")


@simulated
async def test_credentials_for_other_realms_go_on() -> None:
    async with House(auth="digest", access=GUESTS) as house:
        carol, bob = await cast(house)
        request = carol.request("MESSAGE", from_=CAROL, extra='Proxy-Authorization: Digest realm="elsewhere.example"')
        await prove(carol, request)
        got = await bob.hears("MESSAGE")
        assert [value.realm for value in got.headers.values("Proxy-Authorization")] == ["elsewhere.example"]
        bob.reply(got, 200)
        await carol.hears("200 MESSAGE")


@simulated
async def test_a_guest_with_a_wrong_password_is_asked_again() -> None:
    async with House(auth="digest", access=GUESTS) as house:
        carol, bob = await cast(house)
        request = carol.request("MESSAGE", from_=CAROL)
        carol.send(answering(carol, request, await challenged(carol, request), password="sesame, open"))
        await carol.hears("407 MESSAGE")
        await bob.hears_nothing()


@simulated
async def test_a_guest_reaches_users_and_nobody_else() -> None:
    """Neither where a Route leads nor another domain's user; and who says that he is one of ours proves to be that one."""
    async with House(auth="digest", access=GUESTS, relay=RelayConfig(allow=["partner.example"])) as house:
        carol, _ = await cast(house)
        carol.ask("MESSAGE", "sip:x@partner.example", from_=CAROL)
        await carol.hears("403 MESSAGE")
        carol.ask("MESSAGE", from_=CAROL, extra="Route: <sip:partner.example;lr>")
        await carol.hears("403 MESSAGE")
        await prove(carol, carol.request("MESSAGE", from_=f"<sip:bob@{DOMAIN}>;tag=1"))
        await carol.hears("403 MESSAGE")


@simulated
async def test_nobody_is_a_guest_unless_guests_are_let_in() -> None:
    async with House(auth="digest") as house:
        carol, _ = await cast(house)
        carol.ask("MESSAGE", from_=CAROL)
        await carol.hears("403 MESSAGE")
