"""Whom the server is connected to, and the trunks of its gateways."""

import asyncio
from typing import TYPE_CHECKING, Any

from ringback.address import host_port
from ringback.server.operation.control.listing import DEFAULT_LIMIT, Limit, leisurely

if TYPE_CHECKING:
    from ringback.server.server import Server


async def connections(server: "Server", transport: str = "", contains: str = "", limit: Limit = DEFAULT_LIMIT) -> dict[str, Any]:
    """The connections of one transport or of all, or those whose far end's address has a text in it."""
    total = 0
    found: list[dict[str, Any]] = []
    async for one in leisurely(server.transports.connections):
        peer = host_port(one.flow.host, one.flow.port)
        if (transport and one.flow.endpoint.transport != transport.upper()) or contains not in peer:
            continue
        total += 1
        if len(found) < limit:
            found.append(
                {
                    "transport": one.flow.endpoint.transport,
                    "peer": peer,
                    "local": host_port(one.flow.endpoint.host, one.flow.endpoint.port),
                    "opened_by": "peer" if one.is_accepted else "server",
                    "is_open": one.is_open,
                    "idle": round(one.idle),
                    "proven": sorted(one.peer.domains),
                    "domain": "" if one.domain == one.flow.host else one.domain,
                }
            )
    return {"total": total, "connections": found}


def gateways(server: "Server") -> dict[str, Any]:
    """Every trunk: whether calls go there now, and if not, why and for how long."""
    now = asyncio.get_running_loop().time()
    return {
        "trunks": [
            {
                "gateway": name,
                "uri": str(trunk.uri),
                "priority": trunk.priority,
                "weight": trunk.weight,
                "state": "up" if trunk.is_up(now) else "resting" if trunk.is_alive else "silent",
                "back_in": 0 if trunk.is_up(now) else round(trunk.back_in(now)),
            }
            for name, trunks in server.core.gateways.trunks.items()
            for trunk in trunks
        ]
    }
