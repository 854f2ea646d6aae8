"""Numeric addresses, and which endpoint of ours reaches a peer."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterable
from ipaddress import ip_address

from ringback.address import Endpoint, Target, host_port

_IPV6_LOOPBACK = bytes(15) + b"\1"

SocketAddress = tuple[str, int] | tuple[str, int, int, int]


def is_multicast(host: str) -> bool:
    """Whether a numeric address names a group: 224.0.0.0/4 or ff00::/8."""
    if ":" in host:
        return host[:2].lower() == "ff"
    first = host.partition(".")[0]
    return len(first) == 3 and "224" <= first <= "239"


def is_loopback(host: str) -> bool:
    """Whether a numeric address stays within this machine."""
    if ":" not in host:
        return host.startswith("127.")
    try:
        return socket.inet_pton(socket.AF_INET6, host.partition("%")[0]) == _IPV6_LOOPBACK
    except (OSError, ValueError):
        return False


def is_wildcard(host: str) -> bool:
    """Whether listening on this address means listening on all."""
    return host in ("0.0.0.0", "::")


def socket_address(host: str, port: int) -> SocketAddress | None:
    """The address as `recvfrom` would write it, None where `host` is not numeric. Never asks DNS: a socket call with a name would."""
    if not 0 < port < 65_536:
        return None
    try:
        if ":" not in host:
            return socket.inet_ntop(socket.AF_INET, socket.inet_pton(socket.AF_INET, host)), port
        if "%" not in host:
            return socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, host)), port, 0, 0
        found = socket.getaddrinfo(host, port, socket.AF_INET6, socket.SOCK_DGRAM, 0, socket.AI_NUMERICHOST)
    except (OSError, ValueError):
        return None
    address: tuple[str, int, int, int] = found[0][4]  # type: ignore[assignment]  # asked for IPv6 alone
    return address


def reaching(endpoints: Iterable[Endpoint], target: Target, prefer: Endpoint | None = None) -> Endpoint | None:
    """The endpoint to send from: of the target's transport and family; `prefer` if it is one of them, else rather one on its host.

    An endpoint on a loopback address reaches loopback addresses, and groups if nothing else does; a loopback target is best reached from
    such an endpoint or a wildcard.
    """
    is_v6 = ":" in target.host
    stays_here = is_loopback(target.host)
    second: Endpoint | None = None
    if prefer is not None:
        if prefer.transport == target.transport:
            endpoints = (prefer, *endpoints)
        else:
            endpoints = sorted(endpoints, key=lambda endpoint: endpoint.host != prefer.host)
    for endpoint in endpoints:
        host = endpoint.host
        if endpoint.transport != target.transport or (":" in host) != is_v6 or is_multicast(host):
            continue
        if is_loopback(host) == stays_here or is_wildcard(host) or (endpoint is prefer and (stays_here or is_multicast(target.host))):
            return endpoint
        if stays_here or is_multicast(target.host):
            second = second or endpoint
    return second


def address_error(transport: str, host: str, port: int, error: OSError) -> OSError:
    """The same error, saying which address it is about."""
    number = error.errno or errno.EADDRNOTAVAIL
    return OSError(number, f"{os.strerror(number)}: {transport} {host_port(host, port)}")


def bound_socket(kind: socket.SocketKind, transport: str, host: str, port: int, *, shared: bool) -> socket.socket:
    """A non-blocking socket bound to a numeric address; `OSError` says which address could not be had.

    IPv6 sockets take IPv6 only (RFC 3493 §5.3), so that both families can listen on one port and a peer has one address.
    `shared` lets the port be bound while old connections of it linger or others listen to the same group.
    """
    try:
        ip_address(host)
    except ValueError:
        raise OSError(errno.EADDRNOTAVAIL, f"Not a numeric address: {transport} {host_port(host, port)}") from None
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
    try:
        sock.setblocking(False)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise address_error(transport, host, port, error) from None
    except BaseException:
        sock.close()
        raise
    return sock
