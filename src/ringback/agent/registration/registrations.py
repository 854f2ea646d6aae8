"""Every registration of one party, and the registrars it deals with (RFC 3261 §10.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringback.agent.registration.registrar import Registrar, after_outbound

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
        self._registrars: dict[str | None, Registrar] = {}

    def registrar(self, uri: str | None = None) -> Registrar:
        """The registrar with this URI; that of the address-of-record's domain unless one is given."""
        registrar = self._registrars.get(uri)
        if registrar is None:
            registrar = Registrar(self.core, uri)
            registrar = self._registrars.setdefault(registrar.uri, registrar)
            self._registrars[uri] = registrar
        return registrar

    def take_routes(self) -> None:
        """Makes the Service-Route that is known the way of every request outside dialogs (RFC 3608 §6.1)."""
        core = self.core
        route = next((one.service_route for one in self.standing if one.service_route), ())
        core.route_set = after_outbound(core.outbound, route)
