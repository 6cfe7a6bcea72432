"""The SQLite file behind the store: opened, its errors in one line."""

from __future__ import annotations

import contextlib
import ctypes
import shlex
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from profiler.errors import StepwallError, UsageError
from profiler.store.reading import Reader, connect, has_log, in_use, kind
from profiler.store.write_log import log_is_damaged

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
_COLUMNS = {
    "runs": {"id", "name", "created_at", "command", "environment", "finished"},
    **{name: {"run", "key", "data"} for name in ("measurements", "walls", "probes")},
}
# Files of versions 1 to 3 were never released, and are not read. Those of version 3 count a
# graph's nodes without those of its functions.
VERSION = 4
_WAL_TRIES = 100
LOCK_WAIT_S, _CLOSE_WAIT_S = 60.0, 5.0
_NO_ROOM_BYTES = 1 << 16
# What every database begins with.
_HEAD_BYTES = 100
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
_NO_PLACE = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}
T = TypeVar("T")
_MOVED = (
    "was removed or moved while it was written, with everything stored in it: if you still have "
    "it, put it back and continue with --resume"
)
_FULL = "the disk is full; what was stored is kept: free some space and continue with --resume"
LOST = "what was stored last, in the file of that name and -wal, cannot be read"
_WAIT = "another process has it locked: try again when that one has ended"
_ELSEWHERE = "use a --results folder that can be written"


class Database:
    """An open database; several threads may use it.

    It is opened for writing when something is first written: what only reads changes no file.
    """

    def __init__(self, path: Path, *, create: bool) -> None:
        """Open the file, made if ``create``; without, nothing of it can be changed.

        Raises:
            UsageError: if it cannot be opened, or is of another program or version of stepwall.
            StepwallError: if it cannot be read or written.
        """
        self.path = path
        self._lock = threading.RLock()
        self._may_write = create
        self._reader = Reader(path)
        self._writer: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None  # that is written
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        path = self.path
        with self._translated():
            size = path.stat().st_size if path.is_file() else _HEAD_BYTES * path.exists()
            if size < _HEAD_BYTES and has_log(path):  # SQLite would remove it
                raise StepwallError(
                    f"{path} is missing or empty, but what was to be added to it is in "
                    f"{path.name}-wal: move both away, or use another --results folder"
                )
            if 0 < size < _HEAD_BYTES:
                raise self.damaged("file is not a database")
            if self._may_write and not size:
                self.begin()
            elif not self._reader.read(self._check):
                self.begin()  # whoever made the file has not made its tables yet

    def fetch(self, query: str, values: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """Return the rows that a query finds."""
        return self.records(lambda *row: row, query, values)

    def records(self, read: Callable[..., T], query: str, values: tuple[Any, ...] = ()) -> list[T]:
        """Return what ``read`` makes of each row that a query finds; one row at a time is held."""

        def ask(connection: sqlite3.Connection) -> list[T]:
            return [read(*row) for row in connection.execute(query, values)]

        with self._translated():
            return ask(self._writer) if self._writer is not None else self._reader.read(ask)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Do all that is inside, or nothing of it."""
        with self._translated():
            connection = self.begin()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            if self._is_moved():
                raise StepwallError(f"{self.path}: {_MOVED}")

    def has_lost(self) -> bool:
        """Whether something was stored that can no longer be read."""
        return self._writer is None and not in_use(self.path) and log_is_damaged(self.path)

    def damage(self) -> str | None:
        """Return what is wrong with the structure of the file; None if nothing is."""
        if self.has_lost():
            return LOST
        try:
            ((found,),) = self.fetch("PRAGMA integrity_check(1)")
        except StepwallError as error:
            return str(error.__cause__ or error)
        return None if found == "ok" else str(found).replace("\n", " ").replace("*** ", "")

    def close(self) -> None:
        """Close the file, once a thread that an interrupt left behind has stored its point."""
        held = self._lock.acquire(timeout=_CLOSE_WAIT_S)
        if held:
            self._reader.close()
        if self._writer is not None and held and not self._is_moved():
            self._writer.close()
        elif self._writer is not None:
            # SQLite would remove the log that is there by its path: that of another database
            # now. So it is never closed, not even at Python's end.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._writer))
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

    def damaged(self, what: str) -> StepwallError:
        """Return the error of a file that is damaged, with what to do."""
        file = shlex.quote(str(self.path))
        return StepwallError(
            f"{self.path}: {what}: it is damaged. Move it away to start over; "
            f"'sqlite3 {file} .recover' prints what can be saved"
        )

    def begin(self) -> sqlite3.Connection:
        """Return the connection that writes, opened now if it is not yet.

        Raises:
            StepwallError: if the file is damaged, or cannot be written.
        """
        if self._writer is not None:
            return self._writer
        if not self._may_write:
            raise StepwallError(f"{self.path}: it was opened readonly")
        if self.path.exists() and self.path.stat().st_size and not in_use(self.path):
            # What is sound must not be lost by writing over it.
            wrong = self.damage()
            if wrong is not None:
                raise self.damaged(wrong)
        self._reader.close()
        with self._translated():
            writer = connect(self.path, "mode=rwc", wait_s=LOCK_WAIT_S)
            try:
                self._check(writer)
                _use_wal(writer)
                if _version(writer) == 0:
                    _make_tables(writer)
            except BaseException:
                writer.close()
                raise
        self._writer, self._file = writer, self._identity()
        return writer

    def _check(self, connection: sqlite3.Connection) -> bool:
        """Check that the file is ours, and that we can read it; return whether it has tables."""
        # In one statement: another process may be about to make the tables.
        query = """
            SELECT user_version,
                   (SELECT group_concat(name, '/') FROM sqlite_master WHERE type = 'table')
            FROM pragma_user_version"""
        version, names = connection.execute(query).fetchone()
        tables = set(names.split("/")) if names else set()
        if not tables:
            if self.has_lost():
                raise self.damaged(LOST)
            if version or not self._may_write:
                folder = str(self.path.parent)
                raise UsageError(f"no results in {folder!r}: run 'stepwall profile' first")
            return False
        if not {"runs", "measurements"} & tables or version == 0:
            raise UsageError(
                f"{self.path} is not a results database, another program made it: "
                "use another --results folder"
            )
        if version != VERSION:
            age, remedy = (
                ("a newer", "upgrade stepwall, or ") if version > VERSION else ("an older", "")
            )
            raise UsageError(
                f"{self.path} was written by {age} stepwall (schema {version}, this one reads "
                f"{VERSION}): {remedy}use another --results folder"
            )
        for table, columns in _COLUMNS.items():
            found = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
            if not columns <= found:
                lacks = ", ".join(sorted(columns - found))
                raise self.damaged(f"its table {table!r} lacks {lacks}")
        return True

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        # One connection serves the threads of a campaign, one at a time.
        try:
            with self._lock:
                yield
        except sqlite3.Error as error:
            raise self._told(error) from error
        except OSError as error:
            raise StepwallError(f"{self.path}: {error.strerror or error}") from error

    def _told(self, error: sqlite3.Error) -> StepwallError:
        code = kind(error)
        if self._is_full(error):
            return StepwallError(f"{self.path}: {_FULL}")
        if code in _DAMAGED:
            return self.damaged(str(error))
        if code in _LOCKED:
            return StepwallError(f"{self.path}: {_WAIT} ({error})")
        if code in _NO_PLACE:
            return UsageError(f"{self.path}: {error}: {_ELSEWHERE}")
        return StepwallError(f"{self.path}: {error}")

    def _is_full(self, error: sqlite3.Error) -> bool:
        return kind(error) == sqlite3.SQLITE_FULL or (
            kind(error) == sqlite3.SQLITE_IOERR
            and shutil.disk_usage(self.path.parent).free < _NO_ROOM_BYTES
        )


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _make_tables(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    if _version(connection) == 0:  # another process may have been faster
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def _use_wal(connection: sqlite3.Connection) -> None:
    # SQLite does not wait for a lock here: two first runs at once would fail.
    for _ in range(_WAL_TRIES):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            time.sleep(0.05)
        else:
            return
    connection.execute("PRAGMA journal_mode=WAL")
