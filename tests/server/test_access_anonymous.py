"""Callers who shall not be known to the callee: they say to their server alone who they are, and prove it (RFC 3323, RFC 3325)."""

from __future__ import annotations

from tests.server.party import DOMAIN, House, Party, simulated
from tests.server.proving import PASSWORD, prove

NOBODY = '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1'
CAROL = f"P-Preferred-Identity: <sip:carol@{DOMAIN}>\nPrivacy: id"


async def cast(house: House) -> tuple[Party, Party]:
    """Carol, who wants to stay unknown, and Bob."""
    for user in ("carol", "bob"):
        house.server.users.add(user, DOMAIN, PASSWORD)
    return await house.party("carol"), await house.party("bob", q=1.0)


@simulated
async def test_an_anonymous_caller_proves_to_be_the_user_it_says_it_is_and_the_callee_learns_nothing_of_it() -> None:
    async with House(auth="digest") as house:
        carol, bob = await cast(house)
        await prove(carol, carol.request("MESSAGE", from_=NOBODY, extra=CAROL))
        got = await bob.hears("MESSAGE")
        assert "p-preferred-identity" not in got.headers
        assert got.headers.texts("Proxy-Authorization") == []
        assert got.headers.text("Privacy") == "id"
        assert "anonymous" in str(got.from_)
        bob.reply(got, 200)
        await carol.hears("200 MESSAGE")


@simulated
async def test_an_anonymous_caller_proves_to_be_no_other_user() -> None:
    async with House(auth="digest") as house:
        carol, bob = await cast(house)
        await prove(carol, carol.request("MESSAGE", from_=NOBODY, extra=CAROL.replace("carol", "bob")))
        await carol.hears("403 MESSAGE")
        await bob.hears_nothing()


@simulated
async def test_who_says_to_nobody_who_it_is_stays_outside() -> None:
    async with House(auth="digest") as house:
        carol, bob = await cast(house)
        carol.ask("MESSAGE", from_=NOBODY)
        await carol.hears("403 MESSAGE")
        carol.ask("MESSAGE", from_=NOBODY, extra="P-Preferred-Identity: <sip:x@elsewhere.example>")
        await carol.hears("403 MESSAGE")
        await bob.hears_nothing()
