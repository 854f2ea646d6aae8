"""Keeping open the ways to registered phones that are reached in no other, and finding out which of them are dead (RFC 5626 §4.4, §7).

A NAT keeps a way open for what comes from within (RFC 4787 §4.3), so the phone has to say something: it is sent one OPTIONS in each
interval, never repeated, and any answer will do. WebSocket connections have a ping of their own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from ringback.address import Flow
from ringback.message.errors import SipParseError
from ringback.message.message import Response
from ringback.message.passing import branch_of

if TYPE_CHECKING:
    from ringback.server.outbound.flows import Flows
    from ringback.server.sources import Sources

_KINDS = ("udp-", "tcp-", "tls-")
# Seconds within which the answer has to come, and between two looks at the clock.
ANSWERED_WITHIN = 10.0
_LOOK_EVERY = 0.9


class Phones(Protocol):
    """Who knows which flows lead to phones: the location service, or an edge proxy."""

    def flows(self) -> Sequence[str]:
        """The names of the flows."""

    def contact_over(self, flow: str) -> str:
        """What the phone over one of them gave as its Contact."""


class _Ping:
    """The last OPTIONS down a flow."""

    __slots__ = ("branch", "deadline", "flow", "has_ever_answered", "is_answered")

    def __init__(self, branch: str, flow: Flow, deadline: float, has_ever_answered: bool) -> None:
        self.branch = branch
        self.flow = flow
        self.deadline = deadline
        self.has_ever_answered = has_ever_answered
        self.is_answered = False


class Keepalive:
    """Sends OPTIONS down the flows of bindings, each once in an interval, spread over its seconds.

    Nobody is made to receive what he did not ask for: over UDP only an address is asked that has proved to be its owner's, by a password
    or in a call.
    """

    def __init__(
        self,
        phones: Phones,
        flows: Flows,
        sources: Sources,
        interval: float,
        *,
        is_open: bool,
        send: Callable[[bytes, Flow], None],
        drop: Callable[[Flow, str], None],
        token: Callable[[], str],
    ) -> None:
        """`is_open`: anybody may register, so that a binding proves nothing of its address; `drop(flow, reason)` closes a connection that
        is dead; `token` makes what nobody guesses.
        """
        self._phones = phones
        self._flows = flows
        self._sources = sources
        self._send = send
        self._drop = drop
        self._is_open = is_open
        self._token = token
        self._slots = max(round(interval), 1)
        self._turn = 0
        self._next_look = 0.0
        self._last: list[dict[str, _Ping]] = [{} for _ in range(self._slots)]
        self._by_branch: dict[str, _Ping] = {}
        self._waiting: deque[_Ping] = deque()
        self.sent = 0
        """How many OPTIONS were sent."""
        self.missed = 0
        """How many of them had no answer in time."""

    def look(self, now: float) -> None:
        """Asks whose turn it is and gives up who has not answered; to be called once a second as long as anything is bound."""
        if now < self._next_look:
            return
        self._next_look = now + _LOOK_EVERY
        self._turn = turn = (self._turn + 1) % self._slots
        before, asked = self._last[turn], {}
        for name in self._phones.flows():
            if hash(name) % self._slots == turn and name.startswith(_KINDS):
                ping = self._ask(name, before.get(name), now)
                if ping is not None:
                    asked[name] = ping
        self._last[turn] = asked
        while self._waiting and self._waiting[0].deadline <= now:
            self._missed(self._waiting.popleft())

    def _ask(self, name: str, last: _Ping | None, now: float) -> _Ping | None:
        """Sends the next OPTIONS, where one may be sent; `last` is the one before it."""
        flow = self._flows.named(name)
        if flow is None:
            return None
        if self._is_open and not flow.endpoint.is_reliable and not self._sources.is_proven(flow.host, now):
            return None
        ping = _Ping(f"z9hG4bK{self._token()}", flow, now + ANSWERED_WITHIN, last is not None and last.has_ever_answered)
        self.sent += 1
        self._by_branch[ping.branch] = ping
        self._waiting.append(ping)
        self._send(_options(self._phones.contact_over(name), flow, ping.branch), flow)
        return ping

    def _missed(self, ping: _Ping) -> None:
        del self._by_branch[ping.branch]
        self.missed += not ping.is_answered
        # Over UDP it may have been lost, twice even; who says nothing to OPTIONS at all cannot be told from who is gone.
        if not ping.is_answered and ping.has_ever_answered and ping.flow.endpoint.is_reliable:
            self._drop(ping.flow, "No answer to OPTIONS")

    def receive(self, response: Response, flow: Flow, now: float) -> bool:
        """Whether a response answers one of these; its sender is then where it says."""
        try:
            ping = self._by_branch.get(branch_of(response))
        except SipParseError:
            return False
        if ping is None or flow.host != ping.flow.host:
            return False
        ping.is_answered = ping.has_ever_answered = True
        self._sources.prove(flow.host, now)
        return True


def _options(contact: str, flow: Flow, branch: str) -> bytes:
    endpoint = flow.endpoint
    text = branch[7:]
    lines = (
        f"OPTIONS {contact} SIP/2.0",
        f"Via: {endpoint.via}{branch}",
        # Nobody stands behind the phone.
        "Max-Forwards: 1",
        f"From: <sip:{endpoint.sent_by}>;tag={text}",
        f"To: <{contact}>",
        f"Call-ID: {text}",
        "CSeq: 1 OPTIONS",
        "Content-Length: 0\r\n\r\n",
    )
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")
