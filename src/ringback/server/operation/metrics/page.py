"""`/metrics` over HTTP/1.1: as much of it as Prometheus and a curious person need, and no more."""

from __future__ import annotations

import asyncio
from email.utils import formatdate
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder

from ringback.address import host_port
from ringback.server.operation.metrics.collector import ServerCollector

if TYPE_CHECKING:
    from ringback.server.server import Server

MOST_OCTETS = 16_384
MOST_CONNECTIONS = 32
# Seconds for a whole request, and for reading the answer.
PATIENCE = 10.0

_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 408: "Request Timeout"}
_REASONS |= {431: "Request Header Fields Too Large", 503: "Service Unavailable"}
_TEXT = "text/plain; charset=utf-8"

Answer = tuple[int, str, bytes]


class MetricsPage:
    """Listens at one address; a request, an answer, and the connection is closed."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._registry = CollectorRegistry()
        self._registry.register(ServerCollector(server))
        ProcessCollector(registry=self._registry)
        self._listening: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.place = ""
        """ADDRESS:PORT, once it is open."""

    async def open(self, place: str) -> None:
        """Listens at ADDRESS:PORT; `OSError` names it."""
        host, _, port = place.rpartition(":")
        try:
            self._listening = await asyncio.start_server(self._serve, host.strip("[]"), int(port), limit=MOST_OCTETS)
        except OSError as error:
            raise OSError(error.errno, f"cannot listen there for HTTP: {error.strerror}", place) from None
        host, port = self._listening.sockets[0].getsockname()[:2]
        self.place = host_port(host, int(port))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._writers) >= MOST_CONNECTIONS:
            writer.transport.abort()
            return
        self._writers.add(writer)
        try:
            answer, is_head = await self._answer(reader)
            writer.write(_octets(answer, is_head=is_head))
            async with asyncio.timeout(PATIENCE):
                await writer.drain()
            writer.close()
        except (OSError, TimeoutError):
            writer.transport.abort()
        finally:
            self._writers.discard(writer)

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[Answer, bool]:
        """The answer to the request that comes, and whether its body is left out."""
        try:
            async with asyncio.timeout(PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            return (431, _TEXT, b"too long\n"), False
        except TimeoutError:
            return (408, _TEXT, b"too slow\n"), False
        except asyncio.IncompleteReadError:
            return (400, _TEXT, b"no HTTP request\n"), False
        line, *fields = head.decode("latin-1").split("\r\n")
        words = line.split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            return (400, _TEXT, b"no HTTP request\n"), False
        method, path = words[0], words[1].partition("?")[0]
        if path not in _PAGES:
            return (404, _TEXT, f"there is {' and '.join(_PAGES)}\n".encode()), False
        if method not in ("GET", "HEAD"):
            return (405, _TEXT, b"GET or HEAD\n"), False
        accept = next((value for name, _, value in (field.partition(":") for field in fields) if name.lower() == "accept"), "")
        return _PAGES[path](self, accept), method == "HEAD"

    def metrics(self, accept: str) -> Answer:
        """Everything that is counted."""
        encode, kind = choose_encoder(accept)
        return 200, kind, encode(self._registry)

    def health(self, _accept: str) -> Answer:
        """Whether new calls are welcome."""
        if self._server.core.is_draining:
            return 503, _TEXT, b"draining\n"
        return 200, _TEXT, b"serving\n"

    async def close(self) -> None:
        """Hangs up."""
        if self._listening is not None:
            self._listening.close()
        for writer in list(self._writers):
            writer.transport.abort()


_PAGES = {"/metrics": MetricsPage.metrics, "/health": MetricsPage.health}


def _octets(answer: Answer, *, is_head: bool) -> bytes:
    status, kind, body = answer
    lines = [
        f"HTTP/1.1 {status} {_REASONS[status]}",
        f"Date: {formatdate(usegmt=True)}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        *(["Allow: GET, HEAD"] if status == 405 else []),
        "Connection: close",
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (b"" if is_head else body)
