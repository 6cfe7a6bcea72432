"""The table of runs, as far as it can be read: each row checked, what is wrong with it kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from profiler.errors import StepwallError, UsageError
from profiler.facts import Record, RecordError, convert
from profiler.plain_text import one_line
from profiler.store.database import LOST, Database

# Characters of what is quoted of a damaged row.
_QUOTED = 200


class Columns(Record, frozen=True, kw_only=True):
    """A run's own columns; its name is that of a folder, its id a part of a file's name."""

    id: Annotated[str, msgspec.Meta(pattern=r"^[\w-]+\Z", max_length=64)]
    name: Annotated[str, msgspec.Meta(pattern=r"^[^./\x00-\x1f\x7f][^/\x00-\x1f\x7f]*\Z")]
    created_at: Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\dT[\d:.+Z-]+\Z")]
    command: str
    finished: Annotated[int, msgspec.Meta(ge=0, le=1)]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the table of runs; its columns, or why they are none."""

    rowid: int
    shown: str
    columns: Columns | None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class RunTable:
    """The table of runs as far as it can be read, oldest first, and why no further."""

    rows: list[Row]
    cut_short: StepwallError | None

    @property
    def sound(self) -> list[tuple[int, Columns]]:
        """The runs whose columns can be used."""
        return [(row.rowid, row.columns) for row in self.rows if row.columns is not None]


def run_table(db: Database, *, taken: Iterable[str]) -> RunTable:
    """Return the table of runs, of a damaged one what can be read from either end.

    Args:
        db: the database.
        taken: names that no run may have.
    """
    found: dict[int, Row] = {}
    cut_short = None

    def keep(*columns: Any) -> None:
        found[columns[0]] = _row(taken, *columns)

    for order in ("ASC", "DESC"):
        query = f"""
            SELECT rowid, id, name, created_at, command, finished
            FROM runs NOT INDEXED ORDER BY rowid {order}"""  # noqa: S608
        try:
            db.records(keep, query)
        except UsageError:
            raise
        except StepwallError as error:
            cut_short = error
        else:
            break
    if cut_short is None and db.has_lost():
        cut_short = db.damaged(LOST)
    # In the order in which they were begun, which is SQLite's own: a clock may be set back.
    rows = [found[rowid] for rowid in sorted(found)]
    return RunTable(rows=rows, cut_short=cut_short)


def _row(taken: Iterable[str], rowid: int, *values: object) -> Row:
    names = ("id", "name", "created_at", "command", "finished")
    shown = "\0".join(str(value).replace("\0", " ") for value in (values[1], values[0]))
    try:
        columns = convert(Columns, dict(zip(names, values, strict=True)))
    except RecordError as error:
        return Row(rowid=rowid, shown=shown, columns=None, reason=short(error))
    if columns.name in taken:
        return Row(rowid=rowid, shown=shown, columns=None, reason="no run may have this name")
    return Row(rowid=rowid, shown=shown, columns=columns)


def text_of(value: object) -> str:
    """Return a value of a column that holds texts.

    Raises:
        RecordError: if it is none.
    """
    if not isinstance(value, str):
        raise RecordError("it is no text")
    return value


def short(text: object) -> str:
    """Return what is quoted of a damaged row, in one line."""
    line = one_line(str(text))
    # The field stands at the end.
    half = _QUOTED // 2
    return line if len(line) <= _QUOTED else f"{line[:half]} ... {line[-half:]}"
