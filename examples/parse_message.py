"""Reads a message, looks into it, answers it.

    python examples/parse_message.py
"""

from ringback.message.derive import response_to
from ringback.message.message import Request
from ringback.message.parser import parse_datagram

DATAGRAM = b"""\
OPTIONS sip:bob@example.com;transport=tcp SIP/2.0
v: SIP/2.0/UDP 192.0.2.4:5060;branch=z9hG4bK74b43
Max-Forwards: 70
f: "Alice" <sip:alice@example.com>;tag=9fxced76sl
t: Bob <sip:bob@example.com>
i: 3848276298220188511@192.0.2.4
CSeq: 1 OPTIONS
X-Unknown: kept, octet for octet
l: 0

""".replace(b"\n", b"\r\n")


def main() -> None:
    request = parse_datagram(DATAGRAM)
    assert isinstance(request, Request), request  # what is no SIP message comes back as a Malformed that says why
    print(request.method, "for", request.uri)
    print("from", request.from_.display_name, "at", request.from_.uri, "tag", request.from_.tag)
    print("transaction", request.via.branch, "over", request.via.transport)
    print("unknown fields stay:", request.headers.text("X-Unknown"))

    response = response_to(request, 200, tag="a6c85cf")
    response.headers.set("Allow", "OPTIONS, INVITE, ACK, CANCEL, BYE")
    print(response, end="")


if __name__ == "__main__":
    main()
