"""sipp's built-in scenarios, as they are, with a user agent of ours at the other end: uac, uas, regexp, branchc, branchs and 3pcc."""

import asyncio
import re
from collections.abc import Callable
from functools import partial, partialmethod
from pathlib import Path
from typing import Any

import pytest

from ringback import Call, CallFailed, UserAgent
from ringback.agent.call.foreign_media import ForeignMedia
from ringback.agent.core import AgentCore
from ringback.sdp.description import SessionDescription
from tests.interop.loopback import Calls, Loopback, beside, description_of, gather, on_loopback, until
from tests.interop.ports import free_port
from tests.interop.sipp import Sipp, is_bound

LIMIT = 10.0
"""Seconds until a sipp must have ended."""

MakeSipp = Callable[..., Sipp]


@pytest.fixture
def sipp(program: Callable[[str], str], tmp_path: Path) -> MakeSipp:
    """`sipp("uac", agent)` is one that plays this scenario with the agent; without an agent it waits for calls."""
    path = program("sipp")

    def make(scenario: str, agent: UserAgent | None = None, *, user: str = "service", transport: str = "udp", **more: Any) -> Sipp:
        server = ("127.0.0.1", agent.endpoints[0].port if agent is not None else free_port())
        place = ("127.0.0.1", free_port())
        return Sipp(path, scenario, here=place, server=server, user=user, folder=tmp_path, transport=transport, is_built_in=True, **more)

    return make


def at(sipp: Sipp, user: str = "service") -> str:
    """The URI of a sipp that waits for calls."""
    return f"sip:{user}@{sipp.here[0]}:{sipp.here[1]}"


def session_id(call: Call, side: str) -> int:
    """The number of the session in what we ("local") or the peer said last."""
    description = description_of(call, side)
    assert description.origin is not None
    return description.origin.session_id


async def finish(*running: Sipp) -> None:
    """Waits until all have ended, each with every call of its as its scenario says."""
    await gather(*(beside(partial(one.finish, LIMIT)) for one in running))


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_uac_calls_us_twenty_times(sipp: MakeSipp, transport: str) -> None:
    """180, 200, BYE: none fails, and nothing had to be said twice."""
    calls = Calls()

    async def scenario(loopback: Loopback) -> None:
        agent = await loopback.agent("service", transport=transport, on_call=calls.take)
        with sipp("uac", agent, transport=transport, calls=20) as caller:
            await finish(caller)
        await until(lambda: len(calls.ends) == 20, "all have ended")

    loopback = on_loopback(scenario)
    assert loopback.repeated() == []
    assert len(loopback.heard_first_lines("BYE ")) == 20


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_we_call_uas_twenty_times(sipp: MakeSipp, transport: str) -> None:
    async def scenario(loopback: Loopback) -> None:
        agent = await loopback.agent("alice", transport=transport)
        with sipp("uas", transport=transport, calls=20) as callee:
            await beside(callee.wait_until_it_listens)

            async def call() -> None:
                async with agent.call(f"{at(callee)};transport={transport}") as call:
                    assert (await call.ringing).status == 180
                    await asyncio.sleep(0.05)

            await gather(*(call() for _ in range(20)))
            # It keeps a call for 4 s after its BYE: what came again would be answered.
            await finish(callee)

    loopback = on_loopback(scenario)
    assert loopback.repeated() == []
    assert len(loopback.heard_first_lines("SIP/2.0 180 ")) == 20
    assert len(loopback.heard_first_lines("SIP/2.0 200 ")) == 40


def test_regexp_finds_what_it_looks_for_in_our_200(sipp: MakeSipp) -> None:
    """Address and port, Contact, and the three numbers of `o=`; it says them back in its ACK."""
    calls = Calls()

    async def scenario(loopback: Loopback) -> None:
        agent = await loopback.agent("service", on_call=calls.take)
        with sipp("regexp", agent, calls=5) as caller:
            await finish(caller)
        await until(lambda: len(calls.ends) == 5, "all have ended")
        contact = f"<sip:service@127.0.0.1:{agent.endpoints[0].port}>".encode()
        acks = [octets for octets in loopback.heard if octets.startswith(b"ACK ")]
        assert len(acks) == 5
        for ack in acks:
            assert re.search(rb"\r\nretrievedContact: *" + re.escape(contact) + rb"\r\n", ack), ack
            assert re.search(rb"\r\nretrievedSdpOrigin-session-id:\d+\r\n", ack), ack

    assert on_loopback(scenario).repeated() == []


def test_branchc_registers_and_calls_and_its_25th_call_hangs_up_at_once(sipp: MakeSipp) -> None:
    """One agent is the registrar and the callee; REGISTER and INVITE have one Call-ID."""
    calls = Calls()

    async def scenario(loopback: Loopback) -> None:
        agent = await loopback.agent("ua2", on_call=calls.take)
        agent.serve("REGISTER", lambda _: 200)
        with sipp("branchc", agent, calls=25) as caller:
            await beside(lambda: caller.finish(14))
        await until(lambda: len(calls.ends) == 25, "all have ended")

    loopback = on_loopback(scenario)
    assert loopback.repeated() == []
    assert len(loopback.heard_first_lines("REGISTER ")) == 25


def test_branchs_takes_our_registration_and_our_call(sipp: MakeSipp, monkeypatch: pytest.MonkeyPatch) -> None:
    """It wants REGISTER and INVITE to have one Call-ID, which ours never have; and a From with ua2, else it says 403."""

    async def scenario(loopback: Loopback) -> None:
        agent = await loopback.agent("ua2")
        with sipp("branchs") as callee:
            await beside(callee.wait_until_it_listens)
            monkeypatch.setattr(AgentCore, "request", partialmethod(AgentCore.request, call_id="one-for-both"))
            registered = await agent.core.ask(agent.core.request("REGISTER", at(callee)))
            assert registered.response is not None
            assert registered.response.status == 200
            async with agent.call(at(callee)) as call:
                assert (await call.ringing).status == 180
            await finish(callee)

    assert on_loopback(scenario).repeated() == []


def test_3pcc_controller_brings_two_of_ours_together(sipp: MakeSipp) -> None:
    """3pcc-C-A asks one agent to offer, 3pcc-C-B takes that offer to another, and its answer comes back in the ACK (RFC 3725 §4.1)."""
    calls = {name: Calls() for name in ("a", "b")}

    async def scenario(loopback: Loopback) -> None:
        agents = [await loopback.agent(name, on_call=calls[name].take) for name in calls]
        channel = ("127.0.0.1", free_port())
        between = ("-3pcc", f"127.0.0.1:{channel[1]}")
        # The B side listens for what the A side has to tell, so it must be there first.
        with sipp("3pcc-C-B", agents[1], calls=3, more=between) as b:
            await until(lambda: is_bound(channel, "tcp"), "the B side listens")
            with sipp("3pcc-C-A", agents[0], calls=3, more=between) as a:
                taken = [await calls["a"].next() for _ in range(3)], [await calls["b"].next() for _ in range(3)]
                # What the ones have said is what the others have heard.
                for ones, others in (taken, taken[::-1]):
                    assert {session_id(call, "local") for call in ones} == {session_id(call, "remote") for call in others}
                await finish(a, b)
        await until(lambda: len(calls["a"].ends) == len(calls["b"].ends) == 3, "all have ended")

    assert on_loopback(scenario).repeated() == []


def test_we_are_the_3pcc_controller_of_3pcc_a_and_3pcc_b(sipp: MakeSipp) -> None:
    """3pcc-A is asked for an offer, which goes to 3pcc-B as it is, and whose answer goes back in the ACK as it is."""

    async def scenario(loopback: Loopback) -> None:
        agent = await loopback.agent("controller")
        # A socket for audio each, or both would have the same port and their descriptions would be alike.
        with (
            sipp("3pcc-A", calls=3, more=("-mp", str(free_port(together=4)))) as a,
            sipp("3pcc-B", calls=3, more=("-mp", str(free_port(together=4)))) as b,
        ):
            await gather(beside(a.wait_until_it_listens), beside(b.wait_until_it_listens))

            async def connect() -> None:
                placed: list[Call] = []

                async def ask_b(offer: SessionDescription) -> SessionDescription:
                    placed.append(await agent.call(at(b), media=lambda host: ForeignMedia(host, offer)))
                    return description_of(placed[0], "remote")

                async with agent.call(at(a), offers=False, on_offer=ask_b, media=ForeignMedia) as call:
                    assert description_of(call, "remote").media == description_of(placed[0], "local").media
                    assert description_of(call, "local") == description_of(placed[0], "remote")
                    assert description_of(call, "local").media[0].port != description_of(call, "remote").media[0].port
                    await asyncio.sleep(0.05)
                await placed[0].hang_up()

            await gather(*(connect() for _ in range(3)))
            await finish(a, b)

    loopback = on_loopback(scenario)
    assert loopback.repeated() == []
    assert len([octets for octets in loopback.said if octets.startswith(b"ACK ") and b"\r\nm=audio " in octets]) == 3


def test_200_calls_at_50_a_second_none_failed_nothing_left(sipp: MakeSipp) -> None:
    """The long form is `./dev bench soak`."""
    failed: list[CallFailed] = []

    async def scenario(loopback: Loopback) -> None:
        loop = asyncio.get_running_loop()
        agent = await loopback.agent("soak")
        with sipp("uas", calls=200) as callee:
            await beside(callee.wait_until_it_listens)

            async def call() -> None:
                try:
                    async with agent.call(at(callee)):
                        await asyncio.sleep(0.1)
                except CallFailed as error:
                    failed.append(error)

            begin = loop.time()
            calling = []
            for number in range(200):
                await asyncio.sleep(max(begin + number / 50 - loop.time(), 0))
                calling.append(loop.create_task(call()))
            await asyncio.wait(calling)
            assert not agent.core.tasks
            assert len(agent.core.dialogs) == 0
            await finish(callee)

    loopback = on_loopback(scenario)
    assert failed == []
    assert len(loopback.heard_first_lines("SIP/2.0 200 ")) == 400
