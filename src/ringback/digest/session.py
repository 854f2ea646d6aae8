"""One authentication session of a client: the challenge that began it and the count of its nonce (RFC 7616 §3.4, §3.6)."""

from typing import Self

from ringback.digest.account import Account
from ringback.digest.algorithm import ALGORITHMS, Algorithm, request_digest, session_key, user_hash
from ringback.message.fields.challenge import Challenge
from ringback.message.fields.credentials import Credentials
from ringback.message.grammar import ascii_lower, is_quoted, quote

# "auth" first: what rewrites addresses in a body on its way (ALGs, some B2BUAs) breaks "auth-int".
_QOPS = ("auth", "auth-int")


def algorithm_of(challenge: Challenge) -> Algorithm | None:
    """The algorithm of a challenge that can be answered; None for all others, which are ignored (RFC 8760 §2.4, RFC 7616 §3.3)."""
    if not challenge.is_digest or not challenge.nonce or challenge.realm is None:
        return None
    algorithm = ALGORITHMS.get(ascii_lower(challenge.algorithm))
    if algorithm is None:
        return None
    if "qop" in challenge.params:
        return None if qop_of(challenge) is None else algorithm
    # §22.4 item 8: what depends on a cnonce needs qop.
    return None if algorithm.is_session else algorithm


def qop_of(challenge: Challenge) -> str | None:
    """The quality of protection to use, None for none; options not known are ignored (RFC 7616 §3.3)."""
    offered = challenge.qop
    return next((qop for qop in _QOPS if qop in offered), None)


def _quoted(text: str) -> str:
    """A parameter as it came, in the quotes it must have (RFC 7616 §3.4)."""
    return text if is_quoted(text) else quote(text)


class Session:
    """What is remembered of a challenge in order to answer it again and again, the nonce count one higher each time."""

    __slots__ = (
        "_algorithm",
        "_key",
        "_name",
        "_opaque",
        "_qop",
        "_realm",
        "_username",
        "account",
        "cnonce",
        "count",
        "nonce",
        "nonce_text",
    )

    def __init__(self, account: Account, challenge: Challenge, algorithm: Algorithm, cnonce: str) -> None:
        """`account` is one of the challenge's realm; `algorithm` is what `algorithm_of` gave for it."""
        params = challenge.params
        realm, nonce = challenge.realm or "", challenge.nonce or ""
        self.account = account
        self.cnonce = cnonce
        self.count = 0
        self.nonce = nonce
        self.nonce_text = _quoted(params["nonce"])
        self._algorithm = algorithm
        self._name = challenge.algorithm if "algorithm" in params else None
        self._realm = _quoted(params["realm"])
        self._opaque = _quoted(params["opaque"]) if "opaque" in params else None
        # Departs from RFC 8760 §2.6 item 8, by which "auth" is the default: a server that offers no qop is one of RFC 2069 and computes
        # another digest (RFC 2617 §3.2.1: no qop where the server sent none).
        self._qop = qop_of(challenge)
        is_hashed = ascii_lower(challenge.param("userhash") or "") == "true"
        self._username = user_hash(account.user, realm, algorithm) if is_hashed else None
        key = account.ha1(algorithm)
        # A session keeps its key whatever nonce follows the first (RFC 7616 §3.4.2, nonce-prime and cnonce-prime).
        self._key = session_key(algorithm, key, nonce, cnonce) if algorithm.is_session else key

    def credentials(self, method: str, uri: str, body: bytes) -> Credentials:
        """The next answer: the same nonce, counted one higher."""
        self.count += 1
        nc = f"{self.count:08x}"
        qop = self._qop
        params = {
            "username": quote(self._username or self.account.user),
            "realm": self._realm,
            "nonce": self.nonce_text,
            "uri": quote(uri),
            "response": f'"{self._digest(self.nonce, nc, method, uri, body)}"',
        }
        if self._name is not None:
            params["algorithm"] = self._name
        if self._opaque is not None:
            params["opaque"] = self._opaque
        if qop is not None:
            params |= {"cnonce": f'"{self.cnonce}"', "qop": qop, "nc": nc}
        if self._username is not None:
            params["userhash"] = "true"
        return Credentials("Digest", params)

    def has_made(self, sent: Credentials) -> bool:
        """Whether credentials of a request are an answer of this session."""
        return sent.nonce == self.nonce if sent.cnonce is None else sent.cnonce == self.cnonce

    def expected(self, sent: Credentials, body: bytes) -> str:
        """`rspauth` of a server that knows the password, for the answer `sent` and the response's body (RFC 7616 §3.5)."""
        return self._digest(sent.nonce or "", sent.params.get("nc", ""), "", sent.uri or "", body)

    def renew(self, nonce: str, text: str) -> None:
        """Takes the server's next nonce, given also as it was written (RFC 7616 §3.5, nextnonce)."""
        self.nonce, self.nonce_text, self.count = nonce, _quoted(text), 0

    def continues(self, earlier: Self) -> bool:
        """Whether this is the same challenge over again, for the same account."""
        return self.nonce == earlier.nonce and self.account is earlier.account

    def _digest(self, nonce: str, nc: str, method: str, uri: str, body: bytes) -> str:
        return request_digest(self._algorithm, self._key, nonce, nc, self.cnonce, self._qop, method, uri, body)

    def __repr__(self) -> str:
        return f"<Session {self.account.user!r} realm={self._realm} nc={self.count}>"
