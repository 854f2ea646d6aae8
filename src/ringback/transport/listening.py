"""Opening what an element listens on: one endpoint per address of a wildcard, TCP beside every UDP port (RFC 3261 §18.2.1)."""

from __future__ import annotations

from collections.abc import Iterable

from ringback.address import Endpoint
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
