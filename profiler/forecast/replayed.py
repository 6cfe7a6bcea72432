"""Device walls predicted by replay: short steps are recorded, continued, checked, and replayed.

A continued trace is trusted as far as it predicted a longer recorded one. Where no trace can be
continued, a law through the peaks of what was recorded is asked, and trusted likewise.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from profiler.facts import (
    CardWall,
    Caveat,
    CaveatEffect,
    Island,
    PeakPrediction,
    WallPrediction,
)
from profiler.forecast.demand import DemandCurve, DemandLine
from profiler.forecast.ladder import FixedTarget, continued_to, rungs
from profiler.forecast.lattice import on_lattice
from profiler.forecast.learning import CAUTION, Learner, last_below
from profiler.forecast.near_wall import near_wall
from profiler.forecast.recordings import (
    FARTHEST,
    Continued,
    Recordings,
    Regime,
    Replay,
    TraceSource,
    far_steps,
)
from profiler.forecast.trace import Trace
from profiler.forecast.unrolling import NoPatternError, Unrolling
from profiler.lengths import ANY, Lengths

# No longer trace is replayed.
_MOST_REPLAYED = 200_000
# A guess may be wrong by this factor: a regime that ends within it is recorded, too.
_REACH = 1.25
# The margin of a prediction is at least this share of its steps.
_FINEST = 0.002
# A prediction with a wider margin than this share of its steps is none.
_WIDEST = 0.25
# A search begins at a wall that is predicted closer than this share of its steps: from there it
# costs no more than to record a step near it.
_CLOSELY = 0.03
# Nothing is predicted for more steps on a card.
_MOST_STEPS = 10**9


class Forecasts:
    """Walls and peaks predicted from one set of recorded steps: none is recorded twice."""

    def __init__(self, source: TraceSource, lengths: Lengths = ANY) -> None:
        """Take where traces come from, and the lengths that may be recorded, and predicted."""

        def record(number: int, folded_bytes: int | None) -> Trace:
            return source.record(lengths.nth(number), folded_bytes)

        # In numbers of allowed lengths in place of steps: a trace grows by one of these.
        self._recordings = Recordings(replace(source, record=record))
        self._lengths = lengths
        self._first = rungs(lengths)[:2]

    def kept(self, cards_bytes: Sequence[int]) -> list[int]:
        """Return what libraries keep of the allocator's memory on cards of these sizes."""
        kept = self._recordings.source.kept_on_card
        if kept is None or not self._recordings.can_record(self._first[0]):
            return [0] * len(cards_bytes)
        trace = self._recordings.trace(self._first[0])
        return [kept(trace, card) for card in cards_bytes]

    def walls(self, limits_bytes: Sequence[int], max_steps: int) -> list[WallPrediction | str]:
        """Return for each limit the most steps predicted to fit, up to ``max_steps``, or why not.

        There is no prediction if neither a continued trace nor a law predicts what was recorded,
        if the limit is below the demand of the first recorded steps, or if ``max_steps`` are fewer
        than these.

        Args:
            limits_bytes: the limits on the device's memory.
            max_steps: the largest prediction.
        """
        most, second = self._lengths.number(max_steps), self._first[1]
        if most < second:
            runs = self._lengths.text(self._lengths.nth(second))
            return [f"needs runs of up to {runs}"] * len(limits_bytes)
        found = {
            limit: _WallPredictor(self._recordings, self._lengths, limit, most).predict()
            for limit in sorted(set(limits_bytes))
        }
        walls = [found[limit] for limit in limits_bytes]
        return [
            wall if isinstance(wall, str) else on_lattice(wall, self._lengths) for wall in walls
        ]

    def cards(self, limits_bytes: Sequence[int], caveats: Sequence[Caveat]) -> list[CardWall]:
        """Return where walls are expected on cards of these sizes, or why there is no prediction.

        Args:
            limits_bytes: the cards' memory; what libraries keep of it is left to them.
            caveats: of what is predicted; a peak that may be less makes of a wall a lower bound.
        """
        bound = min((one.from_steps or 0 for one in caveats if _is_bound(one)), default=math.inf)
        kept = self.kept(limits_bytes)
        left = [limit - one for limit, one in zip(limits_bytes, kept, strict=True)]
        return [
            CardWall(limit_bytes=limit, kept_bytes=one, reason=wall)
            if isinstance(wall, str)
            else CardWall(
                limit_bytes=limit, kept_bytes=one, prediction=wall, is_least=wall.steps >= bound
            )
            for limit, one, wall in zip(
                limits_bytes, kept, self.walls(left, _MOST_STEPS), strict=True
            )
        ]

    def near_wall(
        self, told: WallPrediction | str, limit_bytes: int, max_steps: int
    ) -> WallPrediction | None:
        """Return where a search should begin if short runs do not predict the wall closely.

        Steps of about the wall are recorded for it: see ``near_wall``.
        """
        if self._recordings.failure is not None or not self._recordings.lengths:
            return None
        if not isinstance(told, str):
            closely = max(self._lengths.multiple_of, _CLOSELY * told.steps)
            if told.high - told.steps <= closely or self._recordings.takes_pieces:
                return None
        found = near_wall(self._recordings, limit_bytes, self._lengths.number(max_steps))
        return found and on_lattice(found, self._lengths)

    def peak(self, steps: int) -> PeakPrediction | str:
        """Return the device's peak at these steps without a limit, or why it is not known."""
        return self._needed(steps, self._recordings.allocator.peak)

    def backprop(self, steps: int) -> PeakPrediction | str:
        """Return what a steady step takes beyond what is resident, or why that is not known."""
        return self._needed(steps, self._recordings.allocator.backprop)

    def _needed(self, steps: int, need: Callable[[Trace], int | None]) -> PeakPrediction | str:
        number = self._lengths.number(steps)
        predictor = _PeakPredictor(self._recordings, self._lengths, number, need)
        return predictor.predict(steps)


class _WallPredictor:
    """Predicts the wall under one limit."""

    def __init__(
        self, recordings: Recordings, lengths: Lengths, limit_bytes: int, max_steps: int
    ) -> None:
        self.max_steps = max_steps
        self._recordings = recordings
        self._lengths = lengths
        self._learner = Learner(recordings, lengths, self)
        self._limit = limit_bytes
        self._guess = functools.cache(lambda one: self._replay(one).guess(limit_bytes))

    def predict(self) -> WallPrediction | str:
        """Return the wall, or why it is not known."""
        for steps in rungs(self._lengths)[:2]:
            if not self._recordings.can_fit(steps, self._limit):
                at = self._lengths.text(self._lengths.nth(steps))
                return f"{at} already needs more than the limit"
        replayed = self._by_replay(self._learner.learned())
        # A law must promise half the margin to be taken in place of a continued trace.
        if replayed is not None and _share_of(replayed) <= 2 * max(_FINEST, 1 / replayed.steps):
            return replayed
        known = [one for one in (replayed, self._by_law()) if one is not None]
        if not known:
            return self._recordings.failure or _no_law(self._recordings, self._lengths)
        best = min(known, key=lambda one: _share_of(one) * (2 if one.is_line else 1))
        share = _share_of(best)
        if best.high - best.steps > 1 and share > _WIDEST:
            wide = f"what short runs need follows no law: it may be off by {share:.0%}"
            return self._recordings.failure or wide
        return best

    def about(self, unrolling: Unrolling) -> int:
        guess: int = self._guess(unrolling)
        return guess

    def about_by_curve(self, curve: DemandCurve | DemandLine) -> float:
        return curve.meets(self._limit)

    def is_beyond(self, unrolling: Unrolling, end: int) -> bool:
        about = self.about(unrolling)
        if not about / _REACH <= end <= about * _REACH:
            return end < about
        return self._recordings.allocator.fits(unrolling.at(end), self._limit)

    def _by_replay(self, learned: Continued | None) -> WallPrediction | None:
        if learned is None:
            return None
        try:
            *_, regime = self._learner.regimes(learned)
            edge, margin, islands = self._edge(regime)
            islands += self._unfolded(regime, edge)
        except NoPatternError:
            return None
        edge = max(edge, regime.after)
        if not edge:
            return None
        unit = regime.unrolling.unit
        unchecked = self._learner.unchecked(regime.learned.checked, edge)
        share = self._learner.share(regime.learned, edge) + unchecked / self._limit
        margin = max(1, margin, edge * _FINEST, edge * share) + unit - 1
        middle = min(edge + (unit - 1) // 2, self.max_steps)
        return self._prediction(middle, margin, is_line=False, islands=islands)

    def _by_law(self) -> WallPrediction | None:
        if self._recordings.takes_pieces:
            return self._by_stairs()
        # Under a limit, a chunk that is not split may hold twice what was asked for.
        curve = self._learner.law(self._recordings.need)
        if curve is None:
            return None
        edge = min(curve.meets(self._limit), self.max_steps)
        if edge > curve.farthest or not self._learner.is_folded_at(int(edge)):
            return None
        share = max(_FINEST, self._learner.unlawful(edge) / self._limit)
        return self._prediction(
            edge, max(1, edge * share, CAUTION * curve.margin(edge)), is_line=True
        )

    def _by_stairs(self) -> WallPrediction | None:
        """Return what the law of what is in use says, where what is needed follows none."""
        found = self._learner.stairs()
        if found is None:
            return None
        met, margin = found.edge(self._limit)
        edge = min(met, self.max_steps)
        if edge + margin > found.curve.farthest or not self._learner.is_folded_at(int(edge)):
            return None
        return self._prediction(edge, max(1, edge * _FINEST, CAUTION * margin), is_line=True)

    def _prediction(
        self, edge: float, margin: float, *, is_line: bool, islands: Sequence[Island] = ()
    ) -> WallPrediction:
        return WallPrediction(
            steps=edge,
            low=max(0, edge - margin),
            high=edge + margin,
            learned_from=self._recordings.steps,
            is_line=is_line,
            islands=[*islands],
        )

    def _replay(self, unrolling: Unrolling) -> Replay:
        return self._recordings.replay(unrolling, self.max_steps)

    def _edge(self, regime: Regime) -> tuple[int, float, list[Island]]:
        """Return the most steps up to which all fit, and longer ones that fit again.

        Also by how much the first may be off for want of replay.
        """
        unrolling = regime.unrolling
        guess = self.about(unrolling)
        if unrolling.count(guess) <= _MOST_REPLAYED and guess <= FARTHEST:
            end = self._learner.end_of(regime)
            drops = [one for one in self._drops(unrolling) if regime.after < one <= end]
            edge, islands = self._replay(unrolling).fitting(self._limit, guess, drops)
            return edge, 0.0, islands
        curve = self._recordings.far(unrolling)
        if curve is None:
            raise NoPatternError("walls do not grow with their limits")
        met, margin = curve.edge(self._limit)
        return int(min(self.max_steps, met)), margin, []

    def _unfolded(self, regime: Regime, edge: int) -> list[Island]:
        """Return what fits again where constants that do not fit become too large to be kept."""
        end = self._learner.end_of(regime)
        most = self._recordings.source.most_folded_bytes
        if not edge < end < self.max_steps or regime.unrolling.count(end) > _MOST_REPLAYED:
            return []
        if self._recordings.allocator.peak(regime.unrolling.at(end)) - most > self._limit:
            return []
        try:
            following = self._learner.following(regime)
        except NoPatternError:
            return []
        island = self._replay(following.unrolling).fitting_from(self._limit, end + 1)
        return [island] if island else []

    def _drops(self, unrolling: Unrolling) -> set[int]:
        """Return the steps at which a growing request reaches what may take less memory."""
        first = unrolling.first_steps
        return {
            last_below(size, least - 1, first) + 1
            for least in self._recordings.allocator.drops
            for size in unrolling.growing()
            if size(first) < least
        }


class _PeakPredictor:
    """Predicts the peak at a number of steps, or another need of a step's trace."""

    def __init__(
        self,
        recordings: Recordings,
        lengths: Lengths,
        number: int,
        need: Callable[[Trace], int | None],
    ) -> None:
        self._number = number
        self._recordings = recordings
        self._lengths = lengths
        self._learner = Learner(recordings, lengths, FixedTarget(number))
        self._need = need

    def predict(self, steps: int) -> PeakPrediction | str:
        """Return the peak at the steps that this is about, or why it is not known."""
        by_replay, by_law = self._by_replay(steps), self._by_law(steps)
        best = by_replay or by_law
        # A law must promise half the margin to be taken in place of a continued trace.
        if by_replay and by_law and 2 * _width(by_law) < _width(by_replay):
            best = by_law
        if best is None:
            return self._recordings.failure or _no_law(self._recordings, self._lengths)
        if _width(best) > _WIDEST:
            wide = f"what short runs need follows no law: it may be off by {_width(best):.0%}"
            return self._recordings.failure or wide
        return best

    def _by_replay(self, steps: int) -> PeakPrediction | None:
        if not all(map(self._recordings.can_record, rungs(self._lengths)[:2])):
            return None
        learned = self._learner.learned()
        if learned is None:
            return None
        try:
            *_, regime = self._learner.regimes(learned)
            unit = regime.unrolling.unit
            below = continued_to(regime.unrolling, self._number)
            if regime.unrolling.count(below + unit) > _MOST_REPLAYED:
                return self._by_nearer(steps, regime)
            # Between two that can be continued the peak lies between theirs.
            ends = {below} if below == self._number else {below, below + unit}
            found = [self._need(regime.unrolling.at(one)) for one in sorted(ends)]
        except NoPatternError:
            return None
        peaks = [one for one in found if one is not None]
        if len(peaks) < len(found):
            return None
        middle = (peaks[0] + peaks[-1]) // 2
        unchecked = self._learner.unchecked(regime.learned.checked, self._number)
        share = self._learner.share(regime.learned, self._number) + unchecked / max(1, middle)
        share = max(_FINEST, share)
        return self._prediction(steps, middle, min(peaks), max(peaks), share)

    def _by_nearer(self, steps: int, regime: Regime) -> PeakPrediction | None:
        """Return what the law of nearer steps says, which can be replayed."""
        needs = {one: self._need(regime.unrolling.at(one)) for one in far_steps(regime.unrolling)}
        curve = DemandCurve.through((one, need) for one, need in needs.items() if need is not None)
        return self._by_curve(steps, curve, self._learner.share(regime.learned, self._number))

    def _by_law(self, steps: int) -> PeakPrediction | None:
        if self._recordings.failure is not None or not self._learner.is_folded_at(self._number):
            return None
        law = self._learner.law(lambda one: self._need(self._recordings.trace(one)))
        if law is None:
            return None
        share = self._learner.unlawful(self._number) / max(1.0, law.at(self._number))
        return self._by_curve(steps, law, share)

    def _by_curve(
        self, steps: int, curve: DemandCurve | None, share: float
    ) -> PeakPrediction | None:
        if curve is None or not 1 <= self._number <= curve.farthest:
            return None
        value = curve.at(self._number)
        if value <= 0:
            return None
        error = CAUTION * curve.margin(self._number) * curve.bytes_per_step(self._number)
        share = max(_FINEST, share, abs(error) / value)
        return self._prediction(steps, int(value), value, value, share)

    def _prediction(
        self, steps: int, value: int, low: float, high: float, share: float
    ) -> PeakPrediction:
        recorded = self._recorded()
        return PeakPrediction(
            steps=steps,
            bytes=value,
            low=max(0, int(low * (1 - share))),
            high=int(high * (1 + share)) + 1,
            recorded={str(self._lengths.nth(one)): need for one, need in recorded.items()},
        )

    def _recorded(self) -> dict[int, int]:
        """Return what was recorded, by its number."""
        needs = {one: self._need(self._recordings.trace(one)) for one in self._recordings.lengths}
        return {one: need for one, need in needs.items() if need is not None}


def _no_law(recordings: Recordings, lengths: Lengths) -> str:
    longest = lengths.nth(max(recordings.steps))
    return f"runs of up to {lengths.text(f'{longest:,}')} do not show how memory grows"


def _width(peak: PeakPrediction) -> float:
    """Return the upper margin as a share of the value."""
    return (peak.high - peak.bytes) / max(1, peak.bytes)


def _share_of(wall: WallPrediction) -> float:
    """Return the margin as a share of the steps."""
    return (wall.high - wall.steps) / wall.steps if wall.steps else 1.0


def _is_bound(caveat: Caveat) -> bool:
    """Whether from somewhere on the device's peak is at most as predicted."""
    return caveat.metric == "peak" and caveat.effect is CaveatEffect.UPPER_BOUND
