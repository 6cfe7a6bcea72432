"""Budgets: what a scenario may need, as a table that a user writes, and whether a run keeps it."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from profiler import plan
from profiler.curves import Curve, curves
from profiler.discovery import Listing
from profiler.errors import StepwallError, UsageError, did_you_mean
from profiler.laws import Law, TooFew
from profiler.metrics import BY_NAME, Metric
from profiler.results import Measurement, Point, Run, Schedule, Status
from profiler.units import parse_seconds, parse_size, parse_steps

DEFAULT_STEPS = "8:64:x2"
# A noisy number that was measured once breaks nothing.
NOISY_REPEATS = 3
_PER_STEP = "/step"
# Laws are fitted in floats.
_SAME = 1e-9


def _size(value: object) -> float:
    return parse_size(_text(value, "200MiB"))


def _size_per_step(value: object) -> float:
    text = _text(value, "1.2MiB/step").replace(" ", "")
    if not text.endswith(_PER_STEP):
        raise UsageError("write a size per step, as 1.2MiB/step")
    return parse_size(text.removesuffix(_PER_STEP))


def _seconds(value: object) -> float:
    return parse_seconds(_text(value, "20ms"))


def _number(value: object) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not good or not math.isfinite(value) or value < 0:  # type: ignore[operator, arg-type]
        raise UsageError("write a number from 0 on, as 17")
    return float(value)  # type: ignore[arg-type]


def _text(value: object, example: str) -> str:
    if not isinstance(value, str):
        raise UsageError(f"write a text with a unit, as {example!r}")
    return value


@dataclass(frozen=True, kw_only=True)
class Limit:
    """One thing that can be limited: a metric at its largest, or what one more step adds."""

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
    """What one scenario may need: ``limits`` by their names, in bytes, seconds or nodes."""

    scenario: str
    steps: tuple[int, ...]
    conditions: plan.Conditions
    repeats: int
    limits: Mapping[str, float]

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
        scenario: whose budget it is.
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


def read_budgets(document: Mapping[str, Any], where: str) -> list[Budget]:
    """Return the budgets of a TOML document: tables ``[[budget]]``, and ``[defaults]`` for all.

    Args:
        document: as ``tomllib`` reads it.
        where: the file, for messages.

    Raises:
        UsageError: for a key or a value that cannot be used.
    """
    _check_keys(document, ("budget", "defaults", "scenarios"), where)
    tables = document.get("budget", [])
    defaults = document.get("defaults", {})
    if not isinstance(tables, list) or not tables or not isinstance(defaults, dict):
        raise UsageError(f"{where}: write one table [[budget]] or more")
    return [
        read_budget({**defaults, **table}, f"{where}, budget {number}")
        for number, table in enumerate(tables, 1)
    ]


def read_budget(table: Mapping[str, Any], where: str) -> Budget:
    """Return the budget that a table of keys and values holds.

    Raises:
        UsageError: for a key or a value that cannot be used.
    """
    _check_keys(table, (*_SETTINGS, *LIMITS), where)
    settings = {key: _read(table, key, where, read) for key, read in _SETTINGS.items()}
    limits = {key: _read(table, key, where, LIMITS[key].read) for key in table if key in LIMITS}
    if settings["scenario"] is None:
        raise UsageError(f"{where}: scenario is missing")
    if not limits and settings["limit"] is None:
        raise UsageError(f"{where}: limits nothing; use one of {', '.join(LIMITS)}")
    schedule = settings["schedule"] or Schedule.SERIAL
    noisy = any(LIMITS[key].metric.is_noisy(schedule) for key in limits)
    return Budget(
        scenario=settings["scenario"],
        steps=tuple(settings["steps"] or parse_steps(DEFAULT_STEPS)),
        conditions=plan.Conditions(
            overrides=settings["parameters"] or {},
            device=settings["device"] or "cpu",
            limit_bytes=settings["limit"],
            schedule=schedule,
        ),
        repeats=settings["repeats"] or (NOISY_REPEATS if noisy else 1),
        limits=limits,
    )


def _name(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise UsageError("write a scenario's name")
    return value


def _steps(value: object) -> list[int]:
    numbers = value if isinstance(value, list | tuple) else [value]
    return parse_steps(",".join(map(str, numbers)))


def _parameters(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise UsageError("write a table, as { units = 256 }")
    return {str(name): str(item) for name, item in value.items()}


def _device(value: object) -> str:
    return plan.parse_device(str(value))


def _schedule(value: object) -> Schedule:
    try:
        return Schedule(value)
    except ValueError:
        raise UsageError(f"use {' or '.join(item.value for item in Schedule)}") from None


def _limit(value: object) -> int:
    return plan.whole_mib(int(_size(value)))


def _repeats(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UsageError("write a whole number from 1 on")
    return value


_SETTINGS: dict[str, Callable[[object], Any]] = {
    "scenario": _name,
    "steps": _steps,
    "parameters": _parameters,
    "device": _device,
    "schedule": _schedule,
    "limit": _limit,
    "repeats": _repeats,
}


def _read(table: Mapping[str, Any], key: str, where: str, read: Callable[[object], Any]) -> Any:
    if key not in table:
        return None
    try:
        return read(table[key])
    except StepwallError as error:
        raise UsageError(f"{where}: {key} = {table[key]!r}: {error}") from None


def _check_keys(table: Mapping[str, Any], allowed: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in allowed:
            raise UsageError(f"{where}: no key {key!r}{did_you_mean(key, allowed)}")


def judge(budget: Budget, conditions: Point, run: Run) -> list[Verdict]:
    """Return what became of each limit, after each point that did not end well.

    Args:
        budget: what is allowed.
        conditions: of its points: their steps and repeats do not matter.
        run: what was measured.
    """
    mine = [curve for curve in curves(run) if curve.conditions == conditions]
    by_metric = {curve.metric.name: curve for curve in mine}
    failures = [
        _failure(m)
        for m in run.measurements
        if _is_of(m.point, conditions) and m.outcome.status is not Status.OK
    ]
    return failures + [
        _verdict(budget.scenario, LIMITS[name], allowed, by_metric.get(LIMITS[name].metric.name))
        for name, allowed in budget.limits.items()
    ]


def _is_of(point: Point, conditions: Point) -> bool:
    return plan.series_of(point) == plan.series_of(conditions)


def _failure(measurement: Measurement) -> Verdict:
    end = measurement.outcome
    return Verdict(
        scenario=measurement.point.scenario,
        limit=None,
        allowed=None,
        measured=None,
        steps=measurement.point.steps,
        law=None,
        ruling=Ruling.BROKEN if end.status.is_oom else Ruling.UNKNOWN,
        reason=f"{end.status.value}: {end.reason}" if end.reason else end.status.value,
    )


def _verdict(scenario: str, limit: Limit, allowed: float, curve: Curve | None) -> Verdict:
    measured, steps, reason = None, None, "it was not measured"
    broken = False
    if curve is not None and limit.per_step:
        measured, reason = _growth(curve)
        steps = curve.last
        broken = measured is not None and measured > allowed * (1 + _SAME)
    elif curve is not None:
        steps, measured, broken = _largest(curve, allowed)
    law = curve.law if curve and limit.per_step and isinstance(curve.law, Law) else None
    known = Ruling.BROKEN if broken else Ruling.KEPT
    return Verdict(
        scenario=scenario,
        limit=limit,
        allowed=allowed,
        measured=measured,
        steps=steps,
        law=law,
        ruling=Ruling.UNKNOWN if measured is None else known,
        reason=reason if measured is None else None,
    )


def _growth(curve: Curve) -> tuple[float | None, str]:
    """Return what the last measured step added, else why that is not known."""
    if curve.clear_law is not None:
        return curve.clear_law.per_step, ""
    if isinstance(curve.law, TooFew):
        return None, f"{curve.law.lengths} of {curve.law.needed} lengths that a law takes"
    return None, "no law is clear: too noisy, take more repeats"


def _largest(curve: Curve, allowed: float) -> tuple[int, float, bool]:
    """Return the steps of the largest value, the value, and whether it is over the limit.

    What is noisy is over only where every repeat of a length is.
    """
    lengths = sorted({steps for steps, _ in curve.points})
    steps = max(lengths, key=lambda n: median(curve.values_at(n)))
    if not curve.metric.is_noisy(curve.conditions.schedule):
        steps = max(lengths, key=lambda n: max(curve.values_at(n)))
        value = max(curve.values_at(steps))
        return steps, value, value > allowed
    over = [n for n in lengths if min(curve.values_at(n)) > allowed]
    steps = steps if steps in over or not over else over[-1]
    return steps, median(curve.values_at(steps)), bool(over)
