"""A stream is cut into messages by Content-Length and nothing else (RFC 3261 §7.5, §18.3)."""

import pytest

from ringback.message.limits import MessageLimits
from ringback.message.message import Request, Response
from ringback.message.parser import Malformed, StreamParser

HEAD = (
    b"OPTIONS sip:c@d SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bK1\r\n"
    b"From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: 1@b\r\nCSeq: 1 OPTIONS\r\n"
)
EMPTY = HEAD + b"Content-Length: 0\r\n\r\n"
HELLO = HEAD + b"Content-Length: 5\r\n\r\nhello"


def taken(parser: StreamParser) -> list[tuple[Request | Response | Malformed, bytes]]:
    """Every message that is there."""
    found = []
    while (one := parser.next_message()) is not None:
        found.append(one)
    return found


def fed(octets: bytes, piece: int = 1 << 20, limits: MessageLimits | None = None) -> list[tuple[Request | Response | Malformed, bytes]]:
    parser = StreamParser() if limits is None else StreamParser(limits)
    found = []
    for start in range(0, len(octets), piece):
        parser.feed(octets[start : start + piece])
        found += taken(parser)
    return found


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 64, 1 << 20])
def test_messages_come_out_as_they_went_in(piece: int) -> None:
    found = fed(HELLO + b"\r\n" + EMPTY + b"\r\n\r\n\r\n" + HELLO, piece)
    assert [octets for _, octets in found] == [HELLO, EMPTY, HELLO]
    assert [message.body for message, _ in found if isinstance(message, Request)] == [b"hello", b"", b"hello"]


def test_a_message_is_taken_once_it_is_whole() -> None:
    parser = StreamParser()
    assert parser.is_between_messages
    for place in range(len(HELLO) - 1):
        parser.feed(HELLO[place : place + 1])
        assert parser.next_message() is None
        assert not parser.is_between_messages
    parser.feed(HELLO[-1:])
    assert len(taken(parser)) == 1
    assert parser.is_between_messages


def test_a_body_may_hold_anything() -> None:
    body = EMPTY + b"\r\n\r\n\0"
    [(message, _)] = fed(HEAD + b"l: %d\r\n\r\n" % len(body) + body, 5)
    assert isinstance(message, Request)
    assert message.body == body


@pytest.mark.parametrize("piece", [1, 3, 4, 1 << 20])
def test_pings_are_counted_and_lone_crlfs_passed_over(piece: int) -> None:
    parser = StreamParser()
    octets = b"\r\n\r\n" * 3 + EMPTY + b"\r\n\r\n"
    count = 0
    for start in range(0, len(octets), piece):
        parser.feed(octets[start : start + piece])
        count += len(taken(parser))
    assert count == 1
    assert parser.pings == 4


def test_the_crlf_that_answers_a_ping_of_ours_is_no_half_of_another() -> None:
    parser = StreamParser()
    for _ in range(2):
        parser.awaits_pong = True
        parser.feed(b"\r\n")
        assert taken(parser) == []
        assert not parser.awaits_pong
    assert parser.pings == 0
    parser.feed(b"\r\n\r\n")
    assert taken(parser) == []
    assert parser.pings == 1


@pytest.mark.parametrize(
    "octets",
    [
        HEAD + b"\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 0\r\nl: 5\r\n\r\nhello",
        HEAD.replace(b"SIP/2.0\r", b"SIP/3.0\r", 1) + b"Content-Length: 0\r\n\r\n",
        b"nonsense\r\n\r\n",
        HEAD + b"nonsense\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_after_a_fault_nothing_more_comes(octets: bytes) -> None:
    parser = StreamParser()
    parser.feed(octets + EMPTY)
    [(fault, left)] = taken(parser)
    assert isinstance(fault, Malformed)
    assert fault.is_fatal
    assert left == octets + EMPTY
    assert parser.is_dead
    parser.feed(EMPTY)
    assert parser.next_message() is None
    assert parser.is_between_messages


def test_what_came_before_a_fault_comes_out() -> None:
    found = fed(EMPTY + b"nonsense\r\n\r\n")
    assert [type(message) for message, _ in found] == [Request, Malformed]


def test_a_response_is_cut_the_same_way() -> None:
    response = HELLO.replace(b"OPTIONS sip:c@d SIP/2.0", b"SIP/2.0 200 OK")
    assert [octets for _, octets in fed(response * 2, 9)] == [response] * 2
    [(fault, _)] = fed(response.replace(b"Content-Length: 5\r\n", b""))
    assert isinstance(fault, Malformed)
    assert fault.request is None


def test_a_head_without_end_is_cut_off() -> None:
    limits = MessageLimits(message_bytes=1_000)
    parser = StreamParser(limits)
    parser.feed(HEAD)
    assert parser.next_message() is None
    parser.feed(b"X: y\r\n" * 200)
    found = parser.next_message()
    assert found is not None
    assert isinstance(found[0], Malformed)
    assert (found[0].status, found[0].is_fatal) == (513, True)
    assert found[0].request is not None
    assert found[0].request.call_id == "1@b"


def test_each_octet_is_looked_at_a_bounded_number_of_times() -> None:
    class Counting(bytearray):
        looked = 0

        def find(self, sub: bytes, start: int = 0, *rest: int) -> int:  # type: ignore[override]
            Counting.looked += len(self) - start
            return super().find(sub, start, *rest)

    parser = StreamParser()
    parser._buffer = Counting()
    octets = HEAD + b"X: " + b"y" * 7_000 + b"\r\nContent-Length: 0\r\n\r\n"
    for place in range(len(octets)):
        parser.feed(octets[place : place + 1])
        if place < len(octets) - 1:
            assert parser.next_message() is None
    assert parser.next_message() is not None
    assert Counting.looked <= 5 * len(octets)
