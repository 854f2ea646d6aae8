"""Following a redirection in the caller's place (RFC 3261 §16.7 item 4)."""

from __future__ import annotations

from collections.abc import Callable

from ringback.message.errors import SipParseError
from ringback.message.fields.name_addr import NameAddr
from ringback.message.host import render_host
from ringback.message.message import Response
from ringback.message.uri import SipUri, TelUri, parse_uri
from ringback.server.proxy.destination import Destination, Uri

# 305 asks for another way to the same target, 380 for another service: neither Contact is a target (§21.3.4, §21.3.5).
_FOLLOWED = (300, 301, 302)

# Contacts looked at; the others are the caller's. A choice: twice the targets that a request has by default.
_MOST_CONTACTS = 20


def take_contacts(response: Response, leads_to: Callable[[Uri], list[Destination] | None]) -> list[list[Destination]] | None:
    """Takes out of a 3xx the contacts that are followed, and gives where they lead, those of the highest q first; None: it is no such 3xx.

    `leads_to` gives the destinations of a URI that were not tried before, None for one that is not to be followed: that one stays, and so
    does what cannot be read. One that was tried is taken out as well, lest somebody upstream tries it again.
    """
    if response.status not in _FOLLOWED or "contact" not in response.headers.keys:
        return None
    try:
        texts = response.headers.texts("Contact")
    except SipParseError:
        return None
    ranked: dict[float, list[Destination]] = {}
    kept = []
    uris: set[str] = set()
    for text in texts[:_MOST_CONTACTS]:
        try:
            contact = NameAddr.parse(text)
            q = contact.q
            found = leads_to(contact.uri)
        except SipParseError:
            found = None
        if found is None:
            kept.append(text)
        else:
            fresh = [one for one in found if one.uri not in uris]
            uris.update(one.uri for one in fresh)
            if fresh:
                ranked.setdefault(1.0 if q is None else q, []).extend(fresh)
    response.headers.remove("Contact")
    for text in kept + texts[_MOST_CONTACTS:]:
        response.headers.append("Contact", text)
    return [ranked[q] for q in sorted(ranked, reverse=True)]


def as_sip(destination: Destination, asked: str) -> Destination | None:
    """A target whose tel URI was refused with 416, as the SIP URI of the same number (§19.1.6); None where it is something else.

    `asked` is the Request-URI as it was received: only what came as a SIP URI was turned into another kind on the way.
    """
    try:
        uri, hop = parse_uri(destination.uri), parse_uri(asked)
        if not isinstance(uri, TelUri) or not isinstance(hop, SipUri):
            return None
        if destination.route:
            way = NameAddr.parse(destination.route[0]).uri
            hop = way if isinstance(way, SipUri) else hop
    except SipParseError:
        return None
    number = str(uri)[4:]
    return destination._replace(uri=f"{hop.scheme}:{number}@{render_host(hop.host)};user=phone")
