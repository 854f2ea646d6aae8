"""RFC 3261 §16.10 and §9: the caller gives up."""

import pytest

from ringback.message.derive import cancel_of
from ringback.server.proxy.routing import Forward
from tests.server.party import House, simulated


@simulated
async def test_a_ringing_call_is_cancelled() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        sent = alice.ask()
        await alice.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        bob.reply(invite, 180)
        await alice.hears("180 INVITE")
        alice.send(cancel_of(sent))
        assert (await alice.hears("200 CANCEL")).to_tag
        cancel = await bob.hears("CANCEL")
        assert (cancel.via.branch, cancel.uri_text, cancel.max_forwards) == (invite.via.branch, invite.uri_text, 70)
        assert len(cancel.vias) == 1
        bob.reply(cancel, 200)
        bob.reply(invite, 487)
        await bob.hears("ACK")
        alice.ack(sent, await alice.hears("487 INVITE"))


@simulated
async def test_before_a_provisional_response_the_cancel_waits_for_one() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        sent = alice.ask()
        await alice.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        alice.send(cancel_of(sent))
        await alice.hears("200 CANCEL")
        await bob.hears_nothing(0.4)
        bob.reply(invite, 100)
        bob.reply(await bob.hears("CANCEL"), 200)
        bob.reply(invite, 487)
        await bob.hears("ACK")
        await alice.hears("487 INVITE")


@simulated
async def test_a_cancelled_call_whose_callee_is_silent_ends_as_487() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        sent = alice.ask()
        await alice.hears("100 INVITE")
        alice.send(cancel_of(sent))
        await alice.hears("200 CANCEL")
        await alice.hears("487 INVITE", within=40)
        assert set(bob.kinds()) == {"INVITE"}


@simulated
async def test_a_callee_that_answers_no_cancel_is_given_up() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        sent = alice.ask()
        await alice.hears("100 INVITE")
        bob.reply(await bob.hears("INVITE"), 180)
        await alice.hears("180 INVITE")
        alice.send(cancel_of(sent))
        await alice.hears("200 CANCEL")
        await alice.hears("487 INVITE", within=40)
        assert bob.kinds() == ["CANCEL"] * 11


@simulated
async def test_a_200_that_crosses_the_cancel_still_goes_upstream() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        sent = alice.ask()
        await alice.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        bob.reply(invite, 180)
        await alice.hears("180 INVITE")
        alice.send(cancel_of(sent))
        bob.reply(invite, 200)
        await alice.hears("200 CANCEL")
        await alice.hears("200 INVITE")
        alice.send(cancel_of(sent))
        await alice.hears("200 CANCEL")


@simulated
async def test_all_branches_are_cancelled_and_no_other_begins() -> None:
    async with House() as house:
        alice = await house.party("alice")
        phones = [await house.party(f"phone{index}", q=1.0, aor="bob") for index in range(3)]
        later = await house.party("later", q=0.1, aor="bob")
        sent = alice.ask()
        await alice.hears("100 INVITE")
        for phone in phones:
            invite = await phone.hears("INVITE")
            phone.reply(invite, 180)
            await alice.hears("180 INVITE")
        alice.send(cancel_of(sent))
        await alice.hears("200 CANCEL")
        for phone in phones:
            phone.reply(await phone.hears("CANCEL"), 200)
            phone.reply(phone.heard[0].message, 487)  # type: ignore[arg-type]
        await alice.hears("487 INVITE")
        await later.hears_nothing()


@pytest.mark.parametrize("change", ["branch", "sent-by", "nothing before"])
@simulated
async def test_a_cancel_that_matches_nothing_is_481_and_goes_nowhere(change: str) -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        sent = alice.request()
        if change != "nothing before":
            alice.send(sent)
            await alice.hears("100 INVITE")
            bob.reply(await bob.hears("INVITE"), 180)
            await alice.hears("180 INVITE")
        cancel = cancel_of(sent)
        via = cancel.via
        if change == "branch":
            via.params["branch"] = "z9hG4bKother"
        if change == "sent-by":
            via.host = "192.0.2.9"
        cancel.headers.set("Via", via)
        alice.send(cancel)
        await alice.hears("481 CANCEL")
        await bob.hears_nothing()


@simulated
async def test_a_cancel_from_another_address_changes_nothing() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        mallory = await house.party("mallory")
        sent = alice.ask()
        await alice.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        bob.reply(invite, 180)
        await alice.hears("180 INVITE")
        mallory.send(cancel_of(sent))
        await bob.hears_nothing()
        assert house.server.core.layer.forged_cancels == 1
        bob.reply(invite, 200)
        await alice.hears("200 INVITE")


@simulated
async def test_a_cancel_of_another_method_does_nothing() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        sent = alice.ask("MESSAGE")
        message = await bob.hears("MESSAGE")
        alice.send(cancel_of(sent))
        await alice.hears("481 CANCEL")
        bob.reply(message, 200)
        await alice.hears("200 MESSAGE")


@simulated
async def test_require_in_a_cancel_is_ignored() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        sent = alice.ask()
        await alice.hears("100 INVITE")
        bob.reply(await bob.hears("INVITE"), 486)
        await alice.hears("486 INVITE")
        cancel = cancel_of(sent)
        cancel.headers.append("Require", "nothing-known")
        cancel.headers.append("Proxy-Require", "nothing-known")
        alice.send(cancel)
        await alice.hears("200 CANCEL")


@simulated
async def test_a_call_whose_route_is_still_being_decided_is_cancelled_at_once() -> None:
    import asyncio

    async with House() as house:
        decided = asyncio.Event()

        async def route(request: object) -> Forward:
            await decided.wait()
            return Forward(bob.uri)

        house.server.core.determination.route = route  # type: ignore[assignment]
        alice = await house.party("alice")
        bob = await house.party("bob")
        sent = alice.ask()
        await alice.hears("100 INVITE")
        alice.send(cancel_of(sent))
        await alice.hears("200 CANCEL")
        alice.ack(sent, await alice.hears("487 INVITE"))
        decided.set()
        await bob.hears_nothing()


@simulated
async def test_a_call_whose_target_is_still_being_resolved_is_cancelled() -> None:
    import asyncio

    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob")
        house.bind("bob", "sip:bob@slow.example")

        async def slow(*_: object, **__: object) -> list[object]:
            await asyncio.sleep(2)
            return [(2, 2, 17, "", (bob.host, 5060))]

        asyncio.get_running_loop().getaddrinfo = slow  # type: ignore[method-assign,assignment]
        sent = alice.ask()
        await alice.hears("100 INVITE")
        alice.send(cancel_of(sent))
        await alice.hears("200 CANCEL")
        await alice.hears("487 INVITE")
        await bob.hears_nothing(3)


# Why (RFC 3326).


@simulated
async def test_who_is_cancelled_hears_why() -> None:
    async with House() as house:
        alice = await house.party("alice")
        one, two = await house.party("one", q=1.0, aor="bob"), await house.party("two", q=1.0, aor="bob")
        for status, reason in ((200, 'SIP;cause=200;text="Call completed elsewhere"'), (603, "SIP;cause=603")):
            alice.ask()
            await alice.hears("100 INVITE")
            first, second = await one.hears("INVITE"), await two.hears("INVITE")
            two.reply(second, 180)
            await alice.hears("180 INVITE")
            one.reply(first, status)
            assert (await two.hears("CANCEL")).headers.text("Reason") == reason
            two.reply(second, 487)
            await two.hears("ACK")
            if status == 603:
                await one.hears("ACK")
            await alice.hears(f"{status} INVITE")


@pytest.mark.parametrize(
    ("said", "passed"),
    [
        ("", []),
        ('Reason: SIP;cause=487\nReason: Q.850;cause=16;text="x, y"', ["SIP;cause=487", 'Q.850;cause=16;text="x, y"']),
        ("Reason: <", []),
    ],
)
@simulated
async def test_what_the_caller_says_is_passed_on(said: str, passed: list[str]) -> None:
    async with House() as house:
        alice, bob = await house.party("alice"), await house.party("bob", q=1.0)
        sent = alice.ask()
        await alice.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        bob.reply(invite, 180)
        await alice.hears("180 INVITE")
        alice.ask("CANCEL", sent.uri_text, branch=sent.via.branch, call_id=sent.call_id, extra=said)
        await alice.hears("200 CANCEL")
        assert (await bob.hears("CANCEL")).headers.texts("Reason") == passed
        bob.reply(invite, 487)
        await alice.hears("487 INVITE")
