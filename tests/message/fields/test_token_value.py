import pytest

from ringback.message.errors import SipParseError
from ringback.message.fields.language_range import LanguageRange
from ringback.message.fields.token_value import ContentDisposition, TokenValue, parse_qvalue


def test_value_and_params() -> None:
    value = TokenValue.parse('gzip ; q=0.5;x="a b";y')
    assert value.value == "gzip"
    assert value.q == 0.5
    assert (value.param("x"), value.param("y"), value.param("z")) == ("a b", None, None)
    assert str(value) == 'gzip;q=0.5;x="a b";y'
    assert repr(value) == f"<TokenValue {value}>"


def test_without_q_it_is_wanted_fully() -> None:
    assert TokenValue.parse("*").q == 1.0


@pytest.mark.parametrize("text", ["", ";q=1", "a b", "a/b", '"a"', "a;", "é"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(SipParseError):
        TokenValue.parse(text)


def test_equality_is_blind_to_case_and_minds_the_kind() -> None:
    assert TokenValue.parse("GZIP;Q=1") == TokenValue("gzip", {"q": "1"})
    assert hash(TokenValue("GZIP")) == hash(TokenValue("gzip"))
    assert TokenValue("gzip") != TokenValue("gzip", {"q": "1"})
    assert TokenValue("session") != ContentDisposition("session")


@pytest.mark.parametrize("text", [None, "", "0.0000", "01", "1.5", "٠"])
def test_what_is_no_qvalue(text: str | None) -> None:
    with pytest.raises(SipParseError):
        parse_qvalue(text)


@pytest.mark.parametrize(
    ("text", "required"),
    [
        ("session", True),
        ("session;handling=required", True),
        ("icon;handling=Optional", False),
        ("icon;handling", True),
        ("alert;handling=other", True),
    ],
)
def test_a_disposition_is_required_unless_it_says_optional(text: str, required: bool) -> None:
    assert ContentDisposition.parse(text).is_required is required


@pytest.mark.parametrize("text", ["da", "en-gb;q=0.8", "*;q=0.1"])
def test_language_ranges(text: str) -> None:
    assert str(LanguageRange.parse(text)) == text


@pytest.mark.parametrize("text", ["", "en_gb", "e1", "en-*"])
def test_what_is_no_language_range(text: str) -> None:
    with pytest.raises(SipParseError):
        LanguageRange.parse(text)
