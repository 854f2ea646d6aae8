import pytest

from ringback.message.errors import SipParseError
from ringback.message.fields.privacy import Privacy


@pytest.mark.parametrize(
    ("text", "values"), [("id", ("id",)), ("Header ; user;critical", ("header", "user", "critical")), ("id, user", ("id", "user"))]
)
def test_values(text: str, values: tuple[str, ...]) -> None:
    privacy = Privacy.parse(text)
    assert privacy.values == values
    assert str(privacy) == ";".join(values)


@pytest.mark.parametrize("text", ["", ";", "id;", "a b", "é", ";".join(["a"] * 65)])
def test_what_is_none(text: str) -> None:
    with pytest.raises(SipParseError):
        Privacy.parse(text)


def test_membership_and_equality() -> None:
    assert "ID" in Privacy("id")
    assert "none" not in Privacy("id")
    assert Privacy("ID") == Privacy("id")
    assert hash(Privacy("ID")) == hash(Privacy("id"))
    assert Privacy("id") != "id"
    assert repr(Privacy("id")) == "<Privacy id>"
