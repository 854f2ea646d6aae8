import pytest

from ringback.message.errors import SipParseError
from ringback.message.fields.authentication_info import AuthenticationInfo


def test_every_part() -> None:
    info = AuthenticationInfo.parse('nextnonce="47364c23432d2e131a5fb210812c", qop=auth')
    assert info.next_nonce == "47364c23432d2e131a5fb210812c"
    assert (info.param("qop"), info.param("rspauth")) == ("auth", None)
    assert str(info) == 'nextnonce="47364c23432d2e131a5fb210812c", qop=auth'
    assert repr(info) == f"<AuthenticationInfo {info}>"


def test_what_is_none() -> None:
    with pytest.raises(SipParseError):
        AuthenticationInfo.parse("nextnonce")


def test_equality() -> None:
    assert AuthenticationInfo.parse("A=b") == AuthenticationInfo({"a": "b"})
    assert hash(AuthenticationInfo.parse("A=b")) == hash(AuthenticationInfo({"a": "b"}))
    assert AuthenticationInfo({"a": "b"}) != AuthenticationInfo({})
    assert AuthenticationInfo({}) != ""
