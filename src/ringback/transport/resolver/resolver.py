"""Where a SIP URI leads: transport, address and port, and where else if that fails (RFC 3263 §4)."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from hashlib import blake2b
from math import inf

from ringback.address import Endpoint, Target, host_port
from ringback.transport.complaint import Complaints
from ringback.transport.resolver.failures import Failures
from ringback.transport.resolver.hop import Hop, numeric_host
from ringback.transport.resolver.inquiry import Asked, Inquiry, has_faults, holding
from ringback.transport.resolver.lookups import MOST_REMEMBERED, Found, Lookups, Remembered
from ringback.transport.resolver.nameservers import NameServers
from ringback.transport.resolver.preference import EVERYWHERE, Source, source
from ringback.transport.resolver.records import Questions
from ringback.transport.resolver.srv import Chance, Choice, Way
from ringback.transport.resolver.walk import Speaking, Walk, default_transport

# The order in which transports are preferred where a domain does not say (RFC 3263 §4.1 has UDP first for sip, TLS for sips).
_PREFERENCE = ("UDP", "TCP", "TLS", "WS", "WSS")

Resolved = Callable[[list[Target]], None]


class Resolver:
    """Knows numeric hosts and recent names at once; asks for others; remembers which servers failed."""

    def __init__(
        self,
        questions: Questions | None = None,
        *,
        patience: float = 5.0,
        chance: Chance | None = None,
        report: Callable[[str], None] | None = None,
    ) -> None:
        """`questions` are put to the system's name servers unless another answers them, or the loop has `names` of its own, as simulated
        time has.

        `patience` is how long each question may take, in seconds; `chance` draws servers by weight; `report` gets lines for the operator.
        """
        self._questions = questions
        self._patience = patience
        self._chance = chance or secrets.SystemRandom().random
        self._speaking: Speaking = dict.fromkeys(_PREFERENCE, EVERYWHERE)
        self._uris: dict[str, Remembered[Way]] = {}
        self._ways = Lookups(self._find, Way(()))
        self._failures = Failures()
        self._report = report
        self._complain = None if report is None else Complaints(report)
        self._offered_tls: set[str] = set()

    def inquiry(self) -> Inquiry:
        """Questions to be put to whoever this resolver asks."""
        if self._questions is None:
            self._questions = getattr(asyncio.get_running_loop(), "names", None) or NameServers()
        return Inquiry(self._questions, self._patience)

    def speak(self, endpoints: Sequence[Endpoint]) -> None:
        """Takes what is listened on: no other transport and IP version is looked for."""
        spoken: dict[str, set[Source]] = {}
        for endpoint in endpoints:
            spoken.setdefault(endpoint.transport, set()).add(source(endpoint.host))
        if spoken:
            order = sorted(spoken, key=lambda transport: _PREFERENCE.index(transport) if transport in _PREFERENCE else len(_PREFERENCE))
            self._speaking = {transport: frozenset(spoken[transport]) for transport in order}
            self._forget()

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
        targets = known.value.fixed
        if targets is None:
            targets = known.value.targets(self._chance)
        return self._failures.last(targets, now) if self._failures.until else targets

    def stable(self, text: str, key: str, now: float) -> list[Target] | None:
        """As `known`, but in an order that depends on the records and `key` alone: so a stateless proxy has one server for a transaction.

        What has failed does not count (RFC 3263 §4.4).
        """
        known = self._uris.get(text)
        if known is None or known.until <= now:
            known = self._way_of(text, now)
            if known is None:
                return None
        if known.value.fixed is not None:
            return known.value.fixed
        draws = 0

        def chance() -> float:
            nonlocal draws
            draws += 1
            digest = blake2b(f"{draws} {key}".encode("utf-8", "surrogateescape"), digest_size=6).digest()
            return int.from_bytes(digest, "big") / 2**48

        return known.value.targets(chance)

    def _way_of(self, text: str, now: float) -> Remembered[Way] | None:
        """What is known of a URI that was not asked for lately."""
        hop = Hop.of(text)
        known = self._ways.known(hop, now)
        if known is None:
            host = numeric_host(hop.name)
            if host is None:
                return None
            known = Remembered(self._numeric(hop, host), inf, inf)
        if len(self._uris) >= MOST_REMEMBERED:
            self._uris.clear()
        self._uris[text] = known
        return known

    def _numeric(self, hop: Hop, host: str) -> Way:
        transport = hop.transport or default_transport(self._speaking, is_secure=hop.is_secure)
        return Way([Choice(0, 0, (hop.target(transport, host),))])

    def ask(self, text: str, resolved: Resolved) -> None:
        """Looks for the way and calls `resolved(targets)` once it is known; an empty list says that the URI leads nowhere.

        Never calls back at once. Raises `SipParseError` where the text is no SIP URI.
        """
        loop = asyncio.get_running_loop()

        def found(way: Way) -> None:
            targets = way.targets(self._chance)
            resolved(self._failures.last(targets, loop.time()) if self._failures.until else targets)

        self._ways.ask(Hop.of(text), found)

    async def look(self, text: str) -> tuple[Way, list[Asked]]:
        """Asks for the way of a URI, whatever is known of it; gives it, and every question with its answer. Raises `SipParseError`."""
        hop = Hop.of(text)
        host = numeric_host(hop.name)
        return (self._numeric(hop, host), []) if host is not None else await self._walk(hop)

    async def _walk(self, hop: Hop) -> tuple[Way, list[Asked]]:
        inquiry = self.inquiry()
        walk = Walk(hop, inquiry, self._speaking)
        way = await walk.way()
        if walk.offers_tls is not None and self._report is not None and not has_faults(inquiry.asked):
            self._compare(hop.name, walk.offers_tls, self._report)
        if self._complain is not None and (complaint := walk.complaint(way)):
            self._complain(*complaint)
        return way, inquiry.asked

    def _compare(self, name: str, offers_tls: bool, report: Callable[[str], None]) -> None:
        """Tells of a domain that has its calls come in the clear of a sudden: somebody may have forged its records (RFC 3263 §7)."""
        if offers_tls:
            if len(self._offered_tls) >= MOST_REMEMBERED:
                self._offered_tls.clear()
            self._offered_tls.add(name)
        elif name in self._offered_tls:
            self._offered_tls.discard(name)
            report(f"{name} offered TLS in its NAPTR records and does so no more: it may be forged, calls go there without (RFC 3263 §7)")

    async def _find(self, hop: Hop) -> Found[Way]:
        way, asked = await self._walk(hop)
        return Found(way, holding(asked), has_faults(asked))

    def failed(self, target: Target, now: float, retry_after: float | None = None) -> None:
        """Takes note that a server could not be reached, did not answer or said 503: for 30 s others are tried before it (RFC 3263 §4.3).

        `retry_after` is what a 503 asked for in seconds: then `rest` says so, a minute at most.
        """
        is_news = self._failures.failed(target, now, retry_after)
        if is_news and self._report is not None:
            what = "has failed" if retry_after is None else f"asks to be left alone for {retry_after:.0f} s"
            self._report(f"{target.transport} {host_port(target.host, target.port)} {what}: other servers come first for a while")

    def succeeded(self, target: Target) -> None:
        """Takes note that a server has answered."""
        if self._failures.until:
            self._failures.succeeded(target)

    def rest(self, target: Target, now: float) -> float | None:
        """For how many seconds yet a server asked to be left alone (RFC 3261 §21.5.4): it should get no request outside dialogs."""
        return self._failures.rest(target, now) if self._failures.until else None

    def turn_to(self, questions: Questions | None, patience: float) -> None:
        """Puts every question anew, and to somebody else or with other settings; what is known stands in where nobody answers."""
        self._questions = questions
        self._patience = patience
        self._forget()

    def _forget(self) -> None:
        self._uris.clear()
        self._ways.forget()

    def close(self) -> None:
        """Abandons what was asked and not answered."""
        self._ways.close()
        if self._questions is not None:
            self._questions.close()
