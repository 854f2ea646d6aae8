"""A server's realm and a client's accounts, and the messages that pass between them."""

from collections.abc import Callable, Iterable
from typing import Any

from ringback.digest import Account, Accounts, Nonces, Protection, Verdict, credentials_of, ha1
from ringback.message.fields.challenge import Challenge
from ringback.message.message import Request, Response
from tests.digest import oracle

REALM = "example.com"
HOME = "example.com"
AOR = "sip:alice@example.com"
PASSWORDS = {"alice": "secret", "bob": "other"}
NOW = 1000.0
KEY = b"k" * 32
RUN = b"r" * 16


def tokens() -> Callable[[], str]:
    """Unpredictable text that is the same in every run."""
    count = 0

    def token() -> str:
        nonlocal count
        count += 1
        return f"{count:016x}"

    return token


def known(user: str, realm: str, algorithm: str) -> str | None:
    """H(A1) of the users there are."""
    return ha1(user, realm, PASSWORDS[user], algorithm) if user in PASSWORDS else None


def protection(realm: str = REALM, nonces: Nonces | None = None, ha1_of: Any = known, **options: Any) -> Protection:
    return Protection(realm, nonces or Nonces(KEY, RUN), ha1_of, **options)


def accounts(*given: Account, homes: Iterable[str] = (HOME,)) -> Accounts:
    return Accounts(given or (Account("alice", "secret"),), tokens(), homes)


def request(
    method: str = "REGISTER", uri: str = "sip:example.com", *, to: str = AOR, tag: str = "", route: str = "", body: bytes = b""
) -> Request:
    fields: list[tuple[str, object]] = [("Route", route)] if route else []
    fields += [("From", f"<{AOR}>;tag=a1"), ("To", f"<{to}>{tag and f';tag={tag}'}"), ("Call-ID", "c1"), ("CSeq", f"1 {method}")]
    return Request(method, uri, fields, body)


def challenged(*challenges: Challenge | str, status: int = 401, field: str | None = None) -> Response:
    """A 401 or 407 with these challenges, in the field that its status has."""
    field = field or ("WWW-Authenticate" if status == 401 else "Proxy-Authenticate")
    return Response(status, None, [(field, one) for one in challenges])


def digest(realm: str = REALM, nonce: str = "n1", **params: str) -> str:
    """A challenge as text; `qop` and the like without quotes are given as they are to be written."""
    params = {"realm": f'"{realm}"', "nonce": f'"{nonce}"', "qop": '"auth"', **params}
    return "Digest " + ", ".join([f"{name}={value}" for name, value in params.items() if value])


def field_of(status: int) -> str:
    return "Authorization" if status == 401 else "Proxy-Authorization"


def verdict(server: Protection, sent: Request, now: float = NOW, field: str = "Authorization") -> Verdict:
    return server.verify(credentials_of(sent, field), sent.method, sent.uri_text, sent.body, now)


def shown(sent: Request, field: str = "Authorization") -> list[dict[str, str]]:
    """The credentials of a request, parameters as written."""
    return [one.params for one in credentials_of(sent, field)]


def is_right(sent: Request, params: dict[str, str], password: str = "secret", algorithm: str = "MD5") -> bool:
    """Whether the oracle computes the same response."""
    plain = {name: value.strip('"') for name, value in params.items()}
    return plain["response"] == oracle.response(
        user=plain["username"],
        realm=plain["realm"],
        password=password,
        algorithm=algorithm,
        nonce=plain["nonce"],
        method=sent.method,
        uri=plain["uri"],
        qop=plain.get("qop"),
        nc=plain.get("nc", ""),
        cnonce=plain.get("cnonce", ""),
        body=sent.body,
    )
