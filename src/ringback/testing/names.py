"""Names of a simulated world: what its DNS says of them, and what was asked (RFC 3263)."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from ringback.transport.resolver.records import Answer, Naptr, Srv, UnansweredError


class Names:
    """The DNS of a `SimulatedTimeLoop`, as its `names`: everything on that loop that looks for a SIP server asks here.

        loop.names.add("_sip._udp.example.com", Srv(0, 0, 5060, "one.example.com"), Srv(1, 0, 5060, "two.example.com"))
        loop.names.add("one.example.com", "192.0.2.1")

    Nothing is asked outside: a host that was not added is looked for by the loop's `getaddrinfo` where somebody gave it one of his own,
    and is not known otherwise. `silent` names get no answer, for
    `broken` ones the answer is that the server failed. `ttl` is for how many seconds records count, `delay` how long an answer takes.
    """

    def __init__(self) -> None:
        self.silent: set[str] = set()
        self.broken: set[str] = set()
        self.ttl = 300.0
        self.delay = 0.0
        self.asked: list[str] = []
        """Every question, such as `SRV _sip._udp.example.com`."""
        self._records: dict[tuple[str, str], list[Any]] = {}

    def add(self, name: str, *records: Naptr | Srv | str) -> None:
        """Adds records to a name; a text is an address."""
        kinds = {Naptr: "NAPTR", Srv: "SRV", str: "A"}
        for record in records:
            self._records.setdefault((kinds[type(record)], name), []).append(record)

    def remove(self, name: str) -> None:
        """Takes every record of a name away."""
        for kind in ("NAPTR", "SRV", "A"):
            self._records.pop((kind, name), None)

    async def naptr(self, name: str) -> Answer[Naptr]:
        """The NAPTR records of a name."""
        return await self._answer("NAPTR", name)

    async def srv(self, name: str) -> Answer[Srv]:
        """The SRV records of a name."""
        return await self._answer("SRV", name)

    async def addresses(self, name: str, families: frozenset[int]) -> Answer[str]:
        """The addresses of a host."""
        answer = await self._answer("A", name)
        found = answer.records
        loop = asyncio.get_running_loop()
        if not found and "getaddrinfo" in vars(loop):
            try:
                infos = await loop.getaddrinfo(name, None, type=socket.SOCK_DGRAM)
            except (OSError, UnicodeError):
                return answer
            found = tuple(str(info[4][0]) for info in infos)
        return Answer(tuple(address for address in found if (6 if ":" in address else 4) in families), self.ttl)

    async def _answer(self, kind: str, name: str) -> Answer[Any]:
        self.asked.append(f"{kind} {name}")
        if name in self.silent:
            await asyncio.get_running_loop().create_future()
        if self.delay:
            await asyncio.sleep(self.delay)
        if name in self.broken:
            raise UnansweredError("the name server failed")
        records = self._records.get((kind, name))
        return Answer(()) if records is None else Answer(tuple(records), self.ttl)

    def close(self) -> None:
        """Does nothing: the names are the loop's."""
