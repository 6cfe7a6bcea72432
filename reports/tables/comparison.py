"""A comparison of two runs as a table, as Markdown for a pull request, and as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from profiler.analysis.compare.comparison import ALL, ComparedNumber, Comparison, Mark, Rule
from profiler.facts import SCHEMA
from reports.tables.grid import Grid, GridRow
from reports.texts import markdown
from reports.texts.numbers import DASH, UNIT_TEXTS, size_text

__all__ = [
    "LEGEND",
    "breach_lines",
    "changed",
    "comparison_document",
    "comparison_grid",
    "comparison_lines",
    "comparison_markdown",
    "comparison_text",
    "counts_text",
    "inconclusive_lines",
    "run_names",
]

LEGEND = (
    "marks: + worse, more (of a wall: fewer survive); - better; = equal; "
    "~ unclear, as within noise; ! fails now; * works now"
)
_SIGNS = {
    Mark.FAILS: "!",
    Mark.WORSE: "+",
    Mark.BETTER: "-",
    Mark.WORKS: "*",
    Mark.UNCLEAR: "~",
    Mark.EQUAL: "=",
}

# The worst first.
_ORDER = tuple(_SIGNS)
_MOST_NAMED = 5
# A smaller drift would be read as +0.0 %.
_DRIFT = 0.0005


def comparison_grid(comparison: Comparison) -> Grid:
    """Return every row, the worst first."""
    rows = sorted(comparison.rows, key=lambda row: _ORDER.index(row.mark))
    return Grid(
        headings=("scenario", "metric", *run_names(comparison), "change", "mark", "where"),
        numeric=(False, False, True, True, True, False, False),
        rows=tuple(GridRow(cells=_cells(row), failed=row.mark is Mark.FAILS) for row in rows),
        least=("where", *run_names(comparison)),
    )


def run_names(comparison: Comparison) -> tuple[str, str]:
    """Return the names of the runs; a baseline and the run after it may share a name."""
    names = comparison.before, comparison.after
    return names if names[0] != names[1] else (f"{names[0]} before", f"{names[1]} now")


def _cells(row: ComparedNumber) -> tuple[str, ...]:
    where = f"{_where(row)}; {row.note}" if row.note else _where(row)
    values = (_value(row, row.before), _value(row, row.after))
    return row.label, row.title, *values, _change(row), _SIGNS[row.mark], where


def _where(row: ComparedNumber) -> str:
    return row.where if row.limit_bytes is None else f"{row.where} {size_text(row.limit_bytes)}"


def _value(row: ComparedNumber, value: float | None) -> str:
    if value is None or row.unit is None:
        return DASH
    sign = "-" if value < 0 else ""
    return f"{sign}{UNIT_TEXTS[row.unit](abs(value))}"


def _change(row: ComparedNumber) -> str:
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
    return [*lines, *_drift_lines(comparison), *(f"differs: {t}" for t in comparison.differences)]


def _drift_lines(comparison: Comparison) -> list[str]:
    """Return one line on what moved in all scenarios alike, if anything did."""
    drifts = {row.title: row.drift for row in comparison.rows if row.drift is not None}
    texts = [f"{title} {share:+.1%}" for title, share in drifts.items() if abs(share) >= _DRIFT]
    why = "as a busier or idler machine does; each scenario is judged relative to the others"
    return [f"drift of all scenarios alike: {', '.join(texts)}: {why}"] if texts else []


def _named(points: tuple[str, ...]) -> str:
    more = len(points) - _MOST_NAMED
    return "; ".join(points[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def comparison_text(comparison: Comparison) -> str:
    """Return which runs are compared, and how many numbers became what."""
    return f"{_title(comparison)}: {counts_text(comparison.rows)}"


def changed(comparison: Comparison) -> Comparison:
    """Return the comparison of what changed, as far as that is known."""
    rows = [row for row in comparison.rows if row.mark not in {Mark.EQUAL, Mark.UNCLEAR}]
    return replace(comparison, rows=tuple(rows))


def _title(comparison: Comparison) -> str:
    return " → ".join(run_names(comparison))


def comparison_markdown(comparison: Comparison) -> str:
    """Return what changed as a Markdown table, and the rest as counts."""
    lines = [f"**{markdown.escaped(_title(comparison))}**: {counts_text(comparison.rows)}"]
    grid = comparison_grid(changed(comparison))
    if grid.rows:
        lines += ["", *markdown.table(grid), "", LEGEND]
    notes = [f"- {markdown.escaped(line)}" for line in comparison_lines(comparison)]
    return "\n".join([*lines, *(["", *notes] if notes else [])])


def counts_text(rows: Iterable[ComparedNumber]) -> str:
    """Return how many numbers became worse, better and so on."""
    marks = [row.mark for row in rows]
    counts = [f"{marks.count(mark)} {mark.value}" for mark in _ORDER if mark in marks]
    return ", ".join(counts) or "no number in common"


def breach_lines(comparison: Comparison, rules: Sequence[Rule]) -> list[str]:
    """Return one line for each row that breaks a rule, also for each point that fails now."""
    return [_breach(row, rule) for row, rule in comparison.breaches(rules)]


def _breach(row: ComparedNumber, rule: Rule | None) -> str:
    if rule is None:
        return f"{row.label} at {_where(row)} fails now ({row.note})"
    values = f"{_value(row, row.before)} before, {_value(row, row.after)} now"
    allowed = f"{100 * rule.share:g} % allowed"
    where = f"{_where(row)}; {row.note}" if row.drift is not None else _where(row)
    return f"{row.label}: {row.title} {_change(row)} ({values}, {where}; {allowed})"


def inconclusive_lines(comparison: Comparison, rules: Sequence[Rule]) -> list[str]:
    """Return the unclear numbers that rules apply to, and the rules that apply to none.

    A rule on all metrics gives one line: most runs have no repeats.
    """
    named = comparison.unclear([rule for rule in rules if rule.name != ALL])
    rest = [row for row in comparison.unclear(rules) if row not in named]
    lines = [f"{row.label}: {row.title} is unclear ({row.note})" for row in named]
    if rest:
        count = f"{len(rest)} of {len(comparison.rows)} numbers"
        lines.append(f"{ALL}: {count} are unclear, the first: {rest[0].note}")
    return lines + [f"{rule.name}: no such number in both runs" for rule in comparison.idle(rules)]


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


def _row(row: ComparedNumber) -> dict[str, Any]:
    change = row.change
    return {
        "scenario": row.label,
        "metric": row.name,
        "where": row.where,
        "limit_bytes": row.limit_bytes,
        "unit": row.unit,
        "before": row.before,
        "after": row.after,
        "change": change if change is not None and math.isfinite(change) else None,
        "drift": row.drift,
        "mark": row.mark.value,
        "note": row.note,
    }
