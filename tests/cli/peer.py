"""A peer on loopback for the commands: it answers with whatever text a function gives, from a thread of its own."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Answering = Callable[[str], list[str]]
LONGEST = 20
"""Seconds after which a peer that nobody stopped ends by itself."""


def response(request: str, status: str = "200 OK", *lines: str) -> str:
    """A response to a request, by copying the fields of §8.2.6.2."""
    head = [line for line in request.split("\r\n") if line.partition(":")[0] in ("Via", "From", "Call-ID", "CSeq")]
    to = next(line for line in request.split("\r\n") if line.startswith("To:"))
    return "\r\n".join([f"SIP/2.0 {status}", *head, f"{to};tag=peer", *lines, "Content-Length: 0", "", ""])


@contextmanager
def udp_peer(answers: Answering) -> Iterator[tuple[int, list[str]]]:
    """Gives the port, and the requests heard so far."""
    heard: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(LONGEST)

        def run() -> None:
            while True:
                data, source = sock.recvfrom(65536)
                if data == b"end":
                    return
                heard.append(data.decode())
                for text in answers(heard[-1]):
                    sock.sendto(text.encode("utf-8", "surrogateescape"), source)

        thread = threading.Thread(target=run)
        thread.start()
        port = sock.getsockname()[1]
        try:
            yield port, heard
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stop:
                stop.sendto(b"end", ("127.0.0.1", port))
            thread.join()


@contextmanager
def tcp_peer(answers: Answering) -> Iterator[tuple[int, list[str]]]:
    """The same for one connection, until its other end closes it."""
    heard: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(LONGEST)

        def run() -> None:
            connection, _ = server.accept()
            with connection:
                connection.settimeout(LONGEST)
                data = b""
                while chunk := connection.recv(65536):
                    data += chunk
                    while b"\r\n\r\n" in data:
                        head, _, data = data.partition(b"\r\n\r\n")
                        heard.append(head.decode() + "\r\n\r\n")
                        for text in answers(heard[-1]):
                            connection.sendall(text.encode())

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield server.getsockname()[1], heard
        finally:
            thread.join()
