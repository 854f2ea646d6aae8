"""Requests within a dialog whose remote target is a GRUU of ours: on to the phone, wherever it is registered now (RFC 5627 §6.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringback.address import Flow
from ringback.message.message import Request

if TYPE_CHECKING:
    from ringback.server.domains import Domains, Place
    from ringback.server.gruus import Gruus
    from ringback.server.location.location import Location
    from ringback.server.outbound.flows import Flows


class NotRegistered(Exception):  # noqa: N818 - what became of a phone, not an error of the program
    """Nobody is reached at a GRUU now."""


class MidDialog:
    """Finds the one binding that such a request goes to: the latest whose flow is not gone."""

    def __init__(self, domains: Domains, location: Location, flows: Flows, gruus: Gruus) -> None:
        self._domains = domains
        self._location = location
        self._flows = flows
        self._gruus = gruus

    def follow(self, request: Request, place: Place) -> tuple[Place, Flow | None]:
        """Puts the Contact in the place of the GRUU `place`; gives what it means, and the flow the request goes down where it has one.

        Raises `NotRegistered`. The Path is put into Route only where nothing is left there: else the dialog has a way of its own.
        """
        bindings = self._gruus.bound(place, self._location.lookup) or ()
        has_route = "route" in request.headers.keys
        for binding in sorted(bindings, key=lambda binding: binding.refreshed_at, reverse=True):
            down = self._flows.named(binding.flow) if binding.flow else None
            if binding.flow and down is None:
                continue
            request.uri = binding.contact
            if not has_route:
                for value in reversed(binding.route):
                    request.headers.prepend("Route", value)
            return self._domains.place(binding.contact), None if has_route else down
        raise NotRegistered(place.uri)
