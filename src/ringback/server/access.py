"""Who must prove who he is before the server acts on a request (RFC 3261 §22, §10.3 steps 3 and 4, §16.3 item 6).

REGISTER: the user of To. A request that begins something: the user of From, who is at a domain served here. A request within a dialog:
nobody who is at the address of a party or registered from there, else the user of From. Nobody challenges ACK or CANCEL.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address

from ringback.address import Flow
from ringback.digest import Nonces, Outcome, Protection, Verdict, credentials_of
from ringback.message.errors import SipParseError
from ringback.message.fields.authentication_info import AuthenticationInfo
from ringback.message.fields.credentials import Credentials
from ringback.message.fields.name_addr import NameAddr
from ringback.message.message import Request
from ringback.message.uri import SipUri
from ringback.server.admitted import Admitted
from ringback.server.config import AccessConfig
from ringback.server.domains import Domains, Place
from ringback.server.gruus import Gruus
from ringback.server.location.location import Location
from ringback.server.operation.security import SecurityLog
from ringback.server.proxy.routing import Reject
from ringback.server.users import Users
from ringback.transport.tls import Identities

_FOREIGN = "Caller Is of No Domain Served Here"
# What only servers say of a caller; the second is what came before the first, and phones show either.
_ASSERTIONS = frozenset(("p-asserted-identity", "remote-party-id"))


def _trusts(networks: list[IPv4Network | IPv6Network]) -> Callable[[str], bool]:
    """Whether a numeric source address is in one of the networks."""

    @lru_cache(maxsize=4096)
    def is_trusted(host: str) -> bool:
        address = ip_address(host.partition("%")[0])
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in networks)

    return is_trusted if networks else lambda _: False


def _is_of(text: str, realm: str) -> bool:
    """Whether credentials, as written, are for a realm."""
    try:
        return Credentials.parse(text).realm == realm
    except SipParseError:
        return False


class Access:
    """What every request is measured by where `auth = "digest"`: gives the refusal it gets, or None. Its realms are the domains."""

    def __init__(
        self,
        users: Users,
        domains: Domains,
        location: Location,
        gruus: Gruus,
        config: AccessConfig,
        *,
        prove: Callable[[str, float], None],
        is_spiral: Callable[[Request, Flow], bool],
        peer: Callable[[Flow], Identities],
        security: SecurityLog,
        is_stateless: Callable[[], bool] = lambda: False,
    ) -> None:
        """`prove(host, now)` is told which address has answered a challenge; `is_spiral` says that a request comes back from ourselves;
        `peer` whom the other end of a connection has proven to be; `security` notes whoever proves nothing; `is_stateless` says that no
        transaction may be there to absorb retransmissions.
        """
        self._users = users
        self._domains = domains
        self._location = location
        self._gruus = gruus
        self._prove = prove
        self._is_spiral = is_spiral
        self._peer = peer
        self._security = security
        self._is_stateless = is_stateless
        self._admitted = Admitted()
        # Both are new in each run: no nonce outlives it, so no count of one is ever taken twice.
        self._nonces = Nonces(secrets.token_bytes(32), secrets.token_bytes(16), config.nonce_seconds)
        self.configure(config)

    def configure(self, config: AccessConfig) -> None:
        """Says who has to prove what from now on; nonces given out before stay good."""
        self._config = config
        self._peers = frozenset(config.peers)
        self._is_trusted = _trusts(config.networks)
        self._nonces.lifetime = config.nonce_seconds
        self._protections: dict[str, Protection] = {}

    def register(self, request: Request, flow: Flow, place: Place, now: float) -> Reject | AuthenticationInfo | None:
        """Whether a REGISTER may go on (§10.3 steps 3 and 4); if so, what its 200 says back. No source is trusted: who registers a
        user gets that user's calls.
        """
        owner = self._domains.place_of(request, "To")
        protection = self._protection(owner.domain or place.domain or "")
        verdict = self._verdict(protection, request, flow, "Authorization", now)
        if not verdict.is_accepted:
            return self._challenge(protection, verdict, flow, 401, "WWW-Authenticate", now)
        self._prove(flow.host, now)
        sender = self._domains.place_of(request, "From")
        for party in (owner, sender):
            if (party.user, party.domain) != (verdict.user, protection.realm):
                return Reject(403, "Third-Party Registration Forbidden")
        return protection.authentication_info(verdict, b"", now)

    def refusal(self, request: Request, flow: Flow, place: Place, now: float) -> Reject | None:
        """For a request of no proven dialog; `place` is what its Request-URI means. Credentials that were accepted are taken out of it."""
        if self._is_trusted(flow.host) or self._is_spiral(request, flow):
            return None
        caller = self._caller(request)
        if caller.domain is None:
            if place.domain is not None and "route" not in request.headers.keys:
                if self._config.accept_strangers or self._is_of_peer(caller, flow):
                    self.consume(request, flow.host)
                    return None
                if self._config.guests:
                    return self._refusal_of_guest(place.domain, request, flow, now)
            return Reject(403, _FOREIGN)
        return self._refusal_of(caller, request, flow, now) or self._refusal_of_contact(caller, request)

    def _refusal_of_contact(self, caller: Place, request: Request) -> Reject | None:
        """RFC 5627 §6.2: whoever gives another user's GRUU for his own would have that user get what is said in his dialog."""
        line = request.headers.line("contact")
        if line is None or ";gr" not in line or not isinstance(contact := request.contact, NameAddr):
            return None
        owner = self._gruus.aor_of(self._domains.place(contact.uri_text))
        return None if owner in (None, caller.aor) else Reject(403, "Contact Is a GRUU of Another User")

    def _is_of_peer(self, caller: Place, flow: Flow) -> bool:
        """Whether a caller is of a domain that may call here, and the connection is that domain's own (RFC 3261 §26.3.2.2)."""
        uri = caller.uri
        return isinstance(uri, SipUri) and uri.host in self._peers and self._peer(flow).covers(uri.host)

    def _caller(self, request: Request) -> Place:
        """Who sends a request: the user of From, or where that shall not be known the one who says so to us alone (RFC 3325 §9.2)."""
        caller = self._domains.place_of(request, "From")
        if _is_anonymous(caller) and "p-preferred-identity" in request.headers.keys:
            return self._domains.place_of(request, "P-Preferred-Identity")
        return caller

    def _refusal_of_guest(self, realm: str, request: Request, flow: Flow, now: float) -> Reject | None:
        """None where the sender proves to have an account in the callee's domain; From is another domain's affair."""
        protection = self._protection(realm)
        verdict = self._verdict(protection, request, flow, "Proxy-Authorization", now)
        if not verdict.is_accepted:
            return self._challenge(protection, verdict, flow, 407, "Proxy-Authenticate", now)
        self._prove(flow.host, now)
        self.consume(request, flow.host)
        return None

    def refusal_within_dialog(self, request: Request, flow: Flow, now: float) -> Reject | None:
        """For a request whose dialog is proven, but which comes from another address than its party had when the dialog began."""
        if self._is_trusted(flow.host):
            return None
        party = self._caller(request)
        if self._is_registered_from(party, flow.host):
            return None
        if party.domain is None:
            return Reject(403, _FOREIGN)
        return self._refusal_of(party, request, flow, now)

    def takes_ack(self, request: Request, flow: Flow, now: float) -> bool:
        """The same for an ACK, which may bear the credentials of its INVITE (§22.1)."""
        party = self._caller(request)
        if self._is_trusted(flow.host) or self._is_registered_from(party, flow.host):
            return True
        if party.domain is None:
            return False
        verdict = self._verdict(self._protection(party.domain), request, flow, "Proxy-Authorization", now)
        return verdict.is_accepted and verdict.user == party.user

    def consume(self, request: Request, host: str) -> None:
        """Takes out of a request from a host what is for us alone, and who its sender claims to be beside From, unless he is trusted.

        Credentials for the caller's realm, a guest's for any of ours, nobody after us needs (§22.3).
        """
        headers = request.headers
        if "proxy-authorization" in headers.keys:
            # First of all: who the caller is, the last of these fields may say.
            self._take_credentials(request)
        if not (_ASSERTIONS.isdisjoint(headers.keys) or self._is_trusted(host)):
            # RFC 3325 §5: From has been proven, and this has not.
            for name in _ASSERTIONS:
                headers.remove(name)
        if "p-preferred-identity" in headers.keys:
            # RFC 3325 §5: it was for us; whoever comes after us would learn who wants to stay unknown.
            headers.remove("P-Preferred-Identity")

    def _take_credentials(self, request: Request) -> None:
        headers = request.headers
        realm = self._caller(request).domain
        realms = [realm] if realm is not None else self._domains.names if self._config.guests else ()
        texts = headers.texts("Proxy-Authorization")
        kept = [text for text in texts if not any(_is_of(text, one) for one in realms)]
        if len(kept) < len(texts):
            headers.remove("Proxy-Authorization")
            for text in kept:
                headers.append("Proxy-Authorization", text)

    def _is_registered_from(self, party: Place, host: str) -> bool:
        return party.aor is not None and any(binding.source == host for binding in self._location.registered(party.aor))

    def _refusal_of(self, caller: Place, request: Request, flow: Flow, now: float) -> Reject | None:
        """None where the request proves to be the caller's own."""
        assert caller.domain is not None
        protection = self._protection(caller.domain)
        verdict = self._verdict(protection, request, flow, "Proxy-Authorization", now)
        if not verdict.is_accepted:
            # §22.1: a proxy asks by 407 alone.
            return self._challenge(protection, verdict, flow, 407, "Proxy-Authenticate", now)
        self._prove(flow.host, now)
        if verdict.user != caller.user:
            return Reject(403, "From Is Another User")
        self.consume(request, flow.host)
        return None

    def _protection(self, realm: str) -> Protection:
        found = self._protections.get(realm)
        if found is None:
            found = Protection(realm, self._nonces, self._users.ha1, self._config.algorithms, serves=self._is_here)
            # Where every domain is served a stranger could name as many as he likes.
            if realm in self._domains.names:
                self._protections[realm] = found
        return found

    def _is_here(self, uri: str) -> bool:
        """Whether credentials name this server itself instead of the Request-URI (§22.4 item 6): some clients always do, sipp for one."""
        try:
            return self._domains.place(uri).is_here
        except SipParseError:
            return False

    def _verdict(self, protection: Protection, request: Request, flow: Flow, field: str, now: float) -> Verdict:
        if self._is_stateless() and (known := self._admitted.verdict(request, flow, now)) is not None:
            return known
        verdict = protection.verify(credentials_of(request, field), request.method, request.uri_text, request.body, now)
        if verdict.is_accepted and self._is_stateless():
            self._admitted.keep(request, flow, verdict, now)
        if verdict.outcome is Outcome.REFUSED:
            name = "" if verdict.credentials is None else verdict.credentials.username or ""
            event = "InvalidPassword" if (name, protection.realm) in self._users else "InvalidAccountID"
            self._security.note(event, request, flow, account=name, reason=verdict.reason)
        return verdict

    @staticmethod
    def _challenge(protection: Protection, verdict: Verdict, flow: Flow, status: int, field: str, now: float) -> Reject:
        challenges = protection.challenges(now, verdict.is_stale)
        if flow.endpoint.is_websocket:
            # JsSIP and what came of it know MD5 alone, and keep the last challenge where others keep the first.
            challenges = sorted(challenges, key=lambda one: one.algorithm == "MD5")
        return Reject(status, headers=[(field, str(one)) for one in challenges])


def _is_anonymous(caller: Place) -> bool:
    """RFC 3323 §4.1: the host of a From that names nobody."""
    return isinstance(caller.uri, SipUri) and caller.uri.host == "anonymous.invalid"
