"""Signs of life that we ask for (RFC 5626 §4.4)."""

import asyncio

import pytest

from ringback.address import Target
from tests.transport.party import options, party, peer, read, write

pytestmark = pytest.mark.asyncio

TRANSACTION = bytes(range(12))


async def test_a_datagram_flow_answers_with_the_address_that_is_seen() -> None:
    async with party("UDP") as (ann, [anns]), party("UDP") as (bob, [bobs]):
        flow = ann.transports.flow_to(Target("UDP", "127.0.0.1", bobs.port))
        assert flow is not None
        answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        ann.transports.ping(flow, TRANSACTION, lambda is_good, mapped: answer.set_result((is_good, mapped)))
        assert await asyncio.wait_for(answer, 10) == (True, ("127.0.0.1", anns.port))
        assert ann.messages == bob.messages == []


async def test_a_connection_answers_between_messages_and_messages_are_no_answer() -> None:
    async with party("TCP") as (server, [endpoint]):
        with peer(endpoint.port) as sock:
            await write(sock, options("1"))
            await server.messages_to_be(1)
            flow = server.flows[0]
            answers: list[object] = []
            server.transports.ping(flow, TRANSACTION, lambda *answer: answers.append(answer))
            assert await read(sock, 4) == b"\r\n\r\n"
            await write(sock, options("2"))
            await server.messages_to_be(2)
            assert answers == []
            await write(sock, b"\r\n" + options("3"))
            await server.messages_to_be(3)
            assert answers == [(True, None)]
            # The next one is nobody's answer, and makes no ping with the one before.
            await write(sock, b"\r\n" + options("4"))
            await server.messages_to_be(4)
            assert answers == [(True, None)]
            assert server.transports.counts.keepalives == 0


async def test_an_answer_that_is_not_waited_for_any_more_is_passed_over() -> None:
    async with party("TCP") as (server, [endpoint]):
        with peer(endpoint.port) as sock:
            await write(sock, options("1"))
            await server.messages_to_be(1)
            answers: list[object] = []
            server.transports.ping(server.flows[0], TRANSACTION, lambda *answer: answers.append(answer))
            server.transports.expect_no_pong(server.flows[0], TRANSACTION)
            await write(sock, b"\r\n" + options("2"))
            await server.messages_to_be(2)
            assert answers == []


async def test_a_forged_answer_is_none() -> None:
    async with party("UDP") as (ann, [anns]), party("UDP") as (bob, [bobs]):
        to_bob = ann.transports.flow_to(Target("UDP", "127.0.0.1", bobs.port))
        to_ann = bob.transports.flow_to(Target("UDP", "127.0.0.1", anns.port))
        assert to_bob is not None and to_ann is not None
        answers: list[object] = []
        ann.transports._user.pings[TRANSACTION] = lambda *answer: answers.append(answer)
        bob.transports.send(b"\x01\x11\0\0\x21\x12\xa4\x42" + bytes(12), to_ann)
        bob.transports.send(options("1"), to_ann)
        await ann.messages_to_be(2)
        assert answers == []
