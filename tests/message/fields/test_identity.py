import pytest

from ringback.message.errors import SipParseError
from ringback.message.fields.identity import Identity


def test_every_part() -> None:
    text = 'eyJ.eyJ-_.sv5CTo/+=;info=<https://biloxi.example.org/biloxi.cer;a>;alg=ES256;ppt="shaken"'
    identity = Identity.parse(text)
    assert identity.digest == "eyJ.eyJ-_.sv5CTo/+="
    assert identity.info == "https://biloxi.example.org/biloxi.cer;a"
    assert (identity.algorithm, identity.passport_type) == ("ES256", "shaken")
    assert str(identity) == text
    assert repr(identity) == "<Identity https://biloxi.example.org/biloxi.cer;a>"


def test_the_form_of_rfc_4474_has_no_parameters() -> None:
    identity = Identity.parse("r5mwreLuyDRYBi/0TiPw=")
    assert (identity.info, identity.algorithm, identity.passport_type) == (None, None, None)
    assert str(identity) == "r5mwreLuyDRYBi/0TiPw="


@pytest.mark.parametrize(
    "text", ["", ";info=<a:b>", "a b;info=<a:b>", "a;info=a:b;", "a;info=<>", "a;info=<a:b>;INFO=<c:d>", "a;info=<a:b", "a;alg="]
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(SipParseError):
        Identity.parse(text)


def test_equality() -> None:
    assert Identity.parse("a; INFO = <b:c>") == Identity("a", "b:c")
    assert hash(Identity.parse("a;info=<b:c>")) == hash(Identity("a", "b:c"))
    assert Identity("a", "b:c") != Identity("a", "b:d")
    assert Identity("a", "b:c") != "a;info=<b:c>"
