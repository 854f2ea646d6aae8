"""Whatever a WebSocket peer sends, it is a message, a refusal or a close code, never another exception (T24, V05, V15)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from websockets.uri import WebSocketURI

from ringback.message.message import Request, Response
from ringback.message.parser import Malformed
from ringback.transport.limits import WebSocketRules
from ringback.transport.websocket.admission import Admission
from ringback.transport.websocket.octets import ClientWebSocket, ServerWebSocket, WebSocket
from tests.transport.party import options
from tests.transport.websockets import BINARY, PING, close_code, frame, handshake

ADMISSION = Admission(WebSocketRules(origins=("https://a.test",), path="/ws"))
TALK = frame(options()) + frame(b"abc", PING) + frame(options("2")[:100], BINARY, final=False) + frame(options("2")[100:], 0)


def fed(socket: WebSocket, octets: bytes, piece: int) -> list[object]:
    """Feeds octets in pieces, writes what is to be written; gives what was received."""
    found: list[object] = []
    for start in range(0, len(octets), piece):
        socket.feed(octets[start : start + piece])
        while (one := socket.next_message()) is not None:
            assert isinstance(one[0], Request | Response | Malformed)
            found.append(one[0])
        socket.take_outgoing()
    return found


@given(st.binary(max_size=400), st.integers(1, 400))
def test_any_octets_in_place_of_a_handshake(octets: bytes, piece: int) -> None:
    assert fed(ServerWebSocket(ADMISSION, "192.0.2.1"), octets, piece) == []
    client = ClientWebSocket(WebSocketURI(False, "192.0.2.1", 80, "/ws", ""))
    fed(client, octets, piece)
    assert not client.is_open


@given(st.binary(max_size=400), st.integers(1, 400))
def test_any_octets_in_place_of_frames(octets: bytes, piece: int) -> None:
    fed(ServerWebSocket(ADMISSION, "192.0.2.1"), handshake("/ws") + octets, piece)


@given(st.lists(st.tuples(st.integers(0, 15), st.binary(max_size=200), st.booleans(), st.booleans(), st.integers(0, 7)), max_size=12))
def test_any_frames(frames: list[tuple[int, bytes, bool, bool, int]]) -> None:
    octets = b"".join(frame(data, opcode, final=final, masked=masked, bits=bits) for opcode, data, final, masked, bits in frames)
    socket = ServerWebSocket(ADMISSION, "192.0.2.1")
    fed(socket, handshake("/ws"), 1 << 16)
    socket.feed(octets)
    written = b"".join(socket.take_outgoing())
    assert socket.is_open or close_code(written) is not None


def test_every_bit_bent() -> None:
    whole = handshake("/ws", Origin="https://a.test", Cookie="a=b") + TALK
    most = 0
    for place in range(len(whole)):
        for bit in range(8):
            bent = bytearray(whole)
            bent[place] ^= 1 << bit
            most = max(most, len(fed(ServerWebSocket(ADMISSION, "192.0.2.1"), bytes(bent), 1 << 16)))
    # The ping bent to a text is one more.
    assert most == 3


def test_every_cut() -> None:
    whole = handshake("/ws") + TALK
    for end in range(len(whole)):
        assert len(fed(ServerWebSocket(ADMISSION, "192.0.2.1"), whole[:end], 1 << 16)) <= 2
