"""Messages derived from others: responses (RFC 3261 §8.2.6), ACK (§17.1.1.3), CANCEL (§9.1)."""

import pytest

from ringback.message.derive import ack_of, cancel_of, invite_of, response_to, trying
from ringback.message.message import Request
from ringback.message.parser import parse_datagram

LINES = [
    "v: SIP/2.0/UDP a;branch=z9hG4bK1",
    "Via:  SIP/2.0/UDP b;branch=z9hG4bK2 , SIP/2.0/UDP c",
    "Max-Forwards: 70",
    "Route: <sip:p;lr>, <sip:q;lr>",
    "Route: <sip:r;lr>",
    "Record-Route: <sip:s;lr>",
    'f: "A" <sip:a@a> ; tag=f',
    "T: <sip:b@b>",
    "Call-ID: 1@a",
    "CSeq: 0007  INVITE",
    "Timestamp: 54",
    "Require: 100rel",
    "Proxy-Require: foo",
    "Contact: <sip:a@a>",
    "Content-Length: 0",
]


def request(*lines: str) -> Request:
    message = parse_datagram("\r\n".join(["INVITE sip:b@b SIP/2.0", *(lines or LINES), "", ""]).encode())
    assert isinstance(message, Request)
    return message


def instead(name: str, line: str) -> list[str]:
    """`LINES` with the one of this name replaced."""
    return [line if one.startswith(name) else one for one in LINES]


def test_a_response_carries_what_it_must_as_it_came() -> None:
    response = response_to(request(), 486, tag="t")
    assert response.headers.lines == [
        "v: SIP/2.0/UDP a;branch=z9hG4bK1",
        "Via:  SIP/2.0/UDP b;branch=z9hG4bK2 , SIP/2.0/UDP c",
        'f: "A" <sip:a@a> ; tag=f',
        "T: <sip:b@b>;tag=t",
        "Call-ID: 1@a",
        "CSeq: 0007  INVITE",
        "Content-Length: 0",
    ]
    assert response.start_line == "SIP/2.0 486 Busy Here"
    assert response_to(request(), 486, "Not Now").reason == "Not Now"


def test_100_has_no_tag_and_the_requests_timestamp() -> None:
    response = trying(request())
    assert response.status == 100
    assert response.to_tag is None
    assert response.headers.text("Timestamp") == "54"
    assert response_to(request(), 180).headers.text("Timestamp") is None


@pytest.mark.parametrize(
    ("to", "answered"),
    [
        ("T: <sip:b@b>;tag=old", "T: <sip:b@b>;tag=old"),
        ("T: sip:b@b", "T: sip:b@b;tag=t"),
        ("T: <sip:b@b>\r\n ;x=y", "T: <sip:b@b>\r\n ;x=y;tag=t"),
        ('T: "B <b" <sip:b@b>', 'T: "B <b" <sip:b@b>;tag=t'),
        ('T: "\\\0" <sip:b@b>', 'T: "\\\0" <sip:b@b>;tag=t'),
        ('T: "B <sip:b@b>', 'T: "B <sip:b@b>'),
        ("T: <sip:b@b>\0", "T: <sip:b@b>\0"),
    ],
)
def test_the_tag_is_added_where_there_is_none_and_the_field_can_be_read(to: str, answered: str) -> None:
    response = response_to(request(*instead("T:", to)), 404, tag="t")
    assert response.headers.line("to") == answered


def test_a_response_to_what_lacks_a_field_lacks_it_too() -> None:
    response = response_to(Request("OPTIONS", "sip:b", [("Via", "SIP/2.0/UDP a")]), 400, tag="t")
    assert response.headers.keys == ["via", "content-length"]


def test_the_request_stays_as_it_is() -> None:
    one = request()
    response_to(one, 404, tag="t")
    assert one == request()


def test_ack_of_a_refusal_goes_where_the_invite_went() -> None:
    refused = response_to(request(), 486, tag="t")
    ack = ack_of(request(), refused)
    assert ack.start_line == "ACK sip:b@b SIP/2.0"
    assert [str(via) for via in ack.vias] == ["SIP/2.0/UDP a;branch=z9hG4bK1"]
    assert ack.headers.texts("Route") == ["<sip:p;lr>", "<sip:q;lr>", "<sip:r;lr>"]
    assert ack.headers.line("to") == refused.headers.line("to")
    assert ack.headers.line("from") == 'f: "A" <sip:a@a> ; tag=f'
    assert ack.call_id == "1@a"
    assert (ack.cseq.number, ack.cseq.method) == (7, "ACK")
    assert ack.max_forwards == 70
    for name in ("Require", "Proxy-Require", "Contact", "Record-Route", "Timestamp"):
        assert name not in ack.headers
    assert parse_datagram(ack.to_bytes()) == ack


@pytest.mark.parametrize("to", ['T: "\\\0" <sip:b@b>;tag=t', 'T: "B <sip:b@b>', "T: <sip:b@b>\0;tag=t"])
def test_ack_carries_any_to_as_it_came(to: str) -> None:
    refused = response_to(request(*instead("T:", to)), 486)
    assert ack_of(request(), refused).headers.line("to") == to


def test_cancel_of_a_request() -> None:
    cancel = cancel_of(request())
    assert cancel.start_line == "CANCEL sip:b@b SIP/2.0"
    assert [str(via) for via in cancel.vias] == ["SIP/2.0/UDP a;branch=z9hG4bK1"]
    assert cancel.headers.texts("Route") == ["<sip:p;lr>", "<sip:q;lr>", "<sip:r;lr>"]
    assert cancel.headers.line("to") == "T: <sip:b@b>"
    assert (cancel.cseq.number, cancel.cseq.method) == (7, "CANCEL")
    assert "Require" not in cancel.headers
    assert "Proxy-Require" not in cancel.headers
    assert parse_datagram(cancel.to_bytes()) == cancel


def test_the_invite_that_a_cancel_or_an_ack_is_about() -> None:
    for derived in (cancel_of(request()), ack_of(request(), response_to(request(), 486))):
        invite = invite_of(derived)
        assert invite.start_line == "INVITE sip:b@b SIP/2.0"
        assert (invite.cseq.number, invite.cseq.method) == (7, "INVITE")
        assert invite.headers.texts("Route") == derived.headers.texts("Route")
        assert derived.method != "INVITE"


def test_what_a_caller_prefers_is_repeated() -> None:
    """RFC 3841 §5: a stateless proxy on the way decides alike."""
    lines = "Accept-Contact: *;video\r\na: *;audio\r\nReject-Contact: *;automata\r\nRequest-Disposition: no-fork\r\n"
    invite = parse_datagram(
        f"INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n"
        f"Call-ID: c\r\nCSeq: 1 INVITE\r\n{lines}\r\n".encode()
    )
    assert isinstance(invite, Request)
    for derived in (cancel_of(invite), ack_of(invite, response_to(invite, 486, tag="2"))):
        assert derived.headers.texts("Accept-Contact") == ["*;video", "*;audio"]
        assert derived.headers.texts("Reject-Contact") == ["*;automata"]
        assert derived.headers.texts("Request-Disposition") == ["no-fork"]
