"""Two layers with a bad network between them: whatever is lost, repeated or overtaken, every transaction ends and nothing is left."""

import heapq
import itertools
from random import Random

import pytest

from ringback.address import Endpoint, Flow
from ringback.message.derive import ack_of, cancel_of, response_to
from ringback.message.message import Request
from ringback.message.parser import parse_datagram
from ringback.transaction.events import RequestReceived, ResponseReceived, TransactionTimedOut
from ringback.transaction.layer import TransactionLayer
from ringback.transaction.transaction import ClientTransaction, ServerTransaction
from tests.transaction.party import OUR_HOST, PEER_HOST, our_request

ANSWERS = [200, 200, 302, 486, 603]


class BadNetwork:
    """Delays every datagram by chance, loses some and doubles some."""

    def __init__(self, seed: int, loss: float) -> None:
        self.chance = Random(seed)
        self.loss = loss
        self.now = 0.0
        self.agenda: list[tuple[float, int, object]] = []
        self.order = itertools.count()

    def later(self, delay: float, action: object) -> None:
        heapq.heappush(self.agenda, (self.now + delay, next(self.order), action))

    def carry(self, octets: bytes, to: "Side") -> None:
        for _ in range(1 + (self.chance.random() < 0.1)):
            if self.chance.random() >= self.loss:
                self.later(self.chance.uniform(0.001, 0.4), (to, octets))


class Side:
    """One host: a layer and a user as simple as can be."""

    def __init__(self, network: BadNetwork, host: str) -> None:
        self.network = network
        self.layer = TransactionLayer()
        self.endpoint = Endpoint("UDP", host, 5060)
        self.peer: Side

    def pump(self) -> None:
        for event in self.layer.take_events():
            self.told(event)
        for octets, flow in self.layer.take_outgoing():
            assert flow.host == self.peer.endpoint.host
            self.network.carry(octets, self.peer)

    def hear(self, octets: bytes) -> None:
        message = parse_datagram(octets)
        self.layer.receive(message, Flow(self.endpoint, (self.peer.endpoint.host, 5060)), self.network.now, octets)  # type: ignore[arg-type]
        self.pump()

    def told(self, event: object) -> None:
        raise NotImplementedError


class Caller(Side):
    """Sends requests, counts how they end, and acknowledges each 2xx (RFC 3261 §13.2.2.4)."""

    def __init__(self, network: BadNetwork) -> None:
        super().__init__(network, OUR_HOST)
        self.ends: dict[ClientTransaction, list[int]] = {}
        self.asked: dict[ClientTransaction, Request] = {}

    def ask(self, method: str, number: int) -> None:
        request = our_request(method, f"z9hG4bK{number}")
        request.headers.set("Call-ID", f"c{number}")
        transaction = self.layer.request(request, Flow(self.endpoint, (PEER_HOST, 5060)), self.network.now)
        self.ends[transaction] = []
        self.asked[transaction] = request
        if method == "INVITE":
            self.network.later(90.0, (self, transaction))
        self.pump()

    def give_up(self, transaction: ClientTransaction) -> None:
        """Cancels what still rings: without that an INVITE whose final response never got through would ring for ever."""
        if transaction.state == "Proceeding":
            self.layer.request(cancel_of(transaction.request), transaction.flow, self.network.now)
            self.pump()

    def told(self, event: object) -> None:
        assert isinstance(event, TransactionTimedOut | ResponseReceived)
        if event.transaction.method == "CANCEL":
            return
        if isinstance(event, TransactionTimedOut):
            assert isinstance(event.transaction, ClientTransaction)
            self.ends[event.transaction].append(0)
        elif event.response.is_final:
            self.ends[event.transaction].append(event.response.status)
            if event.transaction.method == "INVITE" and event.response.is_success:
                ack = ack_of(self.asked[event.transaction], event.response)
                ack.headers.set("Via", f"SIP/2.0/UDP {OUR_HOST}:5060;branch=z9hG4bKack{id(event)}")
                self.network.carry(ack.to_bytes(), self.peer)


class Callee(Side):
    """Answers each request once, after a while; repeats a 2xx of an INVITE until its ACK comes (§13.3.1.4)."""

    def __init__(self, network: BadNetwork) -> None:
        super().__init__(network, PEER_HOST)
        self.seen: list[str] = []
        self.acknowledged: set[str] = set()
        self.unanswered = 0

    def told(self, event: object) -> None:
        chance = self.network.chance
        if not isinstance(event, RequestReceived):
            return
        request = event.request
        if event.transaction is None:
            self.acknowledged.add(request.call_id)
            return
        if request.method == "CANCEL":
            self.respond(request, event.transaction, 481 if event.cancels is None else 200)
            return
        self.seen.append(request.call_id)
        if request.method == "INVITE" and chance.random() < 0.7:
            self.respond(request, event.transaction, 180)
        if chance.random() < 0.95:
            self.network.later(chance.uniform(0.0, 8.0), (self, request, event.transaction, chance.choice(ANSWERS), 0.5))
        elif request.method == "INVITE":
            self.network.later(60.0, (self, request, event.transaction, 480, 0.5))
        else:
            self.unanswered += 1

    def respond(self, request: Request, transaction: ServerTransaction, status: int) -> None:
        self.layer.respond(transaction, response_to(request, status, tag=f"t{request.call_id}"), self.network.now)

    def answer(self, request: Request, transaction: ServerTransaction, status: int, again: float) -> None:
        if status == 200 and request.method == "INVITE":
            if request.call_id in self.acknowledged or again > 64:
                return
            self.network.later(min(again, 4.0), (self, request, transaction, status, 2 * again))
        self.respond(request, transaction, status)
        self.pump()


def run(seed: int, loss: float, count: int) -> tuple[Caller, Callee]:
    network = BadNetwork(seed, loss)
    caller, callee = Caller(network), Callee(network)
    caller.peer, callee.peer = callee, caller
    for number in range(count):
        network.later(network.chance.uniform(0.0, 20.0), (caller, network.chance.choice(["INVITE", "OPTIONS", "BYE"]), number))
    for _ in range(count * 1_000):
        deadlines = [deadline for side in (caller, callee) if (deadline := side.layer.next_deadline()) is not None]
        if network.agenda and network.agenda[0][0] <= min(deadlines, default=float("inf")):
            network.now, _, action = heapq.heappop(network.agenda)
            match action:
                case (Side() as side, bytes(octets)):
                    side.hear(octets)
                case (Caller() as side, str(method), int(number)):
                    side.ask(method, number)
                case (Caller() as side, ClientTransaction() as transaction):
                    side.give_up(transaction)
                case (Callee() as side, *rest):
                    side.answer(*rest)
        elif deadlines:
            network.now = min(deadlines)
            for side in (caller, callee):
                side.layer.advance(network.now)
                side.pump()
        else:
            return caller, callee
    raise AssertionError("it does not end")


def check(caller: Caller, callee: Callee, count: int) -> int:
    """Every transaction has had its one end; gives how many were answered."""
    assert len(caller.ends) == count
    for transaction, ends in caller.ends.items():
        assert transaction.is_terminated
        assert ends, transaction
        # One end; only a 2xx of an INVITE may come again.
        assert len(ends) == 1 or (transaction.method == "INVITE" and set(ends) == {200})
    for side in (caller, callee):
        assert not side.layer.clients
        assert not side.layer.servers
        assert not any(side.layer.queues.values())
        assert side.layer.forged_responses == side.layer.forged_cancels == side.layer.shed_requests == 0
    return sum(ends[0] != 0 for ends in caller.ends.values())


@pytest.mark.parametrize("loss", [0.0, 0.1, 0.5, 0.9])
def test_200_transactions_end_whatever_is_lost(seed: int, loss: float) -> None:
    caller, callee = run(seed, loss, 200)
    answered = check(caller, callee, 200)
    if loss == 0:
        # No request is taken for new twice, and every one that gets an answer knows it.
        assert sorted(callee.seen) == sorted({f"c{number}" for number in range(200)})
        assert answered == 200 - callee.unanswered
    if loss <= 0.5:
        assert answered >= 0.8 * 200


def test_the_same_seed_gives_the_same_run(seed: int) -> None:
    first, second = run(seed, 0.5, 50), run(seed, 0.5, 50)
    assert list(first[0].ends.values()) == list(second[0].ends.values())


@pytest.mark.long
def test_many_seeds() -> None:
    for seed in range(300):
        caller, callee = run(seed, 0.5, 50)
        check(caller, callee, 50)
