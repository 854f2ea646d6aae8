"""STUN as keepalive: a Binding request on a SIP port is told where it came from (RFC 5626 §4.4.2, §8; RFC 5389 §6, §7, §15).

No answer is longer than two and a half times its request, and none goes anywhere but back.
"""

from __future__ import annotations

import struct
from ipaddress import ip_address
from typing import NamedTuple

_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
_REQUEST, _SUCCESS, _ERROR = 0x0001, 0x0101, 0x0111
_COOKIE = 0x2112A442

_MAPPED_ADDRESS, _ERROR_CODE, _UNKNOWN_ATTRIBUTES, _XOR_MAPPED_ADDRESS = 0x0001, 0x0009, 0x000A, 0x0020
# Below this an attribute must be understood or the request refused (§15).
_OPTIONAL = 0x8000
# USERNAME, MESSAGE-INTEGRITY, REALM, NONCE: known, and of no use to a server that asks nobody who he is (RFC 5626 §8).
_UNDERSTOOD = frozenset((0x0006, 0x0008, 0x0014, 0x0015))
_UNKNOWN_ATTRIBUTE = 420
# As many as fill one word: an answer that named them all would grow with its request.
_NAMED = 2

_FAMILIES = {4: 1, 6: 2}


def stun_answer(data: bytes, host: str, port: int) -> bytes | None:
    """The response to a datagram from a numeric address; None where it is no Binding request.

    A client of RFC 3489, which sends no magic cookie, gets the address as that has it (RFC 5389 §12.2).
    """
    if len(data) < _HEADER.size:
        return None
    kind, length, cookie, transaction = _HEADER.unpack_from(data)
    if kind != _REQUEST or length & 3 or length != len(data) - _HEADER.size:
        return None
    unknown = _unknown(data)
    if unknown is None:
        return None
    if cookie != _COOKIE:
        return _message(_SUCCESS, cookie, transaction, _MAPPED_ADDRESS, _address(host, port))
    if unknown:
        names = struct.pack(f"!{len(unknown)}H", *unknown)
        refusal = struct.pack("!HBB", 0, _UNKNOWN_ATTRIBUTE // 100, _UNKNOWN_ATTRIBUTE % 100)
        return _message(_ERROR, cookie, transaction, _ERROR_CODE, refusal, _UNKNOWN_ATTRIBUTES, names)
    return _message(_SUCCESS, cookie, transaction, _XOR_MAPPED_ADDRESS, _masked(_address(host, port), transaction))


def stun_request(transaction: bytes) -> bytes:
    """A Binding request; `transaction` is twelve octets of chance, the same in each repetition."""
    return _message(_REQUEST, _COOKIE, transaction)


class StunOutcome(NamedTuple):
    """What became of a Binding request of ours."""

    transaction: bytes
    mapped: tuple[str, int] | None
    """Whence the peer saw it come; None where it refused."""


def stun_outcome(data: bytes) -> StunOutcome | None:
    """What a datagram says of a Binding request; None where it is no response to any, or one without an address."""
    if len(data) < _HEADER.size:
        return None
    kind, length, cookie, transaction = _HEADER.unpack_from(data)
    if kind not in (_SUCCESS, _ERROR) or cookie != _COOKIE or length & 3 or length != len(data) - _HEADER.size:
        return None
    if kind == _ERROR:
        return StunOutcome(transaction, None)
    at, end = _HEADER.size, len(data)
    while at < end:
        name, length = _ATTRIBUTE.unpack_from(data, at)
        at += _ATTRIBUTE.size
        if name == _XOR_MAPPED_ADDRESS and length in (8, 20) and at + length <= end:
            plain = _masked(data[at : at + length], transaction)
            return StunOutcome(transaction, (str(ip_address(plain[4:])), int.from_bytes(plain[2:4])))
        at += length + 3 & ~3
    return None


def _masked(address: bytes, transaction: bytes) -> bytes:
    """An address XORed, or one that was as it is: a NAT that rewrites addresses it sees in a payload shall not see this one."""
    mask = struct.pack("!I12s", _COOKIE, transaction)
    # Family and its octet of padding stay.
    return address[:2] + bytes(octet ^ key for octet, key in zip(address[2:], mask[:2] + mask, strict=False))


def _unknown(data: bytes) -> list[int] | None:
    """The first attributes that would have to be understood and are not; None where they do not add up to the message."""
    unknown: list[int] = []
    at, end = _HEADER.size, len(data)
    while at < end:
        kind, length = _ATTRIBUTE.unpack_from(data, at)
        if kind < _OPTIONAL and kind not in _UNDERSTOOD and len(unknown) < _NAMED:
            unknown.append(kind)
        at += _ATTRIBUTE.size + (length + 3 & ~3)
    return unknown if at == end else None


def _address(host: str, port: int) -> bytes:
    address = ip_address(host.partition("%")[0])
    return struct.pack("!BBH", 0, _FAMILIES[address.version], port) + address.packed


def _message(kind: int, cookie: int, transaction: bytes, *attributes: int | bytes) -> bytes:
    """A message of attributes, each a type and a value; values are padded to whole words."""
    parts = []
    for name, value in zip(attributes[::2], attributes[1::2], strict=True):
        assert isinstance(value, bytes)
        parts.append(_ATTRIBUTE.pack(name, len(value)) + value + bytes(-len(value) % 4))
    body = b"".join(parts)
    return _HEADER.pack(kind, len(body), cookie, transaction) + body
