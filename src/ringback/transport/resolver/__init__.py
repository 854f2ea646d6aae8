"""Where a SIP URI leads (RFC 3263): from names to transports, addresses and ports by NAPTR, SRV, A and AAAA records."""

from ringback.transport.resolver.hop import numeric_host
from ringback.transport.resolver.resolver import Resolved, Resolver

__all__ = ["Resolved", "Resolver", "numeric_host"]
