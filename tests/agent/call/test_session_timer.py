"""Session timers, both sides and both roles (RFC 4028)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ringback import CallRejected, IncomingCall, OutgoingCall, Request, Response
from ringback.agent.call.session_timer import Interval
from ringback.sdp.description import SessionDescription
from ringback.testing import Network
from tests.agent.stage import Stage, on_stage
from tests.server.party import Dialog, Party

DESCRIPTION = "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
SDP = "Content-Type: application/sdp"
KNOWS = "Supported: timer\n"
BOB = "sip:bob@192.0.2.1"


def texts(message: Request | Response) -> tuple[str | None, str | None]:
    """Session-Expires and Min-SE as they stand in a message."""
    return message.headers.text("Session-Expires"), message.headers.text("Min-SE")


def now() -> float:
    """The time, in whole seconds since the stage was set."""
    return round(asyncio.get_running_loop().time())


# Alice is an agent and calls Bob, who is a test.


async def placed(stage: Stage, *, interval: Interval | None = None, **options: Any) -> tuple[OutgoingCall, Party, Request]:
    """A call of Alice's to Bob, and its INVITE as he hears it."""
    alice = await stage.agent("alice", **options)
    bob = await stage.party("bob", "alice")
    call = alice.call(bob.uri)
    if interval is not None:
        call.interval = interval
    await call.place()
    return call, bob, await bob.hears("INVITE")


async def answered(bob: Party, call: OutgoingCall, request: Request, extra: str = "") -> None:
    """Bob answers with a timer, or whatever the header lines say; Alice's ACK comes."""
    bob.reply(request, 200, extra=f"{SDP}\n{extra}".rstrip(), body=DESCRIPTION.encode())
    await bob.hears("ACK")
    await call.answered()


async def ends(bob: Party, call: OutgoingCall) -> None:
    """Alice hangs up."""
    ending = asyncio.ensure_future(call.hang_up())
    bob.reply(await bob.hears("BYE"), 200)
    await ending


def test_an_invite_asks_for_half_an_hour_and_every_request_says_that_timers_are_known() -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, request = await placed(stage)
        assert texts(request) == ("1800", None)
        assert "timer" in request.supported
        assert request.require == []
        await answered(bob, call, request)
        ending = asyncio.ensure_future(call.hang_up())
        bye = await bob.hears("BYE")
        assert "timer" in bye.supported
        assert texts(bye) == (None, None)
        bob.reply(bye, 200)
        await ending

    on_stage(scenario)


@pytest.mark.parametrize(
    ("options", "interval", "expected"),
    [
        ({"session_expires": 600}, None, ("600", None)),
        ({"session_expires": None}, None, (None, None)),
        ({"session_expires": 600, "min_se": 300}, None, ("600", "300")),
        ({}, Interval(7200), ("7200", None)),
        ({}, Interval(None), (None, None)),
    ],
)
def test_what_is_asked_for_is_the_programs_wish(options: dict[str, Any], interval: Interval | None, expected: object) -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, request = await placed(stage, interval=interval, **options)
        assert texts(request) == expected
        await answered(bob, call, request)
        await ends(bob, call)

    on_stage(scenario)


@pytest.mark.parametrize("options", [{"min_se": 89}, {"session_expires": 100, "min_se": 200}, {"session_expires": 60}])
def test_seconds_that_contradict_each_other_are_an_error(options: dict[str, Any]) -> None:
    async def scenario(stage: Stage) -> None:
        with pytest.raises(ValueError, match="session interval"):
            await stage.agent("alice", **options)

    on_stage(scenario)


@pytest.mark.parametrize("extra", ["", "Session-Expires: soon", "Session-Expires: 100;refresher=nobody"])
def test_with_a_peer_who_knows_no_timers_there_is_none(extra: str) -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, request = await placed(stage)
        await answered(bob, call, request, extra)
        assert call.session is not None
        assert call.session.timer is None
        await bob.hears_nothing(4000)
        await ends(bob, call)

    on_stage(scenario)


def test_a_422_is_answered_by_the_same_invite_with_what_it_asks_for() -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, first = await placed(stage, session_expires=100)
        bob.reply(first, 422, extra="Min-SE: 3600")
        await bob.hears("ACK")
        second = await bob.hears("INVITE")
        assert texts(second) == ("3600", "3600")
        bob.reply(second, 422, extra="Min-SE: 4000")
        await bob.hears("ACK")
        third = await bob.hears("INVITE")
        assert texts(third) == ("4000", "4000")
        assert [one.cseq.number for one in (first, second, third)] == [1, 2, 3]
        assert len({(one.call_id, str(one.from_), str(one.to), one.body) for one in (first, second, third)}) == 1
        await answered(bob, call, third, "Session-Expires: 4000;refresher=uac\nRequire: timer\nAllow: INVITE, UPDATE")
        # §7.4: with the dialog established, what others on other ways have said is forgotten.
        refresh = await bob.hears("UPDATE", within=2001)
        assert texts(refresh) == ("4000;refresher=uac", None)
        bob.reply(refresh, 200)
        await ends(bob, call)

    on_stage(scenario)


def test_who_asks_for_no_timer_and_hears_422_asks_for_the_least() -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, request = await placed(stage, session_expires=None)
        bob.reply(request, 422, extra="Min-SE: 200")
        await bob.hears("ACK")
        request = await bob.hears("INVITE")
        assert texts(request) == ("200", "200")
        await answered(bob, call, request)
        await ends(bob, call)

    on_stage(scenario)


def test_who_always_wants_more_is_not_asked_for_ever() -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, request = await placed(stage)
        for more in range(10):
            bob.reply(request, 422, extra=f"Min-SE: {2000 + more}")
            await bob.hears("ACK")
            request = await bob.hears("INVITE")
        bob.reply(request, 422, extra="Min-SE: 3000")
        await bob.hears("ACK")
        with pytest.raises(CallRejected) as raised:
            await call.answered()
        assert raised.value.status == 422

    on_stage(scenario)


@pytest.mark.parametrize("extra", ["", "Min-SE: much", "Min-SE: 0"])
def test_a_422_that_asks_for_nothing_new_is_a_refusal(extra: str) -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, request = await placed(stage)
        bob.reply(request, 422, extra=extra)
        await bob.hears("ACK")
        with pytest.raises(CallRejected) as raised:
            await call.answered()
        assert raised.value.status == 422

    on_stage(scenario)


@pytest.mark.parametrize("refresher", [";refresher=uac", ""])
def test_the_caller_refreshes_by_update_at_half_the_interval(refresher: str) -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, request = await placed(stage)
        await answered(bob, call, request, f"Session-Expires: 600{refresher}\nAllow: INVITE, UPDATE")
        for count in (1, 2, 3):
            refresh = await bob.hears("UPDATE")
            assert now() == count * 300
            assert texts(refresh) == ("600;refresher=uac", None)
            assert refresh.body == b""
            assert refresh.contact is not None
            bob.reply(refresh, 200, extra="Session-Expires: 600;refresher=uac\nRequire: timer")
        await ends(bob, call)

    on_stage(scenario)


def test_it_refreshes_by_reinvite_where_update_is_not_allowed_and_says_that_nothing_changed() -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, request = await placed(stage)
        await answered(bob, call, request, "Session-Expires: 600;refresher=uac")
        refresh = await bob.hears("INVITE")
        assert now() == 300
        assert texts(refresh) == ("600;refresher=uac", None)
        assert refresh.body == request.body
        bob.reply(refresh, 200, extra=f"{SDP}\nSession-Expires: 600;refresher=uac", body=DESCRIPTION.encode())
        await bob.hears("ACK")
        await ends(bob, call)

    on_stage(scenario)


def test_where_update_is_refused_as_unknown_a_reinvite_follows() -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, request = await placed(stage)
        await answered(bob, call, request, "Session-Expires: 600;refresher=uac\nAllow: INVITE, UPDATE")
        bob.reply(await bob.hears("UPDATE"), 405)
        bob.reply(await bob.hears("INVITE"), 200, extra=SDP, body=DESCRIPTION.encode())
        await bob.hears("ACK")
        await ends(bob, call)

    on_stage(scenario)


def test_a_2xx_without_an_interval_turns_the_timer_off() -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, request = await placed(stage)
        await answered(bob, call, request, "Session-Expires: 600;refresher=uac\nAllow: INVITE, UPDATE")
        bob.reply(await bob.hears("UPDATE"), 200)
        await bob.hears_nothing(4000)
        await ends(bob, call)

    on_stage(scenario)


@pytest.mark.parametrize(("interval", "after"), [(600, 568), (90, 60)])
def test_where_the_peer_should_refresh_and_does_not_the_session_ends_in_time(interval: int, after: int) -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, request = await placed(stage)
        await answered(bob, call, request, f"Session-Expires: {interval};refresher=uas\nRequire: timer")
        bye = await bob.hears("BYE")
        assert now() == after
        assert "cause=408" in bye.headers.text("Reason")
        bob.reply(bye, 200)
        assert await call.ended() == "the session expired"

    on_stage(scenario)


def test_a_422_to_a_refresh_is_answered_by_a_longer_one_and_remembered() -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, request = await placed(stage)
        await answered(bob, call, request, "Session-Expires: 600;refresher=uac\nAllow: INVITE, UPDATE")
        bob.reply(await bob.hears("UPDATE"), 422, extra="Min-SE: 900")
        again = await bob.hears("UPDATE")
        assert now() == 300
        assert texts(again) == ("900;refresher=uac", "900")
        bob.reply(again, 200, extra="Session-Expires: 900;refresher=uac")
        later = await bob.hears("UPDATE")
        assert now() == 750
        assert texts(later) == ("900;refresher=uac", "900")
        bob.reply(later, 200)
        await ends(bob, call)

    on_stage(scenario)


@pytest.mark.parametrize("status", [481, 408, None])
def test_a_refresh_that_says_the_session_is_gone_ends_it_by_a_bye(status: int | None) -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, request = await placed(stage)
        await answered(bob, call, request, "Session-Expires: 600;refresher=uac\nAllow: INVITE, UPDATE")
        refresh = await bob.hears("UPDATE")
        if status is None:
            await asyncio.sleep(33)
            assert set(bob.kinds()) == {"UPDATE", "BYE"}
        else:
            bob.reply(refresh, status)
            bob.reply(await bob.hears("BYE"), 481)
        assert call.is_over

    on_stage(scenario)


def test_a_refresh_that_is_refused_is_tried_again_less_and_less_until_the_session_ends() -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, request = await placed(stage)
        await answered(bob, call, request, "Session-Expires: 600;refresher=uac\nAllow: INVITE, UPDATE")
        times = []
        for _ in range(5):
            bob.reply(await bob.hears("UPDATE"), 500)
            times.append(now())
        # The end is at 568 s; each attempt comes in half the time that is left.
        assert times == [300, 434, 501, 535, 551]
        bob.reply(await bob.hears("BYE"), 200)
        assert now() == 568
        assert call.reason == "the session expired"

    on_stage(scenario)


def test_what_modifies_the_session_refreshes_it_too() -> None:
    async def scenario(stage: Stage) -> None:
        call, bob, request = await placed(stage)
        await answered(bob, call, request, "Session-Expires: 600;refresher=uas")
        await asyncio.sleep(400)
        holding = asyncio.ensure_future(call.hold())
        hold = await bob.hears("INVITE")
        assert texts(hold) == ("600;refresher=uas", None)
        answer = DESCRIPTION.replace("1 1 IN", "1 2 IN") + "a=recvonly\r\n"
        bob.reply(hold, 200, extra=f"{SDP}\nSession-Expires: 600;refresher=uas", body=answer.encode())
        await bob.hears("ACK")
        await holding
        bob.reply(await bob.hears("BYE"), 200)
        assert now() == 968

    on_stage(scenario)


# Bob is an agent and called by Alice, who is a test.


async def called(
    stage: Stage, extra: str, *, on_call: Callable[[IncomingCall], Awaitable[Any]] | None = None, **options: Any
) -> tuple[Party, Request]:
    """Alice's INVITE to Bob, who answers."""

    async def answer(call: IncomingCall) -> None:
        await call.answer()
        await call.ended()

    await stage.agent("bob", on_call=on_call or answer, **options)
    alice = await stage.party("alice", "bob")
    return alice, alice.ask("INVITE", BOB, extra=extra + SDP, body=DESCRIPTION)


async def standing(alice: Party, request: Request) -> Dialog:
    """The dialog, once the 200 was acknowledged."""
    dialog = Dialog(alice, alice, request, await alice.hears("200 INVITE"))
    alice.within("ACK", dialog, cseq=1)
    return dialog


async def hang_up(alice: Party, dialog: Dialog) -> None:
    """Alice's BYE, answered."""
    alice.within("BYE", dialog, cseq=99)
    await alice.hears("200 BYE")


# Table 2 of §9, and §9's bounds: what Alice says, what Bob wants, what he answers and requires.
@pytest.mark.parametrize(
    ("extra", "wanted", "expected", "required"),
    [
        ("", 1800, None, []),
        ("Session-Expires: 3600\n", 1800, "1800;refresher=uas", []),
        ("Session-Expires: 60\n", 1800, "60;refresher=uas", []),
        (KNOWS, None, None, []),
        (KNOWS, 1800, "1800;refresher=uas", ["timer"]),
        (KNOWS + "Min-SE: 2400\n", 1800, "2400;refresher=uas", ["timer"]),
        (KNOWS + "Session-Expires: 600\n", 1800, "600;refresher=uac", ["timer"]),
        (KNOWS + "Session-Expires: 600;refresher=uac\n", 1800, "600;refresher=uac", ["timer"]),
        (KNOWS + "Session-Expires: 600;refresher=UAS\n", 1800, "600;refresher=uas", ["timer"]),
        (KNOWS + "x: 3600\nMin-SE: 2000\n", 1800, "2000;refresher=uac", ["timer"]),
        (KNOWS + "Session-Expires: 3600\n", None, "3600;refresher=uac", ["timer"]),
        ("Require: timer\nSupported: timer\nSession-Expires: 90\n", 1800, "90;refresher=uac", ["timer"]),
    ],
)
def test_the_2xx_says_who_refreshes_and_when(extra: str, wanted: int | None, expected: str | None, required: list[str]) -> None:
    async def scenario(stage: Stage) -> None:
        alice, request = await called(stage, extra, session_expires=wanted)
        dialog = await standing(alice, request)
        assert texts(dialog.ok) == (expected, None)
        assert dialog.ok.require == required
        await hang_up(alice, dialog)

    on_stage(scenario)


def test_a_call_may_want_something_else_than_its_agent() -> None:
    async def scenario(stage: Stage) -> None:
        async def brief(call: IncomingCall) -> None:
            call.interval = Interval(240)
            await call.answer()
            await call.ended()

        alice, request = await called(stage, KNOWS + "Session-Expires: 600\n", on_call=brief)
        dialog = await standing(alice, request)
        assert texts(dialog.ok) == ("240;refresher=uac", None)
        await hang_up(alice, dialog)

    on_stage(scenario)


def test_an_interval_shorter_than_ours_gets_422_where_the_caller_knows_what_that_means() -> None:
    async def scenario(stage: Stage) -> None:
        alice, request = await called(stage, KNOWS + "Session-Expires: 299\n", min_se=300)
        refused = await alice.hears("422 INVITE")
        assert texts(refused) == (None, "300")
        alice.ack(request, refused)
        request = alice.ask("INVITE", BOB, extra="Session-Expires: 299\n" + SDP, body=DESCRIPTION)
        dialog = await standing(alice, request)
        assert texts(dialog.ok) == ("299;refresher=uas", None)
        for method in ("UPDATE", "INVITE"):
            cseq = 2 if method == "UPDATE" else 3
            refresh = alice.within(method, dialog, cseq=cseq, extra=KNOWS + "Session-Expires: 100\nContact: <sip:alice@192.0.2.2>")
            refused = await alice.hears(f"422 {method}")
            assert texts(refused) == (None, "300")
            if method == "INVITE":
                alice.ack(refresh, refused)
        await hang_up(alice, dialog)

    on_stage(scenario)


@pytest.mark.parametrize("field", ["Session-Expires: soon", "Min-SE: 3 s", "Session-Expires: 100;refresher=me"])
def test_a_malformed_interval_gets_400(field: str) -> None:
    async def scenario(stage: Stage) -> None:
        alice, request = await called(stage, f"{KNOWS}{field}\n")
        alice.ack(request, await alice.hears("400 INVITE"))

    on_stage(scenario)


def test_the_callee_refreshes_where_that_falls_to_it() -> None:
    async def scenario(stage: Stage) -> None:
        alice, request = await called(stage, "Allow: INVITE, UPDATE\nSession-Expires: 600\n")
        dialog = await standing(alice, request)
        for count in (1, 2):
            refresh = await alice.hears("UPDATE")
            assert now() == count * 300
            assert texts(refresh) == ("600;refresher=uac", None)
            alice.reply(refresh, 200, extra="Session-Expires: 600;refresher=uac")
        await hang_up(alice, dialog)

    on_stage(scenario)


def test_refreshes_of_the_callers_keep_the_session_and_their_absence_ends_it() -> None:
    async def scenario(stage: Stage) -> None:
        alice, request = await called(stage, KNOWS + "Session-Expires: 600\n")
        dialog = await standing(alice, request)
        for cseq in (2, 3):
            await asyncio.sleep(300)
            extra = KNOWS + "Session-Expires: 600;refresher=uac\nMin-SE: 120\nContact: <sip:alice@192.0.2.2>"
            alice.within("UPDATE", dialog, cseq=cseq, extra=extra)
            ok = await alice.hears("200 UPDATE")
            assert texts(ok) == ("600;refresher=uac", None)
            assert ok.require == ["timer"]
        alice.reply(await alice.hears("BYE"), 200)
        assert now() == 600 + 568

    on_stage(scenario)


def test_the_roles_stay_whoever_asks_and_min_se_is_remembered() -> None:
    """§7.4: what Alice's refresh named as the least stands in Bob's own requests from then on."""

    async def scenario(stage: Stage) -> None:
        async def holds_later(call: IncomingCall) -> None:
            await call.answer()
            await asyncio.sleep(200)
            await call.hold()
            await call.ended()

        alice, request = await called(stage, KNOWS + "Session-Expires: 600\nMin-SE: 120\n", on_call=holds_later)
        dialog = await standing(alice, request)
        hold = await alice.hears("INVITE")
        assert texts(hold) == ("600;refresher=uas", "120")
        answer = DESCRIPTION.replace("1 1 IN", "1 2 IN") + "a=recvonly\r\n"
        alice.reply(hold, 200, extra=f"{SDP}\nSession-Expires: 600;refresher=uas\nRequire: timer", body=answer.encode())
        await alice.hears("ACK")
        await asyncio.sleep(500)
        refresh = alice.within("INVITE", dialog, cseq=2, extra=KNOWS + "Session-Expires: 600;refresher=uas\nContact: <sip:alice@192.0.2.2>")
        ok = await alice.hears("200 INVITE")
        assert texts(ok) == ("600;refresher=uas", None)
        # Alice's ACK has the answer to the offer that her own re-INVITE asked for.
        again = Dialog(alice, alice, refresh, ok)
        answer = SessionDescription.parse(ok.body).media[0].direction
        assert answer == "sendonly"
        alice.within("ACK", again, cseq=2, extra=SDP, body=DESCRIPTION.replace("1 1 IN", "1 3 IN") + "a=recvonly\r\n")
        # Now it is Bob who refreshes.
        bye_or_refresh = await alice.hears("INVITE")
        assert now() == 1000
        alice.reply(bye_or_refresh, 200, extra=SDP, body=(DESCRIPTION.replace("1 1 IN", "1 3 IN") + "a=recvonly\r\n").encode())
        await alice.hears("ACK")
        await hang_up(alice, dialog)

    on_stage(scenario)


def test_a_refresh_without_an_interval_turns_the_timer_off() -> None:
    async def scenario(stage: Stage) -> None:
        alice, request = await called(stage, KNOWS + "Session-Expires: 600\n", session_expires=None)
        dialog = await standing(alice, request)
        alice.within("UPDATE", dialog, cseq=2, extra=KNOWS + "Contact: <sip:alice@192.0.2.2>")
        assert texts(await alice.hears("200 UPDATE")) == (None, None)
        await alice.hears_nothing(4000)
        await hang_up(alice, dialog)

    on_stage(scenario)


def test_a_refresh_that_is_refused_while_the_peer_refreshes_is_not_tried_again() -> None:
    async def scenario(stage: Stage) -> None:
        alice, request = await called(stage, "Allow: INVITE, UPDATE\nSession-Expires: 600\n")
        dialog = await standing(alice, request)
        ours = await alice.hears("UPDATE")
        extra = KNOWS + "Session-Expires: 600;refresher=uac\nContact: <sip:alice@192.0.2.2>"
        alice.within("UPDATE", dialog, cseq=2, extra=extra)
        await alice.hears("200 UPDATE")
        alice.reply(ours, 500)
        alice.reply(await alice.hears("BYE"), 200)
        assert now() == 300 + 568

    on_stage(scenario)


# Two agents.


@pytest.mark.parametrize("seed", range(8))
def test_two_agents_keep_their_session_for_hours_over_a_network_that_loses_a_quarter(seed: int) -> None:
    async def listen(call: IncomingCall) -> None:
        await call.answer()
        await call.ended()

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=listen)
        async with alice.call(stage.uri("bob")) as call:
            await asyncio.sleep(3 * 3600)
            assert not call.is_over

    stage = on_stage(scenario, Network(loss=0.25, seed=seed))
    refreshes = {one.cseq.number for one in stage.messages(Request) if one.method == "UPDATE"}
    assert len(refreshes) == 11


def test_a_session_whose_peer_vanished_is_given_up() -> None:
    ends = []

    async def listen(call: IncomingCall) -> None:
        await call.answer()
        ends.append(await call.ended())

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=listen)
        call = await alice.call(stage.uri("bob"))
        stage.network.cut("192.0.2.1", "192.0.2.2")
        assert await call.ended() == "408 to our UPDATE"
        assert now() == 932
        await asyncio.sleep(1000)
        assert ends == ["the session expired"]
        stage.network.heal("192.0.2.1", "192.0.2.2")

    on_stage(scenario)
