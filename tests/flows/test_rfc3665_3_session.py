"""RFC 3665 §3 (session establishment): each flow with our user agents and our proxies, in simulated time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ringback.agent.call.incoming_call import IncomingCall
from ringback.agent.errors import CallFailed, CallRejected
from ringback.digest import Account
from ringback.sdp.offer import make_offer
from ringback.server.config import NatConfig
from tests.flows.basic_cast import (
    ATLANTA,
    BILOXI,
    CALLEE,
    CHICAGO,
    NAMES,
    NO_RECORD_ROUTE,
    SECRET,
    SS1,
    SS2,
    SS3,
    alice,
    asking_proxy_2,
    bob,
    has_called_before,
    proxy_1,
    proxy_2,
)
from tests.flows.comparison import ABSENT, Differs, Means, trying
from tests.flows.corpus import flow
from tests.flows.stage import Absent, Agent, OneCodec, Relay, Server, Stage, perform

ROUTE_OF_ACK = "RFC 3261 §17.1.1.3: the ACK has the Route of its INVITE; the RFC leaves it out by mistake"
CREDENTIALS_OF_ACK = "RFC 3261 §17.1.1.3 names what the ACK of a refusal has; it ends at the next hop, which has had the credentials"
CREDENTIALS_OF_2XX_ACK = "RFC 3261 §22.1: an ACK has the credentials of its INVITE, as in RFC 3665 §3.3"
CONTACT_OF_PEER = "RFC 3261 §12.2.1.1: the remote target is the Contact with all its parameters; the RFC leaves transport out by mistake"
LISTENS_FOR_TCP = "where the RFC has the transport from the DNS our proxy, which listens for TCP alone, says so in its URI"


def over_tcp(*proxies: str) -> list[Means]:
    """Route and Record-Route of proxies that listen for TCP alone."""
    return [Means("Route Record-Route", f"{proxy};transport=TCP;lr", f"{proxy};lr", LISTENS_FOR_TCP) for proxy in proxies]


async def answers_and_hangs_up(call: IncomingCall) -> None:
    """Bob takes the call, and ends it after a while."""
    await call.ring()
    await asyncio.sleep(5)
    await call.answer()
    await asyncio.sleep(60)


async def alice_calls(stage: Stage) -> None:
    """Alice calls Bob and talks until he hangs up."""
    stage.agents["Bob"].on_call = answers_and_hangs_up
    call = await stage.agents["Alice"].call(CALLEE)
    assert "hung up" in await call.ended()


def test_3_1_successful_session_establishment() -> None:
    perform(alice_calls, alice("tcp", None), bob("tcp", None), names={BILOXI: ["192.0.2.201"]}).shows(
        flow("rfc3665", "3.1"),
        """
          Alice             Bob
            │── INVITE F1 ──▶│
            │◀─── 180 F2 ────│
            │◀─── 200 F3 ────│
            │─── ACK F4 ────▶│
            │◀─── BYE F5 ────│
            │─── 200 F6 ────▶│
        """,
        Differs("F4", "Request-URI", "Bob;transport=TCP", CONTACT_OF_PEER),
        Differs("F5", "Request-URI", "Alice;transport=TCP", CONTACT_OF_PEER),
    )


def test_3_2_session_establishment_through_two_proxies() -> None:
    calling = alice("tcp", proxy=f"sip:{SS1}", password=SECRET)
    perform(alice_calls, calling, proxy_1("tcp"), proxy_2("tcp"), bob("tcp"), names=NAMES).shows(
        flow("rfc3665", "3.2"),
        """
          Alice           Proxy 1          Proxy 2            Bob
            │── INVITE F1 ──▶│                │                │
            │◀─── 407 F2 ────│                │                │
            │─── ACK F3 ────▶│                │                │
            │── INVITE F4 ──▶│                │                │
            │◀─── 100 F6 ────│                │                │
            │                │── INVITE F5 ──▶│                │
            │                │◀─── 100 F8 ────│                │
            │                │                │── INVITE F7 ──▶│
            │                │                │◀─── 180 F9 ────│
            │                │◀─── 180 F10 ───│                │
            │◀─── 180 F11 ───│                │                │
            │                │                │◀─── 200 F12 ───│
            │                │◀─── 200 F13 ───│                │
            │◀─── 200 F14 ───│                │                │
            │─── ACK F15 ───▶│                │                │
            │                │─── ACK F16 ───▶│                │
            │                │                │─── ACK F17 ───▶│
            │                │                │◀─── BYE F18 ───│
            │                │◀─── BYE F19 ───│                │
            │◀─── BYE F20 ───│                │                │
            │─── 200 F21 ───▶│                │                │
            │                │─── 200 F22 ───▶│                │
            │                │                │─── 200 F23 ───▶│
        """,
        *trying("F6 F5", "F8 F7"),
        *over_tcp("Proxy 1", "Proxy 2"),
        Differs("F3", "Route", "Proxy 1;lr", ROUTE_OF_ACK),
        Differs("F15", "Proxy-Authorization", ATLANTA, CREDENTIALS_OF_2XX_ACK),
        Differs("F15-F17", "Request-URI", "Bob;transport=TCP", CONTACT_OF_PEER),
        Differs("F18-F20", "Request-URI", "Alice;transport=TCP", CONTACT_OF_PEER),
    )


def test_3_3_session_with_multiple_proxy_authentication() -> None:
    async def answers(call: IncomingCall) -> None:
        await call.answer()
        await call.ended()

    async def scenario(stage: Stage) -> None:
        stage.agents["Bob"].on_call = answers
        await stage.agents["Alice"].call(CALLEE)

    elsewhere = Account("alice", SECRET, realm=BILOXI, homes=[SS1])
    calling = alice(proxy=f"sip:{SS1}", password=SECRET, realm=ATLANTA, accounts=[elsewhere])
    perform(scenario, calling, proxy_1(), asking_proxy_2(), bob(), names=NAMES).shows(
        flow("rfc3665", "3.3"),
        """
          Alice             Proxy 1            Proxy 2              Bob
            │─── INVITE F1 ───▶│                  │                  │
            │◀──── 407 F2 ─────│                  │                  │
            │──── ACK F3 ─────▶│                  │                  │
            │─── INVITE F4 ───▶│                  │                  │
            │◀──── 100 F5 ─────│                  │                  │
            │                  │─── INVITE F6 ───▶│                  │
            │                  │◀──── 407 F7 ─────│                  │
            │                  │──── ACK F8 ─────▶│                  │
            │◀──── 407 F9 ─────│                  │                  │
            │──── ACK F10 ────▶│                  │                  │
            │── INVITE F11 ───▶│                  │                  │
            │◀──── 100 F12 ────│                  │                  │
            │                  │── INVITE F13 ───▶│                  │
            │                  │◀──── 100 F14 ────│                  │
            │                  │                  │── INVITE F15 ───▶│
            │                  │                  │◀──── 200 F16 ────│
            │                  │◀──── 200 F17 ────│                  │
            │◀──── 200 F18 ────│                  │                  │
            │──── ACK F19 ────▶│                  │                  │
            │                  │──── ACK F20 ────▶│                  │
            │                  │                  │──── ACK F21 ────▶│
        """,
        Differs("F3 F10", "Route", "Proxy 1;lr", ROUTE_OF_ACK),
        Differs("F11", "Route", "Proxy 1;lr", "RFC 3261 §22.2: the INVITE again, with credentials; the RFC leaves Route out by mistake"),
        Differs("F8", "Via", "UDP Proxy 1", "RFC 3261 §17.1.1.3: its sender's; the RFC names Alice by mistake"),
        Differs("F10", "Proxy-Authorization", ABSENT, CREDENTIALS_OF_ACK),
        Differs("F20 F21", "Contact", ABSENT, "RFC 3261 table 2: an ACK has none; the RFC adds it on the way by mistake"),
    )


def test_3_4_successful_session_with_proxy_failure() -> None:
    failed = Absent("Proxy 1", "192.0.2.111", f"sip:{SS1}", "Proxy 2")
    # As the RFC's, this client waits for timer B.
    calling = alice(server=None, failover_after=40.0, accounts=[Account("alice", SECRET, realm=BILOXI, homes=[BILOXI])])
    names = {**NAMES, BILOXI: ["192.0.2.111", "192.0.2.222"]}
    perform(alice_calls, calling, failed, asking_proxy_2(), bob(), names=names).shows(
        flow("rfc3665", "3.4"),
        """
          Alice             Proxy 1            Proxy 2              Bob
            │─── INVITE F1 ───▶│                  │                  │
            │─── INVITE F2 ───▶│                  │                  │
            │─── INVITE F3 ───▶│                  │                  │
            │─── INVITE F4 ───▶│                  │                  │
            │─── INVITE F5 ───▶│                  │                  │
            │─── INVITE F6 ───▶│                  │                  │
            │─── INVITE F7 ───▶│                  │                  │
            │──────────── INVITE F8 ─────────────▶│                  │
            │◀────────────── 407 F9 ──────────────│                  │
            │───────────── ACK F10 ──────────────▶│                  │
            │──────────── INVITE F11 ────────────▶│                  │
            │◀───────────── 100 F13 ──────────────│                  │
            │                  │                  │── INVITE F12 ───▶│
            │                  │                  │◀──── 180 F14 ────│
            │◀───────────── 180 F15 ──────────────│                  │
            │                  │                  │◀──── 200 F16 ────│
            │◀───────────── 200 F17 ──────────────│                  │
            │───────────── ACK F18 ──────────────▶│                  │
            │                  │                  │──── ACK F19 ────▶│
            │                  │                  │◀──── BYE F20 ────│
            │◀───────────── BYE F21 ──────────────│                  │
            │───────────── 200 F22 ──────────────▶│                  │
            │                  │                  │──── 200 F23 ────▶│
        """,
        *trying("F13 F12"),
        Differs("F1-F7", "Route", ABSENT, "both proxies are found by the DNS, which the RFC names as the other way; none is preset"),
        *(
            Means(field, f"{kind} of F1", f"{kind} of F8", "RFC 3263 §4.3: the next server gets the same request, not a new call")
            for field, kind in (("Call-ID", "Call-ID"), ("From_tag To_tag", "From"), ("SDP_origin", "session"))
        ),
        Differs("F18", "Proxy-Authorization", BILOXI, CREDENTIALS_OF_2XX_ACK),
    )


def test_3_5_session_through_a_sip_alg() -> None:
    async def answers(call: IncomingCall) -> None:
        await call.ring()
        await asyncio.sleep(5)
        await call.answer()
        await call.ended()

    async def scenario(stage: Stage) -> None:
        await has_called_before(stage, BILOXI)
        stage.agents["Bob"].on_call = answers
        async with stage.agents["Alice"].call(CALLEE):
            await asyncio.sleep(60)

    gateway = Relay("SIP ALG", "192.0.2.128", f"alg1.{ATLANTA}")
    account = Account("alice", SECRET, realm=BILOXI, homes=[gateway.hostname])
    calling = alice(server=None, proxy=f"sip:{gateway.hostname}", accounts=[account])
    perform(scenario, calling, gateway, asking_proxy_2(proxy=NO_RECORD_ROUTE), bob(), names=NAMES).shows(
        flow("rfc3665", "3.5"),
        """
          Alice           SIP ALG          Proxy 2            Bob
            │── INVITE F1 ──▶│                │                │
            │                │── INVITE F2 ──▶│                │
            │◀─── 100 F3 ────│                │                │
            │                │◀─── 100 F5 ────│                │
            │                │                │── INVITE F4 ──▶│
            │                │                │◀─── 180 F6 ────│
            │                │◀─── 180 F7 ────│                │
            │◀─── 180 F8 ────│                │                │
            │                │                │◀─── 200 F9 ────│
            │                │◀─── 200 F10 ───│                │
            │◀─── 200 F11 ───│                │                │
            │─── ACK F12 ───▶│                │                │
            │                │─────────── ACK F13 ────────────▶│
            │─── BYE F14 ───▶│                │                │
            │                │─────────── BYE F15 ────────────▶│
            │                │◀─────────── 200 F16 ────────────│
            │◀─── 200 F17 ───│                │                │
        """,
        *trying("F5 F4"),
        Differs("F12 F13", "Proxy-Authorization", BILOXI, CREDENTIALS_OF_2XX_ACK),
        Differs("F14 F15", "Proxy-Authorization", BILOXI, "RFC 3261 §22.3: what a proxy has asked for once it may get at once"),
        others={"SIP ALG"},
    )


def test_3_6_session_via_redirect_and_proxy_servers_with_sdp_in_ack(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        stage.agents["Bob"].on_call = answers_and_hangs_up
        call = await stage.agents["Alice"].call(CALLEE, offers=False)
        await call.ended()

    routes = tmp_path / "routes.py"
    routes.write_text(f'def route(request):\n    return Redirect("sip:bob@{CHICAGO};transport=tcp")\n')
    redirect_server = proxy_2(routing=routes)._replace(name="Redirect Server")
    proxy_3 = Server("Proxy 3", "192.0.2.233", (CHICAGO,), SS3, {"listen": ["tcp://192.0.2.233:5060"]})
    bob_in_chicago = Agent("Bob@chicago", "192.0.2.100", f"sip:bob@{CHICAGO}", f"client.{CHICAGO}", "Proxy 3", {}, "tcp")
    perform(scenario, alice(server=None), redirect_server, proxy_3, bob_in_chicago, names=NAMES).shows(
        flow("rfc3665", "3.6", **{SS2: "Redirect Server"}),
        """
          Alice       Redirect Server      Proxy 3            Bob
            │── INVITE F1 ──▶│                │                │
            │◀─── 302 F2 ────│                │                │
            │─── ACK F3 ────▶│                │                │
            │────────── INVITE F4 ───────────▶│                │
            │◀──────────── 100 F6 ────────────│                │
            │                │                │── INVITE F5 ──▶│
            │                │                │◀─── 180 F7 ────│
            │◀──────────── 180 F8 ────────────│                │
            │                │                │◀─── 200 F9 ────│
            │◀─────────── 200 F10 ────────────│                │
            │─────────── ACK F11 ────────────▶│                │
            │                │                │─── ACK F12 ───▶│
            │                │                │◀─── BYE F13 ───│
            │◀─────────── BYE F14 ────────────│                │
            │─────────── 200 F15 ────────────▶│                │
            │                │                │─── 200 F16 ───▶│
        """,
        *trying("F6 F5"),
        *over_tcp("Proxy 3"),
        Differs("F4", "Request-URI", "bob@chicago.example.com;transport=TCP", "RFC 3261 §8.1.3.4: the URI that F2 says, whole"),
        Differs("F11 F12", "Request-URI", "Bob@chicago;transport=TCP", CONTACT_OF_PEER),
        Differs("F13 F14", "Request-URI", "Alice;transport=TCP", CONTACT_OF_PEER),
    )


def test_3_7_session_with_re_invite() -> None:
    """Bob's phone goes to another network during the call."""

    async def moves(call: IncomingCall) -> None:
        await call.ring()
        await asyncio.sleep(5)
        await call.answer()
        await asyncio.sleep(10)
        core, session = call.core, call.session
        assert session is not None
        core.prefer = await core.transports.open("UDP", "192.0.2.100", 5060, f"client.{CHICAGO}")
        await call.modify(make_offer(session.negotiation.exchange, OneCodec(f"client.{CHICAGO}").capabilities()))
        await call.ended()

    async def scenario(stage: Stage) -> None:
        stage.hosts |= {"192.0.2.100": "Bob@chicago", f"client.{CHICAGO}": "Bob@chicago"}
        stage.names[f"client.{CHICAGO}"] = ["192.0.2.100"]
        stage.agents["Bob"].on_call = moves
        async with stage.agents["Alice"].call(CALLEE):
            await asyncio.sleep(60)

    moving = bob()._replace(second_host="192.0.2.100")
    perform(scenario, alice(server=None), proxy_2(proxy=NO_RECORD_ROUTE, nat=NatConfig(mode="off")), moving, names=NAMES).shows(
        flow("rfc3665", "3.7"),
        """
          Alice           Proxy 2            Bob
            │── INVITE F1 ──▶│                │
            │◀─── 100 F3 ────│                │
            │                │── INVITE F2 ──▶│
            │                │◀─── 180 F4 ────│
            │◀─── 180 F5 ────│                │
            │                │◀─── 200 F6 ────│
            │◀─── 200 F7 ────│                │
            │──────────── ACK F8 ────────────▶│
            │◀────────── INVITE F9 ───────────│
            │─────────── 200 F10 ────────────▶│
            │◀─────────── ACK F11 ────────────│
            │─────────── BYE F12 ────────────▶│
            │◀─────────── 200 F13 ────────────│
        """,
        *trying("F3 F2"),
        Differs("F10 F13", "Max-Forwards", ABSENT, "RFC 3261 §20.22: a request's field; the RFC gives it to responses by mistake"),
        Differs(
            "F10",
            "SDP origin",
            "session of F1, version first+1",
            "RFC 3264 §8: what differs has another version, and ours says sendrecv in words now; the RFC changes the port and forgets it",
        ),
    )


def test_3_8_unsuccessful_no_answer() -> None:
    async def rings(call: IncomingCall) -> None:
        await call.ring()
        await call.ended()

    async def scenario(stage: Stage) -> None:
        await has_called_before(stage)
        stage.agents["Bob"].on_call = rings
        call = stage.agents["Alice"].call(CALLEE)
        await call.place()
        await asyncio.sleep(20)
        call.cancel()

    perform(scenario, alice(proxy=f"sip:{SS1}", password=SECRET), proxy_1(), proxy_2(), bob(), names=NAMES).shows(
        flow("rfc3665", "3.8"),
        """
          Alice             Proxy 1            Proxy 2              Bob
            │─── INVITE F1 ───▶│                  │                  │
            │◀──── 100 F3 ─────│                  │                  │
            │                  │─── INVITE F2 ───▶│                  │
            │                  │◀──── 100 F5 ─────│                  │
            │                  │                  │─── INVITE F4 ───▶│
            │                  │                  │◀──── 180 F6 ─────│
            │                  │◀──── 180 F7 ─────│                  │
            │◀──── 180 F8 ─────│                  │                  │
            │─── CANCEL F9 ───▶│                  │                  │
            │◀──── 200 F10 ────│                  │                  │
            │                  │── CANCEL F11 ───▶│                  │
            │                  │◀──── 200 F12 ────│                  │
            │                  │                  │── CANCEL F13 ───▶│
            │                  │                  │◀──── 200 F14 ────│
            │                  │                  │◀──── 487 F15 ────│
            │                  │                  │──── ACK F16 ────▶│
            │                  │◀──── 487 F17 ────│                  │
            │                  │──── ACK F18 ────▶│                  │
            │◀──── 487 F19 ────│                  │                  │
            │──── ACK F20 ────▶│                  │                  │
        """,
        *trying("F3 F2", "F5 F4"),
        Differs("F10", "To tag", "To of F10", "RFC 3261 §8.2.6.2: every response but 100 has a To tag"),
        Differs("F12", "To tag", "To of F12", "as F10"),
        Differs("F14", "To tag", "To of F6", "as F10; RFC 3261 §9.2: the tag of the answers to the INVITE"),
        Differs("F11", "Request-URI", "bob@biloxi.example.com", "RFC 3261 §9.1: that of the INVITE; the RFC names Alice by mistake"),
        Differs("F18", "Via", "UDP Proxy 1", "RFC 3261 §17.1.1.3: that of the INVITE; the RFC names Proxy 2 by mistake"),
        Differs("F20", "Route", "Proxy 1;lr", ROUTE_OF_ACK),
        Differs("F20", "Proxy-Authorization", ABSENT, CREDENTIALS_OF_ACK),
    )


def test_3_9_unsuccessful_busy() -> None:
    async def is_busy(call: IncomingCall) -> None:
        await call.decline(486)

    async def scenario(stage: Stage) -> None:
        await has_called_before(stage)
        stage.agents["Bob"].on_call = is_busy
        with pytest.raises(CallRejected) as rejected:
            await stage.agents["Alice"].call(CALLEE)
        assert rejected.value.status == 486

    calling = alice("tcp", proxy=f"sip:{SS1}", password=SECRET)
    perform(scenario, calling, proxy_1("tcp"), proxy_2("tcp"), bob("tcp"), names=NAMES).shows(
        flow("rfc3665", "3.9"),
        """
          Alice           Proxy 1          Proxy 2            Bob
            │── INVITE F1 ──▶│                │                │
            │◀─── 100 F3 ────│                │                │
            │                │── INVITE F2 ──▶│                │
            │                │◀─── 100 F5 ────│                │
            │                │                │── INVITE F4 ──▶│
            │                │                │◀─── 486 F6 ────│
            │                │                │─── ACK F7 ────▶│
            │                │◀─── 486 F8 ────│                │
            │                │─── ACK F9 ────▶│                │
            │◀─── 486 F10 ───│                │                │
            │─── ACK F11 ───▶│                │                │
        """,
        *trying("F3 F2", "F5 F4"),
        *over_tcp("Proxy 1", "Proxy 2"),
        Differs("F11", "Route", "Proxy 1;lr", ROUTE_OF_ACK),
        Differs("F11", "Proxy-Authorization", ABSENT, CREDENTIALS_OF_ACK),
    )


def test_3_10_unsuccessful_no_response_from_user_agent() -> None:
    async def scenario(stage: Stage) -> None:
        await has_called_before(stage)
        with pytest.raises(CallFailed) as failed:
            await stage.agents["Alice"].call(CALLEE)
        assert failed.value.status == 408

    gone = Absent("Bob", "192.0.2.201", f"sip:bob@{BILOXI}", "Proxy 2")
    perform(scenario, alice(proxy=f"sip:{SS1}", password=SECRET), proxy_1(), proxy_2(), gone, names=NAMES).shows(
        flow("rfc3665", "3.10"),
        """
          Alice             Proxy 1            Proxy 2              Bob
            │─── INVITE F1 ───▶│                  │                  │
            │◀──── 100 F3 ─────│                  │                  │
            │                  │─── INVITE F2 ───▶│                  │
            │                  │◀──── 100 F5 ─────│                  │
            │                  │                  │─── INVITE F4 ───▶│
            │                  │                  │─── INVITE F6 ───▶│
            │                  │                  │─── INVITE F7 ───▶│
            │                  │                  │─── INVITE F8 ───▶│
            │                  │                  │─── INVITE F9 ───▶│
            │                  │                  │── INVITE F10 ───▶│
            │                  │                  │── INVITE F11 ───▶│
            │                  │◀──── 408 F12 ────│                  │
            │                  │──── ACK F13 ────▶│                  │
            │◀──── 408 F14 ────│                  │                  │
            │──── ACK F15 ────▶│                  │                  │
        """,
        *trying("F3 F2", "F5 F4"),
        Differs("F12", "kind", "408 INVITE", "RFC 3261 §16.7 item 6: a proxy that heard nothing says 408, not 480"),
        Differs("F14", "kind", "408 INVITE", "as F12"),
        Differs("F15", "Route", "Proxy 1;lr", ROUTE_OF_ACK),
        Differs("F15", "Proxy-Authorization", ABSENT, CREDENTIALS_OF_ACK),
    )


def test_3_11_unsuccessful_temporarily_unavailable() -> None:
    async def is_away(call: IncomingCall) -> None:
        await call.ring()
        await asyncio.sleep(5)
        await call.decline(480)

    async def scenario(stage: Stage) -> None:
        await has_called_before(stage)
        stage.agents["Bob"].on_call = is_away
        with pytest.raises(CallRejected) as rejected:
            await stage.agents["Alice"].call(CALLEE)
        assert rejected.value.status == 480

    perform(scenario, alice(proxy=f"sip:{SS1}", password=SECRET), proxy_1(), proxy_2(), bob(), names=NAMES).shows(
        flow("rfc3665", "3.11"),
        """
          Alice           Proxy 1          Proxy 2            Bob
            │── INVITE F1 ──▶│                │                │
            │◀─── 100 F3 ────│                │                │
            │                │── INVITE F2 ──▶│                │
            │                │◀─── 100 F5 ────│                │
            │                │                │── INVITE F4 ──▶│
            │                │                │◀─── 180 F6 ────│
            │                │◀─── 180 F7 ────│                │
            │◀─── 180 F8 ────│                │                │
            │                │                │◀─── 480 F9 ────│
            │                │                │─── ACK F10 ───▶│
            │                │◀─── 480 F11 ───│                │
            │                │─── ACK F12 ───▶│                │
            │◀─── 480 F13 ───│                │                │
            │─── ACK F14 ───▶│                │                │
        """,
        *trying("F3 F2", "F5 F4"),
        Differs("F14", "Route", "Proxy 1;lr", ROUTE_OF_ACK),
        Differs("F14", "Proxy-Authorization", ABSENT, CREDENTIALS_OF_ACK),
    )
