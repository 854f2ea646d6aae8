"""A set of transports that remembers what it was told, for tests on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator

from ringback.address import Endpoint, Flow
from ringback.message.message import Request, Response
from ringback.message.parser import Malformed
from ringback.transport import StreamLimits, Transports
from ringback.transport.limits import WebSocketRules
from ringback.transport.tls import Contexts

# Real seconds after which a test that waits for real sockets gives up.
PATIENCE = 10.0


def options(branch: str = "1", body: bytes = b"", *, length: bool = True, **fields: str) -> bytes:
    """An OPTIONS request."""
    lines = [
        "OPTIONS sip:127.0.0.1 SIP/2.0",
        f"Via: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK{branch}",
        "From: <sip:a@127.0.0.1>;tag=1",
        "To: <sip:b@127.0.0.1>",
        f"Call-ID: {branch}@127.0.0.1",
        "CSeq: 1 OPTIONS",
        "Max-Forwards: 70",
        *(f"{name}: {value}" for name, value in fields.items()),
        *([f"Content-Length: {len(body)}"] if length else []),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Party:
    """Transports and what they reported. `answer`, if given, is called with each message, within `received`."""

    def __init__(self, limits: StreamLimits | None = None, tls: Contexts | None = None, websocket: WebSocketRules | None = None) -> None:
        self.messages: list[Request | Response | Malformed] = []
        self.octets: list[bytes] = []
        self.flows: list[Flow] = []
        self.failures: list[tuple[Flow, str]] = []
        self.batches: list[int] = []  # how many messages had come when each batch ended
        self.lines: list[str] = []  # for the operator
        self.answer: Callable[[Request | Response | Malformed, Flow], None] | None = None
        self._changed = asyncio.Event()
        self.transports = Transports(
            self._received,
            self._failed,
            batch_ended=self._batch_ended,
            stream_limits=limits or StreamLimits(sweep=0.02),
            tls=tls,
            report=self._reported,
            websocket=websocket or WebSocketRules(),
        )

    def _reported(self, line: str) -> None:
        self.lines.append(line)
        self._changed.set()

    def _received(self, message: Request | Response | Malformed, octets: bytes, flow: Flow) -> None:
        self.messages.append(message)
        self.octets.append(octets)
        self.flows.append(flow)
        if self.answer is not None:
            self.answer(message, flow)
        self._changed.set()

    def _failed(self, flow: Flow, reason: str) -> None:
        self.failures.append((flow, reason))
        self._changed.set()

    def _batch_ended(self) -> None:
        self.batches.append(len(self.messages))
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits until something was reported that makes the condition true."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def messages_to_be(self, count: int) -> None:
        """Waits for so many messages."""
        await self.until(lambda: len(self.messages) >= count)

    async def failures_to_be(self, count: int) -> None:
        """Waits for so many failures."""
        await self.until(lambda: len(self.failures) >= count)


@contextlib.asynccontextmanager
async def party(
    *listen: str, limits: StreamLimits | None = None, tls: Contexts | None = None, websocket: WebSocketRules | None = None
) -> AsyncIterator[tuple[Party, list[Endpoint]]]:
    """A party that listens ("UDP", "TCP", "UDP ::1" …, any free port), closed at the end."""
    opened = Party(limits, tls, websocket)
    try:
        endpoints = []
        for text in listen:
            transport, _, host = text.partition(" ")
            endpoints.append(await opened.transports.open(transport, host or "127.0.0.1", 0))
        yield opened, endpoints
    finally:
        await opened.transports.close()


def has_ipv6() -> bool:
    """Whether this machine has ::1."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


def plain_udp(host: str = "127.0.0.1") -> socket.socket:
    """A peer's UDP socket, non-blocking."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.bind((host, 0))
    return sock


async def read_datagram(sock: socket.socket) -> bytes:
    """The next datagram a peer's socket gets."""
    async with asyncio.timeout(PATIENCE):
        return await asyncio.get_running_loop().sock_recv(sock, 65_535)


async def eventually(condition: Callable[[], bool]) -> None:
    """Waits for something that nobody reports, such as a connection that is gone."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.001)


@contextlib.contextmanager
def peer(port: int, host: str = "127.0.0.1", source: str | None = None) -> Iterator[socket.socket]:
    """A peer's connection to a listening port, non-blocking."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as sock:
        if source is not None:
            sock.bind((source, 0))
        # The kernel completes a connection on loopback at once, whether or not it is accepted yet.
        sock.connect((host, port))
        sock.setblocking(False)
        yield sock


async def write(sock: socket.socket, data: bytes) -> None:
    """Sends all of it over a peer's connection."""
    async with asyncio.timeout(PATIENCE):
        await asyncio.get_running_loop().sock_sendall(sock, data)


async def read(sock: socket.socket, count: int) -> bytes:
    """So many octets from a peer's connection, fewer if it ends."""
    data = b""
    async with asyncio.timeout(PATIENCE):
        while len(data) < count and (more := await asyncio.get_running_loop().sock_recv(sock, count - len(data))):
            data += more
    return data


async def read_to_end(sock: socket.socket) -> bytes:
    """What comes over a peer's connection until it is closed, in order or by reset."""
    data = b""
    async with asyncio.timeout(PATIENCE):
        with contextlib.suppress(ConnectionResetError):
            while more := await asyncio.get_running_loop().sock_recv(sock, 65_536):
                data += more
    return data
