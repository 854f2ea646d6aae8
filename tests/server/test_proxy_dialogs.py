"""What passes within a dialog, and what only pretends to (reliability: forged in-dialog requests and responses)."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from ringback.message.derive import cancel_of
from ringback.message.message import Request
from ringback.testing import run
from tests.server.party import SERVER, Dialog, House, Party, simulated


async def in_call(house: House) -> tuple[Party, Party, Party, Dialog]:
    alice = await house.party("alice")
    bob = await house.party("bob", q=1.0)
    mallory = await house.party("mallory", "203.0.113.6")
    return alice, bob, mallory, await house.call(alice, bob)


@pytest.mark.parametrize("method", ["BYE", "INFO", "UPDATE", "MESSAGE", "NOTIFY", "REFER", "FROBNICATE"])
@simulated
async def test_either_party_speaks_within_the_dialog(method: str) -> None:
    async with House() as house:
        alice, bob, _, dialog = await in_call(house)
        for one, other in ((alice, bob), (bob, alice)):
            one.within(method, dialog)
            got = await other.hears(method)
            assert got.routes == []
            assert got.uri_text == other.uri
            other.reply(got, 200)
            await one.hears(f"200 {method}")


@simulated
async def test_a_route_list_in_one_line_is_as_good_as_two_lines() -> None:
    async with House() as house:
        alice, bob, _, dialog = await in_call(house)
        bye = alice.compose("BYE", dialog)
        bye.headers.set("Route", f"{bye.headers.text('Route')}, <{bob.uri};lr>")
        alice.send(bye)
        got = await bob.hears("BYE")
        assert got.headers.texts("Route") == [f"<{bob.uri};lr>"]
        bob.reply(got, 200)
        await alice.hears("200 BYE")


def no_route(request: Request, house: House) -> None:
    request.headers.remove("Route")


def no_proof(request: Request, house: House) -> None:
    request.headers.set("Route", f"<sip:{SERVER};lr>")


def made_up_proof(request: Request, house: House) -> None:
    request.headers.set("Route", f"<sip:{SERVER}:5060;lr;proof=0123456789abcdef0123>")


def long_form_of_made_up_proof(request: Request, house: House) -> None:
    request.headers.set("Route", f"<sip:{SERVER};lr;proof=0123456789abcdef0123>")


def proof_of_another_dialog(request: Request, house: House) -> None:
    proof = house.server.core.record_route.proof("another call", "alice-tag", "192.0.2.1", "192.0.2.2")
    request.headers.set("Route", f"<sip:{SERVER}:5060;lr;proof={proof}>")


def other_call(request: Request, house: House) -> None:
    request.headers.set("Call-ID", "invented")


def other_tags(request: Request, house: House) -> None:
    request.headers.set("From", "<sip:alice@example.com>;tag=invented")
    request.headers.set("To", "<sip:bob@example.com>;tag=invented-too")


def empty_proof(request: Request, house: House) -> None:
    request.headers.set("Route", f"<sip:{SERVER}:5060;lr;proof=>")


def proof_in_anothers_uri(request: Request, house: House) -> None:
    proof = house.server.core.record_route.proof(request.call_id, "alice-tag", "192.0.2.1", "192.0.2.2")
    request.headers.set("Route", f"<sip:192.0.2.2:5060;lr;proof={proof}>")


FORGERIES = [
    no_route,
    no_proof,
    made_up_proof,
    long_form_of_made_up_proof,
    proof_of_another_dialog,
    other_call,
    other_tags,
    empty_proof,
    proof_in_anothers_uri,
]


@pytest.mark.parametrize("forge", FORGERIES)
@pytest.mark.parametrize("method", ["BYE", "INVITE", "NOTIFY", "PRACK", "UPDATE", "ACK"])
@simulated
async def test_forged_in_dialog_requests_have_no_effect(forge: Callable[[Request, House], None], method: str) -> None:
    async with House() as house:
        alice, bob, mallory, dialog = await in_call(house)
        before = len(house.sent)
        request = alice.compose(method, dialog)
        forge(request, house)
        request.headers.set("Via", f"SIP/2.0/UDP {mallory.host}:5060;branch=z9hG4bKforged")
        mallory.send(request)
        await asyncio.sleep(1)
        assert (alice.kinds(), bob.kinds()) == ([], [])
        if method == "ACK":
            assert len(house.sent) == before
        else:
            # An empty parameter is malformed already.
            assert mallory.kinds() == [f"{400 if forge is empty_proof else 481} {method}"]


@pytest.mark.parametrize("status", [180, 200, 302, 486, 603])
@simulated
async def test_forged_responses_have_no_effect(status: int) -> None:
    """Even one who has seen the branch is not heard from another address."""
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        mallory = await house.party("mallory", "203.0.113.6")
        alice.ask()
        await alice.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        forged = bob.reply(invite, 180)
        await alice.hears("180 INVITE")
        forged.status = status
        mallory.send(forged)
        await alice.hears_nothing()
        assert house.server.core.layer.forged_responses == 1
        bob.reply(invite, 486)
        await alice.hears("486 INVITE")


@simulated
async def test_a_forged_cancel_has_no_effect() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        mallory = await house.party("mallory", "203.0.113.6")
        sent = alice.ask()
        await alice.hears("100 INVITE")
        invite = await bob.hears("INVITE")
        bob.reply(invite, 180)
        await alice.hears("180 INVITE")
        mallory.send(cancel_of(sent))
        for change in ("z9hG4bKa", "z9hG4bKalice2"):
            cancel = cancel_of(sent)
            cancel.headers.set("Via", f"SIP/2.0/UDP {mallory.host}:5060;branch={change}")
            mallory.send(cancel)
        await bob.hears_nothing(1.0)
        bob.reply(invite, 200)
        await alice.hears("200 INVITE")


@simulated
async def test_the_ack_of_a_2xx_passes_by_every_time() -> None:
    async with House() as house:
        alice, bob, _, dialog = await in_call(house)
        for _ in range(3):
            alice.within("ACK", dialog, cseq=1)
            ack = await bob.hears("ACK")
            assert (ack.max_forwards, len(ack.vias), ack.routes) == (69, 2, [])
        await alice.hears_nothing()


@pytest.mark.parametrize("change", ["Max-Forwards: 0", "Max-Forwards: x", "Route: <"])
@simulated
async def test_an_ack_that_cannot_go_on_vanishes(change: str) -> None:
    async with House() as house:
        alice, bob, _, dialog = await in_call(house)
        ack = alice.compose("ACK", dialog, cseq=1)
        name, _, value = change.partition(": ")
        (ack.headers.append if name == "Route" else ack.headers.set)(name, value)
        alice.send(ack)
        await bob.hears_nothing()
        await alice.hears_nothing()


@simulated
async def test_an_ack_to_a_name_waits_for_its_address() -> None:
    async with House() as house:
        alice, bob, _, dialog = await in_call(house)
        house.names["phone.example"] = [bob.host]
        for host in ("phone.example", "unknown.example"):
            ack = alice.compose("ACK", dialog, cseq=1)
            ack.uri = f"sip:bob@{host}"
            alice.send(ack)
        assert (await bob.hears("ACK")).uri_text == "sip:bob@phone.example"
        await bob.hears_nothing()


@simulated
async def test_an_ack_that_belongs_to_no_transaction_and_no_dialog_is_ignored() -> None:
    async with House() as house:
        alice = await house.party("alice")
        bob = await house.party("bob", q=1.0)
        alice.ask("ACK")
        alice.ask("ACK", to="<sip:bob@example.com>;tag=x")
        alice.ask("ACK", "sip:x@nowhere.example", extra=f"Route: <sip:{SERVER};lr>\nRoute: <{bob.uri};lr>")
        await bob.hears_nothing()
        assert house.sent == []


@simulated
async def test_a_remote_target_that_is_a_user_of_ours_is_looked_up() -> None:
    async with House() as house:
        alice, bob, _, dialog = await in_call(house)
        info = alice.compose("INFO", dialog)
        info.uri = "sip:bob@example.com"
        alice.send(info)
        got = await bob.hears("INFO")
        assert got.uri_text == bob.uri
        bob.reply(got, 200)
        await alice.hears("200 INFO")


def test_dialogs_outlive_a_restart(tmp_path: Path) -> None:
    """The key of the proofs lives in the store."""
    routes = tmp_path / "routes.py"
    routes.write_text("def route(request):\n    return Forward('sip:bob@192.0.2.2')\n")

    async def before() -> Dialog:
        async with House(data=tmp_path / "data", routing=routes, waits=False) as house:
            return await house.call(await house.party("alice"), await house.party("bob"))

    async def after(dialog: Dialog) -> None:
        async with House(data=tmp_path / "data", routing=routes, waits=False) as house:
            alice, bob = await house.party("alice"), await house.party("bob")
            alice.within("BYE", dialog._replace(caller=alice, callee=bob))
            bob.reply(await bob.hears("BYE"), 200)
            await alice.hears("200 BYE")

    async def elsewhere(dialog: Dialog) -> None:
        async with House(data=tmp_path / "other", routing=routes, waits=False) as house:
            alice = await house.party("alice")
            alice.within("BYE", dialog._replace(caller=alice))
            await alice.hears("481 BYE")

    dialog = run(before())
    run(after(dialog))
    run(elsewhere(dialog))


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "169.254.169.254", "0.0.0.0", "224.0.1.75", "localhost"])
@pytest.mark.parametrize("method", ["BYE", "ACK", "INFO"])
@simulated
async def test_a_proven_dialog_opens_no_way_to_the_servers_own_surroundings(host: str, method: str) -> None:
    async with House(waits=False) as house:
        alice, _, _, dialog = await in_call(house)
        before = len(house.sent)
        request = alice.compose(method, dialog)
        request.uri = f"sip:x@{host}"
        alice.send(request)
        if method != "ACK":
            assert (await alice.hears(f"403 {method}")).reason == "Relaying Denied"
        await asyncio.sleep(40)
        assert {sent.destination[0] for sent in house.sent[before:]} <= {alice.host}
