"""One element under test: a transaction layer, a clock of its own, and a peer to talk with."""

from ringback.address import Endpoint, Flow
from ringback.message.derive import response_to
from ringback.message.message import Request, Response
from ringback.message.parser import parse_datagram
from ringback.transaction.events import Event, RequestReceived
from ringback.transaction.layer import TransactionLayer
from ringback.transaction.timers import DEFAULT_TIMERS, TimerValues
from ringback.transaction.transaction import ClientTransaction, ServerTransaction

OUR_HOST = "192.0.2.1"
PEER_HOST = "192.0.2.2"


def message(text: str | bytes) -> Request | Response:
    """The message that `text` is, with the line ends of SIP."""
    octets = text if isinstance(text, bytes) else text.replace("\r\n", "\n").replace("\n", "\r\n").encode()
    parsed = parse_datagram(octets)
    assert isinstance(parsed, Request | Response), parsed
    return parsed


def request(
    method: str = "INVITE",
    branch: str | None = "z9hG4bKa",
    *,
    sent_by: str = f"{PEER_HOST}:5060",
    transport: str = "UDP",
    via_params: str = "",
    to_tag: str | None = None,
    from_tag: str = "ft",
    call_id: str = "c1",
    cseq: int = 1,
    uri: str = "sip:bob@example.com",
    extra: str = "",
    body: str = "",
) -> Request:
    """A request as a peer or our own user writes it."""
    text = (
        f"{method} {uri} SIP/2.0\n"
        f"Via: SIP/2.0/{transport} {sent_by}{'' if branch is None else f';branch={branch}'}{via_params}\n"
        f"From: <sip:alice@example.com>;tag={from_tag}\n"
        f"To: <sip:bob@example.com>{'' if to_tag is None else f';tag={to_tag}'}\n"
        f"Call-ID: {call_id}\nCSeq: {cseq} {method}\nMax-Forwards: 70\n{extra}"
        f"Content-Length: {len(body)}\n\n"
    )
    parsed = message(text.replace("\n", "\r\n").encode() + body.encode())
    assert isinstance(parsed, Request)
    return parsed


def our_request(method: str = "INVITE", branch: str = "z9hG4bKa", *, transport: str = "UDP", extra: str = "", body: str = "") -> Request:
    """A request of our own, our Via on top."""
    return request(method, branch, sent_by=f"{OUR_HOST}:5060", transport=transport, extra=extra, body=body)


def response(
    method: str,
    status: int,
    branch: str = "z9hG4bKa",
    *,
    sent_by: str = f"{OUR_HOST}:5060",
    cseq: str | None = None,
    tag: str = "tt",
) -> Response:
    """A response of the peer's to a request of ours."""
    text = (
        f"SIP/2.0 {status} Whatever\nVia: SIP/2.0/UDP {sent_by};branch={branch}\nFrom: <sip:alice@example.com>;tag=ft\n"
        f"To: <sip:bob@example.com>;tag={tag}\nCall-ID: c1\nCSeq: {cseq or f'1 {method}'}\nContent-Length: 0\n\n"
    )
    parsed = message(text)
    assert isinstance(parsed, Response)
    return parsed


class Party:
    """A layer with a clock. `flow` leads to the peer."""

    def __init__(self, transport: str = "UDP", timers: TimerValues = DEFAULT_TIMERS, **options: object) -> None:
        self.layer = TransactionLayer(timers, **options)  # type: ignore[arg-type]
        self.endpoint = Endpoint(transport, OUR_HOST, 5060)
        self.flow = Flow(self.endpoint, (PEER_HOST, 5060), 1 if self.endpoint.is_reliable else 0)
        self.transport = transport
        self.now = 0.0

    def from_(self, host: str, port: int = 5060) -> Flow:
        """A flow to another peer."""
        return Flow(self.endpoint, (host, port))

    def hear(self, received: Request | Response, flow: Flow | None = None) -> list[Event]:
        """Receives a message as it would come off the wire; gives the events."""
        octets = received.to_bytes()
        self.layer.receive(message(octets), flow or self.flow, self.now, octets)
        return self.layer.take_events()

    def serve(self, received: Request, flow: Flow | None = None) -> ServerTransaction:
        """Receives a request that must be a new one; gives its transaction."""
        [event] = self.hear(received, flow)
        assert isinstance(event, RequestReceived)
        assert event.transaction is not None
        return event.transaction

    def ask(self, sent: Request, user: object = None) -> ClientTransaction:
        """Sends a request in a transaction and forgets what went out."""
        transaction = self.layer.request(sent, self.flow, self.now, user)
        self.sent()
        return transaction

    def answer(self, transaction: ServerTransaction, status: int, tag: str = "tt") -> list[str]:
        """Responds to a request as long as it is kept, else to one like it; gives what was sent."""
        asked = transaction.request if transaction.octets else request(transaction.method)
        self.layer.respond(transaction, response_to(asked, status, tag=tag), self.now)
        return self.sent()

    def sent(self) -> list[str]:
        """The first lines of what went out since the last time, shortened to method or status."""
        return [what(octets) for octets, _ in self.layer.take_outgoing()]

    def sent_whole(self) -> list[tuple[Request | Response, Flow]]:
        """What went out since the last time, parsed."""
        return [(message(octets), flow) for octets, flow in self.layer.take_outgoing()]

    def pass_time(self, until: float) -> list[tuple[float, str]]:
        """Lets timers fire at their own times up to and including `until`; gives when what was sent."""
        log: list[tuple[float, str]] = []
        for _ in range(10_000):
            deadline = self.layer.next_deadline()
            if deadline is None or deadline > until + 1e-9:
                self.now = until
                return log
            assert deadline >= self.now - 1e-9, "time went back"
            self.now = deadline
            self.layer.advance(deadline)
            log += [(round(self.now, 6), line) for line in self.sent()]
        raise AssertionError("timers fire without end")

    def run_out(self) -> list[Event]:
        """Lets every timer fire; gives the events."""
        self.pass_time(self.now + 1000)
        return self.layer.take_events()


def what(octets: bytes) -> str:
    """A message by one word: its method or its status."""
    first, second, *_ = octets.split(b" ")
    return (second if first.startswith(b"SIP/") else first).decode()
