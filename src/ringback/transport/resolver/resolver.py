"""Where a SIP URI leads: transport, address and port, and where else if that fails (RFC 3263 §4)."""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
from collections.abc import Callable, Sequence
from hashlib import blake2b
from math import inf

from ringback.address import Endpoint, Target
from ringback.transport.resolver.failures import Failures
from ringback.transport.resolver.hop import Hop, numeric_host
from ringback.transport.resolver.nameservers import NameServers
from ringback.transport.resolver.records import Questions
from ringback.transport.resolver.srv import Chance, Choice, Way
from ringback.transport.resolver.walk import Speaking, Walk, default_transport

# URIs whose way is known, and ways; all are forgotten when there are more. A choice: some megabytes at most.
_MOST_REMEMBERED = 10_000

# Ways looked for at the same time. A choice: beyond it somebody makes up names, and a URI leads nowhere for the moment.
_MOST_ASKED = 1000

# What has run out still counts while nobody can say what is true now (RFC 8767 §5): for a day, and after so many seconds of asking.
_STALE_FOR = 86_400.0
_STALE_AFTER = 1.8

# The order in which transports are preferred where a domain does not say (RFC 3263 §4.1 has UDP first for sip, TLS for sips).
_PREFERENCE = ("UDP", "TCP", "TLS", "WS", "WSS")
_BOTH = frozenset((4, 6))

Resolved = Callable[[list[Target]], None]


class _Known:
    """A way, until when it counts, and until when it may stand in for what nobody can say."""

    __slots__ = ("fixed", "stands_in_until", "until", "way")

    def __init__(self, way: Way, until: float, stands_in_until: float) -> None:
        self.way = way
        self.fixed = way.fixed
        self.until = until
        self.stands_in_until = stands_in_until


class Resolver:
    """Knows numeric hosts and recent names at once; asks for others; remembers which servers failed."""

    def __init__(self, questions: Questions | None = None, *, patience: float = 5.0, chance: Chance | None = None) -> None:
        """`questions` are put to the system's name servers unless another answers them, or the loop has `names` of its own, as simulated
        time has.

        `patience` is how long each question may take, in seconds; `chance` draws servers by weight.
        """
        self._questions = questions
        self._patience = patience
        self._chance = chance or secrets.SystemRandom().random
        self._speaking: Speaking = dict.fromkeys(_PREFERENCE, _BOTH)
        self._uris: dict[str, _Known] = {}
        self._ways: dict[Hop, _Known] = {}
        self._walks: dict[Hop, asyncio.Task[Way]] = {}
        self._failures = Failures()
        self._waiting: set[asyncio.Task[None]] = set()

    def speak(self, endpoints: Sequence[Endpoint]) -> None:
        """Takes what is listened on: no other transport and IP version is looked for."""
        spoken: dict[str, set[int]] = {}
        for endpoint in endpoints:
            address = ipaddress.ip_address(endpoint.host)
            spoken.setdefault(endpoint.transport, set()).add(address.version)
        if spoken:
            order = sorted(spoken, key=lambda transport: _PREFERENCE.index(transport) if transport in _PREFERENCE else len(_PREFERENCE))
            self._speaking = {transport: frozenset(spoken[transport]) for transport in order}
            self.forget()

    def known(self, text: str, now: float) -> list[Target] | None:
        """The targets of a URI in the order to try them, where no question is needed; None where `ask` must be called.

        Servers that failed a moment ago stand last. The list is not the caller's to change. Raises `SipParseError` where the text is no
        SIP URI.
        """
        known = self._uris.get(text)
        if known is None or known.until <= now:
            known = self._way_of(text, now)
            if known is None:
                return None
        targets = known.fixed
        if targets is None:
            targets = known.way.targets(self._chance)
        return self._failures.last(targets, now) if self._failures else targets

    def stable(self, text: str, key: str, now: float) -> list[Target] | None:
        """As `known`, but in an order that depends on the records and `key` alone: so a stateless proxy has one server for a transaction.

        What has failed does not count (RFC 3263 §4.4).
        """
        known = self._way_of(text, now)
        if known is None:
            return None
        draws = 0

        def chance() -> float:
            nonlocal draws
            draws += 1
            digest = blake2b(f"{draws} {key}".encode("utf-8", "surrogateescape"), digest_size=6).digest()
            return int.from_bytes(digest, "big") / 2**48

        return known.way.targets(chance)

    def _way_of(self, text: str, now: float) -> _Known | None:
        """What is known of a URI that was not asked for lately."""
        hop = Hop.of(text)
        known = self._ways.get(hop)
        if known is None:
            host = numeric_host(hop.name)
            if host is None:
                return None
            transport = hop.transport or default_transport(self._speaking, is_secure=hop.is_secure)
            known = _Known(Way([Choice(0, 0, (hop.target(transport, host),))]), inf, inf)
        elif known.until <= now:
            return None
        if len(self._uris) >= _MOST_REMEMBERED:
            self._uris.clear()
        self._uris[text] = known
        return known

    def ask(self, text: str, resolved: Resolved) -> None:
        """Looks for the way and calls `resolved(targets)` once it is known; an empty list says that the URI leads nowhere.

        Never calls back at once. Raises `SipParseError` where the text is no SIP URI.
        """
        task = asyncio.get_running_loop().create_task(self._ask(Hop.of(text), resolved))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def _ask(self, hop: Hop, resolved: Resolved) -> None:
        loop = asyncio.get_running_loop()
        walk = self._walks.get(hop)
        if walk is None and len(self._walks) < _MOST_ASKED:
            walk = self._walks[hop] = loop.create_task(self._walk(hop))
        if walk is None:
            resolved([])
            return
        stale = self._ways.get(hop)
        if stale is not None and stale.stands_in_until > loop.time():
            await asyncio.wait([walk], timeout=_STALE_AFTER)
            way = walk.result() if walk.done() else stale.way
        else:
            way = await asyncio.shield(walk)
        now = loop.time()
        targets = way.targets(self._chance)
        resolved(self._failures.last(targets, now) if self._failures else targets)

    async def _walk(self, hop: Hop) -> Way:
        """One walk for all who ask at the same time."""
        if self._questions is None:
            self._questions = getattr(asyncio.get_running_loop(), "names", None) or NameServers()
        walk = Walk(hop, self._questions, self._speaking, self._patience)
        try:
            way = await walk.way()
        finally:
            del self._walks[hop]
        now = asyncio.get_running_loop().time()
        until = now + walk.holds
        known = _Known(way, until, until + _STALE_FOR)
        stale = self._ways.get(hop)
        if walk.has_faults and stale is not None and stale.stands_in_until > now:
            known = _Known(stale.way, until, stale.stands_in_until)
        if len(self._ways) >= _MOST_REMEMBERED:
            self._ways.clear()
        self._ways[hop] = known
        return known.way

    def failed(self, target: Target, now: float, retry_after: float | None = None) -> None:
        """Takes note that a server could not be reached, did not answer or said 503: for 30 s others are tried before it (RFC 3263 §4.3).

        `retry_after` is what a 503 asked for in seconds: then `rest` says so, a minute at most.
        """
        self._failures.failed(target, now, retry_after)

    def succeeded(self, target: Target) -> None:
        """Takes note that a server has answered."""
        if self._failures:
            self._failures.succeeded(target)

    def rest(self, target: Target, now: float) -> float | None:
        """For how many seconds yet a server asked to be left alone (RFC 3261 §21.5.4): it should get no request outside dialogs."""
        return self._failures.rest(target, now) if self._failures else None

    def forget(self) -> None:
        """Forgets every way, so that each is asked for anew."""
        self._uris.clear()
        self._ways.clear()

    def close(self) -> None:
        """Abandons what was asked and not answered."""
        for task in [*self._waiting, *self._walks.values()]:
            task.cancel()
        if self._questions is not None:
            self._questions.close()
