"""The algorithms and what is computed with them, against the RFCs' own examples."""

import pytest

from ringback.digest.algorithm import ALGORITHMS, algorithms, ha1, request_digest, session_key, user_hash

NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
REALM = "http-auth@example.org"


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


def test_rfc_7616_3_9_2_with_a_hashed_user() -> None:
    """The published response is SHA-512 cut to 256 bits (erratum 4897); the algorithm named, SHA-512/256, gives the erratum's values."""
    algorithm = ALGORITHMS["sha-512-256"]
    user = "J\u00e4s\u00f8n Doe"
    assert user_hash(user, "api@example.org", algorithm) == "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"
    digest = request_digest(
        algorithm,
        ha1(user, "api@example.org", "Secret, or not?", "SHA-512-256"),
        "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
        "00000001",
        "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
        "auth",
        "GET",
        "/doe.json",
        b"",
    )
    assert digest == "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"
