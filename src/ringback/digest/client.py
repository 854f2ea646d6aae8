"""The client's side: which challenge is answered, with whose password, how often (RFC 3261 §22.1–§22.4, RFC 8760 §2.4, RFC 7616 §3.6)."""

import hmac
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator

from ringback.digest.account import Account, home_of
from ringback.digest.algorithm import octets
from ringback.digest.session import Session, algorithm_of
from ringback.message.errors import SipParseError
from ringback.message.fields.authentication_info import AuthenticationInfo
from ringback.message.fields.challenge import Challenge
from ringback.message.fields.credentials import Credentials
from ringback.message.fields.name_addr import NameAddr
from ringback.message.grammar import ascii_lower
from ringback.message.headers import value_of
from ringback.message.message import Request, Response
from ringback.message.uri import AnyUri, SipUri, TelUri

_WWW, _PROXY = "www-authenticate", "proxy-authenticate"
_ANSWERS = {_WWW: "Authorization", _PROXY: "Proxy-Authorization"}
_INFOS = {_WWW: "Authentication-Info", _PROXY: "Proxy-Authentication-Info"}

# Challenges that are read of one response. A choice: a fork to eight proxies with two algorithms each.
_MOST_CHALLENGES = 16
# Answers to one realm in one request: so many servers of one realm may a fork reach (§22.3). A choice.
_MOST_PER_REALM = 4
# Destinations whose sessions are remembered, and last tries: the oldest goes. A choice.
_MOST_REMEMBERED = 256

# §22.1: an ACK has its INVITE's credentials, a CANCEL is never challenged.
_NEVER_CHALLENGED = frozenset(("ACK", "CANCEL"))

Place = tuple[str, str]
"""Where sessions count: the challenge's field, and whom the request is for (on which only a 401's depend)."""


def origin_of(request: Request) -> str | None:
    """The host a request goes to first: of its topmost Route, else of its Request-URI (§8.1.2); None where that names no host."""
    if "route" not in request.headers:
        return _host_of(request)
    uri = _uri_of(request, "route")
    return uri.host if isinstance(uri, SipUri) else None


def realms_of(response: Response) -> list[str]:
    """The realms that a 401 or 407 asks for, to be shown to the user (§22.1), each once."""
    realms = dict.fromkeys(one.realm for field in _ANSWERS for one in _challenges(response, field))
    return [realm for realm in realms if realm is not None]


class Accounts:
    """The accounts of one agent, the challenges it has met, and the count of every nonce.

    Credentials go to the homes only: to requests whose first hop is one of them. An account that names its realm, where neither it nor
    `homes` names a home, answers that realm wherever it is shown. An account without a realm takes the first realm that a home shows
    outside dialogs; no callee can have it. A realm gets at most one answer per request and one more where its nonce was stale.
    """

    def __init__(self, accounts: Iterable[Account], token: Callable[[], str], homes: Iterable[str] = ()) -> None:
        """`token` makes unpredictable text, `homes` are the hosts of registrar and outbound proxies for accounts that name none.

        ValueError where an account has neither realm nor home: nobody could tell who may have its credentials.
        """
        self.accounts = list(accounts)
        self.homes = {home_of(host) for host in homes}
        self._token = token
        self._sessions: OrderedDict[Place, dict[str, list[Session]]] = OrderedDict()
        # Answers to a stale challenge, by nonce and count: the next challenge to one of these is not answered.
        self._last_tries: OrderedDict[tuple[str, str], None] = OrderedDict()
        for account in self.accounts:
            if account.realm is None and not account.homes and not self.homes:
                raise ValueError(f"{account!r} needs a realm or the host of its server")

    def trust(self, host: str) -> None:
        """Names one more home: an address of the registrar or outbound proxy, as its Record-Route or Service-Route shows it."""
        self.homes.add(home_of(host))

    def trusts(self, origin: str | None) -> bool:
        """Whether a host is a home of any account."""
        return origin is not None and any(home_of(origin) in homes for homes in (self.homes, *(one.homes for one in self.accounts)))

    def prepare(self, request: Request, origin: str | None = None) -> None:
        """Puts into a new request the credentials for what this server asked before (§22.2, §22.3), each nonce counted one higher.

        `origin` is the host the request is sent to, where that is not what `origin_of` says.
        """
        if request.method in _NEVER_CHALLENGED:
            return
        origin = origin or origin_of(request)
        for field in _ANSWERS:
            for realm, sessions in self._sessions.get((field, _recipient(field, request)), {}).items():
                if self._may_have(sessions[0].account, origin):
                    _sign(request, field, realm, sessions)

    def answer(self, request: Request, response: Response, origin: str | None = None) -> bool:
        """Puts the answers to a 401 or 407 into the request, which the caller sends again with a new CSeq number and branch (§22.2).

        False where there is nothing more to be tried: no account, a home of somebody else, or credentials that were just refused. `origin`
        as in `prepare`.
        """
        if response.status not in (401, 407) or request.method in _NEVER_CHALLENGED:
            return False
        origin = origin or origin_of(request)
        done: set[tuple[str, str]] = set()
        has_answered = False
        for field in _ANSWERS:
            by_realm: dict[str, list[Challenge]] = {}
            for challenge in _challenges(response, field):
                by_realm.setdefault(challenge.realm or "", []).append(challenge)
            for realm, challenges in by_realm.items():
                done.add((field, realm))
                if self._answer(request, field, realm, challenges, origin):
                    has_answered = True
        if has_answered:
            self._renew_others(request, done)
        return has_answered

    def accepted(self, request: Request, response: Response) -> bool:
        """Takes what a server says after it has accepted credentials: its proof that it knows the password, and its next nonce.

        False where the proof is wrong: then this is not the server that has our password, and its next nonce is not taken (RFC 7616 §3.5).
        """
        proven = [self._informed(field, request, response) for field in _INFOS]
        return all(proven)

    def _answer(self, request: Request, field: str, realm: str, challenges: list[Challenge], origin: str | None) -> bool:
        """Answers the challenges of one realm."""
        account = self._account(request, field, realm, origin)
        if account is None:
            return False
        usable = [(one, algorithm) for one in challenges if (algorithm := algorithm_of(one)) is not None and account.can_use(algorithm)]
        if not usable:
            return False
        sent = _sent(request, field, realm)
        here = self._here((field, _recipient(field, request)))
        known = here.pop(realm, [])
        if sent and not self._may_try_again(sent, [challenge for challenge, _ in usable]):
            _put(request, field, realm, [])
            return False
        if account.realm is None:
            account.bind(realm)
        sessions: list[Session] = []
        for challenge, algorithm in usable:
            # RFC 8760 §2.4: the topmost algorithm; others of the same algorithm come from other servers of the realm (§22.3).
            if algorithm is not usable[0][1] or len(sessions) == _MOST_PER_REALM:
                continue
            new = Session(account, challenge, algorithm, self._token())
            if all(one.nonce != new.nonce for one in sessions):
                # A nonce met before is counted on, or the server would take the request for a replay.
                sessions.append(next((one for one in known if new.continues(one)), new))
        here[realm] = sessions
        answers = _sign(request, field, realm, sessions)
        if sent:
            self._mark(answers)
        return True

    def _may_try_again(self, sent: list[Credentials], challenges: list[Challenge]) -> bool:
        """Whether only the nonce was too old, and that for the first time in this request (§22.1: what was rejected is not tried again)."""
        nonces = {one.nonce for one in sent}
        return (
            any(challenge.is_stale for challenge in challenges)
            and not any(challenge.nonce in nonces for challenge in challenges)
            and not any(_trace(one) in self._last_tries for one in sent)
        )

    def _mark(self, answers: list[Credentials]) -> None:
        """Remembers answers that are the last to be tried."""
        for one in answers:
            self._last_tries[_trace(one)] = None
        while len(self._last_tries) > _MOST_REMEMBERED:
            self._last_tries.popitem(last=False)

    def _renew_others(self, request: Request, done: set[tuple[str, str]]) -> None:
        """Counts on the nonces of servers that did not challenge this time: sent again as they are they would be a replay."""
        for field in _ANSWERS:
            for realm, sessions in self._sessions.get((field, _recipient(field, request)), {}).items():
                sent = [] if (field, realm) in done else _sent(request, field, realm)
                if sent:
                    is_last = any(_trace(one) in self._last_tries for one in sent)
                    answers = _sign(request, field, realm, sessions)
                    if is_last:
                        self._mark(answers)

    def _here(self, place: Place) -> dict[str, list[Session]]:
        """The sessions of a place by realm, to be added to; the place used least lately may have to go for it."""
        sessions = self._sessions.setdefault(place, {})
        self._sessions.move_to_end(place)
        if len(self._sessions) > _MOST_REMEMBERED:
            self._sessions.popitem(last=False)
        return sessions

    def _may_have(self, account: Account, origin: str | None) -> bool:
        """Whether a host may have an account's credentials."""
        homes = account.homes or self.homes
        return home_of(origin) in homes if homes and origin is not None else not homes

    def _account(self, request: Request, field: str, realm: str, origin: str | None) -> Account | None:
        """The account to answer a realm with: one that has it, else one without a realm where a home of it asks."""
        open_to = [one for one in self.accounts if self._may_have(one, origin)]
        found = [one for one in open_to if one.realm == realm]
        if not found and request.to_tag is None:
            # Only a home may give an account its realm: by a 407 as our proxy, by a 401 as the server that the request is for. In a dialog
            # the peer is anybody.
            server = origin if field == _PROXY or request.method == "REGISTER" else _host_of(request)
            found = [one for one in open_to if one.realm is None and self._may_have(one, server)]
        uri = _uri_of(request, "from")
        user = uri.user if isinstance(uri, SipUri) else None
        return next((one for one in found if one.user == user), found[0] if found else None)

    def _informed(self, field: str, request: Request, response: Response) -> bool:
        text = response.headers.text(_INFOS[field])
        if text is None:
            return True
        try:
            info = AuthenticationInfo.parse(text)
        except SipParseError:
            return True
        proof, cnonce, next_nonce = info.param("rspauth"), info.param("cnonce"), info.next_nonce
        found = [pair for pair in self._sent_in(field, request) if cnonce is None or pair[0].cnonce == cnonce]
        if len(found) != 1:
            # Answers to several realms, and it does not say to which of them it belongs.
            return True
        [(sent, session)] = found
        if proof is not None:
            expected = session.expected(sent, response.body)
            if not hmac.compare_digest(expected.encode(), octets(ascii_lower(proof))):
                return False
        if next_nonce and session.nonce == sent.nonce:
            session.renew(next_nonce, info.params["nextnonce"])
        return True

    def _sent_in(self, field: str, request: Request) -> Iterator[tuple[Credentials, Session]]:
        """The credentials of a request, each with the session it came from, where that is still remembered."""
        by_realm = self._sessions.get((field, _recipient(field, request)), {})
        for index in _lines(request, field):
            one = _parsed(request, index)
            if one is not None:
                for session in by_realm.get(one.realm or "", ()):
                    if session.has_made(one):
                        yield one, session

    def __repr__(self) -> str:
        return f"<Accounts {', '.join(one.user for one in self.accounts)}>"


def _challenges(response: Response, field: str) -> list[Challenge]:
    """The Digest challenges of a field, topmost first; what does not parse is ignored (RFC 8760 §2.4)."""
    challenges = []
    for text in response.headers.texts(field)[:_MOST_CHALLENGES]:
        try:
            challenge = Challenge.parse(text)
        except SipParseError:
            continue
        if challenge.is_digest and challenge.realm is not None:
            challenges.append(challenge)
    return challenges


def _recipient(field: str, request: Request) -> str:
    """§22.2: a 401's credentials count for one To; §22.3: a proxy's for every request that goes through it."""
    if field == _PROXY:
        return ""
    uri = _uri_of(request, "to")
    return uri.aor() if isinstance(uri, SipUri) else str(uri)


def _uri_of(request: Request, key: str) -> SipUri | TelUri | AnyUri | None:
    """The URI of From, To or Route; None where the field is absent or malformed."""
    try:
        value: NameAddr | None = request.headers.value(key)
        return None if value is None else value.uri
    except SipParseError:
        return None


def _host_of(request: Request) -> str | None:
    """The host of the Request-URI."""
    try:
        uri = request.uri
    except SipParseError:
        return None
    return uri.host if isinstance(uri, SipUri) else None


def _lines(request: Request, field: str) -> list[int]:
    key = ascii_lower(_ANSWERS[field])
    return [index for index, one in enumerate(request.headers.keys) if one == key]


def _parsed(request: Request, index: int) -> Credentials | None:
    try:
        return Credentials.parse(value_of(request.headers.lines[index]))
    except SipParseError:
        return None


def _sent(request: Request, field: str, realm: str) -> list[Credentials]:
    """The credentials for a realm that a request bears."""
    parsed = [_parsed(request, index) for index in _lines(request, field)]
    return [one for one in parsed if one is not None and one.realm == realm]


def _put(request: Request, field: str, realm: str, credentials: list[Credentials]) -> None:
    """Replaces a request's credentials for a realm; those for other realms stay."""
    for index in reversed(_lines(request, field)):
        one = _parsed(request, index)
        if one is not None and one.realm == realm:
            request.headers.remove_line(index)
    for one in credentials:
        request.headers.append(_ANSWERS[field], one)


def _sign(request: Request, field: str, realm: str, sessions: list[Session]) -> list[Credentials]:
    """Puts the sessions' next answers into a request, in the place of those it had for the realm."""
    answers = [one.credentials(request.method, request.uri_text, request.body) for one in sessions]
    _put(request, field, realm, answers)
    return answers


def _trace(credentials: Credentials) -> tuple[str, str]:
    """What tells one answer of ours from all others."""
    return credentials.nonce or "", credentials.params.get("nc", "")
