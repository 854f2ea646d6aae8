"""Which Contacts may be bound: where their REGISTER came from, which is all that shows a party asked for its own calls, and no loop."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from ringback.message.uri import SipUri, Uri
from ringback.server.domains import Domains
from ringback.server.gruus import Gruus
from ringback.server.registrar.refused import Refused


@lru_cache(maxsize=4096)
def _address(text: str) -> IPv4Address | IPv6Address | None:
    """The numeric address; an IPv4 address that an IPv6 socket shows is that IPv4 address, a zone is this machine's own affair."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_at(host: str, source: str) -> bool:
    """Whether a URI's host is the numeric address `source`. A name is not: what it resolves to may change or be another's."""
    if host == source:
        return True
    address = _address(host)
    return address is not None and address == _address(source)


def check_source(uri: Uri, source: str, domains: Domains) -> None:
    """Refuses a Contact that would send calls to someone who did not ask for them, or back to this server (403)."""
    if not isinstance(uri, SipUri):
        raise Refused(403, f"Contact Is No SIP URI at {source} Where the REGISTER Came From")
    # §19.1.1: a request goes to maddr, whatever the host says.
    target = uri if uri.maddr is None else SipUri(uri.maddr, port=uri.port, scheme=uri.scheme)
    for host in {uri.host, target.host}:
        if not is_at(host, source):
            raise Refused(403, f"Contact Is Not at {source} Where the REGISTER Came From")
    if domains.is_own_address(target):
        raise Refused(403, "Contact Is This Server Itself")


def check_loop(uri: SipUri, aor: str, domains: Domains, gruus: Gruus) -> None:
    """Refuses a Contact that leads back to its own address-of-record, as that or as a GRUU of it (403, RFC 5627 §5.1)."""
    if uri.headers_text is not None:
        # It asks for a way of its own, a Route for one (RFC 4475 §3.3.14); should it come back, that is a loop like any other.
        return
    place = domains.place(str(uri))
    # A phone at another port of a domain's own host is no user of the domain.
    is_ours = domains.is_own_address(uri) if place.address is not None or uri.port is not None else place.is_served
    if is_ours and aor in (place.aor, gruus.aor_of(place)):
        raise Refused(403, "Contact Is the Address-of-Record Itself")
