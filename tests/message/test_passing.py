"""Responses only glanced at: they say what the whole parse says, or give up what they cannot say (RFC 3261 §16.7)."""

import random

import pytest

from ringback.message.errors import SipParseError
from ringback.message.message import Response
from ringback.message.parser import Malformed, parse_datagram, parse_message
from ringback.message.passing import PassingResponse, branch_of, glance
from tests.torture.mutation import mutated

OCTETS = (
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa.1-b;received=192.0.2.1;rport=5060\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.2:5062;branch=z9hG4bK2\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: 1@b\r\nCSeq: 7 INVITE\r\n"
    b"Contact: <sip:c@192.0.2.9>\r\nContent-Length: 5\r\n\r\nhello"
)


def passing(octets: bytes = OCTETS) -> PassingResponse:
    message = parse_datagram(octets)
    assert isinstance(message, PassingResponse)
    return message


def test_what_is_seen_at_a_glance() -> None:
    message = passing()
    assert (message.status, message.branch, message.sent_by, message.method) == (200, "z9hG4bKa.1-b", "192.0.2.1:5060", "INVITE")
    assert message.is_success
    assert message.is_untouched
    assert message.to_bytes() is OCTETS
    assert message == parse_message(OCTETS)


def test_the_rest_is_read_when_asked_for() -> None:
    message = passing()
    assert message.reason == "OK"
    assert not message.is_untouched
    assert message.body == b"hello"
    assert message.to_tag == "2"
    assert message.to_bytes() == OCTETS
    assert message.copy() == parse_message(OCTETS)
    assert type(message.copy()) is Response


def test_the_topmost_via_goes_without_a_parse() -> None:
    message = passing()
    assert message.remove_top_via()
    assert message.is_untouched
    without = OCTETS.replace(b"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa.1-b;received=192.0.2.1;rport=5060\r\n", b"")
    assert message.to_bytes() == without
    assert message.via.host == "192.0.2.2"


def test_the_topmost_via_and_the_next_as_they_are_written() -> None:
    message = passing()
    assert message.take_top_via() == (
        "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKa.1-b;received=192.0.2.1;rport=5060",
        "SIP/2.0/UDP 192.0.2.2:5062;branch=z9hG4bK2",
    )
    assert message.is_untouched
    other = passing()
    other.remove_top_via()
    assert message.to_bytes() == other.to_bytes()
    assert message.take_top_via() is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Via: SIP/2.0/UDP 192.0.2.2:5062;branch=z9hG4bK2\r\n", b""),
        (b"Via: SIP/2.0/UDP 192.0.2.2", b"v: SIP/2.0/UDP 192.0.2.2"),
        (b"branch=z9hG4bK2\r\n", b"branch=z9hG4bK2\r\n ;x\r\n"),
        (b"branch=z9hG4bK2\r\n", b"branch=z9hG4bK2,SIP/2.0/UDP h\r\n"),
    ],
    ids=["none", "compact", "continued", "two in a line"],
)
def test_a_next_via_that_takes_a_parse_is_left_alone(old: bytes, new: bytes) -> None:
    octets = OCTETS.replace(old, new)
    message = passing(octets)
    assert message.take_top_via() is None
    assert message.to_bytes() is octets
    message = passing()
    assert message.reason == "OK"
    assert message.take_top_via() is None


def test_the_branch_of_a_response_glanced_at_or_not() -> None:
    message = passing()
    assert branch_of(message) == "z9hG4bKa.1-b"
    assert message.is_untouched
    assert message.reason == "OK"
    assert branch_of(message) == "z9hG4bKa.1-b"
    plain = parse_message(OCTETS.replace(b";branch=z9hG4bKa.1-b", b""))
    assert isinstance(plain, Response)
    assert branch_of(plain) == ""


def test_the_topmost_via_goes_after_a_parse() -> None:
    message = passing()
    assert len(message.vias) == 2
    assert message.remove_top_via()
    assert [via.host for via in message.vias] == ["192.0.2.2"]
    assert not message.remove_top_via()


def test_a_second_via_in_another_spelling_is_found() -> None:
    message = passing(OCTETS.replace(b"Via: SIP/2.0/UDP 192.0.2.2", b"v: SIP/2.0/UDP 192.0.2.2"))
    assert message.remove_top_via()
    assert message.via.host == "192.0.2.2"


def test_without_a_second_via_it_is_for_nobody() -> None:
    message = passing(OCTETS.replace(b"Via: SIP/2.0/UDP 192.0.2.2:5062;branch=z9hG4bK2\r\n", b""))
    with pytest.raises(SipParseError):
        message.remove_top_via()


@pytest.mark.parametrize("added", [b"nonsense\r\n", b"l: 6\r\n", b"l: 5\r\n", b"To: <sip:x@y>\r\n", b"Subject: a\nb\r\n", b"\xa0: x\r\n"])
def test_a_fault_further_down_is_told_to_whoever_looks(added: bytes) -> None:
    message = passing(OCTETS.replace(b"Contact:", added + b"Contact:"))
    for look in ("headers", "body", "reason", "vias", "to_tag"):
        with pytest.raises(SipParseError):
            getattr(message, look)
    with pytest.raises(SipParseError):
        message.copy()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"SIP/2.0 200", b"SIP/2.0 300"),
        (b"SIP/2.0 200", b"sip/2.0 200"),
        (b"Via: SIP/2.0/UDP 192.0.2.1:5060", b"v: SIP/2.0/UDP 192.0.2.1:5060"),
        (b"192.0.2.1:5060;branch", b"192.0.2.1;branch"),
        (b"z9hG4bKa.1-b", b"old"),
        (b";rport=5060\r\n", b", SIP/2.0/UDP x\r\n"),
        (b"\r\nCSeq:", b"\r\nCseq:"),
        (b"7 INVITE", b"7 X-Y"),
        (b"Content-Length: 5", b"Content-Length: 4"),
        (b"Content-Length: 5", b"Content-Length: 6"),
        (b"Content-Length: 5", b"Content-Length: 0000005"),
        (b"Content-Length: 5", b"Content-Length: -5"),
        (b"Content-Length: 5\r\n", b""),
        (b"Content-Length: 5\r\n", b"Content-Length: 5\r\n \r\n"),
        (b"7 INVITE\r\n", b"7 INVITE\r\n \r\n"),
        (b"rport=5060\r\n", b"rport=5060\r\n ;x=y\r\n"),
        (b":5060;branch", b":05060;branch"),
        (b"\r\n\r\n", b"\r\n"),
    ],
)
def test_what_is_unusual_is_parsed_in_full(old: bytes, new: bytes) -> None:
    assert old in OCTETS
    octets = OCTETS.replace(old, new, 1)
    assert glance(octets) is None
    assert not isinstance(parse_datagram(octets), PassingResponse)


def test_a_glance_and_a_parse_never_contradict_each_other(seed: int, long_form: bool) -> None:
    chance = random.Random(seed)
    glanced = refused = 0
    for _ in range(200_000 if long_form else 4_000):
        octets = mutated(OCTETS, chance)
        seen = glance(octets)
        if seen is None:
            continue
        glanced += 1
        parsed = parse_message(octets)
        if isinstance(parsed, Malformed):
            refused += 1
            with pytest.raises(SipParseError):
                _ = seen.headers
            continue
        assert isinstance(parsed, Response)
        assert (seen.status, seen.branch, seen.sent_by.lower()) == (parsed.status, parsed.via.branch, parsed.via.sent_by)
        line = parsed.headers.line("cseq")
        assert line is not None
        assert line.endswith(seen.method)
        assert seen.to_bytes() == octets
        assert seen == parsed
    assert glanced > refused > 0
