"""What an operator makes a running server do."""

import logging
from typing import TYPE_CHECKING, Any, Literal

from ringback.server.control.json_rpc import RpcError

if TYPE_CHECKING:
    from ringback.server.server import Server

Level = Literal["debug", "info", "warning", "error"]


def reload(server: "Server") -> dict[str, Any]:
    """Reads everything again that can change while the server runs; refused where something of it is wrong: then all stays as it was."""
    fault = server.reload()
    if fault is not None:
        raise RpcError(fault)
    return {}


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
