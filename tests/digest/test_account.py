"""An account: what it keeps, what it refuses, and what it never shows."""

import hashlib

import pytest

from ringback.digest import ALGORITHMS, Account
from ringback.digest.account import home_of

MD5 = hashlib.md5(b"alice:example.com:secret").hexdigest()


def test_a_password_is_kept_only_until_the_realm_is_known() -> None:
    """RFC 7616 §5.2: the HA1s of one realm are all that is needed."""
    named = Account("alice", "secret", "example.com")
    assert named._password is None
    bound = Account("alice", "secret")
    assert bound._password == "secret"
    bound.bind("example.com")
    assert bound._password is None
    assert bound.realm == "example.com"
    for account in (named, bound):
        assert account.ha1(ALGORITHMS["md5"]) == account.ha1(ALGORITHMS["md5-sess"]) == MD5
        assert account.ha1(ALGORITHMS["sha-256"]) == hashlib.sha256(b"alice:example.com:secret").hexdigest()
        assert all(account.can_use(algorithm) for algorithm in ALGORITHMS.values())


def test_an_account_of_ha1s_can_only_what_they_can() -> None:
    account = Account("alice", realm="example.com", ha1s={"md5": MD5.upper()})
    assert account.ha1(ALGORITHMS["md5"]) == MD5
    assert [name for name, one in ALGORITHMS.items() if account.can_use(one)] == ["md5", "md5-sess"]


def test_a_minimum_keeps_weaker_algorithms_out() -> None:
    account = Account("alice", "secret", minimum="sha-256")
    assert not account.can_use(ALGORITHMS["md5"])
    assert account.can_use(ALGORITHMS["sha-256"]) and account.can_use(ALGORITHMS["sha-512-256-sess"])


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({"user": "a:b", "password": "p"}, "colon"),
        ({"user": "a\r\nX: y", "password": "p"}, "CR"),
        ({"user": "a\0", "password": "p"}, "NUL"),
        ({"user": "alice"}, "a password or HA1s"),
        ({"user": "alice", "password": "p", "realm": "r", "ha1s": {"MD5": MD5}}, "a password or HA1s"),
        ({"user": "alice", "ha1s": {"MD5": MD5}}, "realm"),
        ({"user": "alice", "realm": "r", "ha1s": {"SHA-1": MD5}}, "unknown digest algorithm"),
        ({"user": "alice", "realm": "r", "ha1s": {"MD5-sess": MD5}}, "unknown digest algorithm"),
        ({"user": "alice", "realm": "r", "ha1s": {"SHA-256": MD5}}, "64 hexadecimal digits"),
        ({"user": "alice", "realm": "r", "ha1s": {"MD5": "z" * 32}}, "32 hexadecimal digits"),
        ({"user": "alice", "password": "p", "minimum": "SHA-1"}, "unknown digest algorithm"),
    ],
)
def test_what_cannot_be_an_account(arguments: dict[str, object], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Account(**arguments)  # type: ignore[arg-type]  # that is what is tested


def test_a_repr_shows_no_secret() -> None:
    assert repr(Account("alice", "secret")) == "<Account 'alice' realm=None>"


def test_homes_are_compared_without_case_brackets_and_final_dot() -> None:
    assert [home_of(host) for host in ("Example.COM.", "[2001:DB8::1]", "192.0.2.1")] == ["example.com", "2001:db8::1", "192.0.2.1"]
