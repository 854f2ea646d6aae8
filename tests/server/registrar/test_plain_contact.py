"""The short way for plain Contacts gives what the long way gives, or nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.message.fields.name_addr import NameAddr
from ringback.message.uri import SipUri
from ringback.server.registrar.plain_contact import plain_contact

SOURCE = "192.0.2.1"
OWN = {(SOURCE, 5060)}


@pytest.mark.parametrize(
    "line",
    [
        f"Contact: <sip:alice@{SOURCE}:5062>",
        f"m:\t<sip:a.l-i_c!e~*'()+1@{SOURCE}:65535>;expires=0  ",
        f"CONTACT : <sip:alice@{SOURCE}:1>;expires=999999999",
    ],
)
def test_a_plain_contact(line: str) -> None:
    plain = plain_contact(line, SOURCE, OWN)
    assert plain is not None
    whole = NameAddr.parse(line.partition(":")[2].strip(" \t"))
    assert (plain.uri_text, plain.uri, plain.expires, plain.q) == (whole.uri_text, whole.uri, whole.expires, whole.q)
    assert plain.params == {}


@pytest.mark.parametrize(
    "value",
    [
        f"<sip:alice@{SOURCE}>",
        f"<sip:alice@{SOURCE}:5060>",
        f"<sip:alice@{SOURCE}:65536>",
        "<sip:alice@192.0.2.2:5062>",
        "<sip:alice@host:5062>",
        f"<sips:alice@{SOURCE}:5062>",
        f"<sip:%61lice@{SOURCE}:5062>",
        f"<sip:alice@{SOURCE}:5062;maddr=192.0.2.2>",
        f"<sip:alice@{SOURCE}:5062>;q=0.1",
        f"<sip:alice@{SOURCE}:5062>;expires=1234567890",
        f"<sip:alice@{SOURCE}:5062>;expires=60;expires=70",
        f"<sip:alice@{SOURCE}:5062>, <sip:bob@{SOURCE}:5062>",
        f"A <sip:alice@{SOURCE}:5062>",
        f"sip:alice@{SOURCE}:5062",
        f"\r\n <sip:alice@{SOURCE}:5062>",
        f"<sip:alice@{SOURCE}:٥٠٦٢>",
        "*",
    ],
)
def test_what_is_not_plain_or_not_at_its_source_takes_the_long_way(value: str) -> None:
    assert plain_contact(f"Contact: {value}", SOURCE, OWN) is None


@given(st.from_regex(r"<sips?:[a%61.]*@?192\.0\.2\.1(:[0-9]{1,6})?(;lr)?>(;(expires|q)=[0-9.]{1,12}){0,2}[ ,]?", fullmatch=True))
def test_whatever_goes_the_short_way_would_have_ended_alike(value: str) -> None:
    plain = plain_contact(f"Contact: {value}", SOURCE, OWN)
    if plain is not None:
        whole = NameAddr.parse(value.strip(" \t"))
        assert isinstance(whole.uri, SipUri)
        assert (whole.uri_text, whole.expires, whole.q) == (plain.uri_text, plain.expires, None)
        assert whole.uri.host == SOURCE
        assert whole.uri.port not in (None, 5060)
