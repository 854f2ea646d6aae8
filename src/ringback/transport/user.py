"""What a transport tells whoever uses it (RFC 3261 §18: the transport user), and what it counts."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

from ringback.address import Flow
from ringback.message.limits import DEFAULT_LIMITS, MessageLimits
from ringback.message.message import Request, Response
from ringback.message.parser import Malformed
from ringback.transport.complaint import Complaints
from ringback.transport.limits import DEFAULT_WEBSOCKET_RULES, WebSocketRules
from ringback.transport.tls.contexts import Contexts

Received = Callable[[Request | Response | Malformed, bytes, Flow], None]
Failed = Callable[[Flow, str], None]
Answered = Callable[[bool, "tuple[str, int] | None"], None]
"""Hears of the answer to a sign of life: whether it was a good one, and our address as the peer sees it, where it says that."""

logger = logging.getLogger("ringback.transport")


class Counts:
    """Plain integers that only grow, and how many connections are open now `by_transport`."""

    __slots__ = ("by_transport", "dropped", "failed_handshakes", "keepalives", "overdue", "refused")

    def __init__(self) -> None:
        self.by_transport: dict[str, int] = {}
        self.dropped = 0  # datagrams the operating system would not take
        self.failed_handshakes = 0  # connections, either way, that TLS kept from being
        self.keepalives = 0  # datagrams that only keep a NAT open, and pings on streams
        self.overdue = 0  # connections closed because a limit of time or space was reached
        self.refused = 0  # connections closed as soon as accepted, one limit or another being reached

    @property
    def connections(self) -> int:
        """How many are open now."""
        return sum(self.by_transport.values())


class TransportUser:
    """The three callbacks of a transport's user.

    `received` is called for each message with its octets, `failed` where sending over a flow failed (§18.4), and `batch_ended` once
    after each run of these calls: the moment to write what they gave rise to. None of them may raise.

    `udp_round`: under load a UDP socket is looked at every so many seconds; 0 looks at every datagram as soon as it comes.
    `closed`, where it is set, is called for each connection that is gone, for whatever reason, and likewise not from within `send`.
    `pings` are the signs of life that await an answer: by number of the connection, or by the transaction of STUN.
    `tls`: what is shown and trusted over TLS; `websocket`: who may connect over WebSocket. `complain(kind, line)` tells the operator what a
    peer does wrong, now and then.
    """

    __slots__ = (
        "batch_ended", "closed", "complain", "counts", "failed", "message_limits", "per_address", "pings", "received", "tls", "udp_round",
        "websocket",
    )  # fmt: skip

    def __init__(
        self,
        received: Received,
        failed: Failed,
        batch_ended: Callable[[], None],
        message_limits: MessageLimits = DEFAULT_LIMITS,
        *,
        report: Callable[[str], None] = logger.warning,
        tls: Contexts | None = None,
        websocket: WebSocketRules = DEFAULT_WEBSOCKET_RULES,
    ) -> None:
        self.received = received
        self.failed = failed
        self.batch_ended = batch_ended
        self.closed: Callable[[Flow], None] | None = None
        self.message_limits = message_limits
        self.complain = Complaints(report)
        self.tls = tls
        self.per_address: Counter[str | bytes] = Counter()
        """Connections accepted from each address, over whatever transport."""
        self.udp_round = 0.0
        self.websocket = websocket
        self.pings: dict[int | bytes, Answered] = {}
        self.counts = Counts()
