"""Memory of a running server per idle connection: each has asked OPTIONS once and waits, as a registered phone's does.

    ./dev bench connections [--transport tcp|tls …] [--count N]

Without options 5,000 over TCP, then 1,000 over TLS. The figure is the growth of the server's proportional memory by them, a second after
the last has been answered; what the kernel keeps for each socket is not in it.
"""

import argparse
import contextlib
import resource
import shutil
import socket
import ssl
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.certificate import certify
from benchmarks.processes import LOOPBACK, free_port, memory_kb, start, stop, wait_until_answering

COUNTS = {"tcp": 5_000, "tls": 1_000}
# Descriptors beside the connections: log, store, listening sockets, what Python itself has open.
_SPARE = 200
_DOMAIN = "bench.example"

OPTIONS = (
    "OPTIONS sip:{domain} SIP/2.0\r\nVia: SIP/2.0/{transport} {host}:{port};branch=z9hG4bK{number}\r\nMax-Forwards: 70\r\n"
    "From: <sip:bench@{domain}>;tag={number}\r\nTo: <sip:{domain}>\r\nCall-ID: {number}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)


def allow_descriptors(count: int) -> int:
    """How many connections this process may have open, at most `count`; the server inherits the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + _SPARE if hard == resource.RLIM_INFINITY else min(count + _SPARE, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[0]), hard))
    return min(count, wanted - _SPARE)


def configuration(folder: Path, transport: str, port: int) -> Path:
    """A server that lets one address have as many connections as it likes."""
    lines = [
        'auth = "none"',
        f'domains = ["{_DOMAIN}"]',
        f'listen = ["udp://{LOOPBACK}:{port}", "{transport}://{LOOPBACK}:{port + (transport == "tls")}"]',
        "[limits]",
        "tcp_connections_per_source = 1_000_000",
    ]
    if transport == "tls":
        certify(folder, _DOMAIN)
        lines += ["[tls]", 'certificate = "certificate.pem"', 'key = "key.pem"']
    file = folder / "server.toml"
    file.write_text("\n".join(lines), "utf-8")
    return file


def connector(folder: Path, transport: str, port: int) -> Callable[[], socket.socket]:
    """Opens one connection more."""
    if transport == "tcp":
        return lambda: socket.create_connection((LOOPBACK, port))
    context = ssl.create_default_context(cafile=str(folder / "authority.pem"))
    return lambda: context.wrap_socket(socket.create_connection((LOOPBACK, port + 1)), server_hostname=_DOMAIN)


def ask(connection: socket.socket, transport: str, number: int) -> None:
    """One OPTIONS and its answer."""
    host, port = connection.getsockname()[:2]
    connection.sendall(OPTIONS.format(domain=_DOMAIN, transport=transport.upper(), host=host, port=port, number=number).encode())
    heard = b""
    while b"\r\n\r\n" not in heard:
        some = connection.recv(65_536)
        if not some:
            raise SystemExit(f"bench: the server closed connection {number} without an answer")
        heard += some
    if not heard.startswith(b"SIP/2.0 200"):
        raise SystemExit(f"bench: {heard[:60]!r}")


def measure(transport: str, count: int) -> float:
    """Bytes of the server's memory for each of so many connections."""
    folder = Path(tempfile.mkdtemp(prefix="ringback-bench-"))
    server = None
    port = free_port()
    program = str(Path(sys.executable).with_name("ringback"))
    with contextlib.ExitStack() as opened:
        try:
            with (folder / "server.log").open("wb") as log:
                command = [program, "serve", "--config", str(configuration(folder, transport, port)), "--data", ":memory:"]
                server = start(command, log)
            try:
                wait_until_answering(server, port)
            except RuntimeError as error:
                raise SystemExit(f"bench: {error}\n{(folder / 'server.log').read_text('utf-8', 'replace')}") from error
            connect = connector(folder, transport, port)
            # The first connection of a transport makes what all of them share.
            ask(opened.enter_context(connect()), transport, 0)
            time.sleep(1)
            before = memory_kb(server.pid)
            for number in range(1, count + 1):
                ask(opened.enter_context(connect()), transport, number)
            time.sleep(1)
            return (memory_kb(server.pid) - before) * 1024 / count
        finally:
            stop(server)
            shutil.rmtree(folder, ignore_errors=True)


def main(arguments: list[str]) -> int:
    """Prints one line for each transport."""
    parser = argparse.ArgumentParser(prog="./dev bench connections", description="Memory per idle connection.")
    parser.add_argument("--transport", choices=list(COUNTS), action="append", help="only this one; may be repeated")
    parser.add_argument("--count", type=int, help="connections  [default: 5,000 over TCP, 1,000 over TLS]")
    chosen = parser.parse_args(arguments)
    for transport in chosen.transport or list(COUNTS):
        count = allow_descriptors(chosen.count or COUNTS[transport])
        print(f"{transport}: {measure(transport, count) / 1024:.1f} kB for each of {count:,} idle connections", flush=True)
    return 0
