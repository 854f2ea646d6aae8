import pytest

from ringback.message.errors import SipParseError
from ringback.message.fields.reason import Reason


def test_every_part() -> None:
    reason = Reason.parse('sip ;cause=200 ;text="Call completed elsewhere"')
    assert (reason.protocol, reason.cause, reason.text) == ("SIP", 200, "Call completed elsewhere")
    assert str(reason) == 'sip;cause=200;text="Call completed elsewhere"'


def test_what_is_absent() -> None:
    reason = Reason.parse("Q.850")
    assert (reason.protocol, reason.cause, reason.text) == ("Q.850", None, None)


@pytest.mark.parametrize("text", ["SIP;cause", "SIP;cause=x", "SIP;cause=4294967296"])
def test_a_malformed_cause_is_found_when_asked_for(text: str) -> None:
    reason = Reason.parse(text)
    with pytest.raises(SipParseError):
        _ = reason.cause
