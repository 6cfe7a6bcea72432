"""The wall search: a pure function that finds where a trial stops passing.

It runs small numbers, predicts, runs the predicted number, and closes the bracket between the
largest number that passed and the smallest that failed. It concludes nothing from a
prediction: both ends of what it returns were really run, to their own end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol

from profiler.facts import WallPrediction
from profiler.forecast.demand import DemandLine

FIRST = 8
# The search's own prediction is made from numbers of at most this share of it ...
_LEARN_SHARE = 1 / 8
# ... and checked at this share: that is cheap, and shows whether the growth goes on.
_TRY_SHARE = 1 / 2
# A share counts as reached from this part of it on.
_ENOUGH = 0.8
# The next number is at most this many times one that passed: small numbers may mislead.
_GROWTH = 4
# Two numbers make a line, a third one shows its bend.
_LINE, _BEND = 2, 3
# Noise matters little between numbers of which one is at most this share of the other.
_APART = 0.7
# The margin of the search's own prediction, as a share of it.
_MARGIN = 0.1
# The first stride away from a prediction that was wrong, as a share of its margin.
_STRIDE_SHARE = 0.25
# This many predictions are followed, and the next number tried, before strides grow: more where
# each run moves the prediction.
_PATIENCE, _MORE_PATIENCE = 2, 3
# From this share of the edge on, only noise hides where it is, ...
_NEAR = 0.9
# ... which is taken to be this share of the limit.
_NOISE = 0.001
# Away from a prediction that was wrong, the first stride is at least this share of it, and each
# one four times as long as the one before.
_FIRST_STRIDE = 1 / 64
# Where less than this share of the limit is in use, most of the rest can be used, too.
_USABLE = 0.8
# Demands make a line if they differ by this many times the noise.
_CLEAR = 10


class Trial(Protocol):
    """What the search must know of one run."""

    @property
    def passed(self) -> bool:
        """Whether it survived."""

    @property
    def hopeless(self) -> bool:
        """Whether it failed for a reason that another number would not change."""

    @property
    def cut_short(self) -> bool:
        """Whether it was ended before it failed for certain: evidence, not proof."""

    @property
    def demand_bytes(self) -> int | None:
        """What it took of the limited memory, or None where that is unknown."""


class RunTrial(Protocol):
    """Runs one number."""

    def __call__(self, n: int, /, *, whole: bool) -> Trial:
        """Run ``n``; unless ``whole``, one that is about to fail may be cut short."""


@dataclass(kw_only=True)
class Bracket:
    """What the trials have shown so far; ``last_ok`` 0 and ``first_bad`` None: nothing yet."""

    prediction: WallPrediction | None = None
    demands: dict[int, int] = field(default_factory=dict)
    passed: set[int] = field(default_factory=set)
    failed: dict[int, bool] = field(default_factory=dict)  # whether it was cut short

    @property
    def last_ok(self) -> int:
        """The largest number that passed, or 0."""
        return max(self.passed, default=0)

    @property
    def first_bad(self) -> int | None:
        """The smallest number beyond it that failed."""
        return min((n for n in self.failed if n > self.last_ok), default=None)


def find_wall(
    run: RunTrial,
    *,
    limit_bytes: int,
    max_n: int,
    prediction: WallPrediction | None = None,
    first: int = FIRST,
) -> Bracket:
    """Return the bracket closed around the edge: ``first_bad == last_ok + 1``.

    Where nothing up to ``max_n`` fails, ``first_bad`` is None; where 1 fails, ``last_ok``
    is 0. If the edge is ragged, one passing number with a failing successor is returned.
    A hopeless trial ends the search: the bracket is then what was known before it.

    Args:
        run: runs one number, at least 1, and again only if it was cut short before.
        limit_bytes: the memory limit that predictions aim at.
        max_n: the largest number that may be run.
        prediction: where the edge is expected; None: the search predicts it from its trials.
        first: the number to begin with where nothing is predicted.
    """
    search = _Search(limit_bytes=limit_bytes, max_n=max_n, first=first, given=prediction)
    bracket = search.bracket
    while (n := search.next()) is not None:
        trial = run(n, whole=n == bracket.last_ok + 1)
        if trial.hopeless:
            break
        search.note(n, trial)
    return bracket


@dataclass(frozen=True, kw_only=True)
class _Expected:
    """Where the edge is expected, and how far to go first if it is not there."""

    n: int
    stride: int


class _Search:
    """The state of one search, and which number it runs next."""

    def __init__(
        self, *, limit_bytes: int, max_n: int, first: int, given: WallPrediction | None
    ) -> None:
        self.bracket = Bracket(prediction=given)
        self._limit = limit_bytes
        self._max_n = max_n
        self._first = first
        self._given = given
        self._rises = self._falls = self._strides = self._beyond = 0

    def note(self, n: int, trial: Trial) -> None:
        bracket = self.bracket
        if trial.passed:
            bracket.failed.pop(n, None)
            bracket.passed.add(n)
            if trial.demand_bytes is not None:
                bracket.demands[n] = trial.demand_bytes
        else:
            bracket.failed[n] = trial.cut_short
        if bracket.prediction is None:
            bracket.prediction = self._own_prediction()

    def next(self) -> int | None:
        low, high = self.bracket.last_ok, self.bracket.first_bad
        if high is not None and high - low <= 1:
            # A run that was cut short proves nothing: this end is run again, whole.
            return high if self.bracket.failed[high] else None
        if high is None and low >= self._max_n:
            return None
        return min(max(self._aim(), low + 1), self._max_n if high is None else high - 1)

    def _aim(self) -> int:
        low, high = self.bracket.last_ok, self.bracket.first_bad
        if self._given is not None and self._is_refuted(self._given):
            return self._away_from(self._given)
        expected = self._expected()
        if expected is None:
            return max(self._first, 2 * low) if high is None else (low + high) // 2
        if self._given is None and high is None:
            return self._careful(expected)
        return self._close_in(expected)

    def _is_refuted(self, given: WallPrediction) -> bool:
        """Whether the edge is outside the prediction's interval, and nothing else moves that."""
        low, high = self.bracket.last_ok, self.bracket.first_bad
        far = _USABLE * self._limit
        is_above = low > given.high or (low > given.steps and self._demand(low) < far)
        is_below = high is not None and high <= given.low
        return (is_above or is_below) and given.bytes_per_step is None

    def _away_from(self, given: WallPrediction) -> int:
        """Return the next number outside an interval that does not hold the edge."""
        low, high = self.bracket.last_ok, self.bracket.first_bad
        least = max(given.high - given.steps, given.steps * _FIRST_STRIDE)
        stride = max(1, int(least)) << 2 * self._strides
        if not low:
            self._strides += 1
            return max((high or 0) - stride, (high or 0) // 2)
        edge = self._edge_by_passes(low)
        if high is not None:
            return edge if low < edge < high else (low + high) // 2
        self._strides += 1
        # A demand that is low where the limit is met is no rarity: few large tensors pack badly.
        if edge > low:
            return min(edge, low + stride)
        # Nor is one that is the limit long before: of an allocator that takes large pieces.
        self._beyond += 1
        return low + (1 << 2 * (self._beyond - 1))

    def _demand(self, n: int) -> int:
        """Return the demand of a number that passed; where it is unknown, the limit."""
        return self.bracket.demands.get(n, self._limit)

    def _edge_by_passes(self, low: int) -> int:
        """Return where the line through the last pass, and the first or none, meets the limit."""
        demands = self.bracket.demands
        first = min(demands, default=low)
        line = DemandLine.through((first, demands.get(first, 0)), (low, demands.get(low, 0)))
        line = line or DemandLine.through((0, 0), (low, demands.get(low, 0)))
        return min(_GROWTH * low, int(line.meets(self._limit))) if line else _GROWTH * low

    def _careful(self, expected: _Expected) -> int:
        """Return the next number on the way to an edge that nothing has failed beyond yet."""
        low = self.bracket.last_ok
        for share in (_LEARN_SHARE, _TRY_SHARE):
            if low < _ENOUGH * share * expected.n:
                return min(_GROWTH * low, int(share * expected.n))
        return min(_GROWTH * low, self._close_in(expected))

    def _close_in(self, expected: _Expected) -> int:
        """Return where the edge is expected; further and further away where it is not."""
        low, high = self.bracket.last_ok, self.bracket.first_bad
        if high is not None and expected.n >= high:
            # Memory packs less well than any law says: what fails there fails one lower, too.
            is_replayed = self._given is not None and not self._given.is_line
            self._falls += 1 if is_replayed or self._falls else 2
            return max(high - _stride(self._falls, expected.stride), (low + high) // 2)
        self._rises += 1
        moves = self._given is None or self._given.bytes_per_step is not None
        tries = self._rises - (_MORE_PATIENCE if moves else _PATIENCE)
        up = max(expected.n, low + _stride(tries, expected.stride))
        return up if high is None else min(up, max(expected.n, (low + high) // 2))

    def _expected(self) -> _Expected | None:
        if self._given is None:
            return self._expected_by_demands()
        return self._expected_by(self._given)

    def _expected_by(self, prediction: WallPrediction) -> _Expected:
        margin = prediction.high - prediction.steps
        low = self.bracket.last_ok
        if prediction.bytes_per_step is None:
            return _expected(prediction.steps, margin)
        if low in self.bracket.demands:
            room = self._limit - self.bracket.demands[low]
            return self._near(low + room / prediction.bytes_per_step, prediction.bytes_per_step)
        # Only a pass has a demand that shows where the edge is: so first where it should pass.
        return _expected(prediction.steps if self.bracket.failed else prediction.low, margin)

    def _expected_by_demands(self) -> _Expected | None:
        found = extrapolated(self.bracket.demands, self._limit)
        if found is None:
            return None
        edge, slope = found
        if self.bracket.last_ok >= _NEAR * edge:
            return self._near(edge, slope)
        return _expected(edge, _MARGIN * edge)

    def _near(self, edge: float, bytes_per_n: float) -> _Expected:
        return _Expected(n=int(edge), stride=max(1, int(_NOISE * self._limit / bytes_per_n)))

    def _own_prediction(self) -> WallPrediction | None:
        """Predict, once a pass comes near to the largest share to predict from."""
        found = extrapolated(self.bracket.demands, self._limit)
        if found is None:
            return None
        edge, _ = found
        if self.bracket.last_ok < _ENOUGH * _LEARN_SHARE * int(edge) and not self.bracket.failed:
            return None
        return WallPrediction(
            steps=edge,
            low=edge * (1 - _MARGIN),
            high=edge * (1 + _MARGIN),
            learned_from=sorted(self.bracket.demands),
            is_line=True,
        )


def _expected(edge: float, margin: float) -> _Expected:
    return _Expected(n=int(edge), stride=max(1, int(_STRIDE_SHARE * margin)))


def _stride(tries: int, base: int) -> int:
    """Return how far to go from a number that surprised: to the next one, then 4 times as far."""
    return 1 if tries <= 1 else base << 2 * (tries - 2)


def extrapolated(demands: dict[int, int], limit_bytes: int) -> tuple[float, float] | None:
    """Return where the demand meets the limit, and its bytes per number before that.

    It is extrapolated along the line through two of the numbers that passed; where three of
    them bend upwards, along a parabola, which meets the limit earlier.
    """
    points = _spread(demands, limit_bytes)
    line = DemandLine.through(*points[-_LINE:]) if len(points) >= _LINE else None
    if line is None:
        return None
    slope = line.bytes_per_step
    room = max(0, limit_bytes - line.demand_bytes)
    if len(points) < _BEND:
        return line.steps + room / slope, slope
    (n1, demand1), (n2, demand2), (n3, _) = points
    bend = max(0.0, (slope - (demand2 - demand1) / (n2 - n1)) / (n3 - n1))
    steepness = slope + bend * (n3 - n2)
    return n3 + 2 * room / (steepness + math.sqrt(steepness**2 + 4 * bend * room)), slope


def _spread(demands: dict[int, int], limit_bytes: int) -> list[tuple[int, int]]:
    """Return up to three points, the largest number last, too far apart for noise to matter.

    That is where one number is a small share of the other, or where their demands differ by
    more than what is left to the limit: a line is then not extended beyond its own length.
    """
    points: list[tuple[int, int]] = []
    left = limit_bytes - demands[max(demands)] if demands else 0
    enough = max(left, _CLEAR * _NOISE * limit_bytes)
    for n in sorted(demands, reverse=True):
        if not points or n <= _APART * points[0][0] or points[0][1] - demands[n] >= enough:
            points.insert(0, (n, demands[n]))
    return points[-_BEND:]
