"""Where results are kept: one SQLite database, one commit per measurement."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from profiler.errors import StepwallError, UsageError, did_you_mean
from profiler.results import (
    Certificate,
    Environment,
    Measurement,
    Run,
    from_json,
    to_json,
)

FILE_NAME = "stepwall.sqlite"
VERSION = 1
_WAL_TRIES = 100
_TABLES = """
CREATE TABLE runs (
    id TEXT PRIMARY KEY, name TEXT UNIQUE NOT NULL, created_at TEXT NOT NULL,
    command TEXT NOT NULL, environment TEXT NOT NULL, finished INTEGER NOT NULL DEFAULT 0);
CREATE TABLE measurements (
    run TEXT NOT NULL REFERENCES runs(id), key TEXT NOT NULL, data TEXT NOT NULL,
    PRIMARY KEY (run, key));
CREATE TABLE walls (
    run TEXT NOT NULL REFERENCES runs(id), key TEXT NOT NULL, data TEXT NOT NULL,
    PRIMARY KEY (run, key));
"""


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """One line of ``stepwall runs``."""

    id: str
    name: str
    created_at: str
    command: str
    finished: bool
    measurements: int
    walls: int


class Store:
    """An open results database; use it in a ``with`` statement."""

    def __init__(self, folder: Path, *, create: bool = False) -> None:
        """Open ``folder``'s database, made first if ``create``.

        Raises:
            UsageError: if there is none, it cannot be written, or a newer stepwall wrote it.
        """
        self.path = folder / FILE_NAME
        self._lock = threading.RLock()
        if not create and not self.path.exists():
            raise UsageError(f"no results in {str(folder)!r}: run 'stepwall profile' first")
        try:
            if create:
                folder.mkdir(parents=True, exist_ok=True)
            # Python 3.11's implicit transactions start too late for a check-then-insert.
            self._db = sqlite3.connect(
                self.path, timeout=60, check_same_thread=False, isolation_level=None
            )
        except OSError as error:
            reason = error.strerror or error
            raise UsageError(f"results folder {str(folder)!r} cannot be used: {reason}") from None
        except sqlite3.OperationalError as error:
            raise UsageError(f"results folder {str(folder)!r} cannot be used: {error}") from None
        with self._translated():
            self._prepare(create=create)

    def _prepare(self, *, create: bool) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise UsageError(
                f"{self.path} was written by a newer stepwall (schema {version}, this one "
                f"reads up to {VERSION}): upgrade stepwall, or use another --results folder"
            )
        if create:
            self._use_wal()
        if version == 0:
            with self._transaction():
                (version,) = self._db.execute("PRAGMA user_version").fetchone()
                if version == 0:
                    for statement in filter(str.strip, _TABLES.split(";")):
                        self._db.execute(statement)
                    self._db.execute(f"PRAGMA user_version = {VERSION}")

    def _use_wal(self) -> None:
        # SQLite does not wait for a lock here: two first runs at once would fail.
        for _ in range(_WAL_TRIES):
            with contextlib.suppress(sqlite3.OperationalError):
                self._db.execute("PRAGMA journal_mode=WAL")
                return
            time.sleep(0.05)
        self._db.execute("PRAGMA journal_mode=WAL")

    def __enter__(self) -> Self:
        """Return the store itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the database."""
        self._db.close()

    def start_run(self, name: str | None, command: str, environment: Environment) -> Run:
        """Store a new, empty run and return it.

        Raises:
            UsageError: if a run of that name exists.
        """
        now = datetime.now(UTC)
        run_id = uuid.uuid4().hex[:8]
        run = Run(
            id=run_id,
            name=name or f"{now:%Y%m%d-%H%M%S}-{run_id[:4]}",
            created_at=now.isoformat(timespec="seconds"),
            command=command,
            environment=environment,
            finished=False,
            measurements=[],
            walls=[],
        )
        row = (run.id, run.name, run.created_at, command, json.dumps(to_json(environment)))
        with self._transaction():
            if self._db.execute("SELECT 1 FROM runs WHERE name = ?", (run.name,)).fetchone():
                raise UsageError(
                    f"a run named {run.name!r} exists: choose another --name, "
                    "or go on with it by --resume"
                )
            self._db.execute(
                "INSERT INTO runs (id, name, created_at, command, environment) "
                "VALUES (?, ?, ?, ?, ?)",
                row,
            )
        return run

    def add_measurement(self, run: Run, measurement: Measurement) -> None:
        """Store one measurement; an earlier one of an equal point is replaced."""
        self._put("measurements", run, measurement.point.key, measurement)

    def add_wall(self, run: Run, key: str, wall: Certificate) -> None:
        """Store one wall certificate under a key that tells its conditions."""
        self._put("walls", run, key, wall)

    def finish_run(self, run: Run) -> None:
        """Mark the run as complete."""
        with self._transaction():
            self._db.execute("UPDATE runs SET finished = 1 WHERE id = ?", (run.id,))

    def has(self, table: str, run: Run, key: str) -> bool:
        """Whether the run holds a row of that key in ``measurements`` or ``walls``."""
        query = f"SELECT 1 FROM {table} WHERE run = ? AND key = ?"  # noqa: S608 (our own names)
        with self._translated():
            return self._db.execute(query, (run.id, key)).fetchone() is not None

    def summaries(self) -> list[RunSummary]:
        """Return every stored run, oldest first."""
        query = """
            SELECT id, name, created_at, command, finished,
                   (SELECT count(*) FROM measurements WHERE run = id),
                   (SELECT count(*) FROM walls WHERE run = id)
            FROM runs ORDER BY created_at, rowid"""
        with self._translated():
            rows = self._db.execute(query).fetchall()
        return [
            RunSummary(
                id=row[0],
                name=row[1],
                created_at=row[2],
                command=row[3],
                finished=bool(row[4]),
                measurements=row[5],
                walls=row[6],
            )
            for row in rows
        ]

    def load(self, name: str | None = None) -> Run:
        """Return the run of that name or id, with all that it holds; None is the newest.

        Raises:
            UsageError: if there is no such run.
        """
        found = self._find(name)
        with self._translated():
            (environment,) = self._db.execute(
                "SELECT environment FROM runs WHERE id = ?", (found.id,)
            ).fetchone()
        return Run(
            id=found.id,
            name=found.name,
            created_at=found.created_at,
            command=found.command,
            environment=from_json(Environment, json.loads(environment)),
            finished=found.finished,
            measurements=[from_json(Measurement, row) for row in self._rows("measurements", found)],
            walls=[from_json(Certificate, row) for row in self._rows("walls", found)],
        )

    def _find(self, name: str | None) -> RunSummary:
        runs = self.summaries()
        if not runs:
            raise UsageError(f"no runs in {self.path}: run 'stepwall profile' first")
        if name is None:
            return runs[-1]
        for run in runs:
            if name in {run.id, run.name}:
                return run
        raise UsageError(f"no run {name!r}{did_you_mean(name, [run.name for run in runs])}")

    def _rows(self, table: str, run: RunSummary) -> list[object]:
        query = f"SELECT data FROM {table} WHERE run = ? ORDER BY rowid"  # noqa: S608
        with self._translated():
            return [json.loads(data) for (data,) in self._db.execute(query, (run.id,))]

    def _put(self, table: str, run: Run, key: str, fact: Measurement | Certificate) -> None:
        query = f"INSERT OR REPLACE INTO {table} (run, key, data) VALUES (?, ?, ?)"  # noqa: S608
        with self._transaction():
            self._db.execute(query, (run.id, key, json.dumps(to_json(fact))))

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._translated():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        # One connection serves the threads of a campaign, one at a time.
        try:
            with self._lock:
                yield
        except (sqlite3.DatabaseError, json.JSONDecodeError) as error:
            raise StepwallError(f"{self.path}: {error}") from error
