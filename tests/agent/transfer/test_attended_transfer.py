"""Attended transfers between three agents (RFC 5589 §7): who is sent to whom, who replaces whom, and who is left."""

from __future__ import annotations

import asyncio

import pytest

from ringback import IncomingCall, Request
from ringback.agent.transfer.sipfrag import StatusLine
from ringback.agent.transfer.transfer import refer_to_of
from tests.agent.stage import Stage, on_stage
from tests.agent.transfer.test_transfer import Phone, refers


def test_an_attended_transfer_brings_both_peers_together_and_leaves_the_transferor_with_nobody() -> None:
    """RFC 5589 §7.3."""
    bob, carol = Phone(), Phone()

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=bob, accepts_transfers=True)
        await stage.agent("carol", on_call=carol)
        call = await alice.call(stage.uri("bob"))
        consultation = await alice.call(stage.uri("carol"))
        await call.transfer(consultation)
        assert (call.reason, consultation.reason) == ("we hung up", "the peer hung up")
        assert carol.calls[1].replaces is carol.calls[0]
        await asyncio.sleep(10)
        assert carol.calls[1].is_answered
        await carol.calls[1].hang_up()

    stage = on_stage(scenario)
    assert stage.said() == [
        *["INVITE", "200 INVITE", "ACK"] * 2,
        *["REFER", "202 REFER", "NOTIFY", "INVITE", "200 NOTIFY", "200 INVITE", "ACK", "NOTIFY", "200 NOTIFY", "BYE", "BYE"],
        *["200 BYE", "200 BYE", "BYE", "200 BYE"],
    ]
    (refer,) = refers(stage)
    consulted = stage.messages(Request)[2]
    invite = next(request for request in stage.messages(Request) if "replaces" in request.headers.keys)
    assert refer.value("Refer-To").uri_text.startswith("sip:carol@192.0.2.3:5060?Replaces=")
    assert invite.headers.texts("Require") == ["replaces"]
    assert invite.value("Replaces").call_id == consulted.call_id
    assert invite.value("Replaces").from_tag == consulted.from_tag


def test_an_attended_transfer_of_calls_that_came_in() -> None:
    alice_phone = Phone()

    async def scenario(stage: Stage) -> None:
        await stage.agent("alice", on_call=alice_phone)
        bob = await stage.agent("bob", on_call=Phone(), accepts_transfers=True)
        carol_phone = Phone()
        carol = await stage.agent("carol", on_call=carol_phone)
        call = await bob.call(stage.uri("alice"))
        other = await carol.call(stage.uri("alice"))
        await alice_phone.calls[0].transfer(alice_phone.calls[1])
        assert call.is_over
        assert other.is_over
        assert carol_phone.calls[0].replaces is other
        await carol_phone.calls[0].hang_up()

    on_stage(scenario)
    assert len(alice_phone.ends) == 2


def test_a_consultation_that_still_rings_is_waited_for() -> None:
    """RFC 5589 §7.6, semi-attended."""
    carol = Phone(rings_for=20)

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=Phone(), accepts_transfers=True)
        await stage.agent("carol", on_call=carol)
        call = await alice.call(stage.uri("bob"))
        consultation = alice.call(stage.uri("carol"))
        await consultation.place()
        carol_answers_the_second_at_once(carol)
        await call.transfer(consultation)
        await carol.calls[1].hang_up()

    on_stage(scenario)


def carol_answers_the_second_at_once(carol: Phone) -> None:
    """The phone rings for its first call only."""
    asyncio.get_running_loop().call_later(21, setattr, carol, "rings_for", 0)


@pytest.mark.parametrize("says_so", [True, False])
def test_a_transferee_without_refer_is_called_by_the_target_instead(says_so: bool) -> None:
    """RFC 5589 §7.4: the roles are reversed, after a 405 where its Allow has not said so."""
    bob, carol = Phone(), Phone()

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        old = await stage.agent("bob", on_call=bob)
        del old.core.serving["REFER"]
        await stage.agent("carol", on_call=carol, accepts_transfers=True)
        call = await alice.call(stage.uri("bob"))
        assert call.session is not None
        assert call.session.peer_allows is not None
        if not says_so:
            call.session.peer_allows = None
        consultation = await alice.call(stage.uri("carol"))
        await call.transfer(consultation)
        assert (call.reason, consultation.reason) == ("the peer hung up", "we hung up")
        assert bob.calls[1].replaces is bob.calls[0]
        await bob.calls[1].hang_up()

    stage = on_stage(scenario)
    asked = [refer.uri_text for refer in refers(stage)]
    assert asked == ["sip:carol@192.0.2.3:5060"] if says_so else ["sip:bob@192.0.2.2:5060", "sip:carol@192.0.2.3:5060"]


def test_who_cannot_replace_is_referred_itself() -> None:
    """RFC 5589 §7.2."""
    bob, carol = Phone(), Phone()

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=bob)
        without = await stage.agent("carol", on_call=carol, accepts_transfers=True)
        without.core.extensions.remove("replaces")
        without.core.extensions.append("x-replaces-of-others")
        call = await alice.call(stage.uri("bob"))
        consultation = await alice.call(stage.uri("carol"))
        without.core.extensions.append("replaces")
        await call.transfer(consultation)
        await bob.calls[1].hang_up()

    stage = on_stage(scenario)
    assert [refer.uri_text for refer in refers(stage)] == ["sip:carol@192.0.2.3:5060"]


def test_a_target_not_found_under_its_contact_is_tried_under_its_address() -> None:
    """RFC 5589 §7.5, the other way round: without a proxy the Contact comes first."""

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=Phone(), accepts_transfers=True)
        carol = Phone()
        await stage.agent("carol", on_call=carol)
        call = await alice.call(stage.uri("bob"))
        consultation = await alice.call(stage.uri("carol"))
        assert consultation.session is not None
        consultation.session.dialog.remote_target = "sip:carol@192.0.2.2:5060"
        await call.transfer(consultation)
        await carol.calls[1].hang_up()

    stage = on_stage(scenario)
    assert [refer.value("Refer-To").uri.host for refer in refers(stage)] == ["192.0.2.2", "192.0.2.3"]


def test_a_replaced_peer_that_does_not_hang_up_is_hung_up_on() -> None:
    """The transfer is done, whatever the target does of the call with us."""

    async def scenario(stage: Stage) -> None:
        alice = await stage.agent("alice")
        await stage.agent("bob", on_call=Phone(), accepts_transfers=True)
        carol = Phone()
        await stage.agent("carol", on_call=carol)
        call = await alice.call(stage.uri("bob"))
        consultation = await alice.call(stage.uri("carol"))
        bystander = await alice.call(stage.uri("carol"))

        async def answers_as_if_new(call: IncomingCall) -> None:
            call.replaces = None
            await carol(call)

        stage.agents["carol"].on_call = answers_as_if_new
        await call.transfer(consultation)
        assert consultation.reason == "we hung up"
        assert bystander.is_answered
        await bystander.hang_up()
        await carol.calls[-1].hang_up()

    on_stage(scenario)


def test_the_coroutine_of_the_call_that_is_replaced_may_be_the_one_that_transfers() -> None:
    """That its own call ends under it is how the transfer succeeds."""
    results: list[StatusLine] = []
    waiting: list[IncomingCall] = []

    async def reception(call: IncomingCall) -> None:
        await call.answer()
        if waiting:
            results.append(await waiting[0].transfer(call))
        else:
            waiting.append(call)
            await call.ended()

    async def scenario(stage: Stage) -> None:
        await stage.agent("reception", on_call=reception)
        bob = await stage.agent("bob", accepts_transfers=True)
        carol_phone = Phone()
        carol = await stage.agent("carol", on_call=carol_phone)
        await bob.call(stage.uri("reception"))
        other = await carol.call(stage.uri("reception"))
        await asyncio.sleep(10)
        assert other.is_over
        assert carol_phone.calls[0].replaces is other
        await carol_phone.calls[0].hang_up()

    on_stage(scenario)
    assert results == [StatusLine(200, "OK")]


def test_behind_proxies_the_address_comes_before_a_contact_that_is_no_gruu() -> None:
    """RFC 5589 §7.5; what is no SIP URI leads nowhere."""

    async def scenario(stage: Stage) -> None:
        alice_phone = Phone()
        await stage.agent("alice", on_call=alice_phone)
        carol = await stage.agent("carol", "sip:carol@example.com")
        call = await carol.call(stage.uri("alice"))
        (incoming,) = alice_phone.calls
        session = incoming.session
        assert session is not None

        def order() -> list[str]:
            return [uri.partition("?")[0] for uri in refer_to_of(incoming)]

        contact = session.dialog.remote_target
        aor = "sip:carol@example.com"
        assert order() == [contact, aor]
        session.dialog.route_set = ("<sip:proxy.example.com;lr>",)
        assert order() == [aor, contact]
        session.dialog.remote_target = "sip:carol@192.0.2.2;gr=urn:uuid:1"
        assert order() == ["sip:carol@192.0.2.2;gr=urn:uuid:1", aor]
        incoming.request.headers.set("From", "<tel:+358-555-1234567>;tag=1")
        assert order() == ["sip:carol@192.0.2.2;gr=urn:uuid:1"]
        incoming.request.headers.set("From", "<sip:carol@>;tag=1")
        assert order() == ["sip:carol@192.0.2.2;gr=urn:uuid:1"]
        session.dialog.route_set = ()
        session.dialog.remote_target = contact
        await call.hang_up()

    on_stage(scenario)
