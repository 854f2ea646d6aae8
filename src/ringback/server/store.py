"""The SQLite file that outlives the server: its schema, its secret keys, and connections that commit with fsync."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import IO

_lock: Callable[[IO[str]], None] | None
try:
    import fcntl
except ImportError:  # pragma: no cover - a system without flock: two servers on one folder are not told apart there
    _lock = None
else:

    def _lock_file(file: IO[str]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    _lock = _lock_file

FILE = "ringback.db"

BUSY_TIMEOUT = 0.5
"""Seconds a commit waits for another process's lock before it fails; a REGISTER is then refused within the second."""

# One script for each step from a schema version to the next; the newest version is their number. Never edit one that was released.
_STEPS = (
    """
    CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
    CREATE TABLE secret (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE binding (
        id INTEGER PRIMARY KEY,
        aor TEXT NOT NULL,          -- sip:user@host
        contact TEXT NOT NULL,      -- the URI as registered
        params TEXT NOT NULL,       -- the Contact's parameters as registered, without expires
        q REAL NOT NULL,
        expires_at REAL NOT NULL,   -- seconds since 1970
        expires INTEGER NOT NULL,   -- the interval granted, in seconds
        call_id TEXT NOT NULL,
        cseq INTEGER NOT NULL,
        path TEXT NOT NULL,         -- RFC 3327
        source TEXT NOT NULL        -- whence the REGISTER came
    );
    """,
    """
    CREATE TABLE user (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        domain TEXT NOT NULL,
        minimum TEXT,               -- the weakest algorithm that counts, NULL where any does
        md5 BLOB,                   -- H(A1) of RFC 7616 by each algorithm, NULL where it would be too weak
        sha256 BLOB,
        sha512_256 BLOB,
        UNIQUE (domain, name)
    );
    """,
    """
    ALTER TABLE binding ADD COLUMN flow TEXT NOT NULL DEFAULT '';       -- names the flow its REGISTER came over
    ALTER TABLE binding ADD COLUMN instance TEXT NOT NULL DEFAULT '';   -- RFC 5626: the URN of the user agent
    ALTER TABLE binding ADD COLUMN reg_id INTEGER NOT NULL DEFAULT 0;   -- RFC 5626: which of its flows
    ALTER TABLE binding ADD COLUMN era INTEGER NOT NULL DEFAULT 0;      -- RFC 5627: which temporary GRUUs are good
    """,
    """
    CREATE TABLE forwarding (
        domain TEXT NOT NULL,
        name TEXT NOT NULL,
        condition TEXT NOT NULL,    -- always, busy, no_answer, unregistered
        target TEXT NOT NULL,       -- the URI that calls go to instead
        ring_for REAL,              -- seconds until nobody has answered
        PRIMARY KEY (domain, name, condition)
    ) WITHOUT ROWID;
    """,
)
SCHEMA = len(_STEPS)

# What passes by itself: a lock that is let go, space that is freed, a disk that comes back.
_PASSING = {
    sqlite3.SQLITE_BUSY: "the database is locked by another process",
    sqlite3.SQLITE_LOCKED: "the database is locked",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk cannot be read or written",
    sqlite3.SQLITE_READONLY: "the database cannot be written",
    sqlite3.SQLITE_CANTOPEN: "the database cannot be opened",
}


class StoreError(Exception):
    """The store cannot be used; the text says which file and why."""


class StoreUnavailable(StoreError):  # noqa: N818 - a state, not a fault of anyone's
    """The store cannot commit at the moment but may do so later; the text says why."""


def store_error(error: sqlite3.Error, path: str | Path) -> StoreError:
    """What an error of SQLite means for the server."""
    # The low byte is the primary code; the rest tells kinds of it apart.
    passing = _PASSING.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
    if passing is not None:
        return StoreUnavailable(f"{path}: {passing} ({error})")
    return StoreError(f"{path}: {error}")


class Store:
    """One open `ringback.db`. Used from one thread; whoever writes on a thread of its own takes a `connect()` of its own."""

    def __init__(self, folder: str | Path, *, is_shared: bool = False) -> None:
        """Opens the file in `folder`, creating both; raises `StoreError` where it is damaged, newer than this program, or in use.

        `is_shared`: beside a server that may have it open, for whoever touches no binding.
        """
        self.path = Path(folder) / FILE
        self._held: IO[str] | None = None
        self._opened: sqlite3.Connection | None = None
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not is_shared:
                self._hold()
            # The file holds keys: nobody else may read it. SQLite gives its companions (-wal, -shm) the same mode.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            self._opened = self.connect()
            self._upgrade(self._opened)
            self._file = os.stat(self.path)
        except OSError as error:
            self.close()
            raise StoreError(f"{self.path}: {error.strerror}") from error
        except sqlite3.Error as error:
            self.close()
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                way_out = "restore it from a backup, or move it away to begin anew"
                raise StoreError(f"{self.path}: damaged, or no database: {way_out}") from error
            raise store_error(error, self.path) from error
        except StoreError:
            self.close()
            raise

    def _hold(self) -> None:
        """Two servers on one file would give the same row ids to different bindings and lose some."""
        if _lock is None:  # pragma: no cover - see the import
            return
        self._held = open(self.path.with_suffix(".lock"), "w")  # noqa: SIM115 - held open as long as the store is
        try:
            _lock(self._held)
        except OSError as error:
            raise StoreError(f"{self.path}: in use by another server") from error

    def is_in_place(self) -> bool:
        """Whether the file that was opened is still the one at its path: what is written into a removed file is lost with it."""
        try:
            return os.path.samestat(os.stat(self.path), self._file)
        except OSError:
            return False

    def connect(self) -> sqlite3.Connection:
        """A new connection in autocommit mode, usable from any one thread; each commit is on the disk when it returns."""
        connection = sqlite3.connect(self.path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False, cached_statements=256)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _upgrade(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        version = 0
        if "meta" in tables:
            found = connection.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()
            version = found[0] if found and isinstance(found[0], int) else -1
        elif tables:
            version = -1
        if version < 0:
            raise StoreError(f"{self.path}: not a database of Ringback")
        if version > SCHEMA:
            raise StoreError(f"{self.path}: its schema is version {version}, this program knows {SCHEMA}: use a newer Ringback")
        for step in _STEPS[version:]:
            # executescript would commit first; one statement at a time keeps the upgrade one transaction.
            for statement in step.split(";"):
                connection.execute(statement)
        if version < SCHEMA:
            connection.execute("INSERT OR REPLACE INTO meta VALUES ('schema', ?)", (SCHEMA,))
        connection.execute("COMMIT")

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection of the thread that opened the store; raises `StoreError` once that is closed."""
        if self._opened is None:
            raise StoreError(f"{self.path}: closed")
        return self._opened

    def change(self, *statements: tuple[str, tuple[object, ...]]) -> list[int]:
        """Runs statements with their values in one transaction; gives how many rows each changed. Raises `StoreError`, and nothing has
        changed; a constraint that does not hold is left as `sqlite3.IntegrityError`.
        """
        connection = self.connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            counts = [connection.execute(statement, values).rowcount for statement, values in statements]
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.IntegrityError):
                raise
            raise store_error(error, self.path) from error
        return counts

    def secret(self, name: str) -> bytes:
        """The 32 random octets kept under `name`, made and committed the first time they are asked for."""
        connection = self.connection
        try:
            connection.execute("INSERT OR IGNORE INTO secret VALUES (?, ?)", (name, secrets.token_bytes(32)))
            (value,) = connection.execute("SELECT value FROM secret WHERE name = ?", (name,)).fetchone()
        except sqlite3.Error as error:
            raise store_error(error, self.path) from error
        return bytes(value)

    def close(self) -> None:
        """Closes the file and lets another server have it."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None
        if self._held is not None:
            self._held.close()
            self._held = None
