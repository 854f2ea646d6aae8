"""Reliable provisional responses as the callee sends them, and between two agents (RFC 3262 §3, §5; RFC 3261 §13.2.1, §21.4.16)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

import pytest

from ringback import CallEnded, IncomingCall, Request, Response, UserAgent
from ringback.sdp.description import SessionDescription
from ringback.testing import Network
from tests.agent.stage import Stage, on_stage
from tests.server.party import Dialog, Party


def description(version: int = 1, media: str = "audio 4000 RTP/AVP 0") -> str:
    """A session description of the raw party's."""
    return f"v=0\r\no=- 1 {version} IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm={media}\r\n"


SDP = "Content-Type: application/sdp"
KNOWS = "Supported: 100rel\n"
INSISTS = "Require: 100rel\n"
BOB = "sip:bob@192.0.2.1"

# When a response without PRACK is sent: at once, after T1, and each time twice as long after, up to 64*T1 (§3).
REPETITIONS = [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]

Play = Callable[[IncomingCall], Awaitable[Any]]


# Bob is an agent, Alice is a test.


async def house(stage: Stage, on_call: Play, **options: Any) -> Party:
    """Bob, an agent; gives Alice, who is a test."""
    await stage.agent("bob", on_call=on_call, **options)
    return await stage.party("alice", "bob")


def invite(alice: Party, extra: str = KNOWS, *, body: str | None = None) -> Request:
    """Alice's INVITE, with an offer unless the body is empty."""
    offer = description() if body is None else body
    return alice.ask("INVITE", BOB, extra=extra + (SDP if offer else ""), body=offer)


def prack(alice: Party, request: Request, response: Response, *, cseq: int = 2, rack: str | None = None, body: str = "") -> None:
    """Alice's PRACK of a response."""
    rack = f"{response.value('RSeq')} {request.cseq.number} INVITE" if rack is None else rack
    extra = f"RAck: {rack}\n" if rack else ""
    alice.within("PRACK", Dialog(alice, alice, request, response), cseq=cseq, extra=extra + (SDP if body else ""), body=body)


def acknowledge(alice: Party, request: Request, ok: Response, body: str = "") -> Dialog:
    """Alice's ACK of a 2xx."""
    dialog = Dialog(alice, alice, request, ok)
    alice.within("ACK", dialog, cseq=request.cseq.number, extra=SDP if body else "", body=body)
    return dialog


async def hang_up(alice: Party, dialog: Dialog, cseq: int = 9) -> None:
    """Alice's BYE, answered."""
    alice.within("BYE", dialog, cseq=cseq)
    await alice.hears("200 BYE")


def times(alice: Party, status: int) -> list[float]:
    """When responses of a status arrived, since the first."""
    heard = [one.time for one in alice.heard if isinstance(one.message, Response) and one.message.status == status]
    return [round(time - heard[0], 1) for time in heard]


async def ring_and_answer(call: IncomingCall) -> None:
    """Rings reliably where that can be, answers, and listens."""
    await call.ring(reliable=True)
    await call.answer()
    await call.ended()


async def in_the_middle(call: IncomingCall) -> None:
    """Begins the media, answers a second after, and listens."""
    await call.progress()
    await asyncio.sleep(1)
    await call.answer()
    await call.ended()


def test_a_reliable_response_says_so_and_is_repeated_until_its_prack() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await house(stage, ring_and_answer)
        request = invite(alice)
        first = await alice.hears("180 INVITE")
        assert first.require == ["100rel"]
        assert 1 <= first.value("RSeq") < 2**31
        assert first.contact.uri_text == "sip:bob@192.0.2.1:5060"
        assert "UPDATE" in first.headers.values("Allow")
        assert first.body == b""
        for _ in range(2):
            assert await alice.hears("180 INVITE") == first
        prack(alice, request, first)
        assert (await alice.hears("200 PRACK")).body == b""
        ok = await alice.hears("200 INVITE")
        assert ok.body, "the answer was not said before"
        await hang_up(alice, acknowledge(alice, request, ok))
        assert times(alice, 180) == REPETITIONS[:3]

    on_stage(scenario)


@pytest.mark.parametrize("extra", ["", "Supported: timer\n"])
def test_a_caller_who_does_not_know_it_gets_none(extra: str) -> None:
    async def scenario(stage: Stage) -> None:
        alice = await house(stage, ring_and_answer)
        request = invite(alice, extra)
        ringing = await alice.hears("180 INVITE")
        assert ringing.require == []
        assert ringing.value("RSeq") is None
        await hang_up(alice, acknowledge(alice, request, await alice.hears("200 INVITE")))

    on_stage(scenario)


def test_a_caller_who_insists_gets_every_response_reliably_one_number_higher_each() -> None:
    async def scenario(stage: Stage) -> None:
        async def twice(call: IncomingCall) -> None:
            await call.ring(182)
            await call.ring()
            await call.decline(486)

        alice = await house(stage, twice)
        request = invite(alice, INSISTS)
        queued = await alice.hears("182 INVITE")
        # The second one waits for the first one's PRACK.
        await alice.hears_nothing(0.4)
        prack(alice, request, queued)
        await alice.hears("200 PRACK")
        ringing = await alice.hears("180 INVITE")
        assert ringing.value("RSeq") == queued.value("RSeq") + 1
        prack(alice, request, ringing, cseq=3)
        await alice.hears("200 PRACK")
        alice.ack(request, await alice.hears("486 INVITE"))

    on_stage(scenario)


def test_without_a_prack_the_call_is_refused_after_64_t1() -> None:
    heard = []

    async def scenario(stage: Stage) -> None:
        async def waiting(call: IncomingCall) -> None:
            with pytest.raises(CallEnded) as ended:
                await call.ring()
            heard.append(ended.value.reason)

        alice = await house(stage, waiting)
        request = invite(alice, INSISTS)
        for _ in REPETITIONS:
            ringing = await alice.hears("180 INVITE")
        refused = await alice.hears("504 INVITE")
        assert times(alice, 180) == REPETITIONS
        assert alice.heard[-1].time - alice.heard[0].time == pytest.approx(32)
        alice.ack(request, refused)
        prack(alice, request, ringing)
        await alice.hears("481 PRACK")

    on_stage(scenario)
    assert heard == ["no PRACK came"]


@pytest.mark.parametrize(
    ("rack", "status"),
    [("{above} 1 INVITE", 481), ("{number} 2 INVITE", 481), ("{number} 1 invite", 481), ("", 400), ("{number} 1", 400)],
)
def test_a_prack_that_matches_nothing_changes_nothing(rack: str, status: int) -> None:
    async def scenario(stage: Stage) -> None:
        alice = await house(stage, ring_and_answer)
        request = invite(alice)
        ringing = await alice.hears("180 INVITE")
        number = ringing.value("RSeq")
        prack(alice, request, ringing, rack=rack.format(number=number, above=number + 1))
        await alice.hears(f"{status} PRACK")
        assert await alice.hears("180 INVITE") == ringing
        prack(alice, request, ringing, cseq=3)
        await alice.hears("200 PRACK")
        ok = await alice.hears("200 INVITE")
        # What is acknowledged is no longer on the list.
        prack(alice, request, ringing, cseq=4)
        await alice.hears("481 PRACK")
        await hang_up(alice, acknowledge(alice, request, ok))

    on_stage(scenario)


def test_a_prack_where_nothing_was_reliable_gets_481() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await house(stage, lambda call: call.answer())
        request = invite(alice, "")
        ok = await alice.hears("200 INVITE")
        dialog = acknowledge(alice, request, ok)
        alice.reply(await alice.hears("BYE"), 200)
        prack(alice, request, dialog.ok, rack="1 1 INVITE")
        await alice.hears("481 PRACK")

    on_stage(scenario)


def test_the_answer_in_a_reliable_183_is_not_said_again() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await house(stage, in_the_middle)
        request = invite(alice)
        progress = await alice.hears("183 INVITE")
        assert SessionDescription.parse(progress.body).media[0].port
        prack(alice, request, progress)
        await alice.hears("200 PRACK")
        ok = await alice.hears("200 INVITE")
        assert ok.body == b""
        await hang_up(alice, acknowledge(alice, request, ok))

    on_stage(scenario)


def test_the_2xx_waits_for_the_prack_of_a_description() -> None:
    async def scenario(stage: Stage) -> None:
        async def hurried(call: IncomingCall) -> None:
            early = asyncio.ensure_future(call.progress())
            await asyncio.sleep(0)
            await call.answer()
            await early
            await call.ended()

        alice = await house(stage, hurried)
        request = invite(alice)
        progress = await alice.hears("183 INVITE")
        for _ in range(3):
            await alice.hears("183 INVITE")
        prack(alice, request, progress)
        await alice.hears("200 PRACK")
        await hang_up(alice, acknowledge(alice, request, await alice.hears("200 INVITE")))

    on_stage(scenario)


def test_a_2xx_need_not_wait_where_nothing_was_described_and_the_prack_is_still_taken() -> None:
    async def scenario(stage: Stage) -> None:
        async def hurried(call: IncomingCall) -> None:
            ringing = asyncio.ensure_future(call.ring(reliable=True))
            await asyncio.sleep(0)
            await call.answer()
            await ringing
            await call.ended()

        alice = await house(stage, hurried)
        request = invite(alice)
        ringing = await alice.hears("180 INVITE")
        ok = await alice.hears("200 INVITE")
        dialog = acknowledge(alice, request, ok)
        # The response is not repeated any more.
        await alice.hears_nothing(40)
        prack(alice, request, ringing)
        await alice.hears("200 PRACK")
        await hang_up(alice, dialog)

    on_stage(scenario)


def test_after_a_refusal_the_prack_of_what_was_outstanding_is_taken_once() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await house(stage, ring_and_answer)
        request = invite(alice)
        ringing = await alice.hears("180 INVITE")
        alice.send(str(alice.request("CANCEL", BOB, branch=request.via.branch, call_id=request.call_id)))
        await alice.hears("200 CANCEL")
        alice.ack(request, await alice.hears("487 INVITE"))
        alice.within("UPDATE", Dialog(alice, alice, request, ringing), cseq=2)
        await alice.hears("481 UPDATE")
        prack(alice, request, ringing, cseq=3)
        await alice.hears("200 PRACK")
        prack(alice, request, ringing, cseq=4)
        await alice.hears("481 PRACK")

    on_stage(scenario)


@pytest.mark.parametrize("verb", [IncomingCall.ring, IncomingCall.progress])
def test_a_late_offer_goes_in_the_first_reliable_response_and_is_answered_in_its_prack(verb: Callable[..., Awaitable[Any]]) -> None:
    agreed = []

    async def scenario(stage: Stage) -> None:
        async def early(call: IncomingCall) -> None:
            await verb(call, reliable=True)
            assert call.session is not None
            agreed.append(call.session.negotiation.exchange.remote)
            await call.ring(reliable=True)
            await call.answer()
            await call.ended()

        alice = await house(stage, early)
        request = invite(alice, body="")
        first = await alice.hears(f"{183 if verb is IncomingCall.progress else 180} INVITE")
        assert SessionDescription.parse(first.body).media[0].kind == "audio"
        prack(alice, request, first, body=description())
        assert (await alice.hears("200 PRACK")).body == b""
        second = await alice.hears("180 INVITE")
        assert second.body == b""
        prack(alice, request, second, cseq=3)
        await alice.hears("200 PRACK")
        ok = await alice.hears("200 INVITE")
        assert ok.body == b""
        await hang_up(alice, acknowledge(alice, request, ok))

    on_stage(scenario)
    assert agreed == [SessionDescription.parse(description().encode())]


@pytest.mark.parametrize("body", ["", "nonsense", description(media="audio 4000 RTP/AVP 0\r\nm=video 4002 RTP/AVP 31")])
def test_a_prack_without_a_fitting_answer_to_our_offer_ends_the_call(body: str) -> None:
    async def scenario(stage: Stage) -> None:
        alice = await house(stage, in_the_middle)
        request = invite(alice, body="")
        prack(alice, request, await alice.hears("183 INVITE"), body=body)
        await alice.hears("200 PRACK")
        alice.ack(request, await alice.hears("488 INVITE"))

    on_stage(scenario)


@pytest.mark.parametrize(("media", "port"), [("audio 4000 RTP/AVP 8", True), ("video 4000 RTP/AVP 31", False)])
def test_an_offer_in_a_prack_is_answered_in_its_2xx(media: str, port: bool) -> None:
    async def scenario(stage: Stage) -> None:
        alice = await house(stage, in_the_middle)
        request = invite(alice)
        progress = await alice.hears("183 INVITE")
        prack(alice, request, progress, body=description(2, media))
        taken = await alice.hears("200 PRACK")
        answer = SessionDescription.parse(taken.body)
        assert bool(answer.media[0].port) is port
        assert answer.origin.version == SessionDescription.parse(progress.body).origin.version + 1
        ok = await alice.hears("200 INVITE")
        assert ok.body == b""
        await hang_up(alice, acknowledge(alice, request, ok))

    on_stage(scenario)


@pytest.mark.parametrize(("verb", "status"), [(IncomingCall.progress, 488), (IncomingCall.ring, 500)])
def test_an_offer_in_a_prack_that_cannot_be_read_or_may_not_be_made_is_refused(verb: Callable[..., Awaitable[Any]], status: int) -> None:
    """Where the INVITE's own offer is not answered yet, nobody may offer again (RFC 3261 §13.2.1)."""

    async def scenario(stage: Stage) -> None:
        async def early(call: IncomingCall) -> None:
            await verb(call, reliable=True)
            await call.answer()
            await call.ended()

        alice = await house(stage, early)
        request = invite(alice)
        response = await alice.hears(f"{183 if verb is IncomingCall.progress else 180} INVITE")
        prack(alice, request, response, body="nonsense" if status == 488 else description(2))
        await alice.hears(f"{status} PRACK")
        prack(alice, request, response, cseq=3)
        await alice.hears("200 PRACK")
        await hang_up(alice, acknowledge(alice, request, await alice.hears("200 INVITE")))

    on_stage(scenario)


def test_an_early_answer_that_is_not_reliable_is_said_again_in_the_2xx() -> None:
    async def scenario(stage: Stage) -> None:
        async def early(call: IncomingCall) -> None:
            media = await call.progress()
            assert media is call.media
            await in_the_middle(call)

        alice = await house(stage, early)
        request = invite(alice, "")
        first = await alice.hears("183 INVITE")
        assert first.require == []
        assert (await alice.hears("183 INVITE")).body == first.body
        ok = await alice.hears("200 INVITE")
        assert ok.body == first.body
        assert SessionDescription.parse(ok.body).media[0].port
        await hang_up(alice, acknowledge(alice, request, ok))

    on_stage(scenario)


def test_no_offer_is_made_in_a_response_that_may_get_lost() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await house(stage, in_the_middle)
        request = invite(alice, "", body="")
        assert (await alice.hears("183 INVITE")).body == b""
        ok = await alice.hears("200 INVITE")
        assert ok.body
        await hang_up(alice, acknowledge(alice, request, ok, description()))

    on_stage(scenario)


@pytest.mark.parametrize("extra", ["", KNOWS])
def test_an_offer_of_which_nothing_can_be_done_is_refused_at_once(extra: str) -> None:
    async def scenario(stage: Stage) -> None:
        alice = await house(stage, in_the_middle)
        request = invite(alice, extra, body=description(media="video 4000 RTP/AVP 31"))
        refused = await alice.hears("488 INVITE")
        assert refused.headers.values("Warning")
        alice.ack(request, refused)

    on_stage(scenario)


@pytest.mark.parametrize("status", [100, 200])
def test_a_100_or_a_final_response_is_not_for_ring_or_progress(status: int) -> None:
    async def scenario(stage: Stage) -> None:
        async def confused(call: IncomingCall) -> None:
            with pytest.raises(ValueError, match="no provisional response"):
                await call.progress(status, reliable=True)
            await call.decline()

        alice = await house(stage, confused)
        request = invite(alice, INSISTS)
        alice.ack(request, await alice.hears("603 INVITE"))

    on_stage(scenario)


def test_it_is_said_again_every_two_and_a_half_minutes_with_a_number_of_its_own() -> None:
    async def scenario(stage: Stage) -> None:
        async def patient(call: IncomingCall) -> None:
            await call.ring(reliable=True)
            await asyncio.sleep(400)

        alice = await house(stage, patient)
        request = invite(alice)
        numbers = []
        for cseq in (2, 3, 4):
            ringing = await alice.hears("180 INVITE")
            numbers.append(ringing.value("RSeq"))
            prack(alice, request, ringing, cseq=cseq)
            await alice.hears("200 PRACK")
        assert [later - earlier for earlier, later in pairwise(numbers)] == [1, 1]
        assert times(alice, 180) == [0, 150, 300]
        alice.ack(request, await alice.hears("603 INVITE"))

    on_stage(scenario)


def test_a_reminder_that_nobody_acknowledges_ends_the_call() -> None:
    async def scenario(stage: Stage) -> None:
        async def patient(call: IncomingCall) -> None:
            await call.ring(reliable=True)
            await asyncio.sleep(400)

        alice = await house(stage, patient)
        request = invite(alice)
        prack(alice, request, await alice.hears("180 INVITE"))
        await alice.hears("200 PRACK")
        for _ in REPETITIONS:
            await alice.hears("180 INVITE")
        alice.ack(request, await alice.hears("504 INVITE"))

    on_stage(scenario)


def test_callers_who_do_not_know_what_is_required_of_them_get_421() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await house(stage, ring_and_answer, requires=["100rel"])
        request = invite(alice, "")
        refused = await alice.hears("421 INVITE")
        assert refused.require == ["100rel"]
        alice.ack(request, refused)
        for extra in (KNOWS, INSISTS):
            request = invite(alice, extra)
            ringing = await alice.hears("180 INVITE")
            prack(alice, request, ringing)
            await alice.hears("200 PRACK")
            await hang_up(alice, acknowledge(alice, request, await alice.hears("200 INVITE")))

    on_stage(scenario)


# Two agents.


@pytest.mark.parametrize("offers", [True, False])
@pytest.mark.parametrize("seed", range(12))
def test_two_agents_come_together_over_a_network_that_loses_a_third(seed: int, offers: bool) -> None:
    answers = []

    async def reception(call: IncomingCall) -> None:
        await call.progress()
        await call.ring(reliable=True)
        await call.answer()
        answers.append(call.is_answered)
        await call.ended()

    async def scenario(stage: Stage) -> None:
        alice: UserAgent = await stage.agent("alice")
        await stage.agent("bob", on_call=reception)
        async with alice.call(stage.uri("bob"), offers=offers) as call:
            assert call.session is not None
            exchange = call.session.negotiation.exchange
            assert exchange.local is not None
            assert exchange.remote is not None
            await asyncio.sleep(40)

    network = Network(loss=0.3, seed=seed)
    stage = on_stage(scenario, network)
    assert answers == [True]
    requests = {(one.method, one.cseq.number) for one in stage.messages(Request)}
    assert [method for method, _ in requests].count("PRACK") == 2


def test_the_figure_of_a_call_with_early_media() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=in_the_middle)
        async with alice.call(stage.uri("bob")):
            pass

    said = on_stage(scenario).said()
    assert said == ["INVITE", "183 INVITE", "PRACK", "200 PRACK", "200 INVITE", "ACK", "BYE", "200 BYE"]
