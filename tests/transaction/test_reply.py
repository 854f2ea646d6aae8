"""RFC 3261 §18.2.1, §18.2.2 and RFC 3581: where a request came from and where its response goes."""

import pytest

from ringback.address import Endpoint, Flow, Target
from ringback.message.fields.via import Via
from ringback.transaction.reply import fallback_target, is_multicast, reply_flow, stamp_source
from tests.transaction.party import request

UDP = Endpoint("UDP", "192.0.2.1", 5060)
TCP = Endpoint("TCP", "192.0.2.1", 5060)


def stamped(sent_by: str, params: str, flow: Flow) -> str:
    one = request(sent_by=sent_by, via_params=params)
    stamp_source(one, flow)
    text = one.headers.text("Via")
    assert text is not None
    return text.removeprefix("SIP/2.0/UDP ").replace(";branch=z9hG4bKa", "")


@pytest.mark.parametrize(
    ("sent_by", "params", "expected"),
    [
        ("192.0.2.2:5060", "", "192.0.2.2:5060"),
        ("192.0.2.2", "", "192.0.2.2"),
        ("phone.example.com:5060", "", "phone.example.com:5060;received=192.0.2.2"),
        ("10.0.0.1:5060", "", "10.0.0.1:5060;received=192.0.2.2"),
        ("10.0.0.1:5060", ";rport", "10.0.0.1:5060;rport=40000;received=192.0.2.2"),
        # RFC 3581 §4: received is written though it equals the sent-by.
        ("192.0.2.2:5060", ";rport", "192.0.2.2:5060;rport=40000;received=192.0.2.2"),
        # What the sender wrote there is not believed.
        ("10.0.0.1:5060", ";received=198.51.100.1", "10.0.0.1:5060;received=192.0.2.2"),
        ("192.0.2.2:5060", ";received=198.51.100.1", "192.0.2.2:5060;received=192.0.2.2"),
        ("192.0.2.2:5060", ";rport=9", "192.0.2.2:5060;rport=40000;received=192.0.2.2"),
    ],
)
def test_the_source_is_stamped(sent_by: str, params: str, expected: str) -> None:
    assert stamped(sent_by, params, Flow(UDP, ("192.0.2.2", 40000))) == expected


def test_a_request_that_needs_no_stamp_keeps_its_octets() -> None:
    one = request(sent_by="192.0.2.2:5060", via_params=" ; x=y")
    before = one.to_bytes()
    stamp_source(one, Flow(UDP, ("192.0.2.2", 5060)))
    assert one.to_bytes() == before


def test_only_the_topmost_via_is_stamped() -> None:
    one = request(sent_by="10.0.0.1", extra="Via: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKz;rport\n")
    stamp_source(one, Flow(UDP, ("192.0.2.2", 40000)))
    assert [via.received for via in one.vias] == ["192.0.2.2", None]
    assert one.vias[1].rport is None


def test_ipv6_sources() -> None:
    flow = Flow(UDP, ("2001:db8::9", 40000, 0, 0))
    assert stamped("[2001:db8::9]:5060", "", flow) == "[2001:db8::9]:5060"
    assert stamped("[2001:db8::1]:5060", ";rport", flow) == "[2001:db8::1]:5060;rport=40000;received=2001:db8::9"
    assert stamped("phone.example.com", "", Flow(UDP, ("fe80::1%eth0", 5060, 0, 2))) == "phone.example.com;received=fe80::1"


@pytest.mark.parametrize(
    ("via", "remote"),
    [
        ("192.0.2.2:5060", ("192.0.2.2", 5060)),
        ("192.0.2.2", ("192.0.2.2", 5060)),
        ("192.0.2.2:5070", ("192.0.2.2", 5070)),
        ("198.51.100.1:5070;received=192.0.2.2", ("192.0.2.2", 5070)),
        # Behind a NAT, and does not know it.
        ("10.0.0.1:5070;received=192.0.2.2", ("192.0.2.2", 40000)),
        ("[fd00::1]:5070;received=192.0.2.2", ("192.0.2.2", 40000)),
        ("phone.example.com;received=192.0.2.2", ("192.0.2.2", 5060)),
        ("10.0.0.1:5070;rport=40000;received=192.0.2.2", ("192.0.2.2", 40000)),
        ("192.0.2.2:5070;maddr=224.0.1.75", ("192.0.2.2", 5070)),
        ("192.0.2.2;maddr=224.0.1.75;ttl=4;rport=40000", ("192.0.2.2", 40000)),
        ("192.0.2.2:5070;maddr=198.51.100.7", ("192.0.2.2", 5070)),
        ("192.0.2.2:5070;maddr=198.51.100.7;rport=40000", ("192.0.2.2", 40000)),
        ("192.0.2.2:5070;maddr=group.example.com", ("192.0.2.2", 5070)),
        ("192.0.2.2:5070;maddr", ("192.0.2.2", 5070)),
    ],
)
def test_a_response_over_udp_goes_to(via: str, remote: tuple[str, int]) -> None:
    flow = Flow(UDP, ("192.0.2.2", 40000))
    assert reply_flow(Via.parse(f"SIP/2.0/UDP {via}"), flow) == Flow(UDP, remote)


def test_a_response_leaves_from_where_its_request_came_in() -> None:
    other = Endpoint("UDP", "192.0.2.1", 5070)
    assert reply_flow(Via.parse("SIP/2.0/UDP 192.0.2.2"), Flow(other, ("192.0.2.2", 40000))).endpoint is other


def test_an_ipv6_reply_keeps_the_scope() -> None:
    flow = Flow(UDP, ("fe80::1%eth0", 40000, 0, 2))
    assert reply_flow(Via.parse("SIP/2.0/UDP [fe80::1]:5070"), flow).remote == ("fe80::1%eth0", 5070, 0, 2)
    group = Flow(Endpoint("UDP", "ff0e::1", 5060), ("fe80::1%eth0", 40000, 0, 2))
    assert reply_flow(Via.parse("SIP/2.0/UDP [fe80::1];maddr=ff0e::1"), group).remote == ("ff0e::1", 5060, 0, 2)


def test_a_response_goes_to_the_group_that_its_request_was_sent_to_and_to_no_other() -> None:
    flow = Flow(Endpoint("UDP", "224.0.1.75", 5060), ("192.0.2.2", 40000))
    for via, remote in (
        ("192.0.2.2:5070;maddr=224.0.1.75", ("224.0.1.75", 5070)),
        ("192.0.2.2;maddr=224.0.1.75;ttl=1;rport=40000", ("224.0.1.75", 5060)),
        ("192.0.2.2:5070;maddr=224.0.1.76", ("192.0.2.2", 5070)),
    ):
        assert reply_flow(Via.parse(f"SIP/2.0/UDP {via}"), flow).remote == remote


@pytest.mark.parametrize("params", ["", ";rport=9", ";maddr=224.0.1.75", ";received=198.51.100.1"])
def test_a_response_over_a_reliable_transport_stays_in_its_connection(params: str) -> None:
    flow = Flow(TCP, ("192.0.2.2", 40000), 7)
    assert reply_flow(Via.parse(f"SIP/2.0/TCP 10.0.0.1:5070{params}"), flow) is flow


@pytest.mark.parametrize(
    ("via", "target"),
    [
        ("SIP/2.0/TCP 10.0.0.1:5070;received=192.0.2.2", Target("TCP", "192.0.2.2", 5070)),
        ("SIP/2.0/TCP 192.0.2.2", Target("TCP", "192.0.2.2", 5060)),
        ("SIP/2.0/TLS 10.0.0.1;received=192.0.2.2", Target("TLS", "192.0.2.2", 5061, domain="10.0.0.1")),
        ("SIP/2.0/SCTP 192.0.2.2", Target("SCTP", "192.0.2.2", 5060)),
        ("SIP/2.0/WS 192.0.2.2", None),
        ("SIP/2.0/WSS df7jal23ls0d.invalid;received=192.0.2.2", None),
    ],
)
def test_where_to_go_when_the_connection_is_closed(via: str, target: Target | None) -> None:
    assert fallback_target(Via.parse(via)) == target


def test_multicast_is_a_numeric_group() -> None:
    assert is_multicast("224.0.1.75")
    assert is_multicast("ff0e::1")
    for host in ("192.0.2.2", "224.example.com", "", "2001:db8::1"):
        assert not is_multicast(host)
