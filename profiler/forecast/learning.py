"""What continues the recorded traces, and how far it predicted longer ones."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence

from profiler.forecast.demand import DemandCurve, Staircase
from profiler.forecast.ladder import Ladder, Target, paired
from profiler.forecast.recordings import (
    FURTHER,
    UNLIMITED,
    Basis,
    Continued,
    Recordings,
    Regime,
    may_be_same,
)
from profiler.forecast.unrolling import NoPatternError, Unrolling
from profiler.lengths import Lengths

# A continued trace is checked at this share of the wall: nearer to it where every step adds
# operations, which the graph optimizer may order otherwise in a larger graph. A loop is checked at
# no fewer than so many times the iterations that run ahead, and some more, or where its wall is
# nearer, there: before it may still take up parallel iterations.
_CHECK_SHARE, _SMALLER_SHARE = 1 / 2, 1 / 4
_TAKEN_UP = 2
# A check reaches this far from the wanted length.
_ENOUGH = 0.7
# An error that was seen may be so many times larger where it was not looked.
CAUTION = 2
# A continued trace that misses a recorded one by no more than this share predicted it.
_SAME = 0.001
# Nothing more is recorded where all allocations were predicted, and their order makes no larger
# share uncertain than this.
_CLOSE = 0.03
# So many periods of growth are tried between two recorded lengths.
_MOST_TRIED = 40
# So many bases of three lengths with a short period are tried, the longest first.
_MOST_ALIGNED = 10
# Of each pair of lengths, so many are tried that are less than half of its difference.
_FINEST_UNITS = 3


class Learner:
    """Records and checks what is needed to predict longer steps."""

    def __init__(self, recordings: Recordings, lengths: Lengths, target: Target) -> None:
        """Take what was recorded, the lengths that may be, and what is to be predicted."""
        self._recordings = recordings
        self._lengths = lengths
        self._target = target
        self._ladder = Ladder(recordings, lengths, target)

    def learned(self) -> Continued | None:
        """Record until a continued trace predicts a trace that is long enough for this limit."""
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
                is_close = self.share(best, told) <= _CLOSE
                if is_close and not self._ladder.should_settle(best.basis):
                    return best
            further = self._ladder.further(0 if holds else told)
            if further is None or not self._recordings.can_record(further):
                return best

    def _wanted(self, best: Continued) -> int:
        """Return the length at which this should be checked."""
        unrolling = self._recordings.continued(best.basis)
        edge = self._edge_of(best)
        least = min(self._ladder.beyond_ahead(_TAKEN_UP), edge) if unrolling.loops else 0
        wanted = max(_checked_share(unrolling, edge), least)
        # Where constants are no longer folded, a continued trace need not hold.
        end, _ = self._end(unrolling, None)
        return self._ladder.check_at(best.basis, unrolling, min(wanted, end))

    def _edge_of(self, best: Continued) -> int:
        """Return about which steps are to be predicted, by what was learned."""
        unrolling = self._recordings.continued(best.basis)
        return min(self._target.about(unrolling), self._target.max_steps)

    def _best(self) -> Continued | None:
        """Return what predicts the longest recorded trace best."""
        best: Continued | None = None
        for basis in self._bases():
            found = self._recordings.foretold(basis, max(self._ladder.known))
            if found is None or (_is_aligned(basis) and not found.is_same):
                continue
            if best is not None and found.missed >= best.missed:
                continue
            if not self._holds_between(basis):
                continue
            best = found
            if best.is_same or best.missed <= _SAME:
                break
        return best

    def _holds_between(self, basis: Basis) -> bool:
        """Whether a basis also predicts the longest trace but one: of many, one hits by chance."""
        first, least = basis.lengths[0], FURTHER * basis.lengths[-1]
        *known, _ = self._ladder.known
        between = [n for n in known if n >= least and not (n - first) % basis.unit]
        return not between or self._recordings.foretold(basis, between[-1]) is not None

    def _bases(self) -> Iterator[Basis]:
        """Yield what may be continued to the longest recorded trace, the simplest first."""
        *known, last = self._ladder.known
        pairs = sorted(
            (unit, -first, second)
            for first, second, unit in paired(known)
            if not (last - first) % unit
        )
        plain = [Basis((-first, second), unit) for unit, first, second in pairs]
        bent = [
            Basis((*basis.lengths, third), basis.unit)
            for basis in plain
            for third in known
            if third > basis.lengths[1] and not (third - basis.lengths[0]) % basis.unit
        ]
        finer = sorted(self._finer(known, last), key=lambda basis: (basis.unit, -basis.lengths[0]))
        yield from finer[:_MOST_TRIED]
        yield from [*plain, *bent][:_MOST_TRIED]
        yield from _aligned(known, last)[:_MOST_ALIGNED]

    def _finer(self, known: Sequence[int], last: int) -> Iterator[Basis]:
        """Yield what grows by fewer steps at a time than half of what two lengths differ by.

        Only where the number of events to the last length may grow so.
        """
        count = {steps: len(self._recordings.trace(steps).tidied().events) for steps in known}
        count[last] = len(self._recordings.trace(last).tidied().events)
        for at, first in enumerate(known):
            for second in known[at + 1 :]:
                gap, more = second - first, count[second] - count[first]
                foretold = count[first] + more * (last - first) / gap
                if not more or not may_be_same(foretold, count[last]):
                    continue
                units = [unit for unit in range(1, gap // 2 + 1) if gap % unit == 0]
                fit = [
                    unit
                    for unit in units
                    if (last - first) % unit == 0 and more % (gap // unit) == 0
                ]
                yield from (
                    Basis((first, second), unit) for unit in fit[:_FINEST_UNITS] if 2 * unit != gap
                )

    def share(self, learned: Continued, edge: int) -> float:
        """Return the share by which an edge may be off: what the check missed, extrapolated."""
        # An order that packs otherwise hardly changes how many whole pieces are taken, and wrong
        # bytes do. Without pieces it is the other way round, as long as little is missed.
        is_exact = learned.is_same if self._recordings.takes_pieces else learned.missed <= _SAME
        if is_exact:
            return 0.0
        first, last = learned.basis.lengths[0], learned.basis.lengths[-1]
        seen = learned.missed * learned.checked / (learned.checked - last)
        share = CAUTION * seen * max(1, edge - last) / edge
        if self._recordings.takes_pieces and edge > learned.checked:
            share *= (edge - first) / (learned.checked - first)  # what bends is missed by squares
        return share

    def unchecked(self, checked: int, edge: float) -> float:
        """Return how far constants that a step computes at the edge, none when checked, may matter.

        In bytes: what they are computed from is as large as they are.
        """
        most = self._recordings.source.most_computed_bytes
        return CAUTION * sum(
            line.at(edge)
            for line in self._recordings.computed()
            if checked < line.meets(most) < edge
        )

    def regimes(self, learned: Continued) -> list[Regime]:
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
            if after == UNLIMITED or not self._target.is_beyond(
                unrolling, max(after, learned.checked)
            ):
                return regimes
            folded = size - 1
            learned = self._learned_unfolded(regimes[-1], folded)

    def end_of(self, regime: Regime) -> int:
        """Return the last steps of a regime; ``UNLIMITED`` where none follows."""
        return self._end(regime.unrolling, regime.folded)[0]

    def following(self, regime: Regime) -> Regime:
        """Return the regime beyond the end of one.

        Raises:
            NoPatternError: if what is recorded for it cannot be continued.
        """
        after, size = self._end(regime.unrolling, regime.folded)
        learned = self._learned_unfolded(regime, size - 1)
        unrolling = self._recordings.continued(learned.basis, size - 1)
        return Regime(after=after, folded=size - 1, unrolling=unrolling, learned=learned)

    def _learned_unfolded(self, before: Regime, folded: int) -> Continued:
        """Check what continues traces in which no constant of more than ``folded`` is folded."""
        basis = before.learned.basis
        if before.unrolling.loops and not self._ladder.is_settled(basis.lengths[0]):
            first, second, *_ = self._ladder.settled
            basis = Basis((first, second), (second - first) // 2)
        unrolling = self._recordings.continued(basis, folded)
        edge = min(self._target.about(unrolling), self._target.max_steps)
        least = int(FURTHER * basis.lengths[-1]) + 1
        wanted = max(before.learned.checked, least, _checked_share(unrolling, edge))
        checked = self._ladder.check_at(basis, unrolling, wanted)
        found = self._recordings.foretold(basis, checked, folded)
        if found is None:
            raise NoPatternError("without folded constants the pattern does not continue")
        return found

    def _end(self, unrolling: Unrolling, folded: int | None) -> tuple[int, int]:
        """Return the last steps of a regime, and its largest constant in the first steps."""
        most, first = self._recordings.source.most_folded_bytes, unrolling.first_steps
        sizes = unrolling.growing(self._recordings.source.folded_label)
        ends = [
            (last_below(size, most, first), size(first))
            for size in sizes
            if folded is None or size(first) < folded
        ]
        return min(ends, default=(UNLIMITED, 0))

    def law(self, need: Callable[[int], int | None]) -> DemandCurve | None:
        """Return the law through the bytes that recorded lengths need, if they follow one."""
        needs = ((steps, need(steps)) for steps in self._ladder.lawful)
        return DemandCurve.through((steps, found) for steps, found in needs if found is not None)

    def stairs(self) -> Staircase | None:
        """Return the law of what recorded lengths have in use, and what they need beyond."""
        recordings = self._recordings
        points = [
            (steps, recordings.growing_need(steps), recordings.need(steps))
            for steps in self._ladder.lawful
        ]
        return Staircase.through(points, piece_bytes=recordings.allocator.piece_bytes)

    def unlawful(self, edge: float) -> float:
        """Return the same of what no length that a law goes through computes."""
        return self.unchecked(max(self._ladder.lawful), edge)

    def is_folded_at(self, steps: int) -> bool:
        """Whether the constants of what was recorded are folded there: a law needs that."""
        best = self._best()
        if best is not None:
            return steps <= self._end(self._recordings.continued(best.basis), None)[0]
        most = self._recordings.source.most_folded_bytes
        return all(steps <= line.meets(most) for line in self._recordings.folded())


def _aligned(known: Sequence[int], last: int) -> list[Basis]:
    """Return bases of three lengths that, with the last, lie alike in any shorter period.

    What is rounded at every so many steps may grow by squares between them.
    """
    units = {
        lengths: math.gcd(*(other - lengths[0] for other in (*lengths[1:], last)))
        for lengths in itertools.combinations(known, 3)
    }
    return [
        Basis(lengths, units[lengths])
        for lengths in sorted(units, reverse=True)
        if 2 * units[lengths] < lengths[1] - lengths[0]
    ]


def _is_aligned(basis: Basis) -> bool:
    """Whether it is of three lengths and a short period: nearly, that fits by chance."""
    first, second, *others = basis.lengths
    return bool(others) and 2 * basis.unit != second - first


def _checked_share(unrolling: Unrolling, edge: int) -> int:
    """Return the length at which the prediction of an edge should be checked."""
    first = unrolling.first_steps
    is_larger = unrolling.count(first + unrolling.unit) > unrolling.count(first)
    return int(edge * (_CHECK_SHARE if is_larger and not unrolling.loops else _SMALLER_SHARE))


def last_below(size: Callable[[int], int], most: int, first: int) -> int:
    """Return the last steps at which a growing size is at most so many bytes.

    Args:
        size: by steps. One that grows at first may shrink later: through the bytes of distinct
            words in a batch, say, goes a curve with a highest point.
        most: no less than at the first steps.
        first: these.

    Returns:
        ``UNLIMITED`` where no number of steps is seen at which it is more.
    """
    low, high = first, 2 * first
    while size(high) <= most:
        low, high = high, 2 * high
        if high > UNLIMITED:
            return UNLIMITED
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if size(middle) <= most else (low, middle)
    return low
