"""A server on a simulated network, and a stranger who sends it octets and keeps what comes back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from typing import NoReturn

from ringback.address import Flow, Target
from ringback.message.message import Request, Response
from ringback.message.parser import Malformed, parse_datagram
from ringback.server.config import Config, RegistrarConfig
from ringback.server.server import Server
from ringback.testing import Network

HOST = "192.0.2.1"
STRANGER = ("192.0.2.254", 5060)
PROBER = ("192.0.2.253", 5060)
# Every domain that a message of RFC 4475 or 5118 registers or calls somebody in.
DOMAINS = ["example.com", "example.org", "example.net", "company.com", "chair-dnrc.example.com", "[2001:db8::10]"]


class Served:
    """`server` at `HOST`, reached from `STRANGER`. `sent` is what the server sent, with the flow it took, oldest first."""

    server: Server

    def __init__(self, network: Network) -> None:
        self.network = network
        self.sent: list[tuple[bytes, Flow]] = []
        self.faults: list[Malformed] = []
        self.left: list[dict[str, object]] = []
        """What was left to the loop's exception handler."""
        self._probes = 0

    def observe(self, direction: str, octets: bytes, flow: Flow, fault: Malformed | None) -> None:
        """What the stack's observer is told."""
        if direction == "out":
            self.sent.append((octets, flow))
        elif fault is not None:
            self.faults.append(fault)

    def datagram(self, octets: bytes, source: tuple[str, int] = STRANGER) -> list[Request | Response]:
        """Has a datagram arrive; gives what the server sends within the same turn. A fault of the server's own is raised here."""
        before = len(self.sent)
        self.network.ears[HOST, 5060][0].receive(octets, source, (HOST, 5060))
        self.check()
        return [read(octets) for octets, _ in self.sent[before:]]

    def check(self) -> None:
        """Raises what the server itself did wrong."""
        for context in self.left:
            fault = context.get("exception")
            raise fault if isinstance(fault, Exception) else AssertionError(context)
        assert self.server.core.stack.faults == 0

    async def datagrams(self, *octets: bytes, source: tuple[str, int] = STRANGER) -> list[Request | Response]:
        """The same for what may take a moment, as a REGISTER does, and for several."""
        before = len(self.sent)
        for one in octets:
            self.datagram(one, source)
        await asyncio.sleep(0.1)
        return [read(octets) for octets, _ in self.sent[before:]]

    async def stream(self, octets: bytes, piece: int = 65_536) -> tuple[list[int], str]:
        """Writes octets to a connection of their own; gives the statuses that come back and whether it is `open` or `closed` then."""
        peer = self.network.host(STRANGER[0], lambda *_: None, lambda *_: None, batch_ended=lambda: None)
        await peer.open("TCP", STRANGER[0], 5060)
        flow = peer.flow_to(Target("TCP", HOST, 5060))
        assert flow is not None
        before = len(self.sent)
        for start in range(0, len(octets), piece):
            peer.send(octets[start : start + piece], flow)
        await asyncio.sleep(0.5)
        state = "open" if self.server.transports.counts.connections else "closed"
        statuses = [answer.status for sent, _ in self.sent[before:] if isinstance(answer := read(sent), Response)]
        await peer.close()
        return statuses, state

    def is_alive(self) -> bool:
        """Whether an ordinary request still has its ordinary answer, and only that."""
        self._probes += 1
        text = (
            f"OPTIONS sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP {PROBER[0]}:5060;branch=z9hG4bKprobe{self._probes}\r\n"
            "From: <sip:probe@example.net>;tag=1\r\nTo: <sip:example.com>\r\nMax-Forwards: 70\r\n"
            f"Call-ID: probe{self._probes}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        )
        answers = self.datagram(text.encode(), PROBER)
        return [answer.status for answer in answers if isinstance(answer, Response)] == [200] and len(answers) == 1

    async def bind(self, aor: str, host: str = "192.0.2.9") -> None:
        """Registers a phone at `host` port 5060 under an address-of-record, written as a URI. It refuses connections."""
        if host not in self.network.hosts:
            self.network.host(host, lambda *_: None, lambda *_: None, batch_ended=lambda: None)
        self._probes += 1
        user = aor.partition(":")[2].rpartition("@")[0]
        text = (
            f"REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP {host}:5060;branch=z9hG4bKbind{self._probes}\r\n"
            f"From: <{aor}>;tag=1\r\nTo: <{aor}>\r\nMax-Forwards: 70\r\nContact: <sip:{user or 'phone'}@{host}:5060>\r\n"
            f"Call-ID: bind{self._probes}\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n"
        )
        [answer] = await self.datagrams(text.encode(), source=(host, 5060))
        assert isinstance(answer, Response)
        assert answer.status == 200


def read(octets: bytes) -> Request | Response:
    """What the server sent, read; an answer to what lacks From or To lacks them as well, but it has a status."""
    message = parse_datagram(octets)
    if isinstance(message, Malformed):
        status, _, reason = octets.partition(b"\r\n")[0].removeprefix(b"SIP/2.0 ").decode().partition(" ")
        return Response(int(status), reason)
    return message


async def no_names(*_: object, **__: object) -> NoReturn:
    """A system that knows no host by name: nothing leaves the simulated network, and nothing waits."""
    raise OSError("no such host")


@contextlib.asynccontextmanager
async def served() -> AsyncIterator[Served]:
    """A server that serves `DOMAINS` to everybody, keeps nothing and resolves no name. No exception may be left to its loop."""
    found = Served(Network())
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: found.left.append(context))
    loop.getaddrinfo = no_names  # type: ignore[method-assign]
    config = Config(domains=DOMAINS, auth="none", listen=[f"udp://{HOST}:5060"], registrar=RegistrarConfig(foreign_contacts=True))
    found.server = Server(config, observer=found.observe, open_transports=partial(found.network.host, HOST))
    await found.server.start()
    try:
        yield found
    finally:
        await found.server.close()
    found.check()
