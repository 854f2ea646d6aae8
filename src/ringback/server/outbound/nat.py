"""Who is behind a NAT: told by what a phone says of itself and where that came from (RFC 3581 §4, RFC 5626 §5, RFC 7118 §5.2).

Such a phone names, in Contact, a place that leads nowhere. It is reached down the flow it spoke over, which is no third party's affair:
whatever is sent goes back to its source.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringback.address import DEFAULT_PORTS, Flow
from ringback.message.errors import SipParseError
from ringback.message.fields.name_addr import NameAddr, Star
from ringback.message.fields.via import Via
from ringback.message.message import Request
from ringback.message.uri import SipUri
from ringback.server.proxy.record_route import party
from ringback.transaction.reply import is_private
from ringback.transport.resolver import numeric_host

if TYPE_CHECKING:
    from ringback.server.domains import Domains
    from ringback.server.location.location import Location
    from ringback.server.outbound.flows import Flows

DIALLED = frozenset(("UDP", "TCP"))
"""Transports on which phones listen. Nobody opens a WebSocket to a browser, and phones have no certificate for a server of their own."""


# What follows a host or port in a Contact.
_ENDS = (">", ";")
_ENDS_OR_PORT = (*_ENDS, ":")


class Nat:
    """Looks at Contacts: which of them cannot be followed."""

    def __init__(self, domains: Domains, flows: Flows, location: Location, *, is_on: bool, is_open: bool) -> None:
        """`is_on` False takes every Contact at its word, but for those of transports that nobody can be called over; `is_open`: anybody may
        register anybody.
        """
        self._domains = domains
        self._flows = flows
        self._location = location
        self._is_on = is_on
        self._is_open = is_open
        self.is_trusting = False
        """Whether who begins a dialog may have a Contact at another place than his own."""

    def hides(self, contact: SipUri, via: Via, flow: Flow, *, is_trusted: bool) -> bool:
        """Whether who sent this Contact in a request with this Via over `flow` is reached only down that flow.

        `is_trusted`: a Contact at another place than its sender's is followed unless it looks like a mistake; else it never is.
        """
        endpoint = flow.endpoint
        if contact.scheme == "sips" and not endpoint.is_secure:
            # What shall be secure goes down no flow that is not.
            return False
        if endpoint.transport not in DIALLED:
            return True
        host = contact.maddr or contact.host
        port = contact.port or DEFAULT_PORTS["UDP"]
        if not self._is_on or (host, port) in self._domains.own:
            return False
        if _is_at(host, flow.host):
            # A stream's far port says nothing. Datagrams come from the port that hears them where the sender says so (RFC 3581 §4): who
            # then names another as his own does not know what became of it on the way.
            return not endpoint.is_reliable and port != flow.port and via.has_rport and _is_said(via, host, port)
        if not is_trusted:
            return True
        # Elsewhere is a gateway, or a mistake: what is nowhere, what Via says as well, what is another network's own affair.
        return host.endswith(".invalid") or _is_said(via, host, port) or (is_private(host) and not is_private(flow.host.partition("%")[0]))

    def hides_all(self, request: Request, flow: Flow, *, is_trusted: bool) -> bool:
        """Whether none of the contacts of a REGISTER can be followed, so that the flow is the way to all of them."""
        uris = [contact.uri for contact in request.contacts if not isinstance(contact, Star)]
        return bool(uris) and all(isinstance(uri, SipUri) and self.hides(uri, request.via, flow, is_trusted=is_trusted) for uri in uris)

    def party(self, request: Request, flow: Flow) -> str:
        """Who sends a request that begins a dialog, as `RecordRoute` takes it: an address, with the flow where Contact leads nowhere."""
        host = flow.remote[0]
        line = request.headers.line("contact")
        if line is None or (flow.endpoint.transport in DIALLED and _is_plain(line, flow)):
            return host
        try:
            if len(request.vias) > 1:
                # Another proxy is between us: where the party is, is for its Record-Route or the Contact to say.
                return host
            contact = request.contact
            uri = contact.uri if isinstance(contact, NameAddr) else None
            if not isinstance(uri, SipUri) or self._domains.is_ours(uri):
                return host
            if self.hides(uri, request.via, flow, is_trusted=self.is_trusting):
                return party(host, self._flows.name(flow))
        except SipParseError:
            # Its peer may refuse it; a proxy does not look at a Contact for its own sake (§16.3).
            return host
        return host

    def way_down(self, name: str, request: Request) -> Flow | None:
        """The flow of this name, which the party had that a request within a dialog is for, or the one it has now; None where neither is
        there.
        """
        flow = self._flows.named(name)
        if flow is None or not self._is_open:
            # Who has registered again since, over another connection or through another port of its NAT, is the same party still.
            aor = self._domains.place_of(request, "To").aor
            for binding in self._location.lookup(aor) if aor is not None else ():
                if binding.flow and binding.contact == request.uri_text:
                    return self._flows.named(binding.flow) or flow
        return flow


def is_nowhere(contact: SipUri) -> bool:
    """Whether a Contact leads nowhere for who is not in its sender's own network."""
    host = contact.maddr or contact.host
    return host.endswith(".invalid") or is_private(host)


def _is_plain(line: str, flow: Flow) -> bool:
    """Whether a raw Contact line names its sender's very address, as the usual one does; the far port of a stream says nothing."""
    host, port = flow.remote[:2]
    tail = line.partition(f"@[{host}]" if ":" in host else f"@{host}")[2]
    if flow.endpoint.is_reliable:
        return tail[:1] in _ENDS_OR_PORT
    if tail[:1] == ":":
        digits = f":{port}"
        return tail.startswith(digits) and tail[len(digits) : len(digits) + 1] in _ENDS
    return tail[:1] in _ENDS and port == DEFAULT_PORTS["UDP"]


def _is_said(via: Via, host: str, port: int) -> bool:
    """Whether the sender believes that it sends from there: then its Contact was meant for itself, and not for another."""
    return _is_at(via.host, host) and (via.port or DEFAULT_PORTS["UDP"]) == port


def _is_at(host: str, source: str) -> bool:
    """Whether two hosts are one numeric address. An interface's name is this machine's own affair."""
    numeric = numeric_host(host)
    return host == source or (numeric is not None and numeric == numeric_host(source.partition("%")[0]))
