"""The SQLite file behind the store: opened, its errors in one line."""

from __future__ import annotations

import contextlib
import ctypes
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from profiler.errors import StepwallError, UsageError

_SCHEMA = """
CREATE TABLE runs (
    id TEXT PRIMARY KEY, name TEXT UNIQUE NOT NULL, created_at TEXT NOT NULL,
    command TEXT NOT NULL, environment TEXT NOT NULL, finished INTEGER NOT NULL DEFAULT 0);
CREATE TABLE measurements (
    run TEXT NOT NULL REFERENCES runs(id), key TEXT NOT NULL, data TEXT NOT NULL,
    PRIMARY KEY (run, key));
CREATE TABLE walls (
    run TEXT NOT NULL REFERENCES runs(id), key TEXT NOT NULL, data TEXT NOT NULL,
    PRIMARY KEY (run, key));
CREATE TABLE probes (
    run TEXT NOT NULL REFERENCES runs(id), key TEXT NOT NULL, data TEXT NOT NULL,
    PRIMARY KEY (run, key))
"""
# Files of versions 1 to 3 were never released, and are not read. Those of version 3 count a
# graph's nodes without those of its functions.
VERSION = 4
_WAL_TRIES = 100
_LOCK_WAIT_S, _CLOSE_WAIT_S = 60.0, 5.0
_NO_ROOM_BYTES = 1 << 16
_NO_ACCESS = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}
_NO_PLACE = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}
T = TypeVar("T")
_MOVED = (
    "was removed or moved while it was written, and with it what was stored: where it is kept, "
    "put it back and go on by --resume"
)
_FULL = "the disk is full; what was stored is kept: free some space and go on by --resume"


class Database:
    """An open database; several threads may use it."""

    def __init__(self, path: Path, *, create: bool) -> None:
        """Open the file, made if ``create``; without, nothing of it can be changed.

        Raises:
            UsageError: if it cannot be opened, or another version of stepwall wrote it.
            StepwallError: if it is damaged, or the disk is full.
        """
        self.path = path
        self._lock = threading.RLock()
        # Whoever closes a file last merges into it what a killed writer left in its log: only a
        # connection that cannot write leaves that to the next writer. Elsewhere it would leave
        # files of its own beside it.
        unmerged = not create and self._has_log()
        self._connection = self._connect("?mode=ro" if unmerged else "")
        with self._translated():
            try:
                version = self._version()
            except sqlite3.OperationalError as error:
                if create or _kind(error) not in _NO_PLACE or not self.path.is_file() or unmerged:
                    raise
                # Reading takes a file of its own beside it: none can be made on a full or a
                # read-only disk, and none is needed where nobody writes.
                self._connection.close()
                self._connection = self._connect("?immutable=1")
                version = self._version()
            self._file = self._identity()
            self._prepare(version, create=create)

    def fetch(self, query: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Return the rows that a query finds."""
        return self.records(lambda *row: row, query, values)

    def records(self, read: Callable[..., T], query: str, values: tuple[Any, ...] = ()) -> list[T]:
        """Return what ``read`` makes of each row that a query finds; one row at a time is held."""
        with self._translated():
            return [read(*row) for row in self._connection.execute(query, values)]

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Do all that is inside, or nothing of it."""
        with self._translated():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            if self._is_moved():
                raise StepwallError(f"{self.path}: {_MOVED}")

    def close(self) -> None:
        """Close the file, once a thread that an interrupt left behind has stored its point."""
        held = self._lock.acquire(timeout=_CLOSE_WAIT_S)
        if held and not self._is_moved():
            self._connection.close()
        else:
            # SQLite would remove the log that is there by its path: that of another database
            # now. So it is never closed, not even at Python's end.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._connection))
        if held:
            self._lock.release()

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _is_moved(self) -> bool:
        """Whether there is no file any more where it was opened, or another one."""
        return self._identity() != self._file

    def _connect(self, options: str) -> sqlite3.Connection:
        try:
            # Python 3.11's implicit transactions start too late for a check-then-insert.
            return sqlite3.connect(
                f"{self.path.absolute().as_uri()}{options}",
                uri=True,
                timeout=_LOCK_WAIT_S,
                check_same_thread=False,
                isolation_level=None,
            )
        except sqlite3.OperationalError as error:
            folder = str(self.path.parent)
            raise UsageError(f"results folder {folder!r} cannot be used: {error}") from None

    def _version(self) -> int:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        return int(version)

    def _has_log(self) -> bool:
        """Whether a writer, at work or killed, has left something to be merged."""
        log = self.path.with_name(f"{self.path.name}-wal")
        return log.exists() and log.stat().st_size > 0

    def _prepare(self, version: int, *, create: bool) -> None:
        if version not in {0, VERSION}:
            age, remedy = (
                ("a newer", "upgrade stepwall, or ") if version > VERSION else ("an older", "")
            )
            raise UsageError(
                f"{self.path} was written by {age} stepwall (schema {version}, this one reads "
                f"{VERSION}): {remedy}use another --results folder"
            )
        if not create:
            self._connection.execute("PRAGMA query_only = 1")
            return
        self._use_wal()
        if version == 0:
            self._make_tables()

    def _make_tables(self) -> None:
        with self.transaction() as connection:
            if self._version() == 0:  # another process may have been faster
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {VERSION}")

    def _use_wal(self) -> None:
        # SQLite does not wait for a lock here: two first runs at once would fail.
        for _ in range(_WAL_TRIES):
            try:
                self._connection.execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                    raise
                time.sleep(0.05)
            else:
                return
        self._connection.execute("PRAGMA journal_mode=WAL")

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        # One connection serves the threads of a campaign, one at a time.
        try:
            with self._lock:
                yield
        except sqlite3.DatabaseError as error:
            reason = _FULL if self._is_full(error) else error
            kind = UsageError if _kind(error) in _NO_ACCESS else StepwallError
            raise kind(f"{self.path}: {reason}") from error

    def _is_full(self, error: sqlite3.DatabaseError) -> bool:
        return _kind(error) == sqlite3.SQLITE_FULL or (
            _kind(error) == sqlite3.SQLITE_IOERR
            and shutil.disk_usage(self.path.parent).free < _NO_ROOM_BYTES
        )


def _kind(error: sqlite3.DatabaseError) -> int:
    """Return the primary code of an SQLite error, which is the low byte of the extended one."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
