"""WebSocket frames and handshakes as octets, right and wrong, for tests."""

from __future__ import annotations

import itertools

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
MASK = b"\x11\x22\x33\x44"


def handshake(path: str = "/", *, without: str = "", **fields: str) -> bytes:
    """A browser's request; `fields` replace or add header fields, `_` for `-`."""
    usual = {
        "Host": "sip.example.org",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": "sip",
    }
    usual.update({name.replace("_", "-"): value for name, value in fields.items()})
    lines = [f"{name}: {value}" for name, value in usual.items() if name != without]
    return "\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""]).encode()


def frame(data: bytes, opcode: int = TEXT, *, final: bool = True, masked: bool = True, bits: int = 0) -> bytes:
    """One frame as a client sends it; `bits` are those reserved for extensions."""
    size = len(data)
    length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2) if size < 65_536 else b"\x7f" + size.to_bytes(8)
    head = bytes([final << 7 | bits << 4 | opcode, length[0] | masked << 7]) + length[1:]
    if not masked:
        return head + data
    return head + MASK + bytes(octet ^ mask for octet, mask in zip(data, itertools.cycle(MASK), strict=False))


def fragments(data: bytes, size: int, opcode: int = TEXT) -> bytes:
    """One message in frames of `size` octets."""
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    last = len(pieces) - 1
    return b"".join(frame(piece, opcode if number == 0 else 0, final=number == last) for number, piece in enumerate(pieces))


def close_code(written: bytes) -> int | None:
    """The code of the close frame that a server wrote last, None where it wrote none."""
    at = written.rfind(bytes([0x80 | CLOSE]))
    return None if at < 0 else int.from_bytes(written[at + 2 : at + 4])
