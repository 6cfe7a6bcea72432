"""Device walls predicted by replay: short steps are recorded, continued, and replayed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from profiler.facts import WallPrediction
from profiler.forecast.allocator import AllocatorModel
from profiler.forecast.demand import DemandLine
from profiler.forecast.trace import Trace
from profiler.forecast.unrolling import NoPatternError, Unrolling

# What is recorded first, of any scenario. Then the steps to continue from are recorded: at a
# ninth of the first guess (an eighth, less what that guess may be too large).
_FIRST_TRIES = (10, 18, 40, 80)
_TRIES = 3
_REACHED = 4
_GAP = 2
_SHARE = 8
_CAUTIOUS_SHARE = 9
# Longer steps than this cost more and show no more: loops settle after twice their 32 parallel
# iterations.
_MOST = 80
_UNLIMITED = 1 << 50
# A guess may be wrong by this factor: a regime that ends within it is recorded, too.
_REACH = 1.25
# The margin of a prediction is at least this share of its steps.
_FINEST = 0.002
# A pattern that misses a longer recorded trace by more than this share is not used.
_MOST_WRONG = 1 / 8
# Walls beyond are not replayed but extrapolated from the walls at these steps.
_FAR = 10_000
_NEARER = (400, 800, 1600)


@dataclass(frozen=True, kw_only=True)
class TraceSource:
    """Where traces come from, and how their allocator works.

    Attributes:
        record: ``record(steps, folded_bytes)`` runs a training step and returns its trace;
            the framework folds no constant of more than ``folded_bytes`` (None: its default).
        allocator: the model of the allocator that the traces were recorded from.
        folded_label: the text in the labels of constants that the framework folded.
        most_folded_bytes: the largest constant that it folds by default.
    """

    record: Callable[[int, int | None], Trace]
    allocator: AllocatorModel
    folded_label: str
    most_folded_bytes: int


def predict_walls(
    source: TraceSource, *, limits_bytes: Sequence[int], max_steps: int
) -> list[WallPrediction | None]:
    """Return for each limit the largest steps predicted to fit, up to ``max_steps``.

    No step is recorded twice. A prediction is None if the traces show no pattern, if the limit
    is below the demand of the first recorded steps, or if ``max_steps`` are fewer than these.
    """
    if max_steps < _FIRST_TRIES[0]:
        return [None] * len(limits_bytes)
    recordings = _Recordings(source)
    return [_predicted(recordings, limit, max_steps) for limit in limits_bytes]


def _predicted(recordings: _Recordings, limit_bytes: int, max_steps: int) -> WallPrediction | None:
    try:
        return _Predictor(recordings, limit_bytes, max_steps).predict()
    except NoPatternError:
        return None


@dataclass(frozen=True, kw_only=True)
class _Regime:
    """How traces continue beyond ``after`` steps, where no larger constant is folded."""

    after: int
    folded: int | None
    unrolling: Unrolling


class _Recordings:
    """The traces recorded so far, and how they are continued."""

    def __init__(self, source: TraceSource) -> None:
        self.source = source
        self._traces: dict[tuple[int, int | None], Trace] = {}
        self._unrollings: dict[tuple[int, int | None], Unrolling] = {}

    def trace(self, steps: int, folded: int | None = None) -> Trace:
        key = (steps, folded)
        if key not in self._traces:
            self._traces[key] = self.source.record(steps, folded)
        return self._traces[key]

    def unrolling(self, last: int, folded: int | None) -> Unrolling:
        """Return how the traces up to ``last`` steps continue."""
        key = (last, folded)
        if key not in self._unrollings:
            first = last - _GAP
            traces = self.trace(first, folded), self.trace(last, folded)
            self._unrollings[key] = Unrolling(*traces, (first, last))
        return self._unrollings[key]

    @property
    def steps(self) -> list[int]:
        """All recorded steps, ascending."""
        return sorted({steps for steps, _ in self._traces})


class _Predictor:
    """Predicts the wall under one limit; what is missing it records."""

    def __init__(self, recordings: _Recordings, limit_bytes: int, max_steps: int) -> None:
        self._recordings = recordings
        self._allocator = recordings.source.allocator
        self._limit = limit_bytes
        self._max = max_steps

    def predict(self) -> WallPrediction | None:
        rough, first = self._first_pattern(_FIRST_TRIES)
        last = max(min(self._guess(rough, self._limit) // _CAUTIOUS_SHARE, _MOST), first)
        settled, last = self._first_pattern([*range(last, max(last - _TRIES, first), -1), first])
        regimes = self._regimes(settled, last)
        edge, bend = self._edge(regimes[-1].unrolling)
        edge = max(edge, regimes[-1].after)
        if not edge:
            return None
        error = max(bend, self._error(rough, regimes, edge))
        if error > _MOST_WRONG:
            raise NoPatternError(f"the continued trace is wrong by {error:.0%}")
        margin = max(1, round(edge * max(error, _FINEST)))
        return WallPrediction(
            steps=edge,
            low=max(0, edge - margin),
            high=edge + margin,
            learned_from=self._recordings.steps,
        )

    def _first_pattern(self, lasts: Sequence[int]) -> tuple[Unrolling, int]:
        """Return the first unrolling that shows a pattern, and its largest recorded steps."""
        for last in lasts[:-1]:
            try:
                unrolling = self._recordings.unrolling(last, None)
                unrolling.at(_REACHED * last)
            except NoPatternError:
                continue
            return unrolling, last
        return self._recordings.unrolling(lasts[-1], None), lasts[-1]

    def _regimes(self, unrolling: Unrolling, last: int) -> list[_Regime]:
        """Return the regimes up to the one in which the limit is met.

        The framework folds a constant only while it is small: where that ends, another
        regime begins. A short step whose constant is not folded is recorded for it.
        """
        regimes = [_Regime(after=0, folded=None, unrolling=unrolling)]
        while True:
            now = regimes[-1]
            end, size = self._end(now)
            if end == _UNLIMITED or end > _REACH * self._guess(now.unrolling, self._limit):
                return regimes
            if not self._allocator.fits(now.unrolling.at(max(end, last)), self._limit):
                return regimes
            unfolded = self._recordings.unrolling(last, size - 1)
            regimes.append(_Regime(after=end, folded=size - 1, unrolling=unfolded))

    def _end(self, now: _Regime) -> tuple[int, int]:
        """Return the last steps of a regime, and its largest constant in the first steps."""
        most, first = self._recordings.source.most_folded_bytes, now.unrolling.first_steps
        ends = [
            (first + (most - size) // rate, size)
            for size, rate in now.unrolling.growing(self._recordings.source.folded_label)
            if now.folded is None or size < now.folded
        ]
        return min(ends, default=(_UNLIMITED, 0))

    def _edge(self, unrolling: Unrolling) -> tuple[int, float]:
        """Return the largest steps that fit, and how bent the line is that they lie on.

        Far ones are not replayed: they lie on the line through the walls at nearer steps, each
        under the limit that these steps need.
        """
        if self._guess(unrolling, self._limit) <= _FAR:
            return self._largest_fitting(unrolling, self._limit), 0.0
        limits = [self._allocator.highest_address(unrolling.at(steps)) for steps in _NEARER]
        walls = [(self._largest_fitting(unrolling, limit), limit) for limit in limits]
        early, late = (DemandLine.through(*pair) for pair in (walls[:2], walls[1:]))
        if early is None or late is None:
            raise NoPatternError("the walls of longer steps do not grow with their limits")
        edge = min(self._max, int(late.meets(self._limit)))
        return edge, abs(late.bytes_per_step / early.bytes_per_step - 1)

    def _largest_fitting(self, unrolling: Unrolling, limit_bytes: int) -> int:
        """Return the largest steps that fit by replay; 0 if not even the first ones do."""
        first = unrolling.first_steps
        low, high = 0, self._max + 1
        guess = self._guess(unrolling, limit_bytes, refined=True)
        stride = 1
        while high - low > 1:
            guess = min(max(guess, low + 1, first), high - 1)
            if self._allocator.fits(unrolling.at(guess), limit_bytes):
                low = guess
                guess = guess + stride if high > self._max else (low + high) // 2
            elif guess == first:
                return low
            else:
                high = guess
                guess = guess - stride if not low else (low + high) // 2
            stride *= 2
        return low

    def _guess(self, unrolling: Unrolling, limit_bytes: int, *, refined: bool = False) -> int:
        """Return about where the highest address in use, without a limit, meets the limit.

        It grows nearly in a line; ``refined`` takes this line from steps near the limit.
        """
        near = unrolling.first_steps
        far = min(_REACHED * near, self._max)
        top = self._allocator.highest_address(unrolling.at(near))
        while True:
            beyond = self._allocator.highest_address(unrolling.at(far))
            if far <= near or beyond <= top:
                return self._max
            meets = near + (limit_bytes - top) * (far - near) // (beyond - top)
            meets = min(max(meets, unrolling.first_steps), self._max)
            if not refined or meets <= far:
                return meets
            near, top, far, refined = far, beyond, meets, False

    def _error(self, rough: Unrolling, regimes: list[_Regime], edge: int) -> float:
        """Return by what share a continued trace missed a longer recorded one."""
        settled = regimes[0].unrolling
        last = settled.first_steps + _GAP
        check = edge // _SHARE if edge <= _FAR else _REACHED * last
        if check >= 2 * last and edge < self._max:
            holds = [regime for regime in regimes if regime.after < check]
            return self._miss(holds[-1].unrolling.at(check), check)
        return (
            self._miss(rough.at(last), last)
            if settled.first_steps > rough.first_steps
            else _MOST_WRONG
        )

    def _miss(self, predicted: Trace, steps: int) -> float:
        real = self._recordings.trace(steps)
        address = self._allocator.highest_address
        return abs(address(predicted) / address(real) - 1)
