"""The gateways of a configuration: which trunk a request takes, and which ones after it (RFC 3261 §16.5)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from math import ceil
from typing import TYPE_CHECKING

from ringback.message.message import Request
from ringback.message.uri import SipUri, TelUri
from ringback.server.config.gateway import GatewayConfig
from ringback.server.gateway.probe import Probe
from ringback.server.gateway.trunk import Trunk
from ringback.server.proxy.destination import Destination
from ringback.server.proxy.routing import Forward, Gateway, Reject

if TYPE_CHECKING:
    from ringback.stack import Stack
    from ringback.transport.resolver import Resolver

# A probe that is not answered after so many seconds will not be: timer F is 64*T1, and nobody wants to wait for that (§17.1.2.2).
_PATIENCE = 4.0
# Trunks that one request tries at most: with four seconds of silence each, no caller waits for more.
_MOST_TRIED = 10


class Gateways:
    """All gateways by name."""

    def __init__(self, stack: Stack, resolver: Resolver, token: Callable[[], str], report: Callable[[str], None]) -> None:
        self.trunks: dict[str, list[Trunk]] = {}
        """The trunks of each gateway, in the order of the configuration."""
        self._stack = stack
        self._resolver = resolver
        self._token = token
        self._report = report
        self._configs: Mapping[str, GatewayConfig] = {}
        self._probes: list[Probe] = []
        self._has_begun = False
        self._exhausted: set[str] = set()

    def configure(self, configs: Mapping[str, GatewayConfig]) -> None:
        """Takes the tables of a configuration; what is known of trunks that stay, stays."""
        known = {(name, str(trunk.uri)): trunk for name, trunks in self.trunks.items() for trunk in trunks}
        self._configs = configs
        self.trunks = {}
        for name, config in configs.items():
            self.trunks[name] = trunks = [Trunk(name, trunk, config, self._report) for trunk in config.trunks]  # type: ignore[arg-type]
            for trunk in trunks:
                before = known.get((name, str(trunk.uri)))
                if before is not None:
                    trunk.inherit(before)
        if self._has_begun:
            self.close()
            self.begin()

    def begin(self) -> None:
        """Begins to probe, each trunk at a moment of its own."""
        self._has_begun = True
        for name, trunks in self.trunks.items():
            interval = self._configs[name].probe_seconds
            for index, trunk in enumerate(trunks if interval else ()):
                probe = Probe(trunk, self._stack, self._resolver, self._token, interval=interval, patience=min(_PATIENCE, interval))
                probe.begin(interval * index / len(trunks))
                self._probes.append(probe)

    def close(self) -> None:
        """Probes no more."""
        self._has_begun = False
        for probe in self._probes:
            probe.close()
        self._probes.clear()

    def forward(self, decision: Gateway, request: Request) -> Forward | Reject:
        """The trunk that a request takes, with the others as its alternatives; 480 where none is left, 500 where there is no such gateway.

        Each trunk gets as many calls as its weight says; all requests of one Call-ID take the same, as long as it is there.
        """
        name = decision.name
        config = self._configs.get(name)
        if config is None:
            self._report(f"no gateway is named {name}: the request is refused")
            return Reject(500, f"No Gateway {name}")
        now = asyncio.get_running_loop().time()
        key = request.call_id
        trunks = [trunk for trunk in self.trunks[name] if trunk.is_up(now)]
        if request.uri_text[:5].lower() == "sips:":
            # §26.2.2: what was asked for as sips goes nowhere in the clear.
            trunks = [trunk for trunk in trunks if trunk.uri.scheme == "sips"]
        if not trunks:
            return self._nobody(name, now)
        self._exhausted.discard(name)
        user, is_number = _called(request)
        if decision.user is not None:
            user = decision.user
        fails_on = frozenset((503, *config.fails_over_on))
        destinations = [
            Destination(trunk.target(user, is_number=is_number), fails_on=fails_on, ended=trunk.ended)
            for trunk in (sorted(trunks, key=lambda trunk: trunk.rank(key)) if len(trunks) > 1 else trunks)
        ]
        first = destinations[0]._replace(alternatives=tuple(destinations[1:_MOST_TRIED]))
        return Forward(
            first, ring_for=decision.ring_for, recurse=decision.recurse, stateless=decision.stateless, diverted=decision.diverted
        )

    def _nobody(self, name: str, now: float) -> Reject:
        if name not in self._exhausted:
            self._exhausted.add(name)
            self._report(f"gateway {name}: no trunk is left, calls are refused with 480")
        # Departs from RFC 3261 §16.9: no 503, which would have whoever asks leave this whole server alone for that time (§21.5.4).
        seconds = min((trunk.back_in(now) for trunk in self.trunks[name]), default=0.0)
        return Reject(480, "No Trunk Available", headers=[("Retry-After", str(max(ceil(seconds), 1)))])


def _called(request: Request) -> tuple[str | None, bool]:
    """Whom the Request-URI calls, and whether it is a tel URI that does."""
    uri = request.uri
    if isinstance(uri, TelUri):
        return uri.digits, True
    return (uri.user, uri.params.get("user") == "phone") if isinstance(uri, SipUri) else (None, False)
