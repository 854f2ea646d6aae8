"""A registrar as one of its users sees it: REGISTER requests, one after the other (RFC 3261 §10.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from ringback.address import Endpoint, Flow, Target
from ringback.agent.errors import Unreachable, failure
from ringback.agent.exchange import Exchange, host_of, next_hop_of
from ringback.agent.identity import who
from ringback.agent.target_set import TargetSet, request_uri
from ringback.message.errors import SipParseError
from ringback.message.fields.name_addr import NameAddr
from ringback.message.message import Request, Response
from ringback.message.uri import SipUri, parse_uri

if TYPE_CHECKING:
    from ringback.agent.core import AgentCore

# A 423 is followed so often (§10.2.8): once for the registrar, once more for another one that stands in for it. A choice.
_MOST_TOO_BRIEF = 2

MakeContact = Callable[[Endpoint], str]
"""Writes the Contact of a REGISTER, given the endpoint it leaves from."""


class Registrar:
    """One registrar and what was said to it: one Call-ID, a rising CSeq, and never a REGISTER while another has no answer yet (§10.2)."""

    __slots__ = ("_call_id", "_core", "_number", "_previous", "_redirected", "_shortest", "_target", "flow", "route", "uri")

    def __init__(self, core: AgentCore, uri: str | None = None, route: tuple[str, ...] = ()) -> None:
        """`uri` without a user; unless it is given the registrar is at the domain of the address-of-record (§10.2.6). `route` is the way
        there, where that is not the agent's outbound proxy.

        Raises `SipParseError` or `ValueError` where it is no such URI.
        """
        self.uri = registrar_uri(core.identity.aor) if uri is None else uri
        parsed = parse_uri(self.uri)
        if not isinstance(parsed, SipUri) or parsed.user is not None:
            raise ValueError(f"not the URI of a registrar: {uri}")
        self.route = route
        self.flow: Flow | None = None
        """The flow over which the latest answer came."""
        self._core = core
        self._call_id = core.token()
        self._number = 0
        self._previous: asyncio.Future[None] | None = None
        self._shortest = 0
        """The shortest time a binding may last there, as far as a 423 has said."""
        self._redirected: str | None = None
        """Where a 3xx has led, once it has answered there (§10.2.4)."""
        self._target: Target | None = None
        """The network address that answered (§10.2.4)."""
        # Whoever names a registrar wants to be known there.
        core.accounts.trust(parsed.host)
        for host in hosts_of(route):
            core.accounts.trust(host)

    @property
    def is_asked(self) -> bool:
        """Whether a REGISTER is on its way whose answer is not known."""
        return self._previous is not None and not self._previous.done()

    def forget_target(self) -> None:
        """The address that answered is no better than any other now."""
        self._target = self.flow = None

    async def ask(self, contact: MakeContact | None = None, expires: int | None = None) -> Response:
        """Sends a REGISTER and gives its 2xx; a 423 and a redirection are followed.

        Without a contact it only asks for the bindings (§10.2.3). Raises `AuthenticationFailed`, `RequestRejected`, `RequestTimedOut` or
        `Unreachable`.
        """
        uri = self._redirected or self.uri
        targets = TargetSet(uri)
        too_brief = 0
        while True:
            if expires:
                expires = max(expires, self._shortest)
            exchange = await self._send(uri, contact, expires)
            response = exchange.response
            assert response is not None, "the exchange has ended"
            if response.is_success:
                self._redirected = uri if uri != self.uri else None
                self._target = exchange.targets[0]
                self.flow = exchange.flow
                return response
            if response.status == 423 and expires and too_brief < _MOST_TOO_BRIEF and (shortest := min_expires(response)) > expires:
                too_brief += 1
                self._shortest = shortest
                continue
            if 300 <= response.status < 400:
                targets.take(response)
            following = targets.next() if response.status < 600 else None
            if following is None:
                # Perhaps another address, or the place that redirected us, knows better next time.
                self._redirected = self._target = None
                raise failure(response.status, response.reason, None if exchange.fault else response, fault=exchange.fault)
            if self._core.accounts.trusts(exchange.origin):
                # The registrar has named whoever shall know us in its place.
                self._core.accounts.trust(following.host)
            uri = str(_domain_of(following))

    async def _send(self, uri: str, contact: MakeContact | None, expires: int | None) -> Exchange:
        """One REGISTER and its final response."""
        core = self._core
        request = await self._request(uri, contact, expires)
        while self._previous is not None and not self._previous.done():
            # §10.2: nothing new before the last one is answered or has timed out, even if nobody waits for that any more.
            await asyncio.wait([self._previous])
        self._number += 1
        request.headers.set("CSeq", f"{self._number} REGISTER")
        answered = self._previous = core.loop.create_future()

        def on_response(response: Response, _now: float) -> None:
            if response.is_final and not answered.done():
                # Each answer to a challenge took a number.
                self._number = request.cseq.number
                answered.set_result(None)

        exchange = core.begin(request, on_response, target=self._target if uri == (self._redirected or self.uri) else None)
        await asyncio.shield(answered)
        return exchange

    async def _request(self, uri: str, contact: MakeContact | None, expires: int | None) -> Request:
        core = self._core
        # A Service-Route is for what follows a registration, not for the registration itself (RFC 3608 §6.1).
        route_set = self.route or core.outbound
        request = core.request("REGISTER", uri, to=f"<{who(core.identity.aor)}>", call_id=self._call_id, route_set=route_set)
        headers = request.headers
        if contact is not None:
            try:
                endpoint = await core.endpoint_towards(next_hop_of(request))
            except SipParseError as error:
                raise Unreachable(503, f"{uri}: {error.reason}") from error
            if endpoint is None:
                raise Unreachable(503, f"no way leads to {next_hop_of(request)}")
            headers.append("Contact", contact(endpoint))
        if expires is not None:
            headers.append("Expires", expires)
        # RFC 3327 §5.1: edge proxies may put themselves into the way back to us.
        headers.append("Supported", ", ".join(dict.fromkeys(("path", *core.extensions))))
        return request

    # What else can be asked of it.

    async def bindings(self) -> list[NameAddr]:
        """Every binding of the address-of-record (§10.2.3); what is malformed among them is left out."""
        return contacts_of(await self.ask())

    async def remove_bindings(self) -> None:
        """Removes every binding of the address-of-record, other user agents' included (§10.2.2)."""
        await self.ask(lambda _: "*", 0)


def registrar_uri(aor: str) -> str:
    """The registrar of an address-of-record: its domain (§10.2.6), with the port and transport that it names."""
    uri = parse_uri(aor)
    if not isinstance(uri, SipUri):
        raise ValueError(f"not a SIP address-of-record: {aor}")
    return str(_domain_of(uri))


def _domain_of(uri: SipUri) -> SipUri:
    """A URI as the Request-URI of a REGISTER may be: without a user (§10.2)."""
    domain = request_uri(uri)
    domain.user_text = domain.password_text = None
    return domain


def contacts_of(response: Response) -> list[NameAddr]:
    """The bindings in a 2xx to REGISTER; what is malformed among them is left out."""
    contacts = []
    try:
        texts = response.headers.texts("Contact")
    except SipParseError:
        return []
    for text in texts:
        try:
            contacts.append(NameAddr.parse(text))
        except SipParseError:
            continue
    return contacts


def min_expires(response: Response) -> int:
    """Min-Expires of a 423 (§20.23); 0 where there is none that can be read."""
    try:
        value: int | None = response.headers.value("Min-Expires")
    except SipParseError:
        return 0
    return value or 0


def loose_route(uri_text: str) -> str:
    """The Route value of an outbound proxy, which is a loose router whether its URI says so or not (§8.1.1.1).

    Raises `SipParseError` or `ValueError` where it is no SIP URI.
    """
    uri = parse_uri(uri_text)
    if not isinstance(uri, SipUri):
        raise ValueError(f"not the SIP URI of a proxy: {uri_text}")
    return _loose(NameAddr(uri))


def service_route_of(response: Response) -> tuple[str, ...]:
    """Service-Route of a 2xx (RFC 3608 §6.1) as Route values, in order; empty where there is none that can be read.

    RFC 3608 §5 has only loose routers there; one whose `lr` was forgotten is taken at its word.
    """
    try:
        routes: list[NameAddr] = response.headers.values("Service-Route")
        return tuple(_loose(route) for route in routes)
    except SipParseError:
        return ()


def _loose(route: NameAddr) -> str:
    uri = route.uri
    if not isinstance(uri, SipUri):
        raise SipParseError("not a SIP URI", "Service-Route")
    if not uri.lr:
        uri.params["lr"] = None
        route.uri = uri
    return str(route)


def after_outbound(outbound: tuple[str, ...], service_route: tuple[str, ...]) -> tuple[str, ...]:
    """The routes of requests outside dialogs: through the outbound proxy to the service route (RFC 3608 §6.1).

    Where the service route begins at the outbound proxy itself, that is visited once.
    """
    if outbound and service_route:
        first, last = (NameAddr.parse(text).uri for text in (service_route[0], outbound[-1]))
        if isinstance(first, SipUri) and first.matches(last):
            return outbound[:-1] + service_route
    return outbound + service_route


def hosts_of(routes: tuple[str, ...]) -> list[str]:
    """The hosts that routes name."""
    return [host for text in routes if (host := host_of(NameAddr.parse(text).uri_text)) is not None]
