"""Where results are kept: one SQLite database, one commit per measurement."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from profiler.closing import Closing
from profiler.errors import StepwallError, UsageError, did_you_mean
from profiler.facts import (
    Certificate,
    Environment,
    Measurement,
    Point,
    RecordError,
    Run,
    decode,
    encode,
)
from profiler.filelock import FileLock, holder
from profiler.store.database import Database

FILE_NAME = "stepwall.sqlite"
# The newest run, by the name of the link to its report folder.
LATEST = "latest"
T = TypeVar("T")


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


class Store(Closing):
    """An open results database; use it in a ``with`` statement."""

    def __init__(self, folder: Path, *, create: bool = False) -> None:
        """Open ``folder``'s database, made first if ``create``.

        Raises:
            UsageError: if there is none, it cannot be written, or a newer stepwall wrote it.
        """
        self.path = folder / FILE_NAME
        self._held: list[FileLock] = []
        if not create and not self.path.exists():
            raise UsageError(f"no results in {str(folder)!r}: run 'stepwall profile' first")
        try:
            if create:
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = error.strerror or error
            raise UsageError(f"results folder {str(folder)!r} cannot be used: {reason}") from None
        self._db = Database(self.path, create=create)

    def close(self) -> None:
        """Close the database, and let others go on with its runs."""
        self._db.close()
        for lock in self._held:
            lock.release()

    def start_run(self, name: str | None, command: str, environment: Environment) -> Run:
        """Store a new, empty run, held until the store is closed, and return it.

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
        row = (run.id, run.name, run.created_at, command, encode(environment))
        self._hold(run.id, run.name)
        with self._db.transaction() as connection:
            self.check_free(run.name)
            connection.execute(
                "INSERT INTO runs (id, name, created_at, command, environment) "
                "VALUES (?, ?, ?, ?, ?)",
                row,
            )
        return run

    def check_free(self, name: str | None) -> None:
        """Check that no run has that name, before anything is measured for it.

        Raises:
            UsageError: if one has.
        """
        if self._db.fetch("SELECT 1 FROM runs WHERE name = ?", (name,)):
            raise UsageError(
                f"a run named {name!r} exists: choose another --name, or go on with it by --resume"
            )

    def resume(self, name: str | None = None) -> Run:
        """Hold a stored run until the store is closed, and return it.

        Args:
            name: the run's name or id; None is the newest unfinished run.

        Raises:
            UsageError: if there is no such run, or another process works on it.
        """
        unfinished = [run for run in self.summaries() if not run.finished]
        if name is None and not unfinished:
            raise UsageError("--resume: no unfinished run; leave it out, or give --name RUN")
        found = unfinished[-1] if name is None else self._find(name)
        self._hold(found.id, found.name)
        return self.load(found.id)

    def _hold(self, run_id: str, name: str) -> None:
        path = self.path.with_name(f".{run_id}.lock")
        try:
            lock = FileLock.take(path)
        except OSError as error:
            raise StepwallError(f"{path}: {error.strerror or error}") from error
        if lock is None:
            raise UsageError(f"run {name!r} is being worked on by {holder(path)}")
        self._held.append(lock)

    def add_measurement(self, run: Run, measurement: Measurement) -> None:
        """Store one measurement; an earlier one of an equal point is replaced.

        Its run is unfinished again, until ``finish_run``.
        """
        self._put("measurements", run, measurement.point.key, measurement)

    def add_wall(self, run: Run, key: str, wall: Certificate) -> None:
        """Store one wall certificate under a key that tells its conditions."""
        self._put("walls", run, key, wall)

    def add_probe(self, run: Run, measurement: Measurement) -> None:
        """Store one finished probe of a wall search, under its point's key."""
        self._put("probes", run, measurement.point.key, measurement)

    def points(self, run: Run) -> list[Point]:
        """Return every point that the run holds: measured, probed, or the conditions of a wall."""
        tables = " UNION ".join(
            f"SELECT key FROM {table} WHERE run = ?"  # noqa: S608 (our own names)
            for table in ("measurements", "probes", "walls")
        )
        return [self._read(Point, key) for (key,) in self._db.fetch(tables, (run.id,) * 3)]

    def wall(self, run: Run, key: str) -> Certificate | None:
        """Return the run's wall under the conditions with that key, or None if it lacks it."""
        return self._get(Certificate, "walls", run, key)

    def measurement(self, run: Run, key: str) -> Measurement | None:
        """Return the run's measurement of the point with that key, or None if it lacks it."""
        return self._get(Measurement, "measurements", run, key)

    def probe(self, run: Run, key: str) -> Measurement | None:
        """Return the run's probe of the point with that key, or None if it has none yet."""
        return self._get(Measurement, "probes", run, key)

    def _get(self, kind: type[T], table: str, run: Run, key: str) -> T | None:
        query = f"SELECT data FROM {table} WHERE run = ? AND key = ?"  # noqa: S608 (our names)
        rows = self._db.fetch(query, (run.id, key))
        return self._read(kind, rows[0][0]) if rows else None

    def finish_run(self, run: Run) -> None:
        """Mark the run as complete."""
        with self._db.transaction() as connection:
            connection.execute("UPDATE runs SET finished = 1 WHERE id = ?", (run.id,))

    def has(self, table: str, run: Run, key: str) -> bool:
        """Whether the run holds a row of that key in ``measurements`` or ``walls``."""
        query = f"SELECT 1 FROM {table} WHERE run = ? AND key = ?"  # noqa: S608 (our own names)
        return bool(self._db.fetch(query, (run.id, key)))

    def summaries(self) -> list[RunSummary]:
        """Return every stored run, oldest first."""
        query = """
            SELECT id, name, created_at, command, finished,
                   (SELECT count(*) FROM measurements WHERE run = id),
                   (SELECT count(*) FROM walls WHERE run = id)
            FROM runs ORDER BY created_at, rowid"""
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
            for row in self._db.fetch(query)
        ]

    def load(self, name: str | None = None) -> Run:
        """Return the run of that name or id, with all it holds; None or ``LATEST`` is the newest.

        Raises:
            UsageError: if there is no such run.
        """
        found = self._find(name)
        query = "SELECT environment FROM runs WHERE id = ?"
        ((environment,),) = self._db.fetch(query, (found.id,))
        return Run(
            id=found.id,
            name=found.name,
            created_at=found.created_at,
            command=found.command,
            environment=self._read(Environment, environment),
            finished=found.finished,
            measurements=self._rows(Measurement, "measurements", found),
            walls=self._rows(Certificate, "walls", found),
        )

    def _find(self, name: str | None) -> RunSummary:
        runs = self.summaries()
        if not runs:
            raise UsageError(f"no runs in {self.path}: run 'stepwall profile' first")
        if name in {None, LATEST}:
            return runs[-1]
        for run in runs:
            if name in {run.id, run.name}:
                return run
        raise UsageError(f"no run {name!r}{did_you_mean(name, [run.name for run in runs])}")

    def _rows(self, kind: type[T], table: str, run: RunSummary) -> list[T]:
        query = f"SELECT data FROM {table} WHERE run = ? ORDER BY rowid"  # noqa: S608
        return [self._read(kind, data) for (data,) in self._db.fetch(query, (run.id,))]

    def _read(self, kind: type[T], data: str) -> T:
        try:
            return decode(kind, data)
        except RecordError as error:
            raise StepwallError(f"{self.path}: {error}") from error

    def _put(self, table: str, run: Run, key: str, fact: Measurement | Certificate) -> None:
        query = f"INSERT OR REPLACE INTO {table} (run, key, data) VALUES (?, ?, ?)"  # noqa: S608
        with self._db.transaction() as connection:
            connection.execute(query, (run.id, key, encode(fact)))
            connection.execute("UPDATE runs SET finished = 0 WHERE id = ?", (run.id,))
