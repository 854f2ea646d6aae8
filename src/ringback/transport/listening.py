"""Opening what an element listens on: one endpoint per address of a wildcard, TCP beside every UDP port (RFC 3261 §18.2.1)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from ringback.address import DEFAULT_PORTS, Endpoint
from ringback.transport.interfaces import free_port, local_addresses
from ringback.transport.transports import Transports


async def listen(transports: Transports, points: Iterable[Endpoint], advertised: str | None = None) -> None:
    """Opens every point; `OSError` says which address could not be had.

    `advertised` is the host that Via and Record-Route name instead of each endpoint's own.
    """
    opened: set[tuple[str, str, int]] = set()
    for point in points:
        for host in local_addresses(point.host) if point.host in ("0.0.0.0", "::") else [point.host]:
            await _open(transports, Endpoint(point.transport, host, point.port, advertised), advertised, opened)


async def _open(transports: Transports, point: Endpoint, advertised: str | None, opened: set[tuple[str, str, int]]) -> None:
    if (point.transport, point.host, point.port) in opened:
        return
    port = point.port
    if point.transport == "UDP" and not port:
        # Any free port must be free for both.
        port = free_port(point.host)
    endpoint = await transports.open(point.transport, point.host, port, advertised)
    opened.add((point.transport, point.host, endpoint.port))
    if point.transport == "UDP":
        await _open(transports, Endpoint("TCP", point.host, endpoint.port), advertised, opened)


def listening_point(uri: str, advertised: str | None = None) -> Endpoint:
    """The endpoint that `udp://127.0.0.1:5060` names. Raises `ValueError` saying what is allowed instead."""
    scheme, separator, rest = uri.partition("://")
    transport = scheme.upper()
    if not separator:
        raise ValueError("must be written udp://ADDRESS:PORT, likewise tcp, tls, ws and wss")
    if transport not in DEFAULT_PORTS:
        raise ValueError(f"the transport {_shown(scheme)} is unknown; allowed are udp, tcp, tls, ws and wss")
    if transport in ("WS", "WSS") and "/" in rest:
        raise ValueError("an address and a port, no path: that is `path` in [websocket]")
    if rest.startswith("["):
        host, bracket, port = rest[1:].partition("]")
        if not bracket or port[:1] not in ("", ":"):
            raise ValueError("an IPv6 address is written [::1]:5060")
    elif rest.count(":") > 1:
        raise ValueError("an IPv6 address is written [::1]:5060")
    else:
        host, colon, port = rest.partition(":")
        port = colon + port
    return Endpoint(transport, _numeric(host), _port(port[1:]) if port else DEFAULT_PORTS[transport], advertised)


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65_535:
        return int(text)
    raise ValueError(f"the port must be a whole number from 0 to 65535, is {_shown(text)}")


def _numeric(host: str) -> str:
    if host == "localhost":
        return "127.0.0.1"
    try:
        # A zone names an interface of this machine and means nothing to a peer.
        address = None if "%" in host else ipaddress.ip_address(host)
    except ValueError:
        address = None
    if address is None:
        raise ValueError(f"the address must be numeric (0.0.0.0 for all of them) or localhost, is {_shown(host)}")
    return str(address)


def _shown(text: str) -> str:
    """A text as an error names it: not longer than 60 characters."""
    text = repr(text)
    return text if len(text) <= 60 else text[:59] + "…"
