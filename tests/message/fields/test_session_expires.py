import pytest

from ringback.message.errors import SipParseError
from ringback.message.fields.session_expires import SessionExpires


def test_every_part() -> None:
    value = SessionExpires.parse("4000 ;refresher=UAC;x")
    assert (value.seconds, value.refresher) == (4000, "uac")
    assert str(value) == "4000;refresher=UAC;x"
    assert repr(value) == f"<SessionExpires {value}>"
    assert SessionExpires.parse("90").refresher is None


@pytest.mark.parametrize("text", ["", "x", "-1", "4294967296", "90;", "90;refresher", "90;refresher=me", "90 91"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(SipParseError):
        SessionExpires.parse(text)


def test_equality() -> None:
    assert SessionExpires.parse("090") == SessionExpires(90)
    assert hash(SessionExpires.parse("090")) == hash(SessionExpires(90))
    assert SessionExpires(90) != SessionExpires(90, {"refresher": "uas"})
    assert SessionExpires(90) != 90
