"""Which URIs are ours (RFC 3261 §16.4, §16.5, §10.3 step 5)."""

import pytest

from ringback.address import Endpoint
from ringback.message.errors import SipParseError
from ringback.message.uri import SipUri, parse_uri
from ringback.server.domains import Domains, reaches, scope_of

ENDPOINTS = [
    Endpoint("UDP", "192.0.2.1", 5060, "sip.example.com"),
    Endpoint("TCP", "192.0.2.1", 5060, "sip.example.com"),
    Endpoint("UDP", "192.0.2.1", 5080),
    Endpoint("UDP", "2001:db8::1", 5060),
]
NAMED = Domains(["Example.COM", "example.org"], ENDPOINTS)
UNNAMED = Domains([], ENDPOINTS)


def uri(text: str) -> SipUri:
    parsed = parse_uri(text)
    assert isinstance(parsed, SipUri)
    return parsed


@pytest.mark.parametrize(
    ("text", "named", "unnamed"),
    [
        ("sip:192.0.2.1", True, True),
        ("sip:x@192.0.2.1:5060", True, True),
        ("sip:192.0.2.1:5080", True, True),
        ("sip:192.0.2.1:5090", False, False),
        ("sips:192.0.2.1", False, False),
        ("sip:sip.example.com", True, True),
        ("sip:[2001:db8::1]", True, True),
        ("sip:[2001:DB8:0::1]", True, True),
        ("sip:192.0.2.10", False, False),
        ("sip:EXAMPLE.com", True, False),
        ("sip:example.org:9999", True, False),
        ("sip:sub.example.org", False, False),
        ("sip:example.org.evil.example", False, False),
    ],
)
def test_what_names_this_server(text: str, named: bool, unnamed: bool) -> None:
    assert NAMED.is_ours(uri(text)) == named
    assert UNNAMED.is_ours(uri(text)) == unnamed


@pytest.mark.parametrize(
    ("text", "aor", "unnamed"),
    [
        ("sip:bob@example.com", "sip:bob@example.com", "sip:bob@example.com"),
        ("sips:b%6fb@EXAMPLE.com:5070;transport=tcp", "sip:bob@example.com", "sip:bob@example.com"),
        ("sip:bob:pass@192.0.2.1:5080", "sip:bob@example.com", "sip:bob@192.0.2.1"),
        ("sip:bob@other.example", None, "sip:bob@other.example"),
        ("sip:example.com", None, None),
        ("tel:+1", None, None),
        ("mailto:bob@example.com", None, None),
    ],
)
def test_the_address_of_record(text: str, aor: str | None, unnamed: str | None) -> None:
    assert NAMED.place(text).aor == aor
    assert UNNAMED.place(text).aor == unnamed


@pytest.mark.parametrize(
    ("text", "is_served", "names_user", "is_here"),
    [
        ("sip:example.com", True, False, True),
        ("sip:192.0.2.1:5080", True, False, True),
        ("sip:bob@example.com", True, True, False),
        ("sip:other.example", False, False, False),
        ("sip:bob@other.example", False, True, False),
        ("tel:+1", False, True, False),
    ],
)
def test_places(text: str, is_served: bool, names_user: bool, is_here: bool) -> None:
    place = NAMED.place(text)
    assert (place.is_served, place.names_user, place.is_here) == (is_served, names_user, is_here)
    assert str(place.uri) == text
    assert NAMED.place(text) is place


def test_where_no_domain_is_named_a_phone_without_a_user_is_not_this_server() -> None:
    assert not UNNAMED.place("sip:198.51.100.7:5062").is_here
    assert UNNAMED.place("sip:198.51.100.7:5062").is_served
    assert UNNAMED.place("sip:192.0.2.1").is_here


def test_other_endpoints_change_what_is_ours() -> None:
    domains = Domains(["example.com"])
    assert not domains.place("sip:192.0.2.1").is_served
    domains.listen(ENDPOINTS)
    assert domains.place("sip:192.0.2.1").is_served


def test_what_is_remembered_is_bounded() -> None:
    domains = Domains(["example.com"])
    for index in range(10_050):
        domains.place(f"sip:{index}@example.com")
    assert len(domains._places) <= 10_000
    with pytest.raises(SipParseError):
        domains.place("sip:@")


def test_repr() -> None:
    assert repr(NAMED).startswith("<Domains example.com, example.org at ")
    assert "any" in repr(UNNAMED) and "[2001:db8::1]:5060" in repr(UNNAMED)


@pytest.mark.parametrize(
    ("host", "scope"),
    [
        ("127.0.0.1", "loopback"),
        ("127.1.2.3", "loopback"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("localhost", "loopback"),
        ("169.254.169.254", "link-local"),
        ("fe80::1", "link-local"),
        ("224.0.1.75", "none"),
        ("0.0.0.0", "none"),
        ("::", "none"),
        ("255.255.255.255", "none"),
        ("192.0.2.1", ""),
        ("10.0.0.1", ""),
        ("example.com", ""),
    ],
)
def test_how_far_an_address_reaches(host: str, scope: str) -> None:
    assert scope_of(host) == scope


def test_only_who_is_on_loopback_has_messages_sent_there() -> None:
    def may_reach(source: str, uri: str) -> bool:
        return reaches(source, NAMED.place(uri).scope)

    assert may_reach("127.0.0.2", "sip:x@127.0.0.1:5070")
    assert not may_reach("192.0.2.9", "sip:x@127.0.0.1:5070")
    assert may_reach("192.0.2.9", "sip:x@198.51.100.1")
    assert not may_reach("192.0.2.9", "sip:x@198.51.100.1;maddr=127.0.0.1")
    assert not may_reach("224.0.1.75", "sip:x@224.0.1.75")
