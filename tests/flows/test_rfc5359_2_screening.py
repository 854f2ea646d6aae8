"""RFC 5359 §2.13 and §2.14 (call screening): each flow with our user agents and our proxy, in simulated time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ringback.agent.call.incoming_call import IncomingCall
from ringback.agent.errors import CallRejected
from ringback.digest import Account
from ringback.server.config import AccessConfig
from tests.flows.basic_cast import ATLANTA, BILOXI, CALLEE, SECRET, alice, bob
from tests.flows.comparison import ABSENT, Differs, Means
from tests.flows.corpus import flow
from tests.flows.service_cast import AT_PROXY, AUTOMATA, CLEAR, PROXY, SS1
from tests.flows.stage import Agent, Server, Stage, perform

CREDENTIALS_OF_ACK = "RFC 3261 §17.1.1.3 names what the ACK of a refusal has; it ends at the next hop, which has had the credentials"
REALM = Means("Proxy-Authenticate Proxy-Authorization", ATLANTA, "example.com", "a realm of ours is a domain served, hers")
NEW_CALL = "nothing that Alice says to the announcement is of her call to Bob, which has failed; the RFC goes on with its identifiers"
MEDIA_SERVER, ANNOUNCEMENTS = f"ms.{BILOXI}", "announcement.example.com"


def screening_proxy(routes: Path, refusal: str, announcement: str) -> Server:
    """The proxy of both domains: it asks Alice who she is, and refuses her call as the operator's own function has it."""
    routes.write_text(f'def route(request):\n    return Reject(403, "{refusal}", [("Error-Info", "<sip:{announcement}>")])\n')
    access = AccessConfig(guests=True, algorithms=["MD5"])
    users = {f"alice@{domain}": SECRET for domain in (ATLANTA, BILOXI)}
    return Server("Proxy 1", PROXY, (ATLANTA, BILOXI), SS1, {"routing": routes, "access": access}, users)


def test_2_13_incoming_call_screening(tmp_path: Path) -> None:
    async def sends_to_the_proxy(call: IncomingCall) -> None:
        await call.redirect(f"sip:{SS1}", status=305)

    async def announces(call: IncomingCall) -> None:
        call.show_features({"automata": None, "+sip.rendering": "no"})
        await call.answer()
        await asyncio.sleep(10)

    async def scenario(stage: Stage) -> None:
        stage.agents["Bob"].on_call = sends_to_the_proxy
        stage.agents["Announcement Server"].on_call = announces
        with pytest.raises(CallRejected, match="Terminating") as rejected:
            await stage.agents["Alice"].call(CALLEE)
        assert rejected.value.response is not None
        announcement = rejected.value.response.headers.value("Error-Info")
        call = await stage.agents["Alice"].call(announcement.uri_text)
        assert "hung up" in await call.ended()

    proxy = screening_proxy(tmp_path / "routes.py", "Screening Failure (Terminating)", f"screen-fail-term-ann@{MEDIA_SERVER}")
    machine = Agent("Announcement Server", "192.0.2.60", f"sip:annc@{MEDIA_SERVER}", MEDIA_SERVER)
    calling = alice(server=None, accounts=[Account("alice", SECRET, realm=ATLANTA, homes=[SS1])])
    perform(scenario, calling, proxy, bob(server=None), machine, names={BILOXI: ["192.0.2.201"]}).shows(
        flow("rfc5359", "2.13"),
        """
          Alice               Proxy 1                Bob          Announcement Server
            │────────────── INVITE F1 ───────────────▶│                    │
            │◀──────────────── 305 F2 ────────────────│                    │
            │──────────────── ACK F3 ────────────────▶│                    │
            │──── INVITE F4 ────▶│                    │                    │
            │◀───── 407 F5 ──────│                    │                    │
            │───── ACK F6 ──────▶│                    │                    │
            │──── INVITE F7 ────▶│                    │                    │
            │◀───── 403 F8 ──────│                    │                    │
            │───── ACK F9 ──────▶│                    │                    │
            │──────────────────────── INVITE F10 ─────────────────────────▶│
            │◀────────────────────────── 200 F11 ──────────────────────────│
            │────────────────────────── ACK F12 ──────────────────────────▶│
            │◀────────────────────────── BYE F13 ──────────────────────────│
            │────────────────────────── 200 F14 ──────────────────────────▶│
        """,
        CLEAR,
        REALM,
        AUTOMATA,
        Differs("F10", "receiver", "Announcement Server", "the figure's arrow goes there; the title says Proxy 1 by mistake"),
        Differs("F11", "receiver", "Alice", "as F10"),
        Differs("F4", "Route", "Proxy 1;lr", "RFC 3261 §21.3.4: F2 names a proxy, and every one is a loose router, said or not"),
        Differs("F7", "Route", "Proxy 1;lr", "RFC 3261 §22.2: F4 again, with credentials; the RFC leaves Route out by mistake"),
        Differs(
            "F6 F9", "Route", "Proxy 1;lr", "RFC 3261 §17.1.1.3: the ACK has the Route of its INVITE; the RFC leaves it out by mistake"
        ),
        Differs("F9", "Proxy-Authorization", ABSENT, CREDENTIALS_OF_ACK),
        Means("Call-ID", "Call-ID of F10", "Call-ID of F1", NEW_CALL),
        Means("From_tag To_tag", "From of F10", "From of F1", NEW_CALL),
        Means("From To", "Announcement Server", f"bob@{BILOXI}", NEW_CALL),
        Differs("F10 F11", "CSeq", "first INVITE", NEW_CALL),
        Differs("F12", "CSeq", "first ACK", NEW_CALL),
        Differs("F10", "SDP origin", "session of F10, version first", NEW_CALL),
    )


def test_2_14_outgoing_call_screening(tmp_path: Path) -> None:
    async def scenario(stage: Stage) -> None:
        stage.hosts[ANNOUNCEMENTS] = "Announcement Server"
        with pytest.raises(CallRejected, match="Originating") as rejected:
            await stage.agents["Alice"].call(CALLEE)
        assert rejected.value.status == 403

    proxy = screening_proxy(tmp_path / "routes.py", "Screening Failure (Originating)", f"screen-fail-orig-ann@{ANNOUNCEMENTS}")
    calling = alice(server=None, accounts=[Account("alice", SECRET, realm=ATLANTA, homes=[BILOXI])])
    perform(scenario, calling, proxy, bob(server=None), names=AT_PROXY).shows(
        flow("rfc5359", "2.14"),
        """
          Alice           Proxy 1            Bob
            │── INVITE F1 ──▶│                │
            │◀─── 407 F2 ────│                │
            │─── ACK F3 ────▶│                │
            │── INVITE F4 ──▶│                │
            │◀─── 403 F5 ────│                │
            │─── ACK F6 ────▶│                │
        """,
        CLEAR,
        REALM,
        Differs("F6", "Proxy-Authorization", ABSENT, CREDENTIALS_OF_ACK),
    )
