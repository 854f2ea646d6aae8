"""Transfers between three agents (RFC 5589): blind and attended, both sides, what fails and what is left."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from ringback import CallEnded, IncomingCall, OutgoingCall, Request
from ringback.agent.errors import TransferFailed
from ringback.agent.transfer.sipfrag import StatusLine
from tests.agent.stage import Stage, on_stage


class Phone:
    """A callee that answers every call after `rings_for` seconds, and remembers what became of them."""

    def __init__(self, rings_for: float = 0, status: int = 200) -> None:
        self.rings_for = rings_for
        self.status = status
        self.calls: list[IncomingCall] = []
        self.ends: list[str] = []

    async def __call__(self, call: IncomingCall) -> None:
        self.calls.append(call)
        try:
            if self.rings_for:
                await call.ring()
                await asyncio.sleep(self.rings_for)
            if self.status != 200:
                await call.decline(self.status)
                return
            await call.answer()
            await asyncio.sleep(10_000)
        except CallEnded as ended:
            self.ends.append(ended.reason)
            raise


def refers(stage: Stage) -> list[Request]:
    """The REFERs that arrived."""
    return [request for request in stage.messages(Request) if request.method == "REFER"]


def notified(stage: Stage) -> list[tuple[str, bytes]]:
    """What the NOTIFYs said: Subscription-State without its seconds, and the fragment."""
    return [
        (request.headers.texts("Subscription-State")[0].partition(";expires")[0], request.body)
        for request in stage.messages(Request)
        if request.method == "NOTIFY"
    ]


def test_a_blind_transfer_reports_ends_the_call_and_leaves_the_peer_with_the_target() -> None:
    """RFC 5589 §6.2, the REFER within the dialog; the transferor placed the call."""
    bob, carol = Phone(), Phone(rings_for=5)
    progress: list[StatusLine] = []

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=bob, accepts_transfers=True)
        await stage.agent("carol", on_call=carol)
        call = await alice.call(stage.uri("bob"))
        await call.hold()
        result = await call.transfer(stage.uri("carol"), on_progress=progress.append)
        assert result == StatusLine(200, "OK")
        assert call.reason == "we hung up"
        new = bob.calls[0].transferred
        assert new is not None
        assert new.is_answered
        assert new.referral is not None
        await asyncio.sleep(60)
        await carol.calls[0].hang_up()
        assert new.reason == "the peer hung up"

    stage = on_stage(scenario)
    assert stage.said() == [
        *["INVITE", "200 INVITE", "ACK"] * 2,
        *["REFER", "202 REFER", "NOTIFY", "INVITE", "200 NOTIFY", "180 INVITE"],
        *["200 INVITE", "ACK", "NOTIFY", "200 NOTIFY", "BYE", "200 BYE", "BYE", "200 BYE"],
    ]
    assert notified(stage) == [("active", b"SIP/2.0 100 Trying\r\n"), ("terminated;reason=noresource", b"SIP/2.0 200 OK\r\n")]
    assert progress == [StatusLine(100, "Trying")]
    (refer,) = refers(stage)
    invite = next(request for request in stage.messages(Request) if request.method == "INVITE" and "sip:carol" in request.uri_text)
    assert refer.headers.texts("Refer-To") == ["<sip:carol@192.0.2.3>"]
    assert refer.headers.texts("Referred-By") == invite.headers.texts("Referred-By") == ["<sip:alice@192.0.2.1>"]
    assert bob.ends == ["the peer hung up"]


def test_progress_is_told_once_a_second_at_most() -> None:
    bob, carol = Phone(), Phone()
    progress: list[int] = []

    async def slow(call: IncomingCall) -> None:
        for status in (180, 181, 182):
            await asyncio.sleep(0.9)
            await call.ring(status)
        await asyncio.sleep(5)
        await carol(call)

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=bob, accepts_transfers=True)
        await stage.agent("carol", on_call=slow)
        call = await alice.call(stage.uri("bob"))
        await call.transfer(stage.uri("carol"), on_progress=lambda line: progress.append(line.status))
        await carol.calls[0].hang_up()

    on_stage(scenario)
    assert progress == [100, 181]


def test_a_callee_transfers_its_caller_from_its_own_coroutine() -> None:
    sales = Phone()

    async def reception(call: IncomingCall) -> None:
        await call.answer()
        await call.transfer("sip:sales@192.0.2.3")

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice", accepts_transfers=True)
        await stage.agent("reception", on_call=reception)
        await stage.agent("sales", on_call=sales)
        call = await alice.call(stage.uri("reception"))
        await call.ended()
        assert call.transferred is not None
        await call.transferred.hang_up()

    on_stage(scenario)
    assert sales.ends == ["the peer hung up"]


@pytest.mark.parametrize("status", [486, 603, 404])
def test_a_target_that_will_not_leaves_the_call_as_it_was(status: int) -> None:
    """RFC 5589 §6.3.1."""
    bob = Phone()

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=bob, accepts_transfers=True)
        await stage.agent("carol", on_call=Phone(rings_for=3, status=status))
        async with alice.call(stage.uri("bob")) as call:
            await call.hold()
            with pytest.raises(TransferFailed) as failed:
                await call.transfer(stage.uri("carol"))
            assert (failed.value.status, failed.value.is_refused) == (status, False)
            assert call.is_answered
            await call.resume()
        assert bob.calls[0].transferred is not None

    stage = on_stage(scenario)
    assert notified(stage)[-1][0] == "terminated;reason=noresource"


def test_a_target_nobody_can_reach_is_a_failure_too() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=Phone(), accepts_transfers=True)
        async with alice.call(stage.uri("bob")) as call:
            with pytest.raises(TransferFailed) as failed:
                await call.transfer("sip:carol@192.0.2.99")
            assert failed.value.status == 408
            with pytest.raises(TransferFailed) as failed:
                await call.transfer("sip:carol@192.0.2.98;transport=nonsense")
            assert failed.value.status == 503

    on_stage(scenario)


def test_a_peer_that_takes_no_transfers_refuses_the_refer() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=Phone())
        async with alice.call(stage.uri("bob")) as call:
            with pytest.raises(TransferFailed) as failed:
                await call.transfer("sip:carol@192.0.2.9")
            assert (failed.value.status, failed.value.is_refused) == (603, True)
            assert call.is_answered

    assert "NOTIFY" not in on_stage(scenario).said()


def test_the_transferee_may_give_up_waiting_for_the_target() -> None:
    """RFC 5589 §6.3.2."""
    bob = Phone()

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=bob, accepts_transfers=True)
        await stage.agent("carol", on_call=Phone(rings_for=100))
        async with alice.call(stage.uri("bob")) as call:
            transfer = asyncio.ensure_future(call.transfer(stage.uri("carol")))
            await asyncio.sleep(10)
            assert bob.calls[0].transferred is not None
            bob.calls[0].transferred.cancel()
            with pytest.raises(TransferFailed) as failed:
                await transfer
            assert failed.value.status == 487

    on_stage(scenario)


def test_without_reports_the_call_is_hung_up_as_soon_as_the_peer_is_willing_and_there_is_no_subscription() -> None:
    """RFC 5589 §6: an unattended transfer; RFC 4488."""
    bob, carol = Phone(), Phone(rings_for=5)

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=bob, accepts_transfers=True)
        await stage.agent("carol", on_call=carol)
        call = await alice.call(stage.uri("bob"))
        result = await call.transfer(stage.uri("carol"), reports=False)
        assert result.status == 202
        assert call.is_over
        await asyncio.sleep(10)
        await carol.calls[0].hang_up()

    stage = on_stage(scenario)
    assert "NOTIFY" not in stage.said()
    (refer,) = refers(stage)
    assert refer.headers.texts("Refer-Sub") == ["false"]
    assert [message.headers.texts("Refer-Sub") for message in stage.messages() if getattr(message, "status", 0) == 202] == [["false"]]


def test_a_call_that_is_not_answered_cannot_be_transferred() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=Phone())
        async with alice.call(stage.uri("bob")) as call:
            pass
        with pytest.raises(CallEnded):
            await call.transfer("sip:carol@192.0.2.9")
        with pytest.raises(RuntimeError):
            await alice.call(stage.uri("bob")).transfer("sip:carol@192.0.2.9")

    on_stage(scenario)


def test_a_gruu_that_knows_target_dialog_gets_the_refer_in_a_dialog_of_its_own() -> None:
    """RFC 5589 §6.1, RFC 4538."""
    bob, carol = Phone(), Phone()

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=bob, accepts_transfers=True)
        await stage.agent("carol", on_call=carol)
        call = await alice.call(stage.uri("bob"))
        assert call.session is not None
        call.session.dialog.remote_target = "sip:bob@192.0.2.2:5060;gr=urn:uuid:1"
        await call.transfer(stage.uri("carol"))
        assert call.reason == "we hung up"
        await carol.calls[0].hang_up()

    stage = on_stage(scenario)
    (refer,) = refers(stage)
    invite = stage.messages(Request)[0]
    assert refer.to_tag is None
    assert refer.call_id != invite.call_id
    assert refer.headers.texts("Require") == ["tdialog"]
    assert refer.value("Target-Dialog").call_id == invite.call_id
    assert refer.value("Target-Dialog").remote_tag == invite.from_tag
    assert notified(stage)[-1] == ("terminated;reason=noresource", b"SIP/2.0 200 OK\r\n")


def test_a_second_refer_in_a_dialog_has_notifications_with_its_number() -> None:
    """RFC 3515 §2.4.6."""

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=Phone(), accepts_transfers=True)
        await stage.agent("carol", on_call=Phone(status=486))
        async with alice.call(stage.uri("bob")) as call:
            for _ in range(2):
                with pytest.raises(TransferFailed):
                    await call.transfer(stage.uri("carol"))

    stage = on_stage(scenario)
    numbers = [refer.cseq.number for refer in refers(stage)]
    events = [request.headers.texts("Event")[0] for request in stage.messages(Request) if request.method == "NOTIFY"]
    assert events == ["refer", "refer", f"refer;id={numbers[1]}", f"refer;id={numbers[1]}"]


def test_two_transfers_at_once_each_hear_of_their_own() -> None:
    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=Phone(), accepts_transfers=True)
        await stage.agent("carol", on_call=Phone(rings_for=20, status=486))
        await stage.agent("dave", on_call=Phone(rings_for=10, status=480))
        async with alice.call(stage.uri("bob")) as call:
            failures = await asyncio.gather(call.transfer(stage.uri("carol")), call.transfer(stage.uri("dave")), return_exceptions=True)
            assert [failure.status for failure in failures if isinstance(failure, TransferFailed)] == [486, 480]

    on_stage(scenario)


def test_a_chain_of_transfers_comes_to_an_end() -> None:
    """Two receptions that send every caller to each other: after so many the caller declines."""
    count = 0

    def sends_to(uri: str) -> object:
        async def reception(call: IncomingCall) -> None:
            nonlocal count
            count += 1
            await call.answer()
            with contextlib.suppress(TransferFailed):
                await call.transfer(uri)

        return reception

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice", accepts_transfers=True)
        await stage.agent("bob", on_call=sends_to("sip:carol@192.0.2.3"))
        await stage.agent("carol", on_call=sends_to("sip:bob@192.0.2.2"))
        call: OutgoingCall | None = await alice.call(stage.uri("bob"))
        while call is not None:
            last = call
            await call.ended()
            call = call.transferred
        assert last.reason == "the peer hung up"

    stage = on_stage(scenario)
    assert stage.said().count("403 REFER") == 1
    assert count == 21
