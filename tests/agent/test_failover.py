"""The next server of a domain: how soon it is asked, and what becomes of the one before it (RFC 3263 §4.3)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ringback import CallEnded, UserAgent
from ringback.agent.exchange import Exchange
from ringback.testing import Names, Network
from ringback.transport.resolver.records import Srv
from tests.agent.desk import Answer, Desk, Script, demands, desk, in_turn
from tests.agent.stage import Stage, on_stage

URI = "sip:bob@example.com"
SDP = b"v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
OK = Answer(200, "Content-Type: application/sdp", SDP)


def publish(*hosts: str, transport: str = "udp") -> None:
    """The servers of example.com, the first one preferred."""
    names: Names = asyncio.get_running_loop().names  # type: ignore[attr-defined]  # a SimulatedTimeLoop
    for priority, host in enumerate(hosts):
        names.add(f"_sip._{transport}.example.com", Srv(priority, 0, 5060, f"{priority}.example.com"))
        names.add(f"{priority}.example.com", host)


async def cast(stage: Stage, *scripts: Script, **options: Any) -> tuple[UserAgent, list[Desk]]:
    """Alice, and servers of example.com at 192.0.2.2 and on."""
    publish(*[f"192.0.2.{number}" for number in range(2, 2 + len(scripts))])
    alice = await stage.agent("alice", **options)
    return alice, [await desk(stage, f"server{number}", script) for number, script in enumerate(scripts, 1)]


async def ask(alice: UserAgent, method: str = "MESSAGE") -> Exchange:
    """A request of Alice's and its final response."""
    return await alice.core.ask(alice.core.request(method, URI))


def status_of(exchange: Exchange) -> int:
    assert exchange.response is not None
    return exchange.response.status


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
@pytest.mark.parametrize(("options", "at_least", "at_most"), [({}, 3.9, 4.1), ({"failover_after": 1.5}, 1.4, 1.6)])
def test_a_silent_server_is_passed_over_in_four_seconds_or_as_configured(
    method: str, options: dict[str, Any], at_least: float, at_most: float
) -> None:
    async def scenario(stage: Stage) -> None:
        alice, [one, other] = await cast(stage, in_turn(None), in_turn(Answer(486)), **options)
        assert status_of(await ask(alice, method)) == 486
        assert at_least < other.times[0] - one.times[0] < at_most
        assert len({request.via.branch for request in [*one.requests, *other.requests]}) == 2
        # It is no more asked first for half a minute, and then it is.
        for pause in (0, 20):
            await asyncio.sleep(pause)
            begin = asyncio.get_running_loop().time()
            assert status_of(await ask(alice, method)) == 486
            assert other.times[-1] - begin < 0.1
        await asyncio.sleep(12)
        heard = len(one.asked)
        assert status_of(await ask(alice, method)) == 486
        assert len(one.asked) > heard

    on_stage(scenario)


@pytest.mark.parametrize("first", ["icmp", "503", "tcp"])
def test_a_server_that_says_it_is_dead_is_passed_over_within_a_second(first: str) -> None:
    async def scenario(stage: Stage) -> None:
        transport = "tcp" if first == "tcp" else "udp"
        publish("192.0.2.2" if first == "503" else "192.0.2.66", "192.0.2.3", transport=transport)
        alice = await stage.agent("alice", listen=[f"{transport}://192.0.2.1:5060"])
        await desk(stage, "one", in_turn(Answer(503)))
        other = await desk(stage, "other", in_turn(Answer(404)))
        begin = asyncio.get_running_loop().time()
        assert status_of(await ask(alice, "INVITE")) == 404
        assert other.times[0] - begin < 1.0
        begin = other.times[0]
        assert status_of(await ask(alice, "INVITE")) == 404
        assert other.times[1] - begin < 0.1

    on_stage(scenario, Network(reports_unreachable=True))


def test_every_server_is_tried() -> None:
    async def scenario(stage: Stage) -> None:
        alice, servers = await cast(stage, in_turn(None), in_turn(Answer(503)), in_turn(None), in_turn(Answer(200)))
        assert status_of(await ask(alice)) == 200
        firsts = [server.times[0] for server in servers]
        assert firsts == sorted(firsts)
        assert firsts[-1] < 8.5

    on_stage(scenario)


def test_the_last_server_has_all_the_time_there_is() -> None:
    async def scenario(stage: Stage) -> None:
        alice, [_, other] = await cast(stage, in_turn(None), in_turn(None))
        exchange = await ask(alice)
        assert status_of(exchange) == 408
        assert 31 < asyncio.get_running_loop().time() - other.times[0] < 33

    on_stage(scenario)


def test_a_challenge_is_answered_where_it_came_from() -> None:
    """RFC 3263 §4.3 for what failed, §22 for what was challenged: the retry is for the server that has made the nonce."""

    async def scenario(stage: Stage) -> None:
        alice, [one, other] = await cast(
            stage, in_turn(None), demands(in_turn(Answer(200)), status=407), password="secret", realm="example.com"
        )
        alice.core.accounts.trust("example.com")
        assert status_of(await ask(alice)) == 200
        assert len(other.asked) == 2
        assert other.times[1] - other.times[0] < 0.1
        heard = len(one.asked)
        await asyncio.sleep(30)
        assert len({request.via.branch for request in one.requests[:heard]}) == 1

    on_stage(scenario)


def test_who_was_heard_of_has_all_the_time_there_is() -> None:
    """A 100 says that the server lives: whoever does not answer is somebody else, and another server would reach nobody else."""

    async def scenario(stage: Stage) -> None:
        alice, [_, other] = await cast(stage, in_turn(Answer(100)), in_turn(Answer(200)))
        exchange = await ask(alice)
        assert (status_of(exchange), exchange.fault) == (408, "no answer")
        assert other.asked == []

    on_stage(scenario)


async def with_silent_first(stage: Stage) -> tuple[UserAgent, Any, Any]:
    """Alice, and two raw servers of example.com of which the first says nothing yet."""
    publish("192.0.2.2", "192.0.2.3")
    alice = await stage.agent("alice")
    one, other = await stage.party("one", "alice"), await stage.party("other", "alice")
    return alice, one, other


def test_within_a_dialog_too() -> None:
    """The callee's Contact is a name: once its first server is silent, the BYE goes to the second."""

    async def scenario(stage: Stage) -> None:
        alice, one, other = await with_silent_first(stage)
        call = alice.call(URI)
        await call.place()
        one.reply(await one.hears("INVITE"), 200, contact=f"<{URI}>", extra="Content-Type: application/sdp", body=SDP)
        await one.hears("ACK")
        begin = asyncio.get_running_loop().time()
        hanging_up = asyncio.ensure_future(call.hang_up())
        other.reply(await other.hears("BYE"), 200)
        assert 3.9 < asyncio.get_running_loop().time() - begin < 4.1
        await hanging_up
        assert set(one.kinds()) == {"BYE"}

    on_stage(scenario)


def test_a_server_that_wakes_up_late_is_cancelled() -> None:
    async def scenario(stage: Stage) -> None:
        alice, one, other = await with_silent_first(stage)
        call = alice.call(URI)
        await call.place()
        first = await one.hears("INVITE")
        second = await other.hears("INVITE", within=4.5)
        one.kinds()
        one.reply(first, 180)
        one.reply(first, 183)
        cancel = await one.hears("CANCEL")
        assert cancel.via.branch == first.via.branch
        one.reply(cancel, 200)
        one.reply(first, 487)
        await one.hears("ACK")
        other.reply(second, 200, extra="Content-Type: application/sdp", body=SDP)
        async with call:
            await other.hears("ACK")
            assert other.kinds() == []
        other.reply(await other.hears("BYE"), 200)

    on_stage(scenario)


@pytest.mark.parametrize("second_rings", [True, False])
def test_a_server_that_answers_late_has_answered_the_call(second_rings: bool) -> None:
    async def scenario(stage: Stage) -> None:
        alice, one, other = await with_silent_first(stage)
        call = alice.call(URI)
        await call.place()
        first = await one.hears("INVITE")
        second = await other.hears("INVITE", within=4.5)
        one.kinds()
        if second_rings:
            other.reply(second, 180)
            await asyncio.sleep(0.1)
        one.reply(first, 200, extra="Content-Type: application/sdp", body=SDP)
        ack = await one.hears("ACK")
        assert ack.to_tag == "one-tag"
        await call.answered()
        if second_rings:
            other.reply(await other.hears("CANCEL"), 200)
            other.reply(second, 487)
            await other.hears("ACK")
        else:
            # §9.1: no CANCEL before a provisional response; one that comes now brings it about.
            other.kinds()
            other.reply(second, 100)
            other.reply(await other.hears("CANCEL"), 200)
            other.reply(second, 487)
            await other.hears("ACK")
        await call.hang_up()
        one.reply(await one.hears("BYE"), 200)

    on_stage(scenario)


@pytest.mark.parametrize("is_over", [True, False])
def test_of_two_that_answer_the_later_is_hung_up_on(is_over: bool) -> None:
    async def scenario(stage: Stage) -> None:
        alice, one, other = await with_silent_first(stage)
        call = alice.call(URI)
        await call.place()
        first = await one.hears("INVITE")
        second = await other.hears("INVITE", within=4.5)
        one.kinds()
        other.reply(second, 200, extra="Content-Type: application/sdp", body=SDP)
        await other.hears("ACK")
        await call.answered()
        if is_over:
            hanging_up = asyncio.ensure_future(call.hang_up())
            other.reply(await other.hears("BYE"), 200)
            await hanging_up
        one.kinds()
        one.reply(first, 200, extra="Content-Type: application/sdp", body=SDP)
        await one.hears("ACK")
        one.reply(await one.hears("BYE"), 200)
        if not is_over:
            await call.hang_up()
            other.reply(await other.hears("BYE"), 200)

    on_stage(scenario)


def test_a_call_given_up_while_nobody_has_said_a_word_goes_nowhere_else() -> None:
    async def scenario(stage: Stage) -> None:
        alice, one, other = await with_silent_first(stage)
        call = alice.call(URI)
        await call.place()
        first = await one.hears("INVITE")
        call.cancel()
        with pytest.raises(CallEnded):
            await call.answered()
        await other.hears_nothing(10)
        one.kinds()
        one.reply(first, 180)
        one.reply(await one.hears("CANCEL"), 200)
        one.reply(first, 487)
        await one.hears("ACK")

    on_stage(scenario)
