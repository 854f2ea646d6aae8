"""Requests of any method, outside of dialogs and within a call's (RFC 3261 §8.1.1, §12.2.1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ringback.agent.call.negotiation import put_body
from ringback.agent.errors import failure
from ringback.message.grammar import ascii_lower, is_token
from ringback.message.headers import key_of
from ringback.message.message import Request, Response

if TYPE_CHECKING:
    from ringback.agent.call.session import Session
    from ringback.agent.core import AgentCore
    from ringback.agent.exchange import Exchange

# What makes a request the one it is, or where it ends: written by whoever sends it.
_NOT_THEIRS = frozenset(("via", "from", "to", "call-id", "cseq", "content-length"))

# These begin, end or change something of ours, which has to know.
_OTHER_WAYS = {"INVITE": "call()", "ACK": "nothing: it is sent by itself", "CANCEL": "call.cancel()"}
_OTHER_WAYS_WITHIN = {
    "INVITE": "modify()",
    "UPDATE": 'modify(method="UPDATE")',
    "BYE": "hang_up()",
    "ACK": "nothing: it is sent by itself",
    "CANCEL": "hang_up()",
    "PRACK": "nothing: it is sent by itself",
}


def add_fields(request: Request, headers: Iterable[tuple[str, object]]) -> None:
    """Puts a program's fields into a request of ours: Contact, Max-Forwards and the like in place of what is there.

    ValueError for a field that is not the program's to write, or a line break in one.
    """
    for name, value in headers:
        key = key_of(name)
        if key in _NOT_THEIRS:
            raise ValueError(f"{name} is written by the agent")
        if key in ("max-forwards", "user-agent", "contact", "content-type"):
            request.headers.set(name, value)
        else:
            request.headers.append(name, value)


async def send_request(
    core: AgentCore, method: str, uri: str, headers: Iterable[tuple[str, object]], body: bytes, content_type: str | None
) -> Response:
    """Sends a request outside of dialogs; gives its final response, whatever it says.

    Raises `RequestTimedOut` or `Unreachable` where none came, ValueError for a method that has its own verb.
    """
    _check(method, _OTHER_WAYS)
    request = core.request(method, uri)
    _complete(request, headers, body, content_type)
    return _final(await core.ask(request))


async def send_request_within(
    session: Session, method: str, headers: Iterable[tuple[str, object]], body: bytes, content_type: str | None
) -> Response:
    """The same within a call's dialog; what the response ends has ended then (RFC 5057)."""
    _check(method, _OTHER_WAYS_WITHIN)
    request = session.request(method)
    _complete(request, headers, body, content_type)
    return _final(await session.ask(request))


def _check(method: str, other_ways: dict[str, str]) -> None:
    if method in other_ways:
        raise ValueError(f"{method} has its own verb: {other_ways[method]}")
    if not is_token(method):
        raise ValueError(f"no method: {method!r}")


def _complete(request: Request, headers: Iterable[tuple[str, object]], body: bytes, content_type: str | None) -> None:
    fields = list(headers)
    add_fields(request, fields)
    if body:
        if content_type is None and not any(ascii_lower(name) in ("content-type", "c") for name, _ in fields):
            raise ValueError("a body needs its content type")
        put_body(request, content_type or request.headers.text("Content-Type") or "", body)


def _final(exchange: Exchange) -> Response:
    response = exchange.response
    assert response is not None, "the exchange has ended"
    if exchange.fault:
        raise failure(response.status, response.reason, None, fault=exchange.fault)
    return response
