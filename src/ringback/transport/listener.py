"""Accepting connections: as many as one address may have, never the last file descriptors."""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
from collections.abc import Callable

from ringback.address import Endpoint
from ringback.transport.endpoint import SocketAddress
from ringback.transport.limits import StreamLimits

if sys.platform != "win32":  # which has no such limit
    import resource

# Connections taken at one wake-up, so that a storm of them leaves room for messages.
_AT_ONCE = 64

# Seconds without accepting after the operating system ran out of something: waking up for each waiting connection would be a busy loop.
_PAUSE = 0.5

_SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


def is_scarce(descriptor: int, reserved: int) -> bool:
    """Whether this descriptor's number says that few are left: the lowest free number is always given."""
    if sys.platform == "win32":
        return False
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return limit != resource.RLIM_INFINITY and descriptor >= limit - reserved


def address_key(host: str) -> str | bytes:
    """What a limit per address counts: an IPv4 address, an IPv6 /64 (one customer has all of it)."""
    return host if ":" not in host else socket.inet_pton(socket.AF_INET6, host.partition("%")[0])[:8]


class Listener:
    """A listening socket. `accepted` gets each new connection, non-blocking; `counted` tells how many a key has open."""

    def __init__(
        self,
        sock: socket.socket,
        endpoint: Endpoint,
        limits: StreamLimits,
        counted: Callable[[str | bytes], int],
        accepted: Callable[[socket.socket, SocketAddress, Endpoint], None],
        refused: Callable[[], None],
    ) -> None:
        self._sock = sock
        self._endpoint = endpoint
        self._limits = limits
        self._counted = counted
        self._accepted = accepted
        self._refused = refused
        self._pause: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._resume()

    def _resume(self) -> None:
        self._pause = None
        self._loop.add_reader(self._sock.fileno(), self._readable)

    def _readable(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                sock, remote = self._sock.accept()
            except OSError as error:
                if error.errno in _SHORTAGES:
                    self._loop.remove_reader(self._sock.fileno())
                    self._pause = self._loop.call_later(_PAUSE, self._resume)
                return
            if (
                is_scarce(sock.fileno(), self._limits.reserved_descriptors)
                or self._counted(address_key(remote[0])) >= self._limits.per_address
            ):
                sock.close()
                self._refused()
                continue
            sock.setblocking(False)
            self._accepted(sock, remote, self._endpoint)

    def close(self) -> None:
        """Listens no more."""
        if self._pause is not None:
            self._pause.cancel()
        else:
            self._loop.remove_reader(self._sock.fileno())
        self._sock.close()
