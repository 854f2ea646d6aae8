"""RFC 5359 §2.15 and §2.16 (call park, call pickup): each flow with our user agents, in simulated time."""

from __future__ import annotations

import asyncio

import pytest

from ringback.agent.call.incoming_call import IncomingCall
from ringback.agent.errors import CallEnded
from ringback.agent.transfer.referral import Referral
from ringback.agent.transfer.transfer import refer_to_of
from tests.flows.basic_cast import ATLANTA, BILOXI, CALLEE, alice, bob
from tests.flows.comparison import ABSENT, Differs, Means, Moved
from tests.flows.corpus import flow
from tests.flows.dialog_package import DIALOG_INFO, dialog_info, dialog_package, dialogs_in, state_of
from tests.flows.service_cast import AT_HOME, AUTOMATA, CLEAR, MACHINE, REFRESHES, carol
from tests.flows.stage import Agent, Stage, perform

EXPIRES = "RFC 6665 §4.2.1.1: a 2xx to a SUBSCRIBE says for how long; the RFC leaves it out by mistake"
PARK = "sip:park@server.example.com"


async def lets_it_be_replaced(call: IncomingCall) -> None:
    """Alice's phone answers at once what takes the place of a call of hers."""
    assert call.replaces is not None
    await call.answer()
    await call.ended()


def test_2_15_call_park() -> None:
    async def scenario(stage: Stage) -> None:
        alice_, bob_, park, carol_ = (stage.agents[name] for name in ("Alice", "Bob", "Park Server", "Carol"))
        dialogs = park.serve_event(dialog_package(PARK))

        async def parks(referral: Referral) -> None:
            referral.accept()
            await asyncio.sleep(2)
            call = referral.follow(names_call=True)
            call.show_features(MACHINE)
            async with call:
                dialogs.notify(dialog_info(PARK, state_of(call)))
                await call.ended()

        bobs: asyncio.Future[IncomingCall] = asyncio.get_running_loop().create_future()

        async def answers(call: IncomingCall) -> None:
            await call.ring()
            await asyncio.sleep(5)
            await call.answer()
            bobs.set_result(call)
            await call.ended()

        park.on_refer = parks
        bob_.on_call = answers
        alice_.on_call = lets_it_be_replaced
        await alice_.call(CALLEE)
        call = await bobs
        await asyncio.sleep(5)
        assert (await bob_.refer(PARK, refer_to_of(call)[0])).is_success
        await asyncio.sleep(20)
        async with carol_.subscribe(PARK, "dialog", expires=0, accept=[DIALOG_INFO]) as subscription:
            notification = await anext(aiter(subscription))
        parked = dialogs_in(notification.body)[0]
        retrieved = await carol_.call(f"sip:alice@{ATLANTA}", headers=[("Require", "replaces"), ("Replaces", parked.replaces())])
        stage.life.push_async_callback(retrieved.hang_up)

    park_server = Agent("Park Server", "192.0.2.70", PARK, "server.example.com")
    perform(scenario, alice(server=None), bob(server=None), park_server, carol(), names=AT_HOME).shows(
        flow("rfc5359", "2.15"),
        """
          Alice                 Bob              Park Server             Carol
            │──── INVITE F1 ────▶│                    │                    │
            │◀───── 180 F2 ──────│                    │                    │
            │◀───── 200 F3 ──────│                    │                    │
            │───── ACK F4 ──────▶│                    │                    │
            │                    │──── REFER F5 ─────▶│                    │
            │                    │◀───── 202 F6 ──────│                    │
            │                    │◀──── NOTIFY F7 ────│                    │
            │                    │───── 200 F8 ──────▶│                    │
            │◀────────────── INVITE F9 ───────────────│                    │
            │─────────────── 200 F10 ────────────────▶│                    │
            │◀─────────────── ACK F11 ────────────────│                    │
            │                    │◀─── NOTIFY F14 ────│                    │
            │                    │───── 200 F15 ─────▶│                    │
            │───── BYE F12 ─────▶│                    │                    │
            │◀───── 200 F13 ─────│                    │                    │
            │                    │                    │◀── SUBSCRIBE F16 ──│
            │                    │                    │───── 200 F17 ─────▶│
            │                    │                    │─── NOTIFY F18 ────▶│
            │                    │                    │◀───── 200 F19 ─────│
            │◀──────────────────────── INVITE F20 ─────────────────────────│
            │────────────────────────── 200 F21 ──────────────────────────▶│
            │◀────────────────────────── ACK F22 ──────────────────────────│
            │─────────────── BYE F23 ────────────────▶│                    │
            │◀─────────────── 200 F24 ────────────────│                    │
        """,
        CLEAR,
        AUTOMATA,
        Moved("F14", "F12", "NOTIFY leaves together with the ACK F11, BYE when that has come"),
        Moved("F15", "F12", "as F14"),
        Differs("F1", "Via", "UDP Alice", "its host is Alice's own; the RFC names another one by mistake"),
        Differs("F8 F15", "Contact", "Bob", REFRESHES),
        Differs("F10", "SDP media", "audio open RTP/AVP 0, sendrecv", "F9 offers to send and to receive; the RFC answers as if it did not"),
        Differs(
            "F14 F17 F18", "Contact", "Park Server", "RFC 3840 §7 allows it; ours says so in its calls, as the RFC does not in F6 and F7"
        ),
        Differs("F16", "Request-URI", "Park Server", "To says it; the RFC names Bob by mistake"),
        Differs("F17", "Expires", "0", EXPIRES),
        Differs("F18", "Request-URI", "Carol", "RFC 3261 §12.2.1.1: her Contact of F16; the RFC leaves a label of it out by mistake"),
        Differs("F23 F24", "From", "Alice", "RFC 3261 §12.2.1.1: To of F9, which Alice's address-of-record is not"),
    )


def test_2_16_call_pickup() -> None:
    async def scenario(stage: Stage) -> None:
        alice_, bob_, bill = (stage.agents[name] for name in ("Alice", "Bob", "Bill"))

        async def rings(call: IncomingCall) -> None:
            await call.ring()
            bob_.serve_event(dialog_package(CALLEE, state_of(call)))
            await call.ended()

        async def talks(call: IncomingCall) -> None:
            await call.answer()
            await asyncio.sleep(20)

        bob_.on_call = rings
        alice_.on_call = talks
        call = alice_.call(CALLEE)
        await call.place()
        await asyncio.sleep(5)
        async with bill.subscribe(CALLEE, "dialog", expires=0, accept=[DIALOG_INFO]) as subscription:
            notification = await anext(aiter(subscription))
        ringing = dialogs_in(notification.body)[0]
        replaces = [("Require", "replaces"), ("Replaces", ringing.replaces(early_only=True))]
        picked_up = await bill.call(ringing.remote_target, headers=replaces)
        with pytest.raises(CallEnded):
            await call.answered()
        assert "hung up" in await picked_up.ended()

    bill = Agent("Bill", "192.0.2.114", f"sip:bill@{BILOXI}", f"pc.{BILOXI}", None, {"display_name": "Bill"})
    perform(scenario, alice(server=None), bob(server=None), bill, names=AT_HOME).shows(
        flow("rfc5359", "2.16"),
        """
          Alice                 Bob                 Bill
            │──── INVITE F1 ────▶│                    │
            │◀───── 180 F2 ──────│                    │
            │                    │◀── SUBSCRIBE F3 ───│
            │                    │───── 200 F4 ──────▶│
            │                    │──── NOTIFY F5 ────▶│
            │                    │◀───── 200 F6 ──────│
            │◀────────────── INVITE F7 ───────────────│
            │──────────────── 200 F8 ────────────────▶│
            │◀─────────────── ACK F13 ────────────────│
            │──── CANCEL F9 ────▶│                    │
            │◀───── 200 F10 ─────│                    │
            │◀───── 487 F11 ─────│                    │
            │───── ACK F12 ─────▶│                    │
            │─────────────── BYE F14 ────────────────▶│
            │◀─────────────── 200 F15 ────────────────│
        """,
        CLEAR,
        Moved("F13", "F9", "Alice gives Bob up when the call that replaces his stands: when its ACK has come"),
        Differs("F4", "Max-Forwards", ABSENT, "RFC 3261 §20.22: a request's field; the RFC gives it to a response by mistake"),
        Differs(
            "F4",
            "Contact",
            "Bob",
            "RFC 6665 §4.2.1.1, RFC 3261 §12.1.1: what makes a dialog has a Contact; the RFC leaves it out by mistake",
        ),
        Differs("F4", "Expires", "0", EXPIRES),
        Means(
            "To From",
            "Alice",
            f"alice@{ATLANTA}",
            "Bill knows Alice's Contact from F5 and calls it as one calls any URI: To is whom he calls",
        ),
        Differs(
            "F7", "Replaces", "Call-ID of F1, from-tag To of F2, to-tag From of F1, early-only", "the tag of F2 and F5; a slip of the RFC"
        ),
        Differs("F12", "Request-URI", f"bob@{BILOXI}", "RFC 3261 §17.1.1.3: that of the INVITE"),
    )
