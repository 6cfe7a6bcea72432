"""Budgets with the points that they need, and verdicts on them from a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from profiler.analysis.budgets.budget import Budget, Verdict
from profiler.analysis.budgets.verdicts import judge
from profiler.errors import UsageError
from profiler.facts import Measurement, Point, Run, Status, replace
from profiler.lengths import counted
from profiler.parameters import describe_parameters
from profiler.planning import points as plan
from profiler.planning.catalog import Listing
from profiler.planning.identity import difference
from profiler.units import MIB


@dataclass(frozen=True, kw_only=True)
class PlannedBudget:
    """A budget and the points that it needs, at least one."""

    budget: Budget
    points: list[Point]

    @property
    def conditions(self) -> Point:
        """What all the points share; steps and repeat are 0."""
        return replace(self.points[0], steps=0, repeat=0)


def planned(budgets: Sequence[Budget], catalog: Mapping[str, Listing]) -> list[PlannedBudget]:
    """Return each budget with the points that it needs.

    Raises:
        UsageError: for a scenario that is not in the catalog, or parameters that do not fit it.
    """
    return [PlannedBudget(budget=budget, points=_points(budget, catalog)) for budget in budgets]


def _points(budget: Budget, catalog: Mapping[str, Listing]) -> list[Point]:
    try:
        return budget.points(plan.select([budget.scenario], catalog)[0])
    except UsageError as error:
        raise UsageError(f"{budget.where}: {error}") from None


def judge_all(plans: Sequence[PlannedBudget], run: Run) -> list[Verdict]:
    """Return the verdicts on every limit, by a run that holds the points of all budgets."""
    return [verdict for one in plans for verdict in judge(one.budget, one.conditions, run)]


def judge_stored(plans: Sequence[PlannedBudget], run: Run) -> list[Verdict]:
    """Return the verdicts on every limit, by a run that was measured before.

    Raises:
        UsageError: if the run has not all points of a budget.
    """
    for one in plans:
        _check_complete(one, run)
    return judge_all(plans, run)


def _check_complete(one: PlannedBudget, run: Run) -> None:
    has = {m.point.key for m in _measured(run)}
    missing = [
        point
        for point in one.points
        if point.key not in has and not _was_skipped(point, one.budget, run)
    ]
    if missing:
        raise UsageError(f"{one.budget.where}: run {run.name!r} {_missing_text(one, missing, run)}")


def _measured(run: Run) -> list[Measurement]:
    return [m for m in run.measurements if m.outcome.status is not Status.SKIPPED]


def _was_skipped(point: Point, budget: Budget, run: Run) -> bool:
    """Return whether a shorter point of the budget ran out of memory, which breaks it anyway."""
    shorter = {replace(point, steps=n).key for n in budget.steps if n < point.steps}
    return any(m.outcome.status.is_oom and m.point.key in shorter for m in run.measurements)


def _missing_text(one: PlannedBudget, missing: Sequence[Point], run: Run) -> str:
    what = f"{one.budget.scenario} ({_text(one.conditions)})"
    absent = counted(_lengths(point.steps for point in missing), one.conditions.axis)
    if all(point.repeat for point in missing):
        often = f"not {one.budget.repeats} times"
        return f"has {what} at {absent} {often}: set repeats, or profile with --repeats"
    series = plan.series_of(one.conditions)
    there = _lengths(m.point.steps for m in _measured(run) if plan.series_of(m.point) == series)
    other = None if there else difference(run, [m.point for m in run.measurements], one.conditions)
    why = f": {other}" if other else ""
    return f"has no {what} at {absent}; it has {there or 'none'} of it{why}"


def _lengths(steps: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(set(steps))))


def _text(conditions: Point) -> str:
    limit = conditions.limit_bytes
    return ", ".join(
        [
            describe_parameters(conditions.parameters) or "no parameters",
            conditions.device,
            conditions.schedule.value,
            f"limit {limit // MIB} MiB" if limit else "no limit",
        ]
    )
