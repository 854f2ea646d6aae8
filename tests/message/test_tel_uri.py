import pytest

from ringback.message.errors import SipParseError
from ringback.message.grammar import MAX_PARAMS
from ringback.message.tel_uri import TelUri


def test_a_global_number() -> None:
    uri = TelUri.parse("TEL:+1-201-555-0123;ext=12;Isub=a@b")
    assert uri.is_global
    assert uri.number == "+1-201-555-0123"
    assert uri.digits == "+12015550123"
    assert uri.params == {"ext": "12", "isub": "a@b"}
    assert uri.phone_context is None
    assert str(uri) == "tel:+1-201-555-0123;ext=12;isub=a@b"
    assert repr(uri) == f"<TelUri {uri}>"


def test_a_local_number() -> None:
    uri = TelUri.parse("tel:7042;phone-context=example.com;x")
    assert not uri.is_global
    assert uri.phone_context == "example.com"
    assert str(uri) == "tel:7042;phone-context=example.com;x"
    assert str(TelUri("911", {"phone-context": "+1"})) == "tel:911;phone-context=+1"
    assert str(TelUri("+44")) == "tel:+44"


@pytest.mark.parametrize(
    "text",
    [
        "tel:",
        "tel:+",
        "tel:+-",
        "tel:()",
        "tel:+1 2",
        "tel:+1a",
        "tel:863-1234",
        "tel:1;phone-context",
        "tel:1;phone-context=",
        "tel:1;phone-context=a_b",
        "tel:1;phone-context=+",
        "tel:1;phone-context=+a",
        "tel:+1;",
        "tel:+1;=x",
        "tel:+1;a_b",
        "tel:+1;a=%",
        "tel:+1;a;A",
        "tel:٣",
        "tel:+1\n",
        "sip:+1",
        "tel:+1" + ";p" * (MAX_PARAMS + 1),
    ],
)
def test_what_is_no_tel_uri(text: str) -> None:
    with pytest.raises(SipParseError):
        TelUri.parse(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("tel:+1-201-555-0123", "tel:+1(201)555.0123"),
        ("tel:7042;phone-context=Example.COM.", "tel:70-42;phone-context=example.com"),
        ("tel:7042;phone-context=+1-2", "tel:7042;phone-context=+12"),
        ("tel:+1;ext=1-2;a=X%41", "tel:+1;A=xa;ext=12"),
        ("tel:abc;phone-context=h", "tel:ABC;phone-context=h"),
        ("tel:+1;x", "tel:+1;X"),
    ],
)
def test_equivalent(one: str, other: str) -> None:
    assert TelUri.parse(one).matches(TelUri.parse(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("tel:+1", "tel:1;phone-context=+1"),
        ("tel:+1", "tel:+2"),
        ("tel:+1", "tel:+1;a=b"),
        ("tel:7042;phone-context=a.com", "tel:7042;phone-context=b.com"),
        ("tel:+1;a", "tel:+1;a=1"),
    ],
)
def test_not_equivalent(one: str, other: str) -> None:
    assert not TelUri.parse(one).matches(TelUri.parse(other))
    assert not TelUri.parse(one).matches("tel:+1")


def test_equality_is_of_what_is_written() -> None:
    assert TelUri.parse("tel:+1-2;a") == TelUri.parse("TEL:+1-2;A")
    assert hash(TelUri.parse("tel:+1-2;a")) == hash(TelUri.parse("TEL:+1-2;A"))
    assert TelUri.parse("tel:+1-2") != TelUri.parse("tel:+12")
    assert TelUri.parse("tel:+1") != "tel:+1"
