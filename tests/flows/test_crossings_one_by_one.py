"""What crosses on its way beyond RFC 5407's figures: one race each, and both of one mind at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ringback import CallTimedOut, IncomingCall, OutgoingCall, RequestRejected
from ringback.agent.call import modification
from ringback.sdp.description import SessionDescription
from tests.agent.stage import Stage, on_stage
from tests.flows.races import LOST, at, play
from tests.server.party import Dialog

SDP = "Content-Type: application/sdp"


@pytest.fixture(autouse=True)
def chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Halfway: after a 491 the caller waits 3.05 seconds, the callee one (RFC 3261 §14.1)."""
    monkeypatch.setattr(modification, "_chance", lambda: 0.5)


def description(version: int, more: str = "") -> bytes:
    """One audio stream of Bob's."""
    return f"v=0\r\no=- 1 {version} IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 3456 RTP/AVP 0\r\n{more}".encode()


async def calls(call: OutgoingCall) -> None:
    """Alice calls and leaves the rest to Bob."""
    await call


async def answers(call: IncomingCall) -> None:
    """Bob answers and leaves the rest to Alice."""
    await call.answer()


# Before the answer.


def test_a_refusal_crosses_the_cancel() -> None:
    """486 it is, and Alice has given up all the same (RFC 3261 §9.2: a final response cannot be taken back)."""

    async def alice(call: OutgoingCall) -> None:
        await call.place()
        await at(2)
        call.cancel()

    async def bob(call: IncomingCall) -> None:
        await call.ring()
        await at(2)
        await call.decline(486)

    race = play(alice, bob)
    assert race.caller.reason == "we gave up"
    assert race.callee.reason == "we declined with 486"
    race.shows("""
                 Alice               Bob
0.000              │──── INVITE ─────▶│
0.100              │◀── 180 INVITE ───│
2.000              │◀── 486 INVITE ───│
2.000              │──── CANCEL ─────▶│
2.100              │────── ACK ──────▶│
2.100              │◀── 200 CANCEL ───│
""")


def test_a_redirection_that_crosses_the_cancel_is_not_followed() -> None:
    async def alice(call: OutgoingCall) -> None:
        await call.place()
        await at(2)
        call.cancel()

    async def bob(call: IncomingCall) -> None:
        await call.ring()
        await at(2)
        await call.redirect("sip:bob@192.0.2.9")

    race = play(alice, bob)
    assert race.kinds("Alice") == ["INVITE", "CANCEL", "ACK"]


def test_the_answer_crosses_the_end_of_our_patience() -> None:
    """CANCEL when the time is up; who answers meanwhile is hung up on."""

    async def alice(call: OutgoingCall) -> None:
        with pytest.raises(CallTimedOut):
            await call

    async def bob(call: IncomingCall) -> None:
        await call.ring()
        await at(3)
        await call.answer()

    race = play(alice, bob, ring_for=3)
    assert race.kinds("Alice") == ["INVITE", "CANCEL", "ACK", "BYE"]
    assert race.callee.reason == "the peer hung up"


def test_a_cancel_that_is_lost_and_comes_after_the_answer() -> None:
    """Repeated, it comes too late."""

    async def alice(call: OutgoingCall) -> None:
        await call.place()
        await at(2)
        call.cancel()

    async def bob(call: IncomingCall) -> None:
        await call.ring()
        await at(2.3)
        await call.answer()

    race = play(alice, bob, fates={"CANCEL": [LOST]})
    assert race.kinds("Alice") == ["INVITE", "CANCEL", "ACK", "BYE", "CANCEL"]
    assert race.kinds("Bob")[-1] == "200 CANCEL"


def test_a_reliable_response_crosses_the_cancel() -> None:
    """Alice acknowledges nothing of a call that she has given up, and the 487 ends its repetitions (RFC 3262 §3)."""

    async def alice(call: OutgoingCall) -> None:
        await call.place()
        await at(2)
        call.cancel()

    async def bob(call: IncomingCall) -> None:
        await call.ring()
        await at(2)
        await call.progress()

    race = play(alice, bob)
    assert race.kinds("Alice") == ["INVITE", "CANCEL", "ACK"]
    assert race.kinds("Bob") == ["180 INVITE", "183 INVITE", "200 CANCEL", "487 INVITE"]


def test_an_offer_in_an_update_crosses_the_answer_to_the_one_in_the_prack() -> None:
    """RFC 6337 §4.2: Bob's UPDATE overtakes his 200 to Alice's PRACK, so her offer is open still: 491, and he comes again."""

    async def alice(call: OutgoingCall) -> None:
        call.reoffer = lambda _: next(iter(call.sessions.values())).negotiation.hold()
        await call

    async def bob(call: IncomingCall) -> None:
        await call.progress()
        assert call.session is not None
        await call.modify(call.session.negotiation.hold(), method="UPDATE")
        await call.answer()

    race = play(alice, bob, fates={"200 PRACK": [(0.5,)]})
    assert race.caller.is_held
    race.shows("""
                     Alice                       Bob
0.000                  │──────── INVITE ─────────▶│
0.100                  │◀────── 183 INVITE ───────│
0.200                  │───────── PRACK ─────────▶│
0.300                  │◀── 200 PRACK (at 0.8) ───│
0.300                  │◀──────── UPDATE ─────────│
0.400                  │────── 491 UPDATE ───────▶│
0.700                  │───────── PRACK ─────────▶│
0.800                  │◀─────── 200 PRACK ───────│
1.500                  │◀──────── UPDATE ─────────│
1.600                  │────── 200 UPDATE ───────▶│
1.700                  │◀────── 200 INVITE ───────│
1.800                  │────────── ACK ──────────▶│
""")


def test_the_2xx_overtakes_the_answer_in_the_2xx_to_the_prack() -> None:
    """The call stands with the first answer until the second one comes."""
    seen = []

    async def alice(call: OutgoingCall) -> None:
        call.reoffer = lambda _: next(iter(call.sessions.values())).negotiation.hold()
        await call
        assert call.session is not None
        seen.append(call.session.negotiation.is_stable)

    async def bob(call: IncomingCall) -> None:
        await call.progress()
        await call.answer()

    race = play(alice, bob, fates={"200 PRACK": [(0.9,)]})
    assert seen == [False]
    assert race.callee.is_held


def test_what_overtakes_the_180_gets_481_and_the_call_goes_on() -> None:
    """Alice does not know the dialog yet: that is no end of it."""

    async def bob(call: IncomingCall) -> None:
        await call.ring()
        with pytest.raises(RequestRejected) as refused:
            await call.send_info(None, b"!", "text/plain")
        assert refused.value.status == 481
        await at(2)
        await call.answer()

    race = play(calls, bob, fates={"180 INVITE": [LOST]})
    assert not race.messages("BYE")[1:]
    assert race.kinds("Alice") == ["INVITE", "481 INFO", "INVITE", "ACK"]


def test_what_overtakes_the_2xx_gets_481_and_the_call_stands() -> None:
    """Bob says no BYE either: before the ACK he may not (RFC 3261 §15)."""

    async def bob(call: IncomingCall) -> None:
        answering = asyncio.ensure_future(call.answer())
        await asyncio.sleep(0)
        with pytest.raises(RequestRejected) as refused:
            await call.send_digits("1")
        assert refused.value.status == 481
        await answering

    race = play(calls, bob, fates={"200 INVITE": [LOST]})
    race.shows("""
                    Alice                     Bob
0.000                 │─────── INVITE ────────▶│
0.100                 │◀── 200 INVITE (lost) ──│
0.100                 │◀──────── INFO ─────────│
0.200                 │────── 481 INFO ───────▶│
0.500                 │─────── INVITE ────────▶│
0.600                 │◀───── 200 INVITE ──────│
0.700                 │───────── ACK ─────────▶│
""")


# Around the ACK.


def test_the_invite_comes_again_when_the_call_stands_already() -> None:
    """A datagram that took eight seconds: the transaction is there still, and nothing happens (RFC 6026 §7.1)."""
    race = play(calls, answers, fates={"INVITE": [(0.1, 8.0)]})
    race.shows("""
                       Alice                           Bob
0.000                    │── INVITE (at 0.1 and 8.0) ──▶│
0.100                    │◀──────── 200 INVITE ─────────│
0.200                    │──────────── ACK ────────────▶│
""")


def test_an_ack_that_never_comes() -> None:
    """RFC 3261 §13.3.1.4: the 2xx is repeated for 64*T1 seconds, then BYE; to Alice that is the end of a call."""
    race = play(calls, answers, fates={"ACK": [LOST] * 20})
    assert race.callee.reason == "no ACK came"
    assert race.caller.reason == "the peer hung up"
    assert len(race.messages("200 INVITE")) == 11
    [bye] = [said for said in race.said if said.kind == "BYE"]
    assert bye.time == pytest.approx(32.1)


@pytest.mark.parametrize("offers", [True, False])
def test_the_bye_overtakes_the_ack(offers: bool) -> None:
    """Over it is; the ACK that comes then is for nobody, also where it has the answer."""

    async def alice(call: OutgoingCall) -> None:
        await call
        await call.hang_up()

    race = play(alice, answers, fates={"ACK": [(0.6,)]}, offers=offers)
    assert race.kinds("Alice") == ["INVITE", "ACK", "BYE"]
    assert race.kinds("Bob") == ["200 INVITE", "200 BYE"]


@pytest.mark.parametrize("offers", [True, False])
def test_a_reinvite_overtakes_the_ack(offers: bool) -> None:
    """200 where the answer was in the 2xx, 491 where it is in the ACK; a hold in either case (RFC 5407 §3.1.4, §3.1.5)."""

    async def alice(call: OutgoingCall) -> None:
        await call
        await call.hold()

    race = play(alice, answers, fates={"ACK": [(0.45,)]}, offers=offers)
    assert race.callee.is_held
    assert ("491 INVITE" in race.kinds("Bob")) is not offers


# Offers.


def test_a_reinvite_that_asks_for_an_offer_comes_with_the_refusal_of_ours() -> None:
    """In one batch: our offer is taken back before the next one is made, and its answer is an answer."""

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        bob = await stage.party("bob", "alice")
        call = alice.call(bob.uri)
        await call.place()
        request = await bob.hears("INVITE")
        ok = bob.reply(request, 200, extra=SDP, body=description(1))
        await bob.hears("ACK")
        await call.answered()
        session = call.standing()
        holding = asyncio.ensure_future(call.modify(session.negotiation.hold(), method="UPDATE"))
        update = await bob.hears("UPDATE")
        nobody: Any = None
        dialog = Dialog(nobody, bob, request, ok)
        bob.reply(update, 488)
        invite = bob.within("INVITE", dialog, cseq=1)
        accepted = await bob.hears("200 INVITE")
        assert accepted.cseq.number == invite.cseq.number
        answer = description(2, "a=sendonly\r\n")
        bob.within("ACK", dialog, cseq=1, extra=SDP, body=answer.decode())
        with pytest.raises(RequestRejected) as refused:
            await holding
        assert refused.value.status == 488
        await asyncio.sleep(1)
        assert session.negotiation.is_stable
        assert call.is_held
        assert session.negotiation.exchange.local == SessionDescription.parse(accepted.body)
        ending = asyncio.ensure_future(call.hang_up())
        bob.reply(await bob.hears("BYE"), 200)
        await ending

    on_stage(scenario)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("INVITE", "UPDATE"), ("UPDATE", "INVITE"), ("UPDATE", "UPDATE"), ("INVITE", "INVITE")],
)
def test_an_offer_that_overtakes_the_answer_to_ours_gets_491(ours: str, theirs: str) -> None:
    """RFC 6337 §4.1, figures 7 and 8, and §4.3, figures 14 and 16: a re-INVITE also where it has no offer but asks for one."""

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        bob = await stage.party("bob", "alice")
        call = alice.call(bob.uri)
        await call.place()
        request = await bob.hears("INVITE")
        ok = bob.reply(request, 200, extra=SDP, body=description(1))
        await bob.hears("ACK")
        await call.answered()
        session = call.standing()
        nobody: Any = None
        dialog = Dialog(nobody, bob, request, ok)
        holding = asyncio.ensure_future(call.modify(session.negotiation.hold(), method=ours))
        asked = await bob.hears(ours)
        for number, has_offer in enumerate((True, False) if theirs == "INVITE" else (True,), start=1):
            body = description(2).decode() if has_offer else ""
            crossing = bob.within(theirs, dialog, cseq=number, extra=SDP if has_offer else "", body=body)
            refused = await bob.hears(f"491 {theirs}")
            if theirs == "INVITE":
                bob.ack(crossing, refused)
        bob.reply(asked, 200, extra=SDP, body=description(3, "a=recvonly\r\n"))
        if ours == "INVITE":
            await bob.hears("ACK")
        await holding
        assert session.negotiation.exchange.remote == SessionDescription.parse(description(3, "a=recvonly\r\n"))
        ending = asyncio.ensure_future(call.hang_up())
        bob.reply(await bob.hears("BYE"), 200)
        await ending

    on_stage(scenario)


def test_who_has_waited_for_one_thing_waits_for_what_began_meanwhile() -> None:
    """Alice's hold waits for the answer to her PRACK, and then for the ACK of the re-INVITE that came meanwhile (RFC 3261 §14.1)."""

    async def alice(call: OutgoingCall) -> None:
        await call
        await call.hold()

    async def bob(call: IncomingCall) -> None:
        await call.ring(reliable=True)
        await call.answer()
        await at(0.7)
        await call.modify(None)

    race = play(alice, bob, fates={"200 PRACK": [LOST]})
    assert race.callee.is_held
    race.shows("""
                    Alice                     Bob
0.000                 │─────── INVITE ────────▶│
0.100                 │◀───── 180 INVITE ──────│
0.200                 │──────── PRACK ────────▶│
0.300                 │◀── 200 PRACK (lost) ───│
0.300                 │◀───── 200 INVITE ──────│
0.400                 │───────── ACK ─────────▶│
0.700                 │──────── PRACK ────────▶│
0.700                 │◀────── re-INVITE ──────│
0.800                 │◀────── 200 PRACK ──────│
0.800                 │───── 200 INVITE ──────▶│
0.900                 │◀───────── ACK ─────────│
1.000                 │────── re-INVITE ──────▶│
1.100                 │◀───── 200 INVITE ──────│
1.200                 │───────── ACK ─────────▶│
""")


# Around the BYE.


@pytest.mark.parametrize(
    ("kind", "verb"),
    [
        ("re-INVITE", lambda call: call.hold()),
        ("UPDATE", lambda call: call.modify(None, method="UPDATE")),
        ("INFO", lambda call: call.send_digits("1")),
        ("OPTIONS", lambda call: call.send_request("OPTIONS")),
    ],
)
def test_whatever_crosses_the_bye_gets_481(kind: str, verb: Callable[[OutgoingCall], Awaitable[object]]) -> None:
    """And whoever waited for an answer hears that the call has ended."""

    async def alice(call: OutgoingCall) -> None:
        await call
        await at(5)
        await verb(call)

    async def bob(call: IncomingCall) -> None:
        await call.answer()
        await at(5)
        await call.hang_up()

    race = play(alice, bob)
    assert [str(error) for error in race.heard] == ["the peer hung up"]
    assert f"481 {kind.removeprefix('re-')}" in race.kinds("Bob")


def test_both_hang_up_and_one_bye_is_lost() -> None:
    """Its repetition comes when the other one has long been answered, and gets its 200 too."""

    async def both(call: OutgoingCall | IncomingCall) -> None:
        await at(5)
        await call.hang_up()

    async def alice(call: OutgoingCall) -> None:
        await call
        await both(call)

    async def bob(call: IncomingCall) -> None:
        await call.answer()
        await both(call)

    race = play(alice, bob, fates={"BYE": [LOST]})
    assert race.kinds("Alice") == ["INVITE", "ACK", "BYE", "200 BYE", "BYE"]
    assert race.kinds("Bob") == ["200 INVITE", "BYE", "200 BYE"]


def test_a_second_bye_is_for_no_dialog() -> None:
    """RFC 3261 §15.1.2: 481, as any BYE that no dialog matches."""

    async def alice(call: OutgoingCall) -> None:
        await call
        session = call.standing()
        await call.hang_up()
        await asyncio.sleep(1)
        assert (await session.send_bye()).response is not None

    async def bob(call: IncomingCall) -> None:
        await call.answer()

    race = play(alice, bob)
    assert race.kinds("Bob") == ["200 INVITE", "200 BYE", "481 BYE"]
