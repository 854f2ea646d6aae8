"""Free ports for tests that run beside other tests: outside the range the kernel gives to outgoing sockets, and no port twice."""

import random
import socket

_CHANCE = random.SystemRandom()
_FIRST, _LAST = 10_000, 32_000
_given: set[int] = set()


def free_port(host: str = "127.0.0.1", together: int = 1) -> int:
    """A port that neither UDP nor TCP uses at the moment on this address, the first of `together` such ports."""
    for _ in range(1000):
        port = _CHANCE.randrange(_FIRST, _LAST)
        ports = range(port, port + together)
        if _given.isdisjoint(ports) and all(_is_free(host, each) for each in ports):
            _given.update(ports)
            return port
    raise AssertionError("no port is free")


def _is_free(host: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(family, kind) as sock:
            try:
                sock.bind((host, port))
            except OSError:
                return False
    return True


def has_ipv6() -> bool:
    """Whether this machine has ::1."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True
