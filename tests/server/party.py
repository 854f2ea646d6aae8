"""Parties on a simulated network: a server under test, and endpoints that say exactly what a test wants said."""

from __future__ import annotations

import asyncio
import functools
import gc
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self
from unittest import mock

from ringback.address import DEFAULT_PORTS, Flow, Target, host_port
from ringback.message.derive import response_to
from ringback.message.message import Request, Response
from ringback.message.parser import Malformed, parse_datagram
from ringback.server.config import Config, ProxyConfig, TlsConfig
from ringback.server.location.binding import Binding
from ringback.server.server import Server
from ringback.testing import Network, Passed, run

SERVER = "192.0.2.100"
DOMAIN = "example.com"
ROUNDS = 600.0  # timer C, then 64*T1 for its CANCEL, then 64*T1 for timer H: whatever lives longer never ends

OVER_TLS: dict[str, Any] = {
    "listen": [f"udp://{SERVER}:5060", f"tls://{SERVER}:5061"],
    "tls": TlsConfig(certificate=Path("never read")),
}
"""The configuration of a house that speaks TLS, too."""

Message = Request | Response


def simulated(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Runs a coroutine of a test in simulated time."""

    @functools.wraps(test)
    def in_simulated_time(*args: Any, **kwargs: Any) -> None:
        run(test(*args, **kwargs))  # type: ignore[arg-type]  # it is a coroutine

    return in_simulated_time


class Heard(NamedTuple):
    """A message that a party received."""

    message: Message
    flow: Flow
    time: float


def kind_of(message: Message) -> str:
    """`INVITE`, or `200 INVITE`."""
    return message.method if isinstance(message, Request) else f"{message.status} {message.cseq.method}"


class Party:
    """An endpoint at an address of its own. It never answers by itself."""

    def __init__(self, network: Network, name: str, host: str, port: int = 5060, server: str = SERVER, transport: str = "UDP") -> None:
        """`transport` is what it speaks, and what its Contact names."""
        self.transport = transport
        self.name = name
        self.host = host
        self.port = port
        self.heard: list[Heard] = []
        self.malformed: list[bytes] = []
        self.on_message: Callable[[Message], None] | None = None
        self._inbox: list[Heard] = []
        self._arrived = asyncio.Event()
        self._server = server
        self._count = 0
        self.transports = network.host(host, self._received, lambda flow, reason: None, batch_ended=lambda: None)

    async def open(self) -> Self:
        """Listens over UDP and TCP, or over what lies above TCP alone."""
        if self.transport in ("TLS", "WS", "WSS"):
            await self.transports.open(self.transport, self.host, self.port)
            return self
        await self.transports.open("UDP", self.host, self.port)
        await self.transports.open("TCP", self.host, self.port)
        return self

    @property
    def connected_by(self) -> str:
        """The transport of its connections."""
        return "TCP" if self.transport == "UDP" else self.transport

    async def loses_connections(self) -> None:
        """Every connection of its own breaks."""
        for connection in list(self.transports._transports[self.connected_by]._connections.values()):  # type: ignore[attr-defined]
            connection.abort()
        await asyncio.sleep(0.1)

    @property
    def uri(self) -> str:
        """Where the party is reached."""
        return (
            f"sip:{self.name}@{host_port(self.host, self.port)}{'' if self.transport == 'UDP' else f';transport={self.transport.lower()}'}"
        )

    def _received(self, message: Message | Malformed, data: bytes, flow: Flow) -> None:
        if isinstance(message, Malformed):
            # The answer to a malformed request repeats its fields, faults and all.
            self.malformed.append(data)
            return
        heard = Heard(message, flow, asyncio.get_running_loop().time())
        self.heard.append(heard)
        self._inbox.append(heard)
        self._arrived.set()
        if self.on_message is not None:
            self.on_message(message)

    # What it says.

    def send(self, message: Message | str | bytes, *, transport: str | None = None, to: str | None = None) -> None:
        """Sends whatever a test wants sent; text gets SIP's line ends."""
        if isinstance(message, str):
            message = message.replace("\r\n", "\n").replace("\n", "\r\n").encode("utf-8", "surrogateescape")
        octets = message if isinstance(message, bytes) else message.to_bytes()
        transport = transport or self.transport
        flow = self.transports.flow_to(Target(transport, to or self._server, DEFAULT_PORTS[transport]))
        assert flow is not None
        self.transports.send(octets, flow)

    def branch(self) -> str:
        """A branch used for nothing else."""
        self._count += 1
        return f"z9hG4bK{self.name}{self._count}"

    def request(
        self,
        method: str = "INVITE",
        uri: str = f"sip:bob@{DOMAIN}",
        *,
        branch: str | None = None,
        transport: str | None = None,
        from_: str | None = None,
        to: str | None = None,
        call_id: str | None = None,
        cseq: int = 1,
        max_forwards: int | None = 70,
        contact: str | None = None,
        extra: str = "",
        body: str = "",
    ) -> Request:
        """A request as a phone writes it; `extra` is header lines."""
        branch = branch or self.branch()
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/{transport or self.transport} {host_port(self.host, self.port)};branch={branch}",
            *([] if max_forwards is None else [f"Max-Forwards: {max_forwards}"]),
            f"From: {from_ or f'<sip:{self.name}@{DOMAIN}>;tag={self.name}-tag'}",
            f"To: {to or f'<{uri}>'}",
            f"Call-ID: {call_id or f'{branch[7:]}@{self.host}'}",
            f"CSeq: {cseq} {method}",
            *([f"Contact: {contact or f'<{self.uri}>'}"] if method in ("INVITE", "SUBSCRIBE", "REFER") or contact else []),
            *extra.rstrip("\n").split("\n")[: None if extra else 0],
            f"Content-Length: {len(body)}",
            "",
            body,
        ]
        parsed = parse_datagram("\r\n".join(lines).encode("utf-8", "surrogateescape"))
        assert isinstance(parsed, Request), parsed
        return parsed

    def ask(self, method: str = "INVITE", uri: str = f"sip:bob@{DOMAIN}", *, transport: str | None = None, **parts: Any) -> Request:
        """Sends a request; gives it."""
        request = self.request(method, uri, transport=transport, **parts)
        self.send(request, transport=transport)
        return request

    def reply(
        self,
        request: Request,
        status: int,
        *,
        tag: str | None = None,
        extra: str = "",
        body: bytes = b"",
        reason: str | None = None,
        contact: str | None = None,
    ) -> Response:
        """Answers a request over the flow it came by; gives the response."""
        response = response_to(request, status, reason, tag=None if status == 100 else tag or f"{self.name}-tag")
        if status != 100 and request.method in ("INVITE", "SUBSCRIBE", "REFER") and status < 300:
            for route in request.headers.texts("Record-Route"):
                response.headers.append("Record-Route", route)
            response.headers.append("Contact", contact or f"<{self.uri}>")
        for line in extra.split("\n") if extra else ():
            name, _, value = line.partition(": ")
            response.headers.append(name, value)
        response.body = body
        response.headers.set("Content-Length", len(body))
        flow = next(heard.flow for heard in reversed(self.heard) if heard.message is request)
        self.transports.send(response.to_bytes(), flow)
        return response

    def within(self, method: str, dialog: Dialog, *, cseq: int = 2, extra: str = "", branch: str | None = None, body: str = "") -> Request:
        """Sends a request within a dialog, as caller or callee (§12.2.1.1)."""
        request = self.compose(method, dialog, cseq=cseq, extra=extra, branch=branch, body=body)
        self.send(request)
        return request

    def compose(self, method: str, dialog: Dialog, *, cseq: int = 2, extra: str = "", branch: str | None = None, body: str = "") -> Request:
        """The request that `within` sends."""
        is_caller = dialog.caller is self
        routes = dialog.ok.headers.texts("Record-Route")
        route = "".join(f"Route: {value}\n" for value in (reversed(routes) if is_caller else routes))
        here, there = str(dialog.ok.headers.text("From")), str(dialog.ok.headers.text("To"))
        return self.request(
            method,
            str((dialog.ok if is_caller else dialog.invite).contact.uri),
            from_=here if is_caller else there,
            to=there if is_caller else here,
            call_id=dialog.ok.call_id,
            cseq=cseq,
            branch=branch,
            extra=route + extra,
            body=body,
        )

    # What it hears.

    async def hears(self, kind: str, within: float = 700.0) -> Any:
        """The next message, which must be of this kind: a method, or a status and a method such as `200 INVITE`."""
        async with asyncio.timeout(within):
            while not self._inbox:
                self._arrived.clear()
                await self._arrived.wait()
        message = self._inbox.pop(0).message
        assert kind_of(message) == kind, f"{self.name} waits for {kind} and hears\n{message}"
        return message

    async def hears_nothing(self, seconds: float = 0.1) -> None:
        """Waits so long; fails where anything comes."""
        await asyncio.sleep(seconds)
        assert not self._inbox, f"{self.name} hears\n{self._inbox[0].message}"

    def kinds(self) -> list[str]:
        """What was heard since the last look, each by its kind."""
        kinds = [kind_of(heard.message) for heard in self._inbox]
        self._inbox.clear()
        return kinds

    def ack(self, invite: Request, response: Response) -> None:
        """Acknowledges a final response that is no 2xx."""
        from ringback.message.derive import ack_of

        self.send(ack_of(invite, response))


class Dialog(NamedTuple):
    """A call that was set up: `ok` as the caller heard it, `invite` as the callee did."""

    caller: Party
    callee: Party
    invite: Request
    ok: Response


class House:
    """A server on a simulated network, and who talks with it; at the end it waits until everything must be over, and looks that it is."""

    def __init__(
        self,
        network: Network | None = None,
        *,
        domains: tuple[str, ...] = (DOMAIN,),
        host: str = SERVER,
        also: tuple[str, ...] = (),
        waits: bool = True,
        **config: Any,
    ) -> None:
        """`also` are further addresses of the server's."""
        self.network = network or Network()
        self.host = host
        self.names: dict[str, list[str]] = {}
        self.faults: list[dict[str, Any]] = []
        self.reports: list[str] = []
        self.parties: list[Party] = []
        self._waits = waits
        self._row = 0
        config.setdefault("listen", [f"udp://{host}:5060"])
        config.setdefault("auth", "none")
        self.server = Server(
            Config(domains=list(domains), **config),
            report=self.reports.append,
            open_transports=functools.partial(self.network.host, host, also=also),
        )

    async def _resolve(self, name: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        """Names as this house knows them, in the form of `getaddrinfo`: no test asks the real DNS."""
        if name not in self.names:
            raise socket.gaierror(f"{name} is not known here")
        return [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", (host, port)) for host in self.names[name]]

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        loop.getaddrinfo = self._resolve  # type: ignore[method-assign,assignment]
        loop.set_exception_handler(lambda _, context: self.faults.append(context))
        # Freezing the collector's heap is for a server that lives long; a thousand of them in one process would keep all their garbage.
        with mock.patch.object(gc, "freeze"), mock.patch.object(gc, "collect"):
            await self.server.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if kind is None and self._waits:
            await asyncio.sleep(ROUNDS)
            self.is_empty()
        await self.server.close()
        for party in self.parties:
            await party.transports.close()
        assert self.faults == [], "an exception in a callback would only be logged"

    def is_empty(self) -> None:
        """Asserts that the server keeps nothing of any request."""
        server = self.server
        left = server.core.layer.clients | server.core.layer.servers
        assert not left, left
        assert len(server.core.proxy.timers) == 0
        assert server.core.proxy.unanswered == 0
        assert server.core.sources._half_open == {}

    async def party(
        self,
        name: str,
        host: str | None = None,
        *,
        q: float | None = None,
        aor: str | None = None,
        port: int | None = None,
        transport: str = "UDP",
        server: str | None = None,
    ) -> Party:
        """A new party; with `q` it is registered, under its own name or another. `server` is the server's address that it knows."""
        host = host or f"192.0.2.{len(self.parties) + 1}"
        party = Party(self.network, name, host, port or DEFAULT_PORTS[transport], server or self.host, transport)
        self.parties.append(await party.open())
        if q is not None:
            self.bind(aor or name, party.uri, q)
        return party

    def bind(self, user: str, contact: str, q: float = 1.0, *, domain: str = DOMAIN) -> None:
        """Adds a binding as a REGISTER would."""
        self._row += 1
        aor = f"sip:{user}@{domain}"
        location = self.server.location
        binding = Binding(self._row, aor, contact, "", q, location.clock() + 100_000, 3600, f"c{self._row}", 1)
        location.update(aor, (*location.staged(aor), binding), lambda error: None)

    @property
    def sent(self) -> list[Passed]:
        """Every datagram and segment that left the server, arrived or not."""
        return [passed for passed in (*self.network.log, *self.network.lost) if passed.source[0] == self.host]

    async def call(self, caller: Party, callee: Party, uri: str = f"sip:bob@{DOMAIN}", *, extra: str = "") -> Dialog:
        """Sets up a call from one party to another and acknowledges it."""
        caller.ask("INVITE", uri, extra=extra)
        await caller.hears("100 INVITE")
        invite = await callee.hears("INVITE")
        callee.reply(invite, 180)
        await caller.hears("180 INVITE")
        callee.reply(invite, 200)
        dialog = Dialog(caller, callee, invite, await caller.hears("200 INVITE"))
        caller.within("ACK", dialog, cseq=1)
        await callee.hears("ACK")
        return dialog


def proxy(**values: Any) -> ProxyConfig:
    """A proxy's configuration."""
    return ProxyConfig(**values)
