"""INFO: packages, digits, and what is older than both (RFC 6086)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ringback import CallEnded, IncomingCall, IncomingInfo, Refused, Request, RequestRejected, UserAgent
from ringback.agent.call.dtmf_info import PLAIN, RELAY
from tests.agent.call.test_incoming_call import BOB, OFFER, SDP, acknowledged
from tests.agent.stage import Stage, on_stage
from tests.server.party import Dialog, Party


async def answer(call: IncomingCall) -> None:
    """Answers and listens until the end."""
    await call.answer()
    await call.ended()


def sent(stage: Stage, method: str) -> list[Request]:
    """Every request of a method that arrived."""
    return [message for message in stage.messages(Request) if message.method == method]


async def cast(stage: Stage, on_call: Callable[[IncomingCall], Awaitable[None]] = answer, **options: Any) -> tuple[UserAgent, Party]:
    """Bob, an agent, and Alice, who is a test."""
    bob = await stage.agent("bob", on_call=on_call, **options)
    return bob, await stage.party("alice", "bob")


async def called(alice: Party, extra: str = "") -> Dialog:
    """A call of Alice's that Bob has answered."""
    return await acknowledged(alice, alice.ask("INVITE", BOB, body=OFFER, extra=f"{SDP}{extra}"))


# Digits.


@pytest.mark.parametrize("content_type", [RELAY, PLAIN])
def test_digits_are_pressed_and_read_in_their_order(content_type: str) -> None:
    read = []

    async def menu(call: IncomingCall) -> None:
        await call.answer()
        read.append(await call.read_digit(timeout=5))
        async for digit in call.digits():
            read.append(digit)

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=menu)
        async with alice.call(stage.uri("bob")) as call:
            begun = asyncio.get_running_loop().time()
            await call.send_digits("12 3-#a", duration=250, content_type=content_type)
            assert asyncio.get_running_loop().time() - begun == pytest.approx(4 * 0.3, abs=0.05)
            with pytest.raises(ValueError, match="no digit: 'X'"):
                await call.send_digits("1x")

    stage = on_stage(scenario)
    assert read == ["1", "2", "3", "#", "A"]
    infos = sent(stage, "INFO")
    assert [info.content_type.essence for info in infos] == [content_type] * 5
    for info in infos:
        assert "Info-Package" not in info.headers
        assert "Recv-Info" not in info.headers
        assert "Contact" not in info.headers


def test_where_no_digit_comes_in_time_there_is_none_and_the_end_of_the_call_is_an_exception() -> None:
    told: list[object] = []

    async def patient(call: IncomingCall) -> None:
        await call.answer()
        told.append(await call.read_digit(timeout=2))
        try:
            await call.read_digit()
        except CallEnded as ended:
            told.append(ended.reason)
            raise

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=patient)
        async with alice.call(stage.uri("bob")) as call:
            reading = asyncio.ensure_future(call.read_digit())
            await asyncio.sleep(10)
        with pytest.raises(CallEnded):
            await reading
        with pytest.raises(CallEnded):
            await call.read_digit()
        with pytest.raises(CallEnded):
            await call.send_digits("1")

    on_stage(scenario)
    assert told == [None, "the peer hung up"]


def test_digits_wait_for_who_reads_them_and_nobody_can_press_too_many() -> None:
    calls = []

    async def busy(call: IncomingCall) -> None:
        calls.append(call)
        await answer(call)

    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, busy)
        dialog = await called(alice)
        for number in range(2, 302):
            alice.within("INFO", dialog, cseq=number, extra=f"Content-Type: {PLAIN}", body=str(number % 10))
            await alice.hears("200 INFO")
        [call] = calls
        assert [await call.read_digit(timeout=1) for _ in range(257)] == [str(number % 10) for number in range(2, 258)] + [None]
        first, second = asyncio.ensure_future(call.read_digit()), asyncio.ensure_future(call.read_digit())
        await asyncio.sleep(0)
        first.cancel()
        alice.within("INFO", dialog, cseq=302, extra=f"Content-Type: {RELAY}", body="Signal=9\r\nDuration=1\r\n")
        await alice.hears("200 INFO")
        assert await second == "9"
        alice.within("BYE", dialog, cseq=303)
        await alice.hears("200 BYE")

    on_stage(scenario)


def test_a_digit_that_comes_in_the_moment_its_reader_is_called_away_is_not_lost() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=answer)
        async with alice.call(stage.uri("bob")) as call:
            reading = asyncio.ensure_future(call.read_digit())
            await asyncio.sleep(0)
            call.take_digit("7")
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            assert await call.read_digit() == "7"

    on_stage(scenario)


@pytest.mark.parametrize(
    ("extra", "body", "status"),
    [
        (f"Content-Type: {RELAY}", "Signal=x", 400),
        (f"Content-Type: {PLAIN}", "", 200),
        (f"Content-Type: {PLAIN}", "99", 400),
        ("Content-Type: application/unheard-of", "x", 415),
        ("", "x", 415),
        ("Content-Type: rubbish", "x", 400),
        ("", "", 200),
        (f"Content-Type: {RELAY}\nContent-Encoding: gzip", "Signal=1", 415),
    ],
)
def test_an_info_without_package_is_taken_where_it_is_a_digit_or_nothing(extra: str, body: str, status: int) -> None:
    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage)
        dialog = await called(alice)
        alice.within("INFO", dialog, cseq=2, extra=extra, body=body)
        response = await alice.hears(f"{status} INFO")
        if status == 415 and "Encoding" not in extra:
            assert response.headers.texts("Accept") == [RELAY, PLAIN]
        alice.within("BYE", dialog, cseq=3)
        await alice.hears("200 BYE")

    on_stage(scenario)


def test_an_info_outside_of_a_call_gets_481() -> None:
    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage)
        alice.ask("INFO", BOB, extra=f"Content-Type: {PLAIN}", body="1")
        await alice.hears("481 INFO")
        alice.ask("INFO", BOB, to=f"<{BOB}>;tag=unknown")
        await alice.hears("481 INFO")

    on_stage(scenario)


def test_who_does_not_take_digits_is_heard() -> None:
    async def refuses(_info: IncomingInfo) -> None:
        raise AssertionError("digits are not the program's to refuse")

    async def scenario(stage: Stage) -> None:
        bob = await stage.agent("bob", on_info=refuses)
        alice = await stage.party("alice", "bob")
        call = bob.call(alice.uri)
        await call.place()
        invite = await alice.hears("INVITE")
        alice.reply(invite, 200, extra="Content-Type: application/sdp", body=OFFER.encode())
        await alice.hears("ACK")
        pressing = asyncio.ensure_future(call.send_digits("12"))
        alice.reply(await alice.hears("INFO"), 415)
        with pytest.raises(RequestRejected) as rejected:
            await pressing
        assert rejected.value.status == 415
        pressing = asyncio.ensure_future(call.send_digits("12"))
        alice.reply(await alice.hears("INFO"), 481)
        with pytest.raises(CallEnded):
            await pressing
        assert call.reason == "481 to our INFO"

    on_stage(scenario)


def test_what_waits_for_its_turn_is_not_said_after_the_end() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=answer, on_message=lambda message: None)
        call = await alice.call(stage.uri("bob"))
        waiting = [asyncio.ensure_future(one) for one in (call.send_digits("123"), call.message("one"), call.message("two"))]
        await asyncio.sleep(0)
        await call.hang_up()
        assert [type(one) for one in await asyncio.gather(*waiting, return_exceptions=True)] == [CallEnded] * 3

    stage = on_stage(scenario)
    assert len(sent(stage, "INFO")) <= 1
    assert len(sent(stage, "MESSAGE")) <= 1


# Packages.


class Told(list[IncomingInfo]):
    """The INFOs that came."""

    def __call__(self, info: IncomingInfo) -> None:
        """Takes one."""
        self.append(info)


def test_packages_are_agreed_upon_and_used_both_ways() -> None:
    told = Told()

    async def reception(call: IncomingCall) -> None:
        await call.answer()
        await call.send_info("weather;unit=celsius", b"<rain/>", "application/weather+xml")
        with pytest.raises(RequestRejected) as rejected:
            await call.send_info("tides")
        assert rejected.value.status == 469
        await call.ended()

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice", on_info=told, info_packages=["weather", "mood"])
        await stage.agent("bob", on_call=reception, on_info=told, info_packages=["tides"])
        async with alice.call(stage.uri("bob")) as call:
            await asyncio.sleep(1)
            await call.send_info("tides", b"high", "text/plain", headers=[("Subject", "sea")])
            await call.send_info("tides")
            await call.send_info(None, b"old", "text/plain")
            with pytest.raises(ValueError, match="a body needs"):
                await call.send_info(None, b"old")

    stage = on_stage(scenario)
    assert [None if info.package is None else info.package.value for info in told] == ["weather", "tides", "tides", None]
    assert told[0].package is not None
    assert told[0].package.params == {"unit": "celsius"}
    assert told[0].body == b"<rain/>"
    assert [info.call is not None for info in told] == [True] * 4
    [invite] = sent(stage, "INVITE")
    ok = next(one for one in stage.messages() if not isinstance(one, Request) and one.status == 200)
    assert invite.headers.texts("Recv-Info") == ["weather", "mood"]
    assert ok.headers.texts("Recv-Info") == ["tides"]
    dispositions = [info.headers.text("Content-Disposition") for info in sent(stage, "INFO")]
    assert dispositions == ["Info-Package", "Info-Package", None, None]


def test_who_knows_packages_says_so_even_without_any_and_who_does_not_says_nothing() -> None:
    async def scenario(stage: Stage) -> None:
        cast: list[tuple[str, Any, str | None]] = [("bob", {"info_packages": ()}, ""), ("carol", {}, None)]
        for name, options, recv_info in cast:
            agent = await stage.agent(name, on_call=answer, **options)
            alice = await stage.party(f"alice-{name}", name)
            for asks in (True, False):
                invite = alice.ask("INVITE", stage.uri(name), body=OFFER, extra=f"{SDP}{'Recv-Info: x' if asks else ''}")
                dialog = await acknowledged(alice, invite)
                # §5.2.3: never where the request has none.
                assert dialog.ok.headers.text("Recv-Info") == (recv_info if asks else None)
                alice.within("INFO", dialog, cseq=2, extra="Info-Package: x")
                refusal = await alice.hears("469 INFO")
                assert refusal.headers.text("Recv-Info") == ""
                alice.within("BYE", dialog, cseq=3)
                await alice.hears("200 BYE")
            assert len(agent.core.dialogs) == 0

    on_stage(scenario)


def test_a_package_nobody_takes_gets_469_with_those_that_are_taken_and_the_call_goes_on() -> None:
    told = Told()

    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, on_info=told, info_packages=["tides"])
        dialog = await called(alice, "Recv-Info: weather")
        for number, (package, status) in enumerate([("Tides", 469), ("weather", 469), ("tides;level=2", 200), ("", 400)], 2):
            alice.within("INFO", dialog, cseq=number, extra=f"Info-Package: {package}")
            response = await alice.hears(f"{status} INFO")
            if status == 469:
                assert (response.reason, response.headers.text("Recv-Info")) == ("Bad Info Package", "tides")
        assert len(told) == 1
        alice.within("BYE", dialog, cseq=9)
        await alice.hears("200 BYE")

    on_stage(scenario)


def test_what_the_peer_takes_changes_with_a_reinvite_and_not_with_one_that_is_refused() -> None:
    calls = []

    async def keeps(call: IncomingCall) -> None:
        calls.append(call)
        await answer(call)

    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, keeps, on_info=Told(), info_packages=["tides"])
        dialog = await called(alice, "Recv-Info: weather, mood")
        [call] = calls
        session: Any = call.session
        assert session.peer_info_packages == {"weather", "mood"}
        again = alice.within(
            "INVITE", dialog, cseq=2, extra=f"{SDP}Recv-Info: stars\nContact: <{alice.uri}>", body=OFFER.replace("audio", "video")
        )
        alice.ack(again, await alice.hears("488 INVITE"))
        assert session.peer_info_packages == {"weather", "mood"}
        update = f"{SDP}Recv-Info: \nContact: <{alice.uri}>"
        alice.within("UPDATE", dialog, cseq=3, extra=update, body=OFFER.replace("1 1 IN", "1 2 IN"))
        assert (await alice.hears("200 UPDATE")).headers.text("Recv-Info") == "tides"
        assert session.peer_info_packages == set()
        alice.within("UPDATE", dialog, cseq=4, extra=f"Recv-Info: ;;;\nContact: <{alice.uri}>")
        await alice.hears("200 UPDATE")
        assert session.peer_info_packages is None
        alice.within("BYE", dialog, cseq=5)
        await alice.hears("200 BYE")

    on_stage(scenario)


def test_a_reliable_provisional_response_says_it_too() -> None:
    async def rings(call: IncomingCall) -> None:
        await call.ring(reliable=True)
        await answer(call)

    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, rings, on_info=Told(), info_packages=["tides"])
        invite = alice.ask("INVITE", BOB, body=OFFER, extra=f"{SDP}Recv-Info: \nSupported: 100rel")
        ringing = await alice.hears("180 INVITE")
        assert ringing.headers.text("Recv-Info") == "tides"
        early = Dialog(alice, alice, invite, ringing)
        alice.within("PRACK", early, cseq=2, extra=f"RAck: {ringing.headers.text('RSeq')} 1 INVITE")
        await alice.hears("200 PRACK")
        dialog = await acknowledged(alice, invite)
        alice.within("BYE", dialog, cseq=3)
        await alice.hears("200 BYE")

    on_stage(scenario)


def test_the_program_may_refuse_an_info() -> None:
    def picky(info: IncomingInfo) -> None:
        if info.content_type is not None and info.content_type.essence != "text/plain":
            raise Refused(415, headers=[("Accept", "text/plain")])

    async def scenario(stage: Stage) -> None:
        _, alice = await cast(stage, on_info=picky, info_packages=["tides"])
        dialog = await called(alice)
        alice.within("INFO", dialog, cseq=2, extra="Info-Package: tides\nContent-Type: text/html", body="<b/>")
        assert (await alice.hears("415 INFO")).headers.text("Accept") == "text/plain"
        alice.within("INFO", dialog, cseq=3, extra="Info-Package: tides\nContent-Type: text/plain", body="high")
        await alice.hears("200 INFO")
        alice.within("BYE", dialog, cseq=4)
        await alice.hears("200 BYE")

    on_stage(scenario)


def test_packages_need_names_and_somebody_who_takes_them() -> None:
    with pytest.raises(ValueError, match="on_info"):
        UserAgent("sip:alice@example.com", info_packages=["tides"])
    with pytest.raises(Exception, match="not a token"):
        UserAgent("sip:alice@example.com", info_packages=["high tides"], on_info=Told())
