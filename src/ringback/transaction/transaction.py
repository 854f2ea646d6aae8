"""Client and server transactions (RFC 3261 §17): what is remembered of a request while it is on its way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ringback.address import Flow
from ringback.message.limits import MessageLimits
from ringback.message.message import Request
from ringback.message.parser import parse_datagram
from ringback.transaction.machines import START, TERMINATED
from ringback.transaction.matching import method_of
from ringback.transaction.reply import is_multicast, stamp_source

if TYPE_CHECKING:
    from ringback.transaction.interpreter import Rows

# What is parsed again was let in once, perhaps by wider bounds than the default ones.
_NO_LIMITS = MessageLimits(*(1 << 40 for _ in MessageLimits._fields))

# What can happen to a transaction before its first step.
_NOTHING: Rows = {}


class _Transaction:
    """What client and server transactions share.

    `user` takes the events, None stands for the core. `rows` is what each input would do in the present state. `octets` is the request.
    """

    __slots__ = ("flow", "key", "octets", "rows", "state", "user")

    key: str
    flow: Flow
    state: str
    rows: Rows
    octets: bytes
    user: Any

    @property
    def method(self) -> str:
        """The method of its request."""
        return method_of(self.key)

    @property
    def is_terminated(self) -> bool:
        """Whether nothing can happen to it any more."""
        return self.state == TERMINATED

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.method} {self.state} {self.flow!r}>"

    def _parsed(self) -> Request:
        message = parse_datagram(self.octets, _NO_LIMITS) if self.octets else None
        if not isinstance(message, Request):
            raise LookupError(f"the request is no longer kept: {self!r}")
        return message


class ClientTransaction(_Transaction):
    """One request of ours and what comes back (§17.1).

    It keeps octets, not a parse, and those only while they may be needed: the request as it went out; once an INVITE was refused, the ACK.
    """

    __slots__ = ()

    def __init__(self, key: str, flow: Flow, octets: bytes, user: Any) -> None:
        self.key = key
        self.flow = flow
        self.state = START
        self.rows = _NOTHING
        self.octets = octets
        self.user = user

    @property
    def request(self) -> Request:
        """The request, parsed anew: of an INVITE in Proceeding the head only. `LookupError` where nothing needs it any more."""
        return self._parsed()


class ServerTransaction(_Transaction):
    """One request of a peer's and what is answered (§17.2). `flow` is the way back (§18.2.2).

    It keeps the octets of the request as it came in until the final response, and those of the last response for retransmissions.
    """

    __slots__ = ("response",)

    def __init__(self, key: str, flow: Flow, octets: bytes) -> None:
        self.key = key
        self.flow = flow
        self.state = START
        self.rows = _NOTHING
        self.octets = octets
        self.user = None
        self.response = b""

    @property
    def request(self) -> Request:
        """The request, parsed anew, its source in the topmost Via. `LookupError` once the final response is sent."""
        request = self._parsed()
        # Where the answer goes to a group, `flow` is not where the request came from; such a request is kept already stamped.
        if not is_multicast(self.flow.host):
            stamp_source(request, self.flow)
        return request


Transaction = ClientTransaction | ServerTransaction


def head_of(octets: bytes) -> bytes:
    """A message without its body, its Content-Length 0; as it is where looking is not enough to find that field."""
    end = octets.find(b"\r\n\r\n") + 4
    if end == len(octets):
        return octets
    start = octets.find(b"\r\nContent-Length: ", 0, end)
    if start < 0:
        return octets
    stop = octets.find(b"\r\n", start + 2)
    return octets[: start + 18] + b"0" + octets[stop:end]
