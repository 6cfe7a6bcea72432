"""What laws say of a length that was not run: values with intervals, or why there is none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from profiler.analysis.fitting import fit_line
from profiler.analysis.laws import Law, TooFew
from profiler.analysis.metrics import Metric
from profiler.analysis.series import MetricSeries
from profiler.facts import Point, WallPrediction

# How many times the longest measured length is looked at where nobody asks for a length.
REACH = 8
# A law whose shorter half is further off in the longer half is not continued.
MOST_WRONG = 0.15
# An interval that is wider than this share of its value says nothing.
_MOST_UNSURE = 0.3
# A metric that is read from points made like the long one is continued from these shares of
# the longest of them, an eighth where that is enough for a loop to settle: that takes it twice
# its 32 parallel iterations.
_SHARES = (1 / 4, 3 / 8, 1 / 2, 3 / 4, 1)
_ENOUGH, _MOST = 128, 256
# What no law of short lengths foretold in any trial (docs/predictions.md), however good it looked.
_NEVER = {
    "first_step_time": "the framework's graph optimizer takes more time per step, the longer the "
    "graph: no law of shorter ones holds",
}
# No prediction claims to be closer than this share.
_FINEST = 0.002


@dataclass(frozen=True, kw_only=True)
class PredictedValue:
    """One metric at a number of steps that was not run.

    Args:
        metric: what is predicted.
        value: in the metric's unit; None where nothing honest can be said: see ``reason``.
        low: with ``high`` where 95 % of single measurements would lie, if the law is right, and
            never narrower than the law's shorter half missed its longer one.
        high: see ``low``; both are the value where the law is exact.
        law: what was continued; None for too few lengths.
        lengths: the distinct lengths behind it.
        holdout_error: how far off the law of their shorter half is in the longer half.
        alike: whether it was learnt from points made like the long one.
        reason: why there is no value.
    """

    metric: Metric
    value: float | None
    low: float | None
    high: float | None
    law: Law | None
    lengths: tuple[int, ...]
    holdout_error: float | None
    alike: bool
    reason: str | None


def predicted_value(curve: MetricSeries, steps: int, *, alike: bool = False) -> PredictedValue:
    """Return what the curve's law says of these steps; within its lengths it need only be clear."""
    law = curve.law if isinstance(curve.law, Law) else None
    told: tuple[float, float, float] | None = None
    reason = _unclear(curve)
    if reason is None and not curve.covers(steps):
        reason = _closed(curve, alike=alike) or _missed(curve, steps)
    if law is not None and reason is None:
        told = _continued(curve, law, steps)
        reason = _doubt(*told)
    value, low, high = told if told and reason is None else (None, None, None)
    return PredictedValue(
        metric=curve.metric,
        value=value,
        low=None if low is None else max(0.0, low),
        high=high,
        law=law,
        lengths=tuple(sorted({n for n, _ in curve.points})),
        holdout_error=curve.holdout_error,
        alike=alike,
        reason=reason,
    )


def _unclear(curve: MetricSeries) -> str | None:
    """Return why the law says nothing of any length, or None."""
    if isinstance(curve.law, TooFew):
        return f"{curve.law.lengths} of {curve.law.needed} lengths: add --steps"
    return None if curve.law.is_clear else "no clear law: too noisy, take --repeats"


def _closed(curve: MetricSeries, *, alike: bool) -> str | None:
    """Return why the law is not continued beyond its lengths at all, or None."""
    if curve.metric.name in _NEVER:
        return _NEVER[curve.metric.name]
    if curve.holdout_error is None:
        return "too few lengths to foretell the longer ones by the shorter: add --steps"
    if curve.holdout_error > MOST_WRONG:
        return f"its hold-out error is {curve.holdout_error:.0%}, over {MOST_WRONG:.0%}"
    if curve.metric.bends and not alike:
        return "longer graphs may bend it: stepwall predict runs small models of them"
    return None


def _continued(curve: MetricSeries, law: Law, steps: int) -> tuple[float, float, float]:
    """Return the law's value there, and the two ends of its interval."""
    value = law.at(steps)
    if law.exact:
        return value, value, value
    line = fit_line(curve.points) if law.kind == "constant" else law
    low, high = (law if isinstance(line, TooFew) else line).interval_at(steps)
    share = max(_FINEST, miss(curve, steps))
    return value, min(low, value * (1 - share)), max(high, value * (1 + share))


def miss(curve: MetricSeries, steps: int) -> float:
    """Return by what share the law is taken to miss there: as its shorter half missed the longer.

    A slope that is off by a share e is off by e times what lies beyond the lengths it is from, of
    all: so a miss that showed at twice the lengths is larger at eight times.
    """
    lengths = sorted({n for n, _ in curve.points})
    last, middle = lengths[-1], lengths[(len(lengths) + 1) // 2 - 1]
    if curve.holdout_error is None or curve.covers(steps):
        return 0.0
    return curve.holdout_error * max(1.0, (1 - last / steps) / (1 - middle / last))


def _missed(curve: MetricSeries, steps: int) -> str | None:
    """Return why a law that foretells its own longer half is not continued so far, or None."""
    share = miss(curve, steps)
    if share <= MOST_WRONG:
        return None
    return f"so far beyond its lengths its law may be off by {share:.0%}: add --steps"


def _doubt(value: float, low: float, high: float) -> str | None:
    """Return why a value cannot be told, from itself and its interval."""
    if value < 0:
        return "its law falls below zero there"
    wide = max(high - value, value - low)
    if value and wide > _MOST_UNSURE * value:
        return f"its interval is as wide as ± {wide / value:.0%}: add --steps"
    return None


def lengths_like(steps: int) -> list[int]:
    """Return the lengths that are run, made like one of ``steps``, to learn its memory from.

    An eighth of it at most, or, where that is not enough to see, half of it.
    """
    longest = min(_MOST, max(steps // 8, min(_ENOUGH, steps // 2)), steps)
    return sorted({max(1, round(longest * share)) for share in _SHARES})


def wall_by_law(peak: MetricSeries, *, limit_bytes: int, max_steps: int) -> WallPrediction | None:
    """Return the largest steps whose device peak stays under the limit by the peak's law.

    For graphs whose allocations show no pattern to be replayed: an allocator that is pressed
    packs tighter, so the wall is likely further on. None where the law tells nothing, and where
    it does not grow.
    """
    law = peak.clear_law
    if law is None or _closed(peak, alike=True) is not None or law.per_step <= 0:
        return None

    def most(bound: int) -> int:
        """Return the most steps whose value, or one end of its interval, fits."""

        def needs(steps: int) -> float:
            return (law.at(steps), *law.interval_at(steps))[bound]

        fits, fails = 0, max_steps + 1
        while fails - fits > 1:
            middle = (fits + fails) // 2
            fits, fails = (middle, fails) if needs(middle) <= limit_bytes else (fits, middle)
        return fits

    value, high, low = most(0), most(1), most(2)
    if not value:
        return None
    margin = max(1, round(_FINEST * value))
    return WallPrediction(
        steps=value,
        low=max(0, min(low, value - margin)),
        high=max(high, value + margin),
        learnt_from=sorted({steps for steps, _ in peak.points}),
        is_line=True,
        bytes_per_step=law.per_step,
    )


def values(
    ordinary: Iterable[MetricSeries], alike: Iterable[MetricSeries], steps: int
) -> list[PredictedValue]:
    """Return every metric at these steps: from points made like them where there are such.

    Args:
        ordinary: the curves of one series by metric.
        alike: curves of the same, from points that were made like one of ``steps``.
        steps: the length that was not run.
    """
    better = {curve.metric.name: curve for curve in alike}
    return [
        predicted_value(
            better.get(curve.metric.name, curve), steps, alike=curve.metric.name in better
        )
        for curve in ordinary
    ]


@dataclass(frozen=True, kw_only=True)
class ScenarioPrediction:
    """All that is foreseen of one scenario; none of it was run.

    Args:
        conditions: of its points; steps and repeat are 0.
        run: the name of the run whose laws are continued.
        measured_to: the largest steps that were really run.
        limit_bytes: the device limit that was asked about, if any.
        wall: the largest steps under it; None for no limit, or where nothing can be told.
        steps: the length that the values are of: as asked for, else the wall's.
        values: every metric there.
        cards: for common sizes of device memory, in bytes, the largest steps.
        changes_from: see ``WallPredictions``: memory there is at most what is told, and a
            wall at least.
    """

    conditions: Point
    run: str
    measured_to: int
    limit_bytes: int | None
    wall: WallPrediction | None
    steps: int | None
    values: tuple[PredictedValue, ...]
    cards: tuple[tuple[int, WallPrediction | None], ...]
    changes_from: int | None = None

    def may_change(self, steps: float) -> bool:
        """Whether the framework may have changed a graph of these steps."""
        return self.changes_from is not None and steps >= self.changes_from

    @property
    def was_measured(self) -> bool:
        """Whether the run holds the very length that is predicted."""
        return any(self.steps in value.lengths for value in self.values if not value.alike)
