"""The edge proxy: phones reach their registrar through it, and are reached through it down the flow they opened (RFC 5626 §5, RFC 3327)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ringback.address import host_port
from ringback.message.grammar import ascii_lower
from ringback.message.message import Request, Response
from ringback.message.uri import SipUri
from ringback.server.proxy.destination import Destination
from ringback.server.proxy.routing import Forward

if TYPE_CHECKING:
    from ringback.address import Endpoint, Flow
    from ringback.server.domains import Domains
    from ringback.server.outbound.flows import Flows
    from ringback.server.proxy.edge_phones import EdgePhones
    from ringback.server.proxy.record_route import RecordRoute

# Seconds from one line about forged tokens to the next: a flood of them is no flood of lines.
_REPORTED_EVERY = 60.0


class FlowGone(Exception):  # noqa: N818 - what became of a way, not an error of the program
    """A party was reached only down a flow, and that is no more (RFC 5626 §5.3.1: 430)."""


class Edge:
    """Sends on what phones say, marks their registrations with their flows, and knows these again."""

    def __init__(
        self,
        registrar: str,
        domains: Domains,
        flows: Flows,
        record_route: RecordRoute,
        phones: EdgePhones,
        hides: Callable[[Request, Flow], bool],
        report: Callable[[str], None],
    ) -> None:
        """`registrar` is the next hop of everything, with `lr`; `hides(request, flow)` says who is reached only down its flow."""
        self.phones = phones
        self._report = report
        self._next_report = 0.0
        self._hides = hides
        self._route = (f"<{registrar}>",)
        self._domains = domains
        self._flows = flows
        self._record_route = record_route

    def onward(self, request: Request, came: Flow) -> Forward:
        """Where a phone's request goes: through the registrar, whatever it is for."""
        ended = None
        name = self._flows.name(came)
        if request.method == "REGISTER" and len(request.vias) == 1 and (name in self.phones or self._hides(request, came)):

            def ended(response: Response, _: bool, now: float) -> None:
                self.phones.answered(request, came, name, response, now)

        return Forward(Destination(request.uri_text, route=self._route, ended=ended))

    def path(self, request: Request, came: Flow, goes: Endpoint) -> tuple[str, ...]:
        """Lines for a REGISTER that came over a flow and leaves by an endpoint (§5.1): Path with that URI, a first hop's with a token.

        Where the phone knows of Path the registrar has to (RFC 3327 §5.2).
        """
        # Departs from RFC 3327 §5.2: a phone that knows nothing of Path gets one, for it is reached through here or not at all (RFC 5626
        # §5.1); whether that is right is for its registrar to say.
        uri = self._record_route.uri(goes)
        required = ("Require: path",) if "path" in map(ascii_lower, request.supported) else ()
        if len(request.vias) > 1:
            return (f"Path: <{uri};lr>", *required)
        scheme, _, place = uri.partition(":")
        return (f"Path: <{scheme}:{self._flows.token(came)}@{place};lr;ob>", *required)

    def way_down(self, request: Request, came: Flow) -> Flow | None:
        """The flow that the topmost Route's token names; None where there is none, or where the phone itself shows it (§5.3.1, §5.3.2).

        Raises `ForgedToken`, `FlowGone`, or `SipParseError`.
        """
        if "route" not in request.headers.keys:
            return None
        uri = request.routes[0].uri
        if not isinstance(uri, SipUri) or uri.user is None or not self._domains.is_ours(uri):
            return None
        flow = self._flows.find(uri.user)
        if flow is None:
            raise FlowGone(uri.user)
        return None if flow == came else flow

    def report_forgery(self, flow: Flow, now: float) -> None:
        """Tells the operator of a token that is not ours, with whom it came from."""
        if now >= self._next_report:
            self._next_report = now + _REPORTED_EVERY
            place = host_port(flow.host, flow.port)
            self._report(f"a flow token in Route is not of this server's making: refused with 403; the latest came from {place}")
