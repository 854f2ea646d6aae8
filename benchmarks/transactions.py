"""Microseconds of the transaction layer for one call's transactions as a proxy has them, beside the parse of the same messages.

The messages are parsed beforehand, the clock is simulated and every timer fires: what is measured is matching, machines and timers.
"""

import itertools
from collections.abc import Iterator

from benchmarks import messages
from benchmarks.clock import microseconds, report
from ringback.address import Endpoint, Flow
from ringback.message.derive import response_to
from ringback.message.message import Request, Response
from ringback.message.parser import Malformed, parse_datagram
from ringback.transaction.events import RequestReceived, ResponseReceived
from ringback.transaction.layer import TransactionLayer

HERE = Endpoint("UDP", "192.0.2.1", 5060)
CALLER = Flow(HERE, ("192.0.2.10", 5060))
CALLEE = Flow(HERE, ("192.0.2.20", 5060))
OUR_VIA = "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK{:016x}"
CALLS_PER_SECOND = 100.0
STATUSES = ("180 Ringing", "200 OK")


class Call:
    """One call's messages, rendered: INVITE in, its forwarded copy, the answers to it; the same for a retransmission."""

    __slots__ = ("answers", "forwarded", "invite")

    def __init__(self, number: int) -> None:
        self.invite = messages.invite(number)
        via = OUR_VIA.format(number)
        forwarded = parsed(self.invite)
        assert isinstance(forwarded, Request)
        forwarded.headers.prepend("Via", via)
        self.forwarded = forwarded.to_bytes()
        self.answers = [messages.response(self.invite, status, f"Via: {via}") for status in STATUSES]


def parsed(data: bytes) -> Request | Response:
    """The message in `data`."""
    message = parse_datagram(data)
    assert not isinstance(message, Malformed), message
    return message


def parse_all(call: Call) -> tuple[Request, Request, list[Response]]:
    """Every message of a call, parsed."""
    invite, forwarded, answers = parsed(call.invite), parsed(call.forwarded), [parsed(answer) for answer in call.answers]
    assert isinstance(invite, Request)
    assert isinstance(forwarded, Request)
    return invite, forwarded, [answer for answer in answers if isinstance(answer, Response)]


class Relay:
    """A proxy without policy: it joins an INVITE server transaction to a client transaction."""

    def __init__(self) -> None:
        self.layer = TransactionLayer()
        self.now = 0.0

    def run(self, call: Call) -> None:
        """One call with its parses: 100, forward, 180 and 200 back; then the clock moves on and whatever is due fires."""
        layer, now = self.layer, self.now
        invite, forwarded, answers = parse_all(call)
        layer.receive(invite, CALLER, now)
        event = layer.take_events()[0]
        assert isinstance(event, RequestReceived)
        server = event.transaction
        assert server is not None
        layer.respond(server, response_to(invite, 100), now)
        layer.request(forwarded, CALLEE, now)
        for answer in answers:
            layer.receive(answer, CALLEE, now)
            received = layer.take_events()[0]
            assert isinstance(received, ResponseReceived)
            answer.headers.remove_first("Via")
            layer.respond(server, answer, now)
        layer.take_outgoing()
        self.now = now + 1 / CALLS_PER_SECOND
        layer.advance(self.now)

    def repeat(self, call: Call) -> None:
        """A retransmission of the INVITE, absorbed."""
        self.layer.receive(parsed(call.invite), CALLER, self.now)
        self.layer.take_outgoing()


def main(arguments: list[str]) -> int:
    """Prints the table."""
    # More calls than the longest timer keeps, so that no branch returns while it is in use.
    calls = [Call(number) for number in range(int(CALLS_PER_SECOND * 64))]
    endless: Iterator[Call] = itertools.cycle(calls)
    looked_at: Iterator[Call] = itertools.cycle(calls)
    relay = Relay()
    for _ in range(len(calls) // 2):
        relay.run(next(endless))  # the tables fill until as many leave as come
    parse = microseconds(lambda: parse_all(next(looked_at)))
    whole = microseconds(lambda: relay.run(next(endless)))
    held = Call(len(calls))
    relay.run(held)
    again = microseconds(lambda: relay.repeat(held))
    parse_one = microseconds(lambda: parsed(held.invite))
    rows = [
        ("parse INVITE, forwarded INVITE, 180, 200", parse),
        ("the same through both INVITE transactions", whole),
        ("  of it transactions and timers", whole - parse),
        ("an INVITE repeated, with its parse", again),
        ("  of it the transaction layer", again - parse_one),
    ]
    report(rows, parse, "parse")
    return 0
