import pytest

from ringback.message.errors import SipParseError
from ringback.message.fields.challenge import Challenge


def test_every_part() -> None:
    challenge = Challenge.parse(
        'Digest realm="atlanta.com", domain="sip:boxesbybob.com", qop="auth, AUTH-INT,", nonce="f84f",'
        ' opaque="", stale=TRUE, algorithm=SHA-256'
    )
    assert challenge.is_digest
    assert (challenge.realm, challenge.nonce, challenge.opaque, challenge.algorithm) == ("atlanta.com", "f84f", "", "SHA-256")
    assert challenge.qop == ["auth", "auth-int"]
    assert challenge.is_stale
    assert challenge.param("domain") == "sip:boxesbybob.com"
    assert Challenge.parse(str(challenge)) == challenge
    assert repr(challenge) == "<Challenge Digest realm='atlanta.com'>"


def test_what_is_absent() -> None:
    challenge = Challenge.parse('digest realm="a"')
    assert (challenge.nonce, challenge.opaque, challenge.algorithm, challenge.qop, challenge.is_stale) == (None, None, "MD5", [], False)


def test_another_scheme() -> None:
    assert not Challenge.parse("Bearer authz_server=x").is_digest


@pytest.mark.parametrize("text", ["", "Digest", "Digest x", 'Digest realm="a', "Digest realm=a,"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(SipParseError):
        Challenge.parse(text)


def test_equality() -> None:
    assert Challenge.parse("DIGEST a=b") == Challenge("Digest", {"a": "b"})
    assert hash(Challenge.parse("DIGEST a=b")) == hash(Challenge("Digest", {"a": "b"}))
    assert Challenge("Digest", {"a": "b"}) != Challenge("Digest", {"a": "c"})
    assert Challenge("Digest", {"a": "b"}) != "Digest a=b"
