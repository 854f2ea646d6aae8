"""One who asks OPTIONS and waits: a stack with nothing above it but a question."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Callable

from ringback.address import Endpoint, Flow, Target, host_port
from ringback.message.errors import SipParseError
from ringback.message.message import Request, Response
from ringback.message.parser import Malformed
from ringback.stack import Stack
from ringback.transaction.events import Event, RequestReceived, ResponseReceived, TransportFailed
from ringback.transaction.layer import TransactionLayer
from ringback.transport.tls import Contexts
from ringback.transport.transports import Transports


def token() -> str:
    """Unpredictable text for tags and branches (RFC 3261 §19.3)."""
    return secrets.token_hex(8)


class Answer:
    """What came back: a final response after so many seconds, or the fault that says why none did."""

    __slots__ = ("fault", "response", "seconds")

    def __init__(self, seconds: float, response: Response | None = None, fault: str = "") -> None:
        self.seconds = seconds
        self.response = response
        self.fault = fault

    @property
    def exit_code(self) -> int:
        """sipsak's: 0 for a 2xx, 1 for another final response, 3 for none."""
        if self.response is None:
            return 3
        return 0 if self.response.is_success else 1

    def fields(self, name: str) -> list[str]:
        """Every value of a header field of the response."""
        if self.response is None:
            return []
        try:
            return [text for text in self.response.headers.texts(name) if text]
        except SipParseError:
            return [self.response.headers.text(name) or ""]


class _Question:
    """The transaction user of one OPTIONS request."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._clock = clock
        self._begin = clock()

    def receive(self, event: Event, now: float) -> None:
        """Takes what the transaction has to say; the first final word counts."""
        if self.answer.done():
            return
        seconds = self._clock() - self._begin
        if isinstance(event, ResponseReceived):
            if event.response.is_final:
                self.answer.set_result(Answer(seconds, event.response))
        elif isinstance(event, TransportFailed):
            self.answer.set_result(Answer(seconds, fault=event.reason))
        else:
            self.answer.set_result(Answer(seconds, fault="no answer"))


class Pinger:
    """Asks one target. `await Pinger.open(target)`, then `ask` as often as wanted, then `close`."""

    def __init__(self, target: Target, tls: Contexts | None = None) -> None:
        self._target = target
        self._clock = asyncio.get_running_loop().time
        self._layer = TransactionLayer()
        self._stack = Stack(self, self._layer)
        self._ways = Transports(self._stack.received, self._stack.failed, batch_ended=self._stack.batch_ended, tls=tls, report=_unheard)
        self._stack.attach(self._ways)
        self._call_id = f"{token()}@{host_port(target.host, target.port)}"
        self._tag = token()
        self._count = 0
        self._endpoint: Endpoint

    @classmethod
    async def open(cls, target: Target, tls: Contexts | None = None) -> Pinger:
        """A pinger with an endpoint of its own. Raises OSError where no way leads to the target."""
        pinger = cls(target, tls)
        pinger._endpoint = await pinger._ways.open(target.transport, local_address(target), 0)
        return pinger

    async def ask(self, uri: str, timeout: float, asker: str | None = None) -> Answer:  # noqa: ASYNC109 - SIP's time, not a scope's
        """Sends OPTIONS (§11.1) and waits so many seconds at most; every question is a transaction of its own."""
        self._count += 1
        here = self._endpoint.sent_by
        request = Request(
            "OPTIONS",
            uri,
            [
                ("Max-Forwards", 70),
                ("From", f"<{asker or f'sip:ping@{here}'}>;tag={self._tag}"),
                ("To", f"<{uri}>"),
                ("Call-ID", self._call_id),
                ("CSeq", f"{self._count} OPTIONS"),
                ("Contact", f"<sip:ping@{here};transport={self._target.transport.lower()}>"),
                ("Accept", "application/sdp"),
                ("User-Agent", "ringback ping"),
                ("Content-Length", 0),
            ],
        )
        question = _Question(self._clock)
        if self._stack.send_request(request, self._target, question, f"z9hG4bK{token()}", self._clock()) is None:
            return Answer(0, fault="no way leads there")
        self._stack.batch_ended()
        try:
            return await asyncio.wait_for(question.answer, timeout)
        except TimeoutError:
            return Answer(timeout, fault=f"no answer within {timeout:g} s")

    async def close(self) -> None:
        """Lets the endpoint go."""
        self._stack.close()
        await self._ways.close()

    # The core of the stack: nobody else's questions are answered here.

    def receive(self, event: Event, now: float) -> None:
        """Refuses requests: 501, for nothing is built to receive one here (§8.2.1)."""
        if isinstance(event, RequestReceived) and event.transaction is not None:
            from ringback.message.derive import response_to

            self._layer.reject(event.transaction, response_to(event.request, 501, tag=token()))

    def malformed(self, malformed: Malformed, flow: Flow, now: float) -> None:
        """Ignores what is no message."""

    def advance(self, now: float) -> None:
        """Has nothing due."""

    def next_deadline(self) -> float | None:
        """Never."""
        return None


def _unheard(_line: str) -> None:
    """What goes wrong is the answer's fault, and told as that."""


def local_address(target: Target) -> str:
    """The address of ours from which the system would send to the target. Raises OSError where it would not."""
    family = socket.AF_INET6 if ":" in target.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        # A datagram socket that connects sends nothing: it only chooses its address.
        probe.connect((target.host, target.port))
        return str(probe.getsockname()[0])
