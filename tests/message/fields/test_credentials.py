import pytest

from ringback.message.errors import SipParseError
from ringback.message.fields.credentials import Credentials


def test_every_part() -> None:
    credentials = Credentials.parse(
        'Digest username="bob\\"", realm="biloxi.com", nonce="dcd9", uri="sip:bob@biloxi.com", qop=AUTH, nc=0000000a, cnonce="0a4f",'
        ' response="6629", opaque="5ccc", algorithm=SHA-256'
    )
    assert credentials.is_digest
    assert (credentials.username, credentials.realm, credentials.nonce) == ('bob"', "biloxi.com", "dcd9")
    assert (credentials.uri, credentials.response, credentials.algorithm) == ("sip:bob@biloxi.com", "6629", "SHA-256")
    assert (credentials.qop, credentials.nonce_count, credentials.cnonce, credentials.opaque) == ("auth", 10, "0a4f", "5ccc")
    assert Credentials.parse(str(credentials)) == credentials


def test_what_is_absent() -> None:
    credentials = Credentials.parse('Digest username="a"')
    assert (credentials.qop, credentials.nonce_count, credentials.algorithm) == (None, None, "MD5")


@pytest.mark.parametrize("count", ["1", "0000000g", "000000001", "0x000001"])
def test_a_malformed_nonce_count_is_found_when_asked_for(count: str) -> None:
    credentials = Credentials.parse(f"Digest nc={count}")
    with pytest.raises(SipParseError):
        _ = credentials.nonce_count


def test_bearer() -> None:
    credentials = Credentials.parse("Bearer eyJ.abc/_~+-==")
    assert credentials.token68 == "eyJ.abc/_~+-=="
    assert not credentials.is_digest
    assert str(credentials) == "Bearer eyJ.abc/_~+-=="


def test_a_scheme_no_one_knows() -> None:
    credentials = Credentials.parse("NoOneKnowsThisScheme opaque-data=here")
    assert credentials.params == {"opaque-data": "here"}
    assert credentials.token68 is None


@pytest.mark.parametrize("text", ["", "Digest", 'Digest username="a', "Digest a=b c=d"])
def test_what_is_none(text: str) -> None:
    with pytest.raises(SipParseError):
        Credentials.parse(text)


def test_its_repr_tells_no_secret() -> None:
    assert repr(Credentials.parse('Digest username="bob", response="6629"')) == "<Credentials Digest username='bob'>"
    assert repr(Credentials.parse("Bearer abc")) == "<Credentials Bearer username=None>"


def test_equality() -> None:
    assert Credentials.parse("BEARER abc") == Credentials("Bearer", token68="abc")
    assert hash(Credentials.parse("BEARER abc")) == hash(Credentials("Bearer", token68="abc"))
    assert Credentials("Bearer", token68="abc") != Credentials("Bearer", token68="abd")
    assert Credentials("Bearer", token68="abc") != "Bearer abc"
