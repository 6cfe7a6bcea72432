"""Budgets: what of a scenario can be limited, what one allows, and what became of each limit."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from profiler.analysis.laws import Law
from profiler.analysis.metrics import BY_NAME, Metric
from profiler.errors import UsageError
from profiler.facts import Point
from profiler.planning import points as plan
from profiler.planning.discovery import Listing
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
        raise UsageError("write a number from 0 on, as 17")
    return float(value)


def _text(value: object, example: str) -> str:
    if not isinstance(value, str):
        raise UsageError(f"write a text with a unit, as {example!r}")
    return value


@dataclass(frozen=True, kw_only=True)
class Limit:
    """One thing that can be limited: a metric at its largest, or what one more step adds.

    Args:
        name: the key in a table of a budget.
        metric: what is limited.
        read: reads the key's value, in the metric's unit; a ``UsageError`` if it cannot.
        per_step: whether the growth per step is meant, by the metric's law.
    """

    name: str
    metric: Metric
    read: Callable[[object], float]
    per_step: bool = False


LIMITS = {
    limit.name: limit
    for limit in (
        Limit(name="peak", metric=BY_NAME["peak"], read=_size),
        Limit(name="backprop", metric=BY_NAME["backprop"], read=_size),
        Limit(name="host", metric=BY_NAME["host"], read=_size),
        Limit(name="nodes", metric=BY_NAME["nodes"], read=_number),
        Limit(name="build_time", metric=BY_NAME["build_time"], read=_seconds),
        Limit(name="first_step_time", metric=BY_NAME["first_step_time"], read=_seconds),
        Limit(name="step_time", metric=BY_NAME["step_time"], read=_seconds),
        Limit(name="slope", metric=BY_NAME["backprop"], read=_size_per_step, per_step=True),
        Limit(name="nodes_per_step", metric=BY_NAME["nodes"], read=_number, per_step=True),
    )
}


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What one scenario may need.

    Args:
        where: the file and the number of its table, for messages.
        scenario: its name.
        steps: the lengths that it is about, and no other is.
        conditions: the conditions that it is about.
        repeats: how often each length is measured.
        limits: by their names, in bytes, seconds or nodes.
    """

    where: str
    scenario: str
    steps: tuple[int, ...]
    conditions: plan.Conditions
    repeats: int
    limits: Mapping[str, float]

    @property
    def label(self) -> str:
        """The scenario with the parameters that the budget sets: two budgets may share it."""
        pairs = (f"{name}={value}" for name, value in self.conditions.overrides.items())
        return " ".join([self.scenario, *pairs])

    def points(self, listing: Listing) -> list[Point]:
        """Return what has to be measured for it.

        Raises:
            UsageError: if its parameters do not fit the scenario.
        """
        return plan.expand([listing], self.steps, self.conditions, self.repeats)


class Ruling(enum.Enum):
    """What became of one limit."""

    KEPT = "kept"
    BROKEN = "broken"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One limit of a budget and what was measured; or how a point of it ended.

    Args:
        scenario: whose budget it is, by its label.
        limit: what was limited; None for a point that did not end well.
        allowed: the limit's value, in its metric's unit.
        measured: the measured one; for noisy metrics the median of the repeats.
        steps: where: the length with the largest value, or the last one, whose step was added.
        law: what the growth per step was read from.
        ruling: what became of it.
        reason: why it is not known, or how the point ended.
    """

    scenario: str
    limit: Limit | None
    allowed: float | None
    measured: float | None
    steps: int | None
    law: Law | None
    ruling: Ruling
    reason: str | None = None
