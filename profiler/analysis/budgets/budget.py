"""Budgets: which metrics can have a limit, what a budget allows, and the verdict on each limit."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from profiler.analysis.laws import Law
from profiler.analysis.metrics import BY_NAME, Metric
from profiler.errors import UsageError
from profiler.facts import Point
from profiler.lengths import STEPS
from profiler.planning import points as plan
from profiler.planning.catalog import Listing
from profiler.units import parse_seconds, parse_size, parse_size_per_step

# Whole numbers below it are floats without rounding.
_MANY = 2**53


def _size(value: object) -> float:
    return parse_size(_text(value, "200MiB"))


def _size_per_step(value: object) -> float:
    return parse_size_per_step(_text(value, "1.2MiB/step"))


def _seconds(value: object) -> float:
    return parse_seconds(_text(value, "20ms"))


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < _MANY:
        raise UsageError("write a number of 0 or more, such as 17")
    return float(value)


def _text(value: object, example: str) -> str:
    if not isinstance(value, str):
        raise UsageError(f"write a string with a unit, such as {example!r}")
    return value


@dataclass(frozen=True, kw_only=True)
class BudgetedMetric:
    """What a budget can limit: the largest value of a metric, or its growth per step.

    Args:
        name: the key in the budget's table.
        metric: what is measured.
        read: converts the key's value to the metric's unit; raises ``UsageError`` if it cannot.
        per_step: whether the limit is on the growth per step, by the metric's law.
    """

    name: str
    metric: Metric
    read: Callable[[object], float]
    per_step: bool = False


BUDGETED_METRICS = {
    budgeted.name: budgeted
    for budgeted in (
        BudgetedMetric(name="peak", metric=BY_NAME["peak"], read=_size),
        BudgetedMetric(name="backprop", metric=BY_NAME["backprop"], read=_size),
        BudgetedMetric(name="host", metric=BY_NAME["host"], read=_size),
        BudgetedMetric(name="nodes", metric=BY_NAME["nodes"], read=_number),
        BudgetedMetric(name="build_time", metric=BY_NAME["build_time"], read=_seconds),
        BudgetedMetric(name="first_step_time", metric=BY_NAME["first_step_time"], read=_seconds),
        BudgetedMetric(name="step_time", metric=BY_NAME["step_time"], read=_seconds),
        BudgetedMetric(
            name="slope", metric=BY_NAME["backprop"], read=_size_per_step, per_step=True
        ),
        BudgetedMetric(name="nodes_per_step", metric=BY_NAME["nodes"], read=_number, per_step=True),
    )
}


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What one scenario may need.

    Args:
        where: the file and the number of its table, for messages.
        scenario: its name.
        steps: the only lengths that count.
        conditions: the only conditions that count.
        repeats: how often each length is measured.
        limits: by the names of the budgeted metrics, in bytes, seconds or nodes.
    """

    where: str
    scenario: str
    steps: tuple[int, ...]
    conditions: plan.Conditions
    repeats: int
    limits: Mapping[str, float]

    @property
    def label(self) -> str:
        """The scenario and the parameters that the budget sets; two budgets may share it."""
        pairs = (f"{name}={value}" for name, value in self.conditions.overrides.items())
        return " ".join([self.scenario, *pairs])

    def points(self, listing: Listing) -> list[Point]:
        """Return the points that it needs.

        Raises:
            UsageError: if its parameters do not fit the scenario, or a length is not allowed.
        """
        for steps in self.steps:
            plan.check_steps(listing, steps)
        return plan.expand([listing], self.steps, self.conditions, self.repeats)


class Ruling(enum.Enum):
    """Whether one limit is kept."""

    KEPT = "kept"
    BROKEN = "broken"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One limit of a budget and what was measured, or the outcome of a point.

    Args:
        scenario: the budget's label.
        budgeted: what has the limit; None for the outcome of a point.
        allowed: the limit, in the metric's unit.
        measured: the measured value; for noisy metrics the median of the repeats.
        steps: the length of the measured value, or at which the growth per step was read.
        law: the law that gave the growth per step.
        ruling: whether the limit is kept.
        reason: why that is unknown, or how the point ended.
        axis: the name of what is counted as steps.
    """

    scenario: str
    budgeted: BudgetedMetric | None
    allowed: float | None
    measured: float | None
    steps: int | None
    law: Law | None
    ruling: Ruling
    reason: str | None = None
    axis: str = STEPS
