"""Where a SIP URI leads: transport, address and port (RFC 3263 §4.2 for numeric hosts and A or AAAA; NAPTR and SRV have no place yet)."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Sequence

from ringback.address import DEFAULT_PORTS, Endpoint, Target
from ringback.message.errors import SipParseError
from ringback.message.uri import SipUri, parse_uri

# Positive answers of the system resolver carry no TTL; half a minute is short beside its own cache and long beside a call's set-up.
_REMEMBERED_SECONDS = 30.0
_MOST_REMEMBERED = 10_000

Resolved = Callable[[list[Target]], None]


def numeric_host(host: str) -> str | None:
    """The host in canonical form if it is an IPv4 or IPv6 literal, else None. Only full literals count: no `127.1`, no `0x7f000001`."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


class Resolver:
    """Knows numeric hosts and recent names at once; asks the system for others."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, list[Target]]] = {}
        self._asked: set[asyncio.Task[None]] = set()
        self.default_transport = "UDP"
        """What a sip URI means that names no transport."""

    def speak(self, endpoints: Sequence[Endpoint]) -> None:
        """Takes what is listened on: UDP is preferred where it is spoken (RFC 3263 §4.1); who has TCP alone sends by TCP."""
        if endpoints and not any(endpoint.transport == "UDP" for endpoint in endpoints):
            self.default_transport = endpoints[0].transport

    def known(self, text: str, now: float) -> list[Target] | None:
        """The targets of a URI, best first, where no question is needed; None where `ask` must be called.

        Raises `SipParseError` where the text is no SIP URI.
        """
        known = self._known.get(text)
        if known is not None and known[0] > now:
            return known[1]
        name, transport, port, uri = _components(text, self.default_transport)
        host = numeric_host(name)
        if host is None:
            return None
        targets = [Target(transport, host, port, _ttl(uri, host))]
        self._remember(text, float("inf"), targets)
        return targets

    def ask(self, text: str, resolved: Resolved) -> None:
        """Asks the system and calls `resolved(targets)` once it knows; an empty list says that the URI leads nowhere."""
        loop = asyncio.get_running_loop()
        task = loop.create_task(self._ask(text, resolved))
        self._asked.add(task)
        task.add_done_callback(self._asked.discard)

    async def _ask(self, text: str, resolved: Resolved) -> None:
        loop = asyncio.get_running_loop()
        name, transport, port, _ = _components(text, self.default_transport)
        try:
            infos = await loop.getaddrinfo(name, port, type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError):
            resolved([])
            return
        targets = [Target(transport, str(info[4][0]), port) for info in infos if info[0] in (socket.AF_INET, socket.AF_INET6)]
        self._remember(text, loop.time() + _REMEMBERED_SECONDS, targets)
        resolved(targets)

    def _remember(self, text: str, until: float, targets: list[Target]) -> None:
        if len(self._known) >= _MOST_REMEMBERED:
            self._known.clear()
        self._known[text] = (until, targets)

    def close(self) -> None:
        """Abandons what was asked and not answered."""
        for task in self._asked:
            task.cancel()


def _components(text: str, default_transport: str) -> tuple[str, str, int, SipUri]:
    uri = parse_uri(text)
    if not isinstance(uri, SipUri):
        raise SipParseError("Not a SIP URI")
    transport = uri.transport or default_transport
    if uri.scheme == "sips":
        # §26.2.2: nothing but TLS may carry a request to a sips URI.
        transport = "WSS" if transport in ("WS", "WSS") else "TLS"
    # §16.6 item 7, §19.1.1: maddr overrides the host as the place to send to.
    return uri.maddr or uri.host, transport, uri.port or DEFAULT_PORTS.get(transport, 5060), uri


def _ttl(uri: SipUri, host: str) -> int | None:
    if not ipaddress.ip_address(host).is_multicast:
        return None
    return 1 if uri.ttl is None else uri.ttl
