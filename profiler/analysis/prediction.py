"""What laws predict for a length that was not run: values with intervals, or why there is none."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from profiler.analysis.laws import Law, TooFewLengths
from profiler.analysis.metrics import Metric
from profiler.analysis.series import MetricSeries
from profiler.analysis.size_wall import SizeWall
from profiler.facts import (
    CardWall,
    Caveat,
    CaveatEffect,
    PeakPrediction,
    Point,
    WallPrediction,
)
from profiler.lengths import ANY, Lengths

# The default length of a prediction is this many times the longest measured one.
REACH = 8
# A value whose interval is wider than this share of it is not given.
_WIDEST = 0.3
# From here on its width in percent says no more.
_FAR_WIDER = 10
# The lengths of short runs, as shares of the longest of them. That one is an eighth of the
# predicted length, but long enough for a loop to settle: after twice its 32 parallel iterations.
_SHARES = (1 / 4, 3 / 8, 1 / 2, 3 / 4, 1)
_ENOUGH, _MOST = 128, 256
# What helps, wherever the reason is shown: only some commands have --steps for it.
_MORE = "profile it with more --steps"
# A jump or a bend takes as many lengths to show.
_ENOUGH_TO_EXTRAPOLATE = 5
# Fewer lengths show no growth that one of them could not have disturbed.
_FEWEST_FOR_LEAST = 3
# How many steps are looked at in one go where a law meets a limit.
_TRIED = 64
# The margin of a prediction is at least this share of its value.
_FINEST = 0.002


@dataclass(frozen=True, kw_only=True)
class PredictedValue:
    """One metric at a number of steps that was not run.

    Args:
        metric: what is predicted.
        value: in the metric's unit; None where it cannot be predicted: see ``reason``.
        low: with ``high`` the interval of 95 % of single measurements, averaged over the laws
            that the points may follow.
        high: see ``low``; both are the value where an exact law proves it.
        law: what was extrapolated; None for too few lengths.
        lengths: the distinct lengths that the law was fitted to.
        holdout_error: how far off the law of their shorter half is in the longer half.
        from_short_runs: whether they were short runs with constant folding scaled down.
        reason: why there is no value.
        is_replayed: whether it comes from recorded allocations instead, continued to these steps.
        at_least: of a time without a value, the least that it takes; see ``least_time``.
    """

    metric: Metric
    value: float | None
    low: float | None
    high: float | None
    law: Law | None
    lengths: tuple[int, ...]
    holdout_error: float | None
    from_short_runs: bool
    reason: str | None
    is_replayed: bool = False
    at_least: float | None = None

    @property
    def is_exact(self) -> bool:
        """Whether the value is certain, as long as growth does not change further on."""
        return self.value is not None and self.low == self.value == self.high


def predicted_value(
    series: MetricSeries, steps: int, *, from_short_runs: bool = False
) -> PredictedValue:
    """Return the metric's value at these steps by the law of the series.

    Between measured lengths the law need only be clear; beyond them it takes more of them.

    Args:
        series: the metric over its measured lengths.
        steps: the length to predict.
        from_short_runs: whether constant folding was scaled down in these runs.
    """
    ends, reason = _value_or_reason(series, steps, from_short_runs=from_short_runs)
    value, low, high = ends or (None, None, None)
    return PredictedValue(
        metric=series.metric,
        value=value,
        low=None if low is None else max(0.0, low),
        high=high,
        law=series.law if isinstance(series.law, Law) else None,
        lengths=tuple(series.lengths),
        holdout_error=series.holdout_error,
        from_short_runs=from_short_runs,
        reason=reason,
        at_least=least_time(series, steps) if value is None else None,
    )


def unpredicted(series: MetricSeries, steps: int) -> str | None:
    """Return why ``predicted_value`` gives no value there, or None."""
    return _value_or_reason(series, steps, from_short_runs=False)[1]


def _value_or_reason(
    series: MetricSeries, steps: int, *, from_short_runs: bool
) -> tuple[tuple[float, float, float] | None, str | None]:
    """Return the value with the ends of its interval, or why there is none."""
    reason = _unclear(series)
    if reason is None and not series.covers(steps):
        reason = _not_extrapolated(series, from_short_runs=from_short_runs)
    if reason is not None or not isinstance(series.law, Law):
        return None, reason
    found = _at(series, series.law, steps)
    reason = _turns(series.law, steps) or _inconclusive(*found)
    return (found, None) if reason is None else (None, reason)


def least_time(series: MetricSeries, steps: int) -> float | None:
    """Return the seconds that so many steps take at least, as long as growth does not slow down.

    None for other metrics, up to the longest measured length, and for fewer than three lengths.

    A line through each of the two longest lengths, as slow as the slowest growth from any shorter
    one to it; the lower of the two, of which one may have been disturbed. It is no prediction:
    graph optimizers take more time for a node, the more nodes there are.
    """
    too_few = len(series.lengths) < _FEWEST_FOR_LEAST
    if series.metric.unit != "seconds" or steps <= series.last or too_few:
        return None
    return min(_least_from(series, length, steps) for length in series.lengths[-2:])


def _least_from(series: MetricSeries, length: int, steps: int) -> float:
    """Return the value of the line of slowest growth through one length; it never falls."""
    value = min(series.values_at(length))
    slowest = min(
        (value - max(series.values_at(shorter))) / (length - shorter)
        for shorter in series.lengths
        if shorter < length
    )
    return value + max(0.0, slowest) * (steps - length)


def _unclear(series: MetricSeries) -> str | None:
    """Return why the law gives no value at any length, or None."""
    if isinstance(series.law, TooFewLengths):
        return f"{series.law.lengths} of {series.law.needed} lengths: {_MORE}"
    return None if series.law.is_clear else "no clear law: too noisy, use --repeats"


def _not_extrapolated(series: MetricSeries, *, from_short_runs: bool) -> str | None:
    """Return why the law is not extrapolated at all, or None."""
    exact = isinstance(series.law, Law) and series.law.exact
    never = series.caveat(CaveatEffect.NO_EXTRAPOLATION)
    if never is not None:
        return never.text
    if len(series.lengths) < _ENOUGH_TO_EXTRAPOLATE and not exact:
        return f"{len(series.lengths)} of {_ENOUGH_TO_EXTRAPOLATE} lengths: {_MORE}"
    bends = series.caveat(CaveatEffect.SHORT_RUNS_DIFFER)
    if bends is not None and not from_short_runs:
        return f"{bends.text}; stepwall predict takes that into account"
    return None


def _at(series: MetricSeries, law: Law, steps: int) -> tuple[float, float, float]:
    """Return the law's value there, and the two ends of its interval."""
    value = law.at(steps)
    if law.proves(steps):
        return value, value, value
    # What repeats may also repeat after some steps only: in blocks, or in segments.
    blocks = law.exact or not (series.is_noisy or series.covers(steps))
    near = [int(ends[0]) for ends in law.around([steps])] if blocks else [steps]
    lows, highs = zip(*(law.interval_at(n) for n in near), strict=True)
    low, high = min(*lows, value * (1 - _FINEST)), max(*highs, value * (1 + _FINEST))
    whole = series.metric.is_whole
    return value, math.floor(low) if whole else low, math.ceil(high) if whole else high


def _turns(law: Law, steps: int) -> str | None:
    """Return that a curve ends up going the other way than over its lengths, if it does.

    Growth that levels off looks so to a law that has no such term.
    """
    over, beyond = law.at(law.last) - law.at(law.first), law.at(steps) - law.at(law.last)
    return (
        "its law turns around beyond the measured lengths"
        if steps > law.last and over * beyond < 0
        else None
    )


def _inconclusive(value: float, low: float, high: float) -> str | None:
    """Return why a value is not given, by itself and its interval."""
    if value < 0:
        return "its law falls below zero there"
    wide = max(high - value, value - low)
    if value and wide > _WIDEST * value:
        if wide > _FAR_WIDER * value:
            return f"its interval is wider than ± {100 * _FAR_WIDER:,.0f} %: {_MORE} or --repeats"
        return f"its interval is as wide as ± {100 * wide / value:,.0f} %: {_MORE} or --repeats"
    return None


def short_lengths(steps: int, lengths: Lengths = ANY) -> list[int]:
    """Return the lengths of the short runs from which memory at ``steps`` is predicted.

    An eighth of it at most or, where that is too short for loops to settle, half of it.

    Args:
        steps: the length of the prediction.
        lengths: those that may be run.
    """
    longest = min(_MOST, max(steps // 8, min(_ENOUGH, steps // 2)), steps)
    return lengths.spread({max(1, round(longest * share)) for share in _SHARES})


def wall_by_law(
    peak: MetricSeries, *, limit_bytes: int, max_steps: int, lengths: Lengths = ANY
) -> WallPrediction | None:
    """Return the largest steps whose device peak stays under the limit by the peak's law.

    For allocations without a pattern to replay: an allocator packs tighter near its limit, so
    the wall is likely further on. None without a clear law, where its interval is too wide, and
    where the peak does not grow.
    """
    law = peak.clear_law
    added = law.per_step if law is not None else None
    if law is None or added is None or added <= 0 or _not_extrapolated(peak, from_short_runs=True):
        return None

    def most(bound: int) -> int:
        """Return the most steps whose value, or one end of its interval, fits."""
        fits, fails = 0, max_steps + 1
        while fails - fits > 1:
            tried = np.unique(np.linspace(fits + 1, fails - 1, _TRIED).round())
            needs = law.bounds(tried)[bound - 1] if bound else law.values(tried)
            over = int(np.argmax(needs > limit_bytes)) if (needs > limit_bytes).any() else None
            if over != 0:
                fits = int(tried[-1 if over is None else over - 1])
            if over is not None:
                fails = int(tried[over])
        return fits

    value, high, low = (lengths.at_most(most(bound)) for bound in range(3))
    if not value or max(high - value, value - low) > _WIDEST * value:
        return None
    margin = max(1, round(_FINEST * value))
    return WallPrediction(
        steps=value,
        low=max(0, min(low, value - margin)),
        high=max(high, value + margin),
        learned_from=sorted({steps for steps, _ in peak.points}),
        is_line=True,
        bytes_per_step=added,
    )


def replayed_value(law: PredictedValue, found: PeakPrediction) -> PredictedValue:
    """Return a metric of device memory by recorded allocations instead of by its law.

    Args:
        law: what its law says of it.
        found: what is predicted for it.
    """
    return replace(
        law,
        value=found.bytes,
        low=found.low,
        high=found.high,
        law=None,
        lengths=tuple(sorted(map(int, found.recorded))),
        holdout_error=None,
        from_short_runs=True,
        reason=None,
        is_replayed=True,
    )


def predicted_values(
    measured: Iterable[MetricSeries], short: Iterable[MetricSeries], steps: int
) -> list[PredictedValue]:
    """Return every metric at these steps: from short runs where there is a series of them.

    Args:
        measured: the series of one scenario's points by metric.
        short: series of the same from short runs with constant folding scaled down.
        steps: the length to predict.
    """
    better = {one.metric.name: one for one in short}
    return [
        predicted_value(
            better.get(one.metric.name, one), steps, from_short_runs=one.metric.name in better
        )
        for one in measured
    ]


@dataclass(frozen=True, kw_only=True)
class ScenarioPrediction:
    """Everything that is predicted of one scenario; none of it was run.

    Args:
        conditions: of its points; steps and repeat are 0.
        run: the name of the run whose laws are extrapolated.
        measured_to: the largest steps that were run.
        limit_bytes: the device limit that was asked for, if any.
        wall: the largest steps under it; None without a limit, or where it cannot be predicted.
        no_wall: why it cannot.
        steps: the length of the values: as asked for, else the wall's.
        values: every metric there.
        cards: the largest steps on cards of common sizes.
        caveats: from which steps on what is predicted is a bound only: memory is at most as
            predicted there, and a wall at least.
        failed: how the runs of the prediction failed, if they did: what needs them is missing.
        size_walls: where the graph itself reaches a limit of the framework.
    """

    conditions: Point
    run: str
    measured_to: int
    limit_bytes: int | None
    wall: WallPrediction | None
    steps: int | None
    values: tuple[PredictedValue, ...]
    cards: tuple[CardWall, ...]
    caveats: tuple[Caveat, ...] = ()
    failed: tuple[str, ...] = ()
    no_wall: str | None = None
    size_walls: tuple[SizeWall, ...] = ()

    def is_upper_bound(self, metric: str, steps: float) -> bool:
        """Whether the metric's prediction at these steps is the most that is needed."""
        return any(
            one.metric == metric
            and one.effect is CaveatEffect.UPPER_BOUND
            and steps >= (one.from_steps or 0)
            for one in self.caveats
        )

    @property
    def was_measured(self) -> bool:
        """Whether the run holds the length that is predicted."""
        measured = (value for value in self.values if not value.from_short_runs)
        return any(self.steps in value.lengths for value in measured)
