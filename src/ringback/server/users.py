"""Who has an account: a table of the store, and the copy of it in memory that every request is checked against (RFC 3261 §22, RFC 7616).

No password is kept, only what digest needs of it: one H(A1) for each algorithm.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from ringback.digest import ha1
from ringback.server.store import Store, store_error

ALGORITHMS = ("MD5", "SHA-256", "SHA-512-256")
"""What a password is kept for, weakest first (RFC 8760)."""

MAX_PASSWORD = 1_024
_MAX_NAME = 256
# Octets of each algorithm's H(A1), in the order of ALGORITHMS; an account in memory is the three of them in one piece.
_LENGTHS = (16, 32, 32)
_SLICES = {"MD5": slice(0, 16), "SHA-256": slice(16, 48), "SHA-512-256": slice(48, 80)}
_ABSENT = tuple(bytes(length) for length in _LENGTHS)

_INSERT = "INSERT INTO user (name, domain, minimum, md5, sha256, sha512_256) VALUES (?, ?, ?, ?, ?, ?)"
_UPDATE = "UPDATE user SET minimum = ?, md5 = ?, sha256 = ?, sha512_256 = ? WHERE name = ? AND domain = ?"
# Whoever changes a user changes this too, so that a server sees it without reading all users again and again.
CHANGED = "INSERT INTO meta VALUES ('users', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1", ()


class UserError(ValueError):
    """What was asked for cannot be done; the text is one line."""


class User(NamedTuple):
    """An account as it is listed: `minimum` is the weakest algorithm that counts, None where any does."""

    name: str
    domain: str
    minimum: str | None


def checked_name(name: str) -> str:
    """A user's name, if a user can be called so; raises `UserError`."""
    # RFC 7616 §3.4.4: a colon would end the name within A1.
    if not name or len(name) > _MAX_NAME or not name.isprintable() or ":" in name:
        raise UserError(f"no user can be called {ascii(name)[:60]}: 1 to {_MAX_NAME} printable characters, no colon")
    return name


def keys_of(name: str, domain: str, password: str, minimum: str | None) -> tuple[bytes | None, ...]:
    """H(A1) by each algorithm, None for those weaker than `minimum`; raises `UserError` where the password cannot be one."""
    if not password or len(password) > MAX_PASSWORD:
        raise UserError(f"a password has 1 to {MAX_PASSWORD} characters")
    try:
        password.encode()
    except UnicodeEncodeError:
        raise UserError("a password is text in UTF-8") from None
    first = 0 if minimum is None else ALGORITHMS.index(minimum)
    return tuple(
        None if rank < first else bytes.fromhex(ha1(name, domain, password, algorithm)) for rank, algorithm in enumerate(ALGORITHMS)
    )


class UserTable:
    """The accounts in the store, for the command line: each method is one transaction, and raises `UserError` or `StoreError`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, name: str, domain: str, password: str, minimum: str | None = None) -> None:
        """Makes an account that there is not yet."""
        keys = keys_of(checked_name(name), domain, password, minimum)
        try:
            self._change(_INSERT, name, domain, minimum, *keys)
        except sqlite3.IntegrityError:
            raise UserError(f"{name}@{domain} exists already; `ringback user password` gives a new password") from None

    def change_password(self, name: str, domain: str, password: str, minimum: str | None = None) -> None:
        """Gives an account a new password, and the minimum named with it."""
        if not self._change(_UPDATE, minimum, *keys_of(name, domain, password, minimum), name, domain):
            raise _unknown(name, domain)

    def remove(self, name: str, domain: str) -> None:
        """Ends an account and its call forwarding. What it registered lasts until it expires."""
        forwarding = "DELETE FROM forwarding WHERE name = ? AND domain = ?", (name, domain)
        account = "DELETE FROM user WHERE name = ? AND domain = ?", (name, domain)
        if not self._store.change(forwarding, account, CHANGED)[1]:
            raise _unknown(name, domain)

    def list(self) -> list[User]:
        """Every account, by domain and name."""
        try:
            rows = self._store.connection.execute("SELECT name, domain, minimum FROM user ORDER BY domain, name")
            return [User(*row) for row in rows]
        except sqlite3.Error as error:
            raise store_error(error, self._store.path) from error

    def _change(self, statement: str, *values: object) -> int:
        """How many rows the statement changed, committed."""
        return self._store.change((statement, values), CHANGED)[0]


def _unknown(name: str, domain: str) -> UserError:
    return UserError(f"there is no user {name}@{domain}")


class Users:
    """The accounts as the running server knows them: some 300 octets each, so that a stranger's guess costs no disk.

    With a store they are read from it, and `refresh` reads them again where they were changed; without one they are what `add` was told.
    """

    def __init__(self, store: Store | None = None) -> None:
        """Raises `StoreError` where they cannot be read."""
        self._store = store
        self._keys: dict[tuple[str, str], bytes] = {}
        self._domains: dict[str, None] = {}
        # Whoever is unknown is looked up like anybody else, and has a password that nobody knows.
        self._nobody = secrets.token_bytes(sum(_LENGTHS))
        self._seen = (-1, -1)
        if store is not None:
            self._seen = self._version(store.connection)
            self._read(store.connection)

    def __contains__(self, name_and_domain: tuple[str, str]) -> bool:
        """Whether there is such an account."""
        return name_and_domain in self._keys

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def domains(self) -> tuple[str, ...]:
        """The domains that have users, in the order of their oldest accounts."""
        return tuple(self._domains)

    def add(self, name: str, domain: str, password: str, minimum: str | None = None) -> None:
        """Makes an account, or gives it a new password, in memory alone."""
        self._put(checked_name(name), domain, keys_of(name, domain, password, minimum))

    def knows(self, name: str, domain: str) -> bool:
        """Whether there is such an account."""
        return (name, domain) in self._keys

    def ha1(self, name: str, domain: str, algorithm: str) -> str:
        """H(A1) of a user in hexadecimal digits; of an unknown one, or one who may not use the algorithm, something nobody can know."""
        keys = self._keys.get((name, domain), self._nobody)[_SLICES[algorithm]]
        return (keys if any(keys) else self._nobody[_SLICES[algorithm]]).hex()

    def refresh(self) -> bool:
        """Reads the accounts again where another process has changed them; says whether it did.

        Where nothing was changed this costs a glance at SQLite's own counter. Raises `StoreError`.
        """
        if self._store is None:
            return False
        connection = self._store.connection
        try:
            (data_version,) = connection.execute("PRAGMA data_version").fetchone()
            if data_version == self._seen[0]:
                return False
            seen = self._version(connection)
            has_changed = seen[1] != self._seen[1]
            if has_changed:
                self._read(connection)
            self._seen = seen
        except sqlite3.Error as error:
            raise store_error(error, self._store.path) from error
        return has_changed

    def _version(self, connection: sqlite3.Connection) -> tuple[int, int]:
        """SQLite's counter of other connections' commits, and ours of changed users."""
        (data_version,) = connection.execute("PRAGMA data_version").fetchone()
        found = connection.execute("SELECT value FROM meta WHERE name = 'users'").fetchone()
        return data_version, 0 if found is None else found[0]

    def _read(self, connection: sqlite3.Connection) -> None:
        rows: Iterator[tuple[str, str, bytes | None, bytes | None, bytes | None]] = connection.execute(
            "SELECT name, domain, md5, sha256, sha512_256 FROM user ORDER BY id"
        )
        before = self._keys, self._domains
        self._keys, self._domains = {}, {}
        try:
            for name, domain, *keys in rows:
                self._put(name, domain, keys)
        except sqlite3.Error:
            self._keys, self._domains = before
            raise

    def _put(self, name: str, domain: str, keys: tuple[bytes | None, ...] | list[bytes | None]) -> None:
        self._domains[domain] = None
        self._keys[name, domain] = b"".join([absent if key is None else key for key, absent in zip(keys, _ABSENT, strict=True)])
