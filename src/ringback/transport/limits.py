"""How long a connection may take, how much it may hold, how many there may be, and who may have one over WebSocket."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ringback.transport.websocket.handshake import Handshake


class StreamLimits(NamedTuple):
    """Bounds on connections; times in seconds. A connection beyond one of them is closed, the others never notice.

    `first_request`: from accepting a connection to its first whole message; 32 s is 64*T1, where a peer's own transaction has given up
    (Asterisk closes unauthenticated connections by that timer too). `message`: from a message's first octet to its last; Kamailio's
    tcp_msg_read_timeout, 20 s. `idle`: after the last octet either way; §18 asks for more than the longest transaction (timer C: over
    3 minutes), and a registered phone is reached over the connection it opened, so Kamailio's 3,605 s: a registration's usual hour and
    a little. `connect`: Kamailio waits 10 s, OpenSIPS 0.1 s. `handshake`: from accepting, or from the attempt to connect, until messages
    may pass; twice `connect`, one more flight each way. `linger`: for a peer to read the last answer before its connection goes.
    `per_address`: connections accepted from one IPv4 address or IPv6 /64 (Kamailio's tcp_accept_iplimit is 1,024).
    `write_bytes`: what may wait for a peer that reads too slowly. `reserved_descriptors`: never used for accepting, so that log,
    store and resolver still open their files. `sweep`: how often the times are looked at.
    """

    first_request: float = 32.0
    message: float = 20.0
    idle: float = 3_605.0
    connect: float = 5.0
    handshake: float = 10.0
    linger: float = 2.0
    per_address: int = 256
    write_bytes: int = 262_144
    reserved_descriptors: int = 16
    sweep: float = 1.0


DEFAULT_STREAM_LIMITS = StreamLimits()

ANY_ORIGIN = "*"

Admit = Callable[["Handshake"], "bool | int"]
"""Whether a client may open a WebSocket: True, False (403), or the status it gets, 401 to be asked for user and password."""


class WebSocketRules(NamedTuple):
    """Who may connect, and how a connection is kept.

    `origins` are those of pages, `*` every one; `path` the only one there is, "" any; `asked_path` is what we ask of others.
    `trusted_proxies` are believed when they say for whom they connect. A peer of which nothing was heard for `ping` seconds (0: never) is
    asked for a sign of life, and given up when it gives none for `pong` more: nginx closes what was silent for 60 s. `admit` decides about
    whom all else lets in. `credentials` are user and password for a server that asks for them in the handshake (RFC 7118 §7): they go to
    every server we connect to, by HTTP's Basic, readable for whoever reads along where it is no WSS.
    """

    origins: tuple[str, ...] = (ANY_ORIGIN,)
    path: str = ""
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    ping: float = 30.0
    pong: float = 20.0
    admit: Admit | None = None
    asked_path: str = "/"
    credentials: tuple[str, str] | None = None


DEFAULT_WEBSOCKET_RULES = WebSocketRules()
