"""One connection's octets become SIP messages, and the other way (RFC 7118 §4, §5; RFC 6455)."""

from __future__ import annotations

import zlib

import pytest
from websockets.uri import WebSocketURI

from ringback.message.limits import MessageLimits
from ringback.message.message import Request
from ringback.message.parser import Malformed
from ringback.transport.limits import WebSocketRules
from ringback.transport.websocket.admission import Admission
from ringback.transport.websocket.octets import ClientWebSocket, ServerWebSocket, WebSocket
from tests.transport.party import options
from tests.transport.websockets import BINARY, CLOSE, PING, PONG, TEXT, close_code, fragments, frame, handshake

UMLAUT = options(Subject="Grüße")
BYTES = options(body=b"\xff\xfe\x00\r\n")


def opened(limits: MessageLimits | None = None) -> ServerWebSocket:
    """A server's side whose handshake is over."""
    socket = ServerWebSocket(Admission(WebSocketRules()), "127.0.0.1", limits or MessageLimits())
    socket.feed(handshake())
    assert b"".join(socket.take_outgoing()).startswith(b"HTTP/1.1 101 ")
    return socket


def taken(socket: WebSocket) -> list[bytes]:
    found = []
    while (one := socket.next_message()) is not None:
        found.append(one[1])
    return found


def written(socket: WebSocket) -> bytes:
    return b"".join(socket.take_outgoing())


def test_the_handshake_names_the_subprotocol_sip() -> None:
    socket = ServerWebSocket(Admission(WebSocketRules()), "127.0.0.1")
    assert not socket.is_open
    socket.feed(handshake(Sec_WebSocket_Protocol="mqtt, sip"))
    answer = written(socket)
    assert answer.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert b"\r\nSec-WebSocket-Protocol: sip\r\n" in answer
    assert b"\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in answer
    assert socket.is_open
    assert socket.is_between_messages


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 64, 1 << 20])
def test_messages_come_out_as_they_went_in_however_the_stream_is_cut(piece: int) -> None:
    sent = [options(), UMLAUT, BYTES, options(body=b"x" * 300)]
    octets = handshake() + b"".join(frame(one, BINARY if one is BYTES else TEXT) for one in sent)
    socket = ServerWebSocket(Admission(WebSocketRules()), "127.0.0.1")
    found = []
    for start in range(0, len(octets), piece):
        socket.feed(octets[start : start + piece])
        found += taken(socket)
    assert found == sent
    assert socket.is_between_messages


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_text_and_binary_are_both_sip(opcode: int) -> None:
    socket = opened()
    socket.feed(frame(options(), opcode))
    found = socket.next_message()
    assert found is not None
    assert isinstance(found[0], Request)
    assert found[1] == options()


def test_what_is_utf8_goes_as_text_and_all_else_as_binary() -> None:
    socket = opened()
    for message, opcode in ((options(), TEXT), (UMLAUT, TEXT), (BYTES, BINARY)):
        socket.send(message)
        octets = written(socket)
        assert octets[0] == 0x80 | opcode
        assert octets.endswith(message)


def test_one_message_holds_one_sip_message() -> None:
    """What stands beyond Content-Length is dropped, as of a datagram."""
    socket = opened()
    socket.feed(frame(options("1") + options("2")))
    found = socket.next_message()
    assert found is not None
    assert isinstance(found[0], Request)
    assert found[0].call_id == "1@127.0.0.1"
    assert found[0].body == b""
    assert socket.next_message() is None


def test_a_message_needs_no_content_length() -> None:
    socket = opened()
    socket.feed(frame(options(body=b"hello", length=False)))
    found = socket.next_message()
    assert found is not None
    assert isinstance(found[0], Request)
    assert found[0].body == b"hello"


def test_after_what_is_no_sip_message_the_next_one_is_read() -> None:
    socket = opened()
    socket.feed(frame(b"hello") + frame(b"") + frame(options()))
    kinds = [socket.next_message(), socket.next_message(), socket.next_message()]
    assert [None if found is None else type(found[0]) for found in kinds] == [Malformed, Malformed, Request]
    assert all(found is not None and not (isinstance(found[0], Malformed) and found[0].is_fatal) for found in kinds)


def test_fragments_are_joined_and_control_frames_may_stand_between_them() -> None:
    socket = opened()
    octets = fragments(UMLAUT, 50)
    middle = octets.index(frame(UMLAUT[50:100], 0, final=False))
    socket.feed(octets[:middle])
    assert not socket.is_between_messages
    socket.feed(frame(b"are you there", PING))
    assert written(socket).endswith(b"are you there")
    assert not socket.is_between_messages
    socket.feed(octets[middle:])
    assert taken(socket) == [UMLAUT]
    assert socket.is_between_messages


def test_half_a_frame_is_a_message_under_way() -> None:
    socket = opened()
    whole = frame(options())
    socket.feed(whole[:-1])
    assert not socket.is_between_messages
    socket.feed(whole[-1:])
    assert socket.is_between_messages


def test_double_crlf_is_a_ping_and_a_single_one_its_answer() -> None:
    socket = opened()
    socket.feed(frame(b"\r\n\r\n") + frame(b"\r\n"))
    assert socket.pings == 1
    assert taken(socket) == []


def test_a_goodbye_is_answered_and_what_came_before_it_is_read() -> None:
    socket = opened()
    socket.feed(frame(options()) + frame((1000).to_bytes(2), CLOSE))
    assert taken(socket) == [options()]
    assert socket.is_dead
    *answer, end = socket.take_outgoing()
    assert close_code(b"".join(answer)) == 1000
    assert end == b""
    socket.send(options())
    socket.ping()
    assert socket.take_outgoing() == []


def test_we_say_goodbye() -> None:
    socket = opened()
    socket.close(1001)
    assert close_code(written(socket)) == 1001
    assert socket.is_dead
    assert not socket.is_open


WRONG = {
    "unmasked": (frame(options(), masked=False), 1002),
    "a bit reserved for compression": (frame(zlib.compress(options()), bits=4), 1002),
    "an unknown opcode": (frame(options(), 3), 1002),
    "a continuation of nothing": (frame(options(), 0), 1002),
    "a message within a message": (frame(b"OPT", final=False) + frame(options()), 1002),
    "a control frame in fragments": (frame(b"", PING, final=False), 1002),
    "a control frame too long": (frame(b"x" * 126, PING), 1002),
    "a goodbye of one octet": (frame(b"\x03", CLOSE), 1002),
    "text that is no UTF-8": (frame(BYTES), 1007),
    "text whose fragments are no UTF-8": (fragments(BYTES, 40), 1007),
    "a frame too large": (frame(b"x" * 65_537, BINARY), 1009),
    "fragments too large": (fragments(b"x" * 70_000, 1_000), 1009),
    "a length of 64 bits": (b"\x82\xff" + b"\x7f" + b"\xff" * 7, 1009),
    "ten thousand fragments": (fragments(b"x" * 10_000, 1), 1008),
    "empty fragments for ever": (frame(b"", final=False) + frame(b"", 0, final=False) * 200, 1008),
    "a flood of pings": (frame(b"", PING) * 10_000, 1008),
    "a flood of pongs": (frame(b"", PONG) * 10_000, 1008),
    "a flood of words": (frame(b"x") * 10_000, 1008),
    "a flood of nothing": (frame(b"") * 10_000, 1008),
    "a flood of pings of SIP": (frame(b"\r\n\r\n") * 10_000, 1008),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("piece", [997, 1 << 20])
def test_who_breaks_the_rules_is_told_so_by_a_close_code(name: str, piece: int) -> None:
    octets, code = WRONG[name]
    socket = opened()
    socket.feed(frame(options()))
    answers = b""
    for start in range(0, len(octets), piece):
        socket.feed(octets[start : start + piece])
        answers += written(socket)
        if socket.is_dead:
            break
    assert close_code(answers) == code
    assert [message for message in taken(socket) if len(message) > 64] == [options()]
    # What comes next changes nothing any more.
    socket.feed(frame(options()))
    assert taken(socket) == []
    assert len(answers) < 1_500


def test_pings_now_and_then_are_no_flood() -> None:
    socket = opened()
    for _ in range(50):
        socket.feed(frame(b"", PING) * 20)
        socket.looked_at()
    assert not socket.is_dead


def test_a_message_may_be_as_large_as_any_other_message() -> None:
    body = b"x" * 60_000
    socket = opened()
    socket.feed(frame(options(body=body)))
    assert taken(socket) == [options(body=body)]


def test_a_client_connects_and_is_answered() -> None:
    client = ClientWebSocket(WebSocketURI(False, "192.0.2.1", 8080, "/ws", ""))
    server = ServerWebSocket(Admission(WebSocketRules()), "127.0.0.1")
    request = written(client)
    assert request.startswith(b"GET /ws HTTP/1.1\r\nHost: 192.0.2.1:8080\r\n")
    assert b"\r\nSec-WebSocket-Protocol: sip\r\n" in request
    assert b"Extensions" not in request
    server.feed(request)
    client.feed(written(server))
    assert client.is_open
    client.send(options())
    server.feed(written(client))
    assert taken(server) == [options()]
    server.send(options("2"))
    client.feed(written(server))
    assert taken(client) == [options("2")]


OF_ANOTHER_KEY = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: sip\r\n\r\n"
)
ANSWERS = {
    "a refusal": (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 1000000\r\n\r\n", "WebSocket Refused: 403 Forbidden"),
    "no HTTP": (b"SIP/2.0 400 Bad Request\r\n\r\n", "Peer Speaks No WebSocket"),
    "a page of HTTP/1.0": (b"HTTP/1.0 200 OK\r\n\r\n", "WebSocket Refused: 200 OK"),
    "a head that does not end": (b"HTTP/1.1 101 Switching\r\n" + b"X: y\r\n" * 3_000, "Peer Speaks No WebSocket"),
    "an accept of another key": (OF_ANOTHER_KEY, "Malformed WebSocket Handshake"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_client_says_why_it_was_not_let_in(name: str) -> None:
    answer, fault = ANSWERS[name]
    client = ClientWebSocket(WebSocketURI(False, "192.0.2.1", 8080, "", ""))
    client.feed(answer)
    assert client.fault == fault
    assert client.is_dead
    assert not client.is_open


def test_a_client_takes_no_server_that_does_not_speak_sip() -> None:
    client = ClientWebSocket(WebSocketURI(False, "192.0.2.1", 8080, "", ""))
    server = ServerWebSocket(Admission(WebSocketRules()), "127.0.0.1")
    server.feed(written(client))
    client.feed(written(server).replace(b"Sec-WebSocket-Protocol: sip\r\n", b""))
    assert client.fault == "Peer Speaks No SIP over WebSocket"
    assert client.is_dead
