"""ICMP errors that datagrams met on their way, read from the socket's error queue (RFC 3261 §18.4). Linux; elsewhere nothing is heard."""

from __future__ import annotations

import os
import socket
import struct
from typing import NamedTuple

from ringback.transport.endpoint import SocketAddress
from ringback.transport.socket_options import IP_RECVERR, IPV6_RECVERR, IS_LINUX

# From <linux/errqueue.h>.
_EXTENDED_ERROR = struct.Struct("=IBBBBII")
_FROM_ICMP = 2
_FROM_ICMP6 = 3

# (origin, type): which codes mean that the message did not arrive; None for all of them. "Fragmentation needed" (3, 4) is not among
# them: the kernel learns from it and a retransmission gets through. Nor are source quench (4) and time exceeded (11; v6: 3): §18.4.
_FAILURES: dict[tuple[int, int], frozenset[int] | None] = {
    (_FROM_ICMP, 3): frozenset(range(16)) - {4},
    (_FROM_ICMP, 12): None,
    (_FROM_ICMP6, 1): None,
    (_FROM_ICMP6, 4): None,
}


class IcmpError(NamedTuple):
    """One entry of the error queue: where the datagram was sent, and why that failed; None if it may be ignored."""

    remote: SocketAddress
    reason: str | None


def read_error(sock: socket.socket) -> IcmpError | None:
    """The next error in the queue, None where it is empty."""
    if not IS_LINUX:
        return None
    try:
        _, ancillary, _, remote = sock.recvmsg(0, 512, socket.MSG_ERRQUEUE)
    except OSError:
        return None
    for level, kind, data in ancillary:
        if (level, kind) in ((socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR)) and len(data) >= 16:
            number, origin, icmp_type, code, *_ = _EXTENDED_ERROR.unpack_from(data)
            return IcmpError(remote, failure(number, origin, icmp_type, code))
    return IcmpError(remote, None)


def failure(number: int, origin: int, icmp_type: int, code: int) -> str | None:
    """Why the datagram did not arrive, None for an error that §18.4 ignores or that the send call itself reported."""
    codes = _FAILURES.get((origin, icmp_type), frozenset())
    if codes is not None and code not in codes:
        return None
    return "Port unreachable" if (origin, icmp_type, code) in ((_FROM_ICMP, 3, 3), (_FROM_ICMP6, 1, 4)) else os.strerror(number)
