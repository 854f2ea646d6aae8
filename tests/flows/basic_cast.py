"""The cast of RFC 3665 (the table of §1.3), and what its flows and ours differ in over and over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ringback.agent.errors import CallRejected
from ringback.server.config import AccessConfig, ProxyConfig, RelayConfig
from tests.flows.stage import Agent, Server, Stage

ATLANTA, BILOXI, CHICAGO = "atlanta.example.com", "biloxi.example.com", "chicago.example.com"
CALLEE = f"sip:bob@{BILOXI}"
SS1, SS2, SS3 = f"ss1.{ATLANTA}", f"ss2.{BILOXI}", f"ss3.{CHICAGO}"
NAMES: Mapping[str, list[str]] = {ATLANTA: ["192.0.2.111"], BILOXI: ["192.0.2.222"], CHICAGO: ["192.0.2.233"]}
"""Where the domains' servers are."""


def alice(transport: str = "udp", server: str | None = "Proxy 1", **options: Any) -> Agent:
    """Alice's phone; `options` are those of `UserAgent`."""
    options.setdefault("display_name", "Alice")
    return Agent("Alice", "192.0.2.101", f"sip:alice@{ATLANTA}", f"client.{ATLANTA}", server, options, transport)


def bob(transport: str = "udp", server: str | None = "Proxy 2", **options: Any) -> Agent:
    """Bob's phone."""
    options.setdefault("display_name", "Bob")
    return Agent("Bob", "192.0.2.201", f"sip:bob@{BILOXI}", f"client.{BILOXI}", server, options, transport)


SECRET = "what only Alice knows"


def proxy_1(transport: str = "udp", **config: Any) -> Server:
    """The proxy of Alice's domain: it knows her password, sends calls on to Bob's domain and trusts that one's proxy.

    With `transport="tcp"` it listens for nothing else. It challenges by MD5, as the RFC does: with two algorithms an INVITE of §3.3 would
    be too long for UDP.
    """
    config.setdefault("listen", [f"{transport}://192.0.2.111:5060"])
    config.setdefault("relay", RelayConfig(allow=[BILOXI]))
    config.setdefault("access", AccessConfig(trusted=["192.0.2.222"], algorithms=["MD5"]))
    return Server("Proxy 1", "192.0.2.111", (ATLANTA,), SS1, config, {f"alice@{ATLANTA}": SECRET})


def proxy_2(transport: str = "udp", **config: Any) -> Server:
    """The proxy of Bob's domain."""
    config.setdefault("listen", [f"{transport}://192.0.2.222:5060"])
    config.setdefault("relay", RelayConfig(allow=[ATLANTA]))
    return Server("Proxy 2", "192.0.2.222", (BILOXI,), SS2, config)


def asking_proxy_2(**config: Any) -> Server:
    """The same, where Alice has an account, too, and has to prove it."""
    access = AccessConfig(guests=True, algorithms=["MD5"])
    return proxy_2(access=access, **config)._replace(users={f"alice@{BILOXI}": SECRET})


async def has_called_before(stage: Stage, domain: str = ATLANTA) -> None:
    """Alice knows already what the domain's proxy asks of her, so that her INVITE has credentials at once (RFC 3261 §22.3)."""
    with pytest.raises(CallRejected) as rejected:
        await stage.agents["Alice"].call(f"sip:nobody@{domain}")
    assert rejected.value.status == 404
    await stage.begin()


NO_RECORD_ROUTE = ProxyConfig(record_route=False)
