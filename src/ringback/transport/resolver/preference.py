"""Which of a host's addresses is tried first: as the DNS has them, but what we can reach before what we cannot (RFC 6724, RFC 7984)."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable
from typing import NamedTuple

_UNIQUE_LOCAL = ipaddress.IPv6Network("fc00::/7")


class Source(NamedTuple):
    """What we can send from: an IP version, and whether that leads beyond this machine and its links."""

    version: int
    is_far: bool


EVERYWHERE = frozenset(Source(version, is_far) for version in (4, 6) for is_far in (False, True))


def is_near(host: str) -> bool:
    """Whether a numeric address leads no farther than this machine and its links."""
    address = ipaddress.ip_address(host)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback or address.is_link_local


def source(host: str) -> Source:
    """What a numeric address of ours is as a source."""
    return Source(ipaddress.ip_address(host).version, not is_near(host))


def credible(addresses: Iterable[str], sources: Collection[Source]) -> list[str]:
    """Of the addresses that the DNS has for a name, those that are no trap: whoever is on the network is sent to no service of his own
    machine, nor to one on its links, by what a stranger publishes (DNS rebinding).
    """
    return [host for host in addresses if not is_near(host) or not any(one.is_far for one in sources)]


def preferred(addresses: Iterable[str], sources: Collection[Source]) -> list[str]:
    """The addresses in the order to try them; the order of the DNS stays where there is nothing to choose.

    What no source of ours leads to comes last (rules 1 and 2); then IPv6 before IPv4 before unique local addresses (rule 6).
    """

    # Departs from RFC 6724 §5: no address is preferred for a longer common prefix (rule 9), or servers that share their load by the order
    # of the DNS would not.
    def rank(host: str) -> tuple[bool, int]:
        address = ipaddress.ip_address(host)
        is_reachable = any(one.version == address.version and (one.is_far or is_near(host)) for one in sources)
        is_unique_local = isinstance(address, ipaddress.IPv6Address) and address in _UNIQUE_LOCAL
        return not is_reachable, 2 if is_unique_local else 0 if address.version == 6 else 1

    return sorted(addresses, key=rank)
