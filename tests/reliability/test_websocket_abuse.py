"""T24: browsers that are none. Bent frames, bombs and floods over WebSocket cost their sender the connection, and nobody else anything.

The server is the real one. Meanwhile a stranger at another address asks over UDP; in the end the server has as many files open as at the
beginning, little more memory, and has met no exception.
"""

from __future__ import annotations

import contextlib
import random
import socket
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.ports import free_port
from tests.interop.running import patiently
from tests.interop.server import RunningServer
from tests.interop.wire import DOMAIN, request
from tests.reliability.probe import Probe
from tests.transport.websockets import BINARY, PING, close_code, fragments, frame, handshake

SOON = 6.0
WORST_GAP = 0.25
MOST_LINES = 10
MORE_MEMORY = 16 << 20
_CONFIG = """
[limits]
tcp_message_seconds = 1.0
tcp_write_buffer_bytes = 65536

[websocket]
origins = ["https://phone.example.test"]
"""


class Server(RunningServer):
    """A server that listens for browsers, too."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, config=_CONFIG)
        self.websocket = ("127.0.0.1", free_port())
        self.command += ["--listen", f"ws://{self.websocket[0]}:{self.websocket[1]}"]


@pytest.fixture(scope="module")
def _running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("server")) as running:
        with opened(running) as warm:
            assert asked(warm).startswith(b"SIP/2.0 200 ")
        yield running


@pytest.fixture
def server(_running: Server) -> Iterator[Server]:
    """The server under watch: what must hold at the end of every test here."""
    with Probe(_running.address) as probe:
        patiently(lambda: probe.answers > 3, "the stranger is answered")
        files, memory = _running.descriptors(), _running.resident()
        yield _running
        patiently(lambda: _running.descriptors() <= files, f"only {files} files are open, as at the beginning", 2 * SOON)
        enough = probe.answers + 20
        patiently(lambda: probe.answers >= enough, "the stranger is answered")
    # The operator hears of each kind now and then: a flood of peers is no flood of lines.
    said = _running.running.said
    lines = [line for line in said if "WS from 127.0." in line]
    said[:] = [line for line in said if line not in lines]
    assert len(lines) <= MOST_LINES, lines
    more = _running.resident() - memory
    print(f"worst gap {probe.worst_gap * 1000:.0f} ms of {probe.answers} answers, {more / 1024:.0f} KiB more memory")
    assert probe.worst_gap < WORST_GAP
    assert more < MORE_MEMORY


def connected(server: Server, host: str = "127.0.0.5") -> socket.socket:
    return socket.create_connection(server.websocket, timeout=SOON, source_address=(host, 0))


def opened(server: Server, host: str = "127.0.0.5") -> socket.socket:
    """A connection whose handshake is over."""
    sock = connected(server, host)
    sock.sendall(handshake())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        octet = sock.recv(1)
        assert octet, answer
        answer += octet
    assert answer.startswith(b"HTTP/1.1 101 "), answer
    return sock


def options() -> bytes:
    return request("OPTIONS", f"sip:{DOMAIN}", ("192.0.2.1", 5060), transport="WS").encode()


def asked(sock: socket.socket) -> bytes:
    """OPTIONS to the server, and its answer."""
    sock.sendall(frame(options()))
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = sock.recv(65_536)
        assert chunk, data
        data += chunk
    return data[data.index(b"SIP/2.0") :]


def sent(sock: socket.socket, octets: bytes) -> None:
    """Sends what the server will take of it."""
    with contextlib.suppress(ConnectionError, TimeoutError):
        sock.sendall(octets)


def until_closed(sock: socket.socket, seconds: float = SOON) -> bytes:
    """What comes until the server closes or resets; fails where it does not."""
    end = time.monotonic() + seconds
    data = b""
    while True:
        sock.settimeout(max(end - time.monotonic(), 0.01))
        try:
            chunk = sock.recv(65_536)
        except TimeoutError:
            raise AssertionError(f"not closed within {seconds:g} s, after {data[:200]!r}") from None
        except ConnectionError:
            return data
        if not chunk:
            return data
        data += chunk


ORIGINS = {
    None: 101,
    "https://phone.example.test": 101,
    "https://PHONE.example.test": 101,
    "http://phone.example.test": 403,
    "https://phone.example.test:8443": 403,
    "https://phone.example.test.evil.test": 403,
    "https://evil.test": 403,
    "https://evil.test/https://phone.example.test": 403,
    "null": 403,
    "": 403,
    "*": 403,
    "A" * 5_000: 403,
    "https://evil.test\x1b[31m": 400,
}


def test_only_the_pages_of_the_operator_may_connect(server: Server) -> None:
    for origin, status in ORIGINS.items():
        with connected(server) as sock:
            sock.sendall(handshake() if origin is None else handshake(Origin=origin))
            assert sock.recv(12) == f"HTTP/1.1 {status}".encode(), origin
    server.running.wait_for("A page of http://phone.example.test may not connect here")


BOMBS = {
    "a frame that inflates a thousandfold": (frame(zlib.compress(bytes(60_000_000), 9)[2:-4][:60_000], BINARY, bits=4), 1002),
    "ten thousand fragments": (fragments(b"x" * 10_000, 1), 1008),
    "fragments without a word and without end": (frame(b"", final=False) + frame(b"", 0, final=False) * 50_000, 1008),
    "fragments too large together": (fragments(b"x" * 1_000_000, 60_000), 1009),
    "a frame too large": (frame(b"x" * 1_000_000), 1009),
    "a length of 2^63": (b"\x82\xff\x7f" + b"\xff" * 7 + b"x" * 1_000, 1009),
    "a flood of pings": (frame(b"x" * 125, PING) * 10_000, 1008),
    "a frame without a mask": (frame(options(), masked=False), 1002),
    "text that is no UTF-8": (frame(b"\xc3\x28" * 1_000), 1007),
}


def test_bombs_and_floods_end_in_a_close_code(server: Server) -> None:
    for name, (octets, code) in BOMBS.items():
        with opened(server) as sock:
            sent(sock, octets)
            answer = until_closed(sock)
            # Who floods on may see the reset before he has read why.
            assert close_code(answer) == code or (not answer and len(octets) > 65_536), name
            assert len(answer) < 70_000, name


def test_every_octet_bent(server: Server, seed: int, long_form: bool) -> None:
    """Each octet of a handshake and of two frames changed, one at a time: an answer or an end, never a fault."""
    whole = handshake() + frame(options()) + frame(b"", PING)
    chance = random.Random(seed)
    places = range(len(whole)) if long_form else sorted(chance.sample(range(len(whole)), 120))
    for start in range(0, len(places), 20):
        with contextlib.ExitStack() as stack:
            socks = []
            for number, place in enumerate(places[start : start + 20]):
                bent = bytearray(whole)
                bent[place] ^= 1 << chance.randrange(8)
                sock = stack.enter_context(connected(server, f"127.0.1.{number + 1}"))
                sent(sock, bytes(bent))
                socks.append(sock)
            for sock in socks:
                # The end of a half-read frame or handshake.
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_WR)
                answer = until_closed(sock)
                assert answer[:9] in (b"", b"HTTP/1.1 "), answer


def test_every_cut(server: Server) -> None:
    """A connection that ends after any number of octets leaves nothing behind."""
    whole = handshake() + frame(options())
    for end in range(0, len(whole), 7):
        with connected(server) as sock:
            sent(sock, whole[:end])


def test_who_stalls_in_the_handshake_or_within_a_frame_is_sent_away(server: Server) -> None:
    with connected(server) as shaking, opened(server) as framing, opened(server) as between:
        sent(framing, frame(options())[:-1])
        sent(between, frame(options()[:50], final=False))
        for sock in (framing, between):
            assert close_code(until_closed(sock)) == 1001
        sent(shaking, handshake()[:-1])
        with opened(server) as other:
            assert asked(other).startswith(b"SIP/2.0 200 ")


def test_a_peer_that_asks_and_does_not_read_is_cut_off(server: Server) -> None:
    with opened(server) as sock:
        # Whoever asks is answered with all that he wrote: far more than the buffers between us hold.
        question = frame(request("OPTIONS", f"sip:{DOMAIN}", ("192.0.2.1", 5060), transport="WS", call="x" * 3_000).encode())
        with pytest.raises((ConnectionError, TimeoutError)):
            for _ in range(10_000):
                sock.sendall(question)
