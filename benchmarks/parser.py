"""Microseconds to parse an INVITE, to rewrite it as a proxy does, and to pass its answer back; beside the cheapest that Python can do.

The floor decodes the head, cuts it into lines and joins them again: nobody who looks at a message in Python pays less.
"""

from benchmarks import messages
from benchmarks.clock import microseconds, report
from ringback.message.message import Request, Response
from ringback.message.parser import parse_datagram

INVITE = messages.invite()
OUR_VIA = "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKour-own-branch"
RINGING = messages.response(INVITE, "180 Ringing", f"Via: {OUR_VIA}")


def floor() -> bytes:
    """Decode, cut, join, encode."""
    head, _, body = INVITE.partition(b"\r\n\r\n")
    lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body


def parse() -> Request:
    """What every element pays: framing, the mandatory fields checked, nothing else looked at."""
    request = parse_datagram(INVITE)
    assert isinstance(request, Request)
    return request


def rewrite() -> bytes:
    """A proxy's whole work on the octets of a request (§16.6): Request-URI, Max-Forwards, Record-Route, Via, and render."""
    request = parse()
    headers = request.headers
    assert request.via.branch is not None
    request.uri = "sip:bob@192.0.2.20:5060"
    headers.set("Max-Forwards", (request.max_forwards or 70) - 1)
    headers.prepend("Record-Route", "<sip:192.0.2.1:5060;lr>")
    headers.prepend("Via", OUR_VIA)
    return request.to_bytes()


def answer() -> bytes:
    """A proxy's work on a response (§16.7): the top Via goes, the rest stays octet for octet."""
    response = parse_datagram(RINGING)
    assert isinstance(response, Response)
    response.headers.remove_first("Via")
    return response.to_bytes()


def eager() -> None:
    """Every typed value of the message, as a user agent that looks at all of it."""
    request = parse()
    for name in {name for name, _ in request.headers}:
        request.headers.values(name)
    assert request.uri is not None


def main(arguments: list[str]) -> int:
    """Prints the table."""
    base = microseconds(floor)
    rows = [("floor: decode, cut, join, encode", base)]
    for name, function in (
        (f"parse an INVITE of {len(INVITE)} octets", parse),
        ("parse, rewrite as a proxy, render", rewrite),
        ("parse a 180, take our Via off, render", answer),
        ("parse and look at every value", eager),
    ):
        rows.append((name, microseconds(function)))
    report(rows, base, "floor")
    return 0
