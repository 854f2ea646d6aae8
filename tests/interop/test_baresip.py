"""Two real phones (baresip) register and call each other through the server."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.interop.baresip import Phone
from tests.interop.running import patiently
from tests.interop.server import RunningServer
from tests.interop.wire import Peer, unique

MakePhone = Callable[..., Phone]


@pytest.fixture
def phone(program: Callable[[str], str], server: RunningServer, tmp_path: Path) -> Iterator[MakePhone]:
    """`phone()` is a phone that has registered; keyword arguments as those of `Phone`."""
    with ExitStack() as stack:

        def make(user: str = "", **more: Any) -> Phone:
            user = user or unique()
            return stack.enter_context(Phone(program("baresip"), tmp_path / user, user, server.address, **more)).ready()

        yield make


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_call_answered_and_ended_by_either(phone: MakePhone, transport: str, who: str) -> None:
    alice, bob = phone(transport=transport), phone(transport=transport)
    alice.say("dial", bob.uri)
    call = bob.rings()
    alice.expect("CALL_RINGING", call)
    bob.say("accept")
    alice.expect("CALL_ESTABLISHED", call)
    # The callee is in a call when the ACK has come, by way of the server.
    bob.expect("CALL_ESTABLISHED", call)
    (alice if who == "caller" else bob).say("hangup")
    for each in (alice, bob):
        each.closing(call)


def test_phones_of_different_transports(phone: MakePhone) -> None:
    alice, bob = phone(transport="udp"), phone(transport="tcp")
    for caller, callee in ((alice, bob), (bob, alice)):
        caller.say("dial", callee.uri)
        call = callee.rings()
        callee.say("accept")
        caller.expect("CALL_ESTABLISHED", call)
        callee.expect("CALL_ESTABLISHED", call)
        callee.say("hangup")
        caller.closing(call)
        callee.closing(call)


def test_the_callee_declines(phone: MakePhone) -> None:
    alice, bob = phone(), phone()
    alice.say("dial", bob.uri)
    call = bob.rings()
    bob.say("hangup")
    assert alice.closing(call).startswith("486 ")


def test_the_callee_is_busy_with_another(phone: MakePhone) -> None:
    alice, carol = phone(), phone()
    bob = phone(more="call_max_calls 1")
    alice.say("dial", bob.uri)
    first = bob.rings()
    bob.say("accept")
    alice.expect("CALL_ESTABLISHED", first)
    carol.say("dial", bob.uri)
    refused = carol.expect("CALL_CLOSED")
    assert str(refused["param"]).startswith("486 ")
    alice.say("hangup")
    bob.closing(first)


def test_the_caller_gives_up_while_it_rings(phone: MakePhone) -> None:
    alice, bob = phone(), phone()
    alice.say("dial", bob.uri)
    call = bob.rings()
    alice.expect("CALL_RINGING", call)
    alice.say("hangup")
    # Nobody hung up at Bob's: only the CANCEL can have ended his ringing.
    bob.closing(call)


def test_the_callees_phone_gives_up_ringing(phone: MakePhone) -> None:
    alice, bob = phone(), phone(more="call_local_timeout 1")
    alice.say("dial", bob.uri)
    call = bob.rings()
    assert alice.closing(call)[:4] in ("408 ", "480 ", "486 ")


def test_the_server_gives_up_ringing(phone: MakePhone) -> None:
    """The routing file gives this user one second: 408 for the caller, CANCEL for the callee."""
    alice, impatient = phone(), phone("impatient")
    alice.say("dial", impatient.uri)
    call = impatient.rings()
    assert alice.closing(call).startswith("408 ")
    impatient.closing(call)


def test_nobody_of_that_name(phone: MakePhone) -> None:
    alice = phone()
    alice.say("dial", f"sip:{unique()}@example.test")
    assert str(alice.expect("CALL_CLOSED")["param"]).startswith("404 ")


def test_a_phone_that_quits_is_registered_no_more(phone: MakePhone, server: RunningServer) -> None:
    alice = phone()
    alice.say("quit")
    assert alice.wait() == 0
    with Peer(server.address) as peer:
        patiently(lambda: not peer.ask(peer.register(alice.user, None)).field("Contact"), "no binding is left")


def test_a_phone_that_registers_its_flow_is_called_down_it_and_gone_when_it_dies(phone: MakePhone, server: RunningServer) -> None:
    """RFC 5626: no REGISTER takes the binding away, the end of the connection does."""
    alice = phone()
    bob = phone(account=";sipnat=outbound", transport="tcp", modules=("uuid",))
    with Peer(server.address) as peer:
        listed = peer.ask(peer.register(bob.user, None)).field("Contact")
        assert "reg-id=1" in listed
        assert "+sip.instance" in listed
        alice.say("dial", bob.uri)
        call = bob.rings()
        bob.say("accept")
        alice.expect("CALL_ESTABLISHED", call)
        alice.say("hangup")
        bob.closing(call)
        bob.process.kill()
        patiently(lambda: not peer.ask(peer.register(bob.user, None)).field("Contact"), "no binding is left")
    alice.say("dial", bob.uri)
    assert str(alice.expect("CALL_CLOSED")["param"]).startswith("404 ")
