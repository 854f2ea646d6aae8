"""The other hosts of a peer's name, for a response whose peer is gone (RFC 3263 §5, RFC 3261 §18.2.2)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from ringback.address import SECURE, Flow, Target, host_port
from ringback.message.errors import SipParseError
from ringback.message.fields.via import Via
from ringback.transport.resolver import numeric_host

if TYPE_CHECKING:
    from ringback.stack import Ways
    from ringback.transport.resolver import Resolver

# Responses on their way over a connection of their own; the oldest is forgotten. A choice: it bounds what is kept of them to a few MB.
_MOST = 64


class _Sent(NamedTuple):
    """A response, where its request came from, the URI of its sent-by, and the targets where it was refused."""

    octets: bytes
    source: str
    uri: str
    tried: frozenset[tuple[str, int]]


class StandIns:
    """Responses that went over a connection opened for them; one that cannot be had is followed by the next host of the sent-by's name."""

    def __init__(self, resolver: Resolver, ways: Ways) -> None:
        self._resolver = resolver
        self._ways = ways
        self._sent: dict[Flow, _Sent] = {}

    def sent(self, octets: bytes, via: Via, source: str, flow: Flow) -> None:
        """Takes note of a response that goes over `flow` because the connection from `source`, which its request came by, is closed."""
        if numeric_host(via.host) is None:
            scheme = "sips" if via.transport in SECURE else "sip"
            host = via.host if via.port is None else host_port(via.host, via.port)
            self._remember(_Sent(octets, source, f"{scheme}:{host};transport={via.transport.lower()}", frozenset()), flow)

    def _remember(self, sent: _Sent, flow: Flow) -> None:
        self._sent[flow] = sent._replace(tried=sent.tried | {(flow.host, flow.port)})
        if len(self._sent) > _MOST:
            del self._sent[next(iter(self._sent))]

    def failed(self, flow: Flow) -> None:
        """That flow could not be had."""
        sent = self._sent.pop(flow, None)
        if sent is None:
            return
        try:
            targets = self._resolver.known(sent.uri, asyncio.get_running_loop().time())
            if targets is None:
                self._resolver.ask(sent.uri, lambda found: self._go_on(sent, found, flow))
            else:
                self._go_on(sent, targets, flow)
        except SipParseError:
            return

    def _go_on(self, sent: _Sent, targets: list[Target], before: Flow) -> None:
        # Departs from RFC 3263 §5: only a name that leads to where the request came from is followed, or anybody could aim our responses at
        # third parties.
        if not any(target.host == sent.source for target in targets):
            return
        for target in targets:
            if (target.host, target.port) not in sent.tried:
                flow = self._ways.flow_to(target, before.endpoint)
                if flow is not None:
                    self._remember(sent, flow)
                    self._ways.send(sent.octets, flow)
                    return
