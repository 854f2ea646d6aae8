"""What is read of a certificate: the names in it and the time it is good for (RFC 5280 §4.1, §4.2.1.6; X.690 for its encoding)."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import NamedTuple

_OBJECT_IDENTIFIER, _UTC_TIME, _BMP_STRING, _SEQUENCE, _VERSION, _EXTENSIONS = 0x06, 0x17, 0x1E, 0x30, 0xA0, 0xA3
_DNS_NAME, _URI, _IP_ADDRESS = 0x82, 0x86, 0x87
_COMMON_NAME = b"\x55\x04\x03"
_SUBJECT_ALTERNATIVE_NAME = b"\x55\x1d\x11"

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


class Certificate(NamedTuple):
    """A certificate's names, as they stand in it, and when it begins and ceases to be valid."""

    common_name: str | None
    has_alternatives: bool
    """Whether there is a subjectAltName at all, whatever it holds."""
    dns_names: tuple[str, ...]
    uris: tuple[str, ...]
    addresses: tuple[str, ...]
    not_before: datetime
    not_after: datetime

    @classmethod
    def from_pem(cls, text: str) -> Certificate:
        """The first certificate in a PEM file: the holder's own. Raises `ValueError` where there is none."""
        _before, begin, rest = text.partition(_BEGIN)
        body, end, _ = rest.partition(_END)
        if not begin or not end:
            raise ValueError("holds no certificate in PEM")
        return cls.from_der(ssl.PEM_cert_to_DER_cert(begin + body + end))

    @classmethod
    def from_der(cls, octets: bytes) -> Certificate:
        """Reads a certificate. Raises `ValueError` where it is none. Says nothing about whether it may be believed."""
        try:
            (_, signed), *_ = _elements(_only(octets))
            fields = [element for element in _elements(signed) if element[0] != _VERSION]
            (_, _), (_, _), (_, _), (_, validity), (_, subject), *rest = fields
            (begin, end) = (_time(tag, text) for tag, text in _elements(validity))
            alternatives = _alternatives(next((octets for tag, octets in rest if tag == _EXTENSIONS), b""))
        except (IndexError, UnicodeError, ValueError):
            raise ValueError("is no X.509 certificate") from None
        names = [] if alternatives is None else list(_elements(alternatives))
        return cls(
            _common_name(subject),
            alternatives is not None,
            tuple(_texts(names, _DNS_NAME)),
            tuple(_texts(names, _URI)),
            tuple(str(ip_address(octets)) for tag, octets in names if tag == _IP_ADDRESS and len(octets) in (4, 16)),
            begin,
            end,
        )


def _elements(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """The elements of a constructed value: tag and contents of each."""
    at = 0
    while at < len(octets):
        tag, length = octets[at], octets[at + 1]
        at += 2
        if length > 0x7F:
            count = length & 0x7F
            length = int.from_bytes(octets[at : at + count])
            at += count
        if at + length > len(octets):
            raise ValueError("an element is longer than what holds it")
        yield tag, octets[at : at + length]
        at += length


def _only(octets: bytes) -> bytes:
    """The contents of the one sequence that stands here."""
    [(tag, contents)] = _elements(octets)
    if tag != _SEQUENCE:
        raise ValueError("a sequence should stand here")
    return contents


def _time(tag: int, octets: bytes) -> datetime:
    form = "%y%m%d%H%M%SZ" if tag == _UTC_TIME else "%Y%m%d%H%M%SZ"
    return datetime.strptime(octets.decode("ascii"), form).replace(tzinfo=UTC)


def _alternatives(extensions: bytes) -> bytes | None:
    """The names in the subjectAltName, None where there is no such extension."""
    found = []
    for _, extension in _elements(_only(extensions)) if extensions else ():
        (_, kind), *_, (_, value) = _elements(extension)
        if kind == _SUBJECT_ALTERNATIVE_NAME:
            found.append(_only(value))
    if len(found) > 1:
        raise ValueError("an extension may stand once (RFC 5280 §4.2)")
    return found[0] if found else None


def _texts(names: list[tuple[int, bytes]], kind: int) -> Iterator[str]:
    # An IA5String; what has other octets in it names nothing that a SIP URI could.
    return (octets.decode("ascii") for tag, octets in names if tag == kind and octets.isascii())


def _common_name(subject: bytes) -> str | None:
    """The last common name, the most specific one."""
    found = None
    for _, relative in _elements(subject):
        for _, attribute in _elements(relative):
            (tag, kind), (form, value), *_ = _elements(attribute)
            if (tag, kind) == (_OBJECT_IDENTIFIER, _COMMON_NAME):
                found = value.decode("utf-16-be" if form == _BMP_STRING else "utf-8", "replace")
    return found
