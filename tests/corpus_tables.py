"""The tables of the corpus in Markdown: one per check, and what all of them say in short."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from corpus_verdicts import Cell, Row

DASH = "–"  # noqa: RUF001 (the dash of the reports)


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column: the cell's key, its title, how it is written.

    ``summed``: whether a median and a worst case of the absolute values are shown.
    """

    key: str
    title: str
    form: Callable[[float], str] = lambda value: f"{value:,.0f}"
    summed: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """One check: its name on the command line, what must hold, its columns.

    ``aim`` is the share of told rows that must hold.
    """

    name: str
    promise: str
    columns: Sequence[Column]
    aim: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a table says in short; ``share`` is None where nothing was told."""

    told: int
    held: int
    rows: int

    @property
    def share(self) -> float | None:
        """The share of told rows that hold."""
        return self.held / self.told if self.told else None


def summary(rows: Sequence[Row]) -> Summary:
    """Count rows that hold, and those that tell anything."""
    told = [row for row in rows if row.holds is not None]
    return Summary(told=len(told), held=sum(bool(row.holds) for row in told), rows=len(rows))


def percent(value: float) -> str:
    """Write a share or a relative error."""
    return f"{100 * value:.2f} %"


def signed(value: float) -> str:
    """Write a relative error with its sign."""
    return "0" if value == 0 else f"{100 * value:+.2f} %"


def short_lines(tables: Mapping[Table, Sequence[Row]], *, linked: bool = True) -> Iterator[str]:
    """Yield the table of all checks: a line each."""
    yield "| check | what must hold | holds | no result | median | worst |"
    yield "|---|---|---:|---:|---:|---:|"
    for table, rows in tables.items():
        found = summary(rows)
        holds = f"{found.held} of {found.told}" if found.told else DASH
        extremes = [_extremes(column, rows) for column in table.columns if column.summed]
        middle, worst = ("<br>".join(one[i] for one in extremes) or "" for i in (0, 1))
        name = f"[{table.name}](#{_anchor(table.name)})" if linked else table.name
        yield (
            f"| {name} | {table.promise} | {holds} | "
            f"{found.rows - found.told or ''} | {middle} | {worst} |"
        )


def table_lines(table: Table, rows: Sequence[Row]) -> Iterator[str]:
    """Yield one check's table with a row for each scenario."""
    yield f"### {table.name}"
    yield ""
    titles = [column.title for column in table.columns]
    yield f"| scenario | {' | '.join(titles)} | holds | why not |"
    yield f"|---|{'---:|' * len(titles)}---|---|"
    for row in rows:
        cells = (_cell(column, row.cells.get(column.key)) for column in table.columns)
        holds = {True: "yes", False: "**no**", None: DASH}[row.holds]
        yield f"| {row.name} | {' | '.join(cells)} | {holds} | {_escaped(row.why)} |"


def case_lines(tables: Mapping[Table, Sequence[Row]]) -> Iterator[str]:
    """Yield one table of all checks: a row for each scenario, then what does not hold.

    A cell is the check's column of which extremes are told, else whether it holds.
    """
    names = dict.fromkeys(row.name for rows in tables.values() for row in rows)
    yield f"| scenario | {' | '.join(table.name for table in tables)} |"
    yield f"|---|{'---:|' * len(tables)}"
    for name in names:
        cells = (_case_cell(table, rows, name) for table, rows in tables.items())
        yield f"| {name} | {' | '.join(cells)} |"
    for table, rows in tables.items():
        for row in rows:
            if row.holds is False and row.why:
                yield ""
                yield f"{row.name}, {table.name}: {_escaped(row.why)}."


def _case_cell(table: Table, rows: Sequence[Row], name: str) -> str:
    row = next((row for row in rows if row.name == name), None)
    if row is None:
        return ""
    if row.holds is None:
        return DASH
    summed = next((column for column in table.columns if column.summed), None)
    value = row.cells.get(summed.key) if summed else None
    text = ("yes" if row.holds else "no") if summed is None else _cell(summed, value)
    return text if row.holds else f"**{text}**"


def _extremes(column: Column, rows: Sequence[Row]) -> tuple[str, str]:
    found = [abs(v) for row in rows if isinstance(v := row.cells.get(column.key), int | float)]
    if not found:
        return DASH, DASH
    return tuple(f"{column.title} {column.form(how(found))}" for how in (median, max))  # type: ignore[return-value]


def _cell(column: Column, value: Cell) -> str:
    if value is None:
        return DASH
    return value if isinstance(value, str) else column.form(value)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")[:200]


def _anchor(name: str) -> str:
    return name.replace(" ", "-")
