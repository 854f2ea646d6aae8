"""Where a SIP URI leads (RFC 3263): from names to transports, addresses and ports by NAPTR, SRV, A and AAAA records; ENUM (RFC 6116)."""

from ringback.transport.resolver.enum import Enum
from ringback.transport.resolver.hop import numeric_host
from ringback.transport.resolver.nameservers import NameServers
from ringback.transport.resolver.resolver import Resolved, Resolver

__all__ = ["Enum", "NameServers", "Resolved", "Resolver", "numeric_host"]
