import pytest

from ringback.message.errors import SipParseError
from ringback.message.fields.cseq import MAX_CSEQ, CSeq


@pytest.mark.parametrize(
    ("text", "number", "method"),
    [
        ("314159 INVITE", 314159, "INVITE"),
        ("0009  \t INVITE", 9, "INVITE"),
        ("0 !interesting-Method0123456789_*+`.%indeed'~", 0, "!interesting-Method0123456789_*+`.%indeed'~"),
        (f"{MAX_CSEQ} ACK", MAX_CSEQ, "ACK"),
        ("1\tack", 1, "ack"),
    ],
)
def test_number_and_method(text: str, number: int, method: str) -> None:
    cseq = CSeq.parse(text)
    assert (cseq.number, cseq.method) == (number, method)
    assert CSeq.parse(str(cseq)) == cseq


@pytest.mark.parametrize(
    "text", ["", "1", "INVITE", "INVITE 1", "1 ", " INVITE", "1 INVITE x", "1 IN/VITE", "-1 ACK", "1.0 ACK", "٣ ACK", "1 ÄCK", "1INVITE"]
)
def test_what_is_no_cseq(text: str) -> None:
    with pytest.raises(SipParseError):
        CSeq.parse(text)


@pytest.mark.parametrize("number", [str(MAX_CSEQ + 1), "36893488147419103232", "9" * 60_000])
def test_the_number_is_limited(number: str) -> None:
    with pytest.raises(SipParseError, match="too large"):
        CSeq.parse(f"{number} REGISTER")


def test_equality_minds_the_methods_case() -> None:
    assert CSeq(1, "ACK") == CSeq.parse("1 ACK")
    assert hash(CSeq(1, "ACK")) == hash(CSeq.parse("1 ACK"))
    assert CSeq(1, "ack") != CSeq(1, "ACK")
    assert CSeq(2, "ACK") != CSeq(1, "ACK")
    assert CSeq(1, "ACK") != "1 ACK"
    assert repr(CSeq(1, "ACK")) == "<CSeq 1 ACK>"
