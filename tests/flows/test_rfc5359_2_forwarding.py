"""RFC 5359 §2.7 to §2.9 (call forwarding): each flow with our user agents and our proxy, in simulated time."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ringback.agent.call.incoming_call import IncomingCall
from tests.flows.basic_cast import CALLEE, alice
from tests.flows.comparison import Differs, Omitted, trying
from tests.flows.corpus import flow
from tests.flows.service_cast import AT_PROXY, CLEAR, answers, phone_of_bob, proxy_of_bob
from tests.flows.stage import Agent, Stage, perform

BY_A_USER_AGENT = "RFC 3261 §16.7: a proxy makes no provisional response but 100; the RFC's is a user agent here, as it says itself"


async def alice_talks(stage: Stage) -> None:
    """Alice calls Bob, talks for a while and hangs up."""
    async with stage.agents["Alice"].call(CALLEE):
        await asyncio.sleep(30)


def forwarding(folder: Path, decision: str) -> Path:
    """The operator's own routing file."""
    routes = folder / "routes.py"
    routes.write_text(f"def route(request):\n    return {decision}\n")
    return routes


def test_2_7_call_forwarding_unconditional(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        stage.agents["Gateway"].on_call = answers
        await alice_talks(stage)

    proxy = proxy_of_bob(routing=forwarding(tmp_path, 'Forward("sip:+19727293660@gw1.example.com;user=phone")'))
    gateway = Agent("Gateway", "192.0.2.60", "sip:+19727293660@gw1.example.com;user=phone", "gw1.example.com")
    perform(scenario, alice(server=None), proxy, gateway, names=AT_PROXY).shows(
        flow("rfc5359", "2.7"),
        """
          Alice            Proxy           Gateway
            │── INVITE F1 ──▶│                │
            │◀─── 100 F2 ────│                │
            │                │── INVITE F4 ──▶│
            │                │◀─── 180 F5 ────│
            │◀─── 180 F6 ────│                │
            │                │◀─── 200 F7 ────│
            │◀─── 200 F8 ────│                │
            │─── ACK F9 ────▶│                │
            │                │─── ACK F10 ───▶│
            │─── BYE F11 ───▶│                │
            │                │─── BYE F12 ───▶│
            │                │◀─── 200 F13 ───│
            │◀─── 200 F14 ───│                │
        """,
        CLEAR,
        Omitted("F3", BY_A_USER_AGENT),
    )


def test_2_8_call_forwarding_busy(tmp_path: Path) -> None:
    async def is_busy(call: IncomingCall) -> None:
        await call.decline(486)

    async def scenario(stage: Stage) -> None:
        stage.agents["B1"].on_call = is_busy
        stage.agents["B2"].on_call = answers
        await alice_talks(stage)

    proxy = proxy_of_bob(routing=forwarding(tmp_path, "Forward(*location.lookup(request.uri), one_by_one=True)"))
    perform(scenario, alice(server=None), proxy, phone_of_bob(1), phone_of_bob(2), names=AT_PROXY).shows(
        flow("rfc5359", "2.8"),
        """
          Alice            Proxy             B1               B2
            │── INVITE F1 ──▶│                │                │
            │◀─── 100 F3 ────│                │                │
            │                │── INVITE F2 ──▶│                │
            │                │◀─── 486 F4 ────│                │
            │                │─── ACK F5 ────▶│                │
            │                │────────── INVITE F7 ───────────▶│
            │                │◀──────────── 180 F8 ────────────│
            │◀─── 180 F9 ────│                │                │
            │                │◀─────────── 200 F10 ────────────│
            │◀─── 200 F11 ───│                │                │
            │─── ACK F12 ───▶│                │                │
            │                │─────────── ACK F13 ────────────▶│
            │─── BYE F14 ───▶│                │                │
            │                │─────────── BYE F15 ────────────▶│
            │                │◀─────────── 200 F16 ────────────│
            │◀─── 200 F17 ───│                │                │
        """,
        CLEAR,
        *trying("F3 F2"),
        Omitted("F6", BY_A_USER_AGENT),
    )


def test_2_9_call_forwarding_no_answer(tmp_path: Path) -> None:
    async def rings(call: IncomingCall) -> None:
        await call.ring()
        await call.ended()

    async def scenario(stage: Stage) -> None:
        stage.agents["B1"].on_call = rings
        stage.agents["B2"].on_call = answers
        await alice_talks(stage)

    decision = "Forward(*location.lookup(request.uri), one_by_one=True, ring_for=15)"
    proxy = proxy_of_bob(routing=forwarding(tmp_path, decision))
    perform(scenario, alice(server=None), proxy, phone_of_bob(1), phone_of_bob(2), names=AT_PROXY).shows(
        flow("rfc5359", "2.9"),
        """
          Alice            Proxy             B1               B2
            │── INVITE F1 ──▶│                │                │
            │◀─── 100 F3 ────│                │                │
            │                │── INVITE F2 ──▶│                │
            │                │◀─── 180 F4 ────│                │
            │◀─── 180 F5 ────│                │                │
            │                │── CANCEL F6 ──▶│                │
            │                │◀─── 200 F7 ────│                │
            │                │◀─── 487 F8 ────│                │
            │                │─── ACK F9 ────▶│                │
            │                │────────── INVITE F11 ──────────▶│
            │                │◀─────────── 180 F12 ────────────│
            │◀─── 180 F13 ───│                │                │
            │                │◀─────────── 200 F14 ────────────│
            │◀─── 200 F15 ───│                │                │
            │─── ACK F16 ───▶│                │                │
            │                │─────────── ACK F17 ────────────▶│
            │─── BYE F18 ───▶│                │                │
            │                │─────────── BYE F19 ────────────▶│
            │                │◀─────────── 200 F20 ────────────│
            │◀─── 200 F21 ───│                │                │
        """,
        CLEAR,
        *trying("F3 F2"),
        Omitted("F10", BY_A_USER_AGENT),
        Differs("F7", "To tag", "To of F4", "RFC 3261 §9.2: better the tag of the answers to the INVITE; the RFC has another one"),
    )
