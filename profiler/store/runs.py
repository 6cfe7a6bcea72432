"""Where results are kept: one SQLite database, one commit per measurement."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

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
    replace,
)
from profiler.filelock import FileLock, holder
from profiler.paths import usable
from profiler.store.database import Database

FILE_NAME = "stepwall.sqlite"
# The newest run, by the name of the link to its report folder.
LATEST = "latest"
# In the order in which they were begun, which is SQLite's own: a clock may be set back.
_NEWEST_FIRST = "ORDER BY rowid DESC"
# The next user of a shared folder takes the lock of a run that was killed, as far as umask allows.
_LOCK_MODE = 0o666
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

    def __init__(
        self,
        folder: Path,
        *,
        create: bool = False,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex[:8],
    ) -> None:
        """Open ``folder``'s database.

        Args:
            folder: the results folder.
            create: make what is missing of it first.
            clock: tells when a run begins.
            new_id: makes a run's id, tried again where it is taken.

        Raises:
            UsageError: if there is none, it cannot be written, or a newer stepwall wrote it.
        """
        self.path = folder / FILE_NAME
        self._held: list[FileLock] = []
        self._clock, self._new_id = clock, new_id
        with usable("results folder", folder):
            is_there = self.path.exists()
            if is_there and not self.path.is_file():
                raise UsageError(
                    f"results folder {str(folder)!r} cannot be used: {FILE_NAME} in it is no file"
                )
            if not create and not (is_there and self.path.stat().st_size):
                raise UsageError(f"no results in {str(folder)!r}: run 'stepwall profile' first")
        try:
            if create:
                folder.mkdir(parents=True, exist_ok=True)
                # SQLite would let nobody but its owner write it, whatever the umask allows.
                if not self.path.exists():
                    self.path.touch()
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
        now = self._clock()
        run_id, free_name = self._free(now)
        run = Run(
            id=run_id,
            name=name or free_name,
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

    def _free(self, now: datetime) -> tuple[str, str]:
        """Return an id, and a name that tells the time: the same one may come again."""
        query = "SELECT 1 FROM runs WHERE ? IN (id, name) OR ? IN (id, name)"
        while True:
            run_id = self._new_id()
            name = f"{now:%Y%m%d-%H%M%S}-{run_id[:4]}"
            if not self._db.fetch(query, (run_id, name)):
                return run_id, name

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
        """Hold a stored run until the store is closed, and return its header.

        Args:
            name: the run's name or id; None is the newest unfinished run.

        Raises:
            UsageError: if there is no such run, or another process works on it.
        """
        found = self._newest("WHERE finished = 0") if name is None else self.header(name)
        if found is None:
            raise UsageError("--resume: no unfinished run; leave it out, or give --name RUN")
        self._hold(found.id, found.name)
        return found

    def _hold(self, run_id: str, name: str) -> None:
        path = self.path.with_name(f".{run_id}.lock")
        try:
            lock = FileLock.take(path, mode=_LOCK_MODE)
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
            FROM runs ORDER BY rowid"""
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

    def header(self, name: str | None = None) -> Run:
        """Return the run of that name or id, without its measurements and walls.

        Args:
            name: None or ``LATEST`` is the newest.

        Raises:
            UsageError: if there is no such run.
        """
        is_newest = name in {None, LATEST}
        found = self._newest() if is_newest else self._newest("WHERE ? IN (id, name)", name)
        if found is not None:
            return found
        names = self._db.records(str, "SELECT name FROM runs")
        if not names:
            raise UsageError(f"no runs in {self.path}: run 'stepwall profile' first")
        raise UsageError(f"no run {name!r}{did_you_mean(str(name), names)}")

    def load(self, name: str | None = None, *, scenarios: Iterable[str] | None = None) -> Run:
        """Return the run of that name or id, with what it holds.

        Args:
            name: None or ``LATEST`` is the newest.
            scenarios: those whose measurements and walls are read [default: all].

        Raises:
            UsageError: if there is no such run.
        """
        header = self.header(name)
        return replace(
            header,
            measurements=self._rows(Measurement, "measurements", header, scenarios),
            walls=self._rows(Certificate, "walls", header, scenarios),
        )

    def holding(self, scenarios: Iterable[str]) -> Iterator[tuple[str, list[Point]]]:
        """Yield the id of each run that measured one of the scenarios, newest first.

        Beside it stand the points of these scenarios; no measurement is read.
        """
        wanted = tuple(scenarios)
        for run_id in self._db.records(str, f"SELECT id FROM runs {_NEWEST_FIRST}"):  # noqa: S608
            query, values = _selected("key", "measurements", run_id, wanted)
            points = self._db.records(partial(self._read, Point), query, values)
            if points:
                yield run_id, points

    def _newest(self, condition: str = "", *values: str | None) -> Run | None:
        query = f"""
            SELECT id, name, created_at, command, finished, environment FROM runs
            WHERE id = (SELECT id FROM runs {condition} {_NEWEST_FIRST} LIMIT 1)"""  # noqa: S608
        return next(iter(self._db.records(self._header, query, values)), None)

    def _header(self, *columns: Any) -> Run:
        run_id, name, created_at, command, finished, environment = columns
        return Run(
            id=run_id,
            name=name,
            created_at=created_at,
            command=command,
            environment=self._read(Environment, environment),
            finished=bool(finished),
            measurements=[],
            walls=[],
        )

    def _rows(
        self, kind: type[T], table: str, run: Run, scenarios: Iterable[str] | None
    ) -> list[T]:
        query, values = _selected("data", table, run.id, scenarios)
        return self._db.records(partial(self._read, kind), query, values)

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


def _selected(
    column: str, table: str, run_id: str, scenarios: Iterable[str] | None
) -> tuple[str, tuple[str, ...]]:
    """Return the query for a column of a run's rows, those of some scenarios or all."""
    query = f"SELECT {column} FROM {table} WHERE run = ?"  # noqa: S608 (our own names)
    if scenarios is None:
        return f"{query} ORDER BY rowid", (run_id,)
    # The key is in the index: of other scenarios no row is read.
    chosen = "json_extract(key, '$.scenario') IN (SELECT value FROM json_each(?))"
    return f"{query} AND {chosen} ORDER BY rowid", (run_id, json.dumps(list(scenarios)))
