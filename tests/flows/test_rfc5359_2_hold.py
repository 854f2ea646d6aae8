"""RFC 5359 §2.1 to §2.3 (call hold, consultation hold, music on hold): each flow with our user agents, in simulated time."""

from __future__ import annotations

import asyncio

from ringback.agent.call.incoming_call import IncomingCall
from ringback.agent.transfer.referral import Referral
from ringback.agent.transfer.transfer import refer_to_of
from ringback.sdp.direction import SENDONLY
from tests.flows.basic_cast import CALLEE, alice, bob
from tests.flows.comparison import Differs, Means, Moved, trying
from tests.flows.corpus import flow
from tests.flows.essentials import ABSENT
from tests.flows.service_cast import (
    AT_HOME,
    AT_PROXY,
    AUTOMATA,
    CAROL,
    CLEAR,
    MACHINE,
    REFRESHES,
    answers,
    carol,
    proxy_of_all,
    puts_on_hold,
    takes_back,
)
from tests.flows.stage import Agent, OneCodec, Stage, perform

MUSIC = "server.example.com"

ONLY_AT_FIRST = "RFC 3261 §12.1.1: the response that makes the dialog has it; later ones would change nothing, and ours leave it out"
CALL_OF_F17 = "RFC 3261 §8.2.6.2: the Call-ID of F17; the RFC names another one by mistake"


def test_2_1_call_hold() -> None:
    async def holds(call: IncomingCall) -> None:
        await call.ring()
        await asyncio.sleep(5)
        await call.answer()
        await asyncio.sleep(10)
        await puts_on_hold(call)
        await asyncio.sleep(10)
        await takes_back(call)
        await call.ended()

    async def scenario(stage: Stage) -> None:
        stage.agents["Bob"].on_call = holds
        async with stage.agents["Alice"].call(CALLEE) as call:
            await asyncio.sleep(15)
            assert call.is_held
            await asyncio.sleep(30)
            assert not call.is_held

    perform(scenario, alice(server="Proxy 1"), proxy_of_all(), bob(server="Proxy 1"), names=AT_PROXY).shows(
        flow("rfc5359", "2.1"),
        """
           Alice             Proxy 1              Bob
             │─── INVITE F1 ───▶│                  │
             │◀──── 100 F3 ─────│                  │
             │                  │─── INVITE F2 ───▶│
             │                  │◀──── 180 F4 ─────│
             │◀──── 180 F5 ─────│                  │
             │                  │◀──── 200 F6 ─────│
             │◀──── 200 F7 ─────│                  │
             │──── ACK F8 ─────▶│                  │
             │                  │──── ACK F9 ─────▶│
             │                  │◀── INVITE F10 ───│
             │                  │────── 100 ──────▶│
             │◀── INVITE F11 ───│                  │
             │──── 200 F12 ────▶│                  │
             │                  │──── 200 F13 ────▶│
             │                  │◀──── ACK F14 ────│
             │◀──── ACK F15 ────│                  │
             │                  │◀── INVITE F16 ───│
             │                  │────── 100 ──────▶│
             │◀── INVITE F17 ───│                  │
             │──── 200 F18 ────▶│                  │
             │                  │──── 200 F19 ────▶│
             │                  │◀──── ACK F20 ────│
             │◀──── ACK F21 ────│                  │
             │──── BYE F22 ────▶│                  │
             │                  │──── BYE F23 ────▶│
             │                  │◀──── 200 F24 ────│
             │◀──── 200 F25 ────│                  │
        """,
        CLEAR,
        *trying("F3 F2", "Proxy 1 → Bob F10", "Proxy 1 → Bob F16"),
        Differs("F12 F13 F18 F19", "Record-Route", ABSENT, ONLY_AT_FIRST),
    )


def test_2_2_consultation_hold() -> None:
    async def scenario(stage: Stage) -> None:
        async def consults(call: IncomingCall) -> None:
            await call.ring()
            await asyncio.sleep(5)
            await call.answer()
            await asyncio.sleep(10)
            await puts_on_hold(call)
            await asyncio.sleep(1)
            async with stage.agents["Bob"].call(CAROL):
                await asyncio.sleep(10)
            await takes_back(call)
            await call.ended()

        stage.agents["Bob"].on_call = consults
        stage.agents["Carol"].on_call = answers
        async with stage.agents["Alice"].call(CALLEE):
            await asyncio.sleep(60)

    cast = (alice(server="Proxy 1"), proxy_of_all(), bob(server="Proxy 1"), carol("Proxy 1"))
    perform(scenario, *cast, names=AT_PROXY).shows(
        flow("rfc5359", "2.2"),
        """
           Alice             Proxy 1              Bob               Carol
             │─── INVITE F1 ───▶│                  │                  │
             │◀──── 100 F3 ─────│                  │                  │
             │                  │─── INVITE F2 ───▶│                  │
             │                  │◀──── 180 F4 ─────│                  │
             │◀──── 180 F5 ─────│                  │                  │
             │                  │◀──── 200 F6 ─────│                  │
             │◀──── 200 F7 ─────│                  │                  │
             │──── ACK F8 ─────▶│                  │                  │
             │                  │──── ACK F9 ─────▶│                  │
             │                  │◀── INVITE F10 ───│                  │
             │                  │────── 100 ──────▶│                  │
             │◀── INVITE F11 ───│                  │                  │
             │──── 200 F12 ────▶│                  │                  │
             │                  │──── 200 F13 ────▶│                  │
             │                  │◀──── ACK F14 ────│                  │
             │◀──── ACK F15 ────│                  │                  │
             │                  │◀── INVITE F16 ───│                  │
             │                  │──── 100 F18 ────▶│                  │
             │                  │──────────── INVITE F17 ────────────▶│
             │                  │◀───────────── 180 F19 ──────────────│
             │                  │──── 180 F20 ────▶│                  │
             │                  │◀───────────── 200 F21 ──────────────│
             │                  │──── 200 F22 ────▶│                  │
             │                  │◀──── ACK F23 ────│                  │
             │                  │───────────── ACK F24 ──────────────▶│
             │                  │◀──── BYE F25 ────│                  │
             │                  │───────────── BYE F26 ──────────────▶│
             │                  │◀───────────── 200 F27 ──────────────│
             │                  │──── 200 F28 ────▶│                  │
             │                  │◀── INVITE F29 ───│                  │
             │                  │────── 100 ──────▶│                  │
             │◀── INVITE F30 ───│                  │                  │
             │──── 200 F31 ────▶│                  │                  │
             │                  │──── 200 F32 ────▶│                  │
             │                  │◀──── ACK F33 ────│                  │
             │◀──── ACK F34 ────│                  │                  │
             │──── BYE F35 ────▶│                  │                  │
             │                  │──── BYE F36 ────▶│                  │
             │                  │◀──── 200 F37 ────│                  │
             │◀──── 200 F38 ────│                  │                  │
        """,
        CLEAR,
        *trying("F3 F2", "Proxy 1 → Bob F10", "F18 F17", "Proxy 1 → Bob F29"),
        Differs("F12 F13 F31 F32", "Record-Route", ABSENT, ONLY_AT_FIRST),
        Differs("F19", "Call-ID", "Call-ID of F16", CALL_OF_F17),
        Differs("F19", "From tag", "From of F16", CALL_OF_F17),
        Means("To_tag", "To of F19", "To of F20", CALL_OF_F17),
    )


class Music(OneCodec):
    """An audio stream that plays and never listens."""

    __slots__ = ()

    def __init__(self, host: str) -> None:
        super().__init__(host)
        self._one.media[0].direction = SENDONLY


def test_2_3_music_on_hold() -> None:
    async def plays(referral: Referral) -> None:
        referral.accept()
        await asyncio.sleep(1)
        call = referral.follow(names_call=True)
        call.show_features(MACHINE)
        async with call:
            await call.ended()

    async def scenario(stage: Stage) -> None:
        taken = asyncio.get_running_loop().create_future()

        async def holds(call: IncomingCall) -> None:
            await call.ring()
            await asyncio.sleep(5)
            await call.answer()
            await asyncio.sleep(10)
            await puts_on_hold(call)
            taken.set_result(call)
            await call.ended()

        bob = stage.agents["Bob"]
        bob.on_call = holds
        stage.agents["Alice"].on_call = answers
        await stage.agents["Alice"].call(CALLEE)
        held = await taken
        await asyncio.sleep(1)
        music = bob.refer(f"sip:music@{MUSIC}", refer_to_of(held)[0])
        await music
        await asyncio.sleep(20)
        back = await bob.call(held.request.contact.uri_text, headers=[("Replaces", music.dialog)])
        stage.life.push_async_callback(back.hang_up)
        assert held.is_over

    server = Agent("Music Server", "192.0.2.60", f"sip:music@{MUSIC}", MUSIC, options={"media": Music, "on_refer": plays})
    perform(scenario, alice(server=None), bob(server=None), server, names=AT_HOME).shows(
        flow("rfc5359", "2.3"),
        """
         Alice               Bob           Music Server
           │─── INVITE F1 ───▶│                  │
           │◀──── 180 F2 ─────│                  │
           │◀──── 200 F3 ─────│                  │
           │──── ACK F4 ─────▶│                  │
           │◀─── INVITE F5 ───│                  │
           │──── 200 F6 ─────▶│                  │
           │◀──── ACK F7 ─────│                  │
           │                  │─── REFER F8 ────▶│
           │                  │◀──── 202 F9 ─────│
           │                  │◀── NOTIFY F10 ───│
           │                  │──── 200 F11 ────▶│
           │◀──────────── INVITE F12 ────────────│
           │───────────── 200 F13 ──────────────▶│
           │◀───────────── ACK F14 ──────────────│
           │                  │◀── NOTIFY F17 ───│
           │                  │──── 200 F18 ────▶│
           │──── BYE F15 ────▶│                  │
           │◀──── 200 F16 ────│                  │
           │◀── INVITE F19 ───│                  │
           │──── 200 F20 ────▶│                  │
           │◀──── ACK F21 ────│                  │
           │───────────── BYE F22 ──────────────▶│
           │◀───────────── 200 F23 ──────────────│
        """,
        CLEAR,
        AUTOMATA,
        Moved("F17", "F15", "NOTIFY leaves together with the ACK F14, BYE when that has come"),
        Moved("F18", "F15", "as F17"),
        Differs("F5 F7 F19 F21", "Max-Forwards", "70", "RFC 3261 §8.1.1: every request has it; the RFC leaves it out by mistake"),
        Differs("F11 F18", "Contact", "Bob", REFRESHES),
    )
