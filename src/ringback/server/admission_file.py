"""The operator's own word on who may open a WebSocket: a Python file with `admit(handshake)` (RFC 7118 §7)."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from ringback.server.config import Config
from ringback.server.operator_file import OperatorFileError, run
from ringback.transport.limits import Admit, WebSocketRules


def websocket_rules(config: Config) -> WebSocketRules:
    """Who may connect over WebSocket. Raises `OperatorFileError` where the file that says so cannot be used."""
    path = config.websocket.admission
    return config.websocket.rules(is_open=not config.asks_passwords, admit=None if path is None else load_admit(path))


def load_admit(path: Path) -> Admit:
    """Runs the file and gives its `admit`. Raises `OperatorFileError` that names file and line."""
    names: dict[str, Any] = {"__name__": "admission"}
    run(path, names)
    admit = names.get("admit")
    if not callable(admit) or inspect.iscoroutinefunction(admit) or len(inspect.signature(admit).parameters) != 1:
        raise OperatorFileError(f"{path}: needs a function admit(handshake), and not an async one")
    return admit  # type: ignore[no-any-return]  # what it returns is looked at each time
