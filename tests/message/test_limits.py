"""Every bound on a message, one below it, at it, and one above (limits.py, fields/registry.py)."""

import pytest

from ringback.message.errors import SipParseError
from ringback.message.limits import DEFAULT_LIMITS, MessageLimits
from ringback.message.message import Request, Response
from ringback.message.parser import Malformed, StreamParser, parse_datagram

VIA = "Via: SIP/2.0/UDP a;branch=z9hG4bK1"
HEAD = [VIA, "From: <sip:a@b>;tag=1", "To: <sip:c@d>", "Call-ID: 1@b", "CSeq: 1 OPTIONS", "Content-Length: 0"]


def octets(lines: list[str] = HEAD, uri: str = "sip:c@d", body: bytes = b"") -> bytes:
    return "\r\n".join([f"OPTIONS {uri} SIP/2.0", *lines, "", ""]).encode() + body


def verdict(data: bytes, limits: MessageLimits = DEFAULT_LIMITS) -> tuple[int, str] | None:
    """The status and reason of a datagram's refusal, None where it is a message; a stream says the same."""
    message = parse_datagram(data, limits)
    parser = StreamParser(limits)
    parser.feed(data)
    found = parser.next_message()
    assert found is not None
    assert type(found[0]) is type(message)
    if isinstance(message, Malformed):
        assert message.request is not None
        assert message.request.call_id == "1@b"
        assert isinstance(found[0], Malformed)
        assert found[0].status == message.status
        return message.status, message.reason
    return None


def around(limit: int) -> list[tuple[int, bool]]:
    """Sizes at the limit's border and whether they pass."""
    return [(limit - 1, True), (limit, True), (limit + 1, False)]


def test_the_defaults() -> None:
    assert DEFAULT_LIMITS == (65_536, 8_192, 256, 1_024, 70, 20)


@pytest.mark.parametrize(("size", "passes"), around(65_536))
def test_message_bytes(size: int, passes: bool) -> None:
    lines = [*HEAD[:-1], "Content-Length: 00000"]
    body = b"x" * (size - len(octets(lines)))
    lines[-1] = f"Content-Length: {len(body):05}"
    assert len(octets(lines, body=body)) == size
    assert verdict(octets(lines, body=body)) == (None if passes else (513, "Message Too Large"))


@pytest.mark.parametrize(("size", "passes"), around(8_192))
def test_header_line_bytes(size: int, passes: bool) -> None:
    line = "Subject: " + "x" * (size - len("Subject: "))
    assert verdict(octets([*HEAD, line])) == (None if passes else (400, "Header Field Too Long"))


@pytest.mark.parametrize(("count", "passes"), around(256))
def test_header_count(count: int, passes: bool) -> None:
    lines = HEAD + ["X: y"] * (count - len(HEAD))
    assert verdict(octets(lines)) == (None if passes else (400, "Too Many Header Fields"))


@pytest.mark.parametrize(("count", "passes"), around(256))
def test_folds_count_as_lines(count: int, passes: bool) -> None:
    lines = HEAD + ["X: y"] + [" z"] * (count - len(HEAD) - 1)
    assert verdict(octets(lines)) == (None if passes else (400, "Too Many Header Fields"))


@pytest.mark.parametrize(("size", "passes"), around(1_024))
def test_uri_bytes(size: int, passes: bool) -> None:
    uri = "sip:" + "c" * (size - 6) + "@d"
    assert verdict(octets(uri=uri)) == (None if passes else (414, "Request-URI Too Long"))


@pytest.mark.parametrize(("count", "passes"), around(70))
def test_via_count_in_lines(count: int, passes: bool) -> None:
    assert verdict(octets([VIA] * (count - 1) + HEAD)) == (None if passes else (400, "Too Many Hops Recorded"))


@pytest.mark.parametrize(("count", "passes"), around(20))
def test_route_count_in_lines(count: int, passes: bool) -> None:
    assert verdict(octets([*HEAD, *["Route: <sip:p;lr>"] * count])) == (None if passes else (400, "Too Many Hops Recorded"))


@pytest.mark.parametrize(("name", "value", "limit"), [("Via", "SIP/2.0/UDP a", 70), ("Route", "<sip:p;lr>", 20), ("Accept", "a/b", 32)])
def test_counts_within_one_line(name: str, value: str, limit: int) -> None:
    for count, passes in around(limit):
        line = f"{name}: {', '.join([value] * count)}"
        message = parse_datagram(octets([line, *(line for line in HEAD if not line.startswith(name))]))
        assert isinstance(message, Request)
        if passes:
            assert len(message.headers.values(name)) == count
        else:
            with pytest.raises(SipParseError, match="too many values"):
                message.headers.values(name)


@pytest.mark.parametrize(("digits", "passes"), around(10))
def test_digits_of_content_length(digits: int, passes: bool) -> None:
    message = parse_datagram(octets([*HEAD[:-1], f"Content-Length: {'5'.zfill(digits)}"], body=b"hello"))
    assert isinstance(message, Request) is passes


@pytest.mark.parametrize(
    ("limits", "data"),
    [
        (MessageLimits(message_bytes=150), octets()),
        (MessageLimits(header_line_bytes=20), octets()),
        (MessageLimits(header_count=5), octets()),
        (MessageLimits(uri_bytes=6), octets()),
        (MessageLimits(via_count=1, route_count=1), octets([VIA, *HEAD])),
        (MessageLimits(route_count=1), octets([*HEAD, "Route: <sip:p;lr>", "Route: <sip:p;lr>"])),
    ],
)
def test_every_limit_can_be_set(limits: MessageLimits, data: bytes) -> None:
    assert isinstance(parse_datagram(data), Request)
    assert isinstance(parse_datagram(data, limits), Malformed)


def test_a_response_above_a_limit_gets_no_answer() -> None:
    response = octets([*HEAD, "Subject: " + "x" * 8_192]).replace(b"OPTIONS sip:c@d SIP/2.0", b"SIP/2.0 200 OK")
    for data in (response, octets([VIA] * 80 + HEAD).replace(b"OPTIONS sip:c@d SIP/2.0", b"SIP/2.0 404 No")):
        message = parse_datagram(data)
        assert isinstance(message, Malformed)
        assert message.request is None
    assert isinstance(parse_datagram(response, MessageLimits(header_line_bytes=9_000)), Response)
