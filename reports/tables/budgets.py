"""Verdicts on budgets: one line for each, a table, and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from profiler.analysis.budgets.budget import Ruling, Verdict
from profiler.facts import SCHEMA
from profiler.lengths import STEPS, one_of
from reports.tables.grid import Grid, GridRow
from reports.tables.laws import law_text
from reports.texts.numbers import (
    DASH,
    UNIT_TEXTS,
    axes_text,
    count_text,
    size_text,
    steps_text,
)

__all__ = ["allowed_text", "measured_text", "verdict_document", "verdict_grid", "verdict_text"]


def verdict_text(verdict: Verdict) -> str:
    """Return one line: metric, measured value, limit, where, and the law behind it."""
    where = steps_text(verdict.steps or 0, verdict.axis)
    budgeted = verdict.budgeted
    if budgeted is None:
        return f"{verdict.scenario} at {where}: {verdict.reason}"
    if verdict.measured is None:
        allowed = f"{allowed_text(verdict)} allowed"
        return f"{verdict.scenario}: {budgeted.name} is unknown: {verdict.reason} ({allowed})"
    law = f", law {law_text(verdict.law, budgeted.metric)}" if verdict.law else ""
    over = "over" if verdict.ruling is Ruling.BROKEN else "within"
    values = f"{measured_text(verdict)} at {where}, {over} {allowed_text(verdict)}"
    return f"{verdict.scenario}: {budgeted.name} is {values}{law}"


def measured_text(verdict: Verdict) -> str:
    """Return the measured value of a limit, with its unit."""
    budgeted = verdict.budgeted
    if verdict.measured is None or budgeted is None:
        return DASH
    return UNIT_TEXTS[budgeted.metric.unit](verdict.measured) + _per(verdict)


def allowed_text(verdict: Verdict) -> str:
    """Return a limit, with its unit."""
    budgeted = verdict.budgeted
    if verdict.allowed is None or budgeted is None:
        return DASH
    text = size_text if budgeted.metric.unit == "bytes" else UNIT_TEXTS[budgeted.metric.unit]
    return text(verdict.allowed) + _per(verdict)


def _per(verdict: Verdict) -> str:
    is_rate = verdict.budgeted is not None and verdict.budgeted.per_step
    return f"/{one_of(verdict.axis)}" if is_rate else ""


def verdict_grid(verdicts: Sequence[Verdict]) -> Grid:
    """Return every limit, the measured value, and which share of the limit that is."""
    at = f"at {axes_text([one.axis for one in verdicts] or [STEPS])}"
    why = ("why",) if any(verdict.reason for verdict in verdicts) else ()
    return Grid(
        headings=("scenario", "limit", "ruling", "measured", "allowed", "used", at, *why),
        numeric=(False, False, False, True, True, True, True, *(False for _ in why)),
        rows=tuple(
            GridRow(
                cells=(*_cells(verdict), *(verdict.reason or "" for _ in why)),
                failed=verdict.ruling is not Ruling.KEPT,
            )
            for verdict in verdicts
        ),
        least=(*why, at, "allowed", "measured"),
    )


def _cells(verdict: Verdict) -> tuple[str, ...]:
    return (
        verdict.scenario,
        verdict.budgeted.name if verdict.budgeted else "outcome",
        verdict.ruling.value,
        measured_text(verdict),
        allowed_text(verdict),
        _used(verdict),
        count_text(verdict.steps),
    )


def _used(verdict: Verdict) -> str:
    if verdict.measured is None or not verdict.allowed:
        return DASH
    return f"{100 * verdict.measured / verdict.allowed:,.0f} %"


def verdict_document(run: str, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Return verdicts as the document that ``--json`` prints: raw numbers."""
    return {
        "schema": SCHEMA,
        "run": run,
        "verdicts": [
            {
                "scenario": one.scenario,
                "limit": one.budgeted.name if one.budgeted else None,
                "unit": one.budgeted.metric.unit if one.budgeted else None,
                "allowed": one.allowed,
                "measured": one.measured,
                "axis": one.axis,
                "steps": one.steps,
                "ruling": one.ruling.value,
                "reason": one.reason,
            }
            for one in verdicts
        ],
    }
