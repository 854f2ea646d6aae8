"""RFC 5118: IPv6 in SIP messages."""

import pytest

from ringback.message.errors import SipParseError
from ringback.message.message import Request
from ringback.message.parser import Malformed, parse_datagram
from ringback.message.uri import SipUri
from tests.torture.corpus import octets


def request(file: str) -> Request:
    message = parse_datagram(octets(file))
    assert isinstance(message, Request)
    return message


def place(file: str) -> tuple[str, int | None]:
    uri = request(file).uri
    assert isinstance(uri, SipUri)
    return uri.host, uri.port


def test_4_1_ipv6_good() -> None:
    message = request("ipv6-good")
    assert place("ipv6-good") == ("2001:db8::10", None)
    assert (message.via.host, message.via.port) == ("2001:db8::9:1", None)
    assert message.contact.uri.host == "2001:db8::1"


def test_4_2_ipv6_bad() -> None:
    with pytest.raises(SipParseError):
        _ = request("ipv6-bad").uri


def test_4_3_port_ambiguous() -> None:
    assert place("port-ambiguous") == ("2001:db8::10:5070", None)


def test_4_4_port_unambiguous() -> None:
    assert place("port-unambiguous") == ("2001:db8::10", 5070)


@pytest.mark.parametrize("file", ["via-received-param-with-delim", "via-received-param-no-delim"])
def test_4_5_received_with_and_without_brackets(file: str) -> None:
    assert request(file).via.received == "2001:db8::9:255"


@pytest.mark.parametrize(
    ("file", "printed", "true"), [("ipv6-in-sdp", 268, 251), ("mult-ip-in-sdp", 181, 189), ("ipv4-mapped-ipv6", 236, 245)]
)
def test_bodies_whose_printed_length_is_wrong(file: str, printed: int, true: int) -> None:
    message = request(f"fixed/{file}")
    assert len(message.body) == message.value("Content-Length") == true
    as_printed = parse_datagram(octets(file))
    if printed > true:
        assert isinstance(as_printed, Malformed)
    else:
        assert isinstance(as_printed, Request)
        assert as_printed.body == message.body[:printed]


def test_4_6_ipv6_in_sdp() -> None:
    message = request("fixed/ipv6-in-sdp")
    assert place("fixed/ipv6-in-sdp") == ("2001:db8::10", None)
    assert b"c=IN IP6 2001:db8::20\r\n" in message.body


def test_4_7_mult_ip_in_header() -> None:
    assert [(via.transport, via.host, via.port, via.received) for via in request("mult-ip-in-header").vias] == [
        ("UDP", "2001:db8::9:1", 6050, None),
        ("UDP", "192.0.2.1", None, None),
        ("TCP", "2001:db8::9:255", None, "192.0.2.200"),
    ]


def test_4_8_mult_ip_in_sdp() -> None:
    body = request("fixed/mult-ip-in-sdp").body
    assert b"IP4" in body
    assert b"IP6" in body


def test_4_9_ipv4_mapped_ipv6() -> None:
    message = request("fixed/ipv4-mapped-ipv6")
    assert [(via.host, via.port) for via in message.vias] == [("::ffff:192.0.2.10", 19823), ("::ffff:192.0.2.2", None)]
    assert message.contact.uri.host == "::ffff:192.0.2.2"


def test_4_10_the_third_colon_is_dropped() -> None:
    assert place("ipv6-bug-abnf-3-colons") == place("ipv6-correct-abnf-2-colons") == ("2001:db8::192.0.2.1", None)
    assert str(request("ipv6-bug-abnf-3-colons").uri) == "sip:user@[2001:db8::192.0.2.1]"
