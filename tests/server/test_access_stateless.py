"""Who must prove himself where no state is kept: a retransmission is no replay, and a replay is no retransmission."""

from ringback.message.derive import ack_of, cancel_of
from ringback.server.config import DomainConfig
from tests.server.party import DOMAIN, Dialog, simulated
from tests.server.proving import answering, challenged, guarded, guest, registered

STATELESS = {DOMAIN: DomainConfig(mode="stateless")}


@simulated
async def test_a_retransmission_passes_as_its_request_did() -> None:
    async with guarded(domain=STATELESS) as house:
        alice = await guest(house, "alice")
        bob = await registered(house, "bob")
        invite = alice.request()
        invite = answering(alice, invite, await challenged(alice, invite))
        alice.send(invite)
        heard = await bob.hears("INVITE")
        assert "Proxy-Authorization" not in heard.headers
        alice.send(invite)
        assert (await bob.hears("INVITE")).to_bytes() == heard.to_bytes()
        bob.reply(heard, 200)
        dialog = Dialog(alice, bob, heard, await alice.hears("200 INVITE"))
        alice.within("ACK", dialog, cseq=2, extra=f"Proxy-Authorization: {invite.headers.text('Proxy-Authorization')}")
        assert "Proxy-Authorization" not in (await bob.hears("ACK")).headers
        alice.within("BYE", dialog, cseq=3)
        await bob.hears("BYE")


@simulated
async def test_a_replay_is_challenged_however_it_differs() -> None:
    async with guarded(domain=STATELESS) as house:
        alice = await guest(house, "alice")
        mallory = await guest(house, "mallory")
        bob = await registered(house, "bob")
        invite = alice.request()
        invite = answering(alice, invite, await challenged(alice, invite))
        alice.send(invite)
        await bob.hears("INVITE")
        for name, value in (("Call-ID", "other"), ("Subject", "x"), ("CSeq", "7 INVITE")):
            replay = invite.copy()
            replay.headers.set(name, value)
            alice.send(replay)
            alice.ack(replay, await alice.hears("407 INVITE"))
        mallory.send(invite)
        mallory.ack(invite, await mallory.hears("407 INVITE"))
        await bob.hears_nothing()


@simulated
async def test_it_is_remembered_as_long_as_a_request_is_sent_again() -> None:
    async with guarded(domain=STATELESS) as house:
        alice = await guest(house, "alice")
        bob = await registered(house, "bob")
        invite = alice.request()
        invite = answering(alice, invite, await challenged(alice, invite))
        alice.send(invite)
        await bob.hears("INVITE")
        await bob.hears_nothing(31)
        alice.send(invite)
        await bob.hears("INVITE")
        await bob.hears_nothing(2)
        alice.send(invite)
        alice.ack(invite, await alice.hears("407 INVITE"))
        other = alice.request()
        alice.send(answering(alice, other, await challenged(alice, other)))
        await bob.hears("INVITE")
        assert house.server.access is not None
        assert len(house.server.access._admitted) == 1


@simulated
async def test_cancel_and_ack_are_never_challenged() -> None:
    async with guarded(domain=STATELESS) as house:
        alice = await guest(house, "alice")
        bob = await registered(house, "bob")
        invite = alice.request()
        invite = answering(alice, invite, await challenged(alice, invite))
        alice.send(invite)
        heard = await bob.hears("INVITE")
        alice.send(cancel_of(invite))
        cancel = await bob.hears("CANCEL")
        bob.reply(cancel, 200)
        await alice.hears("200 CANCEL")
        bob.reply(heard, 487)
        alice.send(ack_of(invite, await alice.hears("487 INVITE")))
        ack = await bob.hears("ACK")
        assert heard.vias[0].branch == cancel.vias[0].branch == ack.vias[0].branch
