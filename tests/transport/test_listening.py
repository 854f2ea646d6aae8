"""What an element listens on: as it is written, and as it is opened."""

from __future__ import annotations

import pytest

from ringback.testing import Network, run
from ringback.transport.listening import listen, listening_point


@pytest.mark.parametrize(
    ("uri", "transport", "host", "port"),
    [
        ("udp://127.0.0.1:5070", "UDP", "127.0.0.1", 5070),
        ("tcp://localhost", "TCP", "127.0.0.1", 5060),
        ("UDP://[::1]:0", "UDP", "::1", 0),
        ("udp://[2001:DB8::1]", "UDP", "2001:db8::1", 5060),
        ("tls://192.0.2.1", "TLS", "192.0.2.1", 5061),
    ],
)
def test_a_listening_point_is_a_transport_an_address_and_a_port(uri: str, transport: str, host: str, port: int) -> None:
    point = listening_point(uri, "pbx.example.com")
    assert (point.transport, point.host, point.port, point.advertised) == (transport, host, port, "pbx.example.com")


@pytest.mark.parametrize(
    ("uri", "fault"),
    [
        ("127.0.0.1:5060", "must be written udp://ADDRESS:PORT"),
        ("wss://127.0.0.1/ws", "no path"),
        ("sctp://127.0.0.1", "'sctp' is unknown"),
        ("udp://::1", "an IPv6 address is written"),
        ("udp://[::1", "an IPv6 address is written"),
        ("udp://example.com", "must be numeric"),
        ("udp://127.1", "must be numeric"),
        ("udp://[fe80::1%eth0]", "must be numeric"),
        ("udp://127.0.0.1:65536", "from 0 to 65535"),
        ("udp://127.0.0.1:+1", "from 0 to 65535"),
        (f"udp://127.0.0.1:{'9' * 5000}", "from 0 to 65535"),
    ],
)
def test_what_is_no_listening_point(uri: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        listening_point(uri)


def test_tcp_is_opened_beside_every_udp_port_and_nothing_twice() -> None:
    async def opened() -> list[tuple[str, str, int]]:
        transports = Network().host("192.0.2.1", lambda *_: None, lambda *_: None, batch_ended=lambda: None)
        await listen(transports, [listening_point(uri) for uri in ("udp://192.0.2.1:5060", "tcp://192.0.2.1:5060", "tcp://192.0.2.1:5070")])
        places = [(endpoint.transport, endpoint.host, endpoint.port) for endpoint in transports.endpoints]
        await transports.close()
        return places

    assert run(opened()) == [("UDP", "192.0.2.1", 5060), ("TCP", "192.0.2.1", 5060), ("TCP", "192.0.2.1", 5070)]
