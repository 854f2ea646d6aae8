"""Whom a certificate names: SIP domain identities, found and compared (RFC 5922 §7.1, §7.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address
from typing import NamedTuple

from ringback.message.errors import SipParseError
from ringback.message.grammar import ascii_lower
from ringback.message.uri import SipUri, parse_uri
from ringback.transport.tls.x509 import Certificate

_DNS_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_][a-z0-9_-]{0,62}+(?>(?:\.[a-z0-9_][a-z0-9_-]{0,62}+)*)", re.ASCII)

# Names of a peer that a line for the operator shows.
_SHOWN = 5


class Identities(NamedTuple):
    """What a peer has proven to be: SIP domains; and numeric addresses, for URIs that name no domain."""

    domains: frozenset[str] = frozenset()
    addresses: frozenset[str] = frozenset()

    def covers(self, domain: str) -> bool:
        """Whether one of the identities is this domain: the whole of it, case aside; no suffix, no wildcard (RFC 5922 §7.2)."""
        address = numeric(domain)
        return canonical(domain) in self.domains if address is None else address in self.addresses

    def __str__(self) -> str:
        names = [*sorted(self.domains), *sorted(self.addresses)]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return ", ".join(_printable(name) for name in names[:_SHOWN]) + more or "nobody"


NOBODY = Identities()


def _printable(name: str) -> str:
    """A name that stays in its line and is not too long for it, whatever is in the certificate."""
    return "".join(char if char.isprintable() else "?" for char in name[:60])


def canonical(domain: str) -> str:
    """A domain name as names are compared: without the dot of the root, in lower case as far as ASCII goes (RFC 4343)."""
    return ascii_lower(domain).removesuffix(".")


def numeric(host: str) -> str | None:
    """The canonical text of a numeric address, brackets or not; None for a name."""
    try:
        return str(ip_address(host.strip("[]")))
    except ValueError:
        return None


def identities_of(certificate: Certificate) -> Identities:
    """The identities in a certificate that has been found valid.

    URIs of the scheme sip without a user come first; only where there is none do DNS names count (RFC 5922 §7.1). RFC 5922 knows no
    numeric addresses: those of the subjectAltName stand for URIs whose host is one, as in HTTP (RFC 9110 §4.3.5).
    """
    hosts = [host for text in certificate.uris if (host := _domain_of(text)) is not None]
    names: Iterable[str] = hosts or certificate.dns_names
    common_name = certificate.common_name
    if common_name is not None and not certificate.has_alternatives and _DNS_NAME.fullmatch(ascii_lower(common_name)):
        names = [common_name]
    return Identities(
        frozenset(canonical(name) for name in names if numeric(name) is None),
        frozenset(certificate.addresses).union(address for host in hosts if (address := numeric(host)) is not None),
    )


def _domain_of(text: str) -> str | None:
    """The host of `sip:example.com`; None for another scheme and for a URI that names a user."""
    if "@" in text:
        return None
    try:
        uri = parse_uri(text)
    except SipParseError:
        return None
    return uri.host if isinstance(uri, SipUri) and uri.scheme == "sip" else None
