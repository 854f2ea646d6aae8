"""Authentication-Info at the client: the server's proof and its next nonce (RFC 7616 §3.5)."""

import pytest

from ringback.digest import Account, Accounts
from ringback.message.message import Request, Response
from tests.digest import oracle
from tests.digest.party import accounts, challenged, digest, is_right, request, shown


def answered(algorithm: str = "SHA-256", qop: str = '"auth"', status: int = 401) -> tuple[Accounts, Request, dict[str, str]]:
    mine = accounts()
    sent = request()
    assert mine.answer(sent, challenged(digest(algorithm=algorithm, qop=qop), status=status))
    field = "Authorization" if status == 401 else "Proxy-Authorization"
    return mine, sent, {name: value.strip('"') for name, value in shown(sent, field)[0].items()}


def proof(params: dict[str, str], algorithm: str, body: bytes = b"", password: str = "secret") -> str:
    return oracle.response(
        user="alice",
        realm="example.com",
        password=password,
        algorithm=algorithm,
        nonce=params["nonce"],
        method="",
        uri=params["uri"],
        qop=params.get("qop"),
        nc=params.get("nc", ""),
        cnonce=params.get("cnonce", ""),
        body=body,
    )


def ok(info: str, field: str = "Authentication-Info", body: bytes = b"") -> Response:
    return Response(200, None, [(field, info)], body)


def nonce_after(mine: Accounts, field: str = "Authorization") -> tuple[str, str]:
    later = request()
    mine.prepare(later)
    [params] = shown(later, field)
    return params["nonce"], params["nc"]


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", "SHA-512-256", "SHA-256-sess"])
@pytest.mark.parametrize("qop", ['"auth"', '"auth-int"'])
def test_the_proof_of_a_server_that_knows_the_password(algorithm: str, qop: str) -> None:
    mine, sent, params = answered(algorithm, qop)
    body = b"contacts"
    right = f'rspauth="{proof(params, algorithm, body)}", qop={params["qop"]}, cnonce="{params["cnonce"]}", nc={params["nc"]}'
    assert mine.accepted(sent, ok(right, body=body))
    wrong = right.replace('rspauth="', 'rspauth="0')
    assert not mine.accepted(sent, ok(wrong, body=body))
    assert mine.accepted(sent, ok(right, body=b"other")) is (qop == '"auth"')


def test_a_server_without_the_password_gives_no_nonce() -> None:
    mine, sent, params = answered()
    false = proof(params, "SHA-256", password="guessed")
    assert not mine.accepted(sent, ok(f'rspauth="{false}", cnonce="{params["cnonce"]}", nc=00000001, qop=auth, nextnonce="n2"'))
    assert nonce_after(mine) == ('"n1"', "00000002")


def test_the_next_nonce_is_used_from_one() -> None:
    mine, sent, _ = answered()
    assert mine.accepted(sent, ok('nextnonce="n\\"2"'))
    later = request()
    mine.prepare(later)
    [params] = shown(later)
    assert (params["nonce"], params["nc"]) == ('"n\\"2"', "00000001")
    assert is_right(later, {**params, "nonce": 'n"2'}, algorithm="SHA-256")


def test_a_next_nonce_that_comes_late_changes_nothing() -> None:
    """Two requests were under way: the second answer's nonce is not overtaken by the first one's."""
    mine, sent, _ = answered()
    assert mine.accepted(sent, ok('nextnonce="n2"'))
    assert mine.accepted(sent, ok('nextnonce="n3"'))
    assert nonce_after(mine) == ('"n2"', "00000001")


def test_a_session_key_outlives_its_nonce() -> None:
    """RFC 7616 §3.4.2: nonce-prime is the challenge's."""
    mine, sent, first = answered("SHA-256-sess")
    assert mine.accepted(sent, ok('nextnonce="n2"'))
    later = request()
    mine.prepare(later)
    [params] = shown(later)
    secret = oracle.hashed("SHA-256", b"alice:example.com:secret")
    key = oracle.hashed("SHA-256", f"{secret}:n1:{first['cnonce']}".encode())
    ha2 = oracle.hashed("SHA-256", b"REGISTER:sip:example.com")
    assert params["response"].strip('"') == oracle.hashed("SHA-256", f"{key}:n2:00000001:{first['cnonce']}:auth:{ha2}".encode())


def test_a_proxys_info() -> None:
    mine, sent, params = answered(status=407)
    assert mine.accepted(sent, ok('nextnonce="n2"', "Proxy-Authentication-Info"))
    assert nonce_after(mine, "Proxy-Authorization") == ('"n2"', "00000001")
    assert params["nonce"] == "n1"


def test_a_server_of_rfc_2069_that_proves_itself_all_the_same() -> None:
    mine, sent, params = answered("MD5", "")
    assert mine.accepted(sent, ok(f'rspauth="{proof(params, "MD5")}"'))
    assert not mine.accepted(sent, ok(f'rspauth="{"0" * 32}"'))


@pytest.mark.parametrize("info", ["", "garbage", 'nextnonce=""', 'cnonce="of another", nextnonce="n2"', "qop=auth"])
def test_what_says_nothing_changes_nothing(info: str) -> None:
    mine, sent, _ = answered()
    assert mine.accepted(sent, ok(info))
    assert nonce_after(mine) == ('"n1"', "00000002")


def test_an_answer_of_a_session_that_is_over_changes_nothing() -> None:
    mine, sent, _ = answered()
    assert mine.answer(sent, challenged(digest(nonce="n2", algorithm="SHA-256", stale="true")))
    overtaken = request()
    overtaken.headers.append("Authorization", digest(nonce="n1").replace("qop", 'cnonce="old", qop'))
    assert mine.accepted(overtaken, ok('nextnonce="n3"'))
    assert nonce_after(mine) == ('"n2"', "00000002")


def test_without_the_field_nothing_changes() -> None:
    mine, sent, _ = answered()
    assert mine.accepted(sent, Response(200))
    assert nonce_after(mine) == ('"n1"', "00000002")


def test_an_info_is_taken_only_where_it_is_clear_whose_it_is() -> None:
    mine = accounts(Account("alice", "secret", "a.example.com"), Account("alice", "secret", "b.example.com"))
    sent = request()
    sent.headers.append("Authorization", "garbage")
    assert mine.answer(sent, challenged(digest("a.example.com", "na"), digest("b.example.com", "nb")))
    second = shown(sent)[1]
    assert mine.accepted(sent, ok('nextnonce="n2"'))
    assert mine.accepted(sent, ok(f'nextnonce="n3", cnonce={second["cnonce"]}'))
    later = request()
    mine.prepare(later)
    assert [one["nonce"] for one in shown(later)] == ['"na"', '"n3"']
