"""The questions that lead from a name to its servers: NAPTR, then SRV, then addresses (RFC 3263 §4.1, §4.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from ringback.address import SECURE
from ringback.transport.resolver.hop import Hop, numeric_host
from ringback.transport.resolver.inquiry import Inquiry
from ringback.transport.resolver.naptr import services, transport_of
from ringback.transport.resolver.preference import Source, credible, preferred
from ringback.transport.resolver.records import Naptr, Srv
from ringback.transport.resolver.srv import Choice, Way

# Choices: whoever publishes more than this is heard in part.
_MOST_SERVERS = 32
_MOST_ADDRESSES = 16

_LABELS = {"UDP": "_sip._udp", "TCP": "_sip._tcp", "TLS": "_sips._tcp"}
"""Where SRV records of a transport stand. RFC 7118 gives WebSocket none."""

Speaking = Mapping[str, frozenset[Source]]
"""The transports spoken, the preferred first, each with what it is spoken from."""

_Host = tuple[str, frozenset[Source]]
_Service = tuple[str, Sequence[Srv]]


def default_transport(speaking: Speaking, *, is_secure: bool) -> str:
    """What a URI means that names no transport: UDP, or TLS for sips (§4.1); who does not speak that uses what he speaks."""
    spoken = [transport for transport in speaking if transport in SECURE or not is_secure]
    return spoken[0] if spoken else ("TLS" if is_secure else "UDP")


class Walk:
    """One walk from a hop to a way."""

    def __init__(self, hop: Hop, inquiry: Inquiry, speaking: Speaking) -> None:
        self.hop = hop
        self.offers_tls: bool | None = None
        """Whether the domain's NAPTR records offer TLS; None where they were not asked for."""
        self._inquiry = inquiry
        self._speaking = speaking
        self._most_named = 0

    def complaint(self, way: Way) -> tuple[str, str] | None:
        """What the operator should know of a walk that is over: what kind of thing that is, and a line."""
        hop = self.hop
        unanswered = next((one for one in self._inquiry.asked if one.fault is not None), None)
        if unanswered is not None:
            end = "" if way.choices else ", no server was found"
            return "no answer", f"looking for {hop.name}{end}: {unanswered.kind} {unanswered.name}: {unanswered.fault}"
        if not way.choices:
            spoken = hop.transport is None or hop.transport in self._speaking
            reason = "the DNS names none that can be reached from here" if spoken else f"{hop.transport} is not spoken here"
            return "no server", f"looking for {hop.name}, no server was found: {reason}"
        if self._most_named > _MOST_SERVERS:
            return "too many servers", f"{hop.name} names {self._most_named} servers: the first {_MOST_SERVERS} count"
        return None

    async def way(self) -> Way:
        """Where the hop leads; a way without targets where that is nowhere."""
        hop = self.hop
        if hop.transport is not None and hop.transport not in self._speaking:
            return Way(())
        transport = hop.transport or default_transport(self._speaking, is_secure=hop.is_secure)
        if hop.port is not None:
            return await self._own_addresses(transport)
        if hop.transport is not None:
            transports = [transport]
        else:
            transports = [spoken for spoken in self._speaking if spoken in SECURE or not hop.is_secure]
            naptr = await self._inquiry.naptr(hop.name)
            self.offers_tls = any(transport_of(record) in SECURE for record in naptr.records)
            for group in services(naptr.records, transports, is_secure=hop.is_secure):
                if choices := await self._choices(await self._named_services(group)):
                    return Way(choices)
        found = await self._services([(spoken, f"{_LABELS[spoken]}.{hop.name}") for spoken in transports if spoken in _LABELS])
        for service in found:
            if choices := await self._choices([service]):
                return Way(choices)
        # RFC 2782: a domain that has SRV records is nowhere else, even where they say that there is no such service.
        return Way(()) if found else await self._own_addresses(transport)

    async def _own_addresses(self, transport: str) -> Way:
        hop = self.hop
        return Way(await self._choices([(transport, [Srv(0, 0, hop.port or 0, hop.name)])]))

    async def _named_services(self, group: Sequence[tuple[str, Naptr]]) -> list[_Service]:
        """What the NAPTR records of one order stand for: SRV records by flag "s", a host by flag "a" (RFC 3404 §4.2)."""
        found = await self._services([(transport, record.replacement) for transport, record in group if record.flags in "sS"])
        hosts = [(transport, [Srv(0, 0, 0, record.replacement)]) for transport, record in group if record.flags in "aA"]
        return found + hosts

    async def _services(self, places: Sequence[tuple[str, str]]) -> list[_Service]:
        """The SRV records of each place that has any, asked for all at once."""
        answers = await asyncio.gather(*[self._inquiry.srv(name) for _, name in places])
        return [
            # Nothing can be sent to port 0.
            (transport, [record for record in answer.records if record.target and record.port])
            for (transport, _), answer in zip(places, answers, strict=True)
            if answer.records
        ]

    async def _choices(self, found: Iterable[_Service]) -> list[Choice]:
        """Every server of these services with its targets: service by service, by priority within each."""
        servers = [(place, transport, record) for place, (transport, records) in enumerate(found) for record in records]
        servers.sort(key=lambda server: (server[0], server[2].priority))
        self._most_named = max(self._most_named, len(servers))
        del servers[_MOST_SERVERS:]
        hosts = await self._hosts((record.target, self._speaking[transport]) for _, transport, record in servers)
        ranks = {rank: number for number, rank in enumerate(dict.fromkeys((place, record.priority) for place, _, record in servers))}
        choices = []
        for place, transport, record in servers:
            addresses = hosts.get((record.target, self._speaking[transport]), ())
            targets = tuple(self.hop.target(transport, address, record.port) for address in addresses)
            if targets:
                choices.append(Choice(ranks[place, record.priority], record.weight, targets))
        return choices

    async def _hosts(self, wanted: Iterable[_Host]) -> dict[_Host, Sequence[str]]:
        """The addresses of hosts, asked for all at once."""
        found: dict[_Host, Sequence[str]] = {}
        names = []
        for host in dict.fromkeys(wanted):
            numeric = numeric_host(host[0])
            if numeric is None:
                names.append(host)
            else:
                found[host] = (numeric,)
        questions = [self._inquiry.addresses(name, frozenset(source.version for source in sources)) for name, sources in names]
        for host, answer in zip(names, await asyncio.gather(*questions), strict=True):
            addresses = answer.records if answer.is_local else credible(answer.records, host[1])
            found[host] = preferred(addresses[:_MOST_ADDRESSES], host[1])
        return found
