"""Requests that the program itself answers: what it is given, what it says, and how that becomes a response (RFC 3261 §8.2.6)."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from ringback.agent.call.asserted_identity import asserted_identities
from ringback.agent.call.negotiation import put_body
from ringback.agent.errors import Refused
from ringback.agent.inspection import Refusal
from ringback.agent.usage import usages_of
from ringback.message.errors import SipParseError
from ringback.message.fields.media_type import MediaType
from ringback.message.fields.name_addr import NameAddr
from ringback.message.message import Request
from ringback.transaction.events import RequestReceived

if TYPE_CHECKING:
    from ringback.agent.call.call import Call
    from ringback.agent.core import AgentCore


class Reply(NamedTuple):
    """A response, but for what the request says of it (§8.2.6)."""

    status: int = 200
    reason: str | None = None
    headers: tuple[tuple[str, object], ...] = ()
    body: bytes = b""
    content_type: str | None = None


Outcome = Reply | int | None
"""What the program says to a request: a whole `Reply`, a final status, or nothing, which is 200. It refuses by raising `Refused`."""

T = TypeVar("T")

# What is there before the program is asked, and is not its to answer in another way.
_OUR_OWN = frozenset(("INVITE", "ACK", "CANCEL", "BYE", "PRACK", "UPDATE", "OPTIONS", "NOTIFY", "SUBSCRIBE", "REFER", "INFO"))


class IncomingRequest:
    """A request that came, outside of dialogs or within one of our calls."""

    __slots__ = ("asserted_identity", "body", "call", "content_type", "request", "sender", "source")

    def __init__(self, core: AgentCore, event: RequestReceived) -> None:
        """Raises `SipParseError` where From or Content-Type is malformed, or where it has a body and does not say of what type."""
        request = event.request
        self.request: Request = request
        self.source: str = event.flow.host
        """The address it came from: the last proxy's, where there is one."""
        self.sender: NameAddr = request.from_
        """Who says to have sent it: From."""
        self.asserted_identity: NameAddr | None = next(iter(asserted_identities(core, request, event.flow)), None)
        """Who sent it as a trusted peer says (RFC 3325); None where none does."""
        self.body: bytes = request.body
        self.content_type: MediaType | None = request.content_type
        if self.body and self.content_type is None:
            raise SipParseError("Missing Content-Type", "Content-Type")
        self.call: Call | None = call_of(core, request)
        """The call it belongs to; None where it came outside of one."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.request.method} from {self.sender.uri_text}>"


OnRequest = Callable[[IncomingRequest], Awaitable[Outcome] | Outcome]
"""A program's way with requests of a method."""


class Service:
    """One method that the program serves."""

    __slots__ = ("_core", "_on_request")

    def __init__(self, core: AgentCore, on_request: OnRequest) -> None:
        self._core = core
        self._on_request = on_request

    def receive(self, event: RequestReceived, _now: float) -> None:
        """Has the program answer a request."""
        answer_by(self._core, event, self._on_request, IncomingRequest(self._core, event))


def may_be_served(method: str) -> bool:
    """Whether a program may answer a method as it likes: not those that the calls and subscriptions of an agent live by."""
    return method not in _OUR_OWN


def call_of(core: AgentCore, request: Request) -> Call | None:
    """The call whose dialog a request is of; None where there is none."""
    dialog = core.dialogs.of_request(request) if request.to_tag is not None else None
    if dialog is not None:
        for usage in usages_of(dialog):
            call: Call | None = getattr(usage, "call", None)  # of all usages, sessions have one
            if call is not None:
                return call
    return None


def answer_by(core: AgentCore, event: RequestReceived, decide: Callable[[T], Awaitable[Outcome] | Outcome], subject: T) -> None:
    """Answers a request as the program decides, now or when its coroutine ends; whatever else it raises is a 500, and reported."""
    try:
        outcome = decide(subject)
        if inspect.isawaitable(outcome):
            core.spawn(_answer_later(core, event, outcome))
        else:
            _answer(core, event, outcome)
    except Exception as error:  # noqa: BLE001 - whatever the program's own code raises
        _excuse(core, event, error)


async def _answer_later(core: AgentCore, event: RequestReceived, outcome: Awaitable[Outcome]) -> None:
    try:
        _answer(core, event, await outcome)
    except Exception as error:  # noqa: BLE001 - whatever the program's own code raises
        _excuse(core, event, error)


def _answer(core: AgentCore, event: RequestReceived, outcome: Outcome) -> None:
    reply = outcome if isinstance(outcome, Reply) else Reply() if outcome is None else Reply(outcome)
    if not isinstance(reply.status, int) or not 200 <= reply.status <= 699:
        raise ValueError(f"no final response: {outcome!r}")
    response = core.response(event.request, reply.status, reply.reason)
    for name, value in reply.headers:
        response.headers.append(name, value)
    if reply.body:
        if reply.content_type is None:
            raise ValueError("a body needs its content type")
        put_body(response, reply.content_type, reply.body)
    assert event.transaction is not None, "only an ACK has no transaction"
    core.respond(event.transaction, response)


def _excuse(core: AgentCore, event: RequestReceived, error: Exception) -> None:
    if isinstance(error, Refused):
        try:
            core.refuse(event, Refusal(error.status, error.reason, error.headers))
            return
        except ValueError as mistake:
            # A line break in what the program wanted to say.
            error = mistake
    core.refuse(event, Refusal(500))
    core.loop.call_exception_handler({"message": f"the program's answer to {event.request.method} failed", "exception": error})
