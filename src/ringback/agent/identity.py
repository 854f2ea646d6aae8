"""Who a user agent is: its address-of-record, its name, and the Contact under which it is reached (RFC 3261 §6, §8.1.1.8, §20.10)."""

from __future__ import annotations

from ringback.address import Endpoint
from ringback.message.errors import SipParseError
from ringback.message.fields.name_addr import NameAddr
from ringback.message.uri import SipUri, parse_uri

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


class Identity:
    """An address-of-record and how it is written. Raises `SipParseError` or `ValueError` where it is no SIP URI."""

    __slots__ = ("_contacts", "address", "aor", "contact_params", "display_name", "uri", "user")

    def __init__(self, aor: str, display_name: str | None = None, contact_params: str = "") -> None:
        """`contact_params` go behind every Contact's `>`: feature tags (RFC 3840), say."""
        uri = parse_uri(aor)
        if not isinstance(uri, SipUri):
            raise ValueError(f"not a SIP address-of-record: {aor}")
        self.uri = uri
        self.aor = aor
        self.user = uri.user or ""
        self.display_name = display_name
        self.address = str(NameAddr(who(aor), display_name))
        """From without its tag."""
        self.contact_params = contact_params
        self._contacts: dict[Endpoint, str] = {}

    def contact(self, endpoint: Endpoint) -> str:
        """The Contact under which this identity is reached at one of its endpoints; a sips identity's is sips (§8.1.1.8)."""
        contact = self._contacts.get(endpoint)
        if contact is None:
            uri = SipUri(endpoint.advertised, port=endpoint.port, user=self.user or None, scheme=self.uri.scheme)
            if endpoint.transport != "UDP":
                uri.params["transport"] = endpoint.transport.lower()
            contact = self._contacts[endpoint] = f"<{uri}>{self.contact_params}"
        return contact
