"""A call that is placed, seen by a peer that says what it likes (RFC 3261 §13.2, §9.1, §8.1.3.4)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ringback import (
    CallEnded,
    CallFailed,
    CallRejected,
    CallTimedOut,
    OutgoingCall,
    Request,
    RequestRejected,
    Response,
    Unreachable,
    UserAgent,
)
from ringback.agent.call.outgoing_call import MAX_EARLY_DIALOGS, MAX_REDIRECTIONS
from ringback.sdp.media import MediaDescription
from tests.agent.stage import Stage, on_stage
from tests.server.party import Party

ANSWER = b"v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
SDP = "Content-Type: application/sdp"


async def cast(stage: Stage, **options: Any) -> tuple[UserAgent, Party]:
    """Alice, an agent, and Bob, who is a test."""
    alice = await stage.agent("alice", **options)
    return alice, await stage.party("bob", "alice")


async def placed(alice: UserAgent, bob: Party, **options: Any) -> tuple[OutgoingCall, Request]:
    """A call of Alice's to Bob, and its INVITE as he hears it."""
    call = alice.call(bob.uri, **options)
    await call.place()
    return call, await bob.hears("INVITE")


async def hung_up(bob: Party) -> None:
    """Bob hears a BYE and takes it."""
    bob.reply(await bob.hears("BYE"), 200)


def test_the_invite_says_all_that_8_1_1_and_13_2_1_ask_for() -> None:
    async def scenario(stage: Stage) -> None:
        alice, bob = await cast(stage, display_name="Alice")
        call, invite = await placed(alice, bob)
        assert invite.uri_text == bob.uri
        assert invite.to.uri_text == "sip:bob@192.0.2.2"
        assert invite.to_tag is None
        assert str(invite.from_).startswith("Alice <sip:alice@192.0.2.1>;tag=")
        assert invite.max_forwards == 70
        assert invite.cseq.method == "INVITE"
        assert 0 < invite.cseq.number < 2**31
        assert len(invite.call_id) >= 16
        assert invite.via.branch is not None
        assert invite.via.branch.startswith("z9hG4bK")
        assert invite.via.sent_by == "192.0.2.1:5060"
        assert [contact.uri_text for contact in invite.contacts] == ["sip:alice@192.0.2.1:5060"]
        allowed = invite.headers.values("Allow")
        assert {"INVITE", "ACK", "CANCEL", "BYE"} <= set(allowed)
        assert str(invite.content_type) == "application/sdp"
        bob.reply(invite, 486)
        await bob.hears("ACK")
        with pytest.raises(CallRejected):
            await call.answered()

    on_stage(scenario)


def test_identifiers_differ_from_call_to_call() -> None:
    async def scenario(stage: Stage) -> None:
        alice, bob = await cast(stage)
        seen = set()
        for _ in range(3):
            call, invite = await placed(alice, bob)
            seen |= {invite.call_id, invite.from_tag, invite.via.branch}
            bob.reply(invite, 486)
            await bob.hears("ACK")
            with pytest.raises(CallRejected):
                await call.answered()
        assert len(seen) == 9

    on_stage(scenario)


def test_the_2xx_is_acknowledged_in_the_dialog_and_again_each_time_it_comes() -> None:
    async def scenario(stage: Stage) -> None:
        alice, bob = await cast(stage)
        call, invite = await placed(alice, bob)
        ok = bob.reply(invite, 200, extra=SDP, body=ANSWER)
        ack = await bob.hears("ACK")
        assert ack.cseq.number == invite.cseq.number
        assert ack.uri_text == bob.uri
        assert ack.to_tag == "bob-tag"
        assert ack.via.branch != invite.via.branch
        assert not ack.body
        await call.answered()
        for _ in range(2):
            bob.send(ok)
            assert await bob.hears("ACK") == ack
        hanging = asyncio.ensure_future(call.hang_up())
        await hung_up(bob)
        await hanging

    on_stage(scenario)


def test_every_party_that_answers_is_acknowledged_and_all_but_the_first_are_hung_up_on() -> None:
    async def scenario(stage: Stage) -> None:
        alice, bob = await cast(stage)
        call, invite = await placed(alice, bob)
        bob.reply(invite, 180, tag="first")
        bob.reply(invite, 180, tag="second")
        bob.reply(invite, 200, tag="second", extra=SDP, body=ANSWER)
        bob.reply(invite, 200, tag="third", extra=SDP, body=ANSWER)
        acks = [await bob.hears("ACK"), await bob.hears("ACK")]
        assert [ack.to_tag for ack in acks] == ["second", "third"]
        bye = await bob.hears("BYE")
        assert bye.to_tag == "third"
        bob.reply(bye, 200)
        await call.answered()
        assert call.session is not None
        assert call.session.dialog.remote_tag == "second"
        # §13.2.2.4: the early dialog of the first ends when no more 2xx can come.
        assert [dialog.remote_tag for dialog in alice.core.dialogs] == ["first", "second"]
        await asyncio.sleep(32.1)
        assert [dialog.remote_tag for dialog in alice.core.dialogs] == ["second"]
        hanging = asyncio.ensure_future(call.hang_up())
        await hung_up(bob)
        await hanging

    on_stage(scenario)


def test_a_2xx_confirms_the_early_dialog_and_gives_it_a_new_route_set() -> None:
    async def scenario(stage: Stage) -> None:
        alice, bob = await cast(stage)
        call, invite = await placed(alice, bob)
        bob.reply(invite, 180)
        await call.ringing
        (early,) = alice.core.dialogs
        assert early.is_early
        bob.reply(invite, 200, extra=f"Record-Route: <sip:192.0.2.2:5060;lr>\n{SDP}", body=ANSWER)
        ack = await bob.hears("ACK")
        assert [route.uri_text for route in ack.routes] == ["sip:192.0.2.2:5060;lr"]
        (confirmed,) = alice.core.dialogs
        assert confirmed is early
        assert not confirmed.is_early
        await call.answered()
        hanging = asyncio.ensure_future(call.hang_up())
        bye = await bob.hears("BYE")
        assert [route.uri_text for route in bye.routes] == ["sip:192.0.2.2:5060;lr"]
        assert bye.cseq.number == invite.cseq.number + 1
        bob.reply(bye, 200)
        await hanging

    on_stage(scenario)


def test_an_offer_in_the_2xx_is_answered_in_the_ack() -> None:
    async def scenario(stage: Stage) -> None:
        alice, bob = await cast(stage)
        call, invite = await placed(alice, bob, offers=False)
        assert not invite.body
        bob.reply(invite, 200, extra=SDP, body=ANSWER)
        ack = await bob.hears("ACK")
        assert b"m=audio 9 RTP/AVP 0\r\n" in ack.body
        await call.answered()
        hanging = asyncio.ensure_future(call.hang_up())
        await hung_up(bob)
        await hanging

    on_stage(scenario)


@pytest.mark.parametrize(
    ("offers", "body", "answers"),
    [
        pytest.param(False, ANSWER.replace(b"audio", b"video"), True, id="an offer of which nothing can be done"),
        pytest.param(True, b"", False, id="no answer at all"),
        pytest.param(True, b"v=0\r\nnonsense\r\n", False, id="what is no description"),
        pytest.param(True, ANSWER + b"m=audio 4002 RTP/AVP 0\r\n", False, id="an answer with a stream too many"),
    ],
)
def test_a_2xx_that_is_no_good_is_acknowledged_and_hung_up_on(offers: bool, body: bytes, answers: bool) -> None:
    async def scenario(stage: Stage) -> None:
        alice, bob = await cast(stage)
        call, invite = await placed(alice, bob, offers=offers)
        bob.reply(invite, 200, extra=SDP if body else "", body=body)
        ack = await bob.hears("ACK")
        assert (b"m=video 0 " in ack.body) is answers
        await hung_up(bob)
        with pytest.raises(CallFailed):
            await call.answered()

    on_stage(scenario)


def test_cancel_repeats_the_invite_and_waits_for_a_provisional_response() -> None:
    async def scenario(stage: Stage) -> None:
        alice, bob = await cast(stage, proxy="sip:192.0.2.2")
        call, invite = await placed(alice, bob, headers=[("Require", "x-nothing")])
        call.cancel()
        await bob.hears_nothing(0.4)
        bob.reply(invite, 180)
        cancel = await bob.hears("CANCEL")
        assert cancel.uri_text == invite.uri_text
        for name in ("Call-ID", "From", "To", "Via", "Route"):
            assert cancel.headers.texts(name) == invite.headers.texts(name)
        assert cancel.cseq.number == invite.cseq.number
        assert cancel.cseq.method == "CANCEL"
        assert "require" not in cancel.headers
        bob.reply(cancel, 200)
        bob.reply(invite, 487)
        await bob.hears("ACK")
        with pytest.raises(CallEnded):
            await call.answered()

    on_stage(scenario)


def test_nothing_is_cancelled_once_the_final_response_is_there() -> None:
    async def scenario(stage: Stage) -> None:
        alice, bob = await cast(stage)
        call, invite = await placed(alice, bob)
        bob.reply(invite, 486)
        await bob.hears("ACK")
        call.cancel()
        await bob.hears_nothing(1)

    on_stage(scenario)


def test_a_2xx_that_crosses_the_cancel_is_acknowledged_and_hung_up_on() -> None:
    async def scenario(stage: Stage) -> None:
        alice, bob = await cast(stage)
        call, invite = await placed(alice, bob)
        bob.reply(invite, 180)
        await call.ringing
        call.cancel()
        bob.reply(invite, 200, extra=SDP, body=ANSWER)
        bob.reply(await bob.hears("CANCEL"), 200)
        await bob.hears("ACK")
        await hung_up(bob)
        assert call.is_over

    on_stage(scenario)


def test_a_call_that_rings_too_long_is_cancelled_and_timed_out() -> None:
    async def scenario(stage: Stage) -> None:
        alice, bob = await cast(stage)
        call, invite = await placed(alice, bob, ring_for=20)
        assert invite.expires == 20
        bob.reply(invite, 180)
        with pytest.raises(CallTimedOut):
            await call.answered()
        assert asyncio.get_running_loop().time() == pytest.approx(20, abs=0.1)
        bob.reply(await bob.hears("CANCEL"), 200)
        bob.reply(invite, 487)
        await bob.hears("ACK")

    on_stage(scenario)


def test_who_never_answers_at_all_times_out_after_32_seconds() -> None:
    async def scenario(stage: Stage) -> None:
        alice, bob = await cast(stage)
        call, _ = await placed(alice, bob)
        with pytest.raises(CallTimedOut) as raised:
            await call.answered()
        assert raised.value.response is None
        assert asyncio.get_running_loop().time() == pytest.approx(32, abs=0.1)

    on_stage(scenario)


@pytest.mark.parametrize("uri", ["sip:nobody@no.such.host.invalid", "sip:bob@192.0.2.2;transport=sctp", "tel:+4930123", "sip:bo b@x"])
def test_where_no_way_leads_the_call_is_unreachable(uri: str) -> None:
    async def nowhere(*_: Any, **__: Any) -> list[Any]:
        raise OSError("Name or service not known")

    async def scenario(stage: Stage) -> None:
        alice, _ = await cast(stage)
        asyncio.get_running_loop().getaddrinfo = nowhere  # type: ignore[method-assign]  # no test asks the real DNS
        with pytest.raises((Unreachable, ValueError)):
            await alice.call(uri)

    on_stage(scenario)


def test_a_redirection_is_followed_best_contact_first_and_no_target_tried_twice() -> None:
    async def scenario(stage: Stage) -> None:
        alice, bob = await cast(stage)
        call, invite = await placed(alice, bob)
        others = [await stage.party(name, "alice") for name in ("carol", "dave")]
        contacts = f"Contact: <{others[1].uri}>;q=0.2, <{others[0].uri}>;q=0.7, <{bob.uri}>"
        # The Contact that `reply` would add names Bob himself.
        response = Response(302, headers=[])
        response.headers.carry(invite.headers, "via", "from", "to", "call-id", "cseq")
        response.headers.replace_first("To", f"{invite.headers.text('To')};tag=x")
        response.headers.append("Contact", contacts.partition(": ")[2])
        bob.send(response)
        await bob.hears("ACK")
        second = await others[0].hears("INVITE")
        assert second.uri_text == others[0].uri
        assert second.call_id == invite.call_id
        assert second.from_tag == invite.from_tag
        assert second.to == invite.to
        assert second.cseq.number == invite.cseq.number + 1
        assert second.via.branch != invite.via.branch
        assert second.body == invite.body
        others[0].reply(second, 486)
        await others[0].hears("ACK")
        third = await others[1].hears("INVITE")
        others[1].reply(third, 200, extra=SDP, body=ANSWER)
        await others[1].hears("ACK")
        await call.answered()
        hanging = asyncio.ensure_future(call.hang_up())
        await hung_up(others[1])
        await hanging

    on_stage(scenario)


def test_a_305_has_the_call_repeated_through_the_proxy_it_names() -> None:
    async def scenario(stage: Stage) -> None:
        alice, bob = await cast(stage)
        call, invite = await placed(alice, bob, headers=[("Route", f"<{bob.uri};lr>")])
        proxy, carol = [await stage.party(name, "alice") for name in ("proxy", "carol")]
        bob.reply(invite, 305, extra=f"Contact: <tel:+1>, <{proxy.uri}?Subject=x>, <sip:@>")
        await bob.hears("ACK")
        again = await bob.hears("INVITE")
        assert again.uri_text == invite.uri_text
        assert again.headers.texts("Route") == [f"<{bob.uri};lr>", f"<{proxy.uri};lr>"]
        assert (again.call_id, again.from_tag, again.body) == (invite.call_id, invite.from_tag, invite.body)
        # Whoever is called elsewhere now is not called through that proxy.
        bob.reply(again, 302, extra=f"Contact: <{carol.uri}>")
        await bob.hears("ACK")
        third = await bob.hears("INVITE")
        assert third.uri_text == carol.uri
        assert third.headers.texts("Route") == [f"<{bob.uri};lr>"]
        bob.reply(third, 486)
        await bob.hears("ACK")
        with pytest.raises(CallRejected):
            await call.answered()

    on_stage(scenario)


def test_a_305_from_the_callee_itself_leads_through_the_proxy() -> None:
    async def scenario(stage: Stage) -> None:
        alice, bob = await cast(stage)
        call, invite = await placed(alice, bob)
        proxy = await stage.party("proxy", "alice")
        bob.reply(invite, 305, extra=f"Contact: <{proxy.uri}>")
        await bob.hears("ACK")
        again = await proxy.hears("INVITE")
        assert again.uri_text == invite.uri_text
        assert again.headers.texts("Route") == [f"<{proxy.uri};lr>"]
        # That it shall go through the same proxy once more leads nowhere.
        proxy.reply(again, 305, extra=f"Contact: <{proxy.uri}>")
        await proxy.hears("ACK")
        with pytest.raises(CallRejected) as raised:
            await call.answered()
        assert raised.value.status == 305

    on_stage(scenario)


def test_redirections_that_never_end_are_not_followed_for_ever() -> None:
    async def scenario(stage: Stage) -> None:
        alice, bob = await cast(stage)
        call, invite = await placed(alice, bob)
        asked = 1
        while True:
            response = bob.reply(invite, 302, extra=f"Contact: <sip:bob{asked}@192.0.2.2>")
            assert "contact" in response.headers
            await bob.hears("ACK")
            await asyncio.sleep(0.01)
            heard = bob.kinds()
            if not heard:
                break
            asked += 1
            invite = bob.heard[-1].message  # type: ignore[assignment]  # an INVITE: `heard` says so
            assert heard == ["INVITE"]
        assert asked == MAX_REDIRECTIONS + 1
        with pytest.raises(CallRejected) as raised:
            await call.answered()
        assert raised.value.status == 302

    on_stage(scenario)


def test_a_redirection_is_the_callers_own_affair_if_so_asked() -> None:
    async def scenario(stage: Stage) -> None:
        alice, bob = await cast(stage)
        call, invite = await placed(alice, bob, follows=False)
        bob.reply(invite, 302, extra="Contact: <sip:bob@192.0.2.9>")
        await bob.hears("ACK")
        with pytest.raises(CallRejected) as raised:
            await call.answered()
        assert raised.value.response is not None
        assert raised.value.response.contact.uri_text == "sip:bob@192.0.2.9"

    on_stage(scenario)


def test_a_flood_of_to_tags_makes_no_flood_of_dialogs() -> None:
    async def scenario(stage: Stage) -> None:
        alice, bob = await cast(stage)
        call, invite = await placed(alice, bob)
        for number in range(3 * MAX_EARLY_DIALOGS):
            bob.reply(invite, 180, tag=f"t{number}")
        await asyncio.sleep(1)
        assert len(alice.core.dialogs) == MAX_EARLY_DIALOGS
        bob.reply(invite, 603)
        await bob.hears("ACK")
        with pytest.raises(CallRejected):
            await call.answered()
        assert len(alice.core.dialogs) == 0

    on_stage(scenario)


def test_the_first_answer_counts_and_descriptions_after_it_are_ignored() -> None:
    async def scenario(stage: Stage) -> None:
        alice, bob = await cast(stage)
        call, invite = await placed(alice, bob)
        bob.reply(invite, 183, extra=SDP, body=ANSWER.replace(b"4000", b"5000"))
        await call.ringing
        media: Any = call.media
        assert media.remote.media[0].port == 5000
        bob.reply(invite, 183, extra=SDP, body=ANSWER)
        bob.reply(invite, 200, extra=SDP, body=ANSWER)
        await bob.hears("ACK")
        await call.answered()
        assert media.remote.media[0].port == 5000
        hanging = asyncio.ensure_future(call.hang_up())
        await hung_up(bob)
        await hanging

    on_stage(scenario)


def test_the_session_is_over_as_soon_as_the_bye_is_sent_whatever_becomes_of_it() -> None:
    async def scenario(stage: Stage) -> None:
        alice, bob = await cast(stage)
        for answer in (200, 481, 408, None):
            call, invite = await placed(alice, bob)
            bob.reply(invite, 200, extra=SDP, body=ANSWER)
            await bob.hears("ACK")
            await call.answered()
            hanging = asyncio.ensure_future(call.hang_up())
            bye = await bob.hears("BYE")
            assert call.is_over
            assert len(alice.core.dialogs) == 0
            if answer is not None:
                bob.reply(bye, answer)
                await hanging
            else:
                await asyncio.sleep(40)
                assert hanging.done()
                bob.kinds()

    on_stage(scenario)


def test_an_agent_that_ends_cancels_what_still_rings_and_waits_until_that_is_known() -> None:
    async def scenario(stage: Stage) -> None:
        alice, bob = await cast(stage)
        call, invite = await placed(alice, bob)
        bob.reply(invite, 180)
        await call.ringing
        closing = asyncio.ensure_future(alice.close())
        del stage.agents["alice"]
        bob.reply(await bob.hears("CANCEL"), 200)
        await asyncio.sleep(5)
        assert not closing.done()
        bob.reply(invite, 487)
        await bob.hears("ACK")
        await closing
        assert call.is_over

    on_stage(scenario)


def test_an_agent_that_ends_waits_for_nobody_who_has_said_nothing() -> None:
    async def scenario(stage: Stage) -> None:
        alice, bob = await cast(stage)
        call, _ = await placed(alice, bob)
        begin = asyncio.get_running_loop().time()
        await alice.close()
        del stage.agents["alice"]
        assert asyncio.get_running_loop().time() - begin < 1
        assert call.is_over

    on_stage(scenario)


def test_who_answers_after_the_call_is_acknowledged_all_the_same_and_a_new_party_hung_up_on() -> None:
    async def scenario(stage: Stage) -> None:
        alice, bob = await cast(stage)
        call, invite = await placed(alice, bob)
        ok = bob.reply(invite, 200, extra=SDP, body=ANSWER)
        ack = await bob.hears("ACK")
        await call.answered()
        hanging = asyncio.ensure_future(call.hang_up())
        await hung_up(bob)
        await hanging
        bob.send(ok)
        assert await bob.hears("ACK") == ack
        late = bob.reply(invite, 200, tag="late", extra=SDP, body=ANSWER)
        second = await bob.hears("ACK")
        assert second.to_tag == "late"
        assert second.cseq.number == invite.cseq.number
        bye = await bob.hears("BYE")
        assert bye.to_tag == "late"
        bob.reply(bye, 200)
        bob.send(late)
        assert await bob.hears("ACK") == second

    on_stage(scenario)


def test_a_refused_offer_leaves_no_trace_in_the_next_one() -> None:
    """RFC 3261 §14.1, RFC 6141 §3.1: what was in force is what is held."""

    async def scenario(stage: Stage) -> None:
        alice, bob = await cast(stage)
        call, invite = await placed(alice, bob)
        bob.reply(invite, 200, extra=SDP, body=ANSWER)
        await bob.hears("ACK")
        await call.answered()
        assert call.session is not None
        richer = call.session.negotiation.in_force().copy()
        richer.media.append(MediaDescription("video", 9, "RTP/AVP", ["31"]))
        changing = asyncio.ensure_future(call.modify(call.session.negotiation.exchange.next_edition(richer)))
        refused = await bob.hears("INVITE")
        assert refused.body.count(b"m=") == 2
        bob.reply(refused, 488)
        await bob.hears("ACK")
        with pytest.raises(RequestRejected):
            await changing
        holding = asyncio.ensure_future(call.hold())
        hold = await bob.hears("INVITE")
        assert hold.body.count(b"m=") == 1
        assert b"a=sendonly" in hold.body
        bob.reply(hold, 200, extra=SDP, body=ANSWER.replace(b"m=", b"a=recvonly\r\nm="))
        await bob.hears("ACK")
        await holding
        hanging = asyncio.ensure_future(call.hang_up())
        await hung_up(bob)
        await hanging

    on_stage(scenario)


def test_a_call_given_up_before_it_is_placed_is_never_placed() -> None:
    async def scenario(stage: Stage) -> None:
        alice, bob = await cast(stage)
        for give_up in (OutgoingCall.hang_up, _cancel):
            call = alice.call(bob.uri)
            await give_up(call)
            assert call.is_over
            with pytest.raises(CallEnded):
                await call.answered()
            with pytest.raises(CallEnded):
                await call.place()
        await bob.hears_nothing(1)

    on_stage(scenario)


async def _cancel(call: OutgoingCall) -> None:
    call.cancel()


def test_a_call_given_up_while_its_way_is_looked_for_is_never_placed() -> None:
    async def scenario(stage: Stage) -> None:
        alice, bob = await cast(stage)
        asked: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def slow(*_: Any, **__: Any) -> list[Any]:
            asked.set_result(None)
            await asyncio.sleep(3)
            return [(2, 2, 17, "", (bob.host, 5060))]

        asyncio.get_running_loop().getaddrinfo = slow  # type: ignore[method-assign]  # no test asks the real DNS
        call = alice.call("sip:bob@slow.example")
        placing = asyncio.ensure_future(call.answered())
        await asked
        call.cancel()
        with pytest.raises(CallEnded):
            await placing
        await bob.hears_nothing(10)

    on_stage(scenario)
