"""Two hundred calls through the proxy over a network that loses half, repeats and reorders: every one ends, and nothing is left of it."""

from __future__ import annotations

import asyncio
import random

import pytest

from ringback.address import Target
from ringback.message.derive import response_to
from ringback.message.message import Request, Response
from ringback.server.config import DomainConfig
from ringback.server.config.domain import Mode
from ringback.stack import Stack
from ringback.testing import Network, run
from ringback.transaction.events import Event, RequestReceived, ResponseReceived
from ringback.transaction.layer import TransactionLayer
from ringback.transaction.transaction import ServerTransaction
from tests.server.party import DOMAIN, SERVER, House

BEHAVIOURS = ("answers", "answers", "answers", "is busy", "declines", "rings for ever", "is silent", "moved")


class Phone:
    """A plain user agent over the transaction layer: it repeats a 2xx until its ACK comes, and answers whatever it is asked."""

    def __init__(self, network: Network, name: str, host: str, behaviour: str = "answers") -> None:
        self.name = name
        self.host = host
        self.behaviour = behaviour
        self.layer = TransactionLayer()
        self.stack = Stack(self, self.layer)
        self.transports = network.host(host, self.stack.received, self.stack.failed, batch_ended=self.stack.batch_ended)
        self.stack.attach(self.transports)  # type: ignore[arg-type]
        self.acknowledged: set[str] = set()
        self._count = 0
        self._tasks: set[asyncio.Task[None]] = set()

    # As a core.

    def malformed(self, malformed: object, flow: object, now: float) -> None:
        raise AssertionError(malformed)

    def advance(self, now: float) -> None:
        """Nothing of its own to do."""

    def next_deadline(self) -> float | None:
        return None

    def receive(self, event: Event, now: float) -> None:
        if isinstance(event, RequestReceived):
            self._asked(event, now)

    # As a callee.

    def _asked(self, event: RequestReceived, now: float) -> None:
        request, transaction = event.request, event.transaction
        if transaction is None:
            self.acknowledged.add(request.call_id)
            return
        if request.method == "CANCEL":
            self.stack.respond(transaction, response_to(request, 200, tag=self.name), now)
            if event.cancels is not None and event.cancels.octets:
                self.stack.respond(event.cancels, response_to(event.cancels.request, 487, tag=self.name), now)
        elif request.method == "INVITE":
            self._start(self._called(request, transaction))
        else:
            self.stack.respond(transaction, response_to(request, 200, tag=self.name), now)

    async def _called(self, invite: Request, transaction: ServerTransaction) -> None:
        if self.behaviour == "is silent":
            return
        if self.behaviour not in ("is busy", "moved"):
            self.stack.run(lambda now: self.stack.respond(transaction, self._response(invite, 180), now))
            await asyncio.sleep(2.0)
        status = {"answers": 200, "is busy": 486, "declines": 603, "moved": 302}.get(self.behaviour)
        if status is None:
            return
        self.stack.run(lambda now: self.stack.respond(transaction, self._response(invite, status), now))
        wait = 0.5
        # §13.3.1.4: the 2xx is the user's to repeat.
        while status == 200 and invite.call_id not in self.acknowledged and wait <= 16:
            await asyncio.sleep(wait)
            wait *= 2
            self.stack.run(lambda now: self.stack.respond(transaction, self._response(invite, status), now))

    def _response(self, invite: Request, status: int) -> Response:
        response = response_to(invite, status, tag=self.name)
        if status < 300:
            response.headers.carry(invite.headers, "record-route")
            response.headers.append("Contact", f"<sip:{self.name}@{self.host}:5060>")
        return response

    def _start(self, coroutine: object) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # As a caller.

    async def call(self, number: int, uri: str, gives_up_after: float | None) -> int:
        """Calls, hangs up after a second; gives the status the call ended with."""
        self._count += 1
        call_id = f"{number}-{self.name}"
        invite = self._request("INVITE", uri, call_id, 1, f"<{uri}>")
        final = await self._ask(invite, gives_up_after)
        if not isinstance(final, Response):
            return 408
        if final.status != 200:
            return final.status
        await asyncio.sleep(1.0)
        bye = self._within(final, "BYE", 2)
        answer = await self._ask(bye, None)
        return 200 if isinstance(answer, Response) else 1408

    async def _ask(self, request: Request, gives_up_after: float | None) -> Response | None:
        future: asyncio.Future[Response | None] = asyncio.get_running_loop().create_future()
        asking = Asking(self, future)

        def send(now: float) -> None:
            asking.transaction = self.stack.send_request(request, Target("UDP", SERVER, 5060), asking, self._branch(), now)

        self.stack.run(send)
        if gives_up_after is not None:
            asyncio.get_running_loop().call_later(gives_up_after, asking.cancel)
        return await future

    def _branch(self) -> str:
        self._count += 1
        return f"z9hG4bK{self.name}{self._count}"

    def _request(self, method: str, uri: str, call_id: str, cseq: int, to: str) -> Request:
        return Request(
            method,
            uri,
            [
                ("Max-Forwards", 70),
                ("From", f"<sip:{self.name}@{DOMAIN}>;tag={self.name}"),
                ("To", to),
                ("Call-ID", call_id),
                ("CSeq", f"{cseq} {method}"),
                ("Contact", f"<sip:{self.name}@{self.host}:5060>"),
            ],
        )

    def _within(self, ok: Response, method: str, cseq: int) -> Request:
        request = self._request(method, str(ok.contact.uri), ok.call_id, cseq, ok.headers.text("To") or "")
        for route in reversed(ok.headers.texts("Record-Route")):
            request.headers.append("Route", route)
        return request

    def acknowledge(self, ok: Response) -> None:
        """ACKs a 2xx, each time one comes (§13.2.2.4)."""
        ack = self._within(ok, "ACK", 1)
        ack.headers.prepend("Via", f"SIP/2.0/UDP {self.host}:5060;branch={self._branch()}")
        flow = self.transports.flow_to(Target("UDP", SERVER, 5060))
        assert flow is not None
        self.transports.send(ack.to_bytes(), flow)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        self.stack.close()
        await self.transports.close()


class Asking:
    """User of a client transaction of a phone's."""

    def __init__(self, phone: Phone, future: asyncio.Future[Response | None]) -> None:
        self.phone = phone
        self.future = future
        self.transaction: object = None
        self._wants_cancel = False
        self._rings = False

    def receive(self, event: Event, now: float) -> None:
        if isinstance(event, ResponseReceived):
            response = event.response
            if response.is_provisional:
                self._rings = True
                if self._wants_cancel:
                    self._cancel(now)
                return
            if response.is_success and response.cseq.method == "INVITE":
                self.phone.acknowledge(response)
            if not self.future.done():
                self.future.set_result(response)
        elif not self.future.done():
            self.future.set_result(None)

    def cancel(self) -> None:
        """Gives up: now if it rings, else when it does (§9.1)."""
        self._wants_cancel = True
        if self._rings and not self.future.done():
            self.phone.stack.run(self._cancel)

    def _cancel(self, now: float) -> None:
        from ringback.message.derive import cancel_of

        self._wants_cancel = False
        transaction = self.transaction
        if not self.future.done() and transaction.octets:  # type: ignore[attr-defined]
            cancel = cancel_of(transaction.request)  # type: ignore[attr-defined]
            self.phone.layer.request(cancel, transaction.flow, now, Ignoring())  # type: ignore[attr-defined]


class Ignoring:
    """User of a CANCEL."""

    def receive(self, event: Event, now: float) -> None:
        """Lets it pass."""


@pytest.mark.parametrize(
    ("loss", "duplication", "reordering"), [(0.5, 0.3, 0.3), (0.1, 0.05, 0.05), (0.0, 0.0, 0.0), (0.0, 1.0, 1.0)], ids=str
)
@pytest.mark.parametrize("mode", ["stateful", "stateless"])
def test_every_call_ends_and_nothing_is_left(
    loss: float, duplication: float, reordering: float, mode: Mode, seed: int, long_form: bool
) -> None:
    count = 1_000 if long_form else 200

    async def scenario() -> dict[int, int]:
        chance = random.Random(seed)
        network = Network(loss=loss, duplication=duplication, reordering=reordering, delay=0.02, seed=seed)
        async with House(network, domain={DOMAIN: DomainConfig(mode=mode)}) as house:
            phones = []
            for index, behaviour in enumerate(BEHAVIOURS * 2):
                phone = Phone(network, f"phone{index}", f"198.51.100.{index + 1}", behaviour)
                await phone.transports.open("UDP", phone.host, 5060)
                phones.append(phone)
                house.bind(f"user{index}", f"sip:{phone.name}@{phone.host}:5060", q=1.0)
            # Some are called together, some one after the other.
            for index in range(8):
                for other in chance.sample(phones, 3):
                    house.bind(f"group{index}", f"sip:{other.name}@{other.host}:5060", q=chance.choice((1.0, 0.5)))
            callers = []
            for index in range(20):
                caller = Phone(network, f"caller{index}", f"203.0.113.{index + 1}")
                await caller.transports.open("UDP", caller.host, 5060)
                callers.append(caller)

            async def one(number: int) -> int:
                await asyncio.sleep(chance.uniform(0, 60))
                user = chance.choice([f"user{index}" for index in range(16)] + [f"group{index}" for index in range(8)])
                # Nobody waits for ever: where every copy of a 2xx was lost, only that ends the call.
                gives_up = chance.choice((250.0, 250.0, 0.0, 1.0, 5.0))
                return await callers[number % 20].call(number, f"sip:{user}@{DOMAIN}", gives_up)

            statuses = await asyncio.gather(*map(one, range(count)))
            await asyncio.sleep(700)
            for phone in (*phones, *callers):
                assert not phone.layer.clients, phone.name
                await phone.close()
        return {status: statuses.count(status) for status in sorted(set(statuses))}

    statuses = run(scenario())
    assert sum(statuses.values()) == count
    assert set(statuses) <= {200, 302, 408, 480, 481, 486, 487, 500, 603, 1408}, statuses
    assert statuses[200] > count / 10, statuses
    if loss <= 0.1:
        assert {481, 500, 503, 1408}.isdisjoint(statuses), statuses
