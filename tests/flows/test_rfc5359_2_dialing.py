"""RFC 5359 §2.17 and §2.18 (automatic redial, click to dial): each flow with our user agents, in simulated time."""

from __future__ import annotations

import asyncio

import pytest

from ringback.agent.call.incoming_call import IncomingCall
from ringback.agent.errors import CallRejected
from ringback.agent.transfer.referral import Referral
from tests.flows.basic_cast import BILOXI, CALLEE, alice, bob
from tests.flows.comparison import Differs
from tests.flows.corpus import flow
from tests.flows.dialog_package import DIALOG_INFO, DialogState, dialog_info, dialog_package, dialogs_in
from tests.flows.service_cast import AT_HOME, CAROL, CLEAR, REFRESHES, answers, carol
from tests.flows.stage import Agent, Stage, perform

BUSY, FREE = DialogState("confirmed"), DialogState("terminated")


def test_2_17_automatic_redial() -> None:
    async def scenario(stage: Stage) -> None:
        alice_, bob_ = stage.agents["Alice"], stage.agents["Bob"]
        dialogs = bob_.serve_event(dialog_package(CALLEE, BUSY))

        async def takes_the_second(call: IncomingCall) -> None:
            await call.ring()
            await asyncio.sleep(5)
            await call.answer()
            dialogs.notify(dialog_info(CALLEE, BUSY, version=2))
            await call.ended()

        bob_.on_call = takes_the_second
        bob_.refuses_with = 486
        with pytest.raises(CallRejected) as rejected:
            await alice_.call(CALLEE)
        assert rejected.value.status == 486
        async with alice_.subscribe(CALLEE, "dialog", expires=60, accept=[DIALOG_INFO]) as subscription:
            states = []
            async for notification in subscription:
                [dialog] = dialogs_in(notification.body)
                states.append(dialog.state)
                if len(states) == 1:
                    await asyncio.sleep(20)
                    bob_.refuses_with = None
                    dialogs.notify(dialog_info(CALLEE, FREE, version=1))
                elif dialog == FREE:
                    call = await alice_.call(CALLEE)
                    stage.life.push_async_callback(call.hang_up)
                else:
                    await asyncio.sleep(5)
                    break
        assert states == ["confirmed", "terminated", "confirmed"]

    perform(scenario, alice(server=None), bob(server=None), names=AT_HOME).shows(
        flow("rfc5359", "2.17"),
        """
          Alice                 Bob
            │──── INVITE F1 ────▶│
            │◀───── 486 F2 ──────│
            │───── ACK F3 ──────▶│
            │── SUBSCRIBE F4 ───▶│
            │◀───── 200 F5 ──────│
            │◀──── NOTIFY F6 ────│
            │───── 200 F7 ──────▶│
            │◀──── NOTIFY F8 ────│
            │───── 200 F9 ──────▶│
            │─── INVITE F10 ────▶│
            │◀───── 180 F11 ─────│
            │◀───── 200 F12 ─────│
            │───── ACK F13 ─────▶│
            │◀─── NOTIFY F14 ────│
            │───── 200 F15 ─────▶│
            │── SUBSCRIBE F16 ──▶│
            │◀───── 200 F17 ─────│
            │◀─── NOTIFY F18 ────│
            │───── 200 F19 ─────▶│
        """,
        CLEAR,
        Differs(
            "F4", "Expires", "60", "RFC 6665 §4.1.2.1: a SUBSCRIBE should say for how long; the RFC leaves that to Bob, who says the same"
        ),
        Differs("F7 F9 F15 F19", "Contact", "Alice", REFRESHES),
        Differs(
            "F8", "Request-URI", "Alice", "RFC 3261 §12.2.1.1: her Contact of F4, as in F6; the RFC has her address-of-record by mistake"
        ),
        Differs("F16", "To", f"bob@{BILOXI}", "RFC 3261 §12.2.1.1: that of F4; the RFC has From twice"),
        Differs("F16", "To tag", "To of F5", "as To"),
    )


def test_2_18_click_to_dial() -> None:
    async def calls_whom_it_names(referral: Referral) -> None:
        async with referral.follow() as call:
            await call.ended()

    async def scenario(stage: Stage) -> None:
        stage.agents["Bob"].on_refer = calls_whom_it_names
        stage.agents["Carol"].on_call = answers
        assert (await stage.agents["PC"].refer(CALLEE, CAROL, reports=False)).status == 202
        await asyncio.sleep(60)

    browser = Agent("PC", "192.0.2.123", f"sip:pc.{BILOXI}", f"pc.{BILOXI}")
    perform(scenario, browser, bob(server=None), carol(), names=AT_HOME).shows(
        flow("rfc5359", "2.18"),
        """
          PC               Bob             Carol
           │── REFER F1 ───▶│                │
           │◀─── 202 F2 ────│                │
           │                │── INVITE F3 ──▶│
           │                │◀─── 180 F4 ────│
           │                │◀─── 200 F5 ────│
           │                │─── ACK F6 ────▶│
        """,
        CLEAR,
        Differs(
            "F1", "Referred-By", "PC", "RFC 3892 §2.1: who refers says who it is; the RFC has it in F3, and not where F3 takes it from"
        ),
        Differs("F2", "Via", "UDP PC", "RFC 3261 §8.2.6.2: that of F1; the RFC names Bob by mistake"),
    )
