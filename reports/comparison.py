"""A comparison of two runs as a table, as Markdown for a pull request, and as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from profiler.comparison import Comparison, Mark, Row, Rule
from profiler.results import SCHEMA
from reports.table import Grid, GridRow
from reports.text import DASH, bytes_text, count_text, rate_text, seconds_text

__all__ = [
    "breach_text",
    "comparison_document",
    "comparison_grid",
    "comparison_lines",
    "comparison_markdown",
    "unclear_text",
]

_ORDER = (Mark.FAILS, Mark.WORSE, Mark.BETTER, Mark.WORKS, Mark.UNCLEAR, Mark.EQUAL)
_MOST_NAMED = 5
_TEXTS = {
    "nodes": rate_text,
    "bytes": bytes_text,
    "seconds": seconds_text,
    "steps": count_text,
}


def comparison_grid(comparison: Comparison) -> Grid:
    """Return every row, what became worse first."""
    rows = sorted(comparison.rows, key=lambda row: _ORDER.index(row.mark))
    return Grid(
        headings=(
            *("scenario", "metric", comparison.before, comparison.after, "change", "mark"),
            "where",
        ),
        numeric=(False, False, True, True, True, False, False),
        rows=tuple(GridRow(cells=_cells(row), failed=row.mark is Mark.FAILS) for row in rows),
    )


def _cells(row: Row) -> tuple[str, ...]:
    where = f"{row.where}; {row.note}" if row.note else row.where
    values = (_value(row, row.before), _value(row, row.after))
    return row.label, row.title, *values, _change(row), row.mark.value, where


def _value(row: Row, value: float | None) -> str:
    if value is None or row.unit is None:
        return DASH
    sign = "-" if value < 0 else ""
    return f"{sign}{_TEXTS[row.unit](abs(value))}"


def _change(row: Row) -> str:
    change = row.change
    if change is None:
        return DASH
    return f"{100 * change:+.1f} %" if math.isfinite(change) else "from 0"


def comparison_lines(comparison: Comparison) -> list[str]:
    """Return what the table does not show: what only one run has, and what else differs."""
    lines = [
        f"only in {name}: {_named(points)}"
        for name, points in (
            (comparison.before, comparison.only_before),
            (comparison.after, comparison.only_after),
        )
        if points
    ]
    return [*lines, *(f"not alike: {text}" for text in comparison.differences)]


def _named(points: tuple[str, ...]) -> str:
    more = len(points) - _MOST_NAMED
    return "; ".join(points[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def comparison_markdown(comparison: Comparison) -> str:
    """Return what changed as a Markdown table, and the rest as counts: short enough to read."""
    told = [row for row in comparison.rows if row.mark not in {Mark.EQUAL, Mark.UNCLEAR}]
    grid = comparison_grid(_with_rows(comparison, told))
    lines = [f"**{comparison.before} → {comparison.after}**: {_counts(comparison.rows)}", ""]
    if grid.rows:
        dashes = ["---:" if numeric else "---" for numeric in grid.numeric]
        table = [grid.headings, tuple(dashes), *(row.cells for row in grid.rows)]
        lines += [f"| {' | '.join(map(_escaped, cells))} |" for cells in table]
        lines.append("")
    lines += [f"- {_escaped(line)}" for line in comparison_lines(comparison)]
    return "\n".join(lines).rstrip() + "\n"


def _with_rows(comparison: Comparison, rows: Iterable[Row]) -> Comparison:
    return Comparison(**{**vars(comparison), "rows": tuple(rows)})


def _counts(rows: Iterable[Row]) -> str:
    marks = [row.mark for row in rows]
    counts = [f"{marks.count(mark)} {mark.value}" for mark in _ORDER if mark in marks]
    return ", ".join(counts) or "nothing in common"


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")


def breach_text(row: Row, rule: Rule | None) -> str:
    """Return one line on a row that breaks a rule, or on a point that fails now."""
    if row.mark is Mark.FAILS or rule is None:
        return f"{row.label} at {row.where} fails now ({row.note})"
    allowed = f"{100 * rule.share:g} % allowed"
    values = f"{_value(row, row.before)} before, {_value(row, row.after)} now"
    return f"{row.label}: {row.title} {_change(row)} ({values}, {row.where}; {allowed})"


def unclear_text(row: Row) -> str:
    """Return one line on a row that a rule is about, and that cannot be told."""
    return f"{row.label}: {row.title} cannot be told ({row.note})"


def comparison_document(comparison: Comparison, broken: Iterable[str]) -> dict[str, Any]:
    """Return a comparison as the document that ``--json`` prints: raw numbers."""
    return {
        "schema": SCHEMA,
        "before": comparison.before,
        "after": comparison.after,
        "rows": [_row(row) for row in comparison.rows],
        "only_before": list(comparison.only_before),
        "only_after": list(comparison.only_after),
        "differences": list(comparison.differences),
        "broken": list(broken),
    }


def _row(row: Row) -> dict[str, Any]:
    change = row.change
    return {
        "scenario": row.label,
        "metric": row.name,
        "where": row.where,
        "unit": row.unit,
        "before": row.before,
        "after": row.after,
        "change": change if change is not None and math.isfinite(change) else None,
        "mark": row.mark.value,
        "note": row.note,
    }
