"""Reading an SQLite file and leaving it, and all that stands beside it, byte for byte as it was."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from profiler.filelock import FileLock

T = TypeVar("T")

_TRIES, _PAUSE_S = 20, 0.01
_LOCK_WAIT_S = 10.0
_LOCKS = Path("/proc/locks")
# Nobody is connected who keeps the table of locks in order, or it cannot be used as it is.
_NO_LOCKS = {
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PROTOCOL,
}


def connect(path: Path, options: str, *, wait_s: float) -> sqlite3.Connection:
    """Return a connection to a file, whose texts that are no UTF-8 come as bytes."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{options}",
        uri=True,
        timeout=wait_s,
        check_same_thread=False,
        # Python 3.11's implicit transactions start too late for a check-then-insert.
        isolation_level=None,
    )
    connection.text_factory = _text
    return connection


def has_log(path: Path) -> bool:
    """Whether a writer, at work or killed, has left something to be merged into the file."""
    log = _beside(path, "-wal")
    return log.is_file() and log.stat().st_size > 0


def in_use(path: Path) -> bool:
    """Whether a process that lives may be writing the file: what is read may change meanwhile."""
    return _is_locked(_beside(path, "-shm"))


def kind(error: sqlite3.Error) -> int:
    """Return the primary code of an SQLite error, which is the low byte of the extended one."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


class Reader:
    """A database that is read; nothing of it can be changed.

    Whoever opens a database in the ordinary way merges into it what a killed writer left, rolls
    back, or makes files beside it. So a file without a log is read as one that nobody changes, and
    read again where somebody did. Beside a log the writers' table of locks is used, but not
    changed; where there is none, or its writer is gone, a copy is read.
    """

    def __init__(self, path: Path) -> None:
        """Read this file, which is opened when something is asked for."""
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._opened_at: object = None
        self._is_shared = False
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self._copy_lock: FileLock | None = None

    def read(self, ask: Callable[[sqlite3.Connection], T]) -> T:
        """Return what ``ask`` finds in one state of the database.

        Raises:
            sqlite3.Error: if it cannot be read.
            OSError: if a copy is needed, and cannot be made.
        """
        for number in range(_TRIES):
            time.sleep(number * _PAUSE_S)
            before = self._state()
            try:
                found = ask(self._connected(before))
            except (sqlite3.Error, OSError):  # a log that is to be copied may be gone meanwhile
                if self._is_shared or self._state() == before:
                    raise
                continue
            if self._is_shared or self._state() == before:
                return found
        raise sqlite3.OperationalError("it is being written all the time")

    def close(self) -> None:
        """Close the file, and remove a copy."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._copy_lock is not None:
            self._copy_lock.release()
            self._copy_lock = None
        if self._copy is not None:
            self._copy.cleanup()
            self._copy = None

    def _connected(self, state: object) -> sqlite3.Connection:
        if self._connection is None or not (self._is_shared or self._opened_at == state):
            self.close()
            self._opened_at = state
            self._is_shared = False
            self._connection = self._open()
        return self._connection

    def _open(self) -> sqlite3.Connection:
        if not has_log(self._path):
            return connect(self._path, "immutable=1", wait_s=0)
        if in_use(self._path):
            shared = connect(self._path, "mode=ro&readonly_shm=1", wait_s=_LOCK_WAIT_S)
            try:
                shared.execute("SELECT count(*) FROM sqlite_master").fetchone()
            except sqlite3.Error as error:
                shared.close()
                if kind(error) not in _NO_LOCKS:
                    raise
            else:
                self._is_shared = True
                return shared
        self._copy = tempfile.TemporaryDirectory(prefix="stepwall-", ignore_cleanup_errors=True)
        # Else another stepwall takes it for what a killed one left.
        self._copy_lock = FileLock.take_folder(Path(self._copy.name))
        copy = Path(self._copy.name) / self._path.name
        for suffix in ("", "-wal"):
            shutil.copyfile(_beside(self._path, suffix), _beside(copy, suffix))
        connection = connect(copy, "mode=rw", wait_s=0)
        connection.execute("PRAGMA query_only = 1")
        return connection

    def _state(self) -> object:
        """Return what changes where somebody writes."""
        found: list[tuple[int, int, int] | None] = []
        for suffix in ("", "-wal"):
            try:
                stat = _beside(self._path, suffix).stat()
            except OSError:
                found.append(None)
            else:
                found.append((stat.st_ino, stat.st_size, stat.st_mtime_ns))
        return found


def _is_locked(path: Path) -> bool:
    """Whether a process that lives holds a lock on a file, as everybody does who has it open.

    SQLite alone would try for 10 s to make sense of what a killed writer left. Opening the file to
    ask for its locks would free those that this process has on it.
    """
    try:
        inode = str(path.stat().st_ino)
        locks = _LOCKS.read_text("utf-8").split()
    except OSError:
        return False
    return inode in {word.rpartition(":")[2] for word in locks if ":" in word}


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.name}{suffix}")


def _text(raw: bytes) -> str | bytes:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw
