"""The page of budgets: what was measured against what is allowed, before everything else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from profiler.analysis.budgets.budget import Ruling, Verdict
from profiler.analysis.results import RunResults
from profiler.facts import Run, replace
from reports.pages.columns import Table
from reports.pages.data import PageData, page_data
from reports.pages.library import drawing_library
from reports.pages.page import render
from reports.tables.budgets import allowed_text, measured_text, verdict_text
from reports.tables.laws import law_text

__all__ = ["budget_data", "budget_page"]

# The worst first.
_ORDER = (Ruling.BROKEN, Ruling.UNKNOWN, Ruling.KEPT)
_MOST_NAMED = 2


def budget_page(run: Run, verdicts: Sequence[Verdict], name: str) -> str:
    """Return the page of a run and of whether it keeps its budgets.

    Args:
        run: what was measured.
        verdicts: one for each limit.
        name: of the file with the budgets.
    """
    results = RunResults(run)
    return render(budget_data(results, verdicts, name), results.axes, drawing_library())


def budget_data(results: RunResults, verdicts: Sequence[Verdict], name: str) -> PageData:
    """Return what that page shows."""
    data = page_data(results)
    answered = replace(
        data.answer,
        title=f"{results.run.name} against the budgets of {name}",
        sentences=_sentences(verdicts),
    )
    return replace(data, answer=answered, budgets=_table(verdicts))


def _sentences(verdicts: Sequence[Verdict]) -> list[str]:
    counts = [(sum(one.ruling is ruling for one in verdicts), ruling.value) for ruling in _ORDER]
    told = ", ".join(f"{count} {word}" for count, word in counts if count)
    worst = [one for one in _sorted(verdicts) if one.ruling is not Ruling.KEPT]
    return [f"Of {len(verdicts)} limits: {told}.", *map(verdict_text, worst[:_MOST_NAMED])]


def _sorted(verdicts: Sequence[Verdict]) -> list[Verdict]:
    return sorted(verdicts, key=lambda one: (_ORDER.index(one.ruling), -(_share(one) or 0)))


def _share(verdict: Verdict) -> float | None:
    """Return which share of the limit was measured; None where that is no number."""
    if verdict.measured is None or not verdict.allowed:
        return None
    return verdict.measured / verdict.allowed


def _table(verdicts: Sequence[Verdict]) -> Table:
    heads = [
        ("scenario", "scenario", "text"),
        ("limit", "limit", "text"),
        ("measured", "measured", "text"),
        ("allowed", "allowed", "text"),
        ("used", "used", "share"),
        ("steps", "at", "count"),
        ("ruling", "ruling", "text"),
        ("reason", "why", "text"),
        ("law", "law", "text"),
    ]
    return Table.of_rows("budgets", "Budgets", heads, map(_row, _sorted(verdicts))).noted(
        "Unknown does not pass: the row says why. A limit per step is compared with the law of its "
        "metric."
    )


def _row(verdict: Verdict) -> tuple[Any, ...]:
    budgeted = verdict.budgeted
    return (
        verdict.scenario,
        budgeted.name if budgeted else "outcome",
        measured_text(verdict) if verdict.measured is not None else None,
        allowed_text(verdict) if verdict.allowed is not None else None,
        _share(verdict),
        verdict.steps,
        verdict.ruling.value,
        verdict.reason,
        law_text(verdict.law, budgeted.metric) if verdict.law and budgeted else None,
    )
