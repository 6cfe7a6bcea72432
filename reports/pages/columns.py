"""Tables as columns of raw values: the page sorts, filters and exports them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from profiler.analysis.results import RunResults
from profiler.facts.codec import Record

__all__ = ["BUILD", "Column", "Head", "Number", "Table", "axes_of"]

# Returns the number of the build that a point or a wall is of.
Number = Callable[[Any], int]
# The name, the title and the unit of a column.
Head = tuple[str, str, str]
BUILD: Head = ("build", "scenario", "build")


class Column(Record, frozen=True, kw_only=True):
    """Values of one unit: ``text``, ``build`` (its number), ``count``, ``bytes``, ``seconds``...

    ``name``: of a metric, or what a file of the table calls it.
    """

    name: str
    title: str
    unit: str
    values: list[Any]


class Table(Record, frozen=True, kw_only=True):
    """A table; ``note`` says what must be known to read it."""

    name: str
    title: str
    note: str
    columns: list[Column]

    @classmethod
    def of_rows(
        cls, name: str, title: str, heads: Sequence[Head], rows: Iterable[Sequence[Any]]
    ) -> Table:
        """Return a table of rows; what has no value in any row is no column of it."""
        values = list(zip(*rows, strict=True)) or [()] * len(heads)
        columns = [
            Column(name=head[0], title=head[1], unit=head[2], values=list(column))
            for head, column in zip(heads, values, strict=True)
            if not column or any(value is not None for value in column)
        ]
        return cls(name=name, title=title, note="", columns=columns)

    def noted(self, note: str) -> Table:
        """Return the table with a note."""
        return Table(name=self.name, title=self.title, note=note, columns=self.columns)

    def column(self, name: str) -> list[Any]:
        """Return the values of a column; none where there is no such column."""
        return next((one.values for one in self.columns if one.name == name), [])


def axes_of(results: RunResults) -> str:
    """Return the name of what is counted as steps, or the names."""
    return " or ".join(results.axes)
