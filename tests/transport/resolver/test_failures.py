"""Servers that failed, and servers that asked to be left alone (RFC 3263 §4.3, RFC 3261 §21.5.4)."""

import pytest

from ringback.address import Target
from ringback.transport.resolver.failures import Failures

ONE, TWO, THREE = (Target("UDP", f"192.0.2.{number}", 5060) for number in (1, 2, 3))


def test_what_failed_comes_last_and_the_longest_ago_first() -> None:
    failures = Failures()
    assert not failures.until
    failures.failed(TWO, 0.0, None)
    failures.failed(ONE, 1.0, None)
    assert failures.last([ONE, TWO, THREE], 2.0) == [THREE, TWO, ONE]
    assert failures.last([ONE, TWO, THREE], 30.5) == [TWO, THREE, ONE]
    assert failures.last([ONE, TWO, THREE], 31.0) == [ONE, TWO, THREE]
    assert not failures.until, "what is over costs nothing more"


def test_a_server_is_known_by_transport_address_and_port() -> None:
    failures = Failures()
    failures.failed(ONE, 0.0, None)
    same = ONE._replace(domain="example.com", ttl=3)
    others = [ONE._replace(port=5061), ONE._replace(transport="TCP")]
    assert failures.last([same, *others], 1.0) == [*others, same]


def test_rest_is_bounded() -> None:
    failures = Failures()
    failures.failed(ONE, 0.0, 4294967295)
    failures.failed(TWO, 0.0, 10)
    failures.failed(THREE, 0.0, None)
    assert failures.rest(ONE, 59.0) == 1.0
    assert failures.rest(ONE, 60.0) is None
    assert failures.rest(TWO, 4.0) == 6.0
    assert failures.rest(THREE, 0.0) is None
    failures.succeeded(TWO)
    assert failures.rest(TWO, 4.0) is None
    # A failure of another kind ends no rest that was asked for.
    failures.failed(ONE, 5.0, None)
    assert failures.rest(ONE, 6.0) == 54.0


def test_the_oldest_are_forgotten() -> None:
    failures = Failures()
    for port in range(1, 1200):
        failures.failed(ONE._replace(port=port), 100.0, 9)
    assert failures.rest(ONE._replace(port=1), 100.0) is None
    assert failures.rest(ONE._replace(port=1199), 100.0) == pytest.approx(9.0)
