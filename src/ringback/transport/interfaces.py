"""The numeric addresses of this machine: a wildcard becomes one endpoint for each, whose Via and Record-Route lead back to it."""

from __future__ import annotations

import errno
import ipaddress
import socket
from itertools import pairwise
from pathlib import Path

_FIB_TRIE = Path("/proc/net/fib_trie")
_IF_INET6 = Path("/proc/net/if_inet6")


def local_addresses(wildcard: str) -> list[str]:
    """Every address that `0.0.0.0` or `::` stands for, loopback last, without link-local ones: their zone means nothing to a peer."""
    found = _ipv6() if ":" in wildcard else _ipv4()
    return sorted(found, key=lambda host: (ipaddress.ip_address(host).is_loopback, ipaddress.ip_address(host)))


def free_port(host: str) -> int:
    """A port of this address that neither UDP nor TCP uses at the moment."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(100):
        with socket.socket(family, socket.SOCK_STREAM) as stream, socket.socket(family, socket.SOCK_DGRAM) as datagram:
            stream.bind((host, 0))
            port: int = stream.getsockname()[1]
            try:
                datagram.bind((host, port))
            except OSError:
                continue
            return port
    raise OSError(errno.EADDRINUSE, f"No port of {host} is free for both UDP and TCP")


def _ipv4() -> set[str]:
    try:
        lines = _FIB_TRIE.read_text(encoding="ascii").split("\n")
    except OSError:
        return _by_name(socket.AF_INET) | {"127.0.0.1"}
    # Each local address stands as "|-- ADDRESS" above a line "/32 host LOCAL".
    return {above.split("-- ")[1].strip(" ") for above, line in pairwise(lines) if "/32 host LOCAL" in line and "-- " in above}


def _ipv6() -> set[str]:
    try:
        lines = _IF_INET6.read_text(encoding="ascii").split("\n")
    except OSError:
        return _by_name(socket.AF_INET6) | {"::1"}
    addresses = {ipaddress.IPv6Address(int(line.split(" ")[0], 16)) for line in lines if line}
    return {str(address) for address in addresses if not address.is_link_local}


def _by_name(family: socket.AddressFamily) -> set[str]:
    """Where the kernel keeps no such list: what the host's own name resolves to."""
    try:
        infos = socket.getaddrinfo(socket.gethostname(), None, family)
    except OSError:
        return set()
    return {str(info[4][0]) for info in infos if not ipaddress.ip_address(str(info[4][0]).partition("%")[0]).is_link_local}
