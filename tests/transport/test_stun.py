"""STUN Binding requests on a SIP port (RFC 5389, RFC 5626 §4.4.2)."""

import asyncio
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.transport.stun import stun_answer, stun_outcome, stun_request
from ringback.transport.transports import Transports

# RFC 5769 §2.2 and §2.3: the sample responses' transaction, addresses and their encoded form.
COOKIE = bytes.fromhex("2112a442")
TRANSACTION = bytes.fromhex("b7e7a701bc34d686fa87dfae")
V4 = ("192.0.2.1", 32_853, "002000080001a147e112a643")
V6 = ("2001:db8:1234:5678:11:2233:4455:6677", 32_853, "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9")


def request(attributes: bytes = b"", *, kind: int = 1, cookie: bytes = COOKIE) -> bytes:
    return struct.pack("!HH", kind, len(attributes)) + cookie + TRANSACTION + attributes


def attribute(kind: int, value: bytes = b"") -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


@pytest.mark.parametrize(("host", "port", "encoded"), [V4, V6])
def test_a_client_is_told_where_it_is_seen(host: str, port: int, encoded: str) -> None:
    expected = bytes.fromhex(encoded)
    assert stun_answer(request(), host, port) == struct.pack("!HH", 0x0101, len(expected)) + COOKIE + TRANSACTION + expected


def test_an_interfaces_name_is_no_part_of_an_address() -> None:
    assert stun_answer(request(), "fe80::1%eth0", 5060) == stun_answer(request(), "fe80::1", 5060)


def test_a_client_without_the_cookie_gets_the_plain_address() -> None:
    answer = stun_answer(request(cookie=b"old!"), "192.0.2.1", 5060)
    assert answer == bytes.fromhex("0101000c") + b"old!" + TRANSACTION + bytes.fromhex("00010008" + "000113c4" + "c0000201")


@pytest.mark.parametrize("attributes", [attribute(0x8022, b"phone"), attribute(0x0006, b"user"), attribute(0x8028, b"1234")])
def test_what_need_not_be_understood_or_is_of_no_use_does_not_matter(attributes: bytes) -> None:
    assert stun_answer(request(attributes), *V4[:2]) == stun_answer(request(), *V4[:2])


def test_what_has_to_be_understood_is_refused_by_name() -> None:
    answer = stun_answer(request(attribute(0x0003, bytes(4)) + attribute(0x0024, bytes(4)) + attribute(0x0025)), *V4[:2])
    assert answer is not None
    # 420 names the first two: an answer must not grow with what was asked.
    assert answer == bytes.fromhex("01110010") + COOKIE + TRANSACTION + bytes.fromhex("00090004" + "00000414" + "000a0004" + "00030024")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        request()[:19],
        request() + b"\0",
        request(kind=0x0101),
        request(kind=0x0011),
        request(attribute(0x0006, b"user")[:-4]),
        struct.pack("!HH", 1, 8) + COOKIE + TRANSACTION + struct.pack("!HHI", 6, 60_000, 0),
        struct.pack("!HH", 1, 2) + COOKIE + TRANSACTION + b"\0\0",
        b"OPTIONS sip:a@b SIP/2.0\r\n\r\n",
    ],
)
def test_what_is_no_binding_request_gets_no_answer(data: bytes) -> None:
    assert stun_answer(data, *V4[:2]) is None


@given(st.binary(max_size=80), st.sampled_from([V4, V6]))
def test_no_octets_do_harm_and_no_answer_is_three_times_its_request(attributes: bytes, place: tuple[str, int, str]) -> None:
    for data in (attributes, request(attributes), request(attribute(0x0003, attributes))):
        answer = stun_answer(data, *place[:2])
        assert answer is None or len(answer) < 3 * len(data)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_udp_endpoint_answers_at_once_and_troubles_nobody(host: str) -> None:
    async def ask() -> None:
        heard: list[object] = []
        transports = Transports(lambda *message: heard.append(message), lambda *_: None, batch_ended=lambda: None)
        endpoint = await transports.open("UDP", host, 0)
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.bind((host, 0))
            client.setblocking(False)
            client.sendto(request(), (host, endpoint.port))
            answer = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 100), 5)
            assert answer == stun_answer(request(), host, client.getsockname()[1])
        assert transports.counts.keepalives == 1 and heard == []
        await transports.close()

    asyncio.run(ask())


# The client's side.


@pytest.mark.parametrize(("host", "port", "encoded"), [V4, V6])
def test_an_answer_to_our_request_says_where_we_are_seen(host: str, port: int, encoded: str) -> None:
    assert stun_request(TRANSACTION) == request()
    answer = stun_answer(stun_request(TRANSACTION), host, port)
    assert answer is not None
    assert stun_outcome(answer) == (TRANSACTION, (host, port))
    # RFC 5769 §2.2: whatever else is in it does not matter.
    software = attribute(0x8022, b"test vector")
    more = request(software + bytes.fromhex(encoded) + software, kind=0x0101)
    assert stun_outcome(more) == (TRANSACTION, (host, port))


def test_an_error_is_an_answer_too() -> None:
    assert stun_outcome(request(attribute(0x0009, bytes(4)), kind=0x0111)) == (TRANSACTION, None)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        request(),
        request(kind=0x0101),
        request(kind=0x0101, cookie=b"old!"),
        request(attribute(0x0001, bytes(8)), kind=0x0101),
        request(attribute(0x0020, bytes(6)), kind=0x0101),
        request(struct.pack("!HH", 0x0020, 8), kind=0x0101),
        request(struct.pack("!HH", 0x0020, 65_535), kind=0x0101),
        request(attribute(0x0020, bytes(8)), kind=0x0101)[:-1],
        request(attribute(0x0020, bytes(8)), kind=0x0101) + bytes(4),
    ],
)
def test_what_answers_nothing_is_no_answer(data: bytes) -> None:
    assert stun_outcome(data) is None


@given(st.binary(max_size=80))
def test_no_octets_are_more_than_an_answer_or_none(octets: bytes) -> None:
    padded = octets + bytes(-len(octets) % 4)
    outcome = stun_outcome(struct.pack("!HH", 0x0101, len(padded)) + COOKIE + TRANSACTION + padded)
    assert outcome is None or outcome.transaction == TRANSACTION
