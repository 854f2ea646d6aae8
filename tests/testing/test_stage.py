"""The stage: who is found by which name, what is left, and how it ends."""

import asyncio

import pytest

from ringback import AuthenticationFailed, IncomingCall, Unreachable
from ringback.testing import Network, Stage, run


async def answers(call: IncomingCall) -> None:
    await call.answer()
    await call.ended()


def test_without_a_server_everybody_has_a_domain_of_his_own() -> None:
    async def scenario() -> None:
        async with Stage() as stage:
            bob = await stage.agent("bob", on_call=answers)
            alice = await stage.agent("alice")
            assert (bob.identity.aor, bob.endpoints[0].host) == ("sip:bob@bob.test", "192.0.2.1")
            assert (alice.identity.aor, alice.endpoints[0].host) == ("sip:alice@alice.test", "192.0.2.2")
            async with alice.call("sip:bob@BOB.test") as call:
                assert call.is_answered

    run(scenario())


def test_a_whole_address_of_record_leads_to_its_agent() -> None:
    async def scenario() -> None:
        async with Stage() as stage:
            await stage.agent("sip:bob@biloxi.example.com", on_call=answers)
            alice = await stage.agent("sip:atlanta.example.com")
            assert (await alice.options("sip:bob@biloxi.example.com")).status == 200
            assert list(stage.agents) == ["bob", "atlanta.example.com"]

    run(scenario())


def test_the_domain_of_one_agent_cannot_be_anothers() -> None:
    async def scenario() -> None:
        async with Stage() as stage:
            await stage.agent("sip:bob@example.com")
            with pytest.raises(ValueError, match=r"example\.com is the domain of sip:bob@example\.com alone"):
                await stage.agent("sip:alice@example.com")

    run(scenario())


def test_what_is_no_sip_address_of_record_is_refused() -> None:
    async def scenario() -> None:
        async with Stage() as stage:
            with pytest.raises(ValueError, match="not a SIP address-of-record: tel:"):
                await stage.agent("tel:+358-555-1234567")

    run(scenario())


def test_two_phones_of_one_user_ring_together() -> None:
    async def scenario() -> list[str]:
        async with Stage() as stage:
            await stage.server()
            rung = []

            async def picks_up(call: IncomingCall) -> None:
                rung.append(str(call.request.uri.host))
                await call.ring()
                await asyncio.sleep(2 + len(rung))
                await call.answer()
                await call.ended()

            for _ in range(2):
                await stage.agent("bob", on_call=picks_up, registered=True)
            alice = await stage.agent("alice")
            async with alice.call("sip:bob@example.com"):
                assert list(stage.agents) == ["bob", "bob 2", "alice"]
            return rung

    assert sorted(run(scenario())) == ["192.0.2.2", "192.0.2.3"]


def test_a_server_takes_over_a_domain_and_has_users_of_several() -> None:
    async def scenario() -> None:
        async with Stage() as stage:
            await stage.agent("sip:bob@example.org")
            await stage.server(domains=["example.org", "example.net"], users={"alice": "secret", "carol@example.net": "hidden"})
            alice = await stage.agent("alice", password="secret", proxy="sip:example.org", registered=True)
            assert alice.identity.aor == "sip:alice@example.org"
            carol = await stage.agent("sip:carol@example.net", password="hidden", registered=True, on_call=answers)
            async with alice.call("sip:carol@example.net") as call:
                assert call.is_answered
            assert len(await carol.bindings()) == 1

    run(scenario())


def test_a_registration_that_fails_comes_out_and_the_stage_still_closes() -> None:
    async def scenario() -> None:
        async with Stage() as stage:
            await stage.server(users={"alice": "secret"})
            with pytest.raises(AuthenticationFailed):
                await stage.agent("alice", password="wrong", registered=True)

    run(scenario())


def test_bindings_are_gone_once_it_is_closed() -> None:
    async def scenario() -> None:
        stage = Stage()
        await stage.open()
        server = await stage.server()
        await stage.agent("alice", registered=True)
        assert len(server.location.lookup("sip:alice@example.com")) == 1
        await stage.close()
        assert not server.location.lookup("sip:alice@example.com")

    run(scenario())


def test_nobody_else_is_found_and_no_lookup_leaves_the_process() -> None:
    async def scenario() -> None:
        async with Stage() as stage:
            alice = await stage.agent("alice")
            with pytest.raises(Unreachable):
                await alice.options("sip:localhost")

    run(scenario())


def test_calls_that_are_not_over_are_named_with_their_state() -> None:
    async def scenario() -> None:
        async def rings(call: IncomingCall) -> None:
            await call.ring()
            await asyncio.sleep(100)

        async with Stage() as stage:
            await stage.agent("bob", on_call=answers)
            await stage.agent("carol", on_call=rings)
            alice = await stage.agent("alice")
            await alice.call("sip:bob@bob.test")
            before = stage.calls()
            ringing = alice.call("sip:carol@carol.test")
            await ringing.place()
            await asyncio.sleep(1)
            assert sorted(await stage.settled(before)) == [
                "alice: a call with sip:carol@carol.test, not answered",
                "carol: a call with sip:alice@alice.test, not answered",
            ]
            assert sorted(before.values()) == [
                "alice: a call with sip:bob@bob.test, answered",
                "bob: a call with sip:alice@alice.test, answered",
            ]
            await ringing.hang_up()
            assert await stage.settled(before) == []

    run(scenario())


def test_what_an_on_call_raises_is_kept() -> None:
    async def scenario() -> Stage:
        async def breaks(call: IncomingCall) -> None:
            await call.answer()
            raise LookupError("no such department")

        async with Stage(Network(delay=0.05)) as stage:
            await stage.agent("bob", on_call=breaks)
            alice = await stage.agent("alice")
            async with alice.call("sip:bob@bob.test") as call:
                await call.ended()
        return stage

    assert [repr(fault["exception"]) for fault in run(scenario()).faults] == ["LookupError('no such department')"]


def test_there_are_hosts_enough() -> None:
    async def scenario() -> None:
        async with Stage() as stage:
            for number in range(260):
                await stage.agent(f"phone{number}")
            assert stage.agents["phone259"].endpoints[0].host == "198.51.100.6"

    run(scenario())
