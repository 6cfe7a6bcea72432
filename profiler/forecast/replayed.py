"""Device walls predicted by replay: short steps are recorded, continued, checked, and replayed.

A continued trace is trusted as far as it foretold a longer recorded one. Where no trace can be
continued, a law through the peaks of what was recorded is asked, and trusted likewise.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from profiler.facts import PeakPrediction, WallPrediction
from profiler.forecast.demand import APART, DemandCurve, DemandLine
from profiler.forecast.lattice import on_lattice
from profiler.forecast.recordings import (
    FARTHEST,
    FURTHER,
    UNLIMITED,
    Basis,
    Continued,
    Recordings,
    Regime,
    Replay,
    TraceSource,
    far_steps,
    with_events,
)
from profiler.forecast.trace import Trace
from profiler.forecast.unrolling import NoPatternError, Unrolling
from profiler.lengths import ANY, Lengths

# What is recorded, one after the other, until a continued trace foretells the longest. The
# differences hold many periods: what grows by segments of 3, 4, 5, 8 or 10 steps is found, too.
_LADDER = (8, 10, 16, 20, 24, 40, 104, 106, 160, 162, 240, 320)
# A continued trace is checked at this share of the wall: nearer to it where every step adds
# operations, which the graph optimizer may order otherwise in a larger graph. A loop is checked at
# no fewer steps than these, or where its wall is nearer, there: before it may still take up
# parallel iterations.
_CHECK_SHARE, _SMALLER_SHARE = 1 / 2, 1 / 4
_CHECKED = 72
# From here on a loop's iterations overlap as they do in any longer one: after up to three times
# the 32 that run ahead.
_SETTLED = 96
# After so many lengths of that kind, shorter ones of a loop tell nothing more.
_SETTLED_ENOUGH = 3
# The operations of two recorded lengths are as many but for this share where the graph is the same.
_SAME_GRAPH = 0.02
# The second length of a basis that begins at any length is so much longer.
_PAIRED = 2
# A length that is a larger share of the wall than this is not worth recording.
_WORTH = 0.75
# A check reaches this far from the wanted length.
_ENOUGH = 0.7
# Of longer traces than this none is recorded for a check, none to be continued, none is replayed.
# Of a loop, whose graph grows no larger, longer ones are recorded to be continued.
_MOST_RECORDED = 20_000
_MOST_ON_LADDER = 8_000
_MOST_OF_LOOPS = 90_000
# Nor are longer lengths than these, nor such as may need more than these bytes.
_FARTHEST_RECORDED, _MOST_BYTES = 1024, 1 << 30
_MOST_REPLAYED = 200_000
# A guess may be wrong by this factor: a regime that ends within it is recorded, too.
_REACH = 1.25
# The margin of a prediction is at least this share of its steps.
_FINEST = 0.002
# An error that was seen may be so many times larger where it was not looked.
_CAUTION = 2
# A continued trace that misses a recorded one by no more than this share foretold it.
_SAME = 0.001
# Nothing more is recorded where all allocations were foretold, and their order makes no larger
# share uncertain than this.
_CLOSE = 0.03
# A prediction with a wider margin than this share of its steps is none.
_WIDEST = 0.25
# So many periods of growth are tried between two recorded lengths.
_MOST_TRIED = 40


class Forecasts:
    """Walls and peaks foretold from one set of recorded steps: none is recorded twice."""

    def __init__(self, source: TraceSource, lengths: Lengths = ANY) -> None:
        """Take where traces come from, and the lengths that may be recorded, and predicted."""

        def record(number: int, folded_bytes: int | None) -> Trace:
            return source.record(lengths.nth(number), folded_bytes)

        # In numbers of allowed lengths in place of steps: a trace grows by one of these.
        self._recordings = Recordings(replace(source, record=record))
        self._lengths = lengths
        self._ladder = _ladder(lengths)

    def walls(self, limits_bytes: Sequence[int], max_steps: int) -> list[WallPrediction | str]:
        """Return for each limit the most steps predicted to fit, up to ``max_steps``, or why not.

        There is no prediction if neither a continued trace nor a law foretells what was recorded,
        if the limit is below the demand of the first recorded steps, or if ``max_steps`` are fewer
        than these.

        Args:
            limits_bytes: the limits on the device's memory.
            max_steps: the largest prediction.
        """
        most, second = self._lengths.number(max_steps), self._ladder[1]
        if most < second:
            return [f"needs runs of up to {self._lengths.nth(second)} steps"] * len(limits_bytes)
        found = {
            limit: _WallPredictor(
                self._recordings, self._ladder, self._lengths, limit, most
            ).predict()
            for limit in sorted(set(limits_bytes))
        }
        walls = [found[limit] for limit in limits_bytes]
        return [
            wall if isinstance(wall, str) else on_lattice(wall, self._lengths) for wall in walls
        ]

    def peak(self, steps: int) -> PeakPrediction | str:
        """Return the device's peak at these steps, at no limit, or why it is not told."""
        return self._needed(steps, self._recordings.allocator.peak)

    def backprop(self, steps: int) -> PeakPrediction | str:
        """Return what a steady step takes beyond what is resident, or why it is not told."""
        return self._needed(steps, self._recordings.allocator.backprop)

    def _needed(self, steps: int, need: Callable[[Trace], int | None]) -> PeakPrediction | str:
        number = self._lengths.number(steps)
        predictor = _PeakPredictor(self._recordings, self._ladder, self._lengths, number, need)
        return predictor.predict(steps)


def _ladder(lengths: Lengths) -> tuple[int, ...]:
    """Return the numbers of the lengths to record: as short, but with the same differences."""
    if lengths.multiple_of == 1:
        return tuple(max(0, lengths.first - _LADDER[0]) + steps for steps in _LADDER)
    first = max(1, lengths.number(_LADDER[0]))
    wanted = [first, first + 2, *(lengths.number(steps) for steps in _LADDER[2:])]
    found: list[int] = []
    for number in wanted:
        if not found or number >= found[-1] + 2:
            found.append(number)
    more = (found[-1] + 2, found[-1] + 6, found[-1] + 14)
    return (*found, *more)[: max(len(found), 5)]


class _Predictor:
    """Records and checks what is needed to tell something about longer steps."""

    def __init__(
        self, recordings: Recordings, ladder: Sequence[int], lengths: Lengths, max_steps: int
    ) -> None:
        self._recordings = recordings
        self._allocator = recordings.allocator
        self._ladder = ladder
        self._lengths = lengths
        self._max = max_steps

    def _about(self, unrolling: Unrolling) -> int:
        """Return about the steps that something is to be told of."""
        raise NotImplementedError

    def _about_by_curve(self, curve: DemandCurve | DemandLine) -> float:
        """Return the same by what recorded steps need."""
        raise NotImplementedError

    def _is_beyond(self, unrolling: Unrolling, end: int) -> bool:
        """Whether these steps lie beyond ``end``."""
        raise NotImplementedError

    def _learned(self) -> Continued | None:
        """Record until a continued trace foretells a trace that is long enough for this limit."""
        told = 0
        while True:
            best = self._best()
            holds = best is not None and (best.is_same or best.missed <= _SAME)
            if best is not None and holds:
                told = self._edge_of(best)
                wanted = self._wanted(best)
                is_checked = best.checked >= _ENOUGH * wanted
                if not is_checked:
                    if not self._recordings.can_record(wanted):
                        return best
                    continue
                is_close = self._share(best, told) <= _CLOSE
                if is_close and not self._should_settle(best.basis):
                    return best
            further = self._further(0 if holds else told)
            if further is None or not self._recordings.can_record(further):
                return best

    def _no_law(self) -> str:
        longest = self._lengths.nth(max(self._recordings.steps))
        return f"runs of up to {longest:,} steps do not tell how memory grows"

    def _further(self, told: int) -> int | None:
        """Return what to record next, if anything is short enough to be worth it.

        Args:
            told: the edge by a basis that held up to some length, not to the longest; 0: none.
        """
        known = self._recordings.lengths
        longest = max(known)
        if told:  # what changed on the way to the longest may go on from there
            begins = longest - _PAIRED if longest - _PAIRED in known else longest
            onward, least = self._along(begins, told), longest
        else:
            begins = self._last_change()
            onward, least = self._along(begins, told), begins
        if onward is not None:
            return onward
        rungs = [steps for steps in self._rungs() if steps > least]
        further = next(filter(self._is_worth, rungs), None)
        if further is not None:
            return further
        # Between the last rung that is short enough and what is worth it, there may be much.
        beyond = int(min(_WORTH * self._by_tops(), self._max))
        return beyond if beyond >= APART * longest and self._is_cheap(beyond) else None

    def _rungs(self) -> list[int]:
        """Return what of the ladder was not recorded yet, in the order to do so."""
        known = self._recordings.lengths
        rungs = [steps for steps in self._ladder if steps not in known]
        if not self._is_same_graph():
            return rungs
        has_settled = sum(map(self._is_settled, known)) >= _SETTLED_ENOUGH
        rungs.sort(key=lambda steps: (not self._is_settled(steps), steps))
        return [steps for steps in rungs if self._is_settled(steps) or not has_settled]

    def _along(self, begins: int, told: int) -> int | None:
        """Return what a basis from there, and its first check, still lack; None: not worth it."""
        lengths = (begins, *_basis_from(begins))
        missing = [steps for steps in lengths if steps not in self._recordings.lengths]
        if not begins or not missing or not self._is_worth_from(begins, told):
            return None
        return missing[0]

    def _last_change(self) -> int:
        """Return the last length worth it from which on steps compute a constant, or 0.

        Short runs computed that ahead of time: beyond, the graph is another one.
        """
        shorter, longer = map(self._recordings.trace, self._ladder[:2])
        if len(shorter.events) == len(longer.events):
            return 0  # there is no pattern of steps that this would change
        most = self._recordings.source.most_computed_bytes
        changes = [int(line.meets(most)) + 1 for line in self._recordings.computed()]
        settled = filter(self._is_settled, self._ladder) if self._is_same_graph() else iter(())
        least = next(filter(self._is_worth, settled), 0)
        return max(
            (begins for begins in changes if begins > least and self._is_worth_from(begins)),
            default=0,
        )

    def _is_worth_from(self, begins: int, told: int = 0) -> bool:
        """Whether a basis from there, and its check, are short beside about where the wall is."""
        _, check = _basis_from(begins)
        worth = 1 if begins in self._recordings.lengths else _WORTH
        most = _MOST_OF_LOOPS if self._is_same_graph() else _MOST_RECORDED
        return check <= worth * max(told, self._by_tops()) and self._is_cheap(check, most)

    def _should_settle(self, basis: Basis) -> bool:
        """Whether short runs of a loop were continued though longer ones are worth it."""
        loops = self._recordings.continued(basis).loops
        if not loops or self._is_settled(basis.lengths[0]):
            return False
        _, second, *_ = [*filter(self._is_settled, self._ladder), UNLIMITED, UNLIMITED]
        return FURTHER * second <= max(*self._recordings.lengths, _WORTH * self._by_tops())

    def _is_same_graph(self) -> bool:
        """Whether the graph does not grow with the steps: what does is made by loops."""
        shorter, longer = map(self._recordings.trace, self._ladder[:2])
        grows = len(set(longer.labels)) > (1 + _SAME_GRAPH) * len(set(shorter.labels))
        # Where nothing grew, a step more adds to the graph every few steps.
        return not grows and shorter.events != longer.events

    def _by_tops(self) -> float:
        """Return about the steps that something is to be told of, by what recorded steps need."""
        tops = sorted(self._recordings.tops)
        near = [one for one in tops if one[0] * APART <= tops[-1][0]] or tops[:1]
        curve = DemandCurve.through(tops) or DemandLine.through(near[-1], tops[-1])
        if curve is None:
            return self._max
        # What two lengths near each other differ by, others need not.
        share = DemandLine.through((0, 0), tops[-1]) if tops[-1][0] < APART * tops[0][0] else None
        return max(self._about_by_curve(one) for one in (curve, share) if one is not None)

    def _wanted(self, best: Continued) -> int:
        """Return the length at which this should be checked."""
        unrolling = self._recordings.continued(best.basis)
        edge = self._edge_of(best)
        least = min(self._lengths.number(_CHECKED), edge) if unrolling.loops else 0
        wanted = max(_checked_share(unrolling, edge), least)
        # Where constants are no longer folded, a continued trace need not hold.
        end, _ = self._end(unrolling, None)
        return self._check_at(best.basis, unrolling, min(wanted, end))

    def _check_at(self, basis: Basis, unrolling: Unrolling, wanted: int) -> int:
        """Return the length up to ``wanted`` that is short enough to be recorded."""
        least = int(FURTHER * basis.lengths[-1]) + 1
        longest, top = max(self._recordings.tops)
        # Memory may grow by squares.
        by_memory = int(longest * math.sqrt(_MOST_BYTES / top))
        by_events = max(least, with_events(unrolling, _MOST_RECORDED))
        most = min(by_events, by_memory, self._lengths.number(_FARTHEST_RECORDED))
        return _continued_to(unrolling, min(wanted, most))

    def _edge_of(self, best: Continued) -> int:
        """Return about the steps that something is to be told of, by what was learned."""
        unrolling = self._recordings.continued(best.basis)
        return min(self._about(unrolling), self._max)

    def _is_worth(self, steps: int) -> bool:
        """Whether the next length of the ladder is short, beside about where the wall is."""
        if steps > self._max or not self._is_cheap(steps):
            return False
        return steps <= _WORTH * self._by_tops()

    def _is_cheap(self, steps: int, most_events: int | None = None) -> bool:
        """Whether so many steps are about as few events as may be recorded, by the longest."""
        longest = max(self._recordings.lengths)
        events = len(self._recordings.trace(longest).events)
        if self._recordings.top(longest) * steps > _MOST_BYTES * longest:
            return False
        most = most_events or (_MOST_OF_LOOPS if self._is_same_graph() else _MOST_ON_LADDER)
        return events * steps <= most * longest

    def _best(self) -> Continued | None:
        """Return what foretells the longest recorded trace best."""
        best: Continued | None = None
        for basis in self._bases():
            found = self._recordings.foretold(basis, max(self._recordings.lengths))
            if found is not None and (best is None or found.missed < best.missed):
                best = found
            if best is not None and (best.is_same or best.missed <= _SAME):
                break
        return best

    def _bases(self) -> Iterator[Basis]:
        """Yield what may be continued to the longest recorded trace, the simplest first."""
        *known, last = self._recordings.lengths
        pairs = sorted(
            ((second - first) // 2, -first, second)
            for at, first in enumerate(known)
            for second in known[at + 1 :]
            if (second - first) % 2 == 0 and not (last - first) % ((second - first) // 2)
        )
        plain = [Basis((-first, second), unit) for unit, first, second in pairs]
        bent = [
            Basis((*basis.lengths, third), basis.unit)
            for basis in plain
            for third in known
            if third > basis.lengths[1] and not (third - basis.lengths[0]) % basis.unit
        ]
        yield from [*plain, *bent][:_MOST_TRIED]

    def _share(self, learned: Continued, edge: int) -> float:
        """Return the share by which an edge may be off: what the check missed, extrapolated."""
        if learned.missed <= _SAME:
            return 0.0
        last = learned.basis.lengths[-1]
        seen = learned.missed * learned.checked / (learned.checked - last)
        return _CAUTION * seen * max(1, edge - last) / edge

    def _unchecked(self, learned: Continued, edge: int) -> float:
        """Return the bytes of constants that a step computes at the edge, and none did before."""
        most = self._recordings.source.most_computed_bytes
        return sum(
            line.at(edge)
            for line in self._recordings.computed()
            if learned.checked < line.meets(most) < edge
        )

    def _regimes(self, learned: Continued) -> list[Regime]:
        """Return the regimes up to the one in which the limit is met.

        The framework folds a constant only while it is small: where that ends, another
        regime begins. Short steps whose constant is not folded are recorded and checked for it.

        Raises:
            NoPatternError: if what one of them records cannot be continued.
        """
        regimes: list[Regime] = []
        after, folded = 0, None
        while True:
            unrolling = self._recordings.continued(learned.basis, folded)
            regimes.append(Regime(after=after, folded=folded, unrolling=unrolling, learned=learned))
            after, size = self._end(unrolling, folded)
            if after == UNLIMITED or not self._is_beyond(unrolling, max(after, learned.checked)):
                return regimes
            folded = size - 1
            learned = self._learned_unfolded(regimes[-1], folded)

    def _learned_unfolded(self, before: Regime, folded: int) -> Continued:
        """Check what continues traces in which no constant of more than ``folded`` is folded."""
        basis, settled = before.learned.basis, [*filter(self._is_settled, self._ladder)]
        if before.unrolling.loops and not self._is_settled(basis.lengths[0]) and len(settled) > 1:
            basis = Basis((settled[0], settled[1]), (settled[1] - settled[0]) // 2)
        unrolling = self._recordings.continued(basis, folded)
        edge = min(self._about(unrolling), self._max)
        least = int(FURTHER * basis.lengths[-1]) + 1
        wanted = max(before.learned.checked, least, _checked_share(unrolling, edge))
        checked = self._check_at(basis, unrolling, wanted)
        found = self._recordings.foretold(basis, checked, folded)
        if found is None:
            raise NoPatternError("without folded constants the pattern does not continue")
        return found

    def _is_settled(self, steps: int) -> bool:
        """Whether a loop of so many steps has taken up all its parallel iterations."""
        return self._lengths.nth(steps) >= _SETTLED

    def _end(self, unrolling: Unrolling, folded: int | None) -> tuple[int, int]:
        """Return the last steps of a regime, and its largest constant in the first steps."""
        most, first = self._recordings.source.most_folded_bytes, unrolling.first_steps
        sizes = unrolling.growing(self._recordings.source.folded_label)
        ends = [
            (_last_below(size, most, first), size(first))
            for size in sizes
            if folded is None or size(first) < folded
        ]
        return min(ends, default=(UNLIMITED, 0))

    def _is_folded_at(self, steps: int) -> bool:
        """Whether the constants of what was recorded are folded there: a law needs that."""
        best = self._best()
        return best is None or steps <= self._end(self._recordings.continued(best.basis), None)[0]

    def _replay(self, unrolling: Unrolling) -> Replay:
        return self._recordings.replay(unrolling, self._max)


class _WallPredictor(_Predictor):
    """Predicts the wall under one limit."""

    def __init__(
        self,
        recordings: Recordings,
        ladder: Sequence[int],
        lengths: Lengths,
        limit_bytes: int,
        max_steps: int,
    ) -> None:
        super().__init__(recordings, ladder, lengths, max_steps)
        self._limit = limit_bytes
        self._guess = functools.cache(lambda one: self._replay(one).guess(limit_bytes))

    def predict(self) -> WallPrediction | str:
        """Return the wall, or why it is not told."""
        for steps in self._ladder[:2]:
            if self._recordings.top(steps) > self._limit:
                return f"{self._lengths.nth(steps)} steps already need more than the limit"
        found = [self._by_replay(self._learned()), self._by_law()]
        known = [one for one in found if one is not None]
        if not known:
            return self._recordings.failure or self._no_law()
        # A law must promise half the margin to be taken in place of a continued trace.
        best = min(known, key=lambda one: _share_of(one) * (2 if one.is_line else 1))
        share = _share_of(best)
        if best.high - best.steps > 1 and share > _WIDEST:
            wide = f"what short runs need follows no law: it may be off by {share:.0%}"
            return self._recordings.failure or wide
        return best

    def _about(self, unrolling: Unrolling) -> int:
        guess: int = self._guess(unrolling)
        return guess

    def _about_by_curve(self, curve: DemandCurve | DemandLine) -> float:
        return curve.meets(self._limit)

    def _is_beyond(self, unrolling: Unrolling, end: int) -> bool:
        about = self._about(unrolling)
        if not about / _REACH <= end <= about * _REACH:
            return end < about
        return self._allocator.fits(unrolling.at(end), self._limit)

    def _by_replay(self, learned: Continued | None) -> WallPrediction | None:
        if learned is None:
            return None
        try:
            *_, regime = self._regimes(learned)
            edge, margin = self._edge(regime.unrolling)
        except NoPatternError:
            return None
        edge = max(edge, regime.after)
        if not edge:
            return None
        unit = regime.unrolling.unit
        unchecked = self._unchecked(regime.learned, edge)
        share = self._share(regime.learned, edge) + unchecked / self._limit
        margin = max(1, margin, edge * _FINEST, edge * share) + unit - 1
        middle = min(edge + (unit - 1) // 2, self._max)
        return self._prediction(middle, margin, is_line=False)

    def _by_law(self) -> WallPrediction | None:
        # Under a limit, a chunk that is not split may hold twice what was asked for.
        curve = DemandCurve.through(self._recordings.needs)
        if curve is None:
            return None
        edge = min(curve.meets(self._limit), self._max)
        if edge > curve.farthest or not self._is_folded_at(int(edge)):
            return None
        return self._prediction(
            edge, max(1, edge * _FINEST, _CAUTION * curve.margin(edge)), is_line=True
        )

    def _prediction(self, edge: float, margin: float, *, is_line: bool) -> WallPrediction:
        return WallPrediction(
            steps=edge,
            low=max(0, edge - margin),
            high=edge + margin,
            learned_from=self._recordings.steps,
            is_line=is_line,
        )

    def _edge(self, unrolling: Unrolling) -> tuple[int, float]:
        """Return the largest steps that fit, and by how much they may be off for want of replay."""
        guess = self._about(unrolling)
        if unrolling.count(guess) <= _MOST_REPLAYED and guess <= FARTHEST:
            return self._replay(unrolling).largest_fitting(self._limit, guess), 0.0
        curve = self._recordings.far(unrolling)
        if curve is None:
            raise NoPatternError("the walls of longer steps do not grow with their limits")
        edge = curve.meets(self._limit)
        return int(min(self._max, edge)), curve.margin(edge)


class _PeakPredictor(_Predictor):
    """Predicts the peak at a number of steps, or another need of a step's trace."""

    def __init__(
        self,
        recordings: Recordings,
        ladder: Sequence[int],
        lengths: Lengths,
        max_steps: int,
        need: Callable[[Trace], int | None],
    ) -> None:
        super().__init__(recordings, ladder, lengths, max_steps)
        self._need = need

    def predict(self, steps: int) -> PeakPrediction | str:
        """Return the peak at the steps that this is about, or why it is not told."""
        by_replay, by_law = self._by_replay(steps), self._by_law(steps)
        best = by_replay or by_law
        # A law must promise half the margin to be taken in place of a continued trace.
        if by_replay and by_law and 2 * _width(by_law) < _width(by_replay):
            best = by_law
        if best is None:
            return self._recordings.failure or self._no_law()
        if _width(best) > _WIDEST:
            wide = f"what short runs need follows no law: it may be off by {_width(best):.0%}"
            return self._recordings.failure or wide
        return best

    def _about(self, unrolling: Unrolling) -> int:
        del unrolling
        return self._max

    def _about_by_curve(self, curve: DemandCurve | DemandLine) -> float:
        del curve
        return self._max

    def _is_beyond(self, unrolling: Unrolling, end: int) -> bool:
        del unrolling
        return self._max > end

    def _by_replay(self, steps: int) -> PeakPrediction | None:
        if not all(map(self._recordings.can_record, self._ladder[:2])):
            return None
        learned = self._learned()
        if learned is None:
            return None
        try:
            *_, regime = self._regimes(learned)
            unit = regime.unrolling.unit
            below = _continued_to(regime.unrolling, self._max)
            if regime.unrolling.count(below + unit) > _MOST_REPLAYED:
                return self._by_nearer(steps, regime)
            # Between two that can be continued the peak lies between theirs.
            ends = {below} if below == self._max else {below, below + unit}
            found = [self._need(regime.unrolling.at(one)) for one in sorted(ends)]
        except NoPatternError:
            return None
        peaks = [one for one in found if one is not None]
        if len(peaks) < len(found):
            return None
        middle = (peaks[0] + peaks[-1]) // 2
        unchecked = self._unchecked(regime.learned, self._max)
        share = self._share(regime.learned, self._max) + unchecked / max(1, middle)
        share = max(_FINEST, share)
        return self._prediction(steps, middle, min(peaks), max(peaks), share)

    def _by_nearer(self, steps: int, regime: Regime) -> PeakPrediction | None:
        """Return what the law of nearer steps says, which can be replayed."""
        needs = {one: self._need(regime.unrolling.at(one)) for one in far_steps(regime.unrolling)}
        curve = DemandCurve.through((one, need) for one, need in needs.items() if need is not None)
        return self._by_curve(steps, curve, self._share(regime.learned, self._max))

    def _by_law(self, steps: int) -> PeakPrediction | None:
        if self._recordings.failure is not None or not self._is_folded_at(self._max):
            return None
        return self._by_curve(steps, DemandCurve.through(self._recorded().items()), 0.0)

    def _by_curve(
        self, steps: int, curve: DemandCurve | None, share: float
    ) -> PeakPrediction | None:
        if curve is None or not 1 <= self._max <= curve.farthest:
            return None
        value = curve.at(self._max)
        if value <= 0:
            return None
        error = _CAUTION * curve.margin(self._max) * curve.bytes_per_step(self._max)
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


def _width(peak: PeakPrediction) -> float:
    """Return the upper margin as a share of the value."""
    return (peak.high - peak.bytes) / max(1, peak.bytes)


def _share_of(wall: WallPrediction) -> float:
    """Return the margin as a share of the steps."""
    return (wall.high - wall.steps) / wall.steps if wall.steps else 1.0


def _basis_from(begins: int) -> tuple[int, int]:
    """Return the second length of a basis, and where it can be checked first."""
    second = begins + _PAIRED
    return second, int(FURTHER * second) + 1


def _checked_share(unrolling: Unrolling, edge: int) -> int:
    """Return the length at which what is told of an edge should be checked."""
    first = unrolling.first_steps
    is_larger = unrolling.count(first + unrolling.unit) > unrolling.count(first)
    return int(edge * (_CHECK_SHARE if is_larger and not unrolling.loops else _SMALLER_SHARE))


def _continued_to(unrolling: Unrolling, steps: int) -> int:
    """Return the largest length up to ``steps`` that a trace can be continued to."""
    first, unit = unrolling.first_steps, unrolling.unit
    return first + max(0, steps - first) // unit * unit


def _last_below(size: Callable[[int], int], most: int, first: int) -> int:
    """Return the last steps at which a growing size is at most so many bytes."""
    low, high = first, 2 * first
    while size(high) <= most:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if size(middle) <= most else (low, middle)
    return low
