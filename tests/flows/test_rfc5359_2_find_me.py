"""RFC 5359 §2.12 (find-me): the flow with our user agents and our proxy, in simulated time."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ringback.agent.call.incoming_call import IncomingCall
from tests.flows.basic_cast import CALLEE, alice
from tests.flows.comparison import trying
from tests.flows.corpus import flow
from tests.flows.service_cast import AT_PROXY, CLEAR, phone_of_bob, proxy_of_bob
from tests.flows.stage import Stage, perform


def test_2_12_find_me(tmp_path: Path) -> None:
    async def rings(call: IncomingCall) -> None:
        await call.ring()
        await call.ended()

    async def has_nobody(call: IncomingCall) -> None:
        await call.decline(480, "Not Logged In")

    async def is_busy(call: IncomingCall) -> None:
        await call.decline(486)

    async def talks(call: IncomingCall) -> None:
        await call.ring()
        await asyncio.sleep(5)
        await call.answer()
        await asyncio.sleep(60)

    async def scenario(stage: Stage) -> None:
        for name, does in zip(("B1", "B2", "B3", "B4"), (rings, has_nobody, is_busy, talks), strict=True):
            stage.agents[name].on_call = does
        call = await stage.agents["Alice"].call(CALLEE)
        assert "hung up" in await call.ended()

    routes = tmp_path / "routes.py"
    routes.write_text("def route(request):\n    return Forward(*location.lookup(request.uri), one_by_one=True, ring_for=15)\n")
    phones = [phone_of_bob(number) for number in (1, 2, 3, 4)]
    perform(scenario, alice(server=None), proxy_of_bob(routing=routes), *phones, names=AT_PROXY).shows(
        flow("rfc5359", "2.12"),
        """
          Alice            Proxy             B1               B2               B3               B4
            │── INVITE F1 ──▶│                │                │                │                │
            │◀─── 100 F3 ────│                │                │                │                │
            │                │── INVITE F2 ──▶│                │                │                │
            │                │◀─── 180 F4 ────│                │                │                │
            │◀─── 180 F5 ────│                │                │                │                │
            │                │── CANCEL F6 ──▶│                │                │                │
            │                │◀─── 200 F7 ────│                │                │                │
            │                │◀─── 487 F8 ────│                │                │                │
            │                │─── ACK F9 ────▶│                │                │                │
            │                │────────── INVITE F10 ──────────▶│                │                │
            │                │◀─────────── 480 F11 ────────────│                │                │
            │                │─────────── ACK F12 ────────────▶│                │                │
            │                │────────────────── INVITE F13 ───────────────────▶│                │
            │                │◀──────────────────── 486 F14 ────────────────────│                │
            │                │──────────────────── ACK F15 ────────────────────▶│                │
            │                │─────────────────────────── INVITE F16 ───────────────────────────▶│
            │                │◀──────────────────────────── 180 F17 ─────────────────────────────│
            │◀─── 180 F18 ───│                │                │                │                │
            │                │◀──────────────────────────── 200 F19 ─────────────────────────────│
            │◀─── 200 F20 ───│                │                │                │                │
            │─── ACK F21 ───▶│                │                │                │                │
            │                │──────────────────────────── ACK F22 ─────────────────────────────▶│
            │                │◀──────────────────────────── BYE F23 ─────────────────────────────│
            │◀─── BYE F24 ───│                │                │                │                │
            │─── 200 F25 ───▶│                │                │                │                │
            │                │──────────────────────────── 200 F26 ─────────────────────────────▶│
        """,
        CLEAR,
        *trying("F3 F2"),
    )
