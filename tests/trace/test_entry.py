"""What a message is called at a glance."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.message.message import Request
from tests.trace.passed import INVITE, RINGING, entry, octets


@pytest.mark.parametrize(
    ("data", "label", "caption"),
    [
        (INVITE, "INVITE (SDP)", "1 INVITE  alice → bob"),
        (RINGING, "180 Ringing", "1 INVITE  alice → bob"),
        (octets("SIP/2.0 200 OK", "Content-Type: application/sdp", body=b"v=0\r\n"), "200 OK (SDP)", "1 INVITE  alice → bob"),
        (octets("MESSAGE sip:b@a.test SIP/2.0", body=b"hello", cseq="2 MESSAGE"), "MESSAGE", "2 MESSAGE  alice → bob"),
        (octets("SIP/2.0 404 Not \x1b[31mFound"), "404 Not \\x1b[31mFound", "1 INVITE  alice → bob"),
        (INVITE.replace(b"<sip:alice@example.test>", b"<sip:example.test>"), "INVITE (SDP)", "1 INVITE  example.test → bob"),
        (INVITE.replace(b"<sip:alice@example.test>", b"<sip:alice"), "INVITE (SDP)", "1 INVITE  ? → bob"),
        (b"\r\n\r\n", "", ""),
    ],
)
def test_label_and_caption(data: bytes, label: str, caption: str) -> None:
    passed = entry(data)
    assert (passed.label, passed.caption) == (label, caption)


def test_the_fault_of_what_was_no_message() -> None:
    passed = entry(b"HELLO \x1b[2J\xff\r\n\r\n", malformed="Malformed Start Line")
    assert passed.message is None
    assert passed.label == "malformed"
    assert passed.caption == "Malformed Start Line: HELLO \\x1b[2J\\xff"


def test_a_message_above_the_limits_is_shown_all_the_same() -> None:
    passed = entry(octets("INVITE sip:b@a.test SIP/2.0", "Subject: " + "x" * 20_000))
    assert isinstance(passed.message, Request)
    assert passed.message is passed.message


@given(st.binary(max_size=200), st.booleans())
def test_no_octets_break_a_label(data: bytes, is_fault: bool) -> None:
    for octets_ in (data, INVITE[:30] + data + INVITE[30:]):
        passed = entry(octets_, malformed="No" if is_fault else None)
        assert passed.label.isprintable()
        assert passed.caption.isprintable()
