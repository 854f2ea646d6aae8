"""TCP peers that send garbage, stall, flood, do not read or reset: they lose their connection, and nobody else notices (T11, V10 to V12).

The server is the real one, its limits of time and number scaled down. Meanwhile a stranger at another address asks over UDP; in the
end the server has as many files open as at the beginning, little more memory, and has met no exception.
"""

import contextlib
import random
import resource
import select
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.running import patiently
from tests.interop.server import RunningServer
from tests.interop.wire import DOMAIN, Peer, request, unique
from tests.reliability.probe import Probe

PER_SOURCE = 64
# Times are looked at once a second; twice the second that each limit allows is what a peer can see, and the rest is a busy machine's.
SOON = 6.0
WORST_GAP = 0.25
MORE_MEMORY = 24 << 20
_CONFIG = f"""
[limits]
tcp_connections_per_source = {PER_SOURCE}
tcp_first_request_seconds = 1.0
tcp_message_seconds = 1.0
tcp_write_buffer_bytes = 65536
"""


@pytest.fixture
def server(tmp_path: Path, long_form: bool) -> Iterator[RunningServer]:
    """A server under watch: what must hold at the end of every test here."""
    # A transaction with an answer lives 32 s more (Timer D): the long form has ten thousand of them at its end.
    allowed = MORE_MEMORY * (4 if long_form else 1)
    with RunningServer(tmp_path, config=_CONFIG) as running:
        with connected(running, "127.0.0.8") as warm:
            assert ask_over(warm).startswith(b"SIP/2.0 200 ")
        patiently(lambda: not running_connections(running), "the first connection is gone")
        files, memory = running.descriptors(), running.resident()
        with Probe(running.address) as probe:
            yield running
            patiently(lambda: running.descriptors() <= files, f"only {files} files are open, as at the beginning", 2 * SOON)
            # A while longer: what was done may have its cost only now.
            enough = probe.answers + 20
            patiently(lambda: probe.answers >= enough, "the stranger is answered")
        more = running.resident() - memory
        print(f"worst gap {probe.worst_gap * 1000:.0f} ms of {probe.answers} answers, {more / 1024:.0f} KiB more memory")
        assert probe.worst_gap < WORST_GAP
        assert more < allowed


def running_connections(server: RunningServer) -> int:
    """How many TCP connections the server has, those that their peers have closed among them."""
    end = f":{server.port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().split("\n")[1:] if line]
    return sum(row[1].endswith(end) and row[3] in ("01", "08") for row in rows)


def connected(server: RunningServer, host: str = "127.0.0.5") -> socket.socket:
    """A connection from an address of its own."""
    return socket.create_connection(server.address, timeout=SOON, source_address=(host, 0))


def ask_over(sock: socket.socket) -> bytes:
    """OPTIONS to the server over a connection, and the head of the answer."""
    sock.sendall(request("OPTIONS", f"sip:{DOMAIN}", sock.getsockname(), transport="TCP").encode())
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = sock.recv(65_536)
        if not chunk:
            raise AssertionError(f"closed after {data!r}")
        data += chunk
    return data


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


def reset(sock: socket.socket) -> None:
    """Ends a connection by RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


HALF = request("OPTIONS", f"sip:{DOMAIN}", ("127.0.0.5", 5060), transport="TCP").encode()[:150]
WITHOUT_ITS_BODY = request("MESSAGE", f"sip:{DOMAIN}", ("127.0.0.5", 5060), transport="TCP", body="x" * 1000).encode()[:-500]
GARBAGE = {
    "HTTP": b"GET / HTTP/1.1\r\nHost: example.test\r\n\r\n",
    "TLS": bytes.fromhex("16030100a1010000 9d0303") + bytes(150),
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "zeros": bytes(20_000),
    "random": random.Random(3261).randbytes(20_000),
    "a line without an end": b"A" * 100_000,
    "lines without an end": b"A: b\r\n" * 20_000,
    "a wrong length": b"OPTIONS sip:example.test SIP/2.0\r\nContent-Length: -1\r\n\r\n",
    "a length too long": b"OPTIONS sip:example.test SIP/2.0\r\nContent-Length: 99999999999\r\n\r\n",
    "half a head": HALF,
    "half a body": WITHOUT_ITS_BODY,
    "nothing": b"",
}


def test_whoever_sends_no_message_is_closed(server: RunningServer) -> None:
    with contextlib.ExitStack() as stack:
        socks = {}
        for number, (name, data) in enumerate(GARBAGE.items()):
            for host in ("127.0.0.5", f"127.0.1.{number + 1}"):
                sock = socks[name, host] = stack.enter_context(connected(server, host))
                with contextlib.suppress(ConnectionError):
                    sock.sendall(data)
        end = time.monotonic() + SOON
        for (name, _), sock in socks.items():
            answer = until_closed(sock, max(end - time.monotonic(), 0.1))
            # An answer, where there is one, says that it was the peer's fault; who speaks TLS hears so in TLS.
            assert answer[:9] in (b"", b"SIP/2.0 4", b"SIP/2.0 5") or (name == "TLS" and answer.startswith(b"\x15\x03")), name


def test_one_octet_at_a_time(server: RunningServer) -> None:
    """Slowloris: what comes in drops is no reason to wait longer, neither for the first message nor for a later one."""
    with connected(server) as fresh, connected(server) as proven, connected(server, "127.0.0.6") as patient:
        for sock in (proven, patient):
            assert ask_over(sock).startswith(b"SIP/2.0 200 ")
        waiting = {fresh, proven}
        octets = iter(request("OPTIONS", f"sip:{DOMAIN}", ("127.0.0.5", 5060), f"X: {'x' * 100_000}").encode())
        begin = time.monotonic()
        while waiting:
            assert time.monotonic() - begin < SOON, "it still waits for the rest"
            octet = bytes([next(octets)])
            for sock in waiting.copy():
                try:
                    sock.send(octet)
                except ConnectionError:
                    waiting.discard(sock)
            readable, _, _ = select.select(list(waiting), [], [], 0.05)
            waiting.difference_update(readable)
        # One who has nothing to say is not in the way, once it has said something.
        assert ask_over(patient).startswith(b"SIP/2.0 200 ")


def test_a_header_that_never_ends(server: RunningServer) -> None:
    for line in (b"X-Long: " + b"a" * 1000, b"X-Many: a\r\n" * 100):
        with connected(server) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
            sent = 0
            with contextlib.suppress(ConnectionError):
                sock.sendall(f"OPTIONS sip:{DOMAIN} SIP/2.0\r\n".encode())
                while sent < 32 << 20:
                    sent += sock.send(line)
            # What the kernel's buffers take, and the megabyte that is thrown away to let the last answer be read.
            assert sent < 16 << 20, "it reads for ever"


def test_three_hundred_connections_from_one_address(server: RunningServer) -> None:
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(connected(server)) for _ in range(300)]
        kept = 0
        for sock in crowd:
            # All of them know how to behave; it is only their number.
            with contextlib.suppress(ConnectionError, AssertionError):
                kept += ask_over(sock).startswith(b"SIP/2.0 200 ")
        assert kept == PER_SOURCE
        assert running_connections(server) == PER_SOURCE
        with connected(server, "127.0.0.6") as other:
            assert ask_over(other).startswith(b"SIP/2.0 200 ")
    patiently(lambda: not running_connections(server), "the server has let them go")
    with connected(server) as again:
        assert ask_over(again).startswith(b"SIP/2.0 200 ")


def test_more_connections_than_files(server: RunningServer) -> None:
    """V12: with the last descriptors spoken for, UDP, the store and, when they are free again, TCP go on."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.prlimit(server.running.pid, resource.RLIMIT_NOFILE, (64, hard))
    with contextlib.ExitStack() as stack:
        for number in range(200):
            stack.enter_context(connected(server, f"127.0.2.{number + 1}"))
        patiently(lambda: server.descriptors() < 64, "some descriptors are kept back")
        with Peer(server.address, "127.0.0.7") as peer:
            user = unique()
            assert peer.ask(peer.register(user, peer.contact(user))).status == 200
    patiently(lambda: not running_connections(server), "the server has let them go")
    with connected(server) as again:
        assert ask_over(again).startswith(b"SIP/2.0 200 ")


def test_a_peer_that_does_not_read(server: RunningServer) -> None:
    with connected(server) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        long_ = "x" * 900
        text = request("OPTIONS", f"sip:{DOMAIN}", sock.getsockname(), transport="TCP", call=long_).encode()
        memory = server.resident()
        sock.setblocking(False)
        end = time.monotonic() + 20
        asked = 0
        while True:
            assert time.monotonic() < end, f"not closed after {asked} octets"
            _, writable, _ = select.select([], [sock], [], 0.1)
            if not writable:
                continue
            try:
                asked += sock.send(text * 20)
            except BlockingIOError:
                continue
            except ConnectionError:
                break
        assert server.resident() - memory < MORE_MEMORY


@pytest.mark.parametrize("said", ["nothing", "half", "whole"])
def test_reset_in_the_middle(server: RunningServer, long_form: bool, said: str) -> None:
    """V10: with answers under way, some of them to be made later, by the phone that was called or by the disk."""
    with Peer(server.address, "127.0.0.2") as phone:
        assert phone.ask(phone.register("phone", phone.contact("phone"))).status == 200
        for number in range(2000 if long_form else 150):
            if number % 50 == 0:
                # Resets are tried here, not how many messages a second it can take.
                patiently(lambda: not running_connections(server), "the connections that were reset are gone")
                answer_everything(phone, 486)
            sock = connected(server, f"127.0.3.{number % 250 + 1}")
            here = sock.getsockname()
            me = f"Contact: <sip:a@{here[0]}:{here[1]};transport=tcp>"
            asked = [request("INVITE", f"sip:phone@{DOMAIN}", here, me, transport="TCP") for _ in range(10)]
            user = unique()
            contact = f"Contact: <sip:{user}@{here[0]}:{here[1]};transport=tcp>"
            asked.append(request("REGISTER", f"sip:{DOMAIN}", here, contact, to=f"sip:{user}@{DOMAIN}", transport="TCP"))
            asked.append(request("OPTIONS", f"sip:{DOMAIN}", here, transport="TCP"))
            data = "".join(asked).encode()
            sock.sendall({"nothing": b"", "half": data[: len(data) // 2 + number], "whole": data}[said])
            reset(sock)
        # Their callers are gone: the phone answers, and the answers find nobody. Nothing comes of it.
        answer_everything(phone, 486)
    patiently(lambda: not running_connections(server), "no connection is left")


def answer_everything(phone: Peer, status: int) -> None:
    """Answers each request once, until none comes any more for a moment."""
    while (data := phone.receive(0.1)) is not None:
        if data.startswith((b"ACK ", b"SIP/2.0 ")):
            continue
        kept = [line for line in data.decode().split("\r\n") if line.partition(":")[0].lower() in ("via", "from", "to", "call-id", "cseq")]
        phone.send("\r\n".join([f"SIP/2.0 {status} Whatever", *kept, "Content-Length: 0", "", ""]))


