"""What kind of address media go to: one party, a group, or nowhere (RFC 3264 §6 and §8.4, RFC 8866 §5.7)."""

import ipaddress
from functools import lru_cache

from ringback.sdp.connection import Connection

_PARTY, _GROUP, _NOWHERE = "party", "group", "nowhere"


def is_multicast(connection: Connection | None) -> bool:
    """Whether the address is that of a group. A name is not: §5.7 lets a group be written as an address only."""
    return _kind(connection) == _GROUP


def is_nowhere(connection: Connection | None) -> bool:
    """Whether nothing shall be sent there, RTCP included: 0.0.0.0, the hold of RFC 2543; `::` says the same in IPv6."""
    return _kind(connection) == _NOWHERE


def _kind(connection: Connection | None) -> str:
    # The longest address is an IPv6 one with an IPv4 one in it; what is longer is a name and need not be remembered.
    return _PARTY if connection is None or len(connection.host) > 45 else _kind_of(connection.host)


# The same few addresses stand in one description after the other, and are looked at several times in each.
@lru_cache(maxsize=1024)
def _kind_of(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return _PARTY
    return _GROUP if address.is_multicast else _NOWHERE if address.is_unspecified else _PARTY
