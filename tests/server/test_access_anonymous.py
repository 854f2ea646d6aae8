"""Callers who shall not be known to the callee: they say to their server alone who they are, and prove it (RFC 3323, RFC 3325)."""

from __future__ import annotations

import pytest

from ringback.server.config import AccessConfig
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


@pytest.mark.parametrize("who", ["a user", "a stranger", "a trusted peer"])
@simulated
async def test_only_a_trusted_peer_says_who_calls_beside_from(who: str) -> None:
    access = AccessConfig(trusted=["192.0.2.1"] if who == "a trusted peer" else [], accept_strangers=who == "a stranger")
    said = {"P-Asserted-Identity": f'"The Boss" <sip:boss@{DOMAIN}>', "Remote-Party-ID": f"<sip:boss@{DOMAIN}>;party=calling"}
    extra = "\n".join(f"{name}: {value}" for name, value in said.items())
    async with House(auth="digest", access=access) as house:
        carol, bob = await cast(house)
        if who == "a user":
            await prove(carol, carol.request("MESSAGE", extra=extra))
        else:
            carol.ask("MESSAGE", from_="<sip:carol@elsewhere.example>;tag=1", extra=extra)
        got = await bob.hears("MESSAGE")
        for name, value in said.items():
            assert got.headers.texts(name) == ([value] if who == "a trusted peer" else [])
        bob.reply(got, 200)
        await carol.hears("200 MESSAGE")
