"""Where requests may be sent, and which URIs are users of ours (RFC 3261 §16.5, §16.7 item 4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from ringback.message.errors import SipParseError
from ringback.message.message import Request
from ringback.message.uri import SipUri
from ringback.server.proxy.destination import Destination, Uri
from ringback.server.proxy.forwarding import request_uri
from ringback.server.proxy.routing import Decision, Forward, Gateway, Location, Reject

if TYPE_CHECKING:
    from ringback.address import Flow
    from ringback.server.domains import Domains, Place
    from ringback.server.proxy.edge import Edge

MayLead = Callable[[str], bool]
"""Whether a request may be sent to a numeric address."""

LOOPBACK = "127.0.0.1"
"""What `localhost` means wherever it is asked."""


def anywhere(_host: str) -> bool:
    """Every address."""
    return True


class Resolve(Protocol):
    """What a location or a gateway is now."""

    def __call__(self, decision: Location | Gateway, request: Request, decided: Callable[[Decision, float], None]) -> Decision | None:
        """What to do instead, a `Reject` where there is nowhere to go; None where it takes time: then `decided` is called.

        What the value has for failures, its `else_`, is followed by whoever asks.
        """


class Reach:
    """What may be reached through this proxy by whom, whatever the routing function and the location service say."""

    def __init__(self, domains: Domains, resolve: Resolve, relays_to: Callable[[str], bool], edge: Edge | None) -> None:
        """`relays_to(host)` says whether requests may go to a domain not served."""
        self.resolve = resolve
        self.relays_to = relays_to
        self._domains = domains
        self._edge = edge

    def target_of(self, request: Request, flow: Flow, place: Place) -> Decision | None:
        """The decision for a request that came over a flow, where it is not the location service's or the routing function's to make
        (§16.5), else None.
        """
        if self._edge is not None and "route" not in request.headers.keys:
            return self._edge.onward(request, flow)
        if "route" in request.headers.keys:
            hop = request.routes[0].uri
            if isinstance(hop, SipUri) and self._may_relay(hop):
                return Forward(request.uri_text)
            return Reject(403, "Relaying Denied")
        if place.is_served or not isinstance(place.uri, SipUri):
            # Departs from RFC 3261 §16.5: a maddr of a URI of ours does not say where to send, or it would lead strangers anywhere.
            return None
        return Forward(request.uri_text) if self._may_relay(place.uri) else Reject(403, "Domain Not Served Here")

    def way(self, request: Request, place: Place, may_lead: MayLead) -> MayLead | None:
        """Where an in-dialog request may go, `may_lead` in general; None where its next hop is known to lie elsewhere."""
        if "route" in request.headers.keys:
            if place.scope and not may_lead(place.address or LOOPBACK):
                return None
            place = self._domains.place(request.routes[0].uri_text)
        elif place.is_user:
            return may_lead
        if isinstance(place.uri, SipUri) and self._may_relay(place.uri):
            return anywhere
        if place.address is None:
            # A name is looked at again once it is resolved.
            return may_lead if not place.scope or may_lead(LOOPBACK) else None
        # An address leads nowhere else.
        return anywhere if may_lead(place.address) else None

    def _may_relay(self, uri: SipUri) -> bool:
        """Whether a request may be sent to a URI of no domain of ours: also its maddr, if it has one, must be allowed."""
        return self.relays_to(uri.host) and (uri.maddr is None or self.relays_to(uri.maddr))

    def owns(self, request: Request) -> bool:
        """Whether the Request-URI is of a domain served here, so that it is ours to say where its requests go."""
        return self._domains.place(request.uri_text).is_served

    def destinations_of(self, uri: Uri, request: Request) -> list[Destination] | None:
        """Where a request may go because one of its targets says so (§16.7 item 4); None where it may not.

        A 3xx is a stranger's word: it leads to users served here and to where `relay.allow` says, or it would make us an open relay.
        """
        if not isinstance(uri, SipUri) or (uri.scheme != "sips" and request.uri_text[:5].lower() == "sips:"):
            return None
        text = request_uri(str(uri))
        if self._domains.place(text).aor is None:
            return [Destination(text)] if self._may_relay(uri) else None
        return self._located(text, request) or None

    def at_home(self, steps: list[list[Destination]], request: Request) -> list[list[Destination]]:
        """The steps with the phones of our users in place of their names: nobody of a domain served here is looked for in the DNS."""
        if not any(one.is_named for step in steps for one in step) or "route" in request.headers.keys:
            return steps
        found = []
        for step in steps:
            here = []
            for one in step:
                phones = self.phones_of(one.uri, request) if one.is_named else None
                here += [one] if phones is None else phones
            if here:
                found.append(here)
        return found

    def phones_of(self, text: str, request: Request) -> list[Destination] | None:
        """The phones of a user of ours, none where none is registered; None where the URI is no user's.

        A URI with a port that is not ours, or a maddr, says itself where to go: voicemail on the same host, for one.
        """
        try:
            uri = self._domains.place(text).uri
        except SipParseError:
            return None
        if not isinstance(uri, SipUri) or uri.user_text is None or uri.maddr is not None or not self._domains.is_ours(uri):
            return None
        return self._located(text, request) if uri.port is None or self._domains.is_own_address(uri) else None

    def _located(self, text: str, request: Request) -> list[Destination]:
        located = self.resolve(Location(text), request, lambda decision, now: None)
        return [one for step in located.steps() for one in step] if isinstance(located, Forward) else []
