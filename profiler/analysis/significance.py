"""Whether a series of repeats changed between two runs, or only looks like it.

Two things pass for a change: noise between repeats, and a machine that was busier for a while or
throughout one run. So a change must show in both of two tests:

- The repeats of both runs, each taken from the middle of its length, differ: the aligned rank test
  (Hodges and Lehmann, Annals of Mathematical Statistics 33, 1962) by the two-sided test of Mann and
  Whitney. It can be no surer than the number of ways to deal the repeats of each length.
- The series moved differently from the others of its metric, by Student's t: what moves all of
  them alike is the machine, and what scatters them is how far it moves one alone.

The larger of the two chances counts. Over all series of a comparison it is corrected as Holm does
(Scandinavian Journal of Statistics 6, 1979): of comparisons of equal runs, at most one in twenty
shows any change. What this leaves out: a change of all series alike is taken for the machine.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from statistics import median, stdev

# How likely equal runs are to show any change, at most.
SIGNIFICANCE_LEVEL = 0.05
# The fewest other series that say how far the machine moves one.
ENOUGH_OTHERS = 2


@dataclass(frozen=True, kw_only=True)
class Repeats:
    """One metric of one series in two runs.

    Args:
        metric: its name.
        pairs: for each length the repeats before and after, at least one of each.
    """

    metric: str
    pairs: tuple[tuple[Sequence[float], Sequence[float]], ...]

    @cached_property
    def totals(self) -> tuple[float, float]:
        """The medians of both runs, summed over the lengths."""
        before, after = (math.fsum(map(median, side)) for side in zip(*self.pairs, strict=True))
        return before, after

    @cached_property
    def has_ratio(self) -> bool:
        """Whether every value is above 0, so that there is a ratio."""
        return all(value > 0 for pair in self.pairs for side in pair for value in side)

    @cached_property
    def moved(self) -> float:
        """The logarithm of the total after over that before."""
        before, after = self.totals
        return math.log(after / before)

    @cached_property
    def surest(self) -> float:
        """The smallest chance that its repeats can have: one of all ways to deal them."""
        return min(1.0, 2 / math.prod(math.comb(len(a) + len(b), len(a)) for a, b in self.pairs))

    def chance(self, drift: float) -> float:
        """Return how likely repeats of equal things are to differ so much, either way.

        Args:
            drift: how all the other series moved, in logarithms: it is taken off.
        """
        # Late, as most commands compare nothing.
        from scipy.stats import mannwhitneyu

        before, after = [], []
        for pair in self.pairs:
            was = [math.log(value) for value in pair[0]]
            became = [math.log(value) - drift for value in pair[1]]
            middle = (median(was) + median(became)) / 2
            before += [value - middle for value in was]
            after += [value - middle for value in became]
        ties = len({*before, *after}) < len(before) + len(after)
        method = "asymptotic" if ties else "exact"
        found = mannwhitneyu(before, after, alternative="two-sided", method=method)
        return max(float(found.pvalue), self.surest)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether one series changed.

    Args:
        drift: how all the other series moved, as a share; None if they are too few.
        beyond: how much further this one moved, as a share; None without a drift.
        reason: why that is no change; None where it is one.
    """

    drift: float | None
    beyond: float | None
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class _Others:
    """How the other series of the metric moved, in logarithms."""

    drift: float
    error: float  # of the prediction of one more
    free: int

    def chance(self, moved: float) -> float:
        """Return how likely one that did not change is to move so far from them."""
        from scipy.stats import t

        away = abs(moved - self.drift)
        if not self.error:
            return 0.0 if away else 1.0
        return 2 * float(t.sf(away / self.error, self.free))

    def least(self, level: float) -> float:
        """Return the smallest move that shows at this level, as a share."""
        from scipy.stats import t

        return math.expm1(self.error * float(t.isf(level / 2, self.free)))


def verdicts(series: Mapping[str, Repeats]) -> dict[str, Verdict]:
    """Return the verdict on each series of one comparison, by its key.

    Args:
        series: all that may have noise, of all metrics.
    """
    others = {key: _others(key, series) for key in series}
    chances = {
        key: _chance(one, found)
        for key, one in series.items()
        if (found := others[key]) is not None
    }
    changed = holm(chances)
    level = SIGNIFICANCE_LEVEL / max(1, len(chances))
    return {
        key: _verdict(one, others[key], level, changed=key in changed)
        for key, one in series.items()
    }


def _chance(one: Repeats, others: _Others) -> float:
    """Return the larger chance of the two tests; of the first alone where that is too large."""
    chance = others.chance(one.moved)
    return chance if chance > SIGNIFICANCE_LEVEL else max(chance, one.chance(others.drift))


def holm(chances: Mapping[str, float], level: float = SIGNIFICANCE_LEVEL) -> set[str]:
    """Return the keys that are significant, all of them together at this level."""
    found: set[str] = set()
    for place, key in enumerate(sorted(chances, key=lambda key: chances[key])):
        if chances[key] > level / (len(chances) - place):
            break
        found.add(key)
    return found


def _others(key: str, series: Mapping[str, Repeats]) -> _Others | None:
    """Return how the other series of the metric moved; None if too few have a ratio."""
    mine = series[key]
    moved = [
        one.moved
        for name, one in series.items()
        if name != key and one.metric == mine.metric and one.has_ratio
    ]
    if len(moved) < ENOUGH_OTHERS or not mine.has_ratio:
        return None
    error = stdev(moved) * math.sqrt(1 + 1 / len(moved))
    return _Others(drift=median(moved), error=error, free=len(moved) - 1)


def _verdict(one: Repeats, others: _Others | None, level: float, *, changed: bool) -> Verdict:
    if others is None:
        few = f"use {ENOUGH_OTHERS + 1} or more scenarios: a busier machine looks the same"
        return Verdict(drift=None, beyond=None, reason=few if one.has_ratio else "0 has no ratio")
    beyond = math.expm1(one.moved - others.drift)
    reason = None if changed else _reason(one, others, level)
    return Verdict(drift=math.expm1(others.drift), beyond=beyond, reason=reason)


def _reason(one: Repeats, others: _Others, level: float) -> str:
    if one.surest > level:
        needed = _enough_repeats(len(one.pairs), level)
        return f"too few repeats: use --repeats {needed} in both runs"
    least = others.least(level)
    shows = f"±{least:.0%}" if least < 1 else f"a factor of {1 + least:.1f}"
    return f"within noise, shows from {shows}"


def _enough_repeats(lengths: int, level: float) -> int:
    """Return how many repeats of so many lengths can be significant."""
    return next(n for n in count(2) if 2 / math.comb(2 * n, n) ** lengths <= level)
