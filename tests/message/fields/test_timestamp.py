import pytest

from ringback.message.errors import SipParseError
from ringback.message.fields.timestamp import Timestamp


@pytest.mark.parametrize(
    ("text", "sent", "delay"),
    [("54", 54.0, 0.0), ("54.", 54.0, 0.0), ("54.21 0.25", 54.21, 0.25), ("0.5 .5", 0.5, 0.5), ("1 2.", 1.0, 2.0), ("1 \t.", 1.0, 0.0)],
)
def test_numbers(text: str, sent: float, delay: float) -> None:
    timestamp = Timestamp.parse(text)
    assert (timestamp.sent, timestamp.delay) == (sent, delay)
    assert Timestamp.parse(str(timestamp)) == timestamp


def test_the_senders_digits_are_kept() -> None:
    assert str(Timestamp.parse("0054.210")) == "0054.210"
    assert repr(Timestamp("1", "2")) == "<Timestamp 1 2>"


@pytest.mark.parametrize("text", ["", ".5", "-1", "1e3", "1 2 3", "1 x", "٣", "9" * 21, "1." + "9" * 21, "nan", "inf"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(SipParseError):
        Timestamp.parse(text)


def test_equality() -> None:
    assert Timestamp("1") == Timestamp.parse("1")
    assert hash(Timestamp("1")) == hash(Timestamp.parse("1"))
    assert Timestamp("1") != Timestamp("1", "2")
    assert Timestamp("1") != "1"
