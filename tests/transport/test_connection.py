"""A connection's corners: ended before it began, or where a stream cannot be ended in one direction only."""

from __future__ import annotations

import asyncio

import pytest

from ringback.address import Endpoint, Flow
from ringback.message.message import Request, Response
from ringback.message.parser import Malformed
from ringback.transport import StreamLimits
from ringback.transport.connection import CLOSED, OPEN, Connection
from ringback.transport.tcp import TcpTransport
from ringback.transport.user import TransportUser
from tests.transport.party import options, party, peer, write


class Wire(asyncio.Transport):
    """A stream that remembers what was done to it. Like TLS, it cannot be ended in one direction."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.done.append(f"limit {high}")

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.done.append(f"write {bytes(data)!r}")

    def can_write_eof(self) -> bool:
        return False

    def close(self) -> None:
        self.done.append("close")

    def abort(self) -> None:
        self.done.append("abort")


class Heard:
    """What a transport's user was told."""

    def __init__(self) -> None:
        self.messages: list[Request | Response | Malformed] = []
        self.owner = TcpTransport(TransportUser(self.received, lambda *_: None, lambda: None), StreamLimits(write_bytes=10))
        self.connection = Connection(
            self.owner, Flow(Endpoint("TCP", "127.0.0.1", 5060), ("127.0.0.1", 5062), 1), "127.0.0.1", is_accepted=True
        )
        self.ends_at_first = False

    def received(self, message: Request | Response | Malformed, _: bytes, flow: Flow) -> None:
        self.messages.append(message)
        if self.ends_at_first:
            self.connection.abort()

    def read(self, data: bytes) -> None:
        self.connection.get_buffer(len(data))[: len(data)] = data
        self.connection.buffer_updated(len(data))


def test_a_connection_given_up_before_it_opened_is_cut_when_it_opens() -> None:
    heard, wire = Heard(), Wire()
    assert not heard.connection.has_joined
    heard.connection.abort()
    heard.connection.connection_made(wire)
    assert heard.connection.state == CLOSED
    assert wire.done == ["limit 10", "abort"]


def test_a_stream_that_cannot_be_ended_one_way_is_closed_after_a_fault() -> None:
    heard, wire = Heard(), Wire()
    heard.connection.connection_made(wire)
    heard.read(b"nonsense\r\n\r\n")
    assert wire.done == ["limit 10", "close"]
    heard.connection.end()
    assert wire.done == ["limit 10", "close"]


def test_after_the_end_neither_messages_nor_pings_are_taken() -> None:
    heard, wire = Heard(), Wire()
    heard.connection.connection_made(wire)
    assert heard.connection.state == OPEN
    heard.ends_at_first = True
    heard.read(b"\r\n\r\n" + options("1") + options("2"))
    assert len(heard.messages) == 1
    assert wire.done == ["limit 10", "abort"]


@pytest.mark.asyncio
async def test_a_connection_that_cannot_be_taken_over_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object) -> None:
        raise OSError("handshake failed")

    async with party("TCP") as (server, [endpoint]):
        monkeypatch.setattr(asyncio.get_running_loop(), "connect_accepted_socket", refuse)
        with peer(endpoint.port) as sock:
            await write(sock, options())
            with pytest.raises(ConnectionResetError):
                await asyncio.get_running_loop().sock_recv(sock, 1)
        assert server.transports.counts.connections == 0
        assert server.failures == []
        assert server.messages == []
