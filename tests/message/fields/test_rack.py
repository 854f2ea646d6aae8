import pytest

from ringback.message.errors import SipParseError
from ringback.message.fields.rack import RAck


def test_every_part() -> None:
    rack = RAck.parse("776656 \t 1  INVITE")
    assert (rack.response_number, rack.cseq_number, rack.method) == (776656, 1, "INVITE")
    assert str(rack) == "776656 1 INVITE"
    assert repr(rack) == "<RAck 776656 1 INVITE>"


@pytest.mark.parametrize("text", ["", "1 INVITE", "1 2", "0 1 INVITE", "4294967296 1 INVITE", "1 2147483648 INVITE", "1 1 IN/V", "1 1 A B"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(SipParseError):
        RAck.parse(text)


def test_equality() -> None:
    assert RAck(1, 2, "INVITE") == RAck.parse("01 02 INVITE")
    assert hash(RAck(1, 2, "INVITE")) == hash(RAck.parse("01 02 INVITE"))
    assert RAck(1, 2, "INVITE") != RAck(2, 2, "INVITE")
    assert RAck(1, 2, "INVITE") != "1 2 INVITE"
