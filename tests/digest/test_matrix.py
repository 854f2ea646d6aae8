"""The matrix of forgeries (reliability T08, V21): whatever is accepted, an oracle of plain hashlib has computed, and nothing else is.

Each case is a request with credentials in which two things at most are wrong. Whether it must be accepted is decided here from the case
itself, by hashlib and the rules written out below, never by the code under test.
"""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.digest import Nonces, Outcome, Protection
from ringback.message.errors import SipParseError
from ringback.message.fields.credentials import Credentials
from tests.digest import oracle
from tests.digest.party import KEY, NOW, PASSWORDS, REALM, RUN, known, protection

OFFERED = ("SHA-256", "MD5", "SHA-256-sess")
URI = "sip:example.com"
BODY = b"the body"

# What a case sends; the first of each is right.
USERS = ("alice", "bob", "nobody", "", "Alice", "alice ", "al\u0131ce")
KNOWN_PASSWORDS = ("its own", "another's", "")
REALMS = (REALM, "example.org", "Example.com", "")
ALGORITHMS = ("SHA-256", "MD5", "SHA-256-sess", "SHA-512-256", "none", "SHA-1")
QOPS = ("auth", "auth-int", "none", "auth-conf")
NONCES = ("fresh", "expired", "of another realm", "of another run", "invented", "used")
URIS = (URI, "sip:example.org", "sip:bob@example.com")
METHODS = ("REGISTER", "INVITE", "SUBSCRIBE")
BODIES = (BODY, b"swapped")
COUNTS = ("00000001", "00000000", "none", "zzzzzzzz", "1")
CNONCES = ("c", "none")
DIMENSIONS = (USERS, KNOWN_PASSWORDS, REALMS, ALGORITHMS, QOPS, NONCES, URIS, METHODS, BODIES, COUNTS, CNONCES)
RIGHT = tuple(values[0] for values in DIMENSIONS)

Case = tuple[str | bytes, ...]


def cases() -> list[Case]:
    """The right one, each one thing wrong, each pair of things wrong."""
    found = {RIGHT: None}
    for first, second in itertools.combinations(range(len(DIMENSIONS)), 2):
        for one, two in itertools.product(DIMENSIONS[first], DIMENSIONS[second]):
            case = list(RIGHT)
            case[first], case[second] = one, two
            found[tuple(case)] = None
    return list(found)


def server() -> tuple[Protection, Nonces]:
    nonces = Nonces(KEY, RUN)
    return protection(nonces=nonces, algorithms=OFFERED, qop=("auth", "auth-int")), nonces


def nonce_of(kind: str, nonces: Nonces) -> str:
    made = {
        "fresh": lambda: nonces.make(REALM, NOW),
        "used": lambda: nonces.make(REALM, NOW),
        "expired": lambda: nonces.make(REALM, NOW - 1000),
        "of another realm": lambda: nonces.make("example.org", NOW),
        "of another run": lambda: Nonces(KEY, b"s" * 16).make(REALM, NOW),
        "invented": lambda: "AAAD6AAAAAE" + "A" * 21,
    }
    return made[kind]()


def credentials_in(case: Case, nonce: str) -> Credentials:
    """What the client sends: computed for a REGISTER to URI with BODY, whatever the request turns out to be."""
    user, password, realm, algorithm, qop, _, uri, _, _, nc, cnonce = map(str, case)
    secret = {"its own": PASSWORDS.get(user, "x"), "another's": PASSWORDS["bob" if user == "alice" else "alice"], "": ""}[password]
    response = oracle.response(
        user=user,
        realm=realm,
        password=secret,
        algorithm=algorithm if algorithm.startswith(("SHA-256", "SHA-512")) else "MD5",
        nonce=nonce,
        method="REGISTER",
        uri=uri,
        qop=None if qop == "none" else qop,
        nc="" if nc == "none" else nc,
        cnonce="" if cnonce == "none" else cnonce,
        body=BODY,
    )
    params = {"username": f'"{user}"', "realm": f'"{realm}"', "nonce": f'"{nonce}"', "uri": f'"{uri}"', "response": f'"{response}"'}
    bare = {"algorithm": algorithm, "qop": qop, "nc": nc, "cnonce": cnonce}
    params |= {name: f'"{value}"' if name == "cnonce" else value for name, value in bare.items() if value != "none"}
    return Credentials("Digest", params)


def expected_of(case: Case) -> Outcome:
    """The rules in prose: RFC 7616 §3.4, RFC 3261 §22.3 and §22.4, reliability V20 and V21."""
    user, password, realm, algorithm, qop, nonce, uri, method, body, nc, cnonce = case
    if realm != REALM:
        return Outcome.MISSING
    is_old = qop == "none"
    is_right = (
        user in PASSWORDS
        and password == "its own"
        and algorithm in (*OFFERED, "none")
        and not (is_old and algorithm == "SHA-256-sess")
        and qop in ("auth", "auth-int", "none")
        and (is_old or (nc == "00000001" and cnonce == "c"))
        and uri == URI
        and method == "REGISTER"
        and (body == BODY or qop != "auth-int")
    )
    if not is_right:
        return Outcome.REFUSED
    return Outcome.ACCEPTED if nonce == "fresh" else Outcome.STALE


def test_no_forgery_is_accepted() -> None:
    wrong = []
    outcomes = dict.fromkeys(Outcome, 0)
    for case in cases():
        where, nonces = server()
        nonce = nonce_of(str(case[5]), nonces)
        sent = [credentials_in(case, nonce)]
        method, body = str(case[7]), case[8]
        assert isinstance(body, bytes)
        if case[5] == "used":
            where.verify(sent, method, URI, body, NOW)
        found = where.verify(sent, method, URI, body, NOW)
        outcomes[found.outcome] += 1
        if found.outcome is not expected_of(case) or found.user != (case[0] if found.is_accepted else None):
            wrong.append((case, found))
    assert wrong == []
    assert sum(outcomes.values()) >= 400
    assert all(outcomes.values()), "every verdict is met"


@given(
    user=st.sampled_from(["alice", "bob", "nobody", "a\\l"]) | st.text(max_size=8),
    realm=st.just(REALM) | st.text(max_size=8),
    algorithm=st.sampled_from(ALGORITHMS) | st.text(max_size=8),
    qop=st.sampled_from(QOPS) | st.text(max_size=8),
    nc=st.sampled_from(COUNTS) | st.text(max_size=9),
    response=st.sampled_from(["right", "0" * 64]) | st.text(max_size=70),
    left_out=st.sets(st.sampled_from(["username", "realm", "nonce", "uri", "response", "algorithm", "qop", "nc", "cnonce"]), max_size=3),
    added=st.dictionaries(st.sampled_from(["userhash", "username*", "opaque", "charset", "x"]), st.text(max_size=12), max_size=2),
    times=st.integers(1, 3),
)
def test_whatever_is_written_only_the_password_is_accepted(
    user: str, realm: str, algorithm: str, qop: str, nc: str, response: str, left_out: set[str], added: dict[str, str], times: int
) -> None:
    """No text makes an exception, and acceptance means: the oracle computes this response from a user's password."""
    where, nonces = server()
    nonce = nonces.make(REALM, NOW)
    hash_name = algorithm if algorithm in OFFERED else "MD5"
    right = oracle.response(
        user=user if user in PASSWORDS else "alice",
        realm=REALM,
        password=PASSWORDS.get(user, "secret"),
        algorithm=hash_name,
        nonce=nonce,
        method="REGISTER",
        uri=URI,
        qop=qop if qop in ("auth", "auth-int") and "qop" not in left_out else None,
        nc=nc if nc.isascii() else "",
        cnonce="c",
        body=BODY,
    )
    written = {
        "username": f'"{user}"',
        "realm": f'"{realm}"',
        "nonce": f'"{nonce}"',
        "uri": f'"{URI}"',
        "response": f'"{right if response == "right" else response}"',
        "algorithm": algorithm,
        "qop": qop,
        "nc": nc,
        "cnonce": '"c"',
        **added,
    }
    params = {name: value for name, value in written.items() if name not in left_out}
    try:
        # What no parser lets through is verified as it stands, too.
        sent = Credentials.parse("Digest " + ", ".join(f"{name}={value}" for name, value in params.items()))
    except (SipParseError, UnicodeEncodeError):
        sent = Credentials("Digest", params)
    found = [where.verify([sent] * times, "REGISTER", URI, BODY, NOW) for _ in range(2)]
    assert not found[1].is_accepted, "no count is good twice"
    if found[0].is_accepted:
        assert times == 1
        assert found[0].user in PASSWORDS
        assert params["response"].strip('"').lower() == right
        assert not {"username*", "userhash"} & set(params) or params.get("userhash", "").strip('"').lower() != "true"


@pytest.mark.parametrize("user", ["alice", "nobody"])
def test_the_oracle_and_the_store_agree_about_who_there_is(user: str) -> None:
    stored = known(user, REALM, "MD5")
    assert stored == (oracle.hashed("MD5", b"alice:example.com:secret") if user == "alice" else None)
