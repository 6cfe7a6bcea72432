"""What each build costs at one length, measured or by its law, and which are Pareto-optimal."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from profiler.analysis.prediction import predicted_value
from profiler.analysis.series import MetricSeries
from profiler.facts import Certificate, Point

# The names of the metrics that Pareto-optimal builds are best in.
PARETO_METRICS = ("step_time", "peak")
# Of two equal builds, all of three repeats lie below all of the other's once in 20 times.
ENOUGH_REPEATS = 3


@dataclass(frozen=True, kw_only=True)
class Cost:
    """One metric of one build at one length.

    Args:
        value: the median of the repeats, else the law's value, in the metric's unit; None if
            neither is known.
        low: the lower end of single measurements; None if the noise is not known.
        high: their upper end; see ``low``.
        measured: every repeat, ascending; empty if the value is the law's.
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

    def is_below(self, other: Cost) -> bool:
        """Whether it is less than the other by more than noise."""
        return self.high is not None and other.low is not None and self.high < other.low

    def equals(self, other: Cost) -> bool:
        """Whether both are the same value without any noise."""
        ends = {self.low, self.high, other.low, other.high}
        return len(ends) == 1 and None not in ends


UNKNOWN_COST = Cost(value=None, low=None, high=None)


@dataclass(frozen=True, kw_only=True)
class BuildCost:
    """What one build costs at one length.

    Args:
        label: the build's name.
        conditions: of its points; steps and repeat are 0.
        costs: by the names of the metrics that were measured.
        walls: those of its run that were searched under the same conditions.
        is_optimal: whether it is Pareto-optimal: no other build is better in step time or device
            peak and no worse in the other. None if noise hides that, or a number is missing.
    """

    label: str
    conditions: Point
    costs: Mapping[str, Cost]
    walls: tuple[Certificate, ...]
    is_optimal: bool | None = None


def cost_at(series: MetricSeries, steps: int) -> Cost:
    """Return the cost at this length: as it was measured there, else by the law."""
    values = tuple(sorted(series.values_at(steps)))
    if not values:
        found = predicted_value(series, steps)
        return Cost(value=found.value, low=found.low, high=found.high, reason=found.reason)
    ends = _ends(series, steps, values)
    return Cost(
        value=statistics.median(values),
        low=ends[0] if ends else None,
        high=ends[1] if ends else None,
        measured=values,
        reason=None if ends else f"its noise is not known: use --repeats {ENOUGH_REPEATS}",
    )


def _ends(
    series: MetricSeries, steps: int, values: tuple[float, ...]
) -> tuple[float, float] | None:
    """Return the ends of single measurements at a measured length, or None."""
    if series.is_noisy and steps in series.intervals:
        # Repeats run one after the other, so a disturbance may reach all of them: only other
        # lengths show it. So an unclear law counts, too; its interval is only wider.
        low, high = series.intervals[steps]
        return min(low, values[0]), max(high, values[-1])
    known = not series.is_noisy or len(values) >= ENOUGH_REPEATS
    return (values[0], values[-1]) if known else None


def common_length(members: Iterable[MetricSeries]) -> int | None:
    """Return the largest length at which all of these series were measured, or None."""
    lengths = [set(series.lengths) for series in members]
    return max(set.intersection(*lengths), default=None) if lengths else None


def build_costs(
    members: Sequence[MetricSeries], walls: Iterable[Certificate] = (), *, steps: int
) -> list[BuildCost]:
    """Return what every build costs at this length, in the order of the series.

    Args:
        members: series of one run, each build under a label of its own; any metrics.
        walls: of the same run.
        steps: the length.
    """
    found: dict[str, dict[str, Cost]] = {}
    conditions: dict[str, Point] = {}
    for series in members:
        found.setdefault(series.label, {})[series.metric.name] = cost_at(series, steps)
        conditions[series.label] = series.conditions
    walls = list(walls)
    builds = [
        BuildCost(
            label=label,
            conditions=conditions[label],
            costs=costs,
            walls=tuple(wall for wall in walls if _is_of(wall, conditions[label])),
        )
        for label, costs in found.items()
    ]
    return [replace(one, is_optimal=_is_optimal(one, builds)) for one in builds]


def _is_of(wall: Certificate, point: Point) -> bool:
    return (wall.scenario, wall.axis, wall.parameters, wall.device, wall.schedule) == (
        *(point.scenario, point.axis, point.parameters, point.device, point.schedule),
    )


def _is_optimal(one: BuildCost, builds: Iterable[BuildCost]) -> bool | None:
    beaten = [is_beaten(_pairs(one, other)) for other in builds if other is not one]
    return False if True in beaten else None if None in beaten else True


def _pairs(one: BuildCost, other: BuildCost) -> list[tuple[Cost, Cost]]:
    return [
        (one.costs.get(m, UNKNOWN_COST), other.costs.get(m, UNKNOWN_COST)) for m in PARETO_METRICS
    ]


def is_beaten(pairs: Sequence[tuple[Cost, Cost]]) -> bool | None:
    """Return whether a build is worse than another one in no cost better; None if not known.

    Args:
        pairs: each cost of the one, and of the other.
    """
    if any(mine.is_below(other) for mine, other in pairs):
        return False
    if not all(other.is_below(mine) or other.equals(mine) for mine, other in pairs):
        return None
    return any(other.is_below(mine) for mine, other in pairs)
