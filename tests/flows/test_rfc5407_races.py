"""RFC 5407 §3.1 and §3.2: what crosses the 2xx, its ACK and the BYE, and what two user agents make of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ringback import CallFailed, IncomingCall, OutgoingCall
from ringback.agent.call import modification
from tests.agent.stage import Stage, on_stage
from tests.flows.races import LOST, at, play
from tests.server.party import Dialog


@pytest.fixture(autouse=True)
def chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Halfway: after a 491 the caller waits 3.05 seconds, the callee one (RFC 3261 §14.1)."""
    monkeypatch.setattr(modification, "_chance", lambda: 0.5)


# §3.1: what is received between the 2xx and its ACK.


def test_3_1_1_the_invite_repeated_while_it_is_answered() -> None:
    """The 180 is lost, so the INVITE comes again when the 200 is out already: it is no new call."""

    async def alice(call: OutgoingCall) -> None:
        await call

    async def bob(call: IncomingCall) -> None:
        await call.ring()
        await at(0.5)
        await call.answer()

    race = play(alice, bob, fates={"180 INVITE": [LOST]})
    race.follows("3.1.1")
    assert race.caller.is_over
    race.shows("""
                    Alice                     Bob
0.000                 │─────── INVITE ────────▶│
0.100                 │◀── 180 INVITE (lost) ──│
0.500                 │─────── INVITE ────────▶│
0.500                 │◀───── 200 INVITE ──────│
0.600                 │───────── ACK ─────────▶│
""")


def test_3_1_2_the_call_given_up_while_it_is_answered() -> None:
    """CANCEL comes too late: 200 to it all the same, and the 2xx is acknowledged and hung up on."""

    async def alice(call: OutgoingCall) -> None:
        await call.place()
        await at(2)
        call.cancel()

    async def bob(call: IncomingCall) -> None:
        await call.ring()
        await at(2)
        await call.answer()
        # The ACK has come, and with it, at once, the BYE.
        assert await call.ended() == "the peer hung up"

    race = play(alice, bob)
    race.follows("3.1.2")
    assert race.caller.reason == "we gave up"
    assert race.callee.reason == "the peer hung up"
    race.shows("""
                 Alice               Bob
0.000              │──── INVITE ─────▶│
0.100              │◀── 180 INVITE ───│
2.000              │◀── 200 INVITE ───│
2.000              │──── CANCEL ─────▶│
2.100              │────── ACK ──────▶│
2.100              │◀── 200 CANCEL ───│
2.100              │────── BYE ──────▶│
2.200              │◀──── 200 BYE ────│
""")


def test_3_1_3_the_early_dialog_ended_by_bye_while_it_is_answered() -> None:
    """The BYE is for the dialog, which the 2xx confirms: it is acknowledged, and no session begins."""

    async def alice(call: OutgoingCall) -> None:
        await call.place()
        await at(2)
        [early] = call.early_sessions
        await early.hang_up()
        with pytest.raises(CallFailed):
            await call

    async def bob(call: IncomingCall) -> None:
        await call.ring()
        await at(2)
        await call.answer()

    race = play(alice, bob)
    race.follows("3.1.3")
    assert race.kinds("Alice").count("BYE") == 1
    race.shows("""
                 Alice               Bob
0.000              │──── INVITE ─────▶│
0.100              │◀── 180 INVITE ───│
2.000              │◀── 200 INVITE ───│
2.000              │────── BYE ──────▶│
2.100              │────── ACK ──────▶│
2.100              │◀──── 200 BYE ────│
""")


def test_3_1_4_a_reinvite_before_the_ack() -> None:
    """The answer was in the 2xx, so it is answered like any other; each 2xx has its ACK."""

    async def alice(call: OutgoingCall) -> None:
        await call
        await at(1.5)
        await call.hold()

    async def bob(call: IncomingCall) -> None:
        await call.ring()
        await at(1)
        await call.answer()

    race = play(alice, bob, fates={"ACK": [LOST]})
    race.follows("3.1.4")
    assert race.callee.is_held
    race.shows("""
                 Alice               Bob
0.000              │──── INVITE ─────▶│
0.100              │◀── 180 INVITE ───│
1.000              │◀── 200 INVITE ───│
1.100              │── ACK (lost) ───▶│
1.500              │◀── 200 INVITE ───│
1.500              │─── re-INVITE ───▶│
1.600              │────── ACK ──────▶│
1.600              │◀── 200 INVITE ───│
1.700              │────── ACK ──────▶│
""")


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_3_1_5_an_offer_before_the_ack_with_the_answer_to_ours(method: str) -> None:
    """Bob's offer is open while the ACK is lost: 491, and Alice's is made again when hers has come."""

    async def alice(call: OutgoingCall) -> None:
        await call
        await at(1.5)
        assert call.session is not None
        await call.modify(call.session.negotiation.hold(), method=method)

    async def bob(call: IncomingCall) -> None:
        await call.ring()
        await at(1)
        await call.answer()

    race = play(alice, bob, fates={"ACK": [LOST]}, offers=False)
    assert race.callee.is_held
    if method == "INVITE":
        race.follows("3.1.5")
        race.shows("""
                 Alice               Bob
0.000              │──── INVITE ─────▶│
0.100              │◀── 180 INVITE ───│
1.000              │◀── 200 INVITE ───│
1.100              │── ACK (lost) ───▶│
1.500              │◀── 200 INVITE ───│
1.500              │─── re-INVITE ───▶│
1.600              │────── ACK ──────▶│
1.600              │◀── 491 INVITE ───│
1.700              │────── ACK ──────▶│
4.750              │─── re-INVITE ───▶│
4.850              │◀── 200 INVITE ───│
4.950              │────── ACK ──────▶│
""")
    else:
        race.shows("""
                 Alice               Bob
0.000              │──── INVITE ─────▶│
0.100              │◀── 180 INVITE ───│
1.000              │◀── 200 INVITE ───│
1.100              │── ACK (lost) ───▶│
1.500              │◀── 200 INVITE ───│
1.500              │──── UPDATE ─────▶│
1.600              │────── ACK ──────▶│
1.600              │◀── 491 UPDATE ───│
4.750              │──── UPDATE ─────▶│
4.850              │◀── 200 UPDATE ───│
""")


@pytest.mark.parametrize("offers", [True, False])
def test_3_1_6_bye_before_the_ack(offers: bool) -> None:
    """The ACK that the repeated 2xx brings about comes after the BYE, and begins nothing anew, not even with an answer in it."""

    async def alice(call: OutgoingCall) -> None:
        await call
        await at(1.5)
        await call.hang_up()

    async def bob(call: IncomingCall) -> None:
        await call.ring()
        await at(1)
        await call.answer()

    race = play(alice, bob, fates={"ACK": [LOST]}, offers=offers)
    race.follows("3.1.6")
    assert race.callee.reason == "the peer hung up"
    assert race.callee.negotiation is not None
    assert (race.callee.negotiation.exchange.local is not None) is offers
    race.shows("""
                 Alice               Bob
0.000              │──── INVITE ─────▶│
0.100              │◀── 180 INVITE ───│
1.000              │◀── 200 INVITE ───│
1.100              │── ACK (lost) ───▶│
1.500              │◀── 200 INVITE ───│
1.500              │────── BYE ──────▶│
1.600              │────── ACK ──────▶│
1.600              │◀──── 200 BYE ────│
""")


# §3.2: what is received after the BYE.


def test_3_2_1_both_hang_up() -> None:
    """Each BYE gets a 200: who has sent one knows the dialog still."""

    async def both(call: OutgoingCall | IncomingCall) -> None:
        await at(5)
        await call.hang_up()
        assert call.reason == "we hung up"

    async def alice(call: OutgoingCall) -> None:
        await call
        await both(call)

    async def bob(call: IncomingCall) -> None:
        await call.ring()
        await at(1)
        await call.answer()
        await both(call)

    race = play(alice, bob)
    race.follows("3.2.1")
    assert race.heard == []
    race.shows("""
                 Alice               Bob
0.000              │──── INVITE ─────▶│
0.100              │◀── 180 INVITE ───│
1.000              │◀── 200 INVITE ───│
1.100              │────── ACK ──────▶│
5.000              │────── BYE ──────▶│
5.000              │◀────── BYE ──────│
5.100              │◀──── 200 BYE ────│
5.100              │──── 200 BYE ────▶│
""")


def test_3_2_2_a_reinvite_after_the_bye() -> None:
    """481 for want of a dialog; the 200 to the BYE and the ACK of the 481 go their own ways."""

    async def alice(call: OutgoingCall) -> None:
        await call
        await at(5)
        await call.hang_up()

    async def bob(call: IncomingCall) -> None:
        await call.ring()
        await at(1)
        await call.answer()
        await at(5)
        await call.hold()

    race = play(alice, bob)
    race.follows("3.2.2")
    assert [str(error) for error in race.heard] == ["the peer hung up"]
    race.shows("""
                 Alice               Bob
0.000              │──── INVITE ─────▶│
0.100              │◀── 180 INVITE ───│
1.000              │◀── 200 INVITE ───│
1.100              │────── ACK ──────▶│
5.000              │────── BYE ──────▶│
5.000              │◀─── re-INVITE ───│
5.100              │◀──── 200 BYE ────│
5.100              │── 481 INVITE ───▶│
5.200              │◀────── ACK ──────│
""")


def test_3_2_3_the_2xx_to_a_reinvite_after_the_bye() -> None:
    """Bob hangs up while his re-INVITE is under way: its 2xx is acknowledged though the dialog is no more."""

    async def alice(call: OutgoingCall) -> None:
        await call

    async def bob(call: IncomingCall) -> None:
        await call.ring()
        await at(1)
        await call.answer()
        await at(5)
        refresh = asyncio.ensure_future(call.hold())
        await at(5.05)
        await call.hang_up()
        await refresh

    race = play(alice, bob)
    race.follows("3.2.3")
    assert [str(error) for error in race.heard] == ["we hung up"]
    race.shows("""
                 Alice               Bob
0.000              │──── INVITE ─────▶│
0.100              │◀── 180 INVITE ───│
1.000              │◀── 200 INVITE ───│
1.100              │────── ACK ──────▶│
5.000              │◀─── re-INVITE ───│
5.050              │◀────── BYE ──────│
5.100              │── 200 INVITE ───▶│
5.150              │──── 200 BYE ────▶│
5.200              │◀────── ACK ──────│
""")


@pytest.mark.parametrize("offers", [True, False])
def test_3_2_4_the_ack_after_the_bye(offers: bool) -> None:
    """A callee that hangs up before the ACK has come: the caller takes its BYE.

    Ours never does so (RFC 3261 §15: only who called may, before the ACK), see the next test. The details of F5 and F6 have Alice send
    the BYE, where the figure and the text have Bob.
    """
    reasons = []

    async def scenario(stage: Stage) -> None:
        caller = await stage.agent("alice")
        bob = await stage.party("bob", "alice")
        call = caller.call(bob.uri, offers=offers)
        placed = asyncio.ensure_future(call.answered())
        invite = await bob.hears("INVITE")
        body = invite.body.decode() or one_stream()
        ok = bob.reply(invite, 200, extra="Content-Type: application/sdp", body=body.encode())
        nobody: Any = None
        bye = bob.within("BYE", Dialog(nobody, bob, invite, ok), cseq=1)
        await bob.hears("ACK")
        assert (await bob.hears("200 BYE")).cseq == bye.cseq
        await placed
        reasons.append(await call.ended())

    stage = on_stage(scenario)
    assert reasons == ["the peer hung up"]
    assert stage.said() == ["INVITE", "200 INVITE", "BYE", "ACK", "200 BYE"]


def one_stream() -> str:
    """A description of one audio stream."""
    return "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 3456 RTP/AVP 0\r\n"


@pytest.mark.parametrize("offers", [True, False])
def test_3_2_4_our_callee_hangs_up_when_the_ack_has_come(offers: bool) -> None:
    """However soon it wants to: the race cannot happen."""

    async def alice(call: OutgoingCall) -> None:
        await call

    async def bob(call: IncomingCall) -> None:
        await call.ring()
        await at(1)
        answering = asyncio.ensure_future(call.answer())
        await asyncio.sleep(0)
        await call.hang_up()
        await answering

    race = play(alice, bob, fates={"ACK": [LOST]}, offers=offers)
    assert race.callee.reason == "we hung up"
    assert race.caller.reason == "the peer hung up"
    race.shows("""
                 Alice               Bob
0.000              │──── INVITE ─────▶│
0.100              │◀── 180 INVITE ───│
1.000              │◀── 200 INVITE ───│
1.100              │── ACK (lost) ───▶│
1.500              │◀── 200 INVITE ───│
1.600              │────── ACK ──────▶│
1.700              │◀────── BYE ──────│
1.800              │──── 200 BYE ────▶│
""")
