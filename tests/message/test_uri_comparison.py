"""RFC 3261 §19.1.4, its own examples first."""

import itertools

import pytest

from ringback.message.uri import parse_uri

EQUIVALENT = [
    ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
    ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
    (
        "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
        "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
    ),
    ("sip:alice@atlanta.com?subject=project%20x&priority=urgent", "sip:alice@atlanta.com?priority=urgent&subject=project%20x"),
    ("sip:a@h?Subject=x", "sip:a@h?subject=%78"),
    ("sip:a:p%77@h", "sip:a:pw@h"),
    ("sip:a%c3@h", "sip:a%C3@h"),
    ("sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0:0::1]"),
    ("sip:a@h;x", "sip:a@h;X"),
    ("sip:a@h;x=%41b", "sip:a@h;x=aB"),
    ("sip:a@h;lr", "sip:a@h"),
    ("sip:a@h;maddr=239.255.255.1;ttl=15;user=phone", "sip:a@h;USER=Phone;ttl=15;maddr=239.255.255.1"),
]

DIFFERENT = [
    ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
    ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
    ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
    ("sip:a@h", "sips:a@h"),
    ("sip:a@h", "sip:h"),
    ("sip:a@h", "sip:a:p@h"),
    ("sip:a:p@h", "sip:a:P@h"),
    ("sip:a@h", "sip:a@h;user=ip"),
    ("sip:a@h", "sip:a@h;ttl=1"),
    ("sip:a@h", "sip:a@h;method=INVITE"),
    ("sip:a@h", "sip:a@h;maddr=h"),
    ("sip:a@h;x=1", "sip:a@h;x"),
    ("sip:a%2Fb@h", "sip:a/b@h"),
    ("sip:a@h?Subject=x", "sip:a@h?Subject=y"),
    ("sip:a@h?a=1", "sip:a@h?a=1&a=1"),
    ("sip:+1@h", "tel:+1"),
    ("tel:+1", "sip:+1@h"),
]


@pytest.mark.parametrize(("one", "other"), EQUIVALENT)
def test_equivalent(one: str, other: str) -> None:
    assert parse_uri(one).matches(parse_uri(other))
    assert parse_uri(other).matches(parse_uri(one))


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_not_equivalent(one: str, other: str) -> None:
    assert not parse_uri(one).matches(parse_uri(other))
    assert not parse_uri(other).matches(parse_uri(one))


@pytest.mark.parametrize("text", sorted(set(itertools.chain(*EQUIVALENT, *DIFFERENT))))
def test_every_uri_is_equivalent_to_itself(text: str) -> None:
    assert parse_uri(text).matches(parse_uri(text))
