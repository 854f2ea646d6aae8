"""What a SIP URI says by itself about where it leads (RFC 3263 §4.1, §4.2)."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

from ringback.address import DEFAULT_PORTS, SECURE, Target
from ringback.message.errors import SipParseError
from ringback.message.uri import SipUri, parse_uri


def numeric_host(host: str) -> str | None:
    """The host in canonical form if it is an IPv4 or IPv6 literal, else None. Only full literals count: no `127.1`, no `0x7f000001`."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


class Hop(NamedTuple):
    """Where to ask and what for: `name` is what RFC 3263 calls TARGET, `domain` the one of the URI, which certificates have to bear.

    `transport` and `port` are None where the URI does not say; `is_secure` for a sips URI; `ttl` is the multicast scope it names.
    """

    name: str
    port: int | None
    transport: str | None
    is_secure: bool
    domain: str
    ttl: int | None

    @classmethod
    def of(cls, text: str) -> Hop:
        """The hop a URI names; raises `SipParseError` where the text is no SIP URI."""
        uri = parse_uri(text)
        if not isinstance(uri, SipUri):
            raise SipParseError("Not a SIP URI")
        transport = uri.transport
        is_secure = uri.scheme == "sips"
        if is_secure and transport is not None:
            # §26.2.2: nothing but TLS may carry a request to a sips URI.
            transport = "WSS" if transport in ("WS", "WSS") else "TLS"
        # §16.6 item 7, §19.1.1: maddr overrides the host as the place to send to.
        domain = uri.host.removesuffix(".")
        return cls((uri.maddr or domain).removesuffix("."), uri.port, transport, is_secure, domain, uri.ttl)

    def target(self, transport: str, host: str, port: int | None = None) -> Target:
        """The target at a numeric address; at the port of the URI or else the transport's own, unless `port` is another."""
        ttl = None
        if ipaddress.ip_address(host).is_multicast:
            ttl = 1 if self.ttl is None else self.ttl
        number = port or self.port or DEFAULT_PORTS.get(transport, 5060)
        return Target(transport, host, number, ttl, self.domain if transport in SECURE else None)
