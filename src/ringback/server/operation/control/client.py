"""Asking a server that runs: one request over its control socket."""

from __future__ import annotations

import asyncio
import itertools
import json
from pathlib import Path
from typing import Any

# An answer of the longest list of registrations, each as long as may be, fits many times.
MOST_OCTETS = 64 * 1_048_576

_ids = itertools.count(1)


class NoServer(Exception):  # noqa: N818 - a state, not a fault of anyone's
    """Nobody answers at the control socket; the text says where and why."""


class ControlError(Exception):
    """The server refused; the text says why."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


async def ask(path: Path, method: str, /, *, patience: float = 10.0, **params: Any) -> Any:
    """The result of a method of the server at `path`, within so many seconds. Raises `NoServer` or `ControlError`."""
    number = next(_ids)
    request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    try:
        async with asyncio.timeout(patience):
            reader, writer = await asyncio.open_unix_connection(path, limit=MOST_OCTETS)
            try:
                writer.write(json.dumps(request).encode("ascii") + b"\n")
                line = await reader.readline()
            finally:
                writer.close()
    except TimeoutError:
        raise NoServer(f"{path}: no answer within {patience:g} s") from None
    except (FileNotFoundError, ConnectionError):
        raise NoServer(f"{path}: no server runs there") from None
    except OSError as error:
        raise NoServer(f"{path}: {error.strerror or error}") from None
    try:
        answer = json.loads(line)
    except ValueError:
        raise NoServer(f"{path}: the server hung up without an answer") from None
    if "error" in answer:
        raise ControlError(answer["error"]["message"], answer["error"]["code"])
    return answer["result"]
