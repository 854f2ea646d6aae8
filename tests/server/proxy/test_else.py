"""`else_` and `first`: what follows where a decision failed, within one response context (RFC 3261 §16.5, §16.7)."""

import asyncio

import pytest

from ringback.message.message import Request
from ringback.server.proxy.course import MOST_DECISIONS
from ringback.server.proxy.routing import Decision, Forward, Gateway, Location, Redirect, Reject, first
from tests.server.party import House, Party, proxy, simulated
from tests.server.proxy.deciding import answers, decide, refuses


async def three(house: House) -> tuple[Party, Party, Party]:
    """A caller, a callee, and somebody who is there for the callee."""
    return await house.party("alice"), await house.party("bob"), await house.party("carol")


@pytest.mark.parametrize("status", [480, 486, 404, 500])
@simulated
async def test_a_decision_follows_a_failure(status: int) -> None:
    async with House() as house:
        alice, bob, carol = await three(house)
        decide(house, Forward(bob.uri, else_=Forward(carol.uri)))
        alice.ask()
        await alice.hears("100 INVITE")
        await refuses(bob, status)
        await answers(carol)
        assert (await alice.hears("200 INVITE")).to_tag == "carol-tag"
        await bob.hears_nothing()


@simulated
async def test_only_what_is_mapped_follows() -> None:
    async with House() as house:
        alice, bob, carol = await three(house)
        decide(house, Forward(bob.uri, else_={"busy": Forward(carol.uri), 404: Redirect("sip:new@example.net")}))
        for status, upstream in ((480, 480), (404, 302), (603, 603)):
            sent = alice.ask()
            await alice.hears("100 INVITE")
            await refuses(bob, status)
            alice.ack(sent, await alice.hears(f"{upstream} INVITE"))
        for status in (486, 600):
            alice.ask()
            await alice.hears("100 INVITE")
            await refuses(bob, status)
            await answers(carol)
            await alice.hears("200 INVITE")
        await carol.hears_nothing()


@simulated
async def test_no_answer_in_time_is_a_failure_too() -> None:
    async with House() as house:
        alice, bob, carol = await three(house)
        decide(house, Forward(bob.uri, ring_for=20, else_={"no_answer": Forward(carol.uri)}))
        alice.ask()
        await alice.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        bob.reply(invite, 180)
        await alice.hears("180 INVITE")
        bob.reply(await bob.hears("CANCEL"), 200)
        assert bob.heard[-1].time == pytest.approx(20, abs=0.1)
        await carol.hears_nothing()
        bob.reply(invite, 487)
        await bob.hears("ACK")
        await answers(carol)
        await alice.hears("200 INVITE")


@simulated
async def test_the_decision_after_the_last_one_is_the_best_answer() -> None:
    """What the first decision brought counts as well (§16.7 item 6)."""
    async with House() as house:
        alice, bob, carol = await three(house)
        decide(house, Forward(bob.uri, else_=Forward(carol.uri)))
        for one, other, upstream in ((486, 503, 486), (503, 404, 404), (480, 603, 603), (503, 503, 500)):
            sent = alice.ask()
            await alice.hears("100 INVITE")
            await refuses(bob, one)
            await refuses(carol, other)
            alice.ack(sent, await alice.hears(f"{upstream} INVITE"))


@simulated
async def test_a_refusal_that_follows_is_the_answer() -> None:
    async with House() as house:
        alice, bob, _ = await three(house)
        decide(house, Forward(bob.uri, else_=Reject(480, "Out To Lunch", headers=[("Retry-After", "3600")])))
        for method in ("INVITE", "MESSAGE"):
            sent = alice.ask(method)
            if method == "INVITE":
                await alice.hears("100 INVITE")
            await refuses(bob, 404, method)
            got = await alice.hears(f"480 {method}")
            assert (got.reason, got.headers.text("Retry-After")) == ("Out To Lunch", "3600")
            # A request that was forwarded has state: the same again gets the same answer.
            if method == "INVITE":
                alice.ack(sent, got)
            else:
                alice.send(sent)
                assert (await alice.hears("480 MESSAGE")).to_tag == got.to_tag
        await bob.hears_nothing()


@simulated
async def test_a_cancelled_call_never_goes_on() -> None:
    async with House() as house:
        alice, bob, carol = await three(house)
        decide(house, first(Forward(bob.uri, else_=Forward(carol.uri)), Forward(carol.uri)))
        sent = alice.ask()
        await alice.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        bob.reply(invite, 180)
        await alice.hears("180 INVITE")
        alice.ask("CANCEL", sent.uri_text, branch=sent.via.branch, call_id=sent.call_id)
        await alice.hears("200 CANCEL")
        bob.reply(await bob.hears("CANCEL"), 200)
        # Whatever the target says now: the caller is gone.
        bob.reply(invite, 486)
        await alice.hears("486 INVITE")
        await carol.hears_nothing(5)


@simulated
async def test_a_location_nobody_is_at() -> None:
    async with House() as house:
        alice, _, carol = await three(house)
        decide(house, Location(else_={"unregistered": Forward(carol.uri)}))
        alice.ask()
        await alice.hears("100 INVITE")
        await answers(carol)
        await alice.hears("200 INVITE")
        decide(house, Location())
        alice.ask("MESSAGE")
        await alice.hears("404 MESSAGE")
        decide(house, Location(else_={"busy": Forward(carol.uri)}))
        sent = alice.ask()
        alice.ack(sent, await alice.hears("404 INVITE"))
        await carol.hears_nothing()


@simulated
async def test_a_location_somebody_is_at() -> None:
    async with House() as house:
        alice = await house.party("alice")
        desk, mobile = await house.party("desk", q=1.0, aor="bob"), await house.party("mobile", q=0.5, aor="bob")
        carol = await house.party("carol", q=1.0)
        decide(house, Location(ring_for=10, else_={"no_answer": Location("sip:carol@example.com")}))
        alice.ask()
        await alice.hears("100 INVITE")
        for phone in (desk, mobile):
            invite = await phone.hears("INVITE")
            phone.reply(invite, 180)
            await alice.hears("180 INVITE")
            phone.reply(await phone.hears("CANCEL"), 200)
            phone.reply(invite, 487)
            await phone.hears("ACK")
        await answers(carol)
        await alice.hears("200 INVITE")


@simulated
async def test_first_goes_on_until_somebody_is_reached() -> None:
    async with House() as house:
        alice, bob, carol = await three(house)
        decide(house, first(Location(), Gateway("none"), Forward(bob.uri), Forward(carol.uri)))
        alice.ask()
        await alice.hears("100 INVITE")
        await refuses(bob, 503)
        await answers(carol)
        await alice.hears("200 INVITE")
        # What somebody says himself ends the chain.
        sent = alice.ask()
        await alice.hears("100 INVITE")
        await refuses(bob, 486)
        alice.ack(sent, await alice.hears("486 INVITE"))
        await carol.hears_nothing()


@simulated
async def test_a_chain_within_a_chain() -> None:
    async with House() as house:
        alice, bob, carol = await three(house)
        decide(house, first(first(Location(), Forward(bob.uri, else_={"busy": Reject(480, "Inner")})), Forward(carol.uri)))
        for status, upstream in ((486, "Inner"), (404, None)):
            sent = alice.ask()
            await alice.hears("100 INVITE")
            await refuses(bob, status)
            if upstream is None:
                await answers(carol)
                await alice.hears("200 INVITE")
            else:
                got = await alice.hears("480 INVITE")
                assert got.reason == upstream
                alice.ack(sent, got)


@simulated
async def test_nobody_anywhere_is_a_refusal_without_state() -> None:
    async with House() as house:
        alice, *_ = await three(house)
        decide(house, first(Gateway("none"), Location()))
        sent = alice.ask()
        got = await alice.hears("404 INVITE")
        alice.ack(sent, got)
        assert not house.server.core.layer.servers


@simulated
async def test_no_target_is_tried_twice() -> None:
    async with House() as house:
        alice, bob, _ = await three(house)
        decide(house, Forward(bob.uri, else_=Forward(bob.uri, else_=Forward(bob.uri))))
        sent = alice.ask()
        await alice.hears("100 INVITE")
        await refuses(bob, 404)
        alice.ack(sent, await alice.hears("404 INVITE"))
        await bob.hears_nothing()


@simulated
async def test_all_decisions_together_have_so_many_branches() -> None:
    async with House(proxy=proxy(max_branches=3)) as house:
        alice = await house.party("alice")
        phones = [await house.party(f"phone{index}") for index in range(5)]
        decide(house, Forward(phones[0].uri, phones[1].uri, else_=Forward(phones[2].uri, phones[3].uri, else_=Forward(phones[4].uri))))
        sent = alice.ask()
        await alice.hears("100 INVITE")
        for phone in phones[:3]:
            await refuses(phone, 480)
        alice.ack(sent, await alice.hears("480 INVITE"))
        for phone in phones[3:]:
            await phone.hears_nothing()


@simulated
async def test_decisions_that_lead_to_each_other_end() -> None:
    async with House() as house:
        alice, *_ = await three(house)
        asked: list[str] = []

        def around(decision: Location | Gateway, request: Request, decided: object) -> Decision:
            asked.append(repr(decision))
            return Location(f"sip:user{len(asked) % 2}@example.com")

        house.server.core.proxy.reach.resolve = around
        decide(house, Location())
        sent = alice.ask()
        alice.ack(sent, await alice.hears("482 INVITE"))
        assert len(asked) == MOST_DECISIONS


@simulated
async def test_what_a_value_means_may_take_time() -> None:
    async with House() as house:
        alice, bob, carol = await three(house)

        def slowly(decision: Location | Gateway, request: Request, decided: object) -> None:
            answer = Reject(404) if isinstance(decision, Gateway) else Forward(carol.uri)
            stack = house.server.core.stack
            asyncio.get_running_loop().call_later(3, lambda: stack.run(lambda now: decided(answer, now)))  # type: ignore[operator]

        house.server.core.proxy.reach.resolve = slowly
        decide(house, first(Gateway("pstn"), Forward(bob.uri), Location()))
        alice.ask()
        await alice.hears("100 INVITE")
        await refuses(bob, 480)
        assert bob.heard[-1].time == pytest.approx(3, abs=0.1)
        await answers(carol)
        assert carol.heard[-1].time == pytest.approx(6, abs=0.1)
        await alice.hears("200 INVITE")
        # Whoever gives up meanwhile is answered at once.
        sent = alice.ask()
        await alice.hears("100 INVITE")
        await refuses(bob, 480)
        alice.ask("CANCEL", sent.uri_text, branch=sent.via.branch, call_id=sent.call_id)
        await alice.hears("200 CANCEL")
        alice.ack(sent, await alice.hears("487 INVITE"))
        await carol.hears_nothing(5)
        decide(house, Gateway("pstn"))
        alice.ask("MESSAGE")
        await alice.hears("404 MESSAGE")


@simulated
async def test_a_fault_in_what_follows_leaves_nobody_waiting() -> None:
    async with House() as house:
        alice, bob, _ = await three(house)

        def broken(decision: Location | Gateway, request: Request, decided: object) -> Decision:
            raise RuntimeError("a fault of ours")

        house.server.core.proxy.reach.resolve = broken
        decide(house, Forward(bob.uri, else_=Location()))
        sent = alice.ask()
        await alice.hears("100 INVITE")
        await refuses(bob, 486)
        alice.ack(sent, await alice.hears("486 INVITE"))
        assert "a fault of ours" in str(house.faults.pop())
