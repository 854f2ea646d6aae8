import pytest

from ringback.message.errors import SipParseError
from ringback.message.fields.retry_after import RetryAfter


@pytest.mark.parametrize(
    ("text", "seconds", "comment", "duration"),
    [
        ("120", 120, "", None),
        ("18000;duration=3600", 18000, "", 3600),
        ("120 (I'm in a meeting)", 120, "(I'm in a meeting)", None),
        (r"5(a (b) \) ü) ; duration=1;x", 5, r"(a (b) \) ü)", 1),
    ],
)
def test_every_part(text: str, seconds: int, comment: str, duration: int | None) -> None:
    value = RetryAfter.parse(text)
    assert (value.seconds, value.comment, value.duration) == (seconds, comment, duration)
    assert RetryAfter.parse(str(value)) == value


@pytest.mark.parametrize("text", ["", "x", "-1", "4294967296", "949302838503028349304023988", "5 (a", "5 (a))", "5 a", "5;", "5 (a\\)"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(SipParseError):
        RetryAfter.parse(text)


@pytest.mark.parametrize("text", ["5;duration", "5;duration=x"])
def test_a_malformed_duration_is_found_when_asked_for(text: str) -> None:
    value = RetryAfter.parse(text)
    with pytest.raises(SipParseError):
        _ = value.duration


def test_equality() -> None:
    assert RetryAfter.parse("05") == RetryAfter(5)
    assert hash(RetryAfter.parse("05")) == hash(RetryAfter(5))
    assert RetryAfter(5) != RetryAfter(5, "(a)")
    assert RetryAfter(5) != 5
    assert repr(RetryAfter(5, "(a)")) == "<RetryAfter 5 (a)>"
