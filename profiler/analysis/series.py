"""The curves of a run: one metric of one series over its steps, with the law that it follows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

from profiler.analysis.fitting import fit, validate
from profiler.analysis.labels import Labels
from profiler.analysis.laws import Law, TooFew
from profiler.analysis.metrics import METRICS, Metric
from profiler.facts import Measurement, Point, Run


@dataclass(frozen=True, kw_only=True)
class MetricSeries:
    """One metric of one series.

    Args:
        label: tells the series apart within its run.
        conditions: what all its points share; its steps and repeat are 0.
        metric: what was measured.
        points: ``(steps, value)`` by steps, one for each repeat, in the metric's unit.
    """

    label: str
    conditions: Point
    metric: Metric
    points: tuple[tuple[int, float], ...]

    @cached_property
    def law(self) -> Law | TooFew:
        """The law that the points follow, or how many lengths it takes to tell one."""
        return fit(self.points, whole=self.metric.is_whole)

    @cached_property
    def holdout_error(self) -> float | None:
        """How far off the law of the shorter half of the lengths is in the longer half.

        The largest relative error; infinite where a value there is 0; None for too few lengths.
        """
        return validate(self.points, whole=self.metric.is_whole)

    @property
    def clear_law(self) -> Law | None:
        """The law, where there is one that says something of a step."""
        return self.law if isinstance(self.law, Law) and self.law.is_clear else None

    @property
    def last(self) -> int:
        """The largest measured steps; 0 for no point."""
        return max((steps for steps, _ in self.points), default=0)

    def covers(self, steps: int) -> bool:
        """Whether these steps lie between the shortest and the longest measured length."""
        return bool(self.points) and self.points[0][0] <= steps <= self.last

    def values_at(self, steps: int) -> list[float]:
        """Return what was measured at these steps, over the repeats."""
        return [value for at, value in self.points if at == steps]


def curves(run: Run) -> list[MetricSeries]:
    """Return the curves of a run by metric, then in the order of the run; none without points."""
    labels = Labels([*(m.point for m in run.measurements), *run.walls])
    series: dict[str, list[Measurement]] = {}
    for measurement in run.measurements:
        key = replace(measurement.point, steps=0, repeat=0).key
        series.setdefault(key, []).append(measurement)
    found = [_curve(labels, metric, members) for metric in METRICS for members in series.values()]
    return [curve for curve in found if curve.points]


def _curve(labels: Labels, metric: Metric, members: list[Measurement]) -> MetricSeries:
    point = members[0].point
    pairs = ((m.point.steps, metric.value(m)) for m in members)
    return MetricSeries(
        label=labels(point),
        conditions=replace(point, steps=0, repeat=0),
        metric=metric,
        points=tuple(
            sorted((n, value) for n, value in pairs if value is not None and math.isfinite(value))
        ),
    )
