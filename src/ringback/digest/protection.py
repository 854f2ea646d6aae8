"""The server's side: challenges, their answers verified, and what is said to who was accepted (RFC 3261 §22, RFC 7616, RFC 8760 §2.3)."""

import hmac
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from ringback.digest.algorithm import ALGORITHMS, Algorithm, octets, request_digest, session_key
from ringback.digest.nonce import Nonces
from ringback.digest.verdict import Outcome, Verdict
from ringback.message.errors import SipParseError
from ringback.message.fields.authentication_info import AuthenticationInfo
from ringback.message.fields.challenge import Challenge
from ringback.message.fields.credentials import Credentials
from ringback.message.grammar import ascii_lower, quote, unescape
from ringback.message.message import Request
from ringback.message.uri import SipUri, parse_uri

# Credentials for one realm that are looked at: a fork may have reached so many servers of it (§22.3). A choice.
_MOST_PER_REALM = 4
# Values of a field that are parsed. A choice: no chain of proxies is longer.
_MOST_VALUES = 16

MISSING: Final = Verdict(Outcome.MISSING, "no credentials")


def is_challengeable(method: str) -> bool:
    """Whether a request may be challenged: an ACK has no response and a CANCEL cannot be sent again (§22.1)."""
    return method not in ("ACK", "CANCEL")


def credentials_of(request: Request, field: str) -> list[Credentials]:
    """The values of Authorization or Proxy-Authorization; what does not parse proves nothing and is left out (§22.3)."""
    found = []
    for text in request.headers.texts(field)[:_MOST_VALUES]:
        try:
            found.append(Credentials.parse(text))
        except SipParseError:
            continue
    return found


def same_resource(uri: str, request_uri: str) -> bool:
    """Whether the `uri` of credentials is that of the request: equivalent (§19.1.4), or the same but for parameters on the way."""
    if uri == request_uri:
        return True
    try:
        one, two = parse_uri(uri), parse_uri(request_uri)
    except SipParseError:
        return False
    return one.matches(two) or (isinstance(one, SipUri) and isinstance(two, SipUri) and one.aor() == two.aor())


class Protection:
    """One realm's challenges and whoever answers them.

    `ha1_of(user, realm, algorithm)` gives H(A1) in lower-case hexadecimal digits for the base name of an algorithm ("SHA-256"); None for a
    user not known, and for one who may not use that algorithm: that is how a user's weakest algorithm is set. Either is computed and
    answered like a wrong password.
    """

    __slots__ = ("_algorithms", "_has_auth", "_ha1_of", "_nobody", "_nonces", "_qops", "_serves", "_templates", "_user_of", "realm")

    def __init__(
        self,
        realm: str,
        nonces: Nonces,
        ha1_of: Callable[[str, str, str], str | None],
        algorithms: Sequence[str] = ("SHA-256", "MD5"),
        qop: Sequence[str] = ("auth",),
        user_of: Callable[[str, str, str], str | None] | None = None,
        serves: Callable[[str], bool] | None = None,
    ) -> None:
        """Challenges name `algorithms` in this order, the preferred first, and `qop` ("auth", "auth-int") as on offer.

        `user_of(hash, realm, algorithm)` finds the user of a hashed name; with it the challenges ask for `userhash` (RFC 7616 §3.4.4).
        `serves(uri)` says of credentials whose `uri` is not that of the request whether they count all the same, because it was retargeted
        on its way here (RFC 8760 §2.6); without it they do not. ValueError for an algorithm or qop not known, or twice the same.
        """
        self._algorithms: dict[str, Algorithm] = {}
        for name in algorithms:
            algorithm = ALGORITHMS.get(name.lower())
            if algorithm is None or name.lower() in self._algorithms:
                raise ValueError(f"unknown digest algorithm, or given twice: {name!r}")
            self._algorithms[name.lower()] = algorithm
        if not realm or not algorithms or not qop or len(set(qop)) != len(qop) or not {"auth", "auth-int"}.issuperset(qop):
            raise ValueError("a protection has a realm, algorithms, and qop auth, auth-int or both")
        self.realm = realm
        self._nonces = nonces
        self._ha1_of = ha1_of
        self._user_of = user_of
        self._serves = serves
        self._qops = frozenset(qop)
        self._has_auth = "auth" in qop
        # Of the length of an HA1, so that an unknown user costs what a known one does.
        self._nobody = {one.name: "0" * one.digits for one in self._algorithms.values()}
        self._templates = [self._template(one, ",".join(qop)) for one in self._algorithms.values()]

    def _template(self, algorithm: Algorithm, qop: str) -> dict[str, str]:
        """A challenge's parameters, the nonce still empty."""
        params = {"realm": quote(self.realm), "nonce": "", "algorithm": algorithm.name, "qop": f'"{qop}"'}
        if algorithm.base != "MD5":
            # RFC 7616 §4. Whoever knows no other algorithm than MD5 is older than charset and userhash.
            params["charset"] = "UTF-8"
            if self._user_of is not None:
                params["userhash"] = "true"
        return params

    def challenges(self, now: float, is_stale: bool = False) -> list[Challenge]:
        """What a 401 or 407 asks for, the preferred algorithm first, all with one new nonce (RFC 8760 §2.3).

        `is_stale`: the verdict was STALE, so that the client may try again without asking its user.
        """
        nonce = f'"{self._nonces.make(self.realm, now)}"'
        challenges = []
        for template in self._templates:
            params = template.copy()
            params["nonce"] = nonce
            if is_stale:
                params["stale"] = "true"
            challenges.append(Challenge("Digest", params))
        return challenges

    def verify(self, credentials: Iterable[Credentials], method: str, uri: str, body: bytes, now: float) -> Verdict:
        """What the credentials of a request prove; `uri` is its Request-URI as written. Never raises for what they hold.

        Only credentials for this realm are looked at (§22.3). An ACK bears those of its INVITE and uses no count of the nonce (§22.1).
        """
        mine = [one for one in credentials if one.is_digest and one.realm == self.realm]
        if not mine:
            return MISSING
        if len(mine) > 1:
            if len(mine) > _MOST_PER_REALM:
                return Verdict(Outcome.REFUSED, "too many credentials", mine[0])
            # Others of our realm may have been asked for by other servers (§22.3); what answers us bears a nonce of ours.
            ours = [one for one in mine if self._nonces.identify(one.nonce or "", self.realm) is not None]
            if len(ours) > 1:
                return Verdict(Outcome.REFUSED, "two credentials for one realm", ours[0])
            mine = ours or mine
        if not mine[0].nonce and not mine[0].response:
            # RFC 8760 §2.7: who has not been challenged yet may say so with empty values.
            return MISSING
        try:
            return self._verify(mine[0], method, uri, body, now)
        except SipParseError as error:
            return Verdict(Outcome.REFUSED, error.reason, mine[0])

    def _verify(self, credentials: Credentials, method: str, uri: str, body: bytes, now: float) -> Verdict:
        """The same for the one that answers us; raises SipParseError where a parameter is missing or malformed."""
        algorithm = self._algorithms.get(ascii_lower(credentials.algorithm))
        if algorithm is None:
            return Verdict(Outcome.REFUSED, "an algorithm that was not on offer", credentials)
        qop, nc, count = credentials.qop, "", None
        nonce, written_uri, cnonce = credentials.nonce, credentials.uri, credentials.cnonce or ""
        given = credentials.response
        if nonce is None or written_uri is None or given is None:
            raise SipParseError("nonce, uri or response missing")
        if qop is None:
            # A client of RFC 2069 (§22.4); what depends on a cnonce it cannot compute.
            if not self._has_auth or algorithm.is_session:
                return Verdict(Outcome.REFUSED, "no qop", credentials)
        else:
            count = credentials.nonce_count
            if qop not in self._qops:
                return Verdict(Outcome.REFUSED, "a qop that was not on offer", credentials)
            if not count or not cnonce:
                raise SipParseError("nc or cnonce missing")
            nc = credentials.param("nc") or ""
        user = self._user(credentials, algorithm)
        found = None if user is None else self._ha1_of(user, self.realm, algorithm.base)
        # Looked up for everybody, or a known user would be answered some nanoseconds earlier.
        nobody = self._nobody[algorithm.name]
        key = nobody if found is None else found
        if algorithm.is_session:
            key = session_key(algorithm, key, nonce, cnonce)
        expected = request_digest(algorithm, key, nonce, nc, cnonce, qop, method, written_uri, body)
        shown = octets(ascii_lower(given))
        is_right = hmac.compare_digest(expected.encode(), shown)
        if method == "ACK" and not is_right:
            expected = request_digest(algorithm, key, nonce, nc, cnonce, qop, "INVITE", written_uri, body)
            is_right = hmac.compare_digest(expected.encode(), shown)
        if not is_right or found is None:
            return Verdict(Outcome.REFUSED, "wrong user, password or digest", credentials)
        # The Request-URI of an ACK is the peer's Contact, its credentials name that of the INVITE (§22.1, §13.2.2.4).
        is_same = method == "ACK" or same_resource(written_uri, uri)
        if not is_same and (self._serves is None or not self._serves(written_uri)):
            return Verdict(Outcome.REFUSED, "uri of another resource", credentials)
        number = self._nonces.identify(nonce, self.realm)
        if number is None or not self._nonces.is_fresh(number, now):
            return Verdict(Outcome.STALE, "nonce too old or not ours", credentials)
        if method != "ACK" and not self._nonces.spend(number, count, now):
            return Verdict(Outcome.STALE, "nonce count used before", credentials)
        return Verdict(Outcome.ACCEPTED, "", credentials, user, key)

    def _user(self, credentials: Credentials, algorithm: Algorithm) -> str | None:
        """The name of the user the credentials are for; None for a hash of nobody's; raises SipParseError where none is given."""
        name, extended = credentials.username, credentials.params.get("username*")
        if (name is None) is (extended is None):
            # RFC 7616 §3.4: both together are an error.
            raise SipParseError("one username expected")
        is_hashed = ascii_lower(credentials.param("userhash") or "") == "true"
        if extended is not None:
            charset, _, rest = extended.partition("'")
            _, mark, value = rest.partition("'")
            if ascii_lower(charset) != "utf-8" or not mark or is_hashed:
                raise SipParseError("malformed username*")
            return unescape(value)
        if is_hashed and name is not None:
            return None if self._user_of is None else self._user_of(ascii_lower(name), self.realm, algorithm.base)
        return name

    def authentication_info(self, verdict: Verdict, body: bytes, now: float) -> AuthenticationInfo | None:
        """What the 2xx to accepted credentials says: the server's own proof, and the next nonce where this one grows old (RFC 7616 §3.5).

        `body` is the response's. None for a client of RFC 2069, which does not know the field (§22.4).
        """
        credentials = verdict.credentials
        if credentials is None or credentials.qop is None or not verdict.is_accepted:
            return None
        algorithm = self._algorithms[ascii_lower(credentials.algorithm)]
        nonce, nc, cnonce, qop = credentials.nonce or "", credentials.param("nc") or "", credentials.cnonce or "", credentials.qop
        proof = request_digest(algorithm, verdict.key, nonce, nc, cnonce, qop, "", credentials.uri or "", body)
        params = {"rspauth": f'"{proof}"', "qop": qop, "cnonce": quote(cnonce), "nc": nc}
        number = self._nonces.identify(nonce, self.realm)
        # A "-sess" key is bound to the nonce it began with, and its server to remember that: it gets a new challenge instead.
        if number is not None and self._nonces.is_aging(number, now) and not algorithm.is_session:
            params["nextnonce"] = f'"{self._nonces.make(self.realm, now)}"'
        return AuthenticationInfo(params)

    def __repr__(self) -> str:
        return f"<Protection {self.realm!r} {', '.join(one.name for one in self._algorithms.values())}>"
