"""The SQLite file: what it keeps, and what it says where it cannot."""

import sqlite3
import stat
from pathlib import Path

import pytest

from ringback.server.location.journal import read
from ringback.server.store import SCHEMA, Store, StoreError, StoreUnavailable, store_error


def test_a_secret_is_made_once_and_kept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    secret = store.secret("record-route")
    assert len(secret) == 32
    assert store.secret("record-route") == secret
    assert store.secret("another") != secret
    store.close()
    again = Store(tmp_path)
    assert again.secret("record-route") == secret
    again.close()


def test_the_folder_is_made_and_the_file_is_nobody_elses(tmp_path: Path) -> None:
    store = Store(tmp_path / "deep" / "data")
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    store.close()


def test_commits_reach_the_disk(tmp_path: Path) -> None:
    store = Store(tmp_path)
    connection = store.connect()
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    connection.close()
    store.close()


def test_a_second_server_is_told_that_the_store_is_in_use(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(StoreError, match=r"ringback\.db: in use by another server"):
        Store(tmp_path)
    store.close()
    Store(tmp_path).close()


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.close()
    with sqlite3.connect(store.path) as connection:
        connection.execute("UPDATE meta SET value = ? WHERE name = 'schema'", (SCHEMA + 1,))
    connection.close()
    with pytest.raises(StoreError, match=f"its schema is version {SCHEMA + 1}, this program knows {SCHEMA}"):
        Store(tmp_path)
    # A refusal holds nothing: the same file can be opened by whoever can read it.
    with pytest.raises(StoreError, match="its schema is version"):
        Store(tmp_path)


@pytest.mark.parametrize("tables", ["CREATE TABLE phonebook (x)", "CREATE TABLE meta (name, value)"])
def test_a_database_of_something_else_is_refused(tmp_path: Path, tables: str) -> None:
    with sqlite3.connect(tmp_path / "ringback.db") as connection:
        connection.execute(tables)
    connection.close()
    with pytest.raises(StoreError, match="not a database of Ringback"):
        Store(tmp_path)


def test_a_damaged_file_is_refused_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "ringback.db").write_bytes(b"this is no database, but long enough to be looked at " * 100)
    with pytest.raises(StoreError, match=r"ringback\.db: damaged, or no database: restore it from a backup"):
        Store(tmp_path)


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"file/data/ringback\.db: "):
        Store(tmp_path / "file" / "data")


def test_a_store_locked_by_another_process_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringback.server.store.BUSY_TIMEOUT", 0.05)
    Store(tmp_path).close()
    other = sqlite3.connect(tmp_path / "ringback.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked by another process"):
        Store(tmp_path)
    other.execute("ROLLBACK")
    other.close()
    Store(tmp_path).close()


def test_a_secret_that_cannot_be_kept_is_an_error(tmp_path: Path) -> None:
    store = Store(tmp_path)
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("DROP TABLE secret")
    other.close()
    with pytest.raises(StoreError, match="no such table"):
        store.secret("record-route")
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.secret("record-route")


def test_an_error_says_whether_it_may_pass() -> None:
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    busy = sqlite3.OperationalError("database is locked")
    busy.sqlite_errorcode = sqlite3.SQLITE_BUSY_SNAPSHOT
    assert isinstance(store_error(full, "x.db"), StoreUnavailable)
    assert "the disk is full" in str(store_error(full, "x.db"))
    assert isinstance(store_error(busy, "x.db"), StoreUnavailable)
    assert not isinstance(store_error(sqlite3.ProgrammingError("closed"), "x.db"), StoreUnavailable)


def older(path: Path, *undone: str) -> None:
    """Makes a store what one of an earlier schema is, with a binding."""
    with sqlite3.connect(path) as connection:
        for column in ("flow", "instance", "reg_id", "era"):
            connection.execute(f"ALTER TABLE binding DROP COLUMN {column}")
        for statement in undone:
            connection.execute(statement)
        connection.execute("INSERT INTO binding VALUES (1, 'sip:a@b', 'sip:a@c', ';+x', 0.5, 4e9, 60, 'call', 1, '', '192.0.2.1')")
    connection.close()


def test_a_database_of_the_first_schema_opens_and_keeps_what_it_has(tmp_path: Path) -> None:
    store = Store(tmp_path)
    secret = store.secret("record-route")
    store.close()
    older(store.path, "DROP TABLE user", "DROP TABLE forwarding", "UPDATE meta SET value = 1 WHERE name = 'schema'")
    again = Store(tmp_path)
    assert again.secret("record-route") == secret
    assert again.connection.execute("SELECT aor FROM binding").fetchall() == [("sip:a@b",)]
    assert again.connection.execute("SELECT count(*) FROM user").fetchone() == (0,)
    again.close()


def test_bindings_of_the_second_schema_have_no_flow_and_no_instance(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.close()
    older(store.path, "DROP TABLE forwarding", "UPDATE meta SET value = 2 WHERE name = 'schema'")
    again = Store(tmp_path)
    (binding,) = read(again.connection, 1e9, 1e9)
    assert (binding.contact, binding.params, binding.source) == ("sip:a@c", ";+x", "192.0.2.1")
    assert (binding.flow, binding.instance, binding.reg_id, binding.era) == ("", "", 0, 0)
    assert again.connection.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone() == (SCHEMA,)
    again.close()


def test_a_shared_store_opens_beside_a_server(tmp_path: Path) -> None:
    store = Store(tmp_path)
    Store(tmp_path, is_shared=True).close()
    with pytest.raises(StoreError, match="in use by another server"):
        Store(tmp_path)
    store.close()
