"""The data of every plot: one panel per scenario family, one series per label."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from profiler.analysis.metrics import Metric
from profiler.analysis.results import RunResults
from profiler.facts import Certificate, Measurement, Status, WallStatus
from profiler.lengths import STEPS

__all__ = [
    "BoundedMetric",
    "Failure",
    "MetricPanel",
    "PanelSeries",
    "Spot",
    "WallMarks",
    "panels",
]

_LIMITS = {"device": "limit_bytes", "host": "host_limit_bytes"}


@dataclass(frozen=True, kw_only=True)
class BoundedMetric:
    """A metric of a plot, and the kind of wall (``device`` or ``host``) that bounds it."""

    metric: Metric
    wall_kind: str | None = None


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A measured value at one number of steps, over its repeats."""

    steps: int
    median: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A point that did not end well; ``value`` is where to mark it, None for the axis edge."""

    steps: int
    status: Status
    value: float | None


@dataclass(frozen=True, kw_only=True)
class WallMarks:
    """A wall certificate as marks.

    ``predicted`` is None where it is what was found; ``failed`` are the steps of the search's
    runs that did not survive, ``probes`` the peaks of those that did.
    """

    status: WallStatus
    limit_bytes: int
    last_ok: int | None
    first_oom: int | None
    predicted: int | None
    probes: tuple[Spot, ...]
    failed: tuple[int, ...] = ()

    @property
    def steps(self) -> int | None:
        """Where the wall is marked: at its survivor, else at its failure; None for no end."""
        return self.last_ok if self.last_ok is not None else self.first_oom


@dataclass(frozen=True, kw_only=True)
class PanelSeries:
    """One line of a panel with its failed points and its walls."""

    label: str
    axis: str = STEPS
    spots: tuple[Spot, ...] = ()
    failures: tuple[Failure, ...] = ()
    walls: tuple[WallMarks, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MetricPanel:
    """One metric of one scenario family, or a facet of it; ``limits``: those that apply to it."""

    family: str
    metric: Metric
    series: tuple[PanelSeries, ...]
    limits: tuple[int, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw: no value, no wall."""
        return not any(series.spots or series.walls for series in self.series)

    @property
    def steps(self) -> list[int]:
        """Every number of steps that has a mark."""
        found: list[int] = []
        for series in self.series:
            found += [spot.steps for spot in series.spots]
            found += [failure.steps for failure in series.failures]
            for wall in series.walls:
                ends = (wall.last_ok, wall.first_oom, wall.predicted, *wall.failed)
                found += [steps for steps in ends if steps is not None]
                found += [probe.steps for probe in wall.probes]
        return found

    @property
    def axes(self) -> list[str]:
        """The names of the axes that something is drawn over."""
        return [one.axis for one in self.series if one.spots or one.failures or one.walls]

    @property
    def values(self) -> list[float]:
        """Every value that is drawn, limits included."""
        found: list[float] = list(self.limits)
        for series in self.series:
            probes = [probe for wall in series.walls for probe in wall.probes]
            found += [value for spot in (*series.spots, *probes) for value in (spot.low, spot.high)]
        return found


def panels(results: RunResults, bounded: BoundedMetric) -> list[MetricPanel]:
    """Return the panels of one metric, empty ones included, in the order of the run."""
    kind, facet = bounded.wall_kind, results.labels.facet
    members: dict[tuple[str, str], list[Measurement]] = {}
    for label, m in results.measurements:
        # The whole process is only counted where it is limited.
        if kind != "host" or m.point.host_limit_bytes is not None:
            members.setdefault((facet(m.point), label), []).append(m)
    walls: dict[tuple[str, str], list[Certificate]] = {}
    for label, wall in results.walls:
        if wall.kind == kind:
            walls.setdefault((facet(wall), label), []).append(wall)
    return [
        MetricPanel(
            family=family,
            metric=bounded.metric,
            series=tuple(
                _series(
                    label,
                    bounded.metric,
                    members.get((family, label), []),
                    walls.get((family, label), []),
                )
                for label in labels
            ),
            limits=tuple(sorted(_limits(results, family, kind))),
        )
        for family, labels in results.families.items()
    ]


def _series(
    label: str, metric: Metric, members: Sequence[Measurement], walls: Sequence[Certificate]
) -> PanelSeries:
    spots = _spots(metric, members)
    ends = [(m.point.steps, m.outcome.status) for m in members if m.outcome.status.is_failure]
    axes = [*(m.point.axis for m in members), *(wall.axis for wall in walls)]
    return PanelSeries(
        label=label,
        axis=axes[0] if axes else STEPS,
        spots=spots,
        failures=tuple(
            Failure(steps=steps, status=status, value=_value_up_to(steps, spots))
            for steps, status in sorted(set(ends), key=lambda end: (end[0], end[1].value))
        ),
        walls=tuple(map(_marks, walls)),
    )


def _spots(metric: Metric, members: Iterable[Measurement]) -> tuple[Spot, ...]:
    values: dict[int, list[float]] = {}
    for m in members:
        value = metric.value(m)
        if value is not None and not math.isnan(value):
            values.setdefault(m.point.steps, []).append(value)
    return tuple(
        Spot(steps=steps, median=median(found), low=min(found), high=max(found))
        for steps, found in sorted(values.items())
    )


def _value_up_to(steps: int, spots: Iterable[Spot]) -> float | None:
    values = [spot.median for spot in spots if spot.steps <= steps]
    return values[-1] if values else None


def _marks(wall: Certificate) -> WallMarks:
    failed = [probe.steps for probe in wall.probes if probe.outcome.status is not Status.OK]
    return WallMarks(
        status=wall.status,
        limit_bytes=wall.limit_bytes,
        last_ok=wall.last_ok,
        first_oom=wall.first_oom,
        predicted=_misplaced(wall),
        failed=tuple(dict.fromkeys(failed)),
        probes=tuple(
            Spot(steps=p.steps, median=p.peak_bytes, low=p.peak_bytes, high=p.peak_bytes)
            for p in wall.probes
            if p.peak_bytes is not None and p.outcome.status is Status.OK
        ),
    )


def _misplaced(wall: Certificate) -> int | None:
    """Return the predicted steps where they are not what was found."""
    predicted = wall.predicted
    return int(predicted) if predicted is not None and wall.prediction_error_steps else None


def _limits(results: RunResults, family: str, kind: str | None) -> set[int]:
    """Return the limits of that kind of the family's walls and points."""
    if kind is None:
        return set()
    found = {
        wall.limit_bytes
        for _, wall in results.walls
        if (results.labels.facet(wall), wall.kind) == (family, kind)
    }
    limits = [
        getattr(m.point, _LIMITS[kind])
        for _, m in results.measurements
        if results.labels.facet(m.point) == family
    ]
    return found | {limit for limit in limits if limit is not None}
