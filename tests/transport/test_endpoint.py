"""Which endpoint reaches which peer, and what is a numeric address."""

import errno
import os
import socket

import pytest

from ringback.address import Endpoint, Target
from ringback.transport.endpoint import bound_socket, is_loopback, is_multicast, is_wildcard, reaching, socket_address

LOOPBACK = Endpoint("UDP", "127.0.0.1", 5060)
INSIDE = Endpoint("UDP", "10.0.0.1", 5060)
OUTSIDE = Endpoint("UDP", "192.0.2.1", 5060)
OUTSIDE_TCP = Endpoint("TCP", "192.0.2.1", 5060)
INSIDE_TCP = Endpoint("TCP", "10.0.0.1", 5060)
ANY = Endpoint("UDP", "0.0.0.0", 5060)
GROUP = Endpoint("UDP", "224.0.1.75", 5060)
V6 = Endpoint("UDP", "2001:db8::1", 5060)


@pytest.mark.parametrize(
    ("endpoints", "target", "prefer", "expected"),
    [
        ([LOOPBACK, INSIDE], Target("UDP", "192.0.2.9", 5060), None, INSIDE),
        ([LOOPBACK, INSIDE], Target("UDP", "127.0.0.2", 5060), None, LOOPBACK),
        ([INSIDE, LOOPBACK], Target("UDP", "127.0.0.2", 5060), None, LOOPBACK),
        ([INSIDE, ANY], Target("UDP", "127.0.0.2", 5060), None, ANY),
        ([INSIDE, OUTSIDE], Target("UDP", "127.0.0.2", 5060), None, INSIDE),
        ([INSIDE, OUTSIDE, LOOPBACK], Target("UDP", "127.0.0.2", 5060), OUTSIDE, OUTSIDE),
        ([INSIDE, OUTSIDE], Target("UDP", "192.0.2.9", 5060), OUTSIDE, OUTSIDE),
        ([LOOPBACK, INSIDE], Target("UDP", "192.0.2.9", 5060), LOOPBACK, INSIDE),
        ([LOOPBACK], Target("UDP", "192.0.2.9", 5060), None, None),
        ([INSIDE, V6], Target("UDP", "2001:db8::9", 5060), INSIDE, V6),
        ([INSIDE], Target("UDP", "2001:db8::9", 5060), None, None),
        ([GROUP, INSIDE], Target("UDP", "192.0.2.9", 5060), GROUP, INSIDE),
        ([LOOPBACK], Target("UDP", "224.0.1.75", 5060), None, LOOPBACK),
        ([LOOPBACK, INSIDE], Target("UDP", "224.0.1.75", 5060), None, INSIDE),
        ([INSIDE_TCP, OUTSIDE_TCP], Target("TCP", "192.0.2.9", 5060), OUTSIDE, OUTSIDE_TCP),
        ([INSIDE_TCP, OUTSIDE_TCP], Target("TCP", "192.0.2.9", 5060), None, INSIDE_TCP),
        ([], Target("TCP", "192.0.2.9", 5060), None, None),
    ],
)
def test_the_endpoint_that_reaches_a_target(
    endpoints: list[Endpoint], target: Target, prefer: Endpoint | None, expected: Endpoint | None
) -> None:
    assert reaching(endpoints, target, prefer) is expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("192.0.2.1", ("192.0.2.1", 5060)),
        ("2001:DB8:0:0::1", ("2001:db8::1", 5060, 0, 0)),
        ("example.com", None),
        ("192.0.2", None),
        ("192.0.2.1.", None),
        ("١.0.2.1", None),
        ("::g", None),
        ("a" * 300, None),
        ("\udce9:", None),
        ("::1\0", None),
    ],
)
def test_socket_addresses_are_numeric(host: str, expected: tuple[str, int] | None) -> None:
    assert socket_address(host, 5060) == expected


def test_a_scoped_address_keeps_its_scope() -> None:
    name = socket.if_indextoname(1)
    assert socket_address(f"fe80::1%{name}", 5060) == ("fe80::1", 5060, 0, 1)


def test_an_address_of_nobody_here_is_named_in_the_error() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match=r"UDP 192\.0\.2\.77:5060") as caught:
        bound_socket(socket.SOCK_DGRAM, "UDP", "192.0.2.77", 5060, shared=False)
    assert caught.value.errno == errno.EADDRNOTAVAIL
    with pytest.raises(OverflowError):
        bound_socket(socket.SOCK_DGRAM, "UDP", "127.0.0.1", 70_000, shared=False)
    assert len(os.listdir("/proc/self/fd")) == before


def test_kinds_of_address() -> None:
    assert [is_multicast(host) for host in ("224.0.1.75", "239.255.255.255", "240.0.0.1", "22.0.0.1", "ff02::1", "FF02::1", "fe80::1")] == [
        True, True, False, False, True, True, False,
    ]  # fmt: skip
    assert [is_loopback(host) for host in ("127.0.0.1", "::1", "0::0:1", "128.0.0.1", "::", ":x", "::1\0")] == [
        True, True, True, False, False, False, False,
    ]  # fmt: skip
    assert [is_wildcard(host) for host in ("0.0.0.0", "::", "127.0.0.1")] == [True, True, False]
