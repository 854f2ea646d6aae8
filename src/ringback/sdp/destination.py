"""What kind of address media go to: one party, a group, or nowhere (RFC 3264 §6 and §8.4, RFC 8866 §5.7)."""

import ipaddress

from ringback.sdp.connection import Connection


def is_multicast(connection: Connection | None) -> bool:
    """Whether the address is that of a group. A name is not: §5.7 lets a group be written as an address only."""
    address = _address(connection)
    return address is not None and address.is_multicast


def is_nowhere(connection: Connection | None) -> bool:
    """Whether nothing shall be sent there, RTCP included: 0.0.0.0, the hold of RFC 2543; `::` says the same in IPv6."""
    address = _address(connection)
    return address is not None and address.is_unspecified


def _address(connection: Connection | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    if connection is None:
        return None
    try:
        return ipaddress.ip_address(connection.host)
    except ValueError:
        return None
