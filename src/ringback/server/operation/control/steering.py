"""What an operator makes a running server do."""

import logging
from typing import TYPE_CHECKING, Any, Literal

from ringback.server.operation.control.json_rpc import RpcError

if TYPE_CHECKING:
    from ringback.server.server import Server

Level = Literal["debug", "info", "warning", "error"]


def reload(server: "Server") -> dict[str, Any]:
    """Reads everything again that can change while the server runs; refused where something of it is wrong: then all stays as it was."""
    reloaded = server.reload()
    if reloaded.fault is not None:
        raise RpcError(reloaded.fault)
    return {"changed": list(reloaded.changed), "needs_restart": list(reloaded.needs_restart)}


def drain(server: "Server", stay: bool = False) -> dict[str, Any]:
    """Refuses what is new with 503 and finishes what is under way; the server then ends, unless it shall `stay`."""
    server.leave.begin(stay=stay)
    return {"under_way": server.core.proxy.unanswered}


def resume(server: "Server") -> dict[str, Any]:
    """Ends a drain before its time: everything is served again."""
    if not server.core.is_draining:
        raise RpcError("the server is not draining")
    server.leave.resume()
    return {}


def log_level(server: "Server", level: Level | None = None) -> dict[str, Any]:
    """Which lines are logged from now on; without a level, which are now."""
    logger = logging.getLogger("ringback")
    if level is not None:
        logger.setLevel(level.upper())
    return {"level": logging.getLevelName(logger.getEffectiveLevel()).lower()}
