"""Judging budgets: whether each limit is kept. What is unknown does not pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace as replace_verdict
from statistics import median

from profiler.analysis.budgets.budget import (
    BUDGETED_METRICS,
    Budget,
    BudgetedMetric,
    Ruling,
    Verdict,
)
from profiler.analysis.laws import Law, TooFewLengths
from profiler.analysis.series import MetricSeries, metric_series
from profiler.facts import Measurement, Point, Run, Status, replace
from profiler.lengths import counted
from profiler.planning import points as plan

# Laws are fitted in floats.
_SAME = 1e-9


@dataclass(frozen=True, kw_only=True)
class _Measured:
    """The value that a limit is compared with; None with a reason if it is not known."""

    value: float | None = None
    steps: int | None = None
    law: Law | None = None
    is_over: bool = False
    reason: str | None = None

    @property
    def ruling(self) -> Ruling:
        """Whether the limit is kept."""
        if self.value is None:
            return Ruling.UNKNOWN
        return Ruling.BROKEN if self.is_over else Ruling.KEPT


def judge(budget: Budget, conditions: Point, run: Run) -> list[Verdict]:
    """Return a verdict on each limit, after one on each point that failed.

    Args:
        budget: what is allowed; points of other lengths or repeats than its own do not count.
        conditions: of its points; steps and repeat do not matter.
        run: holds all its points, but for those longer than one that ran out of memory.
    """
    mine = [m for m in run.measurements if _is_of(m.point, budget, conditions)]
    by_metric = {
        series.metric.name: series
        for series in metric_series(replace(run, measurements=mine, walls=[]))
    }
    axis = conditions.axis
    verdicts = [_failure(budget.label, m) for m in mine if m.outcome.status.is_failure]
    for name, allowed in budget.limits.items():
        budgeted = BUDGETED_METRICS[name]
        measured = _measured(budgeted, allowed, by_metric.get(budgeted.metric.name), mine)
        verdicts.append(_verdict(budget.label, budgeted, allowed, measured))
    return [replace_verdict(one, axis=axis) for one in verdicts or [_survival(budget, mine)]]


def _is_of(point: Point, budget: Budget, conditions: Point) -> bool:
    asked = point.steps in budget.steps and point.repeat < budget.repeats
    return asked and plan.series_of(point) == plan.series_of(conditions)


def _failure(label: str, measurement: Measurement) -> Verdict:
    end = measurement.outcome
    return _outcome(
        label,
        measurement.point.steps,
        Ruling.BROKEN if end.status.is_oom else Ruling.UNKNOWN,
        f"{end.status.value}: {end.reason}" if end.reason else end.status.value,
    )


def _survival(budget: Budget, mine: Sequence[Measurement]) -> Verdict:
    """Return the verdict on a budget that only asks its points to survive, which they did."""
    ruling, reason = (Ruling.KEPT, None) if mine else (Ruling.UNKNOWN, "it was not measured")
    return _outcome(budget.label, max(budget.steps), ruling, reason)


def _outcome(label: str, steps: int, ruling: Ruling, reason: str | None) -> Verdict:
    return Verdict(
        scenario=label,
        budgeted=None,
        allowed=None,
        measured=None,
        steps=steps,
        law=None,
        ruling=ruling,
        reason=reason,
    )


def _verdict(label: str, budgeted: BudgetedMetric, allowed: float, found: _Measured) -> Verdict:
    return Verdict(
        scenario=label,
        budgeted=budgeted,
        allowed=allowed,
        measured=found.value,
        steps=found.steps,
        law=found.law,
        ruling=found.ruling,
        reason=found.reason,
    )


def _measured(
    budgeted: BudgetedMetric,
    allowed: float,
    series: MetricSeries | None,
    mine: Sequence[Measurement],
) -> _Measured:
    if series is None:
        return _Measured(reason="it was not measured")
    found = _growth(series, allowed) if budgeted.per_step else _largest(series, allowed)
    survived = {m.point.steps for m in mine if m.outcome.status is Status.OK}
    missing = sorted(survived.difference(series.lengths))
    if missing and not found.is_over:
        at = counted(", ".join(map(str, missing)), series.conditions.axis)
        return _Measured(reason=f"it was not measured at {at}")
    return found


def _growth(series: MetricSeries, allowed: float) -> _Measured:
    """Return what the last measured step added, by the law.

    Where the values differ and none grows by a law: what a step added at most, if that is allowed.
    """
    law = series.clear_law
    if law is not None and law.per_step is None:
        values = [value for _, value in series.points]
        added = (max(values) - min(values)) / max(1, law.last - law.first)
        if added <= allowed:
            return _Measured(value=added, steps=series.last)
        return _Measured(steps=series.last, reason="no law fits it: measure more lengths")
    if law is not None and law.per_step is not None:
        added = law.per_step
        over = added > allowed * (1 + _SAME)
        return _Measured(value=added, steps=series.last, law=law, is_over=over)
    if isinstance(series.law, TooFewLengths):
        lengths = f"{series.law.lengths} of {series.law.needed} lengths: measure more"
        return _Measured(steps=series.last, reason=lengths)
    return _Measured(steps=series.last, reason="no clear law: too noisy, use more repeats")


def _largest(series: MetricSeries, allowed: float) -> _Measured:
    """Return the largest value, or the largest of those that break the limit.

    A noisy metric breaks it only at a length where every repeat is over the limit.
    """
    typical, least = (median, min) if series.is_noisy else (max, max)
    values = {steps: series.values_at(steps) for steps in series.lengths}
    over = {steps: typical(found) for steps, found in values.items() if least(found) > allowed}
    largest = over or {steps: typical(found) for steps, found in values.items()}
    steps = max(largest, key=lambda length: largest[length])
    return _Measured(value=largest[steps], steps=steps, is_over=bool(over))
