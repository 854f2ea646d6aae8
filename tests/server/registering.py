"""A registrar with clocks that stand still, and what it answered."""

from collections.abc import Sequence
from types import SimpleNamespace

from ringback.address import Endpoint, Flow
from ringback.message.derive import response_to
from ringback.message.message import Request, Response
from ringback.message.parser import parse_datagram
from ringback.server.config import RegistrarConfig
from ringback.server.domains import Domains
from ringback.server.gruus import Gruus
from ringback.server.location.location import Location
from ringback.server.outbound.flows import Flows
from ringback.server.outbound.nat import Nat
from ringback.server.proxy.routing import Reject
from ringback.server.registrar import Registrar
from ringback.server.store import Store
from ringback.transaction.events import RequestReceived

ALICE = "sip:alice@example.com"
PHONE = "192.0.2.1"
CONTACT = f"<sip:alice@{PHONE}:5062>"
WALL = 1_800_000_000.0  # Fri, 15 Jan 2027 08:00:00 GMT


class House:
    """A registrar with clocks that stand still, and what it answered, in order."""

    def __init__(
        self,
        config: RegistrarConfig,
        store: Store | None = None,
        domains: Sequence[str] = ("example.com", "example.org"),
        *,
        helps: bool = False,
    ) -> None:
        """`helps` those behind a NAT."""
        self.now = 1_000.0
        self.endpoint = Endpoint("UDP", "192.0.2.100", 5060)
        self.domains = Domains(domains, [self.endpoint])
        self.location = Location(store, clock=lambda: self.now, wall=lambda: WALL + self.now - 1_000)
        self.flows = Flows(b"key", "run")
        self.flows.serve([self.endpoint], lambda transport, number: None)
        self.gruus = Gruus(b"key")
        self.answers: list[Response] = []
        self.kept: list[bool] = []
        self.registrar = Registrar(
            self.location,
            self.domains,
            config,
            respond=self._respond,  # type: ignore[arg-type]
            refuse=self._refuse,  # type: ignore[arg-type]
            token=lambda: "tag0123456789abc",
            flows=self.flows,
            nat=Nat(self.domains, self.flows, self.location, is_on=helps, is_open=True),
            gruus=self.gruus,
            wall=lambda: WALL + self.now - 1_000,
        )
        self._count = 0

    def _respond(self, _transaction: object, response: Response, _now: float) -> None:
        self.answers.append(response)
        self.kept.append(True)

    def _refuse(self, _transaction: object, request: Request, reject: Reject) -> None:
        response = response_to(request, reject.status, reject.reason, tag="tag0123456789abc")
        for name, value in reject.headers:
            response.headers.append(name, value)
        self.answers.append(response)
        self.kept.append(False)

    def send(
        self,
        *lines: str,
        to: str = f"<{ALICE}>",
        uri: str = "sip:example.com",
        call_id: str = "call-1",
        cseq: int | None = None,
        source: str = PHONE,
        method: str = "REGISTER",
        body: bytes = b"",
        answers: int = 1,
        via: Sequence[str] = (),
        top_via: str | None = None,
    ) -> Response:
        """Registers with these further header lines and gives the answer, the last one where none is due yet.

        `via` are the proxies it passed, the last one first; `top_via` is the topmost Via in their place.
        """
        self._count += 1
        head = "\r\n".join(
            [
                f"{method} {uri} SIP/2.0",
                *([] if top_via is None else [f"Via: {top_via}"]),
                *[f"Via: SIP/2.0/UDP {host};branch=z9hG4bK{host}{self._count}" for host in via],
                f"Via: SIP/2.0/UDP {PHONE}:5062;branch=z9hG4bK{self._count}",
                "From: <sip:alice@example.com>;tag=1",
                f"To: {to}",
                f"Call-ID: {call_id}",
                f"CSeq: {self._count if cseq is None else cseq} {method}",
                "Max-Forwards: 70",
                *lines,
                f"Content-Length: {len(body)}",
                "\r\n",
            ]
        )
        request = parse_datagram(head.encode("utf-8", "surrogateescape") + body)
        assert isinstance(request, Request), request
        flow = Flow(self.endpoint, (source, 5062))
        before = len(self.answers)
        self.registrar.receive(RequestReceived(request, flow, SimpleNamespace(flow=flow)), self.now)  # type: ignore[arg-type]
        assert len(self.answers) == before + answers
        return self.answers[-1] if self.answers else Response(100)

    def contacts(self, aor: str = ALICE) -> list[str]:
        return [binding.contact for binding in self.location.registered(aor)]


def house(**options: object) -> House:
    return House(RegistrarConfig(**options))  # type: ignore[arg-type]


def listed(response: Response) -> list[str]:
    return response.headers.texts("Contact")
