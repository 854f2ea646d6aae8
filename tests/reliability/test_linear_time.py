"""The pump test: 64 kB of anything, anywhere in a message, is parsed in time proportional to its size (T05)."""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Callable, Iterator

import pytest

from ringback.message.errors import SipParseError
from ringback.message.fields.registry import FIELDS
from ringback.message.limits import DEFAULT_LIMITS, MessageLimits
from ringback.message.message import Request, Response
from ringback.message.multipart import Multipart
from ringback.message.parser import Malformed, StreamParser, parse_datagram

SIZE = 65_000
WIDE = MessageLimits(1 << 20, 1 << 20, 100_000, 1 << 20, 100_000, 100_000)
# What the worst of them may take against an ordinary message of that size; one that grows with the square takes thousands of times as long.
ALLOWED = 20
# Seconds under which nobody looks: a tick of the clock or a page fault.
FLOOR = 0.02

UNITS = [
    *[b'"', b"\\", b",", b";", b"<", b">", b"(", b")", b"[", b"]", b"@", b":", b"=", b"?", b"&", b"%", b"/", b" ", b"\t", b"a", b"1", b"."],
    *[
        b'\\"',
        b'""',
        b'"a"',
        b"<>",
        b"()",
        b"(\\",
        b"%41",
        b"%",
        b";a=b",
        b";a",
        b'; a="b" ',
        b", ",
        b"a,",
        b" ,",
        b"a=b,",
        b'"a",',
        b"sip:",
        b"a@",
        b"::",
    ],
    *[
        "é".encode(),
        "\u2028".encode(),
        b"\xed\xa0\x80",
        b"\xff",
        b"\0",
        b"\r\n ",
        b"\r\n",
        b"\r\nX: y",
        b"\n",
        b"\r",
        b"--x\r\n",
        b"Digest ",
    ],
]
PREFIXES = {
    "via": b"SIP/2.0/UDP a;x=",
    "from": b"<sip:a@b>;x=",
    "to": b'"',
    "contact": b"<sip:a",
    "route": b"<sip:a;lr>;x",
    "record-route": b"<",
    "cseq": b"1 ",
    "authorization": b"Digest a=",
    "www-authenticate": b'Digest a="',
    "user-agent": b"a (",
    "warning": b'399 a "',
    "date": b"Sat, ",
    "content-type": b"a/b;c=",
    "accept": b"a/b;q=",
    "event": b"a;",
    "timestamp": b"1",
    "retry-after": b"1 (",
    "replaces": b"1@a;",
    "reason": b"SIP;text=",
    "call-info": b"<http:",
}


def message(
    key: str = "", value: bytes = b"", *, start: bytes = b"OPTIONS sip:a@b SIP/2.0", body: bytes = b"", extra: bytes = b""
) -> bytes:
    """A request in which one field has this value."""
    usual = {
        "via": b"SIP/2.0/UDP a;branch=z9hG4bK1",
        "from": b"<sip:a@b>;tag=1",
        "to": b"<sip:c@d>",
        "call-id": b"1",
        "cseq": b"1 OPTIONS",
    }
    if key:
        usual[key] = value
    return start + b"\r\n" + b"".join([name.encode() + b": " + text + b"\r\n" for name, text in usual.items()]) + extra + b"\r\n" + body


def read(octets: bytes, key: str) -> None:
    """Everything that is done to a message because of one field of it."""
    for limits in (WIDE, DEFAULT_LIMITS):
        found = parse_datagram(octets, limits)
        request = found.request if isinstance(found, Malformed) else found
        if request is None:
            continue
        for look in (request.headers.values, request.headers.value):
            with contextlib.suppress(SipParseError):
                for value in one if isinstance(one := look(key), list) else [one]:
                    str(value)
                    with contextlib.suppress(SipParseError, AttributeError):
                        _ = value.uri
        for tag in ("to_tag", "from_tag", "via", "uri", "cseq"):
            with contextlib.suppress(SipParseError, AttributeError):
                getattr(request, tag)
        request.to_bytes()


def read_stream(octets: bytes, piece: int) -> None:
    parser = StreamParser(WIDE)
    for start in range(0, len(octets), piece):
        parser.feed(octets[start : start + piece])
        while parser.next_message() is not None:
            pass


def read_multipart(body: bytes) -> None:
    found = parse_datagram(message("content-type", b"multipart/mixed;boundary=x", body=body), WIDE)
    assert isinstance(found, (Request, Response))
    with contextlib.suppress(SipParseError):
        Multipart.parse(found.body, found.content_type)


def seconds(run: Callable[..., object], *given: object, tries: int = 1) -> float:
    """Processor time of the best of some tries."""
    best = float("inf")
    for _ in range(tries):
        begin = time.process_time()
        run(*given)
        best = min(best, time.process_time() - begin)
    return best


@pytest.fixture(scope="module")
def allowed() -> Iterator[float]:
    """Seconds that 64 kB may take, by what 64 kB of ordinary fields take here and now."""
    gc.collect()
    gc.disable()
    contact = b'"Mr. Watson" <sip:watson@worcester.example.com>;q=0.7;expires=3600'
    octets = message("contact", b", ".join([contact] * (SIZE // len(contact))))
    yield max(FLOOR, ALLOWED * seconds(read, octets, "contact", tries=5))
    gc.enable()


def check(allowed: float, name: str, run: Callable[[bytes], object]) -> None:
    """No unit, repeated to 64 kB, takes longer than is allowed; who seems to is given four more tries."""
    slow = []
    for unit in UNITS:
        text = unit * (SIZE // len(unit))
        if seconds(run, text) > allowed and seconds(run, text, tries=4) > allowed:
            slow.append(unit)
    assert slow == [], name


# Each kind of value once, in a list and by itself; those named above in any case.
KINDS = {(field.parse, field.is_list): key for key, field in reversed(FIELDS.items())}
KEYS = sorted({*KINDS.values(), *PREFIXES, "x-unknown"})


@pytest.mark.parametrize("key", KEYS)
def test_every_kind_of_field(key: str, allowed: float) -> None:
    check(allowed, key, lambda text: read(message(key, text), key))
    check(allowed, key, lambda text: read(message(key, PREFIXES.get(key, b"a") + text), key))


@pytest.mark.parametrize(
    "start",
    [
        b"%s sip:a@b SIP/2.0",
        b"OPTIONS %s SIP/2.0",
        b"OPTIONS sip:%s SIP/2.0",
        b"OPTIONS sip:a@b;%s SIP/2.0",
        b"OPTIONS sip:a@b?%s SIP/2.0",
        b"OPTIONS tel:+1;%s SIP/2.0",
        b"OPTIONS sip:a@b %s",
        b"SIP/2.0 200 %s",
        b"SIP/2.0 %s",
        b"%s",
    ],
)
def test_start_lines(start: bytes, allowed: float) -> None:
    check(allowed, repr(start), lambda text: read(message(start=start.replace(b"%s", text)), "via"))


@pytest.mark.parametrize(
    "extra", [b"%s\r\n", b"%s: x\r\n", b"X:%s\r\n", b"X: y\r\n %s\r\n", b"Content-Length:%s\r\n", b"Max-Forwards: 1%s\r\n"]
)
def test_lines_of_any_sort(extra: bytes, allowed: float) -> None:
    check(allowed, repr(extra), lambda text: read(message(extra=extra.replace(b"%s", text)), "x"))


def test_many_lines(allowed: float) -> None:
    for line in (b"Via: SIP/2.0/UDP a\r\n", b"a:\r\n", b" \r\n", b"\t x\r\n", b"Route: <sip:a>\r\n", b"To: x\r\n", b"m: *\r\n"):
        octets = message(extra=line * (SIZE // len(line)))
        for key in ("via", "route", "contact", "to"):
            assert seconds(read, octets, key, tries=3) <= allowed, (line, key)


def test_many_lines_changed(allowed: float) -> None:
    line = b"Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\n"
    found = parse_datagram(message(extra=line * (SIZE // len(line) // 8)), WIDE)
    assert isinstance(found, Request)

    def change() -> None:
        copy = found.copy()
        copy.headers.remove("Via")
        copy.headers.set("To", "<sip:x@y>")

    assert seconds(change, tries=3) <= allowed


@pytest.mark.parametrize("piece", [64, 1_500, SIZE])
def test_streams(piece: int, allowed: float) -> None:
    check(allowed, f"head in pieces of {piece}", lambda text: read_stream(message(extra=b"X: " + text), piece))
    check(allowed, f"nothing but it, in pieces of {piece}", lambda text: read_stream(text, piece))


def test_multipart(allowed: float) -> None:
    check(allowed, "multipart", lambda text: read_multipart(b"--x\r\n\r\n" + text + b"\r\n--x--\r\n"))
    check(allowed, "boundary", lambda text: read(message("content-type", b"multipart/mixed;boundary=" + text), "content-type"))
    check(allowed, "part's head", lambda text: read_multipart(b"--x\r\n" + text + b"\r\n\r\n--x--\r\n"))
    for depth in (10, 1_000):
        nested = b"".join([b"--x\r\nContent-Type: multipart/mixed;boundary=x\r\n\r\n" for _ in range(depth)])
        assert seconds(read_multipart, nested, tries=3) <= allowed
