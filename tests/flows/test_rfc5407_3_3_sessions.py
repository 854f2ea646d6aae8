"""RFC 5407 §3.3: offers that cross each other, and a REFER that crosses the BYE."""

from __future__ import annotations

import pytest

from ringback import IncomingCall, OutgoingCall, TransferFailed
from ringback.agent.call import modification
from tests.flows.races import at, play


@pytest.fixture(autouse=True)
def chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Halfway: after a 491 the caller waits 3.05 seconds, the callee one (RFC 3261 §14.1)."""
    monkeypatch.setattr(modification, "_chance", lambda: 0.5)


def test_3_3_1_two_reinvites_cross() -> None:
    """491 to both; Bob, whose Call-ID it is not, comes again first, and Alice's hold is the last word."""

    async def alice(call: OutgoingCall) -> None:
        await call
        await at(5)
        await call.hold()

    async def bob(call: IncomingCall) -> None:
        await call.ring()
        await at(1)
        await call.answer()
        await at(5)
        # A refresh: the RFC's has no offer the first time, and one the second.
        await call.modify(None)

    race = play(alice, bob)
    race.follows("3.3.1")
    assert race.callee.is_held
    assert not race.caller.is_held
    race.shows("""
                 Alice               Bob
0.000              │──── INVITE ─────▶│
0.100              │◀── 180 INVITE ───│
1.000              │◀── 200 INVITE ───│
1.100              │────── ACK ──────▶│
5.000              │─── re-INVITE ───▶│
5.000              │◀─── re-INVITE ───│
5.100              │◀── 491 INVITE ───│
5.100              │── 491 INVITE ───▶│
5.200              │────── ACK ──────▶│
5.200              │◀────── ACK ──────│
6.200              │◀─── re-INVITE ───│
6.300              │── 200 INVITE ───▶│
6.400              │◀────── ACK ──────│
8.250              │─── re-INVITE ───▶│
8.350              │◀── 200 INVITE ───│
8.450              │────── ACK ──────▶│
""")


def test_3_3_1_two_holds_cross() -> None:
    """Each gets its way: both hold, and nobody sends."""

    async def alice(call: OutgoingCall) -> None:
        await call
        await at(5)
        await call.hold()

    async def bob(call: IncomingCall) -> None:
        await call.answer()
        await at(5)
        await call.hold()

    race = play(alice, bob)
    assert race.callee.is_held
    assert race.caller.is_held
    assert race.kinds("Alice").count("re-INVITE") == race.kinds("Bob").count("re-INVITE") == 2


def test_3_3_2_an_update_and_a_reinvite_cross() -> None:
    """Both have offers, so it is 491 to both."""

    async def alice(call: OutgoingCall) -> None:
        await call
        await at(5)
        assert call.session is not None
        await call.modify(call.session.negotiation.hold(), method="UPDATE")

    async def bob(call: IncomingCall) -> None:
        await call.ring()
        await at(1)
        await call.answer()
        await at(5)
        assert call.session is not None
        await call.modify(call.session.negotiation.in_force())

    race = play(alice, bob)
    # The details have Alice send the ACK, where the figure has Bob: the re-INVITE is his.
    race.follows("3.3.2", corrected={"F9": ("ACK", "Bob", "Alice")})
    assert race.callee.is_held
    race.shows("""
                 Alice               Bob
0.000              │──── INVITE ─────▶│
0.100              │◀── 180 INVITE ───│
1.000              │◀── 200 INVITE ───│
1.100              │────── ACK ──────▶│
5.000              │──── UPDATE ─────▶│
5.000              │◀─── re-INVITE ───│
5.100              │◀── 491 UPDATE ───│
5.100              │── 491 INVITE ───▶│
5.200              │◀────── ACK ──────│
6.200              │◀─── re-INVITE ───│
6.300              │── 200 INVITE ───▶│
6.400              │◀────── ACK ──────│
8.250              │──── UPDATE ─────▶│
8.350              │◀── 200 UPDATE ───│
""")


def test_3_3_2_two_updates_with_offers_cross() -> None:
    """The same: 491 to both."""

    async def hold(call: OutgoingCall | IncomingCall) -> None:
        await at(5)
        assert call.session is not None
        await call.modify(call.session.negotiation.hold(), method="UPDATE")

    async def alice(call: OutgoingCall) -> None:
        await call
        await hold(call)

    async def bob(call: IncomingCall) -> None:
        await call.answer()
        await hold(call)

    race = play(alice, bob)
    race.shows("""
                 Alice               Bob
0.000              │──── INVITE ─────▶│
0.100              │◀── 200 INVITE ───│
0.200              │────── ACK ──────▶│
5.000              │──── UPDATE ─────▶│
5.000              │◀──── UPDATE ─────│
5.100              │◀── 491 UPDATE ───│
5.100              │── 491 UPDATE ───▶│
6.200              │◀──── UPDATE ─────│
6.300              │── 200 UPDATE ───▶│
8.250              │──── UPDATE ─────▶│
8.350              │◀── 200 UPDATE ───│
""")


@pytest.mark.parametrize("other", ["INVITE", "UPDATE"])
@pytest.mark.parametrize("has_offer", [True, False])
def test_3_3_2_an_update_that_only_refreshes_hinders_nobody(other: str, has_offer: bool) -> None:
    """Both succeed where one of the two offers nothing; a re-INVITE without an offer asks for one, and that is an offer too."""

    async def alice(call: OutgoingCall) -> None:
        await call
        await at(5)
        await call.modify(None, method="UPDATE")

    async def bob(call: IncomingCall) -> None:
        await call.answer()
        await at(5)
        assert call.session is not None
        await call.modify(call.session.negotiation.hold() if has_offer else None, method=other)

    race = play(alice, bob)
    assert not [kind for name in ("Alice", "Bob") for kind in race.kinds(name) if kind[:2] in ("49", "50")]
    assert race.messages("UPDATE")[0].body == b""
    assert len(race.messages("200 UPDATE")) == len(race.messages("UPDATE"))
    assert race.caller.is_held is has_offer


def test_3_3_3_a_refer_after_the_bye() -> None:
    """481, and the subscription that the REFER would have begun is none."""

    async def alice(call: OutgoingCall) -> None:
        await call
        await at(5)
        await call.hang_up()

    async def bob(call: IncomingCall) -> None:
        await call.ring()
        await at(1)
        await call.answer()
        await at(5)
        with pytest.raises(TransferFailed) as failed:
            await call.transfer("sip:carol@192.0.2.9")
        assert failed.value.status == 481

    race = play(alice, bob)
    race.follows("3.3.3")
    race.shows("""
                 Alice               Bob
0.000              │──── INVITE ─────▶│
0.100              │◀── 180 INVITE ───│
1.000              │◀── 200 INVITE ───│
1.100              │────── ACK ──────▶│
5.000              │◀───── REFER ─────│
5.000              │────── BYE ──────▶│
5.100              │─── 481 REFER ───▶│
5.100              │◀──── 200 BYE ────│
""")
