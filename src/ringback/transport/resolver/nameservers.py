"""Name servers, asked by way of c-ares: those of the system or others; /etc/hosts and `localhost` count as everywhere."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Sequence
from typing import Any

import aiodns
import pycares

from ringback.address import host_port
from ringback.transport.resolver.hop import numeric_host
from ringback.transport.resolver.preference import is_near
from ringback.transport.resolver.records import Answer, Naptr, R, Srv, UnansweredError

# There is no such name, no such record, or it is no name that anybody could have: that is an answer.
_NONE = frozenset((pycares.errno.ARES_ENOTFOUND, pycares.errno.ARES_ENODATA, pycares.errno.ARES_EBADNAME))
_FAMILIES = {frozenset((4,)): socket.AF_INET, frozenset((6,)): socket.AF_INET6}
_AS_ANSWERED = 1 << 7
"""ARES_AI_NOSORT, for which the binding has no name."""
_UNSPECIFIED = frozenset(("0.0.0.0", "::"))


def nameserver(text: str) -> str:
    """A name server as ADDRESS:PORT, port 53 unless named; raises `ValueError`, whose text says what it should be."""
    host, port = text, "53"
    if "]:" in text or text.count(":") == 1:
        host, _, port = text.rpartition(":")
    address = numeric_host(host.removeprefix("[").removesuffix("]"))
    if address is None or not (port.isascii() and port.isdigit() and 0 < int(port[:6]) <= 65535):
        raise ValueError("is no name server; allowed is an address such as 192.0.2.53, 127.0.0.1:5353 or [2001:db8::53]:53")
    return host_port(address, int(port))


class NameServers:
    """Questions put to name servers; which ones, is read from the system's settings unless `servers` says it."""

    def __init__(self, servers: Sequence[str] = (), timeout: float = 2.0, tries: int = 2) -> None:
        """`servers` are such as `nameserver` gives; each is given `timeout` seconds, then the next one is asked, `tries` times round."""
        self._servers = servers
        self._timeout = timeout
        self._tries = tries
        self._cares: aiodns.DNSResolver | None = None
        self._files: aiodns.DNSResolver | None = None

    # Not before there is something to ask: whoever deals with numeric addresses alone needs no thread of c-ares'.

    def _open(self) -> aiodns.DNSResolver:
        if self._cares is None:
            self._cares = _channel(nameservers=self._servers, timeout=self._timeout, tries=self._tries)
        return self._cares

    def _open_files(self) -> aiodns.DNSResolver:
        if self._files is None:
            self._files = _channel(lookups="f")
        return self._files

    async def naptr(self, name: str) -> Answer[Naptr]:
        """The NAPTR records of a name."""
        records = []
        ttls = []
        for found in await self._query(name, "NAPTR"):
            data = found.data
            if isinstance(data, pycares.NAPTRRecordData):
                flags, service, regexp = (_text(text) for text in (data.flags, data.service, data.regexp))
                records.append(Naptr(data.order, data.preference, flags, service, regexp, _name(data.replacement)))
                ttls.append(found.ttl)
        return _answer(records, ttls)

    async def srv(self, name: str) -> Answer[Srv]:
        """The SRV records of a name."""
        records = []
        ttls = []
        for found in await self._query(name, "SRV"):
            data = found.data
            if isinstance(data, pycares.SRVRecordData):
                records.append(Srv(data.priority, data.weight, data.port, _name(data.target)))
                ttls.append(found.ttl)
        return _answer(records, ttls)

    async def addresses(self, name: str, families: frozenset[int]) -> Answer[str]:
        """The numeric addresses of a host, in the order in which they were answered."""
        family = _FAMILIES.get(families, socket.AF_UNSPEC)
        found = await _unless_none(self._open().getaddrinfo(name, family, type=socket.SOCK_DGRAM, flags=_AS_ANSWERED))
        records = []
        ttls = []
        for node in found.nodes if found is not None else ():
            address = node.addr[0].decode("ascii")
            # To send there would be to send to ourselves.
            if address not in _UNSPECIFIED:
                records.append(address)
                ttls.append(node.ttl)
        is_local = any(is_near(address) for address in records) and await self._is_local(name)
        return _answer(records, ttls)._replace(is_local=is_local)

    async def _is_local(self, name: str) -> bool:
        """Whether /etc/hosts has the name, or it needs nobody's word (RFC 6761 §6.3)."""
        if name == "localhost" or name.endswith(".localhost"):
            return True
        try:
            return await _unless_none(self._open_files().getaddrinfo(name, type=socket.SOCK_DGRAM)) is not None
        except UnansweredError:
            return False

    async def _query(self, name: str, kind: str) -> Sequence[pycares.DNSRecord]:
        found = await _unless_none(self._open().query_dns(name, kind))
        return () if found is None else found.answer

    def close(self) -> None:
        """Gives up what is asked and not answered, and the thread with it."""
        for cares in (self._cares, self._files):
            if cares is not None:
                cares.cancel()
        self._cares = self._files = None


def _channel(**options: Any) -> aiodns.DNSResolver:
    try:
        return aiodns.DNSResolver(loop=asyncio.get_running_loop(), **options)
    except pycares.AresError as error:
        raise UnansweredError(str(error)) from None


async def _unless_none(question: Awaitable[R]) -> R | None:
    """What was found; None where there is nothing."""
    try:
        return await question
    except aiodns.error.DNSError as error:
        if error.args[0] in _NONE:
            return None
        raise UnansweredError(str(error.args[1])) from None


def _text(found: str | bytes) -> str:
    """A character-string as text; c-ares' binding leaves octets what is not ASCII."""
    return found if isinstance(found, str) else found.decode("utf-8", "surrogateescape")


def _name(found: str) -> str:
    return found.rstrip(".")


def _answer(records: Sequence[R], ttls: Sequence[int]) -> Answer[R]:
    return Answer(tuple(records), min(ttls, default=None))
