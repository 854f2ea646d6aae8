"""A zone in a dictionary: it answers a resolver's questions in a test and remembers them."""

from __future__ import annotations

import asyncio
from typing import Any

from ringback.address import Target
from ringback.transport.resolver import Resolver
from ringback.transport.resolver.records import Answer, Naptr, Srv, UnansweredError


class Zone:
    """`records` are what it knows by kind and name; `silent` names get no answer, `broken` ones a failure; all others do not exist."""

    def __init__(self, *, ttl: float = 300.0, delay: float = 0.01) -> None:
        self.records: dict[tuple[str, str], list[Any]] = {}
        self.silent: set[str] = set()
        self.broken: set[str] = set()
        self.ttl = ttl
        self.delay = delay
        self.asked: list[str] = []
        """Every question, such as `SRV _sip._udp.example.com`."""
        self.is_closed = False

    def add(self, name: str, *records: Naptr | Srv | str) -> None:
        """Adds records of one kind to a name; a text is an address."""
        kinds = {Naptr: "NAPTR", Srv: "SRV", str: "A"}
        for record in records:
            self.records.setdefault((kinds[type(record)], name), []).append(record)

    async def _answer(self, kind: str, name: str) -> Answer[Any]:
        self.asked.append(f"{kind} {name}")
        await asyncio.sleep(1e6 if name in self.silent else self.delay)
        if name in self.broken:
            raise UnansweredError("DNS server returned general failure")
        records = self.records.get((kind, name))
        return Answer(()) if records is None else Answer(tuple(records), self.ttl)

    async def naptr(self, name: str) -> Answer[Naptr]:
        return await self._answer("NAPTR", name)

    async def srv(self, name: str) -> Answer[Srv]:
        return await self._answer("SRV", name)

    async def addresses(self, name: str, families: frozenset[int]) -> Answer[str]:
        answer = await self._answer("A", name)
        return answer._replace(records=tuple(a for a in answer.records if (6 if ":" in a else 4) in families))

    def close(self) -> None:
        self.is_closed = True


async def resolve(resolver: Resolver, uri: str) -> list[Target]:
    """Where a URI leads, asked for where that is not known."""
    loop = asyncio.get_running_loop()
    known = resolver.known(uri, loop.time())
    if known is not None:
        return known
    found: asyncio.Future[list[Target]] = loop.create_future()
    resolver.ask(uri, found.set_result)
    return await found
