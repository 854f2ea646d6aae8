"""The registrar (RFC 3261 §10.3): takes REGISTER requests, keeps bindings in the location service, answers once they are stored."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial

from ringback.address import Flow
from ringback.message.derive import response_to
from ringback.message.errors import SipParseError
from ringback.message.fields.authentication_info import AuthenticationInfo
from ringback.message.fields.date import Date
from ringback.message.fields.name_addr import NameAddr
from ringback.message.message import Request, Response
from ringback.message.uri import SipUri, Uri
from ringback.server.config import RegistrarConfig
from ringback.server.domains import Domains
from ringback.server.gruus import Gruus
from ringback.server.location.binding import Binding
from ringback.server.location.location import Location
from ringback.server.outbound.flows import Flows
from ringback.server.outbound.nat import DIALLED, Nat
from ringback.server.proxy.routing import Reject
from ringback.server.registrar.bindings import Registration
from ringback.server.registrar.extensions import has_option, not_understood
from ringback.server.registrar.keep import grant_keep
from ringback.server.registrar.path import path_of
from ringback.server.registrar.plain_contact import plain_contact
from ringback.server.registrar.reach import AT_ITS_URI, Reach, is_direct, is_outbound
from ringback.server.registrar.refused import Refused
from ringback.server.registrar.source import check_loop, check_source
from ringback.server.store import StoreUnavailable
from ringback.transaction.events import RequestReceived
from ringback.transaction.reply import is_multicast
from ringback.transaction.transaction import ServerTransaction

# From so many seconds on, spread over as many more, so that those refused together do not come back together (§21.5.4).
_RETRY_AFTER = 3


class Registrar:
    """A UAS for REGISTER alone. It never challenges: who may register is for its caller to have found out (§10.3 steps 3 and 4).

    A Contact that is not at the address its REGISTER came from is reached down the flow that came over (`nat`), so that nobody registers a
    third party; `foreign_contacts` lifts that.
    """

    def __init__(
        self,
        location: Location,
        domains: Domains,
        config: RegistrarConfig,
        *,
        respond: Callable[[ServerTransaction, Response, float], None],
        refuse: Callable[[ServerTransaction, Request, Reject], None],
        token: Callable[[], str],
        flows: Flows,
        nat: Nat,
        gruus: Gruus,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`respond` sends a 200 through its transaction, `refuse` answers once and forgets; `token` makes tags; `wall` gives seconds since
        1970. The first two may be called after `receive` has returned, when the location service calls back.
        """
        self._location = location
        self._domains = domains
        self.configure(config)
        self._respond = respond
        self._refuse = refuse
        self._token = token
        self._flows = flows
        self._nat = nat
        self._gruus = gruus
        self._wall = wall
        self._second = -1
        self._date = ""

    def configure(self, config: RegistrarConfig) -> None:
        """Says by what rules bindings are kept from now on."""
        self._config = config
        self._service_route = ", ".join(f"<{uri}>" for uri in config.service_route)

    def receive(self, event: RequestReceived, now: float, info: AuthenticationInfo | None = None) -> None:
        """Processes one REGISTER whose Request-URI names a domain of ours (step 1); `info` goes into its 200 (RFC 7616 §3.5)."""
        transaction = event.transaction
        if transaction is None:
            return
        request = event.request
        reach = AT_ITS_URI
        try:
            self._inspect(request)
            aor = self._aor(request)
            location = self._location
            bindings = location.staged(aor)
            headers = request.headers
            if (line := headers.line("contact")) is not None:
                source = event.flow.host
                live = [binding for binding in bindings if binding.expires_at > now]
                plain = None
                if headers.keys.count("contact") == 1 and "path" not in headers.keys and event.flow.endpoint.transport in DIALLED:
                    plain = plain_contact(line, source, self._domains.own)
                    if (
                        plain is not None
                        and plain.port != event.flow.port
                        and not event.flow.endpoint.is_reliable
                        and request.via.has_rport
                    ):
                        # It may think that it sends from there.
                        plain = None
                if plain is None:
                    reach = self._reach(request, event.flow)
                registration = Registration(request, aor, source, now, self._config, location.new_row, self._check, reach)
                bindings = tuple(registration.applied(request.contacts if plain is None else (plain,), live))
        except Refused as refused:
            self._refuse(transaction, request, refused.reject)
        except SipParseError as error:
            # What knows no field is a URI or parameter of the Contact, taken apart only here.
            self._refuse(transaction, request, Reject(400, f"Malformed {error.field or 'Contact'}: {error.reason}"))
        else:
            location.update(aor, bindings, partial(self._answer, transaction, request, aor, info, reach))

    def _inspect(self, request: Request) -> None:
        """§8.2.1 to §8.2.3: the method, extensions required, a body."""
        if request.method != "REGISTER":
            raise Refused(405, headers=[("Allow", "REGISTER")])
        headers = request.headers
        if "require" in headers.keys:
            unknown = not_understood(request)
            if unknown:
                raise Refused(420, headers=[("Unsupported", ", ".join(unknown))])
        if request.body:
            disposition = headers.value("content-disposition")
            if disposition is None or (disposition.params.get("handling") or "").lower() != "optional":
                # The empty list says that no type of body is understood (§20.1); the others answer its other fields (§8.2.3).
                raise Refused(415, headers=[("Accept", ""), ("Accept-Encoding", "identity"), ("Accept-Language", "en")])

    def _aor(self, request: Request) -> str:
        """Step 5: the address-of-record, canonical; 404 where it is of no domain of ours.

        All domains of one server are one administrative domain: RFC 3665 §2.1 registers bob@biloxi at ss2.biloxi.
        """
        aor = self._domains.place_of(request, "To").aor
        if aor is None:
            raise Refused(404)
        return aor

    def _reach(self, request: Request, flow: Flow) -> Reach:
        """How the contacts of a REGISTER are reached; raises `Refused` or `SipParseError`."""
        config = self._config
        path: list[NameAddr] = []
        if "path" in request.headers.keys:
            is_supported = config.path_unasked or has_option(request, "path")
            path = path_of(request, None if config.foreign_contacts else flow.host, self._domains, is_supported=is_supported)
        # What all servers hear comes over nobody's flow.
        has_flow = not is_multicast(flow.endpoint.host)
        has_reg_id = has_flow and is_outbound(request, request.contacts, path)
        is_alone = has_flow and is_direct(request)
        is_alone = is_alone and (has_reg_id or self._nat.hides_all(request, flow, is_trusted=config.foreign_contacts))
        if not path and not has_reg_id and not is_alone:
            return AT_ITS_URI
        return Reach(", ".join(map(str, path)), self._flows.name(flow) if is_alone else "", has_reg_id)

    def _check(self, registration: Registration, uri: Uri, instance: str) -> None:
        """Whether a Contact may be bound."""
        reach = registration.reach
        # Nothing is sent to the URI of a contact that is reached by its Path or down its flow.
        if not self._config.foreign_contacts and not reach.path and not reach.flow:
            check_source(uri, registration.source, self._domains)
        if isinstance(uri, SipUri):
            check_loop(uri, registration.aor, self._domains, self._gruus)
        elif instance or reach.flow or reach.path:
            raise Refused(403, "Contact Is No SIP URI")

    def _answer(
        self,
        transaction: ServerTransaction,
        request: Request,
        aor: str,
        info: AuthenticationInfo | None,
        reach: Reach,
        error: Exception | None,
    ) -> None:
        """Step 8, once the location service has committed; step 7's last word where it could not."""
        if error is not None:
            if isinstance(error, StoreUnavailable):
                # Departs from RFC 3261 §10.3: 503 in place of 500, which says the same and when to try again (§21.5.4).
                after = str(_RETRY_AFTER + secrets.randbelow(_RETRY_AFTER))
                self._refuse(transaction, request, Reject(503, "Bindings Cannot Be Stored Now", [("Retry-After", after)]))
            else:
                self._refuse(transaction, request, Reject(500, "Bindings Cannot Be Stored"))
            return
        now = self._location.clock()
        response = response_to(request, 200, tag=self._token())
        headers = response.headers
        bindings = self._location.registered(aor)
        contacts = [
            # Rounded up but for the clock's own noise: a binding just made shows the whole interval granted.
            f"<{binding.contact}>{binding.params};expires={int(binding.expires_at - now + 0.999)}"
            for binding in bindings
        ]
        if [binding for binding in bindings if binding.instance] and has_option(request, "gruu"):
            self._add_gruus(request, bindings, contacts)
        if contacts:
            headers.append("Contact", ", ".join(contacts))
        if reach.path:
            headers.append("Path", reach.path)
        if reach.is_outbound and has_option(request, "outbound"):
            headers.append("Require", "outbound")
        if self._service_route:
            headers.append("Service-Route", self._service_route)
        grant_keep(response, is_stream=transaction.flow.endpoint.is_reliable)
        headers.append("Date", self._now())
        if info is not None:
            headers.append("Authentication-Info", info)
        self._respond(transaction, response, now)

    def _add_gruus(self, request: Request, bindings: Sequence[Binding], contacts: list[str]) -> None:
        """RFC 5627 §5.2: each Contact of a user agent that says which it is gets its GRUUs."""
        uri = request.to.uri
        temporary: dict[str, str] = {}
        for index, binding in enumerate(bindings):
            if binding.instance and isinstance(uri, SipUri):
                contacts[index] += self._gruus.params(uri, binding, temporary)

    def _now(self) -> str:
        """The Date (§20.17), written once a second."""
        second = int(self._wall())
        if second != self._second:
            self._second = second
            self._date = str(Date(datetime.fromtimestamp(second, UTC)))
        return self._date
