"""TLS from peers that break it, break off, or do not read: each connection ends, each fault is one line, nothing else happens (V10)."""

from __future__ import annotations

import asyncio
import gc
import random
import socket
import ssl
import struct
from pathlib import Path
from typing import Any

import pytest

from ringback.transport import StreamLimits
from ringback.transport.tls import Contexts
from ringback.transport.tls.stream import TlsStream
from tests.transport.party import eventually, options, party, peer, read_to_end, write
from tests.transport.tls.authority import Authority

pytestmark = pytest.mark.asyncio


class Client:
    """A client's side of TLS without a socket: what it would send, octet for octet."""

    def __init__(self, authority: Authority) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.create_default_context(cafile=authority.file)
        self.is_done = False
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="pbx.example")

    def shake(self, octets: bytes = b"") -> bytes:
        """Takes what came; gives what is to be sent."""
        self.incoming.write(octets)
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        else:
            self.is_done = True
        return self.outgoing.read()

    def say(self, octets: bytes) -> bytes:
        """Enciphers."""
        self.tls.write(octets)
        return self.outgoing.read()


async def shaken(sock: socket.socket, client: Client) -> None:
    """The whole handshake over a socket."""
    await write(sock, client.shake())
    while not client.is_done:
        await write(sock, client.shake(await asyncio.get_running_loop().sock_recv(sock, 65_536)))


def reset(sock: socket.socket) -> None:
    """Has the socket reset its connection when it is closed."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("seed", range(20))
async def test_octets_that_change_on_the_way_end_the_connection_and_nothing_else(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    authority = Authority(tmp_path)
    async with party("TLS", tls=Contexts([authority.issue("DNS:pbx.example")])) as (server, [endpoint]):
        for stage in ("hello", "message"):
            with peer(endpoint.port) as sock:
                client = Client(authority)
                if stage == "message":
                    await shaken(sock, client)
                    octets = bytearray(client.say(options()))
                else:
                    octets = bytearray(client.shake())
                for _ in range(chance.randint(1, 3)):
                    octets[chance.randrange(len(octets))] = chance.randrange(256)
                before = len(server.messages)
                await write(sock, bytes(octets[: chance.randint(1, len(octets))]))
                sock.shutdown(socket.SHUT_WR)
                await read_to_end(sock)
            assert len(server.messages) == before
        await eventually(lambda: server.transports.counts.connections == 0)
        assert server.failures == [] or {reason.partition(":")[0] for _, reason in server.failures} == {"TLS"}
    assert faults == []


@pytest.mark.parametrize("stage", ["nothing", "half a hello", "hello", "handshake", "message"])
@pytest.mark.parametrize("is_reset", [True, False])
async def test_peers_that_break_off_leave_nothing_behind(tmp_path: Path, stage: str, is_reset: bool) -> None:
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    authority = Authority(tmp_path)
    async with party("TLS", tls=Contexts([authority.issue("DNS:pbx.example")])) as (server, [endpoint]):
        server.answer = lambda _, flow: server.transports.send(options("answer"), flow)
        for _ in range(5):
            with peer(endpoint.port) as sock:
                client = Client(authority)
                match stage:
                    case "half a hello":
                        await write(sock, client.shake()[:50])
                    case "hello":
                        await write(sock, client.shake())
                    case "handshake":
                        await shaken(sock, client)
                    case "message":
                        await shaken(sock, client)
                        await write(sock, client.say(options() * 10))
                if is_reset:
                    reset(sock)
        await eventually(lambda: server.transports.counts.connections == 0)
        if stage == "message" and not is_reset:
            await server.messages_to_be(50)
    assert faults == []


async def test_a_connection_that_is_over_leaves_nothing_to_the_garbage_collector(tmp_path: Path) -> None:
    """Twenty kilobytes each, of which the collector sees next to nothing, so that it would come late."""
    authority = Authority(tmp_path)
    async with party("TLS", tls=Contexts([authority.issue("DNS:pbx.example")])) as (server, [endpoint]):
        gc.collect()
        gc.disable()
        try:
            for ending in ("handshake", "message", "nothing", "garbage"):
                with peer(endpoint.port) as sock:
                    client = Client(authority)
                    if ending == "garbage":
                        await write(sock, b"garbage")
                    elif ending != "nothing":
                        await shaken(sock, client)
                        await write(sock, client.say(options()) if ending == "message" else b"")
                        await eventually(lambda: server.transports.counts.connections == 1)
                await eventually(lambda: server.transports.counts.connections == 0)
            await asyncio.sleep(0.01)
            assert [one for one in gc.get_objects() if isinstance(one, TlsStream)] == []
        finally:
            gc.enable()


async def test_a_peer_that_does_not_read_is_cut_off(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    limits = StreamLimits(write_bytes=100_000, sweep=0.02)
    async with party("TLS", tls=Contexts([authority.issue("DNS:pbx.example")]), limits=limits) as (server, [endpoint]):
        with peer(endpoint.port) as sock:
            client = Client(authority)
            await shaken(sock, client)
            await write(sock, client.say(options()))
            await server.messages_to_be(1)
            for _ in range(1_000):
                if server.failures:
                    break
                server.transports.send(options(body=b"x" * 50_000), server.flows[0])
                await asyncio.sleep(0)
            await server.failures_to_be(1)
        assert server.failures[0][1] == "Peer does not read"
        assert server.transports.counts.overdue == 1
        await eventually(lambda: server.transports.counts.connections == 0)
