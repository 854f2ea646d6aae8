"""A real phone (baresip) and user agents of ours, without a server between: calls, hold, transfers, messages, by either side."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ringback import Call, CallRejected, IncomingMessage, TransferFailed
from tests.interop.baresip import Phone
from tests.interop.loopback import Calls, Loopback, beside, direction_of, on_loopback, our_direction_of, until, uri_of
from tests.interop.ports import free_port
from tests.interop.server import PASSWORD, RunningServer
from tests.interop.wire import DOMAIN, unique

MakePhone = Callable[..., Phone]

PATIENCE = 8.0
"""Seconds an event of the phone's may take."""


@pytest.fixture
def phone(program: Callable[[str], str], tmp_path: Path) -> Iterator[MakePhone]:
    """`phone()` is a phone that is ready and registered nowhere; keyword arguments as those of `Phone`."""
    path = program("baresip")
    with ExitStack() as stack:

        def make(**more: Any) -> Phone:
            user = unique()
            return stack.enter_context(Phone(path, tmp_path / user, user, None, **more)).ready()

        yield make


async def told(phone: Phone, kind: str, call: str = "") -> str:
    """Waits for an event of the phone's; gives the Call-ID."""
    return str((await beside(lambda: phone.expect(kind, call, seconds=PATIENCE)))["id"])


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("who", ["caller", "callee"])
def test_it_calls_us(phone: MakePhone, transport: str, who: str) -> None:
    calls = Calls()
    bob = phone(transport=transport)

    async def scenario(loopback: Loopback) -> None:
        agent = await loopback.agent("alice", transport=transport, on_call=calls.take)
        # It adds its account's transport of itself.
        bob.say("dial", uri_of(agent))
        call = await calls.next()
        assert call.remote.uri_text.startswith(f"sip:{bob.user}@")
        name = await told(bob, "CALL_ESTABLISHED")
        if who == "caller":
            bob.say("hangup")
        else:
            await call.hang_up()
        await call.ended()
        await told(bob, "CALL_CLOSED", name)

    assert on_loopback(scenario).repeated() == []


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("who", ["caller", "callee"])
def test_we_call_it(phone: MakePhone, transport: str, who: str) -> None:
    bob = phone(transport=transport)

    async def scenario(loopback: Loopback) -> None:
        agent = await loopback.agent("alice", transport=transport)
        call = agent.call(f"{bob.uri};transport={transport}")
        await call.place()
        name = await told(bob, "CALL_INCOMING")
        assert (await call.ringing).status == 180
        bob.say("accept")
        await call.answered()
        await told(bob, "CALL_ESTABLISHED", name)
        if who == "caller":
            await call.hang_up()
        else:
            bob.say("hangup")
        await call.ended()
        await told(bob, "CALL_CLOSED", name)

    assert on_loopback(scenario).repeated() == []


def test_it_offers_when_asked_to(phone: MakePhone) -> None:
    """A late offer: ours has none, its 200 has one, our ACK the answer."""
    bob = phone()

    async def scenario(loopback: Loopback) -> None:
        agent = await loopback.agent("alice")
        call = agent.call(bob.uri, offers=False)
        await call.place()
        name = await told(bob, "CALL_INCOMING")
        bob.say("accept")
        async with call:
            await told(bob, "CALL_ESTABLISHED", name)
            assert direction_of(call) == "sendrecv"
        await told(bob, "CALL_CLOSED", name)

    on_loopback(scenario)


def test_it_declines(phone: MakePhone) -> None:
    bob = phone()

    async def scenario(loopback: Loopback) -> None:
        agent = await loopback.agent("alice")
        call = agent.call(bob.uri)
        await call.place()
        await told(bob, "CALL_INCOMING")
        bob.say("hangup")
        with pytest.raises(CallRejected) as refused:
            await call
        assert refused.value.status == 486

    on_loopback(scenario)


def test_we_decline(phone: MakePhone) -> None:
    bob = phone()

    async def scenario(loopback: Loopback) -> None:
        agent = await loopback.agent("alice", on_call=lambda call: call.decline(486))
        bob.say("dial", uri_of(agent))
        closed = await beside(lambda: bob.expect("CALL_CLOSED", seconds=PATIENCE))
        assert str(closed["param"]).startswith("486 ")

    on_loopback(scenario)


def test_we_give_up_while_it_rings(phone: MakePhone) -> None:
    bob = phone()

    async def scenario(loopback: Loopback) -> None:
        agent = await loopback.agent("alice")
        call = agent.call(bob.uri)
        await call.place()
        name = await told(bob, "CALL_INCOMING")
        await call.ringing
        call.cancel()
        await told(bob, "CALL_CLOSED", name)
        await until(lambda: loopback.heard_first_lines("SIP/2.0 487 "), "the INVITE is answered with 487")

    on_loopback(scenario)


def test_it_gives_up_while_we_ring(phone: MakePhone) -> None:
    calls = Calls(answers=False)
    bob = phone()

    async def scenario(loopback: Loopback) -> None:
        agent = await loopback.agent("alice", on_call=calls.take)
        bob.say("dial", uri_of(agent))
        call = await calls.next()
        name = await told(bob, "CALL_RINGING")
        bob.say("hangup")
        await call.ended()
        await told(bob, "CALL_CLOSED", name)
        assert not call.is_answered

    on_loopback(scenario)


@pytest.mark.parametrize("who", ["it called", "we called"])
def test_hold_and_resume_by_both(phone: MakePhone, who: str) -> None:
    """We see its hold, it answers ours, each alone and one upon the other."""
    calls = Calls()
    bob = phone()

    async def scenario(loopback: Loopback) -> None:
        agent = await loopback.agent("alice", on_call=calls.take)
        if who == "it called":
            bob.say("dial", uri_of(agent))
            call: Call = await calls.next()
        else:
            placed = agent.call(bob.uri)
            await placed.place()
            await told(bob, "CALL_INCOMING")
            bob.say("accept")
            call = await placed
        await told(bob, "CALL_ESTABLISHED", call.request.call_id)
        assert not call.is_held
        bob.say("hold")
        await until(lambda: call.is_held, "we are held")
        bob.say("resume")
        await until(lambda: not call.is_held, "it takes us back")
        await call.hold()
        assert direction_of(call) == "recvonly"
        assert not call.is_held
        await call.resume()
        assert direction_of(call) == "sendrecv"
        # Both at once, and either may end its own first.
        bob.say("hold")
        await until(lambda: call.is_held, "we are held again")
        await call.hold()
        assert direction_of(call) == "inactive"
        bob.say("resume")
        # It offers sendrecv, whatever we have said before; that we hold it is in our answer.
        await until(lambda: not call.is_held, "it takes us back while we hold it")
        assert our_direction_of(call) == "sendonly"
        await call.resume()
        assert direction_of(call) == "sendrecv"
        await call.hang_up()
        await told(bob, "CALL_CLOSED", call.request.call_id)

    on_loopback(scenario)


def test_we_transfer_it(phone: MakePhone) -> None:
    """Blind: it follows our REFER, reports how it goes, and talks with the other one."""
    calls, others = Calls(), Calls()
    bob = phone()

    async def scenario(loopback: Loopback) -> None:
        alice = await loopback.agent("alice", on_call=calls.take)
        carol = await loopback.agent("carol", on_call=others.take)
        bob.say("dial", uri_of(alice))
        call = await calls.next()
        await told(bob, "CALL_ESTABLISHED")
        result = await call.transfer(uri_of(carol))
        assert result.status == 200
        other = await others.next()
        assert other.remote.uri_text.startswith(f"sip:{bob.user}@")
        assert call.is_over
        await other.hang_up()
        await told(bob, "CALL_CLOSED", other.request.call_id)

    on_loopback(scenario)


def test_we_transfer_it_to_somebody_who_is_busy(phone: MakePhone) -> None:
    """It says so, and the call with us stands."""
    calls = Calls()
    bob = phone()

    async def scenario(loopback: Loopback) -> None:
        alice = await loopback.agent("alice", on_call=calls.take)
        carol = await loopback.agent("carol", on_call=lambda call: call.decline(486))
        bob.say("dial", uri_of(alice))
        call = await calls.next()
        await told(bob, "CALL_ESTABLISHED")
        with pytest.raises(TransferFailed) as failed:
            await call.transfer(uri_of(carol))
        assert failed.value.status == 486
        assert call.is_answered
        await call.hang_up()

    on_loopback(scenario)


def test_it_transfers_us(phone: MakePhone) -> None:
    """Blind: we follow its REFER and call the other one; it is told that we got there."""
    calls, others = Calls(), Calls()
    bob = phone()

    async def scenario(loopback: Loopback) -> None:
        alice = await loopback.agent("alice", on_call=calls.take, accepts_transfers=True)
        carol = await loopback.agent("carol", on_call=others.take)
        bob.say("dial", uri_of(alice))
        call = await calls.next()
        name = await told(bob, "CALL_ESTABLISHED")
        bob.say("transfer", uri_of(carol))
        other = await others.next()
        # §20.20, §19.1.1: From has no port.
        assert other.remote.uri_text == "sip:alice@127.0.0.1"
        await told(bob, "CALL_CLOSED", name)
        await call.ended()
        assert other.is_answered
        assert call.transferred is not None
        assert call.transferred.is_answered
        await other.hang_up()

    on_loopback(scenario)


def test_messages_both_ways(phone: MakePhone) -> None:
    port = free_port()
    bob = phone(modules=["contact"], contact=f"sip:alice@127.0.0.1:{port}")
    read: asyncio.Queue[IncomingMessage] = asyncio.Queue()

    async def scenario(loopback: Loopback) -> None:
        agent = await loopback.agent("alice", port=port, on_message=read.put)
        response = await agent.message(bob.uri, "Grüße von hier")
        assert response.status == 200
        await beside(lambda: bob.wait_for("Grüße von hier", seconds=PATIENCE))
        bob.say("message", "back to you")
        message = await read.get()
        assert message.text == "back to you"

    on_loopback(scenario)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_both_have_accounts_at_our_server(program: Callable[[str], str], guarded: RunningServer, tmp_path: Path, transport: str) -> None:
    """Both register with a password and call each other by name; the server challenges each INVITE too, and stays in the dialog."""
    calls = Calls()
    proxy = f"sip:127.0.0.1:{guarded.port};transport={transport}"

    async def scenario(loopback: Loopback) -> None:
        alice = await loopback.agent(
            "alice", f"sip:alice@{DOMAIN}", transport=transport, password=PASSWORD, proxy=proxy, on_call=calls.take
        )  # fmt: skip
        with Phone(program("baresip"), tmp_path / "bob", "bob", guarded.address, transport=transport, password=PASSWORD) as bob:
            await beside(bob.ready)
            async with alice.registration():
                await until(lambda: guarded.bindings() == 2, "both are registered")
                bob.say("dial", f"sip:alice@{DOMAIN}")
                call = await calls.next()
                name = await told(bob, "CALL_ESTABLISHED")
                await call.hold()
                bob.say("hold")
                await until(lambda: call.is_held, "we are held")
                await call.resume()
                bob.say("hangup")
                await call.ended()
                await told(bob, "CALL_CLOSED", name)
                placed = alice.call(bob.uri)
                await placed.place()
                name = await told(bob, "CALL_INCOMING")
                bob.say("accept")
                async with placed:
                    await told(bob, "CALL_ESTABLISHED", name)
                await told(bob, "CALL_CLOSED", name)

    on_loopback(scenario)
