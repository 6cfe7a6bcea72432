"""Two runs side by side: what grew, what shrank, what fails now, and what cannot be told.

Counts, and device memory in the serial schedule, repeat exactly: any difference is a change.
What is noisy is a change only if its repeats say so (``noise``): the totals over the lengths that
both runs have, one for each repeat. What this leaves out: that the machine was busier throughout
one of the runs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import median
from typing import Any

from profiler.analysis.compare.comparison import (
    OUTCOME,
    SLOPES,
    ComparedNumber,
    Comparison,
    Mark,
    relative_change,
)
from profiler.analysis.compare.walls import wall_key, wall_rows
from profiler.analysis.labels import Labels
from profiler.analysis.metrics import Metric
from profiler.analysis.series import MetricSeries, curves
from profiler.analysis.significance import doubt
from profiler.errors import UsageError
from profiler.facts import Certificate, Environment, Measurement, Point, Run, Status

# Laws are fitted in floats.
_ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class _Side:
    """One of the two runs, by what its points have in common."""

    run: Run
    labels: Labels

    @cached_property
    def points(self) -> dict[str, list[Measurement]]:
        """The repeats of each point, by its key without the repeat."""
        return self._grouped(repeat=0)

    @cached_property
    def series(self) -> dict[str, list[Measurement]]:
        """The points of each series, by what they share."""
        return self._grouped(repeat=0, steps=0)

    @cached_property
    def curves(self) -> dict[tuple[str, str], MetricSeries]:
        """The curves, by metric and series."""
        return {(c.metric.name, _key(c.conditions)): c for c in curves(self.run)}

    @cached_property
    def walls(self) -> dict[str, Certificate]:
        """The walls, by what was asked."""
        return {wall_key(wall): wall for wall in self.run.walls}

    def only(self, other: _Side) -> tuple[str, ...]:
        """Return in words what the other run does not have."""
        words = [
            *(self._at(m[0].point) for key, m in self.points.items() if key not in other.points),
            *(
                f"{curve.metric.title} of {self.labels(curve.conditions)}"
                for key, curve in self.curves.items()
                if key[1] in other.series and key not in other.curves
            ),
            *(
                f"{wall.kind} wall of {self.labels(wall)}"
                for key, wall in self.walls.items()
                if key not in other.walls
            ),
        ]
        # Points that differ in their limit alone read alike.
        return tuple(dict.fromkeys(words))

    def _at(self, point: Point) -> str:
        return f"{self.labels(point)} at {point.steps:,} steps"

    def _grouped(self, **same: int) -> dict[str, list[Measurement]]:
        groups: dict[str, list[Measurement]] = {}
        for measurement in self.run.measurements:
            groups.setdefault(_key(measurement.point, **same), []).append(measurement)
        return groups


def compare(before: Run, after: Run) -> Comparison:
    """Return what became of every number that both runs have.

    Raises:
        UsageError: if they have none in common.
    """
    points = [m.point for run in (before, after) for m in run.measurements]
    labels = Labels([*points, *before.walls, *after.walls])
    then, now = _Side(run=before, labels=labels), _Side(run=after, labels=labels)
    if not (then.points.keys() & now.points.keys() or then.walls.keys() & now.walls.keys()):
        raise UsageError(
            f"runs {before.name!r} and {after.name!r} have no point in common: scenario, "
            "parameters, steps, device, limit and schedule must be equal"
        )
    return Comparison(
        before=before.name,
        after=after.name,
        rows=(
            *_outcome_rows(then, now),
            *_metric_rows(then, now),
            *wall_rows(then.walls, now.walls, labels),
        ),
        only_before=then.only(now),
        only_after=now.only(then),
        differences=tuple(_differences(before.environment, after.environment)),
    )


def _key(point: Point, **changes: Any) -> str:
    """Return a text that is equal for equal points; a scenario may move to another file."""
    return replace(point, family="", **changes).key


def _outcome_rows(then: _Side, now: _Side) -> Iterator[ComparedNumber]:
    """Yield a row for each point that has come to fail, in any repeat, or not to."""
    for key, repeats in now.points.items():
        failed, fails = _failure(then.points.get(key, [])), _failure(repeats)
        broken = fails or failed
        if key in then.points and broken and not (failed and fails):
            ended = broken.outcome
            yield ComparedNumber(
                label=now.labels(broken.point),
                name=OUTCOME,
                title="outcome",
                where=f"{broken.point.steps:,} steps",
                unit=None,
                before=None,
                after=None,
                mark=Mark.FAILS if fails else Mark.WORKS,
                note=ended.status.value + (f": {ended.reason}" if ended.reason else ""),
            )


def _failure(repeats: list[Measurement]) -> Measurement | None:
    return next((m for m in repeats if m.outcome.status is not Status.OK), None)


def _metric_rows(then: _Side, now: _Side) -> Iterator[ComparedNumber]:
    for key in [key for key in now.curves if key in then.curves]:
        pair = then.curves[key], now.curves[key]
        lengths = {n for n, _ in pair[0].points} & {n for n, _ in pair[1].points}
        if not lengths:
            continue
        label = now.labels(pair[1].conditions)
        if pair[1].metric.is_noisy(pair[1].conditions.schedule):
            yield _noisy_row(
                label,
                pair[1],
                lengths=lengths,
                then=_totals(then.series[key[1]], pair[1].metric, lengths),
                now=_totals(now.series[key[1]], pair[1].metric, lengths),
            )
        else:
            was, became = (_within(curve, lengths) for curve in pair)
            yield _exact_row(label, was, became)
            yield from _slope_rows(label, was, became)


def _within(curve: MetricSeries, lengths: set[int]) -> MetricSeries:
    return replace(curve, points=tuple(point for point in curve.points if point[0] in lengths))


def _exact_row(label: str, then: MetricSeries, now: MetricSeries) -> ComparedNumber:
    """Return the row of the length that became worst, else best; of the longest for neither."""
    pairs = {n: (median(then.values_at(n)), median(now.values_at(n))) for n, _ in now.points}
    changes = {n: relative_change(*pair) for n, pair in pairs.items()}
    # A loss first: a larger gain at another length must not hide it.
    steps = max(changes, key=lambda n: (max(changes[n], 0.0), abs(changes[n]), n))
    return ComparedNumber(
        label=label,
        name=now.metric.name,
        title=now.metric.title,
        where=f"{steps:,} steps",
        unit=now.metric.unit,
        before=pairs[steps][0],
        after=pairs[steps][1],
        mark=_mark(*pairs[steps]),
    )


def _slope_rows(label: str, then: MetricSeries, now: MetricSeries) -> Iterator[ComparedNumber]:
    laws = then.clear_law, now.clear_law
    if now.metric.name in SLOPES and laws[0] and laws[1]:
        values = laws[0].per_step, laws[1].per_step
        same = math.isclose(*values, rel_tol=_ROUNDING)
        yield ComparedNumber(
            label=label,
            name=SLOPES[now.metric.name],
            title=f"{now.metric.title} per step",
            where=f"at {now.last:,} steps, by its law",
            unit=now.metric.unit,
            before=values[0],
            after=values[0] if same else values[1],
            mark=Mark.EQUAL if same else _mark(*values),
        )


def _noisy_row(
    label: str, curve: MetricSeries, *, lengths: set[int], then: list[float], now: list[float]
) -> ComparedNumber:
    known = bool(then and now)
    note = doubt(then, now) if known else "no repeat has all lengths that both runs have"
    values = (median(then), median(now)) if known else (None, None)
    return ComparedNumber(
        label=label,
        name=curve.metric.name,
        title=curve.metric.title,
        where=f"{len(lengths)} lengths together" if len(lengths) > 1 else f"{min(lengths):,} steps",
        unit=curve.metric.unit,
        before=values[0],
        after=values[1],
        mark=_mark(median(then), median(now)) if note is None else Mark.UNCLEAR,
        note=note,
    )


def _totals(series: list[Measurement], metric: Metric, lengths: set[int]) -> list[float]:
    """Return the sums over these lengths, one for each repeat that has them all."""
    repeats: dict[int, dict[int, float]] = {}
    for measurement in series:
        value = metric.value(measurement)
        if value is not None and measurement.point.steps in lengths:
            repeats.setdefault(measurement.point.repeat, {})[measurement.point.steps] = value
    return [
        math.fsum(values.values()) for values in repeats.values() if len(values) == len(lengths)
    ]


def _mark(before: float, after: float) -> Mark:
    """Return what became of a number of which less is better."""
    if before == after:
        return Mark.EQUAL
    return Mark.WORSE if after > before else Mark.BETTER


def _differences(before: Environment, after: Environment) -> Iterator[str]:
    """Yield what makes times, or all of it, hard to compare."""
    pairs: Iterable[tuple[str, object, object]] = (
        ("processor", before.cpu, after.cpu),
        ("cores", before.cpu_count, after.cpu_count),
        ("Python", before.python, after.python),
        ("frameworks", _versions(before), _versions(after)),
        ("stepwall", before.stepwall, after.stepwall),
    )
    yield from (f"{name}: {was} before, {now} now" for name, was, now in pairs if was != now)


def _versions(environment: Environment) -> str:
    return ", ".join(f"{name} {version}" for name, version in environment.frameworks.items())
