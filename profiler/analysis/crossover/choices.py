"""What each build costs at one length, measured or by its law, and which are worth choosing."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from profiler.analysis.laws import Law
from profiler.analysis.prediction import predicted_value
from profiler.analysis.series import MetricSeries
from profiler.facts import Certificate, Point

# What is weighed against each other.
AXES = ("step_time", "peak")
# Of two equal builds, all of three repeats lie below all of the other's once in 20 times.
ENOUGH_REPEATS = 3


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What is known of one metric at one length.

    Args:
        value: the median of the repeats, else what the law says; None where nothing is known.
        low: with ``high`` where single measurements lie; None where the noise is not known.
        high: see ``low``.
        measured: every repeat, ascending; empty where the value is the law's.
        reason: why there is no value, or why its noise is not known.
    """

    value: float | None
    low: float | None
    high: float | None
    measured: tuple[float, ...] = ()
    reason: str | None = None

    @property
    def is_predicted(self) -> bool:
        """Whether the value is the law's."""
        return self.value is not None and not self.measured

    def is_below(self, other: Reading) -> bool:
        """Whether noise cannot have made it less than the other."""
        return self.high is not None and other.low is not None and self.high < other.low

    def equals(self, other: Reading) -> bool:
        """Whether both are the same value without any noise."""
        ends = {self.low, self.high, other.low, other.high}
        return len(ends) == 1 and None not in ends


_UNKNOWN = Reading(value=None, low=None, high=None)


@dataclass(frozen=True, kw_only=True)
class BuildCost:
    """One build at one length.

    Args:
        label: tells it from the others.
        conditions: of its points; steps and repeat are 0.
        readings: by the names of the metrics, those that its run has.
        walls: those of its run that were searched under the same conditions.
        is_optimal: whether no other build is better in step time or device peak and no worse in
            the other; None where noise hides it, or where too little is known.
    """

    label: str
    conditions: Point
    readings: Mapping[str, Reading]
    walls: tuple[Certificate, ...]
    is_optimal: bool | None = None


def reading(curve: MetricSeries, steps: int) -> Reading:
    """Return what is known of a curve at this length: measured where it was, else by its law."""
    values = tuple(sorted(curve.values_at(steps)))
    if values:
        return _measured(curve, steps, values)
    told = predicted_value(curve, steps)
    return Reading(value=told.value, low=told.low, high=told.high, reason=told.reason)


def _measured(curve: MetricSeries, steps: int, values: tuple[float, ...]) -> Reading:
    ends = _ends(curve, steps, values)
    return Reading(
        value=statistics.median(values),
        low=ends[0] if ends else None,
        high=ends[1] if ends else None,
        measured=values,
        reason=None if ends else f"its noise is not known: take --repeats {ENOUGH_REPEATS}",
    )


def _ends(curve: MetricSeries, steps: int, values: tuple[float, ...]) -> tuple[float, float] | None:
    """Return where single measurements lie at a measured length, or None."""
    if not curve.metric.is_noisy(curve.conditions.schedule):
        return values[0], values[-1]
    if isinstance(curve.law, Law):
        # Repeats run one after the other: what disturbs one disturbs its neighbours, and only
        # the other lengths tell. So even an unclear law has a say; its interval is the wider.
        low, high = curve.law.interval_at(steps)
        return min(low, values[0]), max(high, values[-1])
    return (values[0], values[-1]) if len(values) >= ENOUGH_REPEATS else None


def common_length(curves: Iterable[MetricSeries]) -> int | None:
    """Return the largest length at which all of these curves were measured, or None."""
    lengths = [{steps for steps, _ in curve.points} for curve in curves]
    return max(set.intersection(*lengths), default=None) if lengths else None


def choices(
    curves: Sequence[MetricSeries], walls: Iterable[Certificate] = (), *, steps: int
) -> list[BuildCost]:
    """Return every build at this length, in the order of the curves.

    Args:
        curves: of one run, with labels that tell the builds apart; any metrics.
        walls: of the same run.
        steps: the length.
    """
    found: dict[str, dict[str, Reading]] = {}
    conditions: dict[str, Point] = {}
    for curve in curves:
        found.setdefault(curve.label, {})[curve.metric.name] = reading(curve, steps)
        conditions[curve.label] = curve.conditions
    walls = list(walls)
    builds = [
        BuildCost(
            label=label,
            conditions=conditions[label],
            readings=readings,
            walls=tuple(wall for wall in walls if _is_of(wall, conditions[label])),
        )
        for label, readings in found.items()
    ]
    return [replace(one, is_optimal=_is_optimal(one, builds)) for one in builds]


def _is_of(wall: Certificate, point: Point) -> bool:
    return (wall.scenario, wall.parameters, wall.device, wall.schedule) == (
        *(point.scenario, point.parameters, point.device, point.schedule),
    )


def _is_optimal(one: BuildCost, builds: Iterable[BuildCost]) -> bool | None:
    beaten = [_is_beaten(one, by=other) for other in builds if other is not one]
    return False if True in beaten else None if None in beaten else True


def _is_beaten(one: BuildCost, *, by: BuildCost) -> bool | None:
    """Return whether a build is worse than another; None where that is not known."""
    mine, theirs = ([build.readings.get(axis, _UNKNOWN) for axis in AXES] for build in (one, by))
    pairs = list(zip(mine, theirs, strict=True))
    if any(a.is_below(b) for a, b in pairs):
        return False
    if not all(b.is_below(a) or b.equals(a) for a, b in pairs):
        return None
    return any(b.is_below(a) for a, b in pairs)
