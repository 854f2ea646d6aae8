"""Accepting where descriptors are scarce (EMFILE neither spins nor hurts UDP)."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
from collections.abc import Iterator

import pytest

from ringback.transport import StreamLimits, listener
from ringback.transport.listener import address_key, is_scarce
from tests.transport.party import eventually, options, party, peer, plain_udp


@pytest.fixture
def few_descriptors() -> Iterator[int]:
    """A limit that leaves 40 descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))
    filling = [os.dup(0)]
    while filling[-1] < highest:
        filling.append(os.dup(0))
    limit = filling[-1] + 40
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    yield limit
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for descriptor in filling:
        os.close(descriptor)


def test_the_last_descriptors_are_scarce(few_descriptors: int) -> None:
    assert not is_scarce(few_descriptors - 17, 16)
    assert is_scarce(few_descriptors - 16, 16)


def test_what_a_limit_per_address_counts() -> None:
    assert address_key("192.0.2.1") == "192.0.2.1"
    assert address_key("2001:db8::1") == address_key("2001:db8::ffff:1")
    assert address_key("2001:db8::1") != address_key("2001:db8:0:1::1")
    assert address_key("fe80::1%lo") == address_key("fe80::2")


@pytest.mark.asyncio
async def test_the_last_descriptors_are_not_for_connections(few_descriptors: int) -> None:
    async with party("TCP", "UDP", limits=StreamLimits(reserved_descriptors=35)) as (server, [tcp, udp]):
        with plain_udp() as datagrams, contextlib.ExitStack() as stack:
            for _ in range(10):
                stack.enter_context(peer(tcp.port))
            await eventually(lambda: server.transports.counts.refused > 0)
            datagrams.sendto(options(), ("127.0.0.1", udp.port))
            await server.messages_to_be(1)


@pytest.mark.asyncio
async def test_running_out_of_descriptors_pauses_accepting_only(few_descriptors: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "_PAUSE", 0.05)
    async with party("TCP", "UDP", limits=StreamLimits(reserved_descriptors=0)) as (server, [tcp, udp]):
        accepting = server.transports._transports["TCP"]._listeners[tcp]  # type: ignore[attr-defined]
        with plain_udp() as datagrams, socket.socket() as waiting:
            waiting.setblocking(False)
            taken: list[int] = []
            with pytest.raises(OSError):
                while True:
                    taken.append(os.dup(0))
            try:
                waiting.connect_ex(("127.0.0.1", tcp.port))
                await eventually(lambda: accepting._pause is not None)
                datagrams.sendto(options(), ("127.0.0.1", udp.port))
                await server.messages_to_be(1)
                assert server.transports.counts.connections == 0
            finally:
                for descriptor in taken:
                    os.close(descriptor)
            waiting.send(options("waited"))
            await server.messages_to_be(2)
            assert server.octets[1] == options("waited")


@pytest.mark.asyncio
async def test_closing_during_the_pause_ends_it(few_descriptors: int) -> None:
    async with party("TCP", limits=StreamLimits(reserved_descriptors=0)) as (server, [tcp]):
        accepting = server.transports._transports["TCP"]._listeners[tcp]  # type: ignore[attr-defined]
        with socket.socket() as waiting:
            waiting.setblocking(False)
            taken: list[int] = []
            with pytest.raises(OSError):
                while True:
                    taken.append(os.dup(0))
            try:
                waiting.connect_ex(("127.0.0.1", tcp.port))
                await eventually(lambda: accepting._pause is not None)
                await server.transports.close()
                assert accepting._pause.cancelled()
            finally:
                for descriptor in taken:
                    os.close(descriptor)
