"""Who a user agent is: its address-of-record, its name, and the Contact under which it is reached (RFC 3261 §6, §8.1.1.8, §20.10)."""

from __future__ import annotations

import re

from ringback.address import Endpoint
from ringback.message.errors import SipParseError
from ringback.message.fields.name_addr import NameAddr
from ringback.message.grammar import ascii_lower
from ringback.message.message import Request
from ringback.message.uri import SipUri, parse_uri

# RFC 2141 §2, with what else a quoted string between angle brackets can hold.
is_urn = re.compile(r"[Uu][Rr][Nn]:[A-Za-z0-9][A-Za-z0-9-]{0,31}+:[A-Za-z0-9()+,\-.:=@;$_!*'%/?#]{1,255}+").fullmatch

# §19.1.1, table 1: what a URI in From and To does not have, since it says who, not where.
_PLACES = ("transport", "maddr", "ttl", "lr", "method")


def who(uri_text: str) -> str:
    """A URI as From and To may have it (§19.1.1, table 1): without port, transport and the like; what is no SIP URI stays as it is."""
    try:
        uri = parse_uri(uri_text)
    except SipParseError:
        # Whoever sends there will say what is wrong with it.
        return uri_text
    if not isinstance(uri, SipUri):
        return uri_text
    named = uri.copy()
    named.port = named.headers_text = None
    for name in _PLACES:
        named.params.pop(name, None)
    return str(named)


def wants_sips(request: Request, *others: str) -> bool:
    """Whether the Contact beside a request must be a sips URI: its Request-URI is one, or the first of `others` that is there.

    That is Route for our own requests (§8.1.1.8), Record-Route or else Contact for a peer's (§12.1.1).
    """
    if ascii_lower(request.uri_text[:5]) == "sips:":
        return True
    lines = (request.headers.line(key) for key in others)
    first = next((line for line in lines if line is not None), "")
    # Behind the field's name and perhaps a display name; what is quoted there can at worst make a Contact safer than it need be.
    return "sips:" in ascii_lower(first.partition(",")[0])


def asks_for_tls(uri_text: str | None) -> bool:
    """Whether a URI leads over TLS, as far as it says so itself."""
    if uri_text is None:
        return False
    uri = parse_uri(uri_text)
    return isinstance(uri, SipUri) and (uri.scheme == "sips" or uri.transport == "TLS")


def homes(uri: SipUri, proxy: str | None) -> list[str]:
    """The hosts that may ask for our password: the domain of the address-of-record, and the outbound proxy."""
    found = None if proxy is None else parse_uri(proxy)
    return [uri.host, found.host] if isinstance(found, SipUri) else [uri.host]


class Identity:
    """An address-of-record and how it is written. Raises `SipParseError` or `ValueError` where it is no SIP URI."""

    __slots__ = ("_contacts", "address", "aor", "contact_params", "display_name", "gruu", "instance", "temporary_gruu", "uri", "user")

    def __init__(self, aor: str, display_name: str | None = None, contact_params: str = "", instance: str | None = None) -> None:
        """`contact_params` go behind every Contact's `>`: feature tags (RFC 3840), say. `instance` is the URN of this user agent."""
        uri = parse_uri(aor)
        if not isinstance(uri, SipUri):
            raise ValueError(f"not a SIP address-of-record: {aor}")
        if instance is not None and not is_urn(instance):
            raise ValueError(f"not a URN such as urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6: {instance}")
        self.uri = uri
        self.aor = aor
        self.user = uri.user or ""
        self.display_name = display_name
        self.address = str(NameAddr(who(aor), display_name))
        """From without its tag."""
        self.contact_params = contact_params
        self.instance = instance
        self.gruu: str | None = None
        """The public GRUU while we are registered, where the registrar gives one (RFC 5627)."""
        self.temporary_gruu: str | None = None
        """One that does not say who we are."""
        self._contacts: dict[tuple[Endpoint, bool], str] = {}

    def contact(self, endpoint: Endpoint, *, is_secure: bool = False) -> str:
        """The Contact of what we say to others: our GRUU (RFC 5627 §4.4), or else where we are reached at one of our endpoints.

        It is a sips URI for a sips identity, and where `is_secure`: see `wants_sips`.
        """
        gruu = self.gruu
        if gruu is not None and (ascii_lower(gruu[:5]) == "sips:" or not (is_secure or self.uri.scheme == "sips")):
            return f"<{gruu}>{self.contact_params}"
        return self.own_contact(endpoint, is_secure=is_secure)

    def own_contact(self, endpoint: Endpoint, *, is_secure: bool = False) -> str:
        """Where we are reached at one of our endpoints: what a REGISTER binds."""
        is_secure = is_secure or self.uri.scheme == "sips"
        contact = self._contacts.get((endpoint, is_secure))
        if contact is None:
            scheme = "sips" if is_secure else "sip"
            uri = SipUri(endpoint.advertised, port=endpoint.port, user=self.user or None, scheme=scheme)
            if is_secure and endpoint.is_secure:
                # A sips URI means TLS by itself; RFC 7118 §5.1 names WebSockets by ws, and the scheme says that they are secured.
                if endpoint.transport == "WSS":
                    uri.params["transport"] = "ws"
            elif endpoint.transport != "UDP":
                uri.params["transport"] = endpoint.transport.lower()
            if self.instance is not None:
                # Whoever stands next to us shall send what follows down the flow this comes by (RFC 5626 §4.3).
                uri.params["ob"] = None
            contact = self._contacts[endpoint, is_secure] = f"<{uri}>{self.contact_params}"
        return contact
