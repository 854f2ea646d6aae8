"""History-Info (RFC 7044 §5) and Diversion (RFC 5806 §4)."""

import pytest

from ringback.message.errors import SipParseError
from ringback.message.fields.diversion import Diversion
from ringback.message.fields.history_info import HistoryInfo, render_index


def test_an_entry_as_the_rfc_shows_it() -> None:
    entry = HistoryInfo.parse("<sip:UserB@example.com?Privacy=history&Reason=SIP%3Bcause%3D486>;index=1.2;mp=1.1")
    assert (entry.index, entry.params["mp"], entry.is_private) == ((1, 2), "1.1", True)
    assert render_index(entry.index) == "1.2"
    assert str(entry) == "<sip:UserB@example.com?Privacy=history&Reason=SIP%3Bcause%3D486>;index=1.2;mp=1.1"


@pytest.mark.parametrize("text", ["sip:a@x;index=1", "<sip:a@x", "", "<nonsense>;index=1"])
def test_what_is_no_entry(text: str) -> None:
    with pytest.raises(SipParseError):
        HistoryInfo.parse(text)


@pytest.mark.parametrize(
    "index", ["", ";index", ";index=", ";index=1.", ";index=.1", ";index=01", ";index=1..2", ";index=1.x", ";index=1234567890"]
)
def test_what_is_no_index(index: str) -> None:
    with pytest.raises(SipParseError):
        HistoryInfo.parse(f"<sip:a@x>{index}").index  # noqa: B018 - it is what raises


@pytest.mark.parametrize(
    ("uri", "is_private"),
    [
        ("sip:a@x", False),
        ("sip:a@x?Reason=SIP", False),
        ("sip:a@x?privacy=id%3Bhistory", True),
        ("sip:a@x?Privacy=id", False),
        ("sip:a@x?Privacy=%20%3B", False),
        ("tel:+1", False),
    ],
)
def test_an_entry_may_ask_to_be_hidden(uri: str, is_private: bool) -> None:
    assert HistoryInfo.parse(f"<{uri}>;index=0").is_private is is_private


def test_a_diversion() -> None:
    value = Diversion.parse('"Bob" <sip:bob@P2.example;user=phone>;reason=User-Busy;counter=3;privacy="full"')
    assert (value.reason, value.counter, value.display_name) == ("user-busy", 3, "Bob")
    assert (Diversion.parse("<tel:+1>").reason, Diversion.parse("<tel:+1>").counter) == ("unknown", 1)
    assert Diversion.parse('<tel:+1>;reason="follow-me"').reason == "follow-me"
    for text in ("<tel:+1>;counter=100", "<tel:+1>;counter", "<tel:+1>;counter=x"):
        with pytest.raises(SipParseError):
            Diversion.parse(text).counter  # noqa: B018 - it is what raises
    with pytest.raises(SipParseError):
        Diversion.parse("sip:bob@p2.example;reason=unknown")
