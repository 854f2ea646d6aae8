"""Calls between parties that do not share a transport: the proxy stands on both sides, with an entry in the route for each (RFC 5658)."""

import pytest

from tests.server.party import SERVER, Dialog, House, Party, simulated


def sides(dialog: Dialog) -> list[str]:
    """The entries of the proxy as the caller heard them, without the proof."""
    return [text.partition(";lr")[0].removeprefix("<") for text in dialog.ok.headers.texts("Record-Route")]


async def between(house: House, one: str, other: str) -> tuple[Party, Party, Dialog]:
    alice = await house.party("alice", transport=one)
    bob = await house.party("bob", q=1.0, transport=other)
    return alice, bob, await house.call(alice, bob)


@pytest.mark.parametrize(("one", "other"), [("UDP", "TCP"), ("TCP", "UDP")])
@simulated
async def test_each_party_speaks_its_own_transport_to_the_end(one: str, other: str) -> None:
    async with House() as house:
        alice, bob, dialog = await between(house, one, other)
        entries = {"UDP": f"sip:{SERVER}:5060", "TCP": f"sip:{SERVER}:5060;transport=tcp"}
        assert sides(dialog) == [entries[other], entries[one]]
        assert dialog.invite.headers.texts("Record-Route") == dialog.ok.headers.texts("Record-Route")
        for sender, receiver in ((bob, alice), (alice, bob)):
            sender.within("INFO", dialog)
            got = await receiver.hears("INFO")
            assert got.routes == []
            assert got.uri_text == receiver.uri
            assert receiver.heard[-1].flow.endpoint.transport == receiver.transport
            receiver.reply(got, 200)
            await sender.hears("200 INFO")
        bob.within("BYE", dialog, cseq=3)
        alice.reply(await alice.hears("BYE"), 200)
        await bob.hears("200 BYE")


@simulated
async def test_a_request_too_large_for_datagrams_does_not_make_the_dialog_go_over_tcp() -> None:
    async with House() as house:
        alice, bob = await house.party("alice", transport="UDP"), await house.party("bob", q=1.0)
        dialog = await house.call(alice, bob, extra=f"X-Long: {'x' * 1000}")
        assert [heard.flow.endpoint.transport for heard in bob.heard] == ["TCP", "UDP"]
        assert sides(dialog) == [f"sip:{SERVER}:5060"]


@simulated
async def test_both_entries_go_and_what_is_below_them_stays() -> None:
    async with House() as house:
        alice, bob, dialog = await between(house, "UDP", "TCP")
        bye = alice.compose("BYE", dialog)
        routes = bye.headers.texts("Route")
        assert len(routes) == 2
        bye.headers.set("Route", ", ".join([*routes, f"<{bob.uri};lr>"]))
        alice.send(bye)
        got = await bob.hears("BYE")
        assert got.headers.texts("Route") == [f"<{bob.uri};lr>"]
        bob.reply(got, 200)
        await alice.hears("200 BYE")


@simulated
async def test_an_entry_alone_proves_nothing_where_the_other_has_the_proof() -> None:
    async with House() as house:
        alice, bob, dialog = await between(house, "UDP", "TCP")
        bye = alice.compose("BYE", dialog)
        bare = [route for route in bye.headers.texts("Route") if "proof" not in route]
        bye.headers.remove("Route")
        bye.headers.append("Route", bare[0])
        alice.send(bye)
        await alice.hears("481 BYE")
        await bob.hears_nothing()
