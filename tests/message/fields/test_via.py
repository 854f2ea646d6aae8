import pytest

from ringback.message.errors import SipParseError
from ringback.message.fields.via import Via
from ringback.message.grammar import MAX_IDENTIFIER


def test_every_part() -> None:
    via = Via.parse("SIP/2.0/udp Erlang.Bell-Telephone.com:5060;branch=z9hG4bK87Asdks7;received=192.0.2.207;TTL=16;maddr=224.2.0.1")
    assert via.protocol == "SIP/2.0"
    assert via.transport == "UDP"
    assert via.host == "erlang.bell-telephone.com"
    assert via.port == 5060
    assert via.sent_by == "erlang.bell-telephone.com:5060"
    assert via.branch == "z9hG4bK87Asdks7"
    assert via.received == "192.0.2.207"
    assert via.ttl == 16
    assert via.maddr == "224.2.0.1"
    assert not via.has_rport


def test_the_white_space_that_rfc_3261_20_42_shows() -> None:
    via = Via.parse("SIP / 2.0 / UDP first.example.com: 4000;ttl=16 ;maddr=224.2.0.1 ;branch=z9hG4bKa7c6a8dlze.1")
    assert str(via) == "SIP/2.0/UDP first.example.com:4000;ttl=16;maddr=224.2.0.1;branch=z9hG4bKa7c6a8dlze.1"
    assert Via.parse("SIP\t/2.0/ TCP \t h \t; a").params == {"a": None}


def test_another_protocol_survives() -> None:
    via = Via.parse("sip/3.0/SCTP h")
    assert via.protocol == "SIP/3.0"
    assert str(via) == "SIP/3.0/SCTP h"


def test_rport_asked_for_and_filled_in() -> None:
    asked = Via.parse("SIP/2.0/UDP h;rport;branch=z9hG4bK1")
    assert asked.has_rport
    assert asked.rport is None
    filled = Via.parse("SIP/2.0/UDP h;rport=5062;branch=z9hG4bK1")
    assert filled.has_rport
    assert filled.rport == 5062
    assert Via.parse("SIP/2.0/UDP h").rport is None


def test_what_is_absent() -> None:
    via = Via.parse("SIP/2.0/UDP h")
    assert (via.port, via.branch, via.received, via.maddr, via.ttl) == (None, None, None, None, None)
    assert via.sent_by == "h"


@pytest.mark.parametrize("text", ["SIP/2.0/UDP h;received=2001:db8::9:255", "SIP/2.0/UDP h;received=[2001:DB8::9:255]"])
def test_received_of_ipv6_comes_in_two_forms(text: str) -> None:
    assert Via.parse(text).received == "2001:db8::9:255"


def test_ipv6() -> None:
    via = Via.parse("SIP/2.0/UDP [2001:DB8::9:1]:5070;maddr=[ff02::1]")
    assert via.host == "2001:db8::9:1"
    assert via.sent_by == "[2001:db8::9:1]:5070"
    assert via.maddr == "ff02::1"
    assert Via("UDP", "::1").sent_by == "[::1]"


@pytest.mark.parametrize("name", ["rport", "ttl"])
def test_a_malformed_number_is_found_when_asked_for(name: str) -> None:
    via = Via.parse(f"SIP/2.0/UDP h;{name}=70000")
    with pytest.raises(SipParseError):
        getattr(via, name)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SIP/2.0/UDP",
        "SIP/2.0/UDP ",
        "SIP/2.0 h",
        "SIP/2.0/UDPh",
        "SIP/2.0/U DP h",
        "SIP/2.0/UDP h h",
        "SIP/2.0/UDP h:",
        "SIP/2.0/UDP h:65536",
        "SIP/2.0/UDP h:123456",
        "SIP/2.0/UDP 2001:db8::1",
        "SIP/2.0/UDP [2001:db8::1",
        "SIP/2.0/UDP [1::2::3]",
        "SIP/2.0/UDP h;",
        "SIP/2.0/UDP ;;,;,,",
        "SIP/2.0/UDP h;branch",
        'SIP/2.0/UDP h;branch="x"',
        "SIP/2.0/UDP h;branch=;x",
        "SIP/2.0/UDP h;branch=a;BRANCH=b",
        "SIP/2.0/UDP é",
        "SIP/2.0/ÜDP h",
        "SIP/2.0/UDP h\n",
    ],
)
def test_what_is_no_via(text: str) -> None:
    with pytest.raises(SipParseError):
        Via.parse(text)


def test_the_branch_is_limited() -> None:
    at_limit = f"SIP/2.0/UDP h;branch={'x' * MAX_IDENTIFIER}"
    assert str(Via.parse(at_limit)) == at_limit
    with pytest.raises(SipParseError, match="branch"):
        Via.parse(at_limit + "x")


def test_a_via_is_built_and_stamped() -> None:
    via = Via("TCP", "192.0.2.1", 5060, {"branch": "z9hG4bK1", "rport": None})
    via.params["received"] = "192.0.2.9"
    via.params["rport"] = "40000"
    assert str(via) == "SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bK1;rport=40000;received=192.0.2.9"
    assert repr(via) == f"<Via {via}>"


def test_equality() -> None:
    assert Via.parse("SIP/2.0/udp H;Branch=a") == Via("UDP", "h", None, {"branch": "a"})
    assert Via("UDP", "h") != Via("UDP", "h", 5060)
    assert Via("UDP", "h") != "SIP/2.0/UDP h"
