"""Messages nobody meant to send: octets changed at random, and elements replaced by anomalies of every sort."""

import random
from collections.abc import Iterator

from tests.torture.corpus import ALL

FRAGMENTS = [
    *[bytes([octet]) for octet in b"\0\t\n\r \"%&'()*+,-./09:;<=>?@AZ[\\]_az{}~\x7f\x80\xa0\xbf\xc0\xe2\xff"],
    *[
        b"\r\n",
        b"\r\n ",
        b"\r\n\t",
        b"\r\n\r\n",
        b"\n\n",
        b"\r\r",
        b", ",
        b";;",
        b";a=b",
        b";a",
        b"<>",
        b"\\\0",
        b'\\"',
        b'""',
        b"%00",
        b"%41",
        b"%zz",
    ],
    *[
        b";tag=",
        b";tag=x",
        b";branch=",
        b"z9hG4bK",
        b";rport",
        b";rport=0",
        b";received=",
        b";maddr=224.2.0.1",
        b";lr",
        b";ttl=256",
        b";q=2",
    ],
    *[
        b"sip:",
        b"sips:",
        b"tel:+1",
        b"sip:@",
        b"[::1]",
        b"[:::1.2.3.4]",
        b"SIP/2.0",
        b"SIP/2.0/UDP ",
        b"*",
        b"-1",
        b"+1",
        b"1_0",
        b"4294967296",
    ],
    *[b"99999999999999999999", "٣".encode(), "\u212a".encode(), "\u017f".encode(), "\u2028".encode(), "\u00a0".encode(), b"\xed\xa0\x80"],
    *[
        b"Via: ",
        b"v:",
        b"Route: ",
        b"Route:",
        b"To:",
        b"l:",
        b"Content-Length: 5",
        b"Require: x",
        b"Max-Forwards: 0",
        b"Expires: -1",
        b"CSeq: 1 ACK",
    ],
]
METHODS = [b"INVITE", b"ACK", b"BYE", b"CANCEL", b"OPTIONS", b"REGISTER", b"SUBSCRIBE", b"MESSAGE", b"X"]


def mutated(octets: bytes, chance: random.Random) -> bytes:
    """The octets with one to six changes."""
    data = bytearray(octets)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        at = chance.randrange(len(data) + 1)
        end = min(len(data), at + chance.choice((0, 1, 1, 2, 8, 40)))
        kind = chance.randrange(8)
        if kind < 3:
            data[at:end] = chance.choice(FRAGMENTS)
        elif kind == 3:
            data[at:end] = chance.choice(FRAGMENTS) * chance.choice((2, 10, 100, 1000))
        elif kind == 4:
            del data[at:end]
        elif kind == 5:
            data[at:at] = data[at:end] * chance.choice((1, 2, 50))
        elif kind == 6:
            del data[at:]
        else:
            lines = bytes(data).split(b"\r\n")
            one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
            lines[one], lines[other] = lines[other], lines[one] if chance.random() < 0.7 else lines[other]
            data[:] = b"\r\n".join(lines)
    return bytes(data)


def mutants(chance: random.Random, count: int, seeds: list[bytes] | None = None) -> Iterator[bytes]:
    """So many mutants of the torture messages, or of `seeds`."""
    seeds = [case.octets for case in ALL] if seeds is None else seeds
    for _ in range(count):
        yield mutated(chance.choice(seeds), chance)
