"""The control socket: a Unix socket that only its owner may use, one JSON-RPC message a line each way."""

from __future__ import annotations

import asyncio
import errno
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ringback.server.config import Config
from ringback.server.operation.control.json_rpc import INVALID_REQUEST, Method, answer, failure

# A choice: a batch of a hundred requests fits easily.
MOST_OCTETS = 256 * 1024
MOST_CONNECTIONS = 32
# Seconds in which a client must have said a whole line, and in which it must have read most of the answer.
PATIENCE = 60.0

# What sun_path holds on Linux and, five octets less, on the BSDs, a final NUL included (unix(7)).
_LONGEST_PATH = 103


def socket_path(config: Config) -> Path | None:
    """Where the control socket of a server with this configuration is; None where it has none."""
    if not config.control.enabled:
        return None
    return config.control.socket or (None if config.data is None else config.data / "control.sock")


class Control:
    """Answers whoever connects; `methods` act on `subject`."""

    def __init__(self, path: Path, methods: Mapping[str, Method], subject: Any) -> None:
        self.path = path
        self._methods = methods
        self._subject = subject
        self._server: asyncio.Server | None = None
        self._inode = 0
        self._writers: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        """Listens; a socket that a dead server left is replaced. `OSError` names the path and says what to do."""
        path = self.path
        if len(os.fsencode(path)) > _LONGEST_PATH:
            reason = f"longer than the {_LONGEST_PATH} octets a Unix socket may have; name a shorter one: [control] socket = …"
            raise OSError(errno.ENAMETOOLONG, reason, str(path))
        if await self._is_alive():
            raise OSError(errno.EADDRINUSE, "another server answers there", str(path))
        try:
            # It replaces a socket that is left over, and refuses to replace anything else.
            self._server = await asyncio.start_unix_server(self._serve, path, limit=MOST_OCTETS, start_serving=False)
        except OSError as error:
            raise OSError(error.errno, os.strerror(error.errno or errno.EIO), str(path)) from None
        # Bound, but nobody can connect before it listens: from its first moment on it is its owner's alone.
        os.chmod(path, 0o600)
        self._inode = os.stat(path).st_ino
        await self._server.start_serving()

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._writers)

    async def _is_alive(self) -> bool:
        try:
            _, writer = await asyncio.open_unix_connection(self.path)
        except OSError:
            return False
        writer.close()
        return True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._writers) >= MOST_CONNECTIONS:
            writer.transport.abort()
            return
        self._writers.add(writer)
        try:
            while True:
                async with asyncio.timeout(PATIENCE):
                    line, is_last = await _line(reader)
                if line.strip(b" \t\r\n"):
                    answered = await answer(line, self._methods, self._subject)
                    if answered is not None:
                        writer.write(answered + b"\n")
                        async with asyncio.timeout(PATIENCE):
                            await writer.drain()
                if is_last:
                    break
            writer.close()
        except asyncio.LimitOverrunError:
            said = failure(None, INVALID_REQUEST, f"a message has at most {MOST_OCTETS} octets")
            writer.write(json.dumps(said).encode() + b"\n")
            writer.close()
        except (OSError, TimeoutError):
            writer.transport.abort()
        finally:
            self._writers.discard(writer)

    async def close(self) -> None:
        """Hangs up and removes the socket, unless somebody else's has taken its place."""
        if self._server is None:
            return
        with suppress(OSError):
            if os.stat(self.path).st_ino == self._inode:
                self.path.unlink()
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()


async def _line(reader: asyncio.StreamReader) -> tuple[bytes, bool]:
    """A line, and whether the client has said its last word; that one may lack the line's end."""
    try:
        return await reader.readuntil(b"\n"), False
    except asyncio.IncompleteReadError as error:
        return error.partial, True
