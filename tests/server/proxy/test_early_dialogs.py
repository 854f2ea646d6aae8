"""RFC 6228: a caller hears which of the phones that rang have refused, while the others ring on."""

import asyncio

import pytest

from ringback.server.proxy.routing import Forward
from tests.server.party import House, Party, proxy, simulated
from tests.server.proxy.deciding import answers, decide

TELLS = proxy(send_199=True)


async def ringing(house: House, *tags: str, extra: str = "Supported: 199, 100rel") -> tuple[Party, Party, Party]:
    """A caller, and two phones of which the first has rung with these To tags."""
    alice = await house.party("alice")
    one, two = await house.party("one", q=1.0, aor="bob"), await house.party("two", q=1.0, aor="bob")
    alice.ask(extra=extra)
    await alice.hears("100 INVITE")
    invite = await one.hears("INVITE")
    for tag in tags:
        one.reply(invite, 180, tag=tag)
        await alice.hears("180 INVITE")
    return alice, one, two


def refuse(party: Party, status: int) -> None:
    invite = next(heard.message for heard in party.heard if getattr(heard.message, "method", "") == "INVITE")
    party.reply(invite, status)  # type: ignore[arg-type]  # it is the request


@simulated
async def test_the_end_of_an_early_dialog_is_told() -> None:
    """RFC 6228 §9.1's figure: with all of the tags that one branch has rung with (§9.3)."""
    async with House(proxy=TELLS) as house:
        alice, one, two = await ringing(house, "a", "b")
        refuse(one, 486)
        for tag in ("a", "b"):
            got = await alice.hears("199 INVITE")
            assert (got.to_tag, got.headers.text("Reason")) == (tag, "SIP;cause=486")
            # §6: it leads to nobody and asks for nothing.
            assert not {"contact", "record-route", "supported", "require"} & set(got.headers.keys)
            assert got.body == b""
        await alice.hears_nothing()
        await answers(two)
        assert (await alice.hears("200 INVITE")).to_tag == "two-tag"


@simulated
async def test_a_199_that_came_is_not_sent_again() -> None:
    async with House(proxy=TELLS) as house:
        alice, one, two = await ringing(house, "a", "b", "a")
        invite = one.heard[0].message
        one.reply(invite, 199, tag="a")  # type: ignore[arg-type]  # it is the request
        assert (await alice.hears("199 INVITE")).to_tag == "a"
        refuse(one, 486)
        assert (await alice.hears("199 INVITE")).to_tag == "b"
        await answers(two)
        await alice.hears("200 INVITE")


@simulated
async def test_a_final_response_needs_no_199() -> None:
    async with House(proxy=TELLS) as house:
        alice, one, two = await ringing(house, "a")
        refuse(two, 480)
        await alice.hears_nothing()
        refuse(one, 486)
        await alice.hears("486 INVITE")


@pytest.mark.parametrize("extra", ["", "Supported: 100rel", "Supported: 199\nRequire: 100rel", "Supported: 199, ;"])
@simulated
async def test_who_does_not_understand_it_or_wants_only_reliable_responses_gets_none(extra: str) -> None:
    async with House(proxy=TELLS) as house:
        alice, one, two = await ringing(house, "a", extra=extra)
        refuse(one, 486)
        await alice.hears_nothing()
        await answers(two)
        await alice.hears("200 INVITE")


@simulated
async def test_it_is_the_operators_choice() -> None:
    async with House() as house:
        alice, one, two = await ringing(house, "a")
        refuse(one, 486)
        await alice.hears_nothing()
        await answers(two)
        await alice.hears("200 INVITE")


@simulated
async def test_before_the_next_decision_is_followed_as_well() -> None:
    async with House(proxy=TELLS) as house:
        alice, bob, carol = await house.party("alice"), await house.party("bob"), await house.party("carol")
        decide(house, Forward(bob.uri, ring_for=20, else_=Forward(carol.uri)))
        alice.ask(extra="Supported: 199")
        await alice.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        bob.reply(invite, 180)
        await alice.hears("180 INVITE")
        await bob.hears("CANCEL")
        bob.reply(invite, 487)
        got = await alice.hears("199 INVITE")
        assert (got.to_tag, got.headers.text("Reason")) == ("bob-tag", "SIP;cause=408")
        await answers(carol)
        await alice.hears("200 INVITE")


@simulated
async def test_a_server_that_rang_before_it_failed() -> None:
    async with House(proxy=TELLS) as house:
        alice, one, two = await house.party("alice"), await house.party("one"), await house.party("two")
        house.names["gateway.example"] = [one.host, two.host]
        decide(house, Forward("sip:+1@gateway.example"))
        alice.ask(extra="Supported: 199")
        await alice.hears("100 INVITE")
        invite = await one.hears("INVITE")
        one.reply(invite, 183)
        await alice.hears("183 INVITE")
        one.reply(invite, 503)
        assert (await alice.hears("199 INVITE")).headers.text("Reason") == "SIP;cause=503"
        await answers(two)
        await alice.hears("200 INVITE")


@simulated
async def test_tags_without_end_are_not_remembered() -> None:
    async with House(proxy=TELLS) as house:
        alice, one, two = await ringing(house, *[f"t{number}" for number in range(20)])
        refuse(one, 486)
        await answers(two)
        await asyncio.sleep(0.1)
        assert alice.kinds() == ["199 INVITE"] * 16 + ["200 INVITE"]
