"""Accounts: the table of the store, and the copy that a running server checks requests against."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.digest import ha1
from ringback.server.store import Store, StoreError
from ringback.server.users import ALGORITHMS, MAX_PASSWORD, User, UserError, Users, UserTable, keys_of
from tests.server.proving import hashed

DOMAIN = "example.com"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path)
    yield store
    store.close()


def test_an_account_is_its_hashes_and_nothing_else_is_kept(store: Store) -> None:
    UserTable(store).add("alice", DOMAIN, "open sesame")
    users = Users(store)
    for algorithm in ALGORITHMS:
        assert users.ha1("alice", DOMAIN, algorithm) == hashed(algorithm, f"alice:{DOMAIN}:open sesame")
    store.close()
    kept = b"".join(path.read_bytes() for path in store.path.parent.iterdir())
    assert b"alice" in kept
    assert b"open sesame" not in kept


def test_what_is_too_weak_for_a_user_is_not_even_kept(store: Store) -> None:
    UserTable(store).add("alice", DOMAIN, "p", "SHA-256")
    users = Users(store)
    assert users.ha1("alice", DOMAIN, "MD5") != ha1("alice", DOMAIN, "p", "MD5")
    assert users.ha1("alice", DOMAIN, "SHA-256") == ha1("alice", DOMAIN, "p", "SHA-256")
    [row] = store.connection.execute("SELECT md5, minimum FROM user")
    assert row == (None, "SHA-256")


def test_whoever_is_unknown_has_a_key_that_nobody_can_know() -> None:
    users = Users()
    users.add("alice", DOMAIN, "p")
    assert users.ha1("bob", DOMAIN, "MD5") == users.ha1("carol", "other.example", "MD5") != Users().ha1("bob", DOMAIN, "MD5")
    assert len(users.ha1("bob", DOMAIN, "MD5")) == 32
    assert len(users.ha1("bob", DOMAIN, "SHA-512-256")) == 64
    # H(A1) covers the name and the realm as they are.
    for name, domain in (("Alice", DOMAIN), ("alice", "example.org"), ("alice ", DOMAIN)):
        assert users.ha1(name, domain, "MD5") == users.ha1("bob", DOMAIN, "MD5")


def test_the_verbs(store: Store) -> None:
    table = UserTable(store)
    table.add("bob", "example.org", "1")
    table.add("alice", DOMAIN, "2", "SHA-512-256")
    assert table.list() == [User("alice", DOMAIN, "SHA-512-256"), User("bob", "example.org", None)]
    with pytest.raises(UserError, match=r"alice@example\.com exists already"):
        table.add("alice", DOMAIN, "3")
    table.change_password("alice", DOMAIN, "4")
    assert Users(store).ha1("alice", DOMAIN, "MD5") == ha1("alice", DOMAIN, "4", "MD5")
    table.remove("bob", "example.org")
    assert table.list() == [User("alice", DOMAIN, None)]
    for verb in (lambda: table.remove("bob", "example.org"), lambda: table.change_password("bob", "example.org", "x")):
        with pytest.raises(UserError, match=r"there is no user bob@example\.org"):
            verb()


@pytest.mark.parametrize("name", ["", "a:b", "a\nb", "a\0b", "\udcff", "x" * 257, "a\u2028b", "\x7f"])
def test_names_nobody_can_have(store: Store, name: str) -> None:
    with pytest.raises(UserError, match="no user can be called") as caught:
        UserTable(store).add(name, DOMAIN, "p")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("password", ["", "x" * (MAX_PASSWORD + 1), "\udcff"])
def test_passwords_nobody_can_have(store: Store, password: str) -> None:
    with pytest.raises(UserError, match="password"):
        UserTable(store).add("alice", DOMAIN, password)
    assert UserTable(store).list() == []


@given(name=st.text(min_size=1, max_size=40), password=st.text(min_size=1, max_size=40))
def test_whatever_is_taken_comes_back_as_it_was(name: str, password: str) -> None:
    """SQL, LDAP, HTML, line ends, odd Unicode: a name is refused or kept to the letter, and there is one row."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        connection.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID")
        connection.execute(
            "CREATE TABLE user (id INTEGER PRIMARY KEY, name, domain, minimum, md5, sha256, sha512_256, UNIQUE (domain, name))"
        )
        connection.execute("CREATE TABLE forwarding (domain, name, condition, target, ring_for)")
        table = UserTable(_InMemory(connection))
        try:
            table.add(name, DOMAIN, password)
        except UserError as error:
            refusal = str(error)
        else:
            refusal = ""
        if refusal:
            assert refusal.isprintable()
            assert table.list() == []
        else:
            assert table.list() == [User(name, DOMAIN, None)]
            tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall()
            assert tables == [("forwarding",), ("meta",), ("user",)]
            table.remove(name, DOMAIN)
            assert table.list() == []
    finally:
        connection.close()


class _InMemory(Store):
    """A store of no file, with the tables it is given."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.path = Path(":memory:")
        self._held = None
        self._opened = connection


def test_a_change_by_another_process_is_seen(tmp_path: Path, store: Store) -> None:
    users = Users(store)
    assert not users.refresh()
    other = Store(tmp_path, is_shared=True)
    table = UserTable(other)
    table.add("alice", DOMAIN, "p")
    assert len(users) == 0
    assert users.refresh()
    assert (len(users), users.domains) == (1, (DOMAIN,))
    assert not users.refresh()
    # What else is written is no reason to read them all again.
    other.secret("another")
    assert not users.refresh()
    table.change_password("alice", DOMAIN, "q")
    assert users.refresh()
    assert users.ha1("alice", DOMAIN, "MD5") == ha1("alice", DOMAIN, "q", "MD5")
    table.remove("alice", DOMAIN)
    assert users.refresh()
    assert (len(users), users.domains) == (0, ())
    other.close()


def test_the_domains_stand_in_the_order_of_their_oldest_accounts(store: Store) -> None:
    table = UserTable(store)
    for name, domain in (("b", "z.example"), ("a", "a.example"), ("a", "z.example")):
        table.add(name, domain, "p")
    assert Users(store).domains == ("z.example", "a.example")


def test_a_store_that_fails_is_an_error_and_the_accounts_stay(tmp_path: Path, store: Store) -> None:
    UserTable(store).add("alice", DOMAIN, "p")
    users = Users(store)
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("UPDATE meta SET value = 99 WHERE name = 'users'")
    other.execute("DROP TABLE user")
    other.close()
    with pytest.raises(StoreError, match="no such table"):
        users.refresh()
    assert users.ha1("alice", DOMAIN, "MD5") == ha1("alice", DOMAIN, "p", "MD5")
    for verb in (UserTable(store).list, lambda: UserTable(store).remove("alice", DOMAIN)):
        with pytest.raises(StoreError, match="no such table"):
            verb()
    assert not store.connection.in_transaction


def test_without_a_store_there_is_nothing_to_read_again() -> None:
    users = Users()
    users.add("alice", DOMAIN, "p")
    assert not users.refresh()
    assert len(users) == 1


def test_keys_are_made_for_the_algorithms_that_count() -> None:
    assert [key is not None for key in keys_of("a", DOMAIN, "p", "SHA-512-256")] == [False, False, True]
    assert [key is not None for key in keys_of("a", DOMAIN, "p", None)] == [True, True, True]
