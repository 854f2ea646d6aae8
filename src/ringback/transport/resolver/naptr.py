"""Which NAPTR records of a domain say how to reach its SIP servers, in which order (RFC 3263 §4.1, RFC 3403 §4.1, RFC 7118 §10.2)."""

from __future__ import annotations

from collections.abc import Container, Iterable
from itertools import groupby

from ringback.address import SECURE
from ringback.message.grammar import ascii_upper
from ringback.transport.resolver.records import Naptr

_SERVICES = {"SIP+D2U": "UDP", "SIP+D2T": "TCP", "SIPS+D2T": "TLS", "SIP+D2W": "WS", "SIPS+D2W": "WSS"}

# A choice: nobody offers so many services, and each one is two more questions.
_MOST = 16


def transport_of(record: Naptr) -> str | None:
    """The transport that a record's service stands for; None where that is no SIP service."""
    return _SERVICES.get(ascii_upper(record.service))


def services(records: Iterable[Naptr], transports: Container[str], *, is_secure: bool) -> list[list[tuple[str, Naptr]]]:
    """The records of use, each with the transport it stands for: those of one order in one list, the most preferred first.

    A later order counts only where an earlier one leads nowhere (RFC 3403 §4.1). What is none of `transports`, or not secure where the URI
    is, or leads on by an expression or to a URI, is not for us.
    """
    of_use = []
    for record in records:
        transport = transport_of(record)
        if transport is None or transport not in transports or (is_secure and transport not in SECURE):
            continue
        if ascii_upper(record.flags) in ("S", "A") and record.replacement and not record.regexp:
            of_use.append((transport, record))
    of_use.sort(key=lambda found: (found[1].order, found[1].preference))
    return [list(group) for _, group in groupby(of_use[:_MOST], key=lambda found: found[1].order)]
