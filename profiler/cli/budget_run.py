"""Measuring the points of budgets, for ``stepwall check`` and the pytest plugin."""

from __future__ import annotations

from collections.abc import Sequence

from profiler.analysis.budgets.budget import Verdict
from profiler.analysis.budgets.check import PlannedBudget, judge_all
from profiler.facts import Run
from profiler.measure.runner import Runner


def measure_budgets(plans: Sequence[PlannedBudget], runner: Runner) -> tuple[Run, list[Verdict]]:
    """Measure the points that the runner's run lacks; return the run and every verdict."""
    # One by one: the out-of-memory of one budget must not skip the longer points of another.
    for one in plans:
        runner.measure(one.points)
    runner.store.finish_run(runner.run)
    run = runner.store.load(runner.run.id)
    return run, judge_all(plans, run)
