"""RFC 5359 §2.4 to §2.6 (transfers): each flow with our user agents, in simulated time."""

from __future__ import annotations

import asyncio

from ringback.agent.call.incoming_call import IncomingCall
from ringback.agent.instant_message import IncomingMessage
from ringback.agent.transfer.referral import Referral
from ringback.agent.transfer.transfer import refer_to_of
from tests.flows.basic_cast import ATLANTA, CALLEE, alice, bob
from tests.flows.comparison import Added, Differs, Moved
from tests.flows.corpus import flow
from tests.flows.essentials import ABSENT
from tests.flows.service_cast import AT_HOME, CAROL, CLEAR, REFRESHES, answers, carol, puts_on_hold
from tests.flows.stage import Stage, perform

ALICE = alice(server=None)
RINGS = "RFC 3515 §3.10: a notifier may tell that it rings"
SENDER = "Via says where it is sent from; the RFC names another host by mistake"


async def asks_its_user(referral: Referral) -> None:
    """Bob accepts at once, goes there when he has said yes, and tells which call came of it, as the RFC's notifications do."""
    referral.accept()
    await asyncio.sleep(2)
    async with referral.follow(names_call=True) as call:
        await call.ended()


def test_2_4_transfer_unattended() -> None:
    async def sends_to_carol(call: IncomingCall) -> None:
        await call.ring()
        await asyncio.sleep(5)
        await call.answer()
        await asyncio.sleep(5)
        transfer = asyncio.ensure_future(call.transfer(CAROL))
        await asyncio.sleep(1)
        await call.hang_up()
        await transfer

    async def scenario(stage: Stage) -> None:
        stage.agents["Alice"].on_call = sends_to_carol
        stage.agents["Carol"].on_call = answers
        stage.agents["Bob"].on_refer = asks_its_user
        call = await stage.agents["Bob"].call(f"sip:alice@{ATLANTA}")
        await call.ended()
        await asyncio.sleep(20)

    perform(scenario, ALICE, bob(server=None), carol(), names=AT_HOME).shows(
        flow("rfc5359", "2.4"),
        """
         Alice               Bob               Carol
           │◀─── INVITE F1 ───│                  │
           │──── 180 F2 ─────▶│                  │
           │──── 200 F3 ─────▶│                  │
           │◀──── ACK F4 ─────│                  │
           │─── REFER F5 ────▶│                  │
           │◀──── 202 F6 ─────│                  │
           │◀─── NOTIFY F7 ───│                  │
           │──── 200 F8 ─────▶│                  │
           │──── BYE F9 ─────▶│                  │
           │◀──── 200 F10 ────│                  │
           │                  │── INVITE F11 ───▶│
           │                  │◀──── 180 F12 ────│
           │◀──── NOTIFY ─────│                  │
           │────── 200 ──────▶│                  │
           │                  │◀──── 200 F13 ────│
           │                  │──── ACK F14 ────▶│
           │◀── NOTIFY F15 ───│                  │
           │──── 200 F16 ────▶│                  │
        """,
        CLEAR,
        Added("Bob → Alice: NOTIFY", "F12", RINGS),
        Added("Alice → Bob: 200 NOTIFY", "F12", RINGS),
        Differs("F15 F16", "CSeq", "first+3 NOTIFY", RINGS),
        Differs("F5 F6 F9 F10", "Via", "UDP Alice", SENDER),
        Differs("F5 F11", "Referred-By", f"alice@{ATLANTA}", "no URI without a scheme: a slip of the RFC"),
        Differs("F8 F16", "Contact", "Alice", REFRESHES),
    )


def test_2_5_transfer_attended() -> None:
    async def scenario(stage: Stage) -> None:
        stage.agents["Carol"].on_call = answers
        talk = asyncio.get_running_loop().create_future()

        async def consults(call: IncomingCall) -> None:
            await call.ring()
            await asyncio.sleep(5)
            await call.answer()
            await asyncio.sleep(5)
            await puts_on_hold(call)
            consultation = await stage.agents["Bob"].call(CAROL)
            await asyncio.sleep(5)
            await puts_on_hold(consultation)
            talk.set_result(None)
            await call.transfer(consultation)

        stage.agents["Bob"].on_call = consults
        call = await stage.agents["Alice"].call(CALLEE)
        await call.ended()
        await asyncio.sleep(20)

    perform(scenario, alice(server=None, on_refer=asks_its_user), bob(server=None), carol(), names=AT_HOME).shows(
        flow("rfc5359", "2.5"),
        """
         Alice               Bob               Carol
           │─── INVITE F1 ───▶│                  │
           │◀──── 180 F2 ─────│                  │
           │◀──── 200 F3 ─────│                  │
           │──── ACK F4 ─────▶│                  │
           │◀─── INVITE F5 ───│                  │
           │──── 200 F6 ─────▶│                  │
           │◀──── ACK F7 ─────│                  │
           │                  │─── INVITE F8 ───▶│
           │                  │◀──── 180 F9 ─────│
           │                  │◀──── 200 F10 ────│
           │                  │──── ACK F11 ────▶│
           │                  │── INVITE F12 ───▶│
           │                  │◀──── 200 F13 ────│
           │                  │──── ACK F14 ────▶│
           │◀─── REFER F15 ───│                  │
           │──── 202 F16 ────▶│                  │
           │── NOTIFY F17 ───▶│                  │
           │◀──── 200 F18 ────│                  │
           │──────────── INVITE F19 ────────────▶│
           │◀───────────── 200 F20 ──────────────│
           │───────────── ACK F21 ──────────────▶│
           │── NOTIFY F24 ───▶│                  │
           │◀──── 200 F25 ────│                  │
           │                  │◀──── BYE F22 ────│
           │◀──── BYE F26 ────│                  │
           │                  │──── 200 F23 ────▶│
           │──── 200 F27 ────▶│                  │
        """,
        CLEAR,
        Moved("F24", "F22", "NOTIFY leaves together with the ACK F21, BYE when that has come"),
        Moved("F25", "F22", "as F24"),
        Moved("F26", "F23", "Bob hangs up as soon as F24 has come; BYE and BYE cross"),
        Differs("F12", "SDP origin", "session of F8, version first+1", "RFC 3264 §8: the session is the one of F8"),
        Differs("F18 F25", "Contact", "Bob", REFRESHES),
        Differs("F19 F20 F21", "Via", "UDP Alice", SENDER),
        Differs("F22 F23", "Via", "UDP Carol", SENDER),
    )


def test_2_6_transfer_instant_messaging() -> None:
    invitations: asyncio.Queue[str] = asyncio.Queue()

    async def reads(message: IncomingMessage) -> None:
        invitations.put_nowait(message.text.partition('HREF="')[2].partition('"')[0])

    async def scenario(stage: Stage) -> None:
        async def sends_a_link(call: IncomingCall) -> None:
            await call.ring()
            await asyncio.sleep(5)
            await call.answer()
            await asyncio.sleep(5)
            uri = refer_to_of(call)[0]
            html = f'<HTML>Do you want to take this call from\n<A HREF="{uri}">Alice</A>?\n </HTML>'
            await stage.agents["Bob"].message(CAROL, html.encode(), content_type="text/html")
            await call.ended()

        stage.agents["Bob"].on_call = sends_a_link
        stage.agents["Alice"].on_call = answers
        call = await stage.agents["Alice"].call(CALLEE)
        taken = await stage.agents["Carol"].call(await invitations.get())
        await call.ended()
        await asyncio.sleep(20)
        stage.life.push_async_callback(taken.hang_up)

    here = carol(on_message=reads, message_types=["text/html"])
    perform(scenario, ALICE, bob(server=None), here, names=AT_HOME).shows(
        flow("rfc5359", "2.6"),
        """
         Alice               Bob               Carol
           │─── INVITE F1 ───▶│                  │
           │◀──── 180 F2 ─────│                  │
           │◀──── 200 F3 ─────│                  │
           │──── ACK F4 ─────▶│                  │
           │                  │── MESSAGE F5 ───▶│
           │                  │◀──── 200 F6 ─────│
           │◀──────────── INVITE F7 ─────────────│
           │────────────── 200 F8 ──────────────▶│
           │◀────────────── ACK F9 ──────────────│
           │──── BYE F10 ────▶│                  │
           │◀──── 200 F11 ────│                  │
        """,
        CLEAR,
        Differs("F6", "Contact", ABSENT, "RFC 3428 §7: a 2xx to MESSAGE has no Contact"),
        Differs("F7 F8 F9", "Via", "UDP Carol", SENDER),
        Differs("F7", "Replaces", "Call-ID of F1, from-tag To of F2, to-tag From of F1", "RFC 3891 §3: the tags are as Alice sees them"),
    )
