import pytest

from ringback.message.errors import SipParseError
from ringback.message.fields.warning import WarningValue


@pytest.mark.parametrize(
    ("text", "code", "agent", "warned"),
    [
        ("307 isi.edu \"Session parameter 'foo' not understood\"", 307, "isi.edu", "Session parameter 'foo' not understood"),
        ('301 [2001:db8::1]:5060 "a"', 301, "[2001:db8::1]:5060", "a"),
        ('399 192.0.2.1:5060 "é\udcff"', 399, "192.0.2.1:5060", "é\udcff"),
        (r'399 a*b "\""', 399, "a*b", '"'),
    ],
)
def test_every_part(text: str, code: int, agent: str, warned: str) -> None:
    warning = WarningValue.parse(text)
    assert (warning.code, warning.agent, warning.text) == (code, agent, warned)
    assert str(warning) == text


@pytest.mark.parametrize(
    "text", ["", '1812 overture "In Progress"', '30 a "b"', "307 a b", '307 "b"', '307 a "b', '307 a "b" c', '307 a/b "c"', '٣٠٧ a "b"']
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(SipParseError):
        WarningValue.parse(text)


def test_equality() -> None:
    warning = WarningValue(399, "a", "b")
    assert warning == WarningValue.parse('399  a "b"')
    assert hash(warning) == hash(WarningValue.parse('399  a "b"'))
    assert warning != WarningValue(399, "a", "c")
    assert warning != str(warning)
    assert repr(warning) == '<WarningValue 399 a "b">'
