"""The series of a run: one metric over the steps under equal conditions, and its law."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import TypeVar

from profiler.analysis.fitting import fit, fits, holdout_errors, validate
from profiler.analysis.laws import Law, TooFewLengths
from profiler.analysis.metrics import METRICS, Metric
from profiler.facts import Caveat, CaveatEffect, Measurement, Point, Run, replace
from profiler.facts.labels import Labels
from profiler.planning.points import series_of

T = TypeVar("T")

# Series no further apart at any length are drawn as one, and named together.
SAME = 0.005


@dataclass(frozen=True, kw_only=True)
class MetricSeries:
    """One metric of points that differ in their steps and repeats only.

    Args:
        label: its name within its run.
        conditions: what its points share; steps and repeat are 0.
        metric: what was measured.
        points: ``(steps, value)`` by steps, one for each repeat, in the metric's unit.
        caveats: of the framework, on this metric.
        counts: of nodes, what they are: each framework counts others. Empty where it is not known.
    """

    label: str
    conditions: Point
    metric: Metric
    points: tuple[tuple[int, float], ...]
    caveats: tuple[Caveat, ...] = ()
    counts: str = ""

    @cached_property
    def law(self) -> Law | TooFewLengths:
        """The law that the points follow, or how many lengths a law needs."""
        return fit(self.independent, whole=self.metric.is_whole)

    @property
    def independent(self) -> tuple[tuple[int, float], ...]:
        """The points without repeats that are equal by construction: they prove nothing."""
        return self.points if self.is_noisy else tuple(dict.fromkeys(self.points))

    @cached_property
    def medians(self) -> dict[int, float]:
        """The median over the repeats, by steps."""
        return {steps: median(self.values_at(steps)) for steps in self.lengths}

    @cached_property
    def holdout_error(self) -> float | None:
        """How far the law of the shorter half of the lengths is off in the longer half.

        The largest relative error; infinite if a value there is 0; None for too few lengths.
        """
        return validate(self.independent, whole=self.metric.is_whole)

    @cached_property
    def intervals(self) -> dict[int, tuple[float, float]]:
        """The 95 % interval of single measurements at every measured length; empty without a law.

        All at once: one alone takes nearly as long.
        """
        if not isinstance(self.law, Law):
            return {}
        lows, highs = (ends.tolist() for ends in self.law.bounds(self.lengths))
        return dict(zip(self.lengths, zip(lows, highs, strict=True), strict=True))

    @property
    def clear_law(self) -> Law | None:
        """The law, if its error is small enough to say something about one step."""
        return self.law if isinstance(self.law, Law) and self.law.is_clear else None

    def caveat(self, effect: CaveatEffect) -> Caveat | None:
        """Return the caveat with that effect, or None."""
        return next((one for one in self.caveats if one.effect is effect), None)

    @cached_property
    def lengths(self) -> list[int]:
        """The distinct steps, ascending."""
        return sorted(self._values)

    @cached_property
    def _values(self) -> dict[int, list[float]]:
        found: dict[int, list[float]] = {}
        for steps, value in self.points:
            found.setdefault(steps, []).append(value)
        return found

    @property
    def is_noisy(self) -> bool:
        """Whether equal points may have different values."""
        return self.metric.is_noisy(self.conditions.schedule)

    @property
    def last(self) -> int:
        """The largest measured steps; 0 for no point."""
        return max((steps for steps, _ in self.points), default=0)

    def covers(self, steps: int) -> bool:
        """Whether the steps lie between the shortest and the longest measured length."""
        return bool(self.points) and self.points[0][0] <= steps <= self.last

    def values_at(self, steps: int) -> list[float]:
        """Return what was measured at these steps, one value for each repeat."""
        return self._values.get(steps, [])


def metric_series(run: Run) -> list[MetricSeries]:
    """Return every series of a run that has points: by metric, then in the order of the run."""
    labels = Labels([*(m.point for m in run.measurements), *run.walls])
    groups: dict[str, list[Measurement]] = {}
    for measurement in run.measurements:
        groups.setdefault(series_of(measurement.point), []).append(measurement)
    found = [
        _series(run, labels(members[0].point), metric, members)
        for metric in METRICS
        for members in groups.values()
    ]
    return [series for series in found if series.points]


def fitted(series: list[MetricSeries]) -> list[MetricSeries]:
    """Return the series with laws and hold-out errors known: all at once that takes less time."""
    for whole in (False, True):
        members = [one for one in series if one.metric.is_whole is whole]
        points = [one.independent for one in members]
        laws, errors = fits(points, whole=whole), holdout_errors(points, whole=whole)
        for one, law, error in zip(members, laws, errors, strict=True):
            # Where cached properties keep what they found.
            vars(one).update(law=law, holdout_error=error)
    return series


def _series(run: Run, label: str, metric: Metric, members: list[Measurement]) -> MetricSeries:
    point = members[0].point
    framework = run.framework(point.framework)
    built = next((m.graph.built for m in members if m.graph and m.graph.built), None)
    pairs = ((m.point.steps, metric.value(m)) for m in members)
    return MetricSeries(
        label=label,
        conditions=replace(point, steps=0, repeat=0),
        metric=metric,
        points=tuple(
            sorted((n, value) for n, value in pairs if value is not None and math.isfinite(value))
        ),
        caveats=tuple(one for one in framework.caveats if one.metric == metric.name),
        counts=framework.counted(built.name) if built and metric.is_whole else "",
    )


def kinds_of_nodes(found: Iterable[MetricSeries]) -> dict[str, list[str]]:
    """Return what is counted as nodes, each with the labels of the series of which it is."""
    kinds: dict[str, list[str]] = {}
    for one in found:
        if one.metric.is_whole:
            kinds.setdefault(one.counts, []).append(one.label)
    return kinds


def coinciding(members: Iterable[T], series: Callable[[T], MetricSeries]) -> list[list[T]]:
    """Return what lies on one line of a picture, in groups, in their order.

    They are of one family and axis, have the same lengths, and their medians at each of them
    differ by no more than ``SAME`` of the larger one.

    Args:
        members: what is grouped, all of one metric.
        series: returns the series of one of them.
    """
    groups: list[list[T]] = []
    firsts: dict[tuple[object, ...], list[tuple[int, list[float]]]] = {}
    for one in members:
        own = series(one)
        medians = list(own.medians.values())
        kind = (own.conditions.family, own.conditions.axis, *own.medians)
        size = _magnitude(medians[0]) if medians else 0
        near = [
            at
            for beside in (size - 1, size, size + 1)
            for at, first in firsts.get((*kind, beside), ())
            if all(map(_is_same, first, medians))
        ]
        if near:
            groups[min(near)].append(one)
        else:
            firsts.setdefault((*kind, size), []).append((len(groups), medians))
            groups.append([one])
    return groups


def _is_same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=SAME)


def _magnitude(value: float) -> int:
    """Return a whole number that differs by 1 at most for values that are the same."""
    # Values that are the same differ by a factor of 1 / (1 - SAME) at most; 0 is itself alone.
    return int(math.log(abs(value)) // (1.01 * SAME)) if value else -(10**9)
