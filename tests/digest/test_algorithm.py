"""The algorithms and what is computed with them, against the RFCs' own examples."""

import hashlib

import pytest

from ringback.digest.algorithm import ALGORITHMS, algorithms, ha1, request_digest, session_key, user_hash
from tests.digest import oracle

NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
REALM = "http-auth@example.org"
JASON = "J\u00e4s\u00f8n Doe"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_rfc_7616_3_9_1(name: str, expected: str) -> None:
    algorithm = ALGORITHMS[name.lower()]
    key = ha1("Mufasa", REALM, "Circle of Life", name)
    assert request_digest(algorithm, key, NONCE, "00000001", CNONCE, "auth", "GET", "/dir/index.html", b"") == expected


def _jason(algorithm: str, hashed: str) -> str:
    """The response of RFC 7616 §3.9.2 with an HA1 computed elsewhere."""
    return request_digest(
        ALGORITHMS[algorithm],
        hashed,
        "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
        "00000001",
        "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
        "auth",
        "GET",
        "/doe.json",
        b"",
    )


def test_rfc_7616_3_9_2_computed_with_the_algorithm_it_names() -> None:
    """The values the RFC prints were made with SHA-512 cut to 256 bits, another algorithm; SHA-512/256 gives these."""
    algorithm = ALGORITHMS["sha-512-256"]
    printed = "488869477bf257147b804c45308cd62ac4e25eb717b12b298c79e62dcea254ec"
    assert hashlib.sha512(f"{JASON}:api@example.org".encode()).hexdigest()[:64] == printed
    assert user_hash(JASON, "api@example.org", algorithm) == "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"
    key = ha1(JASON, "api@example.org", "Secret, or not?", "SHA-512-256")
    assert _jason("sha-512-256", key) == "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"


def test_rfc_2617_3_5() -> None:
    key = ha1("Mufasa", "testrealm@host.com", "Circle Of Life")
    assert key == "939e7578ed9e3c518a452acee763bce9"
    digest = request_digest(
        ALGORITHMS["md5"], key, "dcd98b7102dd2f0e8b11d0f600bfb0c093", "00000001", "0a4f113b", "auth", "GET", "/dir/index.html", b""
    )
    assert digest == "6629fae49393a05397450978507c4ef1"


def test_without_qop_it_is_what_rfc_2069_computes() -> None:
    """The pair of RFC 2069's example with its arithmetic done as RFC 2617 §3.2.2.1 says."""
    key = ha1("Mufasa", "testrealm@host.com", "CircleOfLife")
    nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093"
    assert request_digest(ALGORITHMS["md5"], key, nonce, "00000001", "ignored", None, "GET", "/dir/index.html", b"") == (
        "1949323746fe6a43ef61f9606e7febea"
    )


def test_an_empty_body_counts_as_the_hash_of_nothing() -> None:
    """§22.4 item 7 and RFC 8760 §2.6 item 7, with the hashes they print."""
    for name, empty in (
        ("md5", "d41d8cd98f00b204e9800998ecf8427e"),
        ("sha-256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ):
        algorithm = ALGORITHMS[name]
        assert algorithm.hash(b"") == empty
        ha2 = algorithm.hash(f"BYE:sip:bob@example.com:{empty}".encode())
        digest = request_digest(algorithm, "key", "n", "00000001", "c", "auth-int", "BYE", "sip:bob@example.com", b"")
        assert digest == algorithm.hash(f"key:n:00000001:c:auth-int:{ha2}".encode())


@pytest.mark.parametrize("name", ["MD5", "SHA-256", "SHA-512-256", "MD5-sess", "SHA-256-sess", "SHA-512-256-sess"])
@pytest.mark.parametrize("qop", ["auth", "auth-int", None])
def test_every_algorithm_agrees_with_the_oracle(name: str, qop: str | None) -> None:
    algorithm = ALGORITHMS[name.lower()]
    key = ha1("b\u00f6b", "r", 'p"\\:w', name)
    assert key == oracle.hashed(name, 'b\u00f6b:r:p"\\:w'.encode())
    if algorithm.is_session:
        key = session_key(algorithm, key, "nonce", "cnonce")
    computed = request_digest(algorithm, key, "nonce", "0000000a", "cnonce", qop, "INVITE", "sip:a@b", b"v=0\r\n")
    assert len(computed) == algorithm.digits
    assert computed == oracle.response(
        user="b\u00f6b",
        realm="r",
        password='p"\\:w',
        algorithm=name,
        nonce="nonce",
        method="INVITE",
        uri="sip:a@b",
        qop=qop,
        nc="0000000a",
        cnonce="cnonce",
        body=b"v=0\r\n",
    )


def test_names_and_passwords_are_normalised_before_they_are_hashed() -> None:
    """RFC 7616 §4: Normalization Form C."""
    assert ha1("a\u0308", "r", "o\u0308", "SHA-256") == ha1("\u00e4", "r", "\u00f6", "SHA-256")
    assert ha1("\u00e4", "r", "\u00f6") == hashlib.md5("\u00e4:r:\u00f6".encode()).hexdigest()


def test_what_is_no_algorithm_and_no_user() -> None:
    with pytest.raises(ValueError, match="unknown digest algorithm"):
        ha1("alice", "r", "p", "SHA-1")
    with pytest.raises(ValueError, match="colon"):
        ha1("al:ice", "r", "p")


def test_a_library_without_sha_512_256_has_the_others() -> None:
    assert sorted(algorithms({"md5", "sha256"})) == ["md5", "md5-sess", "sha-256", "sha-256-sess"]
    assert repr(ALGORITHMS["sha-256-sess"]) == "<Algorithm SHA-256-sess>"
