"""The cast of RFC 5359, as far as it is not that of RFC 3665, and what its flows and ours differ in over and over."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from ringback.agent.call.call import Call
from ringback.agent.call.incoming_call import IncomingCall
from ringback.server.config import RelayConfig
from tests.flows.basic_cast import ATLANTA, BILOXI, CHICAGO
from tests.flows.comparison import Insecure, Means
from tests.flows.stage import Agent, Server

CAROL = f"sip:carol@{CHICAGO}"
PROXY, SS1 = "192.0.2.54", "ss1.example.com"
AT_HOME: Mapping[str, list[str]] = {ATLANTA: ["192.0.2.101"], BILOXI: ["192.0.2.201"], CHICAGO: ["192.0.2.33"]}
"""Where the domains are in flows without a proxy: at their only phones."""
AT_PROXY: Mapping[str, list[str]] = {ATLANTA: [PROXY], BILOXI: [PROXY], CHICAGO: [PROXY]}
"""Where they are in flows with one."""
CLEAR = Insecure("UDP", "these flows are about services; TLS has tests of its own")
REFRESHES = "RFC 6665 §4.4.1: the 2xx to a NOTIFY, which is a target refresh request, has a Contact"
MACHINE: Mapping[str, str | None] = {"automata": None, "+sip.byeless": None, "+sip.rendering": "no"}
"""What a server that plays something says of itself."""
AUTOMATA = Means("Contact", "automata", "automaton", "RFC 3840 §9: the tag that means a machine; the RFC's is none")


def carol(server: str | None = None, **options: Any) -> Agent:
    """Carol's phone; `options` are those of `UserAgent`."""
    options.setdefault("display_name", "Carol")
    return Agent("Carol", "192.0.2.33", f"sip:carol@{CHICAGO}", f"client.{CHICAGO}", server, options)


def proxy_of_all(name: str = "Proxy 1", **config: Any) -> Server:
    """The one proxy that a flow has, of everybody's domain."""
    return Server(name, PROXY, (ATLANTA, BILOXI, CHICAGO), SS1, config)


def proxy_of_bob(name: str = "Proxy", **config: Any) -> Server:
    """The one proxy of a flow in which Bob's calls go elsewhere."""
    config.setdefault("relay", RelayConfig(allow=[ATLANTA]))
    return Server(name, PROXY, (BILOXI,), SS1, config)


def phone_of_bob(number: int, server: str | None = "Proxy", **options: Any) -> Agent:
    """One of the places where Bob may be: B1, B2 …"""
    options.setdefault("display_name", "Bob")
    hostname = f"client{number if number > 1 else ''}.{BILOXI}"
    return Agent(f"B{number}", f"192.0.2.{200 + number}", f"sip:bob@{BILOXI}", hostname, server, options)


async def puts_on_hold(call: Call) -> None:
    """Bob holds the peer, and says that he plays nothing of it to anybody (RFC 4235 §5.2)."""
    call.show_features({"+sip.rendering": "no"})
    await call.hold()


async def takes_back(call: Call) -> None:
    """And the end of that."""
    call.show_features({})
    await call.resume()


async def answers(call: IncomingCall) -> None:
    """Takes the call, at once where it replaces another one, and leaves it to others to end it."""
    if call.replaces is None:
        await call.ring()
        await asyncio.sleep(5)
    await call.answer()
    await call.ended()
