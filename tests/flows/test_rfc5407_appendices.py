"""RFC 5407, appendices A to E: BYE in an early dialog, BYE over a re-INVITE, CANCEL, the time after a BYE, and forks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from ringback import CallRejected, IncomingCall, OutgoingCall, Request, Response, UserAgent
from tests.agent.stage import Stage, on_stage
from tests.flows.races import LOST, at, play
from tests.server.party import Dialog, Party

SDP = "Content-Type: application/sdp"


def description() -> bytes:
    """One audio stream."""
    return b"v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 3456 RTP/AVP 0\r\n"


def forked(scenario: Callable[[OutgoingCall, Party, Request], Coroutine[Any, Any, None]], **options: Any) -> Stage:
    """Alice's INVITE has come to a proxy that forks: what it passes back bears the tag of A or of B. Gives the stage."""

    async def play_it(stage: Stage) -> None:
        alice: UserAgent = await stage.agent("alice", **options)
        proxy = await stage.party("proxy", "alice")
        call = alice.call(proxy.uri)
        await call.place()
        await scenario(call, proxy, await proxy.hears("INVITE"))

    return on_stage(play_it)


def accepts(proxy: Party, request: Request, tag: str) -> Response:
    """The 200 of one of the branches."""
    return proxy.reply(request, 200, tag=tag, extra=SDP, body=description())


# Appendix A.


def test_a_a_bye_ends_one_early_dialog_and_another_party_may_still_answer() -> None:
    """Alice wants no more of A; B answers, and that is the call."""

    async def scenario(call: OutgoingCall, proxy: Party, request: Request) -> None:
        proxy.reply(request, 180, tag="A")
        await asyncio.sleep(1)
        [early] = call.early_sessions
        ending = asyncio.ensure_future(early.hang_up())
        bye = await proxy.hears("BYE")
        assert bye.to_tag == "A"
        proxy.reply(bye, 200)
        await ending
        accepts(proxy, request, "B")
        await call.answered()
        ack = await proxy.hears("ACK")
        assert ack.to_tag == "B"
        assert call.is_answered
        ending = asyncio.ensure_future(call.hang_up())
        bye = await proxy.hears("BYE")
        assert bye.to_tag == "B"
        proxy.reply(bye, 200)
        await ending

    stage = forked(scenario)
    assert stage.said() == ["INVITE", "180 INVITE", "BYE", "200 BYE", "200 INVITE", "ACK", "BYE", "200 BYE"]


def test_a_the_callee_answers_the_pending_invite_with_487() -> None:
    async def alice(call: OutgoingCall) -> None:
        await call.place()
        await at(2)
        [early] = call.early_sessions
        await early.hang_up()
        with pytest.raises(CallRejected) as raised:
            await call
        assert raised.value.status == 487

    async def bob(call: IncomingCall) -> None:
        await call.ring()
        await call.ended()

    race = play(alice, bob)
    race.shows("""
                 Alice               Bob
0.000              │──── INVITE ─────▶│
0.100              │◀── 180 INVITE ───│
2.000              │────── BYE ──────▶│
2.100              │◀──── 200 BYE ────│
2.100              │◀── 487 INVITE ───│
2.200              │────── ACK ──────▶│
""")


# Appendix B.


@pytest.mark.parametrize("fate", [LOST, (0.7,)])
def test_b_a_reinvite_that_comes_after_the_bye(fate: tuple[float, ...]) -> None:
    """It is lost, or late: what comes of it after the BYE is for no dialog, 481."""

    async def alice(call: OutgoingCall) -> None:
        await call
        await at(5)
        asyncio.ensure_future(call.hold()).add_done_callback(lambda held: held.exception())
        await at(5.05)
        await call.hang_up()

    async def bob(call: IncomingCall) -> None:
        await call.answer()

    race = play(alice, bob, fates={"re-INVITE": [fate]})
    # What is late is a repetition by then, and so are its answer and the ACK of that.
    times = 1 if fate == LOST else 2
    assert race.kinds("Bob") == ["200 INVITE", "200 BYE", *["481 INVITE"] * times]
    assert race.kinds("Alice") == ["INVITE", "ACK", "re-INVITE", "BYE", "re-INVITE", *["ACK"] * times]
    if fate == LOST:
        race.shows("""
                    Alice                     Bob
0.000                 │─────── INVITE ────────▶│
0.100                 │◀───── 200 INVITE ──────│
0.200                 │───────── ACK ─────────▶│
5.000                 │── re-INVITE (lost) ───▶│
5.050                 │───────── BYE ─────────▶│
5.150                 │◀─────── 200 BYE ───────│
5.500                 │────── re-INVITE ──────▶│
5.600                 │◀───── 481 INVITE ──────│
5.700                 │───────── ACK ─────────▶│
""")


# Appendix C.


def test_c_a_cancel_before_the_answer_ends_the_call_with_487() -> None:
    async def alice(call: OutgoingCall) -> None:
        await call.place()
        await at(2)
        call.cancel()

    async def bob(call: IncomingCall) -> None:
        await call.ring()
        await at(5)
        await call.answer()

    race = play(alice, bob)
    assert [str(error) for error in race.heard] == ["the caller cancelled"]
    race.shows("""
                 Alice               Bob
0.000              │──── INVITE ─────▶│
0.100              │◀── 180 INVITE ───│
2.000              │──── CANCEL ─────▶│
2.100              │◀── 200 CANCEL ───│
2.100              │◀── 487 INVITE ───│
2.200              │────── ACK ──────▶│
""")


def test_c_a_cancel_after_the_answer_changes_nothing() -> None:
    """Bob's call stands until the BYE that follows; where that is late, so long."""

    async def alice(call: OutgoingCall) -> None:
        await call.place()
        await at(2)
        call.cancel()

    async def bob(call: IncomingCall) -> None:
        await call.ring()
        await at(2)
        await call.answer()
        await at(4)
        assert call.is_answered

    race = play(alice, bob, fates={"BYE": [(3.0,), (3.0,), (3.0,), (3.0,)]})
    assert race.kinds("Alice")[:4] == ["INVITE", "CANCEL", "ACK", "BYE"]
    assert race.callee.reason == "the peer hung up"


# Appendix D.


def test_d_a_2xx_that_is_repeated_after_the_bye_is_acknowledged_each_time() -> None:
    """For 64*T1 seconds; nothing else is said in the dialog, and a request within it gets 481."""

    async def scenario(call: OutgoingCall, proxy: Party, request: Request) -> None:
        ok = accepts(proxy, request, "A")
        await call.answered()
        await proxy.hears("ACK")
        ending = asyncio.ensure_future(call.hang_up())
        bye = await proxy.hears("BYE")
        for _ in range(3):
            await asyncio.sleep(0.1)
            accepts(proxy, request, "A")
            await proxy.hears("ACK")
        proxy.reply(bye, 200)
        await ending
        for seconds in (1, 28):
            await asyncio.sleep(seconds)
            accepts(proxy, request, "A")
            await proxy.hears("ACK")
        nobody: Any = None
        for number, method in enumerate(("INFO", "UPDATE", "INVITE"), start=1):
            asked = proxy.within(method, Dialog(nobody, proxy, request, ok), cseq=number)
            refused = await proxy.hears(f"481 {method}")
            if method == "INVITE":
                proxy.ack(asked, refused)

    forked(scenario)


def test_d_a_bye_that_is_challenged_is_sent_again_with_credentials() -> None:
    async def scenario(call: OutgoingCall, proxy: Party, request: Request) -> None:
        accepts(proxy, request, "A")
        await call.answered()
        await proxy.hears("ACK")
        ending = asyncio.ensure_future(call.hang_up())
        first = await proxy.hears("BYE")
        assert call.is_over
        proxy.reply(first, 407, extra='Proxy-Authenticate: Digest realm="example.com", nonce="1", qop="auth"')
        second = await proxy.hears("BYE")
        assert second.cseq.number == first.cseq.number + 1
        assert "proxy-authorization" in second.headers.keys
        proxy.reply(second, 200)
        await ending

    stage = forked(scenario, password="secret", realm="example.com", proxy="sip:192.0.2.2")
    assert stage.said() == ["INVITE", "200 INVITE", "ACK", "BYE", "407 BYE", "BYE", "200 BYE"]


# Appendix E.


def test_e_figure_4_early_dialogs_that_are_not_answered_end_64_t1_after_the_answer() -> None:
    async def scenario(call: OutgoingCall, proxy: Party, request: Request) -> None:
        for tag in ("A", "B"):
            proxy.reply(request, 180, tag=tag)
        await asyncio.sleep(1)
        early = {str(session.dialog.remote_tag): session for session in call.early_sessions}
        assert set(early) == {"A", "B"}
        accepts(proxy, request, "A")
        await call.answered()
        await proxy.hears("ACK")
        await asyncio.sleep(31)
        assert not early["B"].is_over
        await asyncio.sleep(2)
        assert early["B"].has_ended()
        assert call.is_answered
        assert len(call.core.dialogs) == 1
        await hang_up(call, proxy)

    forked(scenario)


@pytest.mark.parametrize("rings", [True, False])
def test_e_figures_5_and_6_who_answers_second_is_acknowledged_and_hung_up_on(rings: bool) -> None:
    """Whether it has rung before (figure 5) or not (figure 6)."""

    async def scenario(call: OutgoingCall, proxy: Party, request: Request) -> None:
        for tag in ("A", "B") if rings else ("A",):
            proxy.reply(request, 180, tag=tag)
        await asyncio.sleep(1)
        accepts(proxy, request, "A")
        await call.answered()
        assert (await proxy.hears("ACK")).to_tag == "A"
        await asyncio.sleep(20)
        accepts(proxy, request, "B")
        assert (await proxy.hears("ACK")).to_tag == "B"
        bye = await proxy.hears("BYE")
        assert bye.to_tag == "B"
        proxy.reply(bye, 200)
        await asyncio.sleep(20)
        assert call.is_answered
        assert call.session is not None
        assert call.session.dialog.remote_tag == "A"
        await hang_up(call, proxy)

    stage = forked(scenario)
    branches = ["180 INVITE", "180 INVITE"] if rings else ["180 INVITE"]
    hung_up = ["BYE", "200 BYE"]
    assert stage.said() == ["INVITE", *branches, "200 INVITE", "ACK", "200 INVITE", "ACK", *hung_up, *hung_up]


def test_e_figure_7_a_provisional_response_after_the_2xx_is_not_heard() -> None:
    """RFC 6026 §7.2 came after that figure: once a 2xx has come, the INVITE's transaction passes on 2xx alone. Nothing is left of it."""

    async def scenario(call: OutgoingCall, proxy: Party, request: Request) -> None:
        accepts(proxy, request, "A")
        await call.answered()
        await proxy.hears("ACK")
        proxy.reply(request, 180, tag="B", extra="Require: 100rel\nRSeq: 1")
        await proxy.hears_nothing(1)
        assert len(call.core.dialogs) == 1
        await hang_up(call, proxy)

    forked(scenario)


async def hang_up(call: OutgoingCall, proxy: Party) -> None:
    """Alice hangs up, and the proxy says yes."""
    ending = asyncio.ensure_future(call.hang_up())
    proxy.reply(await proxy.hears("BYE"), 200)
    await ending
