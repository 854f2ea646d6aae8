"""Which challenge a client answers and how it writes the answer (RFC 3261 §22.1–§22.4, RFC 8760 §2.4, RFC 7616 §3.4)."""

import pytest

from ringback.digest import ALGORITHMS, Account, Accounts, origin_of, realms_of, user_hash
from ringback.message.fields.credentials import Credentials
from ringback.message.message import Request
from tests.digest.party import AOR, accounts, challenged, digest, field_of, is_right, request, shown


def test_a_401_is_answered_and_the_answer_is_right() -> None:
    sent = request()
    assert accounts().answer(sent, challenged(digest(opaque='"o\\"1"')))
    [params] = shown(sent)
    assert list(params) == ["username", "realm", "nonce", "uri", "response", "opaque", "cnonce", "qop", "nc"]
    assert params["opaque"] == '"o\\"1"'
    assert params["uri"] == '"sip:example.com"'
    assert (params["qop"], params["nc"], params["nonce"]) == ("auth", "00000001", '"n1"')
    assert is_right(sent, params)
    assert "proxy-authorization" not in sent.headers


def test_a_407_is_answered_in_proxy_authorization() -> None:
    sent = request("INVITE", "sip:bob@example.com", to="sip:bob@example.com")
    assert accounts().answer(sent, challenged(digest(), status=407))
    [params] = shown(sent, "Proxy-Authorization")
    assert is_right(sent, params)
    assert "authorization" not in sent.headers


@pytest.mark.parametrize("name", ["MD5", "SHA-256", "SHA-512-256", "MD5-sess", "SHA-256-sess", "SHA-512-256-sess"])
@pytest.mark.parametrize("qop", ['"auth"', '"auth-int"', '"auth-int, auth"', '"x,auth-int"'])
def test_every_algorithm_and_qop_is_answered_rightly(name: str, qop: str) -> None:
    sent = request("MESSAGE", "sip:bob@example.com", to="sip:bob@example.com", body=b"hello")
    assert accounts().answer(sent, challenged(digest(algorithm=name, qop=qop)))
    [params] = shown(sent)
    assert params["algorithm"] == name
    assert params["qop"] == ("auth" if '"auth"' in qop or ", auth" in qop else "auth-int")
    assert is_right(sent, params, algorithm=name)


@pytest.mark.parametrize("name", ["", "MD5", "SHA-256"])
def test_a_server_without_qop_gets_neither_qop_nor_cnonce(name: str) -> None:
    sent = request()
    assert accounts().answer(sent, challenged(digest(qop="", algorithm=name)))
    [params] = shown(sent)
    assert not {"qop", "cnonce", "nc"} & set(params)
    assert is_right(sent, params, algorithm=name or "MD5")


def test_what_must_be_quoted_is_quoted_and_nothing_else() -> None:
    """RFC 7616 §3.4, also where the server wrote it otherwise."""
    sent = request()
    text = 'Digest realm="example.com", nonce=abc, opaque=def, qop=auth, algorithm="MD5", userhash=true'
    assert accounts().answer(sent, challenged(text))
    [params] = shown(sent)
    quoted = {name for name, value in params.items() if value.startswith('"')}
    assert quoted == {"username", "realm", "nonce", "uri", "response", "opaque", "cnonce"}
    assert {name: params[name] for name in ("algorithm", "qop", "nc", "userhash")} == {
        "algorithm": "MD5",
        "qop": "auth",
        "nc": "00000001",
        "userhash": "true",
    }


def test_a_user_with_quotes_backslash_and_umlauts_is_written_as_it_is_hashed() -> None:
    user = 'al"i\\ce \u00e4'
    sent = request()
    assert accounts(Account(user, "secret")).answer(sent, challenged(digest(algorithm="SHA-256")))
    [params] = shown(sent)
    assert params["username"] == '"al\\"i\\\\ce \u00e4"'
    [parsed] = sent.headers.values("Authorization")
    assert parsed.username == user
    assert is_right(sent, {**params, "username": user}, algorithm="SHA-256")


def test_a_hashed_username_where_the_server_asks_for_it() -> None:
    """RFC 7616 §3.4.4: hashed after everything else."""
    sent = request()
    assert accounts().answer(sent, challenged(digest(algorithm="SHA-256", userhash="true")))
    [params] = shown(sent)
    assert params["userhash"] == "true"
    assert params["username"].strip('"') == user_hash("alice", "example.com", ALGORITHMS["sha-256"])
    assert is_right(sent, {**params, "username": "alice"}, algorithm="SHA-256")


def test_the_topmost_challenge_that_is_understood_is_answered() -> None:
    for order, expected in (
        (["SHA-256", "MD5"], "SHA-256"),
        (["MD5", "SHA-256"], "MD5"),
        (["SHA-512-256", "SHA-256", "MD5"], "SHA-512-256"),
        (["AKAv1-MD5", "SHA-3", "SHA-256"], "SHA-256"),
    ):
        sent = request()
        assert accounts().answer(sent, challenged(*(digest(algorithm=name) for name in order)))
        [params] = shown(sent)
        assert params["algorithm"] == expected


def test_a_weaker_algorithm_than_the_minimum_is_not_answered() -> None:
    """RFC 8760 §3: whoever strips the SHA-256 challenge on its way gets no MD5."""
    mine = accounts(Account("alice", "secret", minimum="SHA-256"))
    sent = request()
    assert not mine.answer(sent, challenged(digest(algorithm="MD5")))
    assert mine.answer(sent, challenged(digest(algorithm="MD5"), digest(algorithm="SHA-256")))
    assert shown(sent)[0]["algorithm"] == "SHA-256"


@pytest.mark.parametrize(
    "text",
    [
        'Basic realm="example.com"',
        'Bearer realm="example.com"',
        'NTLM realm="example.com", nonce="n1"',
        digest(algorithm="SHA-1"),
        digest(qop='"auth-conf"'),
        digest(qop='""'),
        digest(nonce=""),
        digest(qop="", algorithm="MD5-sess"),
        'Digest nonce="n1", qop="auth"',
        'Digest realm="example.com", qop="auth"',
        'Digest realm="example.com", realm="example.com", nonce="n1"',
        "Digest",
        "Digest =",
        "\u00e4",
    ],
)
def test_a_challenge_not_understood_is_ignored(text: str) -> None:
    alone = request()
    assert not accounts().answer(alone, challenged(text))
    assert shown(alone) == []
    beside = request()
    assert accounts().answer(beside, challenged(text, digest(nonce="n2")))
    assert [params["nonce"] for params in shown(beside)] == ['"n2"']


def test_neither_another_status_nor_ack_and_cancel_are_answered() -> None:
    for status in (200, 403, 494):
        assert not accounts().answer(request(), challenged(digest(), status=status, field="WWW-Authenticate"))
    for method in ("ACK", "CANCEL"):
        mine = accounts()
        assert mine.answer(request(), challenged(digest()))
        sent = request(method)
        assert not mine.answer(sent, challenged(digest()))
        mine.prepare(sent)
        assert shown(sent) == []


def test_several_realms_and_both_fields_in_one_response() -> None:
    """§22.3: what a forking proxy gathered."""
    mine = accounts(
        Account("alice", "secret", "a.example.com"), Account("al", "other", "b.example.com"), Account("ali", "third", "c.example.com")
    )
    response = challenged(digest("a.example.com", "na"), digest("b.example.com", "nb"), digest("x.example.com", "nx"))
    response.headers.append("Proxy-Authenticate", digest("c.example.com", "nc"))
    sent = request("INVITE", "sip:bob@example.com")
    assert mine.answer(sent, response)
    first, second = shown(sent)
    assert (first["realm"], first["username"], is_right(sent, first)) == ('"a.example.com"', '"alice"', True)
    assert (second["realm"], second["username"], is_right(sent, second, "other")) == ('"b.example.com"', '"al"', True)
    [third] = shown(sent, "Proxy-Authorization")
    assert (third["realm"], third["username"], is_right(sent, third, "third")) == ('"c.example.com"', '"ali"', True)


def test_two_servers_of_one_realm_get_the_same_account_and_each_its_nonce() -> None:
    """§22.3: a fork may have reached two proxies of one domain; what differs only in algorithm is a choice, not a second server."""
    mine = accounts()
    sent = request("INVITE")
    texts = [digest(nonce=nonce, algorithm=name) for nonce in ("n1", "n2", "n1") for name in ("SHA-256", "MD5")]
    assert mine.answer(sent, challenged(*texts, status=407))
    assert [(one["nonce"], one["algorithm"], one["username"]) for one in shown(sent, "Proxy-Authorization")] == [
        ('"n1"', "SHA-256", '"alice"'),
        ('"n2"', "SHA-256", '"alice"'),
    ]
    later = request("INVITE")
    mine.prepare(later)
    assert [(one["nonce"], one["nc"]) for one in shown(later, "Proxy-Authorization")] == [('"n1"', "00000002"), ('"n2"', "00000002")]


def test_many_challenges_buy_only_few_answers() -> None:
    sent = request()
    assert accounts().answer(sent, challenged(*(digest(nonce=f"n{number}") for number in range(500))))
    assert len(shown(sent)) == 4


@pytest.mark.parametrize("status", [401, 407])
def test_what_was_refused_is_not_tried_again(status: int) -> None:
    mine = accounts()
    sent = request()
    assert mine.answer(sent, challenged(digest(nonce="n1"), status=status))
    assert not mine.answer(sent, challenged(digest(nonce="n2"), status=status))
    assert shown(sent, field_of(status)) == []
    # Nor is it sent with the next request; whoever is challenged then may answer once.
    later = request()
    mine.prepare(later)
    assert shown(later, field_of(status)) == []
    assert mine.answer(later, challenged(digest(nonce="n3"), status=status))


def test_a_stale_nonce_is_answered_with_the_same_password_once() -> None:
    mine = accounts()
    sent = request()
    assert mine.answer(sent, challenged(digest(nonce="n1")))
    assert mine.answer(sent, challenged(digest(nonce="n2", stale="TRUE")))
    [params] = shown(sent)
    assert (params["nonce"], params["nc"]) == ('"n2"', "00000001")
    assert is_right(sent, params)
    assert not mine.answer(sent, challenged(digest(nonce="n3", stale="true")))


def test_a_nonce_that_is_stale_and_the_same_is_not_answered() -> None:
    mine = accounts()
    sent = request()
    assert mine.answer(sent, challenged(digest(nonce="n1")))
    assert not mine.answer(sent, challenged(digest(nonce="n1", stale="true")))


def test_credentials_sent_unasked_that_have_grown_stale_are_renewed() -> None:
    mine = accounts()
    assert mine.answer(request(), challenged(digest(nonce="n1")))
    sent = request()
    mine.prepare(sent)
    assert shown(sent)[0]["nc"] == "00000002"
    assert mine.answer(sent, challenged(digest(nonce="n2", stale="true")))
    assert not mine.answer(sent, challenged(digest(nonce="n3", stale="true")))


def test_two_servers_that_take_turns_in_being_stale_come_to_an_end() -> None:
    mine = accounts(Account("alice", "secret", "a.example.com"), Account("alice", "secret", "b.example.com"))
    sent = request()
    attempts = 0
    for turn in range(50):
        realm = "a.example.com" if turn % 2 else "b.example.com"
        if not mine.answer(sent, challenged(digest(realm, f"n{turn}", stale="true"), status=407)):
            break
        attempts += 1
    assert attempts == 4


def test_what_another_server_has_accepted_is_counted_on_when_a_second_one_asks() -> None:
    """Sent again unchanged, the first server would take it for a replay."""
    mine = accounts(Account("alice", "secret", "a.example.com"), Account("alice", "secret", "b.example.com"))
    sent = request("INVITE")
    assert mine.answer(sent, challenged(digest("a.example.com", "na"), status=407))
    assert mine.answer(sent, challenged(digest("b.example.com", "nb"), status=407))
    assert sorted((one["realm"], one["nc"]) for one in shown(sent, "Proxy-Authorization")) == [
        ('"a.example.com"', "00000002"),
        ('"b.example.com"', "00000001"),
    ]
    assert all(is_right(sent, one) for one in shown(sent, "Proxy-Authorization"))
    # The realm that is not in the request is not brought into it.
    assert mine.answer(sent, challenged(digest("a.example.com", "nw")))
    assert len(shown(sent)) == 1


def test_a_nonce_met_again_is_counted_on() -> None:
    mine = accounts()
    assert mine.answer(request(), challenged(digest(nonce="n1")))
    sent = request()
    assert mine.answer(sent, challenged(digest(nonce="n1")))
    assert shown(sent)[0]["nc"] == "00000002"


def test_credentials_of_another_realm_and_what_does_not_parse_stay_in_the_request() -> None:
    sent = request()
    sent.headers.append("Authorization", 'Digest username="x", realm="elsewhere.example.org", response="1"')
    sent.headers.append("Authorization", "garbage")
    assert accounts().answer(sent, challenged(digest()))
    texts = sent.headers.texts("Authorization")
    assert texts[:2] == ['Digest username="x", realm="elsewhere.example.org", response="1"', "garbage"]
    assert len(texts) == 3


def test_the_cseq_is_the_callers_business() -> None:
    sent = request()
    assert accounts().answer(sent, challenged(digest()))
    assert sent.cseq.number == 1


def test_credentials_are_remembered_for_one_to_and_realm() -> None:
    """§22.2: a 401's credentials go with the next request for that destination, and with no other."""
    mine = accounts()
    assert mine.answer(request(), challenged(digest()))
    same = request("SUBSCRIBE", AOR)
    mine.prepare(same)
    assert shown(same)[0]["nc"] == "00000002" and is_right(same, shown(same)[0])
    other = request("INVITE", "sip:bob@example.com", to="sip:bob@example.com")
    mine.prepare(other)
    assert shown(other) == []


def test_a_proxys_credentials_are_remembered_for_all_that_goes_through_it() -> None:
    """§22.3: the realm of the outbound proxy is ours, so they are kept across dialogs too."""
    mine = accounts()
    assert mine.answer(request("INVITE", "sip:bob@example.com"), challenged(digest(), status=407))
    later = request("MESSAGE", "sip:carol@example.org", to="sip:carol@example.org", route="<sip:example.com;lr>")
    mine.prepare(later)
    [params] = shown(later, "Proxy-Authorization")
    assert params["nc"] == "00000002" and is_right(later, params)


def test_the_place_used_least_lately_is_forgotten() -> None:
    mine = accounts()
    for number in range(300):
        assert mine.answer(request(to=f"sip:u{number}@example.com"), challenged(digest(nonce=f"n{number}")))
    first, last = request(to="sip:u0@example.com"), request(to="sip:u299@example.com")
    mine.prepare(first)
    mine.prepare(last)
    assert (len(shown(first)), len(shown(last))) == (0, 1)


def test_last_tries_are_remembered_for_many_requests_but_not_for_ever() -> None:
    mine = accounts()
    first = request(to="sip:first@example.com")
    for sent in [first, *(request() for _ in range(300))]:
        assert mine.answer(sent, challenged(digest(nonce="a")))
        assert mine.answer(sent, challenged(digest(nonce=f"b{id(sent)}", stale="true")))
    assert len(mine._last_tries) == 256


def test_a_session_key_is_made_once() -> None:
    """RFC 7616 §3.4.2: of the nonce and cnonce it began with."""
    mine = accounts()
    sent = request()
    assert mine.answer(sent, challenged(digest(algorithm="SHA-256-sess")))
    first = shown(sent)[0]
    later = request()
    mine.prepare(later)
    [params] = shown(later)
    assert (params["cnonce"], params["nc"]) == (first["cnonce"], "00000002")
    assert is_right(later, params, algorithm="SHA-256-sess")


def test_the_realms_asked_for_can_be_shown() -> None:
    response = challenged(digest("b"), digest("a"), digest("b", algorithm="SHA-256"), 'Basic realm="c"', "garbage")
    response.headers.append("Proxy-Authenticate", digest("d"))
    assert realms_of(response) == ["b", "a", "d"]


def test_where_a_request_goes_first() -> None:
    assert origin_of(request(uri="sip:alice@Example.com:5070")) == "example.com"
    assert origin_of(request(route="<sip:[2001:db8::1];lr>")) == "2001:db8::1"
    assert origin_of(Request("OPTIONS", "tel:+15551234")) is None
    assert origin_of(Request("OPTIONS", "sip:")) is None
    assert origin_of(request(route="<tel:+15551234>")) is None
    assert origin_of(request(route="<<")) is None


def test_a_request_without_from_and_to_is_answered_too() -> None:
    mine = accounts()
    for fields in ([], [("To", "<<"), ("From", "<<")], [("To", "<tel:+1>"), ("From", "<tel:+1>")]):
        sent = Request("REGISTER", "sip:example.com", fields)
        assert mine.answer(sent, challenged(digest(nonce=f"n{len(fields)}{fields}".replace('"', ""))))


def test_the_account_of_the_sender_is_taken_where_two_have_one_realm() -> None:
    mine = accounts(Account("bob", "other", "example.com"), Account("alice", "secret", "example.com"))
    sent = request()
    assert mine.answer(sent, challenged(digest()))
    assert shown(sent)[0]["username"] == '"alice"'
    stranger = request()
    stranger.headers.set("From", "<sip:carol@example.com>;tag=a1")
    assert mine.answer(stranger, challenged(digest()))
    assert shown(stranger)[0]["username"] == '"bob"'


def test_what_is_parsed_again_is_what_was_written() -> None:
    sent = request()
    assert accounts().answer(sent, challenged(digest(algorithm="SHA-256", opaque='"o"')))
    text = sent.headers.text("Authorization")
    assert text is not None and str(Credentials.parse(text)) == text


def test_reprs_show_no_secret() -> None:
    mine = accounts()
    assert mine.answer(request(), challenged(digest()))
    assert repr(mine) == "<Accounts alice>"
    [sessions] = [by_realm["example.com"] for by_realm in mine._sessions.values()]
    assert repr(sessions[0]) == "<Session 'alice' realm=\"example.com\" nc=1>"


def test_an_account_needs_a_realm_or_a_home() -> None:
    with pytest.raises(ValueError, match="realm or the host"):
        Accounts([Account("alice", "secret")], str)
