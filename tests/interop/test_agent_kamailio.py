"""Agents of ours at Kamailio, which is their registrar and proxy, and has them prove their passwords with every request."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ringback import (
    AuthenticationFailed,
    CallRejected,
    EventPackage,
    IncomingCall,
    IncomingMessage,
    Notifier,
    TransferFailed,
    UserAgent,
)
from tests.interop.kamailio import running_kamailio
from tests.interop.loopback import Calls, Loopback, on_loopback, our_direction_of, until
from tests.interop.server import PASSWORD
from tests.interop.wire import DOMAIN

Address = tuple[str, int]


@pytest.fixture(scope="module", params=["MD5", "SHA-256"])
def kamailio(request: pytest.FixtureRequest, program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """Where it is; once for each algorithm of digest."""
    folder = tmp_path_factory.mktemp("kamailio")
    with running_kamailio(
        program("kamailio"), folder, "kamailio_accounts.cfg", password=PASSWORD, algorithm=request.param
    ) as address:  # fmt: skip
        yield address


async def party(
    loopback: Loopback, kamailio: Address, name: str, *, transport: str = "udp", password: str = PASSWORD, **options: Any
) -> UserAgent:
    """An agent with an account."""
    proxy = f"sip:127.0.0.1:{kamailio[1]};transport={transport}"
    aor = f"sip:{name}@{DOMAIN}"
    return await loopback.agent(name, aor, transport=transport, password=password, proxy=proxy, **options)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_registration(kamailio: Address, transport: str) -> None:
    """Registers, is found in the list of bindings, refreshes, and is gone."""

    async def scenario(loopback: Loopback) -> None:
        alice = await party(loopback, kamailio, "alice", transport=transport)
        async with alice.registration(expires=600) as registration:
            (binding,) = await alice.bindings()
            assert f":{alice.endpoints[0].port}" in binding.uri_text
            assert 590 <= int(binding.params["expires"] or 0) <= 600
            await registration.register()
            assert len(await alice.bindings()) == 1
        assert await alice.bindings() == []

    loopback = on_loopback(scenario)
    # One nonce, with its count, is enough for all but the first.
    assert len(loopback.heard_first_lines("SIP/2.0 401 ")) == 1


def test_an_agent_that_says_which_it_is_has_gruus_and_takes_its_own_place(kamailio: Address) -> None:
    """Kamailio knows no flows without another module of its own: the reg-id means nothing to it, the instance does."""
    urn = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"

    async def scenario(loopback: Loopback) -> None:
        alice = await party(loopback, kamailio, "alice", instance=urn)
        async with alice.registration(expires=600) as registration:
            assert registration.gruus.public == f"sip:alice@{DOMAIN};gr={urn}"
            assert registration.gruus.temporary is not None
            assert registration.gruus.temporary.endswith(f"@{DOMAIN};gr")
            await registration.register()
            (binding,) = await alice.bindings()
            assert binding.params["+sip.instance"] == f'"<{urn}>"'
        assert await alice.bindings() == []

    on_loopback(scenario)


def test_a_wrong_password_fails_once(kamailio: Address) -> None:
    """Tried, refused, told: no password is offered a second time (§22.2), and no further REGISTER is sent."""

    async def scenario(loopback: Loopback) -> None:
        alice = await party(loopback, kamailio, "alice", password="wrong")
        with pytest.raises(AuthenticationFailed) as failed:
            async with alice.registration():
                pass
        assert failed.value.status == 401
        registers = [octets for octets in loopback.said if octets.startswith(b"REGISTER ")]
        assert len(registers) == 2
        with pytest.raises(CallRejected) as rejected:
            await alice.call(f"sip:bob@{DOMAIN}")
        assert isinstance(rejected.value, AuthenticationFailed)
        assert rejected.value.status == 407

    on_loopback(scenario)


def test_nobody_of_that_name(kamailio: Address) -> None:
    async def scenario(loopback: Loopback) -> None:
        alice = await party(loopback, kamailio, "alice")
        with pytest.raises(CallRejected) as rejected:
            await alice.call(f"sip:nobody@{DOMAIN}")
        assert rejected.value.status == 404

    on_loopback(scenario)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_call_through_it(kamailio: Address, transport: str, who: str) -> None:
    """It stays in the dialog, and whoever says something within it proves who that is: re-INVITE, UPDATE, INFO, MESSAGE, BYE."""
    calls = Calls()
    read: asyncio.Queue[IncomingMessage] = asyncio.Queue()

    async def scenario(loopback: Loopback) -> None:
        alice = await party(loopback, kamailio, "alice", transport=transport, on_message=read.put)
        bob = await party(loopback, kamailio, "bob", transport=transport, on_call=calls.take, on_message=read.put)
        async with bob.registration():
            async with alice.call(f"sip:bob@{DOMAIN}") as call:
                taken = await calls.next()
                for one, other in ((call, taken), (taken, call)):
                    await one.hold()
                    assert our_direction_of(other) == "recvonly"
                    await one.resume()
                    assert our_direction_of(other) == "sendrecv"
                    await one.modify(None, method="UPDATE")
                    await one.send_digits("42#")
                    assert [await other.read_digit() for _ in range(3)] == ["4", "2", "#"]
                    await one.message("within the call")
                    message = await read.get()
                    assert message.text == "within the call"
                    assert message.call is other
                assert our_direction_of(call) == "sendrecv"
                if who == "callee":
                    await taken.hang_up()
                    await call.ended()
            await taken.ended()

    loopback = on_loopback(scenario)
    within = [octets for octets in loopback.said if octets.startswith((b"BYE ", b"INFO ", b"UPDATE ", b"MESSAGE "))]
    assert all(b"\r\nRoute: <sip:127.0.0.1:" in octets for octets in within)
    assert len(loopback.heard_first_lines("SIP/2.0 407 ")) >= 2


def test_a_reliable_provisional_response_and_its_challenged_prack(kamailio: Address) -> None:
    async def early(call: IncomingCall) -> None:
        await call.progress()
        await call.answer()
        await call.ended()

    async def scenario(loopback: Loopback) -> None:
        alice = await party(loopback, kamailio, "alice")
        bob = await party(loopback, kamailio, "bob", on_call=early)
        async with bob.registration(), alice.call(f"sip:bob@{DOMAIN}", requires=["100rel"]) as call:
            assert (await call.ringing).status == 183
        assert any(octets.startswith(b"PRACK ") and b"\r\nProxy-Authorization: " in octets for octets in loopback.said)

    on_loopback(scenario)


def test_the_caller_gives_up(kamailio: Address) -> None:
    calls = Calls(answers=False)

    async def scenario(loopback: Loopback) -> None:
        alice = await party(loopback, kamailio, "alice")
        bob = await party(loopback, kamailio, "bob", on_call=calls.take)
        async with bob.registration():
            call = alice.call(f"sip:bob@{DOMAIN}")
            await call.place()
            taken = await calls.next()
            await call.ringing
            call.cancel()
            await taken.ended()
            await until(lambda: loopback.heard_first_lines("SIP/2.0 487 "), "the INVITE is answered with 487")

    on_loopback(scenario)


def test_the_callee_declines(kamailio: Address) -> None:
    async def scenario(loopback: Loopback) -> None:
        alice = await party(loopback, kamailio, "alice")
        bob = await party(loopback, kamailio, "bob", on_call=lambda call: call.decline(486))
        async with bob.registration():
            with pytest.raises(CallRejected) as rejected:
                await alice.call(f"sip:bob@{DOMAIN}")
            assert rejected.value.status == 486

    on_loopback(scenario)


def test_a_message_through_it(kamailio: Address) -> None:
    read: asyncio.Queue[IncomingMessage] = asyncio.Queue()

    async def scenario(loopback: Loopback) -> None:
        alice = await party(loopback, kamailio, "alice")
        bob = await party(loopback, kamailio, "bob", on_message=read.put)
        async with bob.registration():
            assert (await alice.message(f"sip:bob@{DOMAIN}", "bis später")).status == 200
            message = await read.get()
            assert (message.sender.uri_text, message.text) == (f"sip:alice@{DOMAIN}", "bis später")

    on_loopback(scenario)


def test_a_subscription_through_it(kamailio: Address) -> None:
    """Its NOTIFYs are challenged as well, and so is what refreshes it and ends it."""

    async def scenario(loopback: Loopback) -> None:
        alice = await party(loopback, kamailio, "alice")
        bob = await party(loopback, kamailio, "bob")
        notifier: Notifier = bob.serve_event(EventPackage("presence", "application/pidf+xml", state=b"<closed/>"))
        async with bob.registration():
            async with alice.subscribe(f"sip:bob@{DOMAIN}", "presence", expires=600) as subscription:
                notifications = aiter(subscription)
                assert (await anext(notifications)).body == b"<closed/>"
                notifier.notify(b"<open/>")
                assert (await anext(notifications)).body == b"<open/>"
            await until(lambda: not notifier.subscriptions, "nobody is subscribed any more")
        assert any(octets.startswith(b"NOTIFY ") and b"\r\nProxy-Authorization: " in octets for octets in loopback.said)

    on_loopback(scenario)


@pytest.mark.parametrize("to", ["carol", "nobody"])
def test_a_transfer_through_it(kamailio: Address, to: str) -> None:
    """Bob is sent to Carol, or to nobody: then his call with Alice stands."""
    bobs, carols = Calls(), Calls()

    async def scenario(loopback: Loopback) -> None:
        alice = await party(loopback, kamailio, "alice")
        bob = await party(loopback, kamailio, "bob", on_call=bobs.take, accepts_transfers=True)
        carol = await party(loopback, kamailio, "carol", on_call=carols.take)
        async with bob.registration(), carol.registration(), alice.call(f"sip:bob@{DOMAIN}") as call:
            taken = await bobs.next()
            if to == "nobody":
                with pytest.raises(TransferFailed) as failed:
                    await call.transfer(f"sip:{to}@{DOMAIN}")
                assert failed.value.status == 404
                assert call.is_answered
                assert taken.is_answered
                return
            assert (await call.transfer(f"sip:{to}@{DOMAIN}")).status == 200
            other = await carols.next()
            assert other.remote.uri_text == f"sip:bob@{DOMAIN}"
            assert call.is_over
            await taken.ended()
            await other.hang_up()

    on_loopback(scenario)


def test_an_attended_transfer_through_it(kamailio: Address) -> None:
    """Bob and Carol, with whom Alice talks, are brought together: his INVITE with Replaces finds her through the proxy."""
    bobs, carols = Calls(), Calls()

    async def scenario(loopback: Loopback) -> None:
        alice = await party(loopback, kamailio, "alice")
        bob = await party(loopback, kamailio, "bob", on_call=bobs.take, accepts_transfers=True)
        carol = await party(loopback, kamailio, "carol", on_call=carols.take)
        async with bob.registration(), carol.registration():
            call, consultation = await alice.call(f"sip:bob@{DOMAIN}"), await alice.call(f"sip:carol@{DOMAIN}")
            replaced = await carols.next()
            assert (await call.transfer(consultation)).status == 200
            other = await carols.next()
            assert other.replaces is replaced
            assert other.remote.uri_text == f"sip:bob@{DOMAIN}"
            assert call.is_over
            assert consultation.is_over
            await other.hang_up()

    on_loopback(scenario)
