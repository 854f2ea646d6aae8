"""Which URIs are ours: the domains served and the addresses we listen on (RFC 3261 §16.4, §16.5, §10.3)."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from functools import lru_cache

from ringback.address import DEFAULT_PORTS, Endpoint, host_port
from ringback.message.errors import SipParseError
from ringback.message.message import Request
from ringback.message.uri import AnyUri, SipUri, TelUri, parse_uri
from ringback.transport.resolver import numeric_host

# URIs of one call come several times, so what they mean is kept; the bound holds strangers' URIs to a few MB.
_MOST_REMEMBERED = 10_000

STATEFUL, STATELESS, REDIRECT = "stateful", "stateless", "redirect"
"""What the server is to requests: a proxy with state (§16.2) or without (§16.11), or a redirect server (§8.3)."""


@lru_cache(maxsize=1024)
def scope_of(host: str) -> str:
    """How far an address reaches where that is not everywhere: "loopback", "link-local", or "none" (multicast, 0.0.0.0); else ""."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "loopback" if host == "localhost" else ""
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    if address.is_loopback:
        return "loopback"
    if address.is_link_local:
        return "link-local"
    return "none" if address.is_multicast or address.is_unspecified or str(address) == "255.255.255.255" else ""


class Place:
    """What a URI means here: `domain` is the domain served that it is of, else None; then `aor` is a user's key in the location service."""

    __slots__ = (
        "address", "aor", "domain", "gr", "is_here", "is_served", "is_sips", "is_user", "mode", "names_user", "number", "scope",
        "uri", "user",
    )  # fmt: skip

    def __init__(
        self,
        uri: SipUri | TelUri | AnyUri,
        domain: str | None,
        user: str | None,
        names_user: bool,
        is_here: bool = False,
        mode: str = STATEFUL,
    ) -> None:
        """`user` is free of escapes; `is_here`: the URI names this server itself and no user, so that sending there would be sending to
        ourselves.
        """
        self.uri = uri
        self.domain = domain
        self.user = user
        self.is_served = domain is not None
        self.is_sips = uri.scheme == "sips"
        # §10.3 step 5: the key has no parameters and no escapes. sips and sip name one user (§19.1), and so do all ports of a domain.
        self.aor = None if domain is None or user is None else f"sip:{user}@{domain}"
        self.names_user = names_user
        self.number = uri.digits if isinstance(uri, TelUri) else user
        """Whom it calls, as routes and aliases see it: the user of a domain served, or the digits of a telephone number."""
        self.is_here = is_here
        self.gr: str | None = None
        """The value of its `gr` parameter, "" where that has none; None where the URI is no GRUU (RFC 5627)."""
        if isinstance(uri, SipUri) and "gr" in uri.params:
            self.gr = uri.param("gr") or ""
        self.mode = mode
        """What is done with requests for it: STATEFUL, STATELESS or REDIRECT."""
        host = (uri.maddr or uri.host) if isinstance(uri, SipUri) else ""
        self.scope = scope_of(host)
        self.address = numeric_host(host)
        """Where the URI itself leads, if its host is numeric."""
        self.is_user = False
        """Whether it is a user of ours, for the location service to resolve, rather than a device's address."""


def reaches(source: str, scope: str) -> bool:
    """Whether somebody at `source` may have a message sent to a host of this scope: to loopback or link-local only who is there.

    A dialog proves who talks with whom, not that every host its parties name is theirs.
    """
    return not scope or (scope != "none" and scope == scope_of(source))


class Domains:
    """The domains served. Where none is named, every domain is: each request is for whoever registered that very address here."""

    def __init__(
        self, names: Sequence[str], endpoints: Sequence[Endpoint] = (), *, modes: Mapping[str, str] | None = None, mode: str = STATEFUL
    ) -> None:
        """`modes` says what the server is to requests for a domain; `mode` what it is to all others."""
        self.names: tuple[str, ...] = ()
        self.is_stateless_anywhere = False
        self.own: set[tuple[str, int]] = set()
        """Hosts and ports we listen on, and those advertised."""
        self._places: dict[str, Place] = {}
        self.turn_to(modes or {}, mode)
        self.serve(names)
        self.listen(endpoints)

    def turn_to(self, modes: Mapping[str, str], mode: str) -> None:
        """Says what the server is from now on, as above."""
        self._modes = modes
        self._mode = mode
        self.is_stateless_anywhere = STATELESS in (mode, *modes.values())
        self._places.clear()

    def serve(self, names: Sequence[str]) -> None:
        """Names the domains served from now on."""
        self.names = tuple(name.lower() for name in names)
        self._places.clear()

    def listen(self, endpoints: Sequence[Endpoint]) -> None:
        """Names the listening points: a URI of one of them is ours too, under the first domain's name where there is one."""
        self.own = {(host, e.port) for e in endpoints for host in (e.host, e.advertised)}
        self._places.clear()

    def is_own_address(self, uri: SipUri) -> bool:
        """Whether a URI leads to one of our listening points."""
        port = uri.port or (DEFAULT_PORTS["TLS"] if uri.scheme == "sips" or uri.transport == "TLS" else DEFAULT_PORTS["UDP"])
        # An IPv6 address may be written in several ways.
        host = (numeric_host(uri.host) or uri.host) if ":" in uri.host else uri.host
        return (host, port) in self.own

    def is_ours(self, uri: SipUri) -> bool:
        """Whether a Route or Request-URI names this server: by address, or by a domain that was named."""
        return uri.host in self.names or self.is_own_address(uri)

    def place(self, text: str) -> Place:
        """What a URI means here; raises `SipParseError` where it does not parse."""
        place = self._places.get(text)
        if place is None:
            if len(self._places) >= _MOST_REMEMBERED:
                self._places.clear()
            place = self._places[text] = self._look(parse_uri(text))
        return place

    def place_of(self, request: Request, name: str) -> Place:
        """What the URI of a request's From or To means; raises `SipParseError` that names the field."""
        line = request.headers.line(name.lower())
        start, end = (-1, -1) if line is None else (line.find("<"), line.find(">"))
        # The usual value is told by its shape, and its URI is among those remembered: no need to take the field apart.
        usual = line is not None and 0 <= start < end and '"' not in line and (end + 1 == len(line) or line.startswith(";tag=", end + 1))
        try:
            return self.place(line[start + 1 : end] if line is not None and usual else request.headers.value(name).uri_text)
        except SipParseError as error:
            raise SipParseError(error.reason, name) from None

    def _look(self, uri: SipUri | TelUri | AnyUri) -> Place:
        if not isinstance(uri, SipUri):
            return Place(uri, None, None, True, mode=self._mode)
        names_user = uri.user_text is not None
        is_own = self.is_own_address(uri)
        if is_own:
            host = self.names[0] if self.names else uri.host
        elif not self.names or uri.host in self.names:
            host = uri.host
        else:
            return Place(uri, None, None, names_user, mode=self._mode)
        is_ours = is_own or uri.host in self.names
        is_here = is_ours and not names_user
        place = Place(uri, host, uri.user if names_user else None, names_user, is_here, self._modes.get(host, self._mode))
        # Where a domain is an address, devices at other ports of that address are no users of it.
        place.is_user = names_user and (is_ours if place.address is None else is_own)
        return place

    def __repr__(self) -> str:
        own = ", ".join(host_port(host, port) for host, port in sorted(self.own))
        return f"<Domains {', '.join(self.names) or 'any'} at {own}>"
