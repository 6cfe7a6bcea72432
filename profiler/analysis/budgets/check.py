"""Checking budgets: their points are measured, or taken from a stored run, and judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from profiler.analysis.budgets.budget import Budget, Verdict
from profiler.analysis.budgets.verdicts import judge
from profiler.errors import UsageError
from profiler.facts import Point, Run
from profiler.measure.runner import Campaign
from profiler.planning import points as plan
from profiler.planning.discovery import Listing
from profiler.scenario import describe_parameters
from profiler.units import MIB


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A budget with the points that it takes, at least one."""

    budget: Budget
    points: list[Point]

    @property
    def conditions(self) -> Point:
        """What all the points share; its steps and repeat are 0."""
        return replace(self.points[0], steps=0, repeat=0)


def planned(budgets: Sequence[Budget], catalog: Mapping[str, Listing]) -> list[Plan]:
    """Return each budget with the points that it takes.

    Raises:
        UsageError: for a scenario that the catalog lacks, or parameters that do not fit it.
    """
    return [Plan(budget=budget, points=_points(budget, catalog)) for budget in budgets]


def _points(budget: Budget, catalog: Mapping[str, Listing]) -> list[Point]:
    try:
        return budget.points(plan.select([budget.scenario], catalog)[0])
    except UsageError as error:
        raise UsageError(f"{budget.where}: {error}") from None


def check_devices(budgets: Sequence[Budget], seen: Sequence[str]) -> None:
    """Check that the framework sees every budget's device.

    Raises:
        UsageError: if it does not.
    """
    for budget in budgets:
        try:
            plan.check_device(budget.conditions.device, seen)
        except UsageError as error:
            raise UsageError(f"{budget.where}: {error}") from None


def check(plans: Sequence[Plan], campaign: Campaign) -> tuple[Run, list[Verdict]]:
    """Measure what the campaign's run lacks, and return it with what became of every limit."""
    # One by one: where one runs out of memory, the lengths of another must still be run.
    for one in plans:
        campaign.measure(one.points)
    campaign.store.finish_run(campaign.run)
    run = campaign.store.load(campaign.run.id)
    return run, _judged(plans, run)


def check_stored(plans: Sequence[Plan], run: Run) -> list[Verdict]:
    """Return what became of every limit in a run that was measured before.

    Raises:
        UsageError: if the run lacks a point of a budget.
    """
    for one in plans:
        _check_complete(one, run)
    return _judged(plans, run)


def _judged(plans: Sequence[Plan], run: Run) -> list[Verdict]:
    return [verdict for one in plans for verdict in judge(one.budget, one.conditions, run)]


def _check_complete(one: Plan, run: Run) -> None:
    has = {m.point.key for m in run.measurements}
    missing = [
        point
        for point in one.points
        if point.key not in has and not _was_skipped(point, one.budget, run)
    ]
    if missing:
        raise UsageError(f"{one.budget.where}: run {run.name!r} {_lacks(one, missing, run)}")


def _was_skipped(point: Point, budget: Budget, run: Run) -> bool:
    """Return whether a shorter point of the budget ran out of memory: it is broken anyway."""
    shorter = {replace(point, steps=n).key for n in budget.steps if n < point.steps}
    return any(m.outcome.status.is_oom and m.point.key in shorter for m in run.measurements)


def _lacks(one: Plan, missing: Sequence[Point], run: Run) -> str:
    what = f"{one.budget.scenario} ({_text(one.conditions)})"
    absent = _lengths(point.steps for point in missing)
    if all(point.repeat for point in missing):
        often = f"not {one.budget.repeats} times"
        return f"has {what} at {absent} steps {often}: set repeats, or profile with --repeats"
    series = plan.series_of(one.conditions)
    there = _lengths(m.point.steps for m in run.measurements if plan.series_of(m.point) == series)
    return f"lacks {what} at {absent} steps; it has {there or 'none'} of it"


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
