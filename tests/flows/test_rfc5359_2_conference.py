"""RFC 5359 §2.10 and §2.11 (three-way conferences): each flow with our user agents, in simulated time."""

from __future__ import annotations

import asyncio

from ringback.agent.call.call import Call
from ringback.agent.call.incoming_call import IncomingCall
from ringback.sdp.offer import make_offer
from tests.flows.basic_cast import CALLEE, alice, bob
from tests.flows.comparison import Differs
from tests.flows.corpus import flow
from tests.flows.service_cast import AT_HOME, CAROL, CLEAR, answers, carol
from tests.flows.stage import Stage, perform

ANSWERED_ANEW = (
    "session of F1, version first+1",
    "RFC 3264 §8: what differs has another version, and an answer of ours says sendrecv in words; the RFC's is as F1",
)
MIXER = 49172
FOCUS = {"isfocus": None}


async def goes_to_the_mixer(call: Call) -> None:
    """Bob's phone offers its mixer's port for the call, and says that it mixes (RFC 4579 §4.2)."""
    call.show_features(FOCUS)
    negotiation = call.standing().negotiation
    offer = make_offer(negotiation.exchange, negotiation.media.capabilities())
    offer.media[0].port = MIXER
    await call.modify(offer)


def test_2_10_three_way_conference_third_party_is_added() -> None:
    async def scenario(stage: Stage) -> None:
        async def adds_carol(call: IncomingCall) -> None:
            await call.ring()
            await asyncio.sleep(5)
            await call.answer()
            await asyncio.sleep(5)
            await goes_to_the_mixer(call)
            third = stage.agents["Bob"].call(CAROL)
            third.show_features(FOCUS)
            await third
            stage.life.push_async_callback(third.hang_up)
            await call.ended()

        stage.agents["Bob"].on_call = adds_carol
        stage.agents["Carol"].on_call = answers
        call = await stage.agents["Alice"].call(CALLEE)
        stage.life.push_async_callback(call.hang_up)
        await asyncio.sleep(60)

    perform(scenario, alice(server=None), bob(server=None), carol(), names=AT_HOME).shows(
        flow("rfc5359", "2.10"),
        """
          Alice             Bob             Carol
            │── INVITE F1 ──▶│                │
            │◀─── 180 F2 ────│                │
            │◀─── 200 F3 ────│                │
            │─── ACK F4 ────▶│                │
            │◀── INVITE F5 ──│                │
            │─── 200 F6 ────▶│                │
            │◀─── ACK F7 ────│                │
            │                │── INVITE F8 ──▶│
            │                │◀─── 180 F9 ────│
            │                │◀─── 200 F10 ───│
            │                │─── ACK F11 ───▶│
        """,
        CLEAR,
        Differs("F9", "kind", "180 INVITE", "its title says 180 Ringing; the status line says 200 by mistake"),
        Differs("F6", "SDP origin", ANSWERED_ANEW[0], ANSWERED_ANEW[1]),
    )


def test_2_11_three_way_conference_third_party_joins() -> None:
    async def scenario(stage: Stage) -> None:
        async def lets_others_in(call: IncomingCall) -> None:
            if call.joins is not None:
                call.show_features(FOCUS)
            await call.ring()
            await asyncio.sleep(5)
            if call.joins is not None:
                await goes_to_the_mixer(call.joins)
            await call.answer()
            await call.ended()

        stage.agents["Bob"].on_call = lets_others_in
        call = await stage.agents["Alice"].call(CALLEE)
        stage.life.push_async_callback(call.hang_up)
        dialog = call.standing().dialog
        join = f"{dialog.call_id};from-tag={dialog.local_tag};to-tag={dialog.remote_tag}"
        third = await stage.agents["Carol"].call(CALLEE, headers=[("Join", join)])
        stage.life.push_async_callback(third.hang_up)
        await asyncio.sleep(60)

    perform(scenario, alice(server=None), bob(server=None, accepts_joins=True), carol(), names=AT_HOME).shows(
        flow("rfc5359", "2.11"),
        """
          Alice             Bob             Carol
            │── INVITE F1 ──▶│                │
            │◀─── 180 F2 ────│                │
            │◀─── 200 F3 ────│                │
            │─── ACK F4 ────▶│                │
            │                │◀── INVITE F5 ──│
            │                │─── 180 F6 ────▶│
            │◀── INVITE F7 ──│                │
            │─── 200 F8 ────▶│                │
            │◀─── ACK F9 ────│                │
            │                │─── 200 F10 ───▶│
            │                │◀─── ACK F11 ───│
        """,
        CLEAR,
        Differs("F5 F6 F10 F11", "Via", "UDP Carol", "her phone sends it; the RFC names her domain by mistake"),
        Differs("F8", "SDP origin", ANSWERED_ANEW[0], ANSWERED_ANEW[1]),
    )
