"""Fragments of SIP messages in notifications (RFC 3420): the status line, and nothing that is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback import Response, SipParseError
from ringback.agent.transfer.sipfrag import TRYING, StatusLine, dialog_of, fields_of_dialog, parse_sipfrag, status_line_of


@pytest.mark.parametrize(
    ("octets", "line"),
    [
        (b"SIP/2.0 100 Trying", StatusLine(100, "Trying")),
        (b"SIP/2.0 200 OK\r\n", StatusLine(200, "OK")),
        (b'SIP/2.0 486 Busy Here\r\nWarning: 399 a "b"\r\n', StatusLine(486, "Busy Here")),
        (b"sip/2.0 603\n", StatusLine(603, "")),
        (b"SIP/2.0 503 \xff\r\n", StatusLine(503, "\udcff")),
    ],
)
def test_a_fragment_begins_with_a_status_line(octets: bytes, line: StatusLine) -> None:
    assert parse_sipfrag(octets) == line


@pytest.mark.parametrize(
    "octets",
    [
        *[b"", b"\r\n", b"SIP/2.0", b"SIP/2.0 ", b"SIP/2.0 20 OK", b"SIP/2.0 2000 OK", b"SIP/2.0 099 OK", b"SIP/2.0 700 No"],
        *[b"404 Not Found", b"SIP/1.0 200 OK", b"SIP/2.0 \xd9\xa2\xd9\xa0\xd9\xa0 OK", b"INVITE sip:a@b SIP/2.0", b"SIP/2.0 +20 OK"],
        b"x" * 1_000_000,
    ],
)
def test_what_begins_with_none_is_no_report(octets: bytes) -> None:
    with pytest.raises(SipParseError):
        parse_sipfrag(octets)


def test_of_a_response_nothing_but_the_status_line_is_told() -> None:
    """RFC 3515 §5.2: the rest may be private."""
    line = status_line_of(Response(200, None, [("Contact", "<sip:secret@192.0.2.1>")]))
    assert line.to_bytes() == b"SIP/2.0 200 OK\r\n"
    assert parse_sipfrag(line.to_bytes()) == line
    assert line.is_final
    assert line.is_success
    assert not TRYING.is_final
    assert not StatusLine(486, "Busy").is_success


@given(st.binary(max_size=40), st.sampled_from([b"", b"SIP/2.0 ", b"SIP/2.0 200"]))
def test_whatever_a_body_is_it_has_a_status_line_or_none(octets: bytes, begin: bytes) -> None:
    try:
        line = parse_sipfrag(begin + octets)
    except SipParseError:
        return
    assert 100 <= line.status <= 699
    assert parse_sipfrag(line.to_bytes()).status == line.status


NAMED = [
    ("From", "<sip:a@example.com>;tag=1"),
    ("To", '"B" <sip:b@example.com>;tag=2'),
    ("Call-ID", "call@192.0.2.1"),
    ("CSeq", "7 INVITE"),
]


def test_a_fragment_may_name_the_dialog_and_nothing_else() -> None:
    """RFC 3515 §2.4.5."""
    fields = [("Via", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1"), *NAMED, ("Contact", "<sip:b@192.0.2.2>"), ("Server", "secret")]
    response = Response(200, None, fields, b"v=0")
    fragment = status_line_of(response).to_bytes() + fields_of_dialog(response)
    assert fragment == (
        b'SIP/2.0 200 OK\r\nFrom: <sip:a@example.com>;tag=1\r\nTo: "B" <sip:b@example.com>;tag=2\r\n'
        b"Call-ID: call@192.0.2.1\r\nCSeq: 7 INVITE\r\nContact: <sip:b@192.0.2.2>\r\n"
    )
    assert parse_sipfrag(fragment) == StatusLine(200, "OK")
    assert str(dialog_of(fragment)) == "call@192.0.2.1;to-tag=2;from-tag=1"


HEAD = b"SIP/2.0 200 OK\r\n"
FROM, TO, CALL_ID = b"From: <sip:a@b>;tag=1\r\n", b"To: <sip:c@d>;tag=2\r\n", b"Call-ID: x\r\n"


def test_a_dialog_is_named_in_any_spelling_and_before_a_body() -> None:
    dialog = dialog_of(HEAD + b"f: <sip:a@b>\r\n ;tag=1\r\nt: <sip:c@d>;tag=2\r\ni: x\r\n\r\nCall-ID: y\r\n")
    assert str(dialog) == "x;to-tag=2;from-tag=1"


@pytest.mark.parametrize(
    "octets",
    [
        *[b"", HEAD, HEAD + FROM + TO, HEAD + FROM + TO + CALL_ID + CALL_ID, HEAD + b"From: <sip:a@b>\r\n" + TO + CALL_ID],
        *[HEAD + FROM + b"To: <sip:c@d>\r\n" + CALL_ID, HEAD + FROM + b"To: <;tag\r\n" + CALL_ID, HEAD + FROM + TO + b"Call-ID: x y\r\n"],
        *[HEAD + b"no field\r\n" + FROM + TO + CALL_ID, HEAD + b"X: " + b"y" * 20_000 + b"\r\n" + FROM + TO + CALL_ID],
    ],
)
def test_what_does_not_name_a_dialog_names_none(octets: bytes) -> None:
    assert dialog_of(octets) is None


@given(st.binary(max_size=200), st.sampled_from([b"", HEAD, HEAD + FROM + TO + CALL_ID]))
def test_whatever_a_body_is_it_names_a_dialog_or_none(octets: bytes, begin: bytes) -> None:
    dialog_of(begin + octets)
