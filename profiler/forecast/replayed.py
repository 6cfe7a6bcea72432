"""The predicted wall: small steps are recorded, continued and replayed under the limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from profiler.facts import WallPrediction
from profiler.forecast.trace import Trace
from profiler.forecast.unrolling import NoPatternError, Unrolling
from profiler.frameworks.allocators.bfc import fits, replay

# The first look, at any scenario; then the real learning, at an eighth of what it promised,
# less what that may be too much.
_FIRST_TRIES = (10, 18, 40, 80)
_TRIES = 3
_REACHED = 4
_GAP = 2
_SHARE = 8
_CAUTIOUS_SHARE = 9
# A longer step teaches no more than this one (loops settle after twice their 32 parallel
# iterations), it only costs more.
_MOST = 80
_UNLIMITED = 1 << 50
# A guess may be wrong by as much: a regime that ends within it is looked at.
_REACH = 1.25
# No prediction claims to be closer than this share of its steps.
_FINEST = 0.002
# What misses a larger recorded trace by more is no prediction.
_MOST_WRONG = 1 / 8
# Longer steps are not replayed: their walls lie on the line through those of these lengths,
# each under the limit that it needs by itself.
_FAR = 10_000
_NEARER = (400, 800, 1600)


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where traces come from.

    Attributes:
        record: ``record(steps, folded_bytes)`` runs a training step and returns its trace;
            the framework folds no constant of more than ``folded_bytes`` (None: its default).
        folded_label: the text in the labels of constants that the framework folded.
        most_folded_bytes: the largest constant that it folds by default.
    """

    record: Callable[[int, int | None], Trace]
    folded_label: str
    most_folded_bytes: int


def predict(source: Source, *, limit_bytes: int, max_steps: int) -> WallPrediction | None:
    """Return the largest steps predicted to fit, up to ``max_steps``.

    None if the traces show no pattern, if the limit is met before the first recorded steps, or
    if ``max_steps`` lies there.
    """
    return predict_each(source, limits_bytes=[limit_bytes], max_steps=max_steps)[0]


def predict_each(
    source: Source, *, limits_bytes: Sequence[int], max_steps: int
) -> list[WallPrediction | None]:
    """Return what ``predict`` says under each limit; what one had recorded serves all."""
    if max_steps < _FIRST_TRIES[0]:
        return [None] * len(limits_bytes)
    learnt = _Learnt(source)
    return [_forecast(learnt, limit, max_steps) for limit in limits_bytes]


def _forecast(learnt: _Learnt, limit_bytes: int, max_steps: int) -> WallPrediction | None:
    try:
        return _Prediction(learnt, limit_bytes, max_steps).forecast()
    except NoPatternError:
        return None


@dataclass(frozen=True, kw_only=True)
class _Regime:
    """How traces continue beyond ``after`` steps, where no larger constant is folded."""

    after: int
    folded: int | None
    unrolling: Unrolling


class _Learnt:
    """The traces recorded so far, and how they are continued."""

    def __init__(self, source: Source) -> None:
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
        """All that was recorded, ascending."""
        return sorted({steps for steps, _ in self._traces})


class _Prediction:
    """One prediction, out of what is learnt for it or was before."""

    def __init__(self, learnt: _Learnt, limit_bytes: int, max_steps: int) -> None:
        self._learnt = learnt
        self._limit = limit_bytes
        self._max = max_steps

    def forecast(self) -> WallPrediction | None:
        rough, first = self._learn_any(_FIRST_TRIES)
        last = max(min(self._guess(rough) // _CAUTIOUS_SHARE, _MOST), first)
        settled, last = self._learn_any([*range(last, max(last - _TRIES, first), -1), first])
        regimes = self._regimes(settled, last)
        far = self._guess(regimes[-1].unrolling) > _FAR
        edge, bend = (self._far_edge if far else self._near_edge)(regimes[-1].unrolling)
        edge = max(edge, regimes[-1].after)
        if not edge:
            return None
        error = max(bend, self._error(rough, regimes, edge))
        if error > _MOST_WRONG:
            raise NoPatternError(f"what was continued is wrong by {error:.0%}")
        margin = max(1, round(edge * max(error, _FINEST)))
        return WallPrediction(
            steps=edge,
            low=max(0, edge - margin),
            high=edge + margin,
            learnt_from=self._learnt.steps,
        )

    def _learn_any(self, lasts: Sequence[int]) -> tuple[Unrolling, int]:
        """Return the first unrolling that shows a pattern, and what it was learnt up to."""
        for last in lasts[:-1]:
            try:
                unrolling = self._learnt.unrolling(last, None)
                unrolling.at(_REACHED * last)
            except NoPatternError:
                continue
            return unrolling, last
        return self._learnt.unrolling(lasts[-1], None), lasts[-1]

    def _regimes(self, unrolling: Unrolling, last: int) -> list[_Regime]:
        """Return the regimes up to the one in which the limit is met.

        The framework folds a constant only while it is small: where that ends, another
        regime begins. A small step whose constant is not folded shows what it is like.
        """
        regimes = [_Regime(after=0, folded=None, unrolling=unrolling)]
        while True:
            now = regimes[-1]
            crossing, size = self._crossing(now)
            if crossing == _UNLIMITED or crossing > _REACH * self._guess(now.unrolling):
                return regimes
            if not fits(now.unrolling.at(max(crossing, last)), self._limit):
                return regimes
            learnt = self._learnt.unrolling(last, size - 1)
            regimes.append(_Regime(after=crossing, folded=size - 1, unrolling=learnt))

    def _crossing(self, now: _Regime) -> tuple[int, int]:
        """Return the last steps with a folded constant, and its bytes at the learnt steps."""
        most, first = self._learnt.source.most_folded_bytes, now.unrolling.first_steps
        ends = [
            (first + (most - size) // rate, size)
            for size, rate in now.unrolling.growing(self._learnt.source.folded_label)
            if now.folded is None or size < now.folded
        ]
        return min(ends, default=(_UNLIMITED, 0))

    def _near_edge(self, unrolling: Unrolling) -> tuple[int, float]:
        return self._edge(unrolling), 0.0

    def _far_edge(self, unrolling: Unrolling) -> tuple[int, float]:
        """Return the largest steps on the line through nearer walls, and how bent that is."""
        limits = [_top(unrolling.at(steps)) for steps in _NEARER]
        edges = [
            _Prediction(self._learnt, limit, self._max)._edge(unrolling)  # noqa: SLF001 (its own)
            for limit in limits
        ]
        slopes = [
            (edges[k + 1] - edges[k]) / max(1, limits[k + 1] - limits[k])
            for k in range(len(_NEARER) - 1)
        ]
        edge = min(self._max, int(edges[-1] + (self._limit - limits[-1]) * slopes[-1]))
        return edge, abs(slopes[0] / slopes[-1] - 1) if slopes[-1] else _MOST_WRONG

    def _edge(self, unrolling: Unrolling) -> int:
        """Return the largest steps that fit; 0 if not even the first learnt ones do."""
        first = unrolling.first_steps
        low, high = 0, self._max + 1
        guess = self._guess(unrolling, refined=True)
        stride = 1
        while high - low > 1:
            guess = min(max(guess, low + 1, first), high - 1)
            if fits(unrolling.at(guess), self._limit):
                low = guess
                guess = guess + stride if high > self._max else (low + high) // 2
            elif guess == first:
                return low
            else:
                high = guess
                guess = guess - stride if not low else (low + high) // 2
            stride *= 2
        return low

    def _guess(self, unrolling: Unrolling, *, refined: bool = False) -> int:
        """Return about where the highest address in use, without a limit, meets the limit.

        Tops grow nearly in a line; ``refined`` takes it from one point that is near the limit.
        """
        near = unrolling.first_steps
        far = min(_REACHED * near, self._max)
        top = _top(unrolling.at(near))
        while True:
            beyond = _top(unrolling.at(far))
            if far <= near or beyond <= top:
                return self._max
            meets = near + (self._limit - top) * (far - near) // (beyond - top)
            meets = min(max(meets, unrolling.first_steps), self._max)
            if not refined or meets <= far:
                return meets
            near, top, far, refined = far, beyond, meets, False

    def _error(self, rough: Unrolling, regimes: list[_Regime], edge: int) -> float:
        """Return by what share a prediction of this kind missed a larger recorded trace."""
        settled = regimes[0].unrolling
        last = settled.first_steps + _GAP
        check = edge // _SHARE if edge <= _FAR else _REACHED * last
        if check >= 2 * last and edge < self._max:
            holds = [regime for regime in regimes if regime.after < check]
            return _miss(holds[-1].unrolling.at(check), self._learnt.trace(check))
        return (
            _miss(rough.at(last), self._learnt.trace(last))
            if settled.first_steps > rough.first_steps
            else _MOST_WRONG
        )


def _top(trace: Trace) -> int:
    return replay(trace, _UNLIMITED).top


def _miss(predicted: Trace, real: Trace) -> float:
    return abs(_top(predicted) / _top(real) - 1)
