"""The page of a comparison: both runs laid over each other, and what changed as a table."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from profiler.analysis.compare.comparison import ComparedNumber, Comparison, Mark
from profiler.analysis.results import RunResults
from profiler.facts import Run, replace
from reports.pages.columns import Table
from reports.pages.data import PageData, page_data
from reports.pages.library import drawing_library
from reports.pages.page import render
from reports.tables.comparison import comparison_lines, counts_text, run_names
from reports.texts.answer import Answer, about_run, environment
from reports.texts.numbers import UNIT_TEXTS

__all__ = ["comparison_data", "comparison_page"]

# The worst first.
_ORDER = (Mark.FAILS, Mark.WORSE, Mark.BETTER, Mark.WORKS, Mark.UNCLEAR, Mark.EQUAL)
_MOST_NAMED = 2


def comparison_page(before: Run, after: Run, comparison: Comparison) -> str:
    """Return the page of two runs and of what changed between them."""
    axes = dict.fromkeys([*RunResults(before).axes, *RunResults(after).axes])
    return render(comparison_data(before, after, comparison), list(axes), drawing_library())


def comparison_data(before: Run, after: Run, comparison: Comparison) -> PageData:
    """Return what that page shows."""
    names = run_names(comparison)
    runs = [replace(run, name=name) for run, name in zip((before, after), names, strict=True)]
    one, other = (page_data(RunResults(run)) for run in runs)
    return replace(
        merged(one, other),
        answer=Answer(
            title=f"What changed from {names[0]} to {names[1]}",
            about=[f"{run.name}: {', '.join(about_run(run))}" for run in runs],
            sentences=_sentences(comparison),
            family=one.answer.family,
            environments=[environment(run, run.name) for run in runs],
        ),
        changes=_changes(comparison, names),
        notes=comparison_lines(comparison),
    )


# The tables of a page that hold the rows of both runs.
_JOINED = (
    *("answers", "points", "walls", "frontiers", "fits", "probes", "laws"),
    *("remedies", "failures", "unknown"),
)


def merged(one: PageData, other: PageData) -> PageData:
    """Return two pages as one: builds, grids and walls of the second count on from the first."""
    builds, grids, walls = len(one.builds), len(one.grids), len(one.walls.column("build"))

    def build(number: int) -> int:
        return number + builds

    def of_build(values: list[Any]) -> list[Any]:
        return [build(value) for value in values]

    def of_wall(values: list[Any]) -> list[Any]:
        return [value + walls for value in values]

    def joined(first: Table | None, second: Table | None) -> Table | None:
        if first is None or second is None:
            return second and _shifted(second, {"build": of_build}) if first is None else first
        return _joined(first, _shifted(second, {"build": of_build, "wall": of_wall}))

    tables = {name: joined(getattr(one, name), getattr(other, name)) for name in _JOINED}
    return replace(
        one,
        metrics=[*one.metrics, *(m for m in other.metrics if m not in one.metrics)],
        builds=one.builds + other.builds,
        grids=one.grids + other.grids,
        lines=one.lines
        + [
            replace(
                line, build=build(line.build), grid=None if line.grid is None else line.grid + grids
            )
            for line in other.lines
        ],
        together={
            name: one.together.get(name, []) + [of_build(g) for g in other.together.get(name, [])]
            for name in {**one.together, **other.together}
        },
        steps=one.steps
        + [
            replace(
                step, build=build(step.build), wall=None if step.wall is None else step.wall + walls
            )
            for step in other.steps
        ],
        # Builds of one run only are set against each other.
        contests=[],
        choices=[],
        **tables,
    )


def _shifted(table: Table, shifts: dict[str, Callable[[list[Any]], list[Any]]]) -> Table:
    columns = [
        replace(one, values=shifts[one.name](one.values)) if one.name in shifts else one
        for one in table.columns
    ]
    return replace(table, columns=columns)


def _joined(one: Table, other: Table) -> Table:
    """Return the rows of both, with the columns of both."""
    heads = {column.name: column for column in (*one.columns, *other.columns)}
    lengths = [len(table.columns[0].values) if table.columns else 0 for table in (one, other)]
    columns = [
        replace(
            head,
            values=(one.column(name) or [None] * lengths[0])
            + (other.column(name) or [None] * lengths[1]),
        )
        for name, head in heads.items()
    ]
    return replace(one, columns=columns)


def _sentences(comparison: Comparison) -> list[str]:
    """Return how many numbers changed, and the worst of them."""
    worst = [row for row in _sorted(comparison) if row.mark in {Mark.FAILS, Mark.WORSE}]
    named = [f"{row.label}: {row.title} {_in_words(row)}" for row in worst[:_MOST_NAMED]]
    sentences = [f"Of {len(comparison.rows)} numbers: {counts_text(comparison.rows)}."]
    return sentences + ([f"Worst: {'; '.join(named)}."] if named else [])


def _in_words(row: ComparedNumber) -> str:
    if row.mark is Mark.FAILS:
        return f"fails now at {row.where}"
    change = row.change
    share = f"{100 * change:+.1f} %" if change is not None and math.isfinite(change) else "more"
    return f"{share} ({_value(row, row.before)} before, {_value(row, row.after)} now)"


def _sorted(comparison: Comparison) -> list[ComparedNumber]:
    return sorted(
        comparison.rows, key=lambda row: (_ORDER.index(row.mark), -abs(row.own_change or 0))
    )


def _changes(comparison: Comparison, names: tuple[str, str]) -> Table:
    rows = [
        (
            *(row.label, row.title, _value(row, row.before), _value(row, row.after)),
            row.change if row.change is not None and math.isfinite(row.change) else None,
            row.mark.value,
            *(row.where, row.limit_bytes, row.note),
        )
        for row in _sorted(comparison)
    ]
    heads = [
        ("scenario", "scenario", "text"),
        ("metric", "metric", "text"),
        ("before", names[0], "text"),
        ("after", names[1], "text"),
        ("change", "change", "change"),
        ("mark", "verdict", "text"),
        ("where", "where", "text"),
        ("limit", "limit", "size"),
        ("note", "why", "text"),
    ]
    return Table.of_rows("changes", "Changes", heads, rows).noted(
        "Worse means a larger number; for a wall, fewer that survive. Unclear means within noise, "
        "or not comparable: the row says why."
    )


def _value(row: ComparedNumber, value: float | None) -> str | None:
    if value is None or row.unit is None:
        return None
    return f"{'-' if value < 0 else ''}{UNIT_TEXTS[row.unit](abs(value))}"
