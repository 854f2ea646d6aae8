import pytest

from ringback.message.errors import SipParseError
from ringback.message.fields.feature_set import FeatureSet


def test_features() -> None:
    value = FeatureSet.parse('* ;Audio;require;methods="INVITE,BYE";+sip.x="<y>"')
    assert value.params == {"audio": None, "require": None, "methods": '"INVITE,BYE"', "+sip.x": '"<y>"'}
    assert value.is_required
    assert not value.is_explicit
    assert FeatureSet.parse("*;explicit").is_explicit
    assert str(value) == '*;audio;require;methods="INVITE,BYE";+sip.x="<y>"'
    assert repr(value) == f"<FeatureSet {value}>"


@pytest.mark.parametrize("text", ["", ";audio", "a;audio", "*audio", "*;", "*;audio;audio", "**"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(SipParseError):
        FeatureSet.parse(text)


def test_equality_ignores_the_order() -> None:
    assert FeatureSet.parse("*;a;b") == FeatureSet.parse("*;B;A")
    assert hash(FeatureSet.parse("*;a;b")) == hash(FeatureSet.parse("*;B;A"))
    assert FeatureSet.parse("*;a") != FeatureSet.parse("*")
    assert FeatureSet.parse("*") != "*"
