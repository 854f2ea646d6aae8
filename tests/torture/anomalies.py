"""Elements of a message, each replaced by anomalies of every sort: empty, long, signs, delimiters, formats, encodings, repetition."""

import random
import re
from collections.abc import Iterator

# {name:value}: one element that anomalies replace.
_TEMPLATE = (
    "{method:INVITE} {scheme:sip}:{user:user}@{host:example.com}{port::5060}{uri-parameter:;x=y} {version:SIP/2.0}\r\n"
    "{via-name:Via}: {protocol:SIP/2.0}/{transport:UDP} {sent-by:192.0.2.254:5060};{via-parameter:rport};branch={branch:z9hG4bK#}\r\n"
    "Via: {second-via:SIP/2.0/TCP 192.0.2.66;branch=z9hG4bKsecond}\r\n"
    "Max-Forwards: {max-forwards:70}\r\n"
    "Record-Route: {record-route:<sip:192.0.2.66;lr>}\r\n"
    '{from-name:From}: {display-name:"Alice \\"A\\" X"} <{from-uri:sip:caller@example.net}>;{tag:tag=abc}{from-parameter:;a=b}\r\n'
    "To: {to:<sip:user@example.com>}\r\n"
    "Call-ID: {call-id:#@192.0.2.254}\r\n"
    "CSeq: {cseq-number:1} {cseq-method:INVITE}\r\n"
    "Contact: {contact:<sip:caller@192.0.2.254:5060;transport=udp>;q=0.5;expires=300}\r\n"
    "Expires: {expires:300}\r\n"
    "Date: {date:Sat, 13 Nov 2010 23:29:00 GMT}\r\n"
    "Supported: {supported:100rel, timer}\r\n"
    "{more:Max-Breadth: 60}\r\n"
    "Subject: {subject:lunch}\r\n"
    "User-Agent: {user-agent:Softphone/1.0 (beta)}\r\n"
    "Content-Type: {content-type:application/sdp}\r\n"
    "Content-Disposition: {content-disposition:session;handling=optional}\r\n"
    "Content-Length: {content-length:5}{head-end:\r\n\r\n}{body:v=0\r\n}"
)
METHODS = [*"INVITE ACK BYE CANCEL OPTIONS REGISTER PRACK UPDATE INFO MESSAGE REFER SUBSCRIBE NOTIFY PUBLISH".split(" ")]
ELEMENTS = [found[1] for found in re.finditer(r"\{([a-z-]+):", _TEMPLATE)]

_PIECES = re.split(r"\{([a-z-]+):([^}]*)\}", _TEMPLATE)

ANOMALIES = [
    b"",
    b" ",
    b"\t \t",
    *[b"a" * 2**power for power in (5, 8, 10, 13, 15)],
    *[octet * 500 for octet in (b"(", b"<", b'"', b"\\", b",", b";", b"%", b"[", b":", b"\0", b"\xff", b"=")],
    *[b"%s%n%x%d", b"${x}", b"'; DROP TABLE bindings --", b"../../etc", b"<script>", b"\x1b[31m"],
    *[b"-1", b"+1", b"0", b"00000000001", b"1_0", b"0x10", b"1.5", b"1e3", b"2147483647", b"2147483648", b"4294967295", b"4294967296"],
    *[b"18446744073709551616", b"9" * 400, "٣".encode(), "１".encode(), "²".encode()],
    *[
        "é".encode(),
        b"\xe9",
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        "\u2028".encode(),
        "\ufeff".encode(),
        "\u212a".encode(),
        "ß".encode(),
    ],
    *[b"\r\n", b"\n", b"\r", b"\r\n ", b"\r\n\r\n", b"\r\nX: y", b"\r\nTo: <sip:a@b>", b"\r\nContent-Length: 0", b"\r\nl:9", b"\r\nRoute:"],
    *[
        b'"',
        b"\\",
        b'"\\',
        b'"\\"',
        b"<",
        b">",
        b"<>",
        b"<<>>",
        b"(",
        b")",
        b"*",
        b"/",
        b"@",
        b"?",
        b"&",
        b"#",
        b",",
        b",,",
        b";",
        b";;",
        b"=",
        b";=",
    ],
    *[
        b"sip:",
        b"sip:@",
        b"sip:a@[::1",
        b"sip:a@[::1]:",
        b"sip:a@b:99999",
        b"sip:%",
        b"sip:a%0d%0a@b",
        b"tel:",
        b"tel:+1;x",
        b"http://x/",
        b"urn:service:sos",
    ],
    *[
        b"sips:user@example.com",
        b"<sip:a@b",
        b"a <sip:a@b> b",
        b'"a" <sip:a@b>;tag=',
        b"<sip:a@b>;tag=1;tag=2",
        b'<sip:a@b>;TAG="x"',
        b"sip:a@b,sip:c@d",
    ],
    *[b";a=b" * 100, b"a, " * 300, b"<sip:a@b;lr>, " * 100, b"SIP/2.0/UDP a;branch=z9hG4bK1, " * 80, b"%41" * 300, b"\r\n x" * 300],
    *[
        b"INVITE",
        b"ACK",
        b"CANCEL",
        b"REGISTER",
        b"invite",
        b"SIP/2.0",
        b"SIP/3.0",
        b"HTTP/1.1",
        b"TLS",
        b"z9hG4bK",
        b"rport=0",
        b"maddr=224.2.0.1",
        b"maddr=;ttl=1",
    ],
    *[
        b"received=127.0.0.1",
        b"ttl=256",
        b"rport=99999;received=",
        b"127.0.0.1:5060",
        b"[::1]:5060",
        b"192.0.2.1:5060",
        b"255.255.255.255",
        b"0.0.0.0:0",
    ],
]


def ordinary(method: str, number: int, element: str | None = None, value: bytes = b"") -> bytes:
    """An ordinary request; `element`, if named, is replaced by `value`. `number` makes its transaction and dialog its own."""
    made = [_PIECES[0].encode()]
    for name, text, rest in zip(_PIECES[1::3], _PIECES[2::3], _PIECES[3::3], strict=True):
        octets = text.replace("INVITE", method).replace("#", str(number)).encode()
        made += [value if name == element else octets, rest.encode()]
    return b"".join(made)


def cases(chance: random.Random, count: int | None = None) -> Iterator[tuple[str, bytes]]:
    """Names and octets: every element with every anomaly, in an order by chance, each with a method by chance; `count` of them, or all."""
    grid = [(element, place) for element in ELEMENTS for place in range(len(ANOMALIES))]
    chance.shuffle(grid)
    for number, (element, place) in enumerate(grid[:count]):
        method = chance.choice(METHODS)
        yield f"{method} {element} {ANOMALIES[place][:20]!r}", ordinary(method, number, element, ANOMALIES[place])
