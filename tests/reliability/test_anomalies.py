"""Whatever a message's elements are replaced by, the server answers or not, and serves on: over UDP, over TCP, and from behind (T03)."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from ringback.message.derive import response_to
from ringback.message.message import Request, Response
from ringback.testing import run
from tests.torture.anomalies import ANOMALIES, ELEMENTS, METHODS, cases, ordinary
from tests.torture.mutation import mutants, mutated
from tests.torture.served import STRANGER, Served, read, served

COMMIT_CASES = 1_000
PHONE = "192.0.2.9"


def answers_of_a_phone(one: Served, before: int, chance: random.Random, *, are_sound: bool = True) -> None:
    """Answers what the server forwarded to the phone, mutilated unless `are_sound`."""
    for octets, flow in one.sent[before:]:
        if flow.remote[0] != PHONE or octets.startswith(b"SIP/2.0"):
            continue
        request = read(octets)
        if isinstance(request, Request) and request.method != "ACK":
            for status in (180, chance.choice((200, 486, 302, 503))):
                response = response_to(request, status, tag="phone").to_bytes()
                one.datagram(response if are_sound else mutated(response, chance), (PHONE, 5060))


def test_an_ordinary_request_of_every_method_has_its_answer() -> None:
    async def main() -> None:
        async with served() as one:
            await one.bind("sip:user@example.com")
            for number, method in enumerate(METHODS):
                sent = await one.datagrams(ordinary(method, number))
                if method == "ACK":
                    assert sent == []
                elif method == "CANCEL":
                    assert [type(message) for message in sent] == [Response]
                else:
                    assert isinstance(sent[-1], Request), method

    run(main())


def test_there_are_groups_enough() -> None:
    assert len(ELEMENTS) * len(ANOMALIES) >= 4_527


def test_anomalies_over_udp(seed: int, long_form: bool) -> None:
    chance = random.Random(seed)

    async def main() -> None:
        async with served() as one:
            await one.bind("sip:user@example.com")
            for name, octets in cases(chance, None if long_form else COMMIT_CASES):
                before = len(one.sent)
                begin = time.process_time()
                one.datagram(octets)
                assert one.is_alive(), name
                # Far above what any of them takes, far below what a peer would notice.
                assert time.process_time() - begin < 0.25, name
                answers_of_a_phone(one, before, chance)
                await asyncio.sleep(0.01)

    run(main())


def test_anomalies_over_tcp(seed: int, long_form: bool) -> None:
    chance = random.Random(seed)

    async def main() -> None:
        for name, octets in cases(chance, 2_000 if long_form else COMMIT_CASES // 4):
            async with served() as one:
                await one.stream(octets.replace(b"/UDP ", b"/TCP "), piece=chance.choice((1, 60, 2_000, 65_536)))
                assert one.is_alive(), name

    run(main())


def test_anomalies_in_responses(seed: int, long_form: bool) -> None:
    chance = random.Random(seed)

    async def main() -> None:
        async with served() as one:
            await one.bind("sip:user@example.com")
            for number in range(5_000 if long_form else COMMIT_CASES // 2):
                before = len(one.sent)
                one.datagram(ordinary(chance.choice(("INVITE", "OPTIONS", "SUBSCRIBE", "MESSAGE")), number))
                answers_of_a_phone(one, before, chance, are_sound=False)
                await asyncio.sleep(0.01)
                assert one.is_alive()

    run(main())


def test_mutants(seed: int, long_form: bool) -> None:
    chance = random.Random(seed)

    async def main() -> None:
        async with served() as one:
            await one.bind("sip:user@example.com")
            for number, octets in enumerate(mutants(chance, 300_000 if long_form else 3_000)):
                one.datagram(octets[:65_507], STRANGER)
                if number % 20 == 0:
                    await asyncio.sleep(0.01)
                    assert one.is_alive(), octets

    run(main())


@pytest.mark.parametrize("method", ["INVITE", "REGISTER", "OPTIONS"])
def test_requests_cut_at_every_octet_and_with_every_octet_flipped(method: str) -> None:
    async def main() -> None:
        async with served() as one:
            await one.bind("sip:user@example.com")
            whole = ordinary(method, 1)
            for place in range(len(whole)):
                one.datagram(whole[:place])
                one.datagram(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
            assert one.is_alive()

    run(main())
