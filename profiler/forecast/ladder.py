"""Which short runs are recorded next, until what continues them predicts a longer one."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from profiler.forecast.demand import APART, DemandCurve, DemandLine
from profiler.forecast.recordings import FURTHER, UNLIMITED, Basis, Recordings, with_events
from profiler.forecast.unrolling import Unrolling
from profiler.lengths import Lengths

# What is recorded, one after the other, until a continued trace predicts the longest. The
# differences hold many periods: what grows by segments of 3, 4, 5, 8 or 10 steps is found, too.
_LADDER = (8, 10, 16, 20, 24, 40, 104, 106, 160, 162, 240, 320)
# From so many times those that run ahead on, a loop's iterations overlap as they do in any longer
# one. A little more of them than these are recorded, to be continued.
_SETTLED, _MORE = 3, 8
# After so many lengths of that kind, shorter ones of a loop show nothing more.
_SETTLED_ENOUGH = 2
# The operations of two recorded lengths are as many but for this share where the graph is the same.
_SAME_GRAPH = 0.02
# What may grow in another way at every so many steps.
_PERIODS = range(2, 9)
# The second length of a basis that begins at any length is so much longer.
_PAIRED = 2
# A length that is a larger share of the wall than this is not worth recording.
_WORTH = 0.7
# Of the longest length that is worth it, another one may be taken that is so much shorter.
_NEARLY = 0.9
# No longer trace than this is recorded for a check, none to be continued, nor to check the
# prediction of a length that is too far for that. Of a loop, whose graph grows no larger, longer
# ones are recorded to be continued.
_MOST_RECORDED, _MOST_IF_FAR = 20_000, 5_000
_MOST_ON_LADDER = 8_000
_MOST_OF_LOOPS = 90_000
# Nor are longer lengths than these, nor such as may need more than these bytes.
_FARTHEST_RECORDED, _MOST_BYTES = 1024, 1 << 30


class Target(Protocol):
    """What is to be predicted."""

    @property
    def max_steps(self) -> int:
        """The longest length that is predicted."""

    def about(self, unrolling: Unrolling) -> int:
        """Return about which steps are predicted, by what continues the traces."""

    def about_by_curve(self, curve: DemandCurve | DemandLine) -> float:
        """Return the same by what recorded steps need."""

    def is_beyond(self, unrolling: Unrolling, end: int) -> bool:
        """Whether these steps lie beyond ``end``."""


@dataclass(frozen=True)
class FixedTarget:
    """A fixed number of steps, whatever was recorded; see ``Target``."""

    max_steps: int

    def about(self, unrolling: Unrolling) -> int:
        """Return the steps."""
        del unrolling
        return self.max_steps

    def about_by_curve(self, curve: DemandCurve | DemandLine) -> float:
        """Return the steps."""
        del curve
        return self.max_steps

    def is_beyond(self, unrolling: Unrolling, end: int) -> bool:
        """Whether the steps lie beyond ``end``."""
        del unrolling
        return self.max_steps > end


class Ladder:
    """The lengths that are worth recording to predict a longer one.

    Attributes:
        rungs: all that may be recorded to be continued, ascending; the first two always are.
    """

    def __init__(self, recordings: Recordings, lengths: Lengths, target: Target) -> None:
        """Take what was recorded, the lengths that may be, and what is to be predicted."""
        self._recordings = recordings
        self._lengths = lengths
        self._target = target
        self._each = functools.cache(self._iterations_each)
        self.rungs = rungs(lengths)

    @property
    def known(self) -> list[int]:
        """The recorded lengths, ascending, that are no longer than what is to be predicted."""
        most = max(self._target.max_steps, self.rungs[1])
        return [steps for steps in self._recordings.lengths if steps <= most]

    def further(self, told: int) -> int | None:
        """Return what to record next, if anything is short enough to be worth it.

        Args:
            told: the edge by a basis that held up to some length, not to the longest; 0: none.
        """
        known = self.known
        longest = max(known)
        if told:  # what changed on the way to the longest may go on from there
            begins = longest - _PAIRED if longest - _PAIRED in known else longest
            onward, least = self._along(begins, told), longest
        else:
            begins = self._last_change()
            onward, least = self._along(begins, told), begins
        if onward is not None:
            return onward
        missing = [steps for steps in self._missing() if steps > least]
        further = next(filter(self._is_worth, missing), None)
        if further is not None:
            return further
        # Between the last rung that is short enough and what is worth it, there may be much.
        beyond = int(min(_WORTH * self.by_tops(), self._target.max_steps))
        if beyond <= FURTHER * longest or not self._is_cheap(beyond):
            return None
        return self._in_reach(max(int(FURTHER * longest) + 1, int(_NEARLY * beyond)), beyond)

    def _in_reach(self, least: int, most: int) -> int:
        """Return which of these lengths most pairs of recorded ones can be continued to."""
        known = self.known
        pairs = paired(known)

        def reached(steps: int) -> int:
            return sum(not (steps - first) % unit for first, _, unit in pairs)

        def alike(steps: int) -> int:
            """Of how many periods two recorded lengths and this one are at the same place."""
            return sum(sum(not (steps - n) % each for n in known) > 1 for each in _PERIODS)

        return max(range(least, most + 1), key=lambda n: (alike(n), reached(n), n))

    def _missing(self) -> list[int]:
        """Return what of the ladder was not recorded yet, in the order to do so."""
        known = self.known
        missing = [steps for steps in self.rungs if steps not in known]
        if not self._settles():
            return missing
        settled = [steps for steps in self.settled if steps not in known]
        if sum(map(self.is_settled, known)) >= _SETTLED_ENOUGH:
            return settled
        return [*settled, *(steps for steps in missing if steps not in settled)]

    def _along(self, begins: int, told: int) -> int | None:
        """Return what a basis from there, and its first check, still lack; None: not worth it."""
        lengths = (begins, *_basis_from(begins))
        missing = [steps for steps in lengths if steps not in self._recordings.lengths]
        if not begins or not missing or not self._is_worth_from(begins, told):
            return None
        return missing[0]

    def _changes(self) -> list[int]:
        """Return the lengths from which on steps compute a constant.

        Short runs computed that ahead of time: beyond, the graph is another one.
        """
        most = self._recordings.source.most_computed_bytes
        return [int(line.meets(most)) + 1 for line in self._recordings.computed()]

    def _last_change(self) -> int:
        """Return the last of these lengths that is worth recording from, or 0."""
        shorter, longer = map(self._recordings.trace, self.rungs[:2])
        if len(shorter.events) == len(longer.events):
            return 0  # there is no pattern of steps that this would change
        settled = self.settled if self._settles() else []
        least = next(filter(self._is_worth, settled), 0)
        return max(
            (one for one in self._changes() if one > least and self._is_worth_from(one)),
            default=0,
        )

    def _is_worth_from(self, begins: int, told: int = 0) -> bool:
        """Whether a basis from there, and its check, are short beside about where the wall is."""
        _, check = _basis_from(begins)
        worth = 1 if begins in self._recordings.lengths else _WORTH
        most = _MOST_OF_LOOPS if self._is_same_graph() else _MOST_RECORDED
        is_near = check <= min(worth * max(told, self.by_tops()), self._target.max_steps)
        return is_near and self._is_cheap(check, most)

    def should_settle(self, basis: Basis) -> bool:
        """Whether short runs of a loop were continued though longer ones are worth it."""
        loops = self._recordings.continued(basis).loops
        if not loops or self.is_settled(basis.lengths[0]):
            return False
        _, second, *_ = [*self.settled, UNLIMITED]
        return FURTHER * second <= max(*self.known, _WORTH * self.by_tops())

    def _settles(self) -> bool:
        """Whether there are loops whose iterations run ahead: short ones are not yet settled."""
        return self._recordings.source.ahead > 0 and self._is_same_graph()

    def _is_same_graph(self) -> bool:
        """Whether the graph does not grow with the steps: what does is made by loops."""
        shorter, longer = map(self._recordings.trace, self.rungs[:2])
        grows = len(set(longer.labels)) > (1 + _SAME_GRAPH) * len(set(shorter.labels))
        # Where nothing grew, a step more adds to the graph every few steps.
        return not grows and shorter.events != longer.events

    def by_tops(self) -> float:
        """Return about which steps are to be predicted, by what recorded steps need."""
        grown, longest = self._recordings.growing_need, max(self.known)
        # As much is unused of what the allocator takes as was at the longest.
        unused = self._recordings.top(longest) - grown(longest)
        tops = [(steps, grown(steps) + unused) for steps in self.known]
        near = [one for one in tops if one[0] * APART <= tops[-1][0]] or tops[:1]
        curve = DemandCurve.through(tops) or DemandLine.through(near[-1], tops[-1])
        if curve is None:
            return self._target.max_steps
        # What two lengths near each other differ by, others need not.
        share = DemandLine.through((0, 0), tops[-1]) if tops[-1][0] < APART * tops[0][0] else None
        return max(self._target.about_by_curve(one) for one in (curve, share) if one is not None)

    def _is_worth(self, steps: int) -> bool:
        """Whether the next length of the ladder is short, beside about where the wall is."""
        if steps > self._target.max_steps or not self._is_cheap(steps):
            return False
        return steps <= _WORTH * self.by_tops()

    def _is_cheap(self, steps: int, most_events: int | None = None) -> bool:
        """Whether so many steps are about as few events as may be recorded, by the longest."""
        longest = max(self.known)
        events = len(self._recordings.trace(longest).events)
        if self._recordings.top(longest) * steps > _MOST_BYTES * longest:
            return False
        most = most_events or (_MOST_OF_LOOPS if self._is_same_graph() else _MOST_ON_LADDER)
        return events * steps <= most * longest

    def check_at(self, basis: Basis, unrolling: Unrolling, wanted: int) -> int:
        """Return the length up to ``wanted`` that is short enough to be recorded."""
        least = int(FURTHER * basis.lengths[-1]) + 1
        longest = max(self.known)
        top = self._recordings.top(longest)
        # Memory may grow by squares.
        by_memory = int(longest * math.sqrt(_MOST_BYTES / top))
        by_events = with_events(unrolling, _MOST_RECORDED)
        if by_events < wanted:  # it is far from the wall in any case
            by_events = with_events(unrolling, _MOST_IF_FAR)
        by_events = max(least, by_events)
        most = min(by_events, by_memory, self._lengths.number(_FARTHEST_RECORDED))
        return continued_to(unrolling, min(wanted, most))

    @property
    def settled(self) -> list[int]:
        """The lengths to record at which a loop is settled, ascending: at least two."""
        first = self.beyond_ahead(_SETTLED)
        return sorted(filter(self.is_settled, {*self.rungs, first, first + _PAIRED}))

    @property
    def lawful(self) -> list[int]:
        """The recorded lengths that a law may go through: the graph is that of the longest.

        Of a loop, they are settled, but for the longest.
        """
        shorter, longer = map(self._recordings.trace, self.rungs[:2])
        is_loop = self._settles() and len(shorter.events) != len(longer.events)
        longest = max(self.known)
        begins = max((one for one in self._changes() if one <= longest), default=0)
        return [
            steps
            for steps in self.known
            if steps >= begins and (not is_loop or self.is_settled(steps) or steps == longest)
        ]

    def is_settled(self, steps: int) -> bool:
        """Whether a loop of so many steps has taken up all its parallel iterations."""
        return steps >= self.with_iterations(_SETTLED * self._recordings.source.ahead)

    def beyond_ahead(self, times: int) -> int:
        """Return about the length with so many times the iterations ahead, and a few more."""
        return self.with_iterations(times * self._recordings.source.ahead + _MORE)

    def with_iterations(self, iterations: int) -> int:
        """Return about the length from which on a loop has so many iterations."""
        return math.ceil(iterations / self._each(max(self.known)))

    def _iterations_each(self, longest: int) -> Fraction:
        """How many times more most of a loop's operations run from one length to the next.

        An iteration may take several steps. Where nothing runs more often: one for each step.
        """
        first = self.rungs[0]
        shorter, longer = (
            Counter(trace.labels[-trace.last_run :])
            for trace in map(self._recordings.trace, (first, longest))
        )
        more = Counter(longer[label] - count for label, count in shorter.items())
        grows = [(count, -times) for times, count in more.items() if times > 0]
        if not grows:
            return Fraction(self._lengths.multiple_of)
        return Fraction(-max(grows)[1], longest - first)


def rungs(lengths: Lengths) -> tuple[int, ...]:
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


def paired(known: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return the pairs of lengths that may be a basis, ascending, each with its unit."""
    return [
        (first, second, (second - first) // 2)
        for at, first in enumerate(known)
        for second in known[at + 1 :]
        if (second - first) % 2 == 0
    ]


def continued_to(unrolling: Unrolling, steps: int) -> int:
    """Return the largest length up to ``steps`` that a trace can be continued to."""
    first, unit = unrolling.first_steps, unrolling.unit
    return first + max(0, steps - first) // unit * unit


def _basis_from(begins: int) -> tuple[int, int]:
    """Return the second length of a basis, and where it can be checked first."""
    second = begins + _PAIRED
    return second, int(FURTHER * second) + 1
