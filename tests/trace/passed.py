"""Messages that passed, for the tests of the trace."""

from ringback.address import Endpoint, Flow
from ringback.trace.entry import Entry

UDP = Endpoint("UDP", "127.0.0.1", 5060)
TCP = Endpoint("TCP", "127.0.0.1", 5060)
ALICE = Flow(UDP, ("127.0.0.1", 5071))
BOB = Flow(UDP, ("127.0.0.1", 5072))
TIME = 1_800_000_000.25


def octets(start: str, *lines: str, body: bytes = b"", cseq: str = "1 INVITE") -> bytes:
    head = [
        start,
        "Via: SIP/2.0/UDP 127.0.0.1:5071;branch=z9hG4bK776",
        "From: <sip:alice@example.test>;tag=1",
        "To: Bob <sip:bob@example.test>",
        "Call-ID: a84b4c76e66710",
        f"CSeq: {cseq}",
        *lines,
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


INVITE = octets("INVITE sip:bob@example.test SIP/2.0", "Content-Type: application/sdp", body=b"v=0\r\n")
RINGING = octets("SIP/2.0 180 Ringing")


def entry(data: bytes, flow: Flow = ALICE, direction: str = "in", malformed: str | None = None, time: float = TIME) -> Entry:
    return Entry(time, direction, data, flow, malformed)
