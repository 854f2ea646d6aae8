"""Where a URI leads: what of it counts, and what its silence means (RFC 3263 §4.1, §4.2)."""

from ringback.address import Endpoint, Target
from ringback.transport.resolver import Resolver


def test_a_numeric_host_is_known_at_once() -> None:
    resolver = Resolver()
    assert resolver.known("sip:bob@192.0.2.1", 0.0) == [Target("UDP", "192.0.2.1", 5060)]
    assert resolver.known("sip:bob@192.0.2.1:5070;transport=tcp", 0.0) == [Target("TCP", "192.0.2.1", 5070)]
    assert resolver.known("sip:bob@example.com;maddr=192.0.2.2", 0.0) == [Target("UDP", "192.0.2.2", 5060)]
    assert resolver.known("sip:bob@example.com", 0.0) is None


def test_where_udp_is_not_spoken_a_uri_without_transport_means_another() -> None:
    """RFC 3263 §4.1: the client selects among the transports it has; what the URI names still counts."""
    resolver = Resolver()
    resolver.speak([Endpoint("TCP", "192.0.2.9", 5060)])
    assert resolver.known("sip:bob@192.0.2.1", 0.0) == [Target("TCP", "192.0.2.1", 5060)]
    assert resolver.known("sip:bob@192.0.2.1;transport=udp", 0.0) == [Target("UDP", "192.0.2.1", 5060)]
    assert resolver.known("sips:bob@192.0.2.1", 0.0) == [Target("TLS", "192.0.2.1", 5061)]


def test_udp_is_preferred_where_it_is_spoken() -> None:
    resolver = Resolver()
    resolver.speak([Endpoint("TCP", "192.0.2.9", 5060), Endpoint("UDP", "192.0.2.9", 5060)])
    assert resolver.known("sip:bob@192.0.2.1", 0.0) == [Target("UDP", "192.0.2.1", 5060)]
