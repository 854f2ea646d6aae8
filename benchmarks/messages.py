"""The messages of one ordinary call, as real phones write them."""


def octets(text: str) -> bytes:
    """`text` with the line ends of the wire."""
    return text.replace("\n", "\r\n").encode()


SDP = """v=0
o=user1 53655765 2353687637 IN IP4 192.0.2.10
s=-
c=IN IP4 192.0.2.10
t=0 0
m=audio 49170 RTP/AVP 0 8 101
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
"""


def invite(number: int = 1, source: str = "192.0.2.10:5060") -> bytes:
    """An INVITE with an SDP offer, about 850 octets; `number` makes its branch, tag and Call-ID its own."""
    return octets(
        f"""INVITE sip:bob@example.test SIP/2.0
Via: SIP/2.0/UDP {source};branch=z9hG4bK-{number:08x}-1-0
From: "Alice" <sip:alice@example.test>;tag={number:08x}SIPpTag00
To: <sip:bob@example.test>
Call-ID: {number:08x}-3261@192.0.2.10
CSeq: 1 INVITE
Contact: <sip:alice@{source}>
Max-Forwards: 70
Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, MESSAGE, SUBSCRIBE, INFO
Supported: replaces, timer
User-Agent: a phone
Subject: Performance Test
Content-Type: application/sdp
Content-Length: {len(octets(SDP))}

{SDP}"""
    )


def response(request: bytes, status: str, top_via: str = "") -> bytes:
    """A response to `request` as a called phone would write it; `top_via` goes above the request's own Via."""
    lines = request.decode().partition("\r\n\r\n")[0].split("\r\n")
    kept = [line for line in lines if line.startswith(("Via:", "From:", "Call-ID:", "CSeq:", "Record-Route:"))]
    to = next(line for line in lines if line.startswith("To:"))
    above = [top_via] if top_via else []
    head = [f"SIP/2.0 {status}", *above, *kept, f"{to};tag=b", "Contact: <sip:bob@127.0.0.2:5060>", "Content-Length: 0"]
    return ("\r\n".join(head) + "\r\n\r\n").encode()


def in_dialog(invite: bytes, answered: bytes, method: str, number: int) -> bytes:
    """A caller's request within the dialog that a 2xx made: Route from its Record-Route, Request-URI its Contact."""
    lines = answered.decode().partition("\r\n\r\n")[0].split("\r\n")
    fields = [line.partition(": ") for line in lines[1:]]
    routes = [value for name, _, value in fields if name == "Record-Route"]
    own = {name: value for name, _, value in fields}
    contact = own["Contact"].strip("<>")
    via = next(line for line in invite.decode().split("\r\n") if line.startswith("Via:"))
    head = [
        f"{method} {contact} SIP/2.0",
        f"{via}{method}",
        *(f"Route: {route}" for route in reversed(routes)),
        "Max-Forwards: 70",
        f"From: {own['From']}",
        f"To: {own['To']}",
        f"Call-ID: {own['Call-ID']}",
        f"CSeq: {number} {method}",
        "Content-Length: 0",
    ]
    return ("\r\n".join(head) + "\r\n\r\n").encode()


def register(number: int = 1, source: str = "192.0.2.10:5060") -> bytes:
    """A REGISTER of one contact for an hour."""
    return octets(
        f"""REGISTER sip:example.test SIP/2.0
Via: SIP/2.0/UDP {source};branch=z9hG4bK-{number:08x}-1-0
From: <sip:u{number}@example.test>;tag={number:08x}T
To: <sip:u{number}@example.test>
Call-ID: {number:08x}-10.3@192.0.2.10
CSeq: 1 REGISTER
Contact: <sip:u{number}@{source}>;expires=3600
Max-Forwards: 70
User-Agent: a phone
Content-Length: 0

"""
    )
