"""What a WebSocket says on a simulated network: messages without their frames, since a reader of the log wants to see SIP."""

from __future__ import annotations

from itertools import cycle

# Frames whose payload is longer say so by these, and give the length in so many octets more (RFC 6455 §5.2).
_LONGER = {126: 2, 127: 8}
# From this opcode on a frame is a ping, a pong or a goodbye.
_CONTROL = 0x8


def unframed(octets: bytes) -> bytes:
    """The message in one whole frame, as connections of ours write them; a handshake as it is; nothing where nothing is said."""
    if octets.startswith((b"GET ", b"HTTP/1.1 ")):
        return octets
    if octets[0] & 0x0F >= _CONTROL:
        return b""
    start = 2 + _LONGER.get(octets[1] & 0x7F, 0)
    if not octets[1] & 0x80:
        return octets[start:]
    mask = octets[start : start + 4]
    return bytes(octet ^ masked for octet, masked in zip(octets[start + 4 :], cycle(mask), strict=False))
