"""The cast of RFC 3665 (the table of §1.3), and what its flows and ours differ in over and over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ringback.server.config import ProxyConfig, RelayConfig
from tests.flows.comparison import Difference, Moved
from tests.flows.stage import Agent, Server

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


def proxy_1(**config: Any) -> Server:
    """The proxy of Alice's domain, which sends calls on to Bob's."""
    config.setdefault("relay", RelayConfig(allow=[BILOXI]))
    return Server("Proxy 1", "192.0.2.111", (ATLANTA,), SS1, config)


def proxy_2(**config: Any) -> Server:
    """The proxy of Bob's domain."""
    config.setdefault("relay", RelayConfig(allow=[ATLANTA]))
    return Server("Proxy 2", "192.0.2.222", (BILOXI,), SS2, config)


NO_RECORD_ROUTE = ProxyConfig(record_route=False)


def trying(*pairs: str) -> list[Difference]:
    """`"F6 F5"`: the 100 Trying F6 is said before F5, which the proxy forwards."""
    reason = "a proxy of ours answers 100 before it forwards; RFC 3261 §16.2 lets it, and both leave in one turn"
    return [Moved(*pair.split(" "), reason) for pair in pairs]
