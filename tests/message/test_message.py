"""Requests and responses: what they are made of, how they are written, what they say of themselves (RFC 3261 §7)."""

import pytest

from ringback.message.errors import SipParseError
from ringback.message.fields.name_addr import STAR
from ringback.message.message import Message, Request, Response
from ringback.message.parser import parse_datagram
from ringback.message.uri import SipUri, TelUri, parse_uri

HEADERS = [
    ("Via", "SIP/2.0/UDP a;branch=z9hG4bK1"),
    ("Via", "SIP/2.0/UDP b;branch=z9hG4bK2"),
    ("From", "<sip:alice@a>;tag=f"),
    ("To", "<sip:bob@b>"),
    ("Call-ID", "1@a"),
    ("CSeq", "7 INVITE"),
]


def invite(*more: tuple[str, object], body: bytes = b"") -> Request:
    return Request("INVITE", "sip:bob@b", [*HEADERS, *more], body)


def test_typed_accessors() -> None:
    message = invite(
        ("Max-Forwards", 70),
        ("Contact", "<sip:a@h>, <sip:b@h>"),
        ("Route", "<sip:p;lr>"),
        ("Record-Route", "<sip:q;lr>"),
        ("Expires", 60),
        ("Require", "a, b"),
        ("Supported", "c"),
        ("Content-Type", "application/sdp"),
    )
    assert [via.host for via in message.vias] == ["a", "b"]
    assert message.via.host == "a"
    assert str(message.from_.uri) == "sip:alice@a"
    assert str(message.to.uri) == "sip:bob@b"
    assert (message.from_tag, message.to_tag) == ("f", None)
    assert message.call_id == "1@a"
    assert (message.cseq.number, message.cseq.method) == (7, "INVITE")
    assert message.max_forwards == 70
    assert [str(contact.uri) for contact in message.contacts] == ["sip:a@h", "sip:b@h"]
    assert message.contact == message.contacts[0]
    assert [str(route.uri) for route in message.routes] == ["sip:p;lr"]
    assert [str(route.uri) for route in message.record_routes] == ["sip:q;lr"]
    assert message.expires == 60
    assert message.require == ["a", "b"]
    assert message.supported == ["c"]
    assert message.content_type.essence == "application/sdp"
    assert message.value("Require") == "a"


def test_what_is_absent_is_none_or_empty() -> None:
    message = Request("OPTIONS", "sip:b")
    for name in ("from_", "to", "from_tag", "to_tag", "cseq", "contact", "max_forwards", "expires", "content_type"):
        assert getattr(message, name) is None
    for name in ("vias", "contacts", "routes", "record_routes", "require", "supported"):
        assert getattr(message, name) == []
    assert message.call_id == ""


def test_no_via_is_a_fault_to_whoever_asks() -> None:
    with pytest.raises(SipParseError, match="Missing Via"):
        _ = Request("OPTIONS", "sip:b").via


def test_the_star_of_a_register() -> None:
    assert Request("REGISTER", "sip:b", [("Contact", "*")]).contact is STAR


@pytest.mark.parametrize(
    ("to", "tag"),
    [
        ("<sip:b@b>", None),
        ("<sip:b@b>;tag=x", "x"),
        ("<sip:b@b>;TAG=x", "x"),
        ("<sip:b@b> ; tag = x", "x"),
        ("<sip:b@b>;a=b;tag=x", "x"),
        ("<sip:b@b>;tag=x;a=b", "x"),
        ("<sip:b@b>;tag=x-y.z", "x-y.z"),
        ("sip:b@b;tag=x", "x"),
        ('"Bob <x>" <sip:b@b>;tag=x', "x"),
        ('"Bob <x>;tag=no" <sip:b@b>', None),
        ('"Bob \\" <x>" <sip:b@b>;tag=x', "x"),
        ('"Bob" <sip:b@b>', None),
        ('<sip:b@b>;a=">;tag=no";tag=x', "x"),
        ('<sip:b@b>;tag=x;a=">"', "x"),
        ('<sip:b@b>;tag=x;a=">;tag=y"', "x"),
    ],
)
def test_tags(to: str, tag: str | None) -> None:
    message = Request("BYE", "sip:b", [("To", to), ("From", to)])
    assert message.to_tag == message.from_tag == message.to.tag == tag


@pytest.mark.parametrize(
    "to", ['"Bob <sip:b@b>', "<sip:b@b>;tag=", "<sip:b@b>;tag", '<sip:b@b>;tag="x"', "<sip:b@b>;tag=ï", "sip:b@b;tag=x>y;"]
)
def test_a_tag_that_cannot_be_read(to: str) -> None:
    with pytest.raises(SipParseError, match="To"):
        _ = Request("BYE", "sip:b", [("To", to)]).to_tag


def test_a_request_is_written_as_it_was_made() -> None:
    message = invite(("Content-Length", 5), body=b"hello")
    assert message.start_line == "INVITE sip:bob@b SIP/2.0"
    assert message.to_bytes() == (
        b"INVITE sip:bob@b SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nVia: SIP/2.0/UDP b;branch=z9hG4bK2\r\n"
        b"From: <sip:alice@a>;tag=f\r\nTo: <sip:bob@b>\r\nCall-ID: 1@a\r\nCSeq: 7 INVITE\r\nContent-Length: 5\r\n\r\nhello"
    )
    assert str(message) == message.to_bytes().decode()
    assert parse_datagram(message.to_bytes()) == message
    assert repr(message) == "<Request INVITE sip:bob@b>"


def test_octets_that_are_no_utf8_come_out_as_they_came_in() -> None:
    octets = invite(("Subject", "x")).to_bytes().replace(b"Subject: x", b"Subject: \xff\xfe\xc3\xa9")
    message = parse_datagram(octets)
    assert isinstance(message, Request)
    assert message.to_bytes() == octets
    assert "\ufffd" in str(message)


def test_the_uri_may_be_text_or_typed_and_follows_when_set() -> None:
    message = Request("OPTIONS", SipUri("b", user="bob"))
    assert message.uri_text == "sip:bob@b"
    assert message.uri == parse_uri("sip:bob@b")
    assert message.uri is message.uri
    message.uri = "tel:+1"
    assert isinstance(message.uri, TelUri)
    assert message.start_line == "OPTIONS tel:+1 SIP/2.0"
    message.uri = "nonsense"
    with pytest.raises(SipParseError):
        _ = message.uri


@pytest.mark.parametrize("text", ["a b", "a\r\nX: y", "a\nb", "a\rb", " a", "a "])
def test_no_part_of_a_start_line_smuggles_in_another(text: str) -> None:
    message = Request("OPTIONS", "sip:b")
    with pytest.raises(ValueError, match="start line"):
        Request("OPTIONS", text)
    with pytest.raises(ValueError, match="start line"):
        Request(text, "sip:b")
    with pytest.raises(ValueError, match="start line"):
        message.uri = text
    assert message.start_line == "OPTIONS sip:b SIP/2.0"


@pytest.mark.parametrize("reason", ["OK\r\nX: y", "a\nb", "a\rb"])
def test_no_reason_phrase_smuggles_in_a_field(reason: str) -> None:
    with pytest.raises(ValueError, match="reason phrase"):
        Response(200, reason)


@pytest.mark.parametrize("message", [Request("OPTIONS", "sip:b"), invite(), Response(200)])
def test_without_a_body_the_empty_line_is_there_and_every_line_ends_with_crlf(message: Request | Response) -> None:
    octets = message.to_bytes()
    assert octets.endswith(b"\r\n\r\n")
    assert octets.count(b"\r\n") == octets.count(b"\n") == octets.count(b"\r") == len(message.headers) + 2


def test_a_response_has_the_rfcs_phrase_unless_it_has_its_own() -> None:
    assert Response(486).reason == "Busy Here"
    assert Response(486, "Fully Occupied").start_line == "SIP/2.0 486 Fully Occupied"
    assert Response(699).reason == ""
    assert Response(200, "").start_line == "SIP/2.0 200 "


@pytest.mark.parametrize(
    ("status", "provisional", "success"),
    [(100, True, False), (199, True, False), (200, False, True), (299, False, True), (300, False, False), (699, False, False)],
)
def test_classes_of_status(status: int, provisional: bool, success: bool) -> None:
    response = Response(status)
    assert response.is_provisional is provisional
    assert response.is_final is not provisional
    assert response.is_success is success


def test_the_topmost_via_is_removed() -> None:
    response = Response(200, headers=HEADERS)
    assert response.remove_top_via()
    assert response.via.host == "b"
    assert not response.remove_top_via()
    assert response.vias == []


@pytest.mark.parametrize("message", [invite(body=b"x"), Response(180, None, HEADERS, b"x")])
def test_a_copy_is_independent(message: Request | Response) -> None:
    copy = message.copy()
    assert copy == message
    copy.headers.remove("To")
    copy.body = b""
    assert message.to is not None
    assert message.body == b"x"
    assert copy != message


def test_equality() -> None:
    assert invite() == invite()
    assert invite() != invite(body=b"x")
    assert invite() != invite(("Subject", "x"))
    assert invite() != Request("OPTIONS", "sip:bob@b", HEADERS)
    assert Response(200, headers=HEADERS) != Response(202, headers=HEADERS)
    assert invite() != Response(200, headers=HEADERS)
    assert invite() != "INVITE"
    with pytest.raises(TypeError):
        hash(invite())


def test_reprs_are_one_line() -> None:
    assert repr(Response(200, headers=HEADERS)) == "<Response 200 OK (7 INVITE)>"


def test_a_message_alone_has_no_start_line() -> None:
    with pytest.raises(TypeError):
        _ = Message().start_line
