"""Checking budgets: their points are measured, and the run is judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from profiler import plan
from profiler.budgets import Budget, Verdict, judge
from profiler.campaign import Campaign
from profiler.discovery import Listing
from profiler.results import Point, Run


def planned(
    budgets: Sequence[Budget], catalog: Mapping[str, Listing]
) -> list[tuple[Budget, list[Point]]]:
    """Return each budget with the points that it takes.

    Raises:
        UsageError: for a scenario that the catalog lacks, or parameters that do not fit it.
    """
    return [
        (budget, budget.points(plan.select([budget.scenario], catalog)[0])) for budget in budgets
    ]


def check(
    plans: Sequence[tuple[Budget, list[Point]]], campaign: Campaign
) -> tuple[Run, list[Verdict]]:
    """Measure what the campaign's run lacks, and return it with what became of every limit."""
    campaign.measure([point for _, points in plans for point in points])
    campaign.store.finish_run(campaign.run)
    run = campaign.store.load(campaign.run.id)
    return run, [
        verdict
        for budget, points in plans
        for verdict in judge(budget, replace(points[0], steps=0, repeat=0), run)
    ]
