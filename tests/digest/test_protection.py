"""What a server asks and whom it accepts (RFC 3261 §22, RFC 7616, RFC 8760 §2.3; reliability V20 to V23)."""

import pytest

from ringback.digest import ALGORITHMS, Account, Nonces, Outcome, Protection, credentials_of, ha1, is_challengeable, user_hash
from ringback.digest.protection import same_resource
from ringback.message.fields.credentials import Credentials
from ringback.message.message import Request
from tests.digest import oracle
from tests.digest.party import KEY, NOW, RUN, accounts, challenged, digest, known, protection, request, shown, verdict

ALL = ["SHA-512-256", "SHA-512-256-sess", "SHA-256", "SHA-256-sess", "MD5", "MD5-sess"]


def credentials(server: Protection, now: float = NOW, nonce: str | None = None, **changes: str | None) -> Credentials:
    """Alice's right credentials for a REGISTER, made without the code under test, with parameters changed (None: left out)."""
    nonce = nonce or server.challenges(now)[0].nonce or ""
    plain: dict[str, str | None] = {
        "username": "alice",
        "realm": server.realm,
        "nonce": nonce,
        "uri": "sip:example.com",
        "algorithm": "SHA-256",
        "qop": "auth",
        "nc": "00000001",
        "cnonce": "c",
    }
    response = changes.pop("response", "")
    plain |= changes
    if response == "":
        response = oracle.response(
            user=plain["username"] or "alice",
            realm=plain["realm"] or "",
            password="secret",
            algorithm=plain["algorithm"] or "MD5",
            nonce=nonce,
            method="REGISTER",
            uri=plain["uri"] or "",
            qop=plain["qop"],
            nc=plain["nc"] or "",
            cnonce=plain["cnonce"] or "",
        )
    bare = ("algorithm", "qop", "nc", "userhash", "username*")
    params = {name: value if name in bare else f'"{value}"' for name, value in plain.items() if value is not None}
    return Credentials("Digest", params if response is None else {**params, "response": f'"{response}"'})


def outcome(server: Protection, *given: Credentials, now: float = NOW, uri: str = "sip:example.com") -> Outcome:
    return server.verify(given, "REGISTER", uri, b"", now).outcome


def test_the_challenges_are_in_order_of_preference_with_a_qop_each() -> None:
    sha, md5 = protection().challenges(NOW)
    assert [str(sha.algorithm), str(md5.algorithm)] == ["SHA-256", "MD5"]
    assert list(sha.params) == ["realm", "nonce", "algorithm", "qop", "charset"]
    assert sha.params | {"algorithm": "MD5"} == {**md5.params, "charset": "UTF-8"}
    assert (sha.params["realm"], sha.params["qop"], sha.params["charset"]) == ('"example.com"', '"auth"', "UTF-8")
    assert sha.is_digest and not sha.is_stale
    assert sha.nonce != protection().challenges(NOW + 1)[0].nonce


def test_every_challenge_quotes_what_must_be_quoted_and_nothing_else() -> None:
    """RFC 7616 §3.3."""
    for challenge in protection('r "1"', algorithms=ALL, qop=("auth", "auth-int"), user_of=known).challenges(NOW, is_stale=True):
        quoted = {name for name, value in challenge.params.items() if value.startswith('"')}
        assert quoted == {"realm", "nonce", "qop"}
        assert challenge.params["stale"] == "true" and challenge.is_stale
        assert challenge.qop == ["auth", "auth-int"]
        assert challenge.realm == 'r "1"'
        assert challenge.params.get("userhash") == (None if challenge.algorithm.startswith("MD5") else "true")


@pytest.mark.parametrize(
    "options",
    [
        {"realm": ""},
        {"algorithms": ()},
        {"algorithms": ("SHA-1",)},
        {"algorithms": ("MD5", "md5")},
        {"qop": ()},
        {"qop": ("auth", "auth")},
        {"qop": ("auth-conf",)},
    ],
)
def test_what_cannot_be_a_protection(options: dict[str, object]) -> None:
    """Among it: one algorithm twice (RFC 8760 §2.3)."""
    with pytest.raises(ValueError, match=r"algorithm|realm"):
        protection(**options)  # type: ignore[arg-type]  # that is what is tested


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("qop", ["auth", "auth-int"])
def test_a_client_of_ours_is_accepted_with_every_algorithm(name: str, qop: str) -> None:
    server, client = protection(algorithms=[name], qop=[qop]), accounts()
    for count in (1, 2, 3):
        sent = request("MESSAGE", "sip:bob@example.com", to="sip:bob@example.com", body=b"hello")
        client.prepare(sent)
        if count == 1:
            found = verdict(server, sent)
            assert found.outcome is Outcome.MISSING
            assert client.answer(sent, challenged(*server.challenges(NOW)))
        found = verdict(server, sent)
        assert found.is_accepted and not found.is_stale
        assert found.user == "alice"
        info = server.authentication_info(found, b"body", NOW)
        answer = challenged()
        answer.status, answer.body = 200, b"body"
        answer.headers.set("Authentication-Info", info)
        assert client.accepted(sent, answer)


def test_a_client_of_rfc_2069_is_accepted_once_per_nonce() -> None:
    """§22.4: neither qop nor cnonce nor nc; and no Authentication-Info, which such a client does not know."""
    server = protection()
    nonce = server.challenges(NOW)[0].nonce
    old = credentials(server, nonce=nonce, algorithm=None, qop=None, nc=None, cnonce=None)
    found = server.verify([old], "REGISTER", "sip:example.com", b"", NOW)
    assert found.is_accepted
    assert server.authentication_info(found, b"", NOW) is None
    assert outcome(server, old) is Outcome.STALE
    assert outcome(server, credentials(server, nonce=nonce)) is Outcome.STALE


def test_a_client_without_qop_is_refused_where_the_body_must_be_protected() -> None:
    server = protection(qop=["auth-int"])
    assert outcome(server, credentials(server, qop=None, nc=None, cnonce=None)) is Outcome.REFUSED
    assert outcome(server, credentials(server, qop="auth")) is Outcome.REFUSED
    assert outcome(server, credentials(server, qop="auth-int")) is Outcome.ACCEPTED


def test_a_session_algorithm_needs_a_qop() -> None:
    server = protection(algorithms=["MD5-sess"])
    assert outcome(server, credentials(server, algorithm="MD5-sess", qop=None)) is Outcome.REFUSED
    assert outcome(server, credentials(server, algorithm="md5-SESS", response=None)) is Outcome.REFUSED
    assert outcome(server, credentials(server, algorithm="MD5-sess")) is Outcome.ACCEPTED


def test_only_what_was_on_offer_is_accepted() -> None:
    """RFC 7616 §3.4: qop, and so algorithm, is one of the alternatives."""
    server = protection(algorithms=["SHA-256"])
    for name in ("MD5", "SHA-512-256", "SHA-256-sess", None, "SHA-1"):
        computed = name if name in ALL else "MD5"
        given = credentials(server, algorithm=computed)
        given.params.pop("algorithm") if name is None else given.params.update(algorithm=name)
        assert outcome(server, given) is Outcome.REFUSED
    assert outcome(server, credentials(server, qop="auth-int")) is Outcome.REFUSED
    assert outcome(server, credentials(server)) is Outcome.ACCEPTED


def test_a_user_whose_weakest_algorithm_is_sha_256_is_not_accepted_with_md5() -> None:
    """V22: what an attacker on the path gains by taking the better challenge away."""
    server = protection(ha1_of=lambda user, realm, name: None if name == "MD5" else known(user, realm, name))
    assert outcome(server, credentials(server, algorithm="MD5")) is Outcome.REFUSED
    assert outcome(server, credentials(server)) is Outcome.ACCEPTED


def test_basic_is_neither_asked_for_nor_accepted() -> None:
    server = protection()
    assert all(one.scheme == "Digest" for one in server.challenges(NOW))
    basic = Credentials.parse("Basic YWxpY2U6c2VjcmV0")
    dressed = Credentials("Basic", {**credentials(server).params})
    assert outcome(server, basic, dressed) is Outcome.MISSING


def test_credentials_for_other_realms_are_not_looked_at() -> None:
    """§22.3: they are another server's, and hide none of ours."""
    server = protection()
    other = protection("example.org")
    assert outcome(server, credentials(other), Credentials("Bearer", None, "abc")) is Outcome.MISSING
    assert outcome(server, Credentials("Bearer", None, "abc"), credentials(other), credentials(server)) is Outcome.ACCEPTED


def test_of_several_for_our_realm_the_one_with_our_nonce_counts() -> None:
    """§22.3: a fork may have reached other servers of this realm."""
    server, node = protection(), protection(nonces=Nonces(KEY, b"s" * 16))
    assert outcome(server, credentials(node), credentials(server)) is Outcome.ACCEPTED
    assert outcome(server, credentials(node), credentials(node)) is Outcome.STALE
    nonce = server.challenges(NOW)[0].nonce
    assert outcome(server, credentials(server, nonce=nonce), credentials(server, nonce=nonce)) is Outcome.REFUSED
    assert outcome(server, credentials(server), credentials(server)) is Outcome.REFUSED
    assert outcome(server, *(credentials(node) for _ in range(5))) is Outcome.REFUSED


def test_who_has_not_been_challenged_yet_may_say_so() -> None:
    """RFC 8760 §2.7: an empty nonce and an empty response."""
    server = protection()
    given = Credentials("Digest", {"username": '"alice"', "realm": '"example.com"', "nonce": '""', "uri": '"sip:x"', "response": '""'})
    assert outcome(server, given) is Outcome.MISSING
    assert outcome(server, Credentials("Digest", {**given.params, "response": '"0"'})) is Outcome.REFUSED


@pytest.mark.parametrize(
    "changes",
    [
        {"username": None},
        {"username*": "UTF-8''alice"},
        {"username": None, "username*": "ISO-8859-1''alice"},
        {"username": None, "username*": "alice"},
        {"username": None, "username*": "UTF-8'alice"},
        {"username": None, "username*": "UTF-8''alice", "userhash": "true"},
        {"username": ""},
        {"uri": None},
        {"response": None},
        {"response": "0"},
        {"response": "\u00e4"},
        {"response": "\udcff"},
        {"nc": None},
        {"nc": "00000000"},
        {"nc": "1"},
        {"nc": "0000000g"},
        {"nc": "\u0661" * 8},
        {"cnonce": None},
        {"cnonce": ""},
        {"userhash": "true"},
        {"username": "\udcff"},
    ],
)
def test_what_is_malformed_or_missing_is_refused(changes: dict[str, str | None]) -> None:
    server = protection()
    changes.setdefault("response", "0" * 64)
    found = server.verify([credentials(server, **changes)], "REGISTER", "sip:example.com", b"", NOW)
    assert found.outcome is Outcome.REFUSED
    assert found.reason and found.user is None


def test_a_nonce_left_out_is_refused() -> None:
    server = protection()
    given = credentials(server)
    del given.params["nonce"]
    assert outcome(server, given) is Outcome.REFUSED


def test_a_username_in_the_extended_notation() -> None:
    """RFC 7616 §3.4, RFC 5987: the octets of UTF-8."""
    name = "J\u00e4s\u00f8n Doe"
    server = protection(ha1_of=lambda user, realm, algorithm: ha1(name, realm, "secret", algorithm) if user == name else None)
    given = credentials(server, username=name)
    del given.params["username"]
    given.params["username*"] = "utf-8'en'J%C3%A4s%C3%B8n%20Doe"
    found = server.verify([given], "REGISTER", "sip:example.com", b"", NOW)
    assert (found.outcome, found.user) == (Outcome.ACCEPTED, name)


def test_a_hashed_username_where_the_server_can_find_it() -> None:
    def user_of(hashed: str, realm: str, algorithm: str) -> str | None:
        return "alice" if hashed == user_hash("alice", realm, ALGORITHMS[algorithm.lower()]) else None

    server, client = protection(user_of=user_of), accounts()
    sent = request()
    assert client.answer(sent, challenged(*server.challenges(NOW)))
    assert "alice" not in str(shown(sent)[0])
    found = verdict(server, sent)
    assert (found.outcome, found.user) == (Outcome.ACCEPTED, "alice")
    assert outcome(server, credentials(server, username="0" * 64, userhash="true")) is Outcome.REFUSED
    assert outcome(protection(), credentials(server)) is Outcome.ACCEPTED


def test_a_digest_in_capitals_is_the_same_digest() -> None:
    server = protection()
    given = credentials(server)
    given.params["response"] = given.params["response"].upper()
    assert outcome(server, given) is Outcome.ACCEPTED


def test_the_uri_is_that_of_the_request_but_for_what_changes_on_the_way() -> None:
    """§22.4 item 6."""
    server = protection()
    for uri in ("sip:example.com", "sip:EXAMPLE.com", "SIP:example.com", "sip:example.com;transport=tcp"):
        assert outcome(server, credentials(server, uri=uri)) is Outcome.ACCEPTED
    others = ("sip:example.org", "sip:bob@example.com", "sips:example.com", "sip:example.com:5070", "tel:+1", "", "garbage", "sip:" * 999)
    for uri in others:
        assert outcome(server, credentials(server, uri=uri)) is Outcome.REFUSED
    assert same_resource("tel:+1-555", "tel:+1555") and not same_resource("tel:+1", "tel:+2")
    assert same_resource("sip:%61lice@example.com", "sip:alice@example.com;user=phone")


def test_a_retargeted_request_counts_where_its_uri_is_served() -> None:
    """RFC 8760 §2.6 item 6."""
    server = protection(serves=lambda uri: uri == "sip:bob@example.com")
    assert outcome(server, credentials(server, uri="sip:bob@example.com"), uri="sip:bob@192.0.2.1") is Outcome.ACCEPTED
    assert outcome(server, credentials(server, uri="sip:eve@example.com"), uri="sip:bob@192.0.2.1") is Outcome.REFUSED


def test_the_method_and_the_body_are_in_the_digest() -> None:
    server = protection(qop=["auth-int"])
    given = [credentials(server, qop="auth-int")]
    assert not server.verify(given, "SUBSCRIBE", "sip:example.com", b"", NOW).is_accepted
    assert not server.verify(given, "REGISTER", "sip:example.com", b"x", NOW).is_accepted
    assert server.verify(given, "REGISTER", "sip:example.com", b"", NOW).is_accepted


def test_a_nonce_too_old_is_stale_only_to_who_knows_the_password() -> None:
    server = protection()
    nonce = server.challenges(NOW)[0].nonce
    later = NOW + 301
    assert outcome(server, credentials(server, nonce=nonce), now=later) is Outcome.STALE
    assert outcome(server, credentials(server, nonce=nonce, response="0" * 64), now=later) is Outcome.REFUSED
    assert outcome(server, credentials(server, nonce="made up")) is Outcome.STALE


def test_replays_are_accepted_never() -> None:
    """V20: the same, with a lower count, with another Call-ID or Contact, after a restart, at another node."""
    server, client = protection(), accounts()
    captured = []
    for count in range(3):
        sent = request()
        client.prepare(sent)
        if count == 0:
            assert client.answer(sent, challenged(*server.challenges(NOW)))
        assert verdict(server, sent).is_accepted
        captured.append(sent)
    restarted = protection(nonces=Nonces(KEY, b"s" * 16))
    accepted = 0
    for attempt in range(100):
        for sent in captured:
            replay = sent.copy()
            replay.headers.set("Call-ID", f"other{attempt}")
            replay.headers.set("Contact", "<sip:eve@203.0.113.66>")
            for where in (server, restarted):
                found = verdict(where, replay, NOW + attempt)
                assert found.is_stale
                accepted += found.is_accepted
    assert accepted == 0


def test_a_count_that_comes_late_is_stale() -> None:
    server = protection()
    nonce = server.challenges(NOW)[0].nonce
    assert outcome(server, credentials(server, nonce=nonce, nc="00000003")) is Outcome.ACCEPTED
    assert outcome(server, credentials(server, nonce=nonce, nc="00000002")) is Outcome.STALE
    assert outcome(server, credentials(server, nonce=nonce, nc="0000000A")) is Outcome.ACCEPTED


def test_a_wrong_answer_uses_nothing_up() -> None:
    server = protection()
    nonce = server.challenges(NOW)[0].nonce
    for _ in range(10):
        assert outcome(server, credentials(server, nonce=nonce, nc="ffffffff", response="0" * 64)) is Outcome.REFUSED
        assert outcome(server, credentials(server, nonce=nonce, nc="ffffffff"), uri="sip:example.org") is Outcome.REFUSED
    assert outcome(server, credentials(server, nonce=nonce)) is Outcome.ACCEPTED


def test_what_an_invite_was_accepted_with_is_accepted_in_its_ack() -> None:
    """§22.1: an ACK cannot be challenged, and bears its INVITE's credentials."""
    server, client = protection(), accounts()
    invite = request("INVITE", "sip:bob@example.com", to="sip:bob@example.com")
    assert client.answer(invite, challenged(*server.challenges(NOW)))
    ack = Request("ACK", "sip:bob@192.0.2.7:5070", invite.headers.copy())
    assert verdict(server, invite).is_accepted
    for _ in range(3):
        assert verdict(server, ack).is_accepted
    assert verdict(server, invite).is_stale
    # Some clients compute an ACK's own.
    own = credentials(server)
    own.params["response"] = '"{}"'.format(
        oracle.response(
            user="alice",
            realm="example.com",
            password="secret",
            algorithm="SHA-256",
            nonce=own.nonce or "",
            method="ACK",
            uri="sip:example.com",
            qop="auth",
            nc="00000001",
            cnonce="c",
        )
    )
    assert server.verify([own], "ACK", "sip:example.com", b"", NOW).is_accepted
    assert not server.verify([credentials(server)], "ACK", "sip:example.com", b"", NOW).is_accepted


def test_an_ack_and_a_cancel_may_not_be_challenged() -> None:
    assert [method for method in ("INVITE", "ACK", "BYE", "CANCEL", "REGISTER") if not is_challengeable(method)] == ["ACK", "CANCEL"]


def test_an_unknown_user_is_computed_and_answered_like_a_wrong_password() -> None:
    """V23: the same questions asked, the same digests computed, the same verdict."""
    asked: list[tuple[str, str, str]] = []
    hashed: list[int] = []

    def ha1_of(user: str, realm: str, algorithm: str) -> str | None:
        asked.append((user, realm, algorithm))
        return stored.get(user)

    stored = {"alice": ha1("alice", "example.com", "secret", "SHA-256")}
    server = protection(ha1_of=ha1_of)
    algorithm = ALGORITHMS["sha-256"]
    computed = algorithm.hash

    def counting(data: bytes) -> str:
        hashed.append(len(data))
        return computed(data)

    algorithm.hash = counting
    try:
        seen = []
        for user in ("alice", "nobdy"):
            del hashed[:]
            found = server.verify([credentials(server, username=user, response="0" * 64)], "REGISTER", "sip:example.com", b"", NOW)
            seen.append((found.outcome, found.reason, found.user, tuple(hashed)))
    finally:
        algorithm.hash = computed
    assert seen[0] == seen[1]
    assert seen[0][0] is Outcome.REFUSED
    assert asked == [("alice", "example.com", "SHA-256"), ("nobdy", "example.com", "SHA-256")]


def test_nobody_knows_the_password_of_an_unknown_user() -> None:
    """The HA1 that stands in for none proves nothing, though it is no secret."""
    server = protection()
    nonce = server.challenges(NOW)[0].nonce or ""
    ha2 = oracle.hashed("SHA-256", b"REGISTER:sip:example.com")
    response = oracle.hashed("SHA-256", f"{'0' * 64}:{nonce}:00000001:c:auth:{ha2}".encode())
    assert outcome(server, credentials(server, nonce=nonce, username="nobody", response=response)) is Outcome.REFUSED


def test_a_name_in_another_normalization_is_another_name() -> None:
    """V21: no user is taken for another because both look alike."""
    server = protection(ha1_of=lambda user, realm, algorithm: ha1("\u00e4", realm, "secret", algorithm) if user == "\u00e4" else None)
    assert outcome(server, credentials(server, username="a\u0308")) is Outcome.REFUSED
    assert outcome(server, credentials(server, username="\u00e4")) is Outcome.ACCEPTED
    sent = request()
    assert accounts(Account("a\u0308", "secret")).answer(sent, challenged(*server.challenges(NOW)))
    assert verdict(server, sent).user == "\u00e4"


def test_the_credentials_of_a_request_that_parse() -> None:
    sent = request()
    for text in ("garbage", "Digest", 'Digest a="1", a="2"', "Bearer abc", digest().replace("qop", "x")):
        sent.headers.append("Authorization", text)
    assert [one.scheme for one in credentials_of(sent, "Authorization")] == ["Bearer", "Digest"]
    for _ in range(50):
        sent.headers.append("Authorization", "Bearer abc")
    assert len(credentials_of(sent, "Authorization")) == 13
    assert credentials_of(sent, "Proxy-Authorization") == []


def test_the_next_nonce_comes_when_the_old_one_has_lived_half_its_time() -> None:
    """RFC 7616 §3.5; the old one stays good meanwhile, so that requests under way are not refused."""
    server = protection(nonces=Nonces(KEY, RUN, lifetime=100))
    nonce = server.challenges(NOW)[0].nonce
    young = server.verify([credentials(server, nonce=nonce)], "REGISTER", "sip:example.com", b"", NOW + 50)
    old = server.verify([credentials(server, nonce=nonce, nc="00000002")], "REGISTER", "sip:example.com", b"", NOW + 51)
    first, second = server.authentication_info(young, b"", NOW + 50), server.authentication_info(old, b"", NOW + 51)
    assert first is not None and list(first.params) == ["rspauth", "qop", "cnonce", "nc"]
    assert (first.params["qop"], first.params["cnonce"], first.params["nc"]) == ("auth", '"c"', "00000001")
    assert second is not None and second.params["nextnonce"].startswith('"')
    assert outcome(server, credentials(server, nonce=nonce, nc="00000003"), now=NOW + 52) is Outcome.ACCEPTED
    assert outcome(server, credentials(server, nonce=second.next_nonce), now=NOW + 52) is Outcome.ACCEPTED


def test_a_session_key_gets_no_next_nonce() -> None:
    server = protection(algorithms=["SHA-256-sess"])
    given = credentials(server, algorithm="SHA-256-sess")
    found = server.verify([given], "REGISTER", "sip:example.com", b"", NOW + 299)
    info = server.authentication_info(found, b"", NOW + 299)
    assert found.is_accepted and info is not None and info.next_nonce is None


def test_only_the_accepted_are_told_anything() -> None:
    server = protection()
    refused = server.verify([credentials(server, response="0")], "REGISTER", "sip:example.com", b"", NOW)
    missing = server.verify([], "REGISTER", "sip:example.com", b"", NOW)
    assert server.authentication_info(refused, b"", NOW) is None
    assert server.authentication_info(missing, b"", NOW) is None


def test_reprs_show_no_secret() -> None:
    server = protection()
    found = server.verify([credentials(server)], "REGISTER", "sip:example.com", b"", NOW)
    assert repr(found) == "<Verdict ACCEPTED user='alice' >"
    assert repr(server) == "<Protection 'example.com' SHA-256, MD5>"
    assert found.key not in repr(found)
