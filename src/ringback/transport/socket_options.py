"""What is asked of the operating system about a socket. Where it has no such option, nothing is asked."""

from __future__ import annotations

import contextlib
import socket
import sys

IS_LINUX = sys.platform == "linux"

# From <asm-generic/socket.h>, <linux/in.h> and <linux/in6.h>: not all of these have names in every Python. The numbers mean other things
# on other systems.
_SO_RCVBUFFORCE = 33
_IP_MTU_DISCOVER = 10
_IP_PMTUDISC_DONT = 0
_IP_BIND_ADDRESS_NO_PORT = 24
IP_RECVERR = 11
IPV6_RECVERR = 25

# The receive buffer asked for. Unbound's guide for busy servers asks the same 4 MiB: it holds the traffic of a short pause
# (some 2,000 messages, as the kernel counts them). The operating system may grant less.
_BUFFER_BYTES = 4 << 20


def enlarge_buffer(sock: socket.socket) -> None:
    """A receive buffer for bursts: all of it where we may (CAP_NET_ADMIN), else as much as any process gets."""
    if IS_LINUX:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
            return
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)


def allow_fragments(sock: socket.socket) -> None:
    """Routers may fragment what exceeds the path's MTU: a response cannot change to TCP. Kamailio's default too (pmtu_discovery=0)."""
    if IS_LINUX and sock.family == socket.AF_INET:
        sock.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_DONT)


def ask_for_errors(sock: socket.socket) -> None:
    """Has the kernel keep ICMP errors for an unconnected socket. It costs nothing until one comes."""
    if IS_LINUX:
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)


def choose_port_late(sock: socket.socket) -> None:
    """A source port is chosen when connecting, so that one port may serve connections to different peers."""
    if IS_LINUX:
        sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
