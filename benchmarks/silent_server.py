"""A real server whose transports send nothing: what a message costs without the kernel's part."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks import messages
from ringback.address import Endpoint, Flow, Target
from ringback.message.parser import parse_datagram
from ringback.server.config import Config, DomainConfig, LimitsConfig, RegistrarConfig
from ringback.server.config.domain import Mode
from ringback.server.server import Server
from ringback.transport.transports import Transports

PORT = 5060
CALLEE = ("127.0.0.2", PORT)


class Silence:
    """Transports that find ways but send nothing: keeps what would have been sent until it is looked at."""

    def __init__(self, transports: Transports) -> None:
        self._transports = transports
        self.sent: list[bytes] = []

    @property
    def endpoints(self) -> list[Endpoint]:
        """The server's own."""
        return self._transports.endpoints

    def flow_to(self, target: Target, prefer: Endpoint | None = None) -> Flow | None:
        """As the transports find it."""
        return self._transports.flow_to(target, prefer)

    def is_open(self, flow: Flow) -> bool:
        """Always."""
        return True

    def send(self, data: bytes, flow: Flow) -> None:
        """Sends nothing."""
        self.sent.append(data)


def feed(server: Server, data: bytes, remote: tuple[str, int]) -> None:
    """Hands the server a datagram as its socket would."""
    endpoint = server.transports.endpoints[0]
    server.core.stack.received(parse_datagram(data), data, Flow(endpoint, remote))
    server.core.stack.batch_ended()


@asynccontextmanager
async def silent_server(mode: Mode = "stateful") -> AsyncIterator[tuple[Server, Silence]]:
    """A server for example.test that keeps nothing on disk, with bob registered at `CALLEE`."""
    config = Config(
        auth="none",
        domains=["example.test"],
        domain={"example.test": DomainConfig(mode=mode)},
        listen=["udp://127.0.0.1:0"],
        limits=LimitsConfig(half_open_per_source=1_000_000),
        registrar=RegistrarConfig(foreign_contacts=True),
    )
    server = Server(config, report=lambda line: None)
    await server.start()
    silence = Silence(server.transports)
    server.core.stack.attach(silence)
    try:
        host, port = CALLEE
        feed(server, messages.register(0, f"{host}:{port}").replace(b"sip:u0@", b"sip:bob@"), CALLEE)
        assert silence.sent[-1].startswith(b"SIP/2.0 200 "), silence.sent
        silence.sent.clear()
        yield server, silence
    finally:
        await server.close()
