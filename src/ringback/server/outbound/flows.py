"""Flows as text: a name that outlives the message that came over one, and a token that nobody else can make (RFC 5626 §5.2, §5.3).

A name says which way it was: `udp-192.0.2.1-5060-203.0.113.7-40001` for datagrams, which any run of this server can go again, and
`tcp-7-` and this run's mark for the seventh connection, which nobody can once it is closed. A token is a name behind a keyed digest, for
whatever leaves this server and comes back: it opens a way to a peer, so it must be one that we gave away.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable

from ringback.address import Endpoint, Flow
from ringback.transport.endpoint import socket_address

# 80 bits, as RFC 2104 §5 allows a digest to be cut to half and no less than 80: an attacker has one try per datagram.
_DIGEST_BYTES = 10
_DIGEST_DIGITS = 2 * _DIGEST_BYTES


class ForgedToken(Exception):  # noqa: N818 - what somebody did, not an error of the program
    """A flow token that this server never made (RFC 5626 §5.3: 403)."""


class Flows:
    """Names flows and finds them again."""

    def __init__(self, key: bytes, mark: str) -> None:
        """`key` is a secret of the store, so that a token outlives a restart as its flow may; `mark` tells this run from every other, in
        letters and digits.
        """
        self._key = key
        self._mark = mark
        self._endpoints: dict[tuple[str, ...], Endpoint] = {}
        self._beginnings: dict[Endpoint, str] = {}
        self._connected: Callable[[str, int], Flow | None] = lambda transport, connection: None

    def serve(self, endpoints: Iterable[Endpoint], connected: Callable[[str, int], Flow | None]) -> None:
        """Names the listening points that flows may have; `connected` gives the flow of an open connection by transport and number."""
        self._connected = connected
        self._endpoints = {}
        self._beginnings = {}
        for endpoint in endpoints:
            kind = endpoint.transport.lower()
            if endpoint.is_reliable:
                self._beginnings[endpoint] = f"{kind}-"
            else:
                place = (kind, _coded(endpoint.host), str(endpoint.port))
                self._endpoints[place] = endpoint
                self._beginnings[endpoint] = f"{'-'.join(place)}-"

    def name(self, flow: Flow) -> str:
        """The name of a flow, the same for the same way: letters, digits, `-`, `.` and `_`. Whoever gets it from outside proves nothing."""
        beginning = self._beginnings[flow.endpoint]
        if flow.connection:
            return f"{beginning}{flow.connection}-{self._mark}"
        remote = flow.remote
        # A link-local address means nothing without the interface it was seen on.
        zone = f"-{remote[3]}" if len(remote) == 4 and remote[3] else ""
        return f"{beginning}{_coded(remote[0])}-{remote[1]}{zone}"

    def named(self, name: str) -> Flow | None:
        """The flow of this name; None where it is gone: the connection closed, another run's, the endpoint no longer listened on."""
        kind, *rest = name.split("-")
        if len(rest) == 2:
            number, mark = rest
            return self._connected(kind.upper(), int(number)) if mark == self._mark and _is_number(number) else None
        endpoint = self._endpoints.get((kind, *rest[:2]))
        if endpoint is None or len(rest) not in (4, 5) or not all(_is_number(text) for text in rest[3:]):
            return None
        host = rest[2].replace("_", ":")
        remote = socket_address(host if len(rest) == 4 else f"{host}%{rest[4]}", int(rest[3]))
        return None if remote is None else Flow(endpoint, remote)

    def token(self, flow: Flow) -> str:
        """The token of a flow: digest and name, fit for the user part or a parameter of a URI."""
        name = self.name(flow)
        return self._digest(name) + name

    def find(self, token: str) -> Flow | None:
        """The flow of a token of ours, None where it is gone (RFC 5626 §5.3.1: 430). Raises `ForgedToken` where we never made it."""
        name = token[_DIGEST_DIGITS:]
        if not hmac.compare_digest(self._digest(name).encode(), token[:_DIGEST_DIGITS].encode("utf-8", "surrogateescape")):
            raise ForgedToken(token)
        return self.named(name)

    def _digest(self, name: str) -> str:
        return hmac.digest(self._key, name.encode("utf-8", "surrogateescape"), "sha256")[:_DIGEST_BYTES].hex()


def _coded(host: str) -> str:
    """A numeric address without the colons, which no user part may hold, and without its zone."""
    return host.partition("%")[0].replace(":", "_")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 15
