"""Every registration of one party, and the registrars it deals with (RFC 3261 §10.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringback.address import Flow
from ringback.agent.registration.binding import NONE
from ringback.agent.registration.registrar import Registrar, after_outbound, loose_route

if TYPE_CHECKING:
    from ringback.agent.capabilities import Capabilities
    from ringback.agent.core import AgentCore
    from ringback.agent.registration.registration import Registration


class Registrations:
    """Keeps one `Registrar` for each URI, so that Call-ID and CSeq go on as long as the party lives (§10.2.4)."""

    __slots__ = ("_registrars", "capabilities", "core", "standing")

    def __init__(self, core: AgentCore, capabilities: Capabilities) -> None:
        self.core = core
        self.capabilities = capabilities
        self.standing: list[Registration] = []
        """The registrations that are refreshed."""
        self._registrars: dict[tuple[str | None, str | None], Registrar] = {}

    def registrar(self, uri: str | None = None, proxy: str | None = None) -> Registrar:
        """The registrar with this URI, that of the address-of-record's domain unless one is given; through a proxy, where one is named."""
        registrar = self._registrars.get((uri, proxy))
        if registrar is None:
            registrar = Registrar(self.core, uri, () if proxy is None else (loose_route(proxy),))
            registrar = self._registrars.setdefault((registrar.uri, proxy), registrar)
            self._registrars[uri, proxy] = registrar
        return registrar

    def take_ways(self) -> None:
        """Makes what registrars say the way of every request outside dialogs (RFC 3608 §6.1), and our Contact in all of them (RFC 5627)."""
        core = self.core
        outbound = core.outbound or next((one.route for one in self.standing if one.route), ())
        service_route = next((one.service_route for one in self.standing if one.service_route), ())
        core.route_set = after_outbound(outbound, service_route)
        gruus = next((one.gruus for one in self.standing if one.gruus != NONE), NONE)
        core.identity.gruu, core.identity.temporary_gruu = gruus.public or gruus.temporary, gruus.temporary

    def flow_closed(self, flow: Flow) -> None:
        """Hears that a connection is gone."""
        for registration in self.standing:
            registration.flow_closed(flow)
