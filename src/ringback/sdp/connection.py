"""Where media go: the c= line (RFC 8866 §5.7)."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from ringback.sdp.errors import SdpError
from ringback.sdp.grammar import checked_visible, is_token, is_visible, parse_number, words

MAX_TTL = 255
MAX_COUNT = 65_535
"""Most addresses of one c= line. A choice: as many as there are ports."""


def address_type_of(host: str) -> str:
    """`"IP6"` for an IPv6 address, else `"IP4"`, which a name counts as too."""
    return "IP6" if ":" in host else "IP4"


@dataclass(frozen=True, slots=True)
class Connection:
    """The c= line. `ttl` is of an IPv4 multicast group, None elsewhere; `count` is how many multicast addresses follow each other."""

    network_type: str
    address_type: str
    host: str
    ttl: int | None = None
    count: int = 1

    @classmethod
    def of(cls, host: str, ttl: int | None = None, count: int = 1) -> Self:
        """A connection on the Internet; `host` is a name or an address, IPv6 without brackets. ValueError for what no line can hold."""
        if "/" in checked_visible(host, "the host"):
            raise ValueError(f"the host must be without a slash: {host!r}")
        address_type = address_type_of(host)
        if ttl is not None and (address_type == "IP6" or not 0 <= ttl <= MAX_TTL):
            raise ValueError("a time to live is a number from 0 to 255 and of IPv4 alone")
        if not 1 <= count <= MAX_COUNT or (count > 1 and ttl is None and address_type == "IP4"):
            raise ValueError("several addresses are from 1 to 65535, and in IPv4 they have a time to live")
        return cls("IN", address_type, host, ttl, count)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The connection that `text` (what follows `c=`) is; raises SdpError."""
        parts = words(text)
        # Further fields belong to address types that this room does not know (§5.7).
        if len(parts) < 3 or not (is_token(parts[0]) and is_token(parts[1]) and is_visible(parts[2])):
            raise SdpError("malformed c= line")
        network_type, address_type, address = parts[:3]
        if "/" not in address or address_type not in ("IP4", "IP6"):
            return cls(network_type, address_type, address)
        host, *numbers = address.split("/")
        ttl = None
        if address_type == "IP4":
            ttl = parse_number(numbers.pop(0), MAX_TTL)
        count = parse_number(numbers.pop(0), MAX_COUNT) if numbers else 1
        if numbers or not host or not count:
            raise SdpError("malformed multicast address in c= line")
        return cls(network_type, address_type, host, ttl, count)

    def __str__(self) -> str:
        ttl = "" if self.ttl is None else f"/{self.ttl}"
        count = "" if self.count == 1 else f"/{self.count}"
        return f"{self.network_type} {self.address_type} {self.host}{ttl}{count}"


# The same few lines stand in one description after the other, and are read several times in each.
_remembered = lru_cache(maxsize=1024)(Connection.parse)


def known_connection(text: str) -> Connection:
    """`Connection.parse`, remembered where the line is no longer than they usually are."""
    return _remembered(text) if len(text) < 64 else Connection.parse(text)
