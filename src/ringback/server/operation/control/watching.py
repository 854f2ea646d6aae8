"""What the server does at the moment.

A proxy knows set-ups, not media: a call that is up leaves no state here, so `calls` are the INVITEs that have no final answer yet.
"""

import os
import time
from collections import Counter
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from ringback.address import Flow, host_port
from ringback.message.errors import SipParseError
from ringback.message.message import Request
from ringback.server.operation.control.listing import DEFAULT_LIMIT, Limit, leisurely
from ringback.server.proxy.response_context import ResponseContext
from ringback.transaction.machines import PROCEEDING
from ringback.transaction.transaction import ServerTransaction, Transaction

if TYPE_CHECKING:
    from ringback.server.server import Server

_LONGEST = 1_000


def status(server: "Server") -> dict[str, Any]:
    """What is served, since when, how much of it is under way, and what was counted."""
    core = server.core
    layer = core.layer
    return {
        "version": version("ringback"),
        "pid": os.getpid(),
        "state": "draining" if core.is_draining else "serving",
        "draining_for": server.leave.seconds,
        "started": datetime.fromtimestamp(time.time() - server.uptime, UTC).isoformat(timespec="seconds"),
        "uptime": round(server.uptime, 1),
        "listening": [f"{one.transport.lower()}://{host_port(one.host, one.port)}" for one in server.transports.endpoints],
        "domains": list(server.domains.names),
        "data": None if server.config.data is None else str(server.config.data),
        "users": None if server.access is None else len(server.users),
        "registrations": len(server.location),
        "calls": core.sources.half_open,
        "under_way": core.proxy.unanswered,
        "transactions": {"server": len(layer.servers), "client": len(layer.clients)},
        "connections": server.transports.counts.by_transport,
        "counts": {
            **{name: getattr(server.counts, name) for name in server.counts.__slots__},
            "shed_requests": layer.shed_requests,
            "stray_responses": layer.stray_responses,
            "forged_responses": layer.forged_responses,
            "forged_cancels": layer.forged_cancels,
            "faults": core.stack.faults,
            "dropped_datagrams": server.transports.counts.dropped,
            "refused_connections": server.transports.counts.refused,
            "overdue_connections": server.transports.counts.overdue,
        },
    }


async def calls(server: "Server", limit: Limit = DEFAULT_LIMIT) -> dict[str, Any]:
    """The INVITEs without a final answer: who calls whom, and where it rings."""
    total = 0
    found: list[dict[str, Any]] = []
    async for transaction in leisurely(server.core.layer.servers.values()):
        if transaction.method != "INVITE" or transaction.state != PROCEEDING:
            continue
        total += 1
        if len(found) < limit:
            found.append(_call(transaction))
    return {"total": total, "calls": found}


def _call(transaction: ServerTransaction) -> dict[str, Any]:
    context = transaction.user
    branches = context.branches if isinstance(context, ResponseContext) else []
    is_ringing = any(branch.has_provisional for branch in branches)
    shown: dict[str, Any] = {"state": "ringing" if is_ringing else "trying", "source": _place(transaction.flow)}
    try:
        request = transaction.request
        shown |= {"call_id": _cut(request.call_id), "from": _uri(request, "From"), "to": _uri(request, "To"), "uri": _cut(request.uri_text)}
    except LookupError:
        # It was answered since.
        shown |= {"call_id": "", "from": "", "to": "", "uri": ""}
    shown["targets"] = [
        {"uri": _cut(one.destination.uri), "to": None if one.transaction is None else _place(one.transaction.flow)} for one in branches
    ]
    return shown


def _uri(request: Request, name: str) -> str:
    """The URI of a field; the field as it is where it cannot be taken apart."""
    try:
        return _cut(request.headers.value(name).uri_text)
    except SipParseError:
        return _cut(request.headers.text(name) or "")


def _cut(text: str) -> str:
    """What strangers wrote, at most so long that ten thousand of them are a list that can be sent."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


async def transactions(server: "Server", method: str = "", limit: Limit = 0) -> dict[str, Any]:
    """How many transactions are in which state, and with a limit so many of them."""
    layer = server.core.layer
    counts: Counter[tuple[str, str, str]] = Counter()
    found: list[dict[str, Any]] = []
    every: list[Transaction] = [*layer.servers.values(), *layer.clients.values()]
    async for one in leisurely(every):
        if (method and one.method != method) or one.is_terminated:
            continue
        side = "server" if isinstance(one, ServerTransaction) else "client"
        counts[side, one.method, one.state] += 1
        if len(found) < limit:
            found.append({"side": side, "method": one.method, "state": one.state, "peer": _place(one.flow), "key": one.key})
    states = [{"side": side, "method": name, "state": state, "count": count} for (side, name, state), count in sorted(counts.items())]
    return {"total": counts.total(), "states": states, "transactions": found}


def _place(flow: Flow) -> str:
    return f"{flow.endpoint.transport.lower()} {host_port(flow.host, flow.port)}"
