"""The messages of RFC 3665 §3.2 as their receivers see them, without their bodies, and variants of them."""

from ringback.dialog.dialog import Dialog
from ringback.message.derive import response_to
from ringback.message.message import Request, Response
from ringback.message.parser import parse_datagram

INVITE_OF_ALICE = """\
INVITE sip:bob@biloxi.example.com SIP/2.0
Via: SIP/2.0/TCP client.atlanta.example.com:5060;branch=z9hG4bK74bf9
Max-Forwards: 70
Route: <sip:ss1.atlanta.example.com;lr>
From: Alice <sip:alice@atlanta.example.com>;tag=9fxced76sl
To: Bob <sip:bob@biloxi.example.com>
Call-ID: 3848276298220188511@atlanta.example.com
CSeq: 2 INVITE
Contact: <sip:alice@client.atlanta.example.com;transport=tcp>
Content-Length: 0
"""

INVITE_AT_BOB = """\
INVITE sip:bob@client.biloxi.example.com SIP/2.0
Via: SIP/2.0/TCP ss2.biloxi.example.com:5060;branch=z9hG4bK721e4.1
Via: SIP/2.0/TCP ss1.atlanta.example.com:5060;branch=z9hG4bK2d4790.1
 ;received=192.0.2.111
Via: SIP/2.0/TCP client.atlanta.example.com:5060;branch=z9hG4bK74bf9
 ;received=192.0.2.101
Max-Forwards: 68
Record-Route: <sip:ss2.biloxi.example.com;lr>,
 <sip:ss1.atlanta.example.com;lr>
From: Alice <sip:alice@atlanta.example.com>;tag=9fxced76sl
To: Bob <sip:bob@biloxi.example.com>
Call-ID: 3848276298220188511@atlanta.example.com
CSeq: 2 INVITE
Contact: <sip:alice@client.atlanta.example.com;transport=tcp>
Content-Length: 0
"""

RINGING_AT_ALICE = """\
SIP/2.0 180 Ringing
Via: SIP/2.0/TCP client.atlanta.example.com:5060;branch=z9hG4bK74bf9
 ;received=192.0.2.101
Record-Route: <sip:ss2.biloxi.example.com;lr>,
 <sip:ss1.atlanta.example.com;lr>
From: Alice <sip:alice@atlanta.example.com>;tag=9fxced76sl
To: Bob <sip:bob@biloxi.example.com>;tag=314159
Call-ID: 3848276298220188511@atlanta.example.com
Contact: <sip:bob@client.biloxi.example.com;transport=tcp>
CSeq: 2 INVITE
Content-Length: 0
"""

OK_AT_ALICE = RINGING_AT_ALICE.replace("180 Ringing", "200 OK")

ROUTES_OF_ALICE = ("<sip:ss1.atlanta.example.com;lr>", "<sip:ss2.biloxi.example.com;lr>")
ROUTES_OF_BOB = ROUTES_OF_ALICE[::-1]


def with_line(text: str, name: str, line: str | None) -> str:
    """`text` with its one field of this name, folds too, replaced by a line, or taken out by None."""
    kept = []
    is_inside = False
    for one in text.split("\n"):
        is_inside = one.startswith(f"{name}:") or (is_inside and one.startswith(" "))
        if not is_inside:
            kept.append(one)
        elif one.startswith(f"{name}:") and line is not None:
            kept.append(line)
    return "\n".join(kept)


def request(text: str) -> Request:
    parsed = parse_datagram(f"{text}\n".replace("\n", "\r\n").encode())
    assert isinstance(parsed, Request), parsed
    return parsed


def response(text: str) -> Response:
    parsed = parse_datagram(f"{text}\n".replace("\n", "\r\n").encode())
    assert isinstance(parsed, Response), parsed
    return parsed


def at_alice(answer: str = OK_AT_ALICE, invite: str = INVITE_OF_ALICE) -> Dialog:
    """The dialog as Alice has it, who called."""
    return Dialog.of_client(request(invite), response(answer))


def at_bob(invite: str = INVITE_AT_BOB, status: int = 200, tag: str = "314159") -> Dialog:
    """The dialog as Bob has it, who was called."""
    received = request(invite)
    return Dialog.of_server(received, response_to(received, status, tag=tag))


def in_dialog(method: str, cseq: int, **lines: str) -> Request:
    """A request of Alice within the dialog, as Bob receives it; `contact="<sip:a@b>"` adds a field."""
    more = "".join([f"{name.replace('_', '-')}: {value}\n" for name, value in lines.items()])
    return request(
        f"""\
{method} sip:bob@client.biloxi.example.com SIP/2.0
Via: SIP/2.0/TCP ss2.biloxi.example.com:5060;branch=z9hG4bK721e4.{cseq}
Max-Forwards: 68
From: Alice <sip:alice@atlanta.example.com>;tag=9fxced76sl
To: Bob <sip:bob@biloxi.example.com>;tag=314159
Call-ID: 3848276298220188511@atlanta.example.com
CSeq: {cseq} {method}
{more}Content-Length: 0
"""
    )
