"""Writes bindings into the store in batches, one commit for each, on a thread of its own: a slow disk never stops the loop."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue

from ringback.server.location.binding import Binding
from ringback.server.store import Store, StoreError, StoreUnavailable, store_error

_COLUMNS = "id, aor, contact, params, q, expires_at, expires, call_id, cseq, path, source, flow, instance, reg_id, era"
_ROW = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

# Rows in one statement: 64 × 15 values stay below the 999 that an SQLite of any build takes, and above it nothing is gained.
_ROWS = 64
_INSERTS = [f"INSERT OR REPLACE INTO binding ({_COLUMNS}) VALUES {', '.join([_ROW] * n)}" for n in range(1, _ROWS + 1)]  # noqa: S608 - no value in it
_DELETES = [f"DELETE FROM binding WHERE id IN ({', '.join('?' * n)})" for n in range(1, _ROWS + 1)]  # noqa: S608 - no value in it
# Pages after which the log is copied into the database and begun again.
_LOG_PAGES = 300
_SHIFT = "UPDATE binding SET expires_at = expires_at + ?"


def _cell(text: str) -> str | bytes:
    """`text` as SQLite can keep it: octets that were no UTF-8 make it a BLOB."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape")
    return text


def _text(cell: str | bytes) -> str:
    return cell if isinstance(cell, str) else cell.decode("utf-8", "surrogateescape")


def read(connection: sqlite3.Connection, wall: float, offset: float) -> Iterator[Binding]:
    """The bindings of the store that live on at `wall`, oldest row first; those that do not are deleted.

    None lives longer from now than it was granted, whatever the clock said when it was stored.
    """
    connection.execute("DELETE FROM binding WHERE expires_at <= ?", (wall,))
    connection.execute("UPDATE binding SET expires_at = ?1 + expires WHERE expires_at > ?1 + expires", (wall,))
    for row, aor, contact, params, q, at, expires, call_id, cseq, path, source, flow, instance, reg_id, era in connection.execute(
        f"SELECT {_COLUMNS} FROM binding ORDER BY id"  # noqa: S608 - no value in it
    ):
        yield Binding(
            row, _text(aor), _text(contact), _text(params), q, at - offset, expires, _text(call_id), cseq, _text(path), source,
            flow, _text(instance), reg_id, era,
        )  # fmt: skip


class Batch:
    """What one commit writes: the rows as they shall be (None: gone), and by how many seconds all other deadlines move first.

    `offset` turns the monotonic clock of the bindings into the wall clock of the store.
    """

    __slots__ = ("offset", "rows", "shift")

    def __init__(self, rows: dict[int, Binding | None], offset: float, shift: float = 0.0) -> None:
        self.rows = rows
        self.offset = offset
        self.shift = shift

    def statements(self) -> list[tuple[str, list[str | bytes | float]]]:
        """As SQL with its values, few statements for many rows: each one costs a release of the interpreter's lock."""
        kept: list[Binding] = []
        gone: list[float] = []
        for row, binding in self.rows.items():
            if binding is None:
                gone.append(row)
            else:
                kept.append(binding)
        statements: list[tuple[str, list[str | bytes | float]]] = []
        if self.shift:
            statements.append((_SHIFT, [self.shift]))
        offset = self.offset
        for start in range(0, len(kept), _ROWS):
            some = kept[start : start + _ROWS]
            values: list[str | bytes | float] = []
            for b in some:
                values += (
                    b.row, _cell(b.aor), _cell(b.contact), _cell(b.params), b.q, b.expires_at + offset, b.expires,
                    _cell(b.call_id), b.cseq, _cell(b.path), b.source, b.flow, _cell(b.instance), b.reg_id, b.era,
                )  # fmt: skip
            statements.append((_INSERTS[len(some) - 1], values))
        for start in range(0, len(gone), _ROWS):
            ids: list[str | bytes | float] = [*gone[start : start + _ROWS]]
            statements.append((_DELETES[len(ids) - 1], ids))
        return statements

    def write(self, connection: sqlite3.Connection) -> None:
        """All of it, committed, or nothing of it and `sqlite3.Error`."""
        statements = self.statements()
        if len(statements) == 1:
            # In autocommit mode one statement is a transaction already.
            connection.execute(*statements[0])
            return
        try:
            connection.execute("BEGIN IMMEDIATE")
            for statement, values in statements:
                connection.execute(statement, values)
            connection.execute("COMMIT")
        except sqlite3.Error:
            # A full disk has rolled back by itself, a busy COMMIT has not.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _reserve(connection: sqlite3.Connection) -> None:
    """Makes the write-ahead log as long as it will ever be: where it does not grow, a commit costs a third less (no inode to write)."""
    try:
        (page,) = connection.execute("PRAGMA page_size").fetchone()
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('reserve', zeroblob(?))", (page * (_LOG_PAGES + 100),))
        connection.execute("DELETE FROM meta WHERE name = 'reserve'")
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
    except sqlite3.Error:
        # A full disk or a lock: commits will tell, and this was only for speed.
        return


class Journal:
    """The thread that writes batches, one after another, in the order they were submitted."""

    def __init__(self, store: Store, wake: Callable[[], None]) -> None:
        """`wake` is called on the writer's thread after each batch; the outcome then waits in `outcome`."""
        self._store = store
        self._connection: sqlite3.Connection = store.connect()
        _reserve(self._connection)
        self._wake = wake
        self._batches: SimpleQueue[Batch | None] = SimpleQueue()
        self._outcomes: SimpleQueue[StoreError | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="ringback-journal", daemon=True)
        self._thread.start()

    def submit(self, batch: Batch) -> None:
        """Hands a batch over to be written."""
        self._batches.put(batch)

    def outcome(self, timeout: float = 0) -> StoreError | None:
        """How the oldest batch that has not been asked about ended: None where it is committed. Waits at most `timeout` seconds; raises
        `TimeoutError` where it has not ended.
        """
        try:
            return self._outcomes.get(timeout > 0, timeout)
        except Empty:
            raise TimeoutError("the batch is still being written") from None

    def close(self, timeout: float) -> None:
        """Ends the thread once it has written what was submitted; a disk that never answers is left behind after `timeout` seconds."""
        self._batches.put(None)
        self._thread.join(timeout)

    def _run(self) -> None:
        while (batch := self._batches.get()) is not None:
            outcome: StoreError | None = None
            try:
                batch.write(self._connection)
                if not self._store.is_in_place():
                    outcome = StoreUnavailable(f"{self._store.path}: the file was removed or replaced; the server must be started again")
            except sqlite3.Error as error:
                outcome = store_error(error, self._store.path)
            self._outcomes.put(outcome)
            # The batch's bindings must not live until the next one comes.
            del batch
            self._wake()
        self._connection.close()
