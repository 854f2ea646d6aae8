"""Header fields where they have no business are passed over (RFC 3261 §7.3.2, §20)."""

import pytest

from ringback.message.message import Request, Response
from ringback.message.parser import parse_datagram
from ringback.testing import run
from tests.torture.anomalies import ordinary
from tests.torture.served import served

# Fields of responses alone, well formed and not.
OF_RESPONSES = [
    *[
        b"Retry-After: 5",
        b"Retry-After: ;;",
        b"Unsupported: 100rel",
        b"Unsupported: ,",
        b'WWW-Authenticate: Digest realm="x"',
        b"WWW-Authenticate: ,,",
    ],
    *[
        b"Proxy-Authenticate: nonsense",
        b"Min-Expires: -1",
        b"Server: (((",
        b'Warning: 9 "',
        b"Error-Info: <",
        b'Authentication-Info: nextnonce="',
    ],
]
OF_REQUESTS = [
    b"Max-Forwards: 0",
    b"Route: <sip:192.0.2.66;lr>",
    b"Proxy-Require: x",
    b"Authorization: ,,",
    b"Priority: ,",
    b"In-Reply-To: @@",
]


def with_line(octets: bytes, line: bytes) -> bytes:
    return octets.replace(b"\r\nCall-ID:", b"\r\n" + line + b"\r\nCall-ID:", 1)


@pytest.mark.parametrize("line", OF_RESPONSES)
def test_a_response_field_in_a_request(line: bytes) -> None:
    async def main() -> None:
        async with served() as one:
            await one.bind("sip:user@example.com")
            copy = one.datagram(with_line(ordinary("INVITE", 1), line))[-1]
            assert isinstance(copy, Request)
            assert line in copy.to_bytes().split(b"\r\n")
            register = with_line(ordinary("REGISTER", 2, "to", b"<sip:new@example.com>"), line).replace(
                b"sip:user@example.com:5060;x=y", b"sip:example.com"
            )
            [answer] = await one.datagrams(register.replace(b"\r\nContent-Length: 5\r\n\r\nv=0\r\n", b"\r\nContent-Length: 0\r\n\r\n"))
            assert isinstance(answer, Response)
            assert answer.status == 200

    run(main())


@pytest.mark.parametrize("line", OF_REQUESTS)
def test_a_request_field_in_a_response(line: bytes) -> None:
    async def main() -> None:
        async with served() as one:
            await one.bind("sip:user@example.com")
            copy = one.datagram(ordinary("OPTIONS", 1))[-1]
            assert isinstance(copy, Request)
            start, _, rest = copy.to_bytes().partition(b"\r\n")
            response = with_line(b"SIP/2.0 486 Busy Here\r\n" + rest.replace(b"Max-Forwards: 69\r\n", b""), line)
            assert start.startswith(b"OPTIONS")
            assert isinstance(parse_datagram(response), Response)
            [answer] = one.datagram(response, ("192.0.2.9", 5060))
            assert isinstance(answer, Response)
            assert answer.status == 486

    run(main())
