"""Judging budgets: whether what was measured is within them. What is not known is no pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from profiler.analysis.budgets.budget import LIMITS, Budget, Limit, Ruling, Verdict
from profiler.analysis.laws import Law, TooFew
from profiler.analysis.series import MetricSeries, curves
from profiler.facts import Measurement, Point, Run, Status
from profiler.planning import points as plan

# Laws are fitted in floats.
_SAME = 1e-9


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """What a limit is compared with; ``value`` is None with a reason where it is not known."""

    value: float | None = None
    steps: int | None = None
    law: Law | None = None
    is_over: bool = False
    reason: str | None = None

    @property
    def ruling(self) -> Ruling:
        """What becomes of the limit."""
        if self.value is None:
            return Ruling.UNKNOWN
        return Ruling.BROKEN if self.is_over else Ruling.KEPT


def judge(budget: Budget, conditions: Point, run: Run) -> list[Verdict]:
    """Return what became of each limit, after each point that did not end well.

    Args:
        budget: what is allowed; points of other lengths or repeats than its own do not count.
        conditions: of its points: their steps and repeats do not matter.
        run: what was measured: all its points, but for longer ones than one that ran out of memory.
    """
    mine = [m for m in run.measurements if _is_of(m.point, budget, conditions)]
    by_metric = {
        curve.metric.name: curve for curve in curves(replace(run, measurements=mine, walls=[]))
    }
    verdicts = [_failure(budget.label, m) for m in mine if m.outcome.status is not Status.OK]
    for name, allowed in budget.limits.items():
        curve = by_metric.get(LIMITS[name].metric.name)
        reading = _reading(LIMITS[name], allowed, curve, mine)
        verdicts.append(_verdict(budget.label, LIMITS[name], allowed, reading))
    return verdicts or [_survival(budget, mine)]


def _is_of(point: Point, budget: Budget, conditions: Point) -> bool:
    asked = point.steps in budget.steps and point.repeat < budget.repeats
    return asked and plan.series_of(point) == plan.series_of(conditions)


def _failure(label: str, measurement: Measurement) -> Verdict:
    end = measurement.outcome
    return Verdict(
        scenario=label,
        limit=None,
        allowed=None,
        measured=None,
        steps=measurement.point.steps,
        law=None,
        ruling=Ruling.BROKEN if end.status.is_oom else Ruling.UNKNOWN,
        reason=f"{end.status.value}: {end.reason}" if end.reason else end.status.value,
    )


def _survival(budget: Budget, mine: Sequence[Measurement]) -> Verdict:
    """Return the verdict on a budget that asks only for points to end well, which they did."""
    return Verdict(
        scenario=budget.label,
        limit=None,
        allowed=None,
        measured=None,
        steps=max(budget.steps),
        law=None,
        ruling=Ruling.KEPT if mine else Ruling.UNKNOWN,
        reason=None if mine else "it was not measured",
    )


def _verdict(scenario: str, limit: Limit, allowed: float, reading: _Reading) -> Verdict:
    return Verdict(
        scenario=scenario,
        limit=limit,
        allowed=allowed,
        measured=reading.value,
        steps=reading.steps,
        law=reading.law,
        ruling=reading.ruling,
        reason=reading.reason,
    )


def _reading(
    limit: Limit, allowed: float, curve: MetricSeries | None, mine: Sequence[Measurement]
) -> _Reading:
    if curve is None:
        return _Reading(reason="it was not measured")
    found = _growth(curve, allowed) if limit.per_step else _largest(curve, allowed)
    ended = {m.point.steps for m in mine if m.outcome.status is Status.OK}
    lacking = sorted(ended - {steps for steps, _ in curve.points})
    if lacking and not found.is_over:
        return _Reading(reason=f"it was not measured at {', '.join(map(str, lacking))} steps")
    return found


def _growth(curve: MetricSeries, allowed: float) -> _Reading:
    """Return what the last measured step added, by the law."""
    law = curve.clear_law
    if law is not None:
        added = law.per_step
        over = added > allowed * (1 + _SAME)
        return _Reading(value=added, steps=curve.last, law=law, is_over=over)
    if isinstance(curve.law, TooFew):
        lengths = f"{curve.law.lengths} of {curve.law.needed} lengths that a law takes"
        return _Reading(steps=curve.last, reason=lengths)
    return _Reading(steps=curve.last, reason="no law is clear: too noisy, take more repeats")


def _largest(curve: MetricSeries, allowed: float) -> _Reading:
    """Return the largest value; where the limit is broken, the largest of those that break it.

    What is noisy breaks it only at a length where every repeat is over.
    """
    noisy = curve.metric.is_noisy(curve.conditions.schedule)
    typical, least = (median, min) if noisy else (max, max)
    values = {steps: curve.values_at(steps) for steps, _ in curve.points}
    over = {steps: typical(found) for steps, found in values.items() if least(found) > allowed}
    told = over or {steps: typical(found) for steps, found in values.items()}
    steps = max(told, key=lambda length: told[length])
    return _Reading(value=told[steps], steps=steps, is_over=bool(over))
