"""Framings of a stream, each with its exact verdict, however it is cut (RFC 3261 §18.3, §7.5, §7.3.1)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from ringback.address import Flow, Target
from ringback.message.derive import response_to
from ringback.message.message import Request, Response
from ringback.message.parser import Malformed
from ringback.testing import Network, run
from tests.transport.party import party, peer, read_to_end, write

HEAD = (
    b"OPTIONS sip:127.0.0.1 SIP/2.0\r\n"
    b"Via: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK1\r\n"
    b"From: <sip:a@127.0.0.1>;tag=1\r\n"
    b"To: <sip:b@127.0.0.1>\r\n"
    b"Call-ID: 1@127.0.0.1\r\n"
    b"CSeq: 1 OPTIONS\r\n"
)
RESPONSE = HEAD.replace(b"OPTIONS sip:127.0.0.1 SIP/2.0", b"SIP/2.0 200 OK")
ACK = HEAD.replace(b"OPTIONS", b"ACK")
EMPTY = HEAD + b"Content-Length: 0\r\n\r\n"


def framed(line: bytes, body: bytes = b"hello") -> bytes:
    """A request whose Content-Length is written in this line."""
    return HEAD + line + b"\r\n\r\n" + body


def sized(size: int) -> bytes:
    """A request of exactly so many octets."""
    empty = len(framed(b"Content-Length: 00000", b""))
    return framed(b"Content-Length: %05d" % (size - empty), b"x" * (size - empty))


@dataclass
class Verdict:
    """`bodies` of the messages that arrive; then `fault`, the status of what is answered before the connection is closed (0: closed without
    an answer), or None: the connection stays open and waits."""

    bodies: list[bytes]
    fault: int | None = None


ONE, TWO = Verdict([b"hello"]), Verdict([b"", b""])
WAITS = Verdict([])
REFUSED, SILENT, TOO_LARGE = Verdict([], 400), Verdict([], 0), Verdict([], 513)

FRAMINGS: dict[str, tuple[bytes, Verdict]] = {
    # What Content-Length may look like.
    "plain": (framed(b"Content-Length: 5"), ONE),
    "no space": (framed(b"Content-Length:5"), ONE),
    "compact": (framed(b"l: 5"), ONE),
    "compact in capitals": (framed(b"L: 5"), ONE),
    "lower case": (framed(b"content-length: 5"), ONE),
    "upper case": (framed(b"CONTENT-LENGTH: 5"), ONE),
    "spaces around": (framed(b"Content-Length:   5  "), ONE),
    "tab": (framed(b"Content-Length:\t5\t"), ONE),
    "space before colon": (framed(b"Content-Length : 5"), ONE),
    "tab before colon": (framed(b"Content-Length\t: 5"), ONE),
    "leading zeros": (framed(b"Content-Length: 0005"), ONE),
    "folded": (framed(b"Content-Length:\r\n 5"), ONE),
    "folded by tab": (framed(b"Content-Length:\r\n\t5"), ONE),
    "zero": (EMPTY, Verdict([b""])),
    "response": (RESPONSE + b"Content-Length: 5\r\n\r\nhello", ONE),
    # What it may not.
    "missing": (HEAD + b"\r\n", REFUSED),
    "missing in a response": (RESPONSE + b"\r\n", SILENT),
    "missing in an ACK": (ACK + b"\r\n", SILENT),
    "blank": (framed(b"Content-Length:"), REFUSED),
    "only spaces": (framed(b"Content-Length:    "), REFUSED),
    "negative": (framed(b"Content-Length: -5"), REFUSED),
    "plus sign": (framed(b"Content-Length: +5"), REFUSED),
    "underscore": (framed(b"Content-Length: 0_5"), REFUSED),
    "hexadecimal": (framed(b"Content-Length: 0x5"), REFUSED),
    "fraction": (framed(b"Content-Length: 5.0"), REFUSED),
    "exponent": (framed(b"Content-Length: 5e0"), REFUSED),
    "quoted": (framed(b'Content-Length: "5"'), REFUSED),
    "comma list": (framed(b"Content-Length: 5, 5"), REFUSED),
    "parameter": (framed(b"Content-Length: 5;x=1"), REFUSED),
    "two numbers": (framed(b"Content-Length: 5 0"), REFUSED),
    "folded in the number": (framed(b"Content-Length: 0\r\n 5"), REFUSED),
    "digits of another script": (framed("Content-Length: ٥".encode()), REFUSED),
    "superscript": (framed("Content-Length: ⁵".encode()), REFUSED),
    "no UTF-8": (framed(b"Content-Length: \xb5"), REFUSED),
    "no-break space": (framed("Content-Length: 5\u00a0".encode()), REFUSED),
    "vertical tab": (framed(b"Content-Length: \x0b5"), REFUSED),
    "NUL after the number": (framed(b"Content-Length: 5\0"), REFUSED),
    "twice, differing": (framed(b"Content-Length: 0\r\nContent-Length: 5"), REFUSED),
    "twice, the same": (framed(b"Content-Length: 5\r\nContent-Length: 5"), REFUSED),
    "long and compact": (framed(b"Content-Length: 0\r\nl: 5"), REFUSED),
    "32 bits and one": (framed(b"Content-Length: 4294967296"), TOO_LARGE),
    "eleven digits": (framed(b"Content-Length: 99999999999"), REFUSED),
    "a thousand digits": (framed(b"Content-Length: " + b"9" * 1000), REFUSED),
    "chunked": (framed(b"Transfer-Encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n"), REFUSED),
    "chunked beside a length": (framed(b"Transfer-Encoding: chunked\r\nContent-Length: 5"), ONE),
    # What is no header field at all.
    "underscore in the name": (framed(b"Content_Length: 5"), REFUSED),
    "NUL before colon": (framed(b"Content-Length\0: 5"), REFUSED),
    "control before colon": (framed(b"Content-Length\x01: 5"), REFUSED),
    "no-break space before colon": (framed(b"Content-Length\xa0: 5"), REFUSED),
    "line without colon": (framed(b"nonsense\r\nContent-Length: 5"), REFUSED),
    "space at the line's beginning": (framed(b" Content-Length: 5"), REFUSED),
    # Line ends.
    "bare LF in the head": (framed(b"Subject: a\nContent-Length: 5"), REFUSED),
    "bare CR in the head": (framed(b"Subject: a\rContent-Length: 5"), REFUSED),
    "bare LFs only": (EMPTY.replace(b"\r\n", b"\n"), WAITS),
    "LF CR LF": (HEAD + b"Content-Length: 0\r\n\n\r\n", WAITS),
    # Where messages begin and end.
    "two at once": (EMPTY + EMPTY, TWO),
    "a message within a body": (framed(b"Content-Length: %d" % len(EMPTY), EMPTY), Verdict([EMPTY])),
    "body longer than said": (framed(b"Content-Length: 5", b"hello, world\r\n\r\n"), Verdict([b"hello"], 0)),
    "body shorter than said": (framed(b"Content-Length: 60"), WAITS),
    "head not ended": (HEAD, WAITS),
    "half of a second": (EMPTY + HEAD, Verdict([b""])),
    "CRLF before": (b"\r\n" + EMPTY, Verdict([b""])),
    "many CRLFs between": (b"\r\n\r\n" + EMPTY + b"\r\n" * 7 + EMPTY + b"\r\n", TWO),
    "space before": (b" " + EMPTY, SILENT),
    # What is no SIP.
    "garbage": (b"\x00\xff\x80garbage\r\n\r\n", SILENT),
    "garbage without an end": (b"\x80\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", WAITS),
    "HTTP": (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", SILENT),
    "another version": (EMPTY.replace(b"SIP/2.0\r", b"SIP/3.0\r", 1), Verdict([], 505)),
    "status line without a status": (RESPONSE.replace(b"200", b"20x") + b"\r\n", SILENT),
    "no Via": (EMPTY.replace(b"Via:", b"Vla:"), SILENT),
    # How much.
    "the largest": (sized(65_536), Verdict([b"x" * (65_536 - len(framed(b"Content-Length: 00000", b"")))])),
    "one octet more": (sized(65_537)[:60_000], TOO_LARGE),
    "a head without end": (HEAD + b"X: y\r\n" * 12_000, TOO_LARGE),
    "too many fields": (HEAD + b"X: y\r\n" * 300 + b"\r\n", REFUSED),
    "a field too long": (HEAD + b"X: " + b"y" * 9_000 + b"\r\n\r\n", REFUSED),
}


def bodies(messages: list[Request | Response | Malformed]) -> list[bytes]:
    """The bodies of what arrived whole."""
    return [message.body for message in messages if not isinstance(message, Malformed)]


def answer(message: Request | Response | Malformed) -> bytes | None:
    """What a server writes to a message that is none."""
    if not isinstance(message, Malformed) or message.request is None:
        return None
    return response_to(message.request, message.status, message.reason).to_bytes()


@pytest.mark.asyncio
@pytest.mark.parametrize("name", FRAMINGS)
async def test_framing_over_tcp(name: str) -> None:
    octets, verdict = FRAMINGS[name]
    async with party("TCP") as (server, [endpoint]):

        def reply(message: Request | Response | Malformed, flow: Flow) -> None:
            written = answer(message)
            if written is not None:
                server.transports.send(written, flow)

        server.answer = reply
        with peer(endpoint.port) as sock:
            await write(sock, octets)
            if verdict.fault is None:
                await server.until(lambda: bool(server.batches) and len(server.messages) >= len(verdict.bodies))
                # It is open still: what comes next on it is read.
                before = len(server.batches)
                await write(sock, b"x")
                await server.until(lambda: len(server.batches) > before)
                assert len(server.messages) == len(verdict.bodies)
            else:
                expected = b"SIP/2.0 %d " % verdict.fault if verdict.fault else b""
                reply_octets = await read_to_end(sock)
                assert reply_octets.startswith(expected)
                assert bool(reply_octets) == bool(expected)
                fault = server.messages[-1]
                assert isinstance(fault, Malformed)
                assert fault.is_fatal
                assert len(server.messages) == len(verdict.bodies) + 1
            assert bodies(server.messages) == verdict.bodies


@pytest.mark.parametrize("name", FRAMINGS)
def test_framing_does_not_depend_on_how_the_stream_is_cut(name: str) -> None:
    octets, verdict = FRAMINGS[name]
    step = max(1, len(octets) // 1_000)

    async def main() -> None:
        network = Network()
        messages: list[Request | Response | Malformed] = []
        server = network.host("10.0.0.1", lambda message, _, __: messages.append(message), lambda *_: None, batch_ended=lambda: None)
        peer = network.host("10.0.0.2", lambda *_: None, lambda *_: None, batch_ended=lambda: None)
        await server.open("TCP", "10.0.0.1", 5060)
        await peer.open("TCP", "10.0.0.2", 5060)
        flow = peer.flow_to(Target("TCP", "10.0.0.1", 5060))
        assert flow is not None
        for start in range(0, len(octets), step):
            peer.send(octets[start : start + step], flow)
        await asyncio.sleep(3)
        assert bodies(messages) == verdict.bodies
        assert [message.status for message in messages if isinstance(message, Malformed) and message.request is not None] == (
            [verdict.fault] if verdict.fault else []
        )
        assert server.counts.connections == (verdict.fault is None)
        await server.close()
        await peer.close()

    run(main())


def test_there_are_framings_enough() -> None:
    assert len(FRAMINGS) >= 60
