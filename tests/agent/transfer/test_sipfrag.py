"""Fragments of SIP messages in notifications (RFC 3420): the status line, and nothing that is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback import Response, SipParseError
from ringback.agent.transfer.sipfrag import TRYING, StatusLine, parse_sipfrag, status_line_of


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
