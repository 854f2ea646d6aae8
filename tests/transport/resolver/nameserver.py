"""An authoritative name server on loopback, which behaves as a test has it (dnspython)."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import cast

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

Query = dns.message.QueryMessage
Answers = Iterable[bytes]
Behaviour = Callable[["NameServer", Query, bool], Answers]
"""The octets that answer a query, in their order; the last argument says whether it came over TCP."""


def plain(server: NameServer, query: Query, _is_tcp: bool) -> Answers:
    """Answers as it should."""
    return [server.response(query).to_wire(max_size=65535)]


class NameServer(asyncio.DatagramProtocol):
    """Knows `records` by name and type, in the zone file's own words; a name without any does not exist."""

    def __init__(self, behaviour: Behaviour = plain) -> None:
        self.behaviour = behaviour
        self.records: dict[tuple[str, str], list[str]] = {}
        self.ttl = 300
        self.asked: list[str] = []
        self.address = ""
        self._transport: asyncio.DatagramTransport

    def add(self, name: str, kind: str, *records: str) -> NameServer:
        """Adds records to a name."""
        self.records.setdefault((name, kind), []).extend(records)
        return self

    def response(self, query: Query) -> dns.message.Message:
        """What is true: the records asked for, a CNAME and where it leads, or that there is no such name."""
        response = dns.message.make_response(query, recursion_available=True)
        response.flags |= dns.flags.AA
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        for _ in range(10):
            if found := self.records.get((name, kind)):
                response.answer.append(dns.rrset.from_text_list(f"{name}.", self.ttl, "IN", kind, found))
                return response
            if not (alias := self.records.get((name, "CNAME"))):
                break
            response.answer.append(dns.rrset.from_text_list(f"{name}.", self.ttl, "IN", "CNAME", alias))
            name = alias[0].rstrip(".").lower()
        if not any(known == name for known, _ in self.records):
            response.set_rcode(dns.rcode.NXDOMAIN)
        soa = "ns.test. hostmaster.test. 1 3600 600 86400 1"
        response.authority.append(dns.rrset.from_text("test.", 1, "IN", "SOA", soa))
        return response

    def _answers(self, octets: bytes, *, is_tcp: bool) -> Answers:
        query = dns.message.from_wire(octets)
        question = query.question[0]
        self.asked.append(f"{dns.rdatatype.to_text(question.rdtype)} {question.name.to_text(omit_final_dot=True).lower()}")
        return self.behaviour(self, query, is_tcp)  # type: ignore[arg-type]  # a query, or dnspython would have raised

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Python 3.11's own datagram transport is no `DatagramTransport`.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        for answer in self._answers(data, is_tcp=False):
            self._transport.sendto(answer, addr)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                for answer in self._answers(await reader.readexactly(length), is_tcp=True):
                    writer.write(struct.pack("!H", len(answer)) + answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[NameServer]:
        """Listens on loopback, over UDP and TCP at one port."""
        loop = asyncio.get_running_loop()
        for _ in range(20):
            tcp = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            port = tcp.sockets[0].getsockname()[1]
            try:
                await loop.create_datagram_endpoint(lambda: self, ("127.0.0.1", port))
                break
            except OSError:
                tcp.close()
        self.address = f"127.0.0.1:{port}"
        try:
            yield self
        finally:
            self._transport.close()
            tcp.close()
            await tcp.wait_closed()
