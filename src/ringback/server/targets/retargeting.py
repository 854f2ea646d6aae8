"""Where a request for a user of ours goes where no routing function says otherwise (RFC 3261 §16.5, RFC 5359 §2.7 to §2.9).

In this order: by alias, by ENUM where a telephone number is nobody's here (RFC 6116), by static route, by what the user has arranged, to
the bindings of the location service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ringback.message.errors import SipParseError
from ringback.message.message import Request
from ringback.message.uri import TelUri
from ringback.server.config import RouteConfig
from ringback.server.domains import Domains, Place
from ringback.server.gruus import Gruus
from ringback.server.location.binding import Binding
from ringback.server.location.location import Location
from ringback.server.proxy.destination import Target
from ringback.server.proxy.routing import Decision, Forward, Gateway, Redirect, Reject
from ringback.server.targets.call_forwarding import Forwarding
from ringback.server.targets.static_routes import StaticRoute, StaticRoutes
from ringback.transport.resolver.enum import is_number as is_global_number

# How often one request may be sent on from user to user: more is a loop that nobody meant, or might as well be one.
_MOST_FORWARDINGS = 5


class Retargeting:
    """The standing orders of operator and users."""

    def __init__(
        self,
        domains: Domains,
        location: Location,
        gruus: Gruus,
        aliases: Mapping[str, Sequence[str] | str],
        routes: Sequence[RouteConfig],
        enum: Callable[[str], Sequence[str]] | None = None,
    ) -> None:
        """`enum` gives the URIs of a telephone number; what it raises, `decision` raises."""
        self._domains = domains
        self._location = location
        self._gruus = gruus
        self._aliases = {name: [uris] if isinstance(uris, str) else uris for name, uris in aliases.items()}
        self._routes = StaticRoutes(routes) if routes else None
        self._enum = enum
        self.forwarding: Mapping[str, Forwarding] = {}
        """Whose calls go elsewhere, by address-of-record."""
        self.knows: Callable[[str, str], bool] | None = None
        """Whether a domain has a user of this name, where callers may learn that."""

    def decision(self, request: Request) -> Decision:
        """Where the request goes."""
        return self._called(self._domains.place(request.uri_text), request, ())

    def bindings(self, uri: str, request: Request) -> Sequence[Binding]:
        """The bindings of an address-of-record that a request may go to."""
        return self._bindings(self._domains.place(uri), request)

    def _called(self, place: Place, request: Request, before: tuple[str, ...]) -> Decision:
        """Where a request for this user goes; `before` are those who sent it on to this one."""
        if place.gr is not None:
            # Who asks for this very phone is sent nowhere else (RFC 5627 §6.1).
            if self._gruus.bound(place, self._location.lookup) is None:
                return Reject(404)
            phones = self._bindings(place, request)
            return Forward(*phones) if phones else Reject(480)
        user, domain = place.number, place.domain
        if user is None:
            return Reject(404)
        if self._aliases:
            uris = self._aliases.get(f"{user}@{domain}") or self._aliases.get(user)
            if uris is not None:
                return self._sent_on(uris, place, request, before) or Reject(482, "Alias Loop")
        if self._enum is not None and (uris := self._uris(place)):
            onward = self._sent_on(uris, place, request, before, one_by_one=len(uris) > 1)
            if onward is not None:
                return onward
        if self._routes is not None:
            route = self._routes.route(user, domain, request.method)
            if route is not None:
                return self._routed(route, user, place, request, before)
        bindings = self._bindings(place, request)
        forwarding = self.forwarding.get(place.aor or "") if request.method == "INVITE" else None
        if forwarding is not None:
            return self._forwarded(forwarding, bindings, place, request, before)
        return Forward(*bindings) if bindings else self._nobody(place, request)

    def nobody(self, uri: str, request: Request) -> Reject:
        """What is said where `bindings` gives none."""
        return self._nobody(self._domains.place(uri), request)

    def _nobody(self, place: Place, request: Request) -> Reject:
        """What is said where a user has no phone that a request may go to: 480 to wait for one, 404 that there is no such user (§16.5)."""
        if (place.is_sips or _is_secure(request)) and place.aor is not None and self._location.lookup(place.aor):
            # RFC 5630 §7.1: why, so that the caller need not try again.
            return Reject(480, headers=[("Warning", f'380 {place.domain} "SIPS Not Allowed"')])
        is_away = self.knows is not None and self.knows(place.user or "", place.domain or "")
        return Reject(480 if is_away else 404)

    def _uris(self, place: Place) -> Sequence[str]:
        """What ENUM makes of a telephone number that is nobody's here."""
        number = place.number
        if self._enum is None or number is None or not is_global_number(number):
            return ()
        is_ours = place.aor is not None and (place.aor in self.forwarding or bool(self._location.lookup(place.aor)))
        return () if is_ours else self._enum(number)

    def _bindings(self, place: Place, request: Request) -> Sequence[Binding]:
        bindings: Sequence[Binding] = ()
        if place.gr is not None:
            bindings = self._gruus.bound(place, self._location.lookup) or ()
        elif place.aor is not None:
            bindings = self._location.lookup(place.aor)
        if bindings and (_is_secure(request) or place.uri.scheme == "sips"):
            # §16.6 item 7: what was asked for as sips goes nowhere in the clear.
            return [binding for binding in bindings if binding.contact[:5].lower() == "sips:"]
        return bindings

    def _routed(self, route: StaticRoute, user: str, place: Place, request: Request, before: tuple[str, ...]) -> Decision:
        config = route.config
        if config.reject is not None:
            return Reject(config.reject)
        if config.redirect:
            return Redirect(*route.uris(config.redirect, user))
        else_ = self._sent_on(route.uris(config.else_to, user), place, request, before) if config.else_to else None
        if config.gateway is not None:
            return Gateway(config.gateway, user=route.user(user), ring_for=config.ring_for, else_=else_)
        to = route.uris(config.to, user)
        decision = self._sent_on(to, place, request, before, one_by_one=config.one_by_one, ring_for=config.ring_for, else_=else_)
        return decision or Reject(482, "Routing Loop")

    def _sent_on(
        self,
        uris: Sequence[str],
        place: Place,
        request: Request,
        before: tuple[str, ...],
        *,
        one_by_one: bool = False,
        ring_for: float | None = None,
        else_: Decision | None = None,
    ) -> Decision | None:
        """The decision for other URIs in place of this one; None where they only lead back to where the request has been.

        A single user is called as if by name, with all that user has arranged; of several, whose phones ring together, the phones alone
        count.
        """
        before = (*before, place.aor or str(place.uri))
        targets: list[Target] = []
        for uri in uris:
            try:
                other = self._domains.place(uri)
            except SipParseError:
                # A route's template with a user that its URI cannot hold: a tel URI with letters.
                continue
            is_number = isinstance(other.uri, TelUri)
            name = str(other.uri) if is_number else other.aor
            is_alone = len(uris) == 1 and not (one_by_one or ring_for or else_)
            if name is None or not other.names_user:
                if uri[:5].lower() == "sips:" or not _is_secure(request):
                    targets.append(uri)
            elif name in before or len(before) > _MOST_FORWARDINGS:
                if len(uris) == 1:
                    return None
            elif is_alone:
                return self._called(other, request, before)
            else:
                targets += self._bindings(other, request) or self._uris(other) or ([uri] if is_number else [])
        if not targets:
            return else_ or Reject(480)
        return Forward(*targets, one_by_one=one_by_one, ring_for=ring_for, else_=else_)

    def _forwarded(
        self, forwarding: Forwarding, bindings: Sequence[Binding], place: Place, request: Request, before: tuple[str, ...]
    ) -> Decision:
        """What becomes of a call to a user who has it forwarded (RFC 5359 §2.7 to §2.9). What would only come back is not forwarded."""
        if forwarding.always is not None:
            always = self._sent_on([forwarding.always], place, request, before) or Reject(482, "Call Forwarding Loop")
            return _diverted(always, place, "unconditional")
        if not bindings:
            onward = forwarding.unregistered and self._sent_on([forwarding.unregistered], place, request, before)
            return _diverted(onward, place, "unavailable") if onward else self._nobody(place, request)
        others = {"busy": forwarding.busy, "no_answer": forwarding.no_answer, "unregistered": forwarding.unregistered}
        else_: dict[int | str, Decision] = {}
        for condition, target in others.items():
            onward = target and self._sent_on([target], place, request, before)
            if onward:
                else_[condition] = onward
        return Forward(*bindings, ring_for=forwarding.ring_for, else_=else_ or None)


def _diverted(decision: Decision, place: Place, reason: str) -> Decision:
    """The decision, which knows that this user has arranged it (RFC 5806)."""
    if isinstance(decision, Forward | Gateway):
        decision.diverted = (*decision.diverted, (place.aor or str(place.uri), reason))
    return decision


def _is_secure(request: Request) -> bool:
    """Whether a request was asked to be carried by TLS alone (RFC 3261 §26.2.2)."""
    return request.uri_text[:5].lower() == "sips:"
