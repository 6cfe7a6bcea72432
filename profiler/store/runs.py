"""Where results are kept: one SQLite database, one commit per measurement."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
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
    replace,
)
from profiler.facts.consistency import check
from profiler.filelock import FileLock, holder
from profiler.paths import usable
from profiler.store.database import Database
from profiler.store.reading import has_log
from profiler.store.run_table import Columns, Row, RunTable, run_table, short, text_of

FILE_NAME = "stepwall.sqlite"
# The newest run, by the name of the link to its report folder.
LATEST = "latest"
# The next user of a shared folder takes the lock of a run that was killed, as far as umask allows.
_LOCK_MODE = 0o666
T = TypeVar("T")
_OTHERS = "Other runs can still be read: take one of them, or measure again"
_HOLDS: dict[str, tuple[str, type[Measurement | Certificate]]] = {
    "measurements": ("measurement", Measurement),
    "walls": ("wall", Certificate),
    "probes": ("probe", Measurement),
}


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """One line of ``stepwall runs``."""

    id: str
    name: str
    created_at: str
    command: str
    finished: bool
    measurements: int | None
    walls: int | None


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
            clock: gives the time at which a run begins.
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
                    f"results folder {str(folder)!r} cannot be used: {FILE_NAME} in it is not a "
                    "file"
                )
            has_any = (is_there and self.path.stat().st_size) or has_log(self.path)
            if not create and not has_any:
                raise UsageError(f"no results in {str(folder)!r}: run 'stepwall profile' first")
        try:
            if create:
                folder.mkdir(parents=True, exist_ok=True)
                # SQLite would let nobody but its owner write it, whatever the umask allows.
                if not self.path.exists() and not has_log(self.path):
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
        """Return an id, and a name that contains the time: the same one may come again."""
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
                f"a run named {name!r} exists: choose another --name, or continue it with --resume"
            )

    def resume(self, name: str | None = None) -> Run:
        """Hold a stored run until the store is closed, and return its header.

        Args:
            name: the run's name or id; None is the newest unfinished run.

        Raises:
            UsageError: if there is no such run, or another process works on it.
        """
        if name is None:
            table = self._table()
            open_ones = [pair for pair in table.sound if not pair[1].finished]
            if not open_ones:
                raise UsageError("--resume: no unfinished run; leave it out, or give --name RUN")
            found = self._header(*open_ones[-1])
        else:
            found = self.header(name)
        self._hold(found.id, found.name)
        return found

    def _hold(self, run_id: str, name: str) -> None:
        self._db.begin()
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
        """Store one wall certificate under a key that contains its conditions."""
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
        return [self._point(run, key) for (key,) in self._db.fetch(tables, (run.id,) * 3)]

    def wall(self, run: Run, key: str) -> Certificate | None:
        """Return the run's wall under the conditions with that key, or None if it lacks it."""
        return self._get("walls", Certificate, run, key)

    def measurement(self, run: Run, key: str) -> Measurement | None:
        """Return the run's measurement of the point with that key, or None if it lacks it."""
        return self._get("measurements", Measurement, run, key)

    def probe(self, run: Run, key: str) -> Measurement | None:
        """Return the run's probe of the point with that key, or None if it has none yet."""
        return self._get("probes", Measurement, run, key)

    def _get(self, table: str, kind: type[T], run: Run, key: str) -> T | None:
        query = f"SELECT key, data FROM {table} WHERE run = ? AND key = ?"  # noqa: S608 (our names)
        read = partial(self._read, run.name, table, kind)
        return next(iter(self._db.records(read, query, (run.id, key))), None)

    def finish_run(self, run: Run) -> None:
        """Mark the run as complete."""
        with self._db.transaction() as connection:
            connection.execute("UPDATE runs SET finished = 1 WHERE id = ?", (run.id,))

    def has(self, table: str, run: Run, key: str) -> bool:
        """Whether the run holds a row of that key in ``measurements`` or ``walls``."""
        query = f"SELECT 1 FROM {table} WHERE run = ? AND key = ?"  # noqa: S608 (our own names)
        return bool(self._db.fetch(query, (run.id, key)))

    def summaries(self) -> list[RunSummary]:
        """Return every stored run that can be read, oldest first."""
        return [
            RunSummary(
                id=one.id,
                name=one.name,
                created_at=one.created_at,
                command=one.command,
                finished=bool(one.finished),
                measurements=self._count("measurements", one.id),
                walls=self._count("walls", one.id),
            )
            for _, one in self._table().sound
        ]

    def faults(self) -> list[str]:
        """Return what of the whole file cannot be read, a line for each run: every row is read."""
        table = self._table()
        found = [str(self._broken(row)) for row in table.rows if row.columns is None]
        for rowid, columns in table.sound:
            try:
                run = self._header(rowid, columns)
                for name, (_, kind) in _HOLDS.items():
                    self._rows(name, kind, run, None, keep=False)
            except StepwallError as error:
                found.append(str(error))
        if table.cut_short is not None:
            found.append(str(table.cut_short))
        if not found and (wrong := self._db.damage()) is not None:
            found.append(str(self._db.damaged(wrong)))
        return found

    def header(self, name: str | None = None) -> Run:
        """Return the run of that name or id, without its measurements and walls.

        Args:
            name: None or ``LATEST`` is the newest.

        Raises:
            UsageError: if there is no such run.
            StepwallError: if it cannot be read.
        """
        table = self._table()
        if name in {None, LATEST}:
            # Those that cannot be read may be newer.
            if table.cut_short is not None:
                raise table.cut_short
            found = table.rows[-1:]
        else:
            found = [
                row
                for row in table.rows
                if (row.columns and name in {row.columns.id, row.columns.name})
                or (row.columns is None and name in row.shown.split("\0"))
            ]
        if found:
            row = found[-1]
            if row.columns is None:
                raise self._broken(row)
            return self._header(row.rowid, row.columns)
        if table.cut_short is not None:
            raise table.cut_short
        names = [columns.name for _, columns in table.sound]
        if not table.rows:
            raise UsageError(f"no runs in {self.path}: run 'stepwall profile' first")
        raise UsageError(f"no run {name!r}{did_you_mean(str(name), names)}")

    def load(self, name: str | None = None, *, scenarios: Iterable[str] | None = None) -> Run:
        """Return the run of that name or id, with what it holds.

        Args:
            name: None or ``LATEST`` is the newest.
            scenarios: those whose measurements and walls are read [default: all].

        Raises:
            UsageError: if there is no such run.
            StepwallError: if it cannot be read; it names the run, and the field.
        """
        header = self.header(name)
        return replace(
            header,
            measurements=self._rows("measurements", Measurement, header, scenarios),
            walls=self._rows("walls", Certificate, header, scenarios),
        )

    def holding(
        self, scenarios: Iterable[str], warn: Callable[[str], None] | None = None
    ) -> Iterator[tuple[str, list[Point]]]:
        """Yield the id of each run that measured one of the scenarios, newest first.

        Beside it stand the points of these scenarios; no measurement is read.

        Args:
            scenarios: their names.
            warn: is called with each run that cannot be read, which is left out [default: raise].
        """
        wanted = tuple(scenarios)
        table = self._table()
        if table.cut_short is not None:
            if warn is None:
                raise table.cut_short
            warn(str(table.cut_short))
        for row in reversed(table.rows):
            try:
                if row.columns is None:
                    raise self._broken(row)
                points = self._points(row.columns, wanted)
            except StepwallError as error:
                if warn is None:
                    raise
                warn(str(error))
                continue
            if points:
                yield row.columns.id, points

    def _points(self, run: Columns, scenarios: tuple[str, ...]) -> list[Point]:
        query, values = _selected("key", "measurements", run.id, scenarios)
        points = self._db.records(partial(self._point, run), query, values)
        return [point for point in points if point.scenario in scenarios]

    def _table(self) -> RunTable:
        return run_table(self._db, taken=(LATEST, FILE_NAME))

    def _count(self, table: str, run_id: str) -> int | None:
        query = f"SELECT count(*) FROM {table} WHERE run = ?"  # noqa: S608 (our own names)
        try:
            return int(self._db.fetch(query, (run_id,))[0][0])
        except StepwallError:
            return None

    def _header(self, rowid: int, columns: Columns) -> Run:
        query = "SELECT environment FROM runs WHERE rowid = ?"
        try:
            ((environment,),) = self._db.fetch(query, (rowid,))
        except StepwallError as error:
            raise self._unreadable(columns.name, "environment", error) from error
        try:
            known = decode(Environment, text_of(environment))
        except RecordError as error:
            raise self._wrong(columns.name, "environment", error) from error
        return Run(
            id=columns.id,
            name=columns.name,
            created_at=columns.created_at,
            command=columns.command,
            environment=known,
            finished=bool(columns.finished),
            measurements=[],
            walls=[],
        )

    def _rows(
        self,
        table: str,
        kind: type[T],
        run: Run,
        scenarios: Iterable[str] | None,
        *,
        keep: bool = True,
    ) -> list[T]:
        wanted = None if scenarios is None else tuple(scenarios)

        def read(key: object, data: object) -> T | None:
            found = self._read(run.name, table, kind, key, data)
            return found if keep else None

        query, values = _selected("key, data", table, run.id, wanted)
        try:
            found = self._db.records(read, query, values)
        except StepwallError as error:
            if error.__cause__ is None or isinstance(error.__cause__, RecordError):
                raise
            # The index alone may be damaged.
            query = query.replace(f"FROM {table}", f"FROM {table} NOT INDEXED")
            try:
                found = self._db.records(read, query, values)
            except StepwallError as again:
                raise self._unreadable(run.name, table, again) from again
        return [
            one
            for one in found
            if one is not None and (wanted is None or _scenario_of(one) in wanted)
        ]

    def _read(self, run: str, table: str, kind: type[T], key: object, data: object) -> T:
        try:
            fact = decode(kind, text_of(data))
            check(fact)
        except RecordError as error:
            what = f"{_HOLDS[table][0]} of {_at(key)}"
            raise self._wrong(run, what, error) from error
        return fact

    def _point(self, run: Run | Columns, key: object) -> Point:
        try:
            return decode(Point, text_of(key))
        except RecordError as error:
            raise self._wrong(run.name, f"key {_at(key)}", error) from error

    def _wrong(self, run: str, what: str, error: RecordError) -> StepwallError:
        """Return the error of a value that is none."""
        return StepwallError(
            f"{self.path}: run {run!r} is damaged: {what}: {short(error)}. {_OTHERS}"
        )

    def _unreadable(self, run: str, what: str, error: StepwallError) -> StepwallError:
        """Return the error of a run whose pages cannot be read."""
        cause = error.__cause__ or error
        return self._db.damaged(f"the {what} of run {run!r} cannot be read: {short(cause)}")

    def _broken(self, row: Row) -> StepwallError:
        shown = " or ".join(repr(short(text)) for text in row.shown.split("\0"))
        return StepwallError(f"{self.path}: run {shown} is damaged: {row.reason}. {_OTHERS}")

    def _put(self, table: str, run: Run, key: str, fact: Measurement | Certificate) -> None:
        query = f"INSERT OR REPLACE INTO {table} (run, key, data) VALUES (?, ?, ?)"  # noqa: S608
        with self._db.transaction() as connection:
            connection.execute(query, (run.id, key, encode(fact)))
            connection.execute("UPDATE runs SET finished = 0 WHERE id = ?", (run.id,))


def _selected(
    columns: str, table: str, run_id: str, scenarios: tuple[str, ...] | None
) -> tuple[str, tuple[str, ...]]:
    """Return the query for columns of a run's rows, of some scenarios or all.

    Rows whose key is none are among them: only their data says of which scenario they are.
    """
    query = f"SELECT {columns} FROM {table} WHERE run = ?"  # noqa: S608 (our own names)
    if scenarios is None:
        return f"{query} ORDER BY rowid", (run_id,)
    # The key is in the index: of other scenarios no row is read.
    chosen = """
        CASE WHEN typeof(key) = 'text' AND json_valid(key) AND json_type(key, '$.scenario') = 'text'
        THEN json_extract(key, '$.scenario') IN (SELECT value FROM json_each(?)) ELSE 1 END"""
    return f"{query} AND {chosen} ORDER BY rowid", (run_id, json.dumps(scenarios))


def _scenario_of(fact: object) -> str:
    return fact.point.scenario if isinstance(fact, Measurement) else str(fact.scenario)  # type: ignore[attr-defined]


def _at(key: object) -> str:
    """Return of which point a row is."""
    try:
        point = decode(Point, text_of(key))
    except RecordError:
        return repr(short(key))
    return short(f"{point.scenario} at {point.steps:,} {point.axis}")
