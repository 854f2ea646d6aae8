"""Whoever watches connections hears of each one's end, whoever ended it and how."""

import asyncio
import socket
import struct

import pytest

from ringback.address import Flow, Target
from tests.transport.party import Party, options, party, peer, write

pytestmark = pytest.mark.asyncio


async def closed_flows(server: Party, count: int = 1) -> list[Flow]:
    closed: list[Flow] = []
    heard = asyncio.Event()

    def hear(flow: Flow) -> None:
        closed.append(flow)
        heard.set()

    server.transports.watch(hear)
    async with asyncio.timeout(10):
        while len(closed) < count:
            heard.clear()
            await heard.wait()
    return closed


@pytest.mark.parametrize("is_reset", [False, True])
async def test_the_end_of_an_accepted_connection_is_told(is_reset: bool) -> None:
    async with party("TCP") as (server, [endpoint]):
        with peer(endpoint.port) as sock:
            await write(sock, options())
            await server.messages_to_be(1)
            if is_reset:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert await closed_flows(server) == server.flows
        assert bool(server.failures) is is_reset


async def test_so_is_that_of_one_that_was_never_opened() -> None:
    async with party("TCP") as (server, _), party("TCP") as (_, [others]):
        free = others.port
    async with party("TCP") as (server, _):
        flow = server.transports.flow_to(Target("TCP", "127.0.0.1", free))
        assert flow is not None
        server.transports.send(options(), flow)
        assert await closed_flows(server) == [flow]
