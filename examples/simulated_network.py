"""A question through a network that loses half of all datagrams: the timers of RFC 3261 §17 carry it through, in no time."""

import asyncio

from ringback.address import Target
from ringback.message.derive import response_to
from ringback.message.message import Request
from ringback.stack import Stack
from ringback.testing import Network, run
from ringback.transaction.events import Event, RequestReceived, ResponseReceived
from ringback.transaction.layer import TransactionLayer


class Party:
    def __init__(self, network: Network, address: str) -> None:
        self.stack = Stack(self, TransactionLayer())
        self.stack.attach(network.host(address, self.stack.received, self.stack.failed, batch_ended=self.stack.batch_ended))

    def receive(self, event: Event, now: float) -> None:
        if isinstance(event, RequestReceived) and event.transaction:
            self.stack.respond(event.transaction, response_to(event.request, 200, tag="2"), now)
        elif isinstance(event, ResponseReceived):
            print(event.response, f"after {now:.3f} s", sep="")

    def ignore(self, *_: object) -> None: ...
    malformed = advance = next_deadline = ignore


async def main() -> None:
    network = Network(loss=0.5, seed=6)
    ann, _bob = Party(network, "10.0.0.1"), Party(network, "10.0.0.2")
    for address, transports in network.hosts.items():
        await transports.open("UDP", address, 5060)
    fields = [("From", "<sip:ann@10.0.0.1>;tag=1"), ("To", "<sip:bob@10.0.0.2>"), ("Call-ID", "1"), ("CSeq", "1 OPTIONS")]
    ann.stack.send_request(Request("OPTIONS", "sip:bob@10.0.0.2", fields), Target("UDP", "10.0.0.2", 5060), None, "z9hG4bK1", now=0.0)
    ann.stack.batch_ended()
    await asyncio.sleep(64 * 0.5)


run(main())
