"""Recorded training steps, what continues them, and walls found by replaying that."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

from profiler.facts import Island
from profiler.forecast.allocator import AllocatorModel
from profiler.forecast.demand import DemandCurve, DemandLine, Staircase
from profiler.forecast.trace import Trace
from profiler.forecast.unrolling import NoPatternError, Unrolling, kind, sizes

# Walls beyond are extrapolated from walls at these shares of so many events: where a step more
# meets the limit varies by a step or two, which matters little between lengths far apart.
_FAR_EVENTS = 48_000
# Of a large graph, at shares of so many times the events of the shortest trace that is continued:
# three of the shares are then longer, and far enough apart for a law.
_FAR_FIRSTS = 5
# A wall that is replayed may lie on one side of a gap that packing leaves, or on the other: the
# margin tells it.
_FAR_MISSED = 0.1
_FAR_SHARES = (1 / 8, 1 / 4, 1 / 2, 1)
# An allocator that takes large pieces is replayed for so many times more events, too: what is
# unused of a piece matters less there.
_FURTHER_SHARES = (2, 4)
FARTHEST = 1 << 20
UNLIMITED = 1 << 50
# What may fit again is looked for up to so many times the events of what is guessed to fit.
_REACH = 2
# A guess goes at most so many times as far at once, and ends where it moves by so small a share,
# or where a trace has so many events.
_LEAP, _CLOSE, _GUESSES, _GUESSED_EVENTS = 4, 128, 12, 96_000
# A check is at so many times the longest recorded trace that was continued, or further.
FURTHER = 1.25
# One in which more than this share of the allocated bytes is wrong is as well, however near its
# highest address may be: of many bases, one may hit by chance.
_MOST_WRONG = 0.01
# What misses the highest address by more than this share is wrong, whatever it needs; a need is
# found to so small a share.
_WORTH_NEED, _NEED_SHARE = 0.03, 1 / 1024
# A continued trace of more events too many or too few than these, and than this share of the
# recorded ones, is wrong.
_FEW_OTHERS, _MOST_OTHERS = 8, 0.002


@dataclass(frozen=True, kw_only=True)
class TraceSource:
    """Where traces come from, and how their allocator works.

    Attributes:
        record: ``record(steps, folded_bytes)`` runs a training step and returns its trace;
            the framework folds no constant of more than ``folded_bytes`` (None: its default).
        allocator: the model of the allocator that the traces were recorded from.
        folded_label: the text in the labels of constants that the framework folded.
        most_folded_bytes: the largest constant that it folds by default.
        most_computed_bytes: the largest constant that its graph optimizer computes ahead of time,
            if nothing that it is computed from is as large; 0: there is no such limit.
        ahead: so many iterations of a loop may run at once; 0: one begins after the other.
        kept_on_card: ``kept_on_card(trace, card_bytes)``: what libraries keep of the allocator's
            memory on a card of that size, beside what such a trace has; None: nothing.
    """

    record: Callable[[int, int | None], Trace]
    allocator: AllocatorModel
    folded_label: str
    most_folded_bytes: int
    most_computed_bytes: int = 0
    ahead: int = 0
    kept_on_card: Callable[[Trace, int], int] | None = None


@dataclass(frozen=True)
class Basis:
    """Which recorded traces are continued: two, perhaps a third for the sizes, and the unit."""

    lengths: tuple[int, ...]
    unit: int


@dataclass(frozen=True)
class Continued:
    """A basis, and by what share it missed the trace at the length that it was checked at.

    ``is_same``: it predicted every allocation, if perhaps in another order.
    """

    basis: Basis
    checked: int
    missed: float
    is_same: bool


@dataclass(frozen=True, kw_only=True)
class Regime:
    """How traces continue beyond ``after`` steps, where no larger constant is folded."""

    after: int
    folded: int | None
    unrolling: Unrolling
    learned: Continued


class Recordings:
    """The traces recorded so far, and how they are continued."""

    def __init__(self, source: TraceSource) -> None:
        """Take where traces come from; nothing is recorded yet."""
        self.source = source
        self.allocator = source.allocator
        self._traces: dict[tuple[int, int | None], Trace] = {}
        self._tops: dict[tuple[int, int | None], int] = {}
        self._far: dict[int, DemandCurve | Staircase | None] = {}
        self.failure: str | None = None
        self.need = functools.cache(lambda *key: self._need(self.trace(*key)))
        self.growing_need = functools.cache(self._growing_need)
        self.replay = functools.cache(functools.partial(Replay, self.allocator))
        self.unrolling = functools.cache(self._unrolling)
        self.foretold = functools.cache(self._foretold)

    def trace(self, steps: int, folded: int | None = None) -> Trace:
        """Return what these steps allocate; recorded when it is first asked for."""
        key = (steps, folded)
        if key not in self._traces:
            self._traces[key] = self.source.record(steps, folded)
        return self._traces[key]

    def can_record(self, steps: int) -> bool:
        """Record these steps; say whether they ran to their end, and keep why they did not."""
        try:
            self.trace(steps)
        except Exception as error:  # noqa: BLE001 (whatever a scenario raises is the reason)
            lines = str(error).splitlines() or [type(error).__name__]
            self.failure = f"a short run failed: {lines[0]}"
        return self.failure is None

    def top(self, steps: int, folded: int | None = None) -> int:
        """Return the highest address of what was recorded."""
        key = (steps, folded)
        if key not in self._tops:
            self._tops[key] = self.allocator.highest_address(self.trace(steps, folded))
        return self._tops[key]

    def _growing_need(self, steps: int) -> int:
        """Return about what recorded steps need, so that it grows evenly."""
        return self.allocator.growing_need(self.trace(steps))

    @property
    def takes_pieces(self) -> bool:
        """Whether the allocator takes more than it uses: what is needed says little of an edge."""
        return self.allocator.piece_bytes > 0

    def can_fit(self, steps: int, limit_bytes: int) -> bool:
        """Whether recorded steps fit: what is needed without a limit may be more than must be."""
        if self.top(steps) <= limit_bytes:
            return True
        return self.allocator.fits(replace(self.trace(steps), more_runs=0), limit_bytes)

    @property
    def steps(self) -> list[int]:
        """All recorded steps, ascending."""
        return sorted({steps for steps, _ in self._traces})

    @property
    def lengths(self) -> list[int]:
        """Those of them at which constants were folded by default, ascending."""
        return sorted(steps for steps, folded in self._traces if folded is None)

    def computed(self) -> list[DemandLine]:
        """Return how the growing constants that are computed ahead of time grow."""
        (first, shorter), (second, longer) = [
            (steps, {kind(label): size for label, size in self.trace(steps).kept.items()})
            for steps in self.lengths[:2]
        ]
        found = [
            DemandLine.through((first, size), (second, longer.get(label, 0)))
            for label, size in shorter.items()
        ]
        most = self.source.most_computed_bytes
        return [line for line in found if line is not None and line.demand_bytes <= most]

    def folded(self) -> list[DemandLine]:
        """Return how the largest constants that were folded grow over the last two lengths."""
        (near, smaller), (far, larger) = [
            (steps, self.trace(steps).largest(self.source.folded_label))
            for steps in self.lengths[-2:]
        ]
        found = [
            DemandLine.through((near, smaller.get(label, 0)), (far, size))
            for label, size in larger.items()
        ]
        return [line for line in found if line is not None]

    def continued(self, basis: Basis, folded: int | None = None) -> Unrolling:
        """Return how the traces of a basis continue.

        Raises:
            NoPatternError: if they show no pattern.
        """
        unrolling = self.unrolling(basis, folded)
        if unrolling is None:
            raise NoPatternError("there is no pattern")
        return unrolling

    def _unrolling(self, basis: Basis, folded: int | None) -> Unrolling | None:
        """Return how the traces of a basis continue, or None where they show no pattern."""
        first, second, *others = basis.lengths
        try:
            return Unrolling(
                self.trace(first, folded),
                self.trace(second, folded),
                (first, second),
                unit=basis.unit,
                further={steps: self.trace(steps, folded) for steps in others},
            )
        except NoPatternError:
            return None

    def _foretold(self, basis: Basis, steps: int, folded: int | None = None) -> Continued | None:
        """Return by how much a basis misses the recorded trace of these steps."""
        unrolling = self.unrolling(basis, folded)
        if unrolling is None or steps < FURTHER * basis.lengths[-1]:
            return None
        real = self.trace(steps, folded).tidied()
        more = unrolling.count(steps) - len(real.events)
        if not may_be_same(unrolling.count(steps), len(real.events)):
            return None
        try:
            foretold = unrolling.at(steps)
        except NoPatternError:
            return None
        if foretold.events == real.events:
            return Continued(basis, steps, 0.0, is_same=True)
        wrong, share = _wrong(foretold, real)
        if share > _MOST_WRONG:
            return None
        missed = abs(self.allocator.highest_address(foretold) / self.top(steps, folded) - 1)
        if wrong:  # where they lie at another length, they may add to its peak
            missed = max(missed, share, self._missed_growth(foretold, steps, folded))
        if missed <= _WORTH_NEED:
            missed = max(missed, self._missed_need(foretold, self.need(steps, folded)))
        return Continued(basis, steps, missed, not more and not wrong)

    def _missed_growth(self, foretold: Trace, steps: int, folded: int | None) -> float:
        """Return the share by which a trace misses what grows; in whole pieces it may hide."""
        if not self.takes_pieces:
            return 0.0
        real = self.allocator.growing_need(self.trace(steps, folded))
        return abs(self.allocator.growing_need(foretold) / real - 1)

    def _missed_need(self, foretold: Trace, need: int) -> float:
        """Return the share by which a trace misses what it should need, found to its share."""
        once = replace(foretold, more_runs=0)
        less = need - int(need * _NEED_SHARE)
        if self.allocator.fits(once, need) and not self.allocator.fits(once, less):
            return 0.0
        return abs(self._need(foretold) / need - 1)

    def _need(self, trace: Trace) -> int:
        """Return about the smallest limit that a trace fits under, when each step is run once.

        Under a limit, chunks are handed out whole that without one are split: where most is
        in use, what was predicted may need more than what was recorded, though its highest
        address is the same.
        """
        once = replace(trace, more_runs=0)
        low, high = self.allocator.peak(once), self.allocator.highest_address(once)
        exact = int(high * _NEED_SHARE)
        more = 16 * exact
        while not self.allocator.fits(once, high):
            low, high, more = high, high + more, 2 * more
        while high - low > exact:
            middle = (low + high) // 2
            low, high = (low, middle) if self.allocator.fits(once, middle) else (middle, high)
        return high

    def far(self, unrolling: Unrolling) -> DemandCurve | Staircase | None:
        """Return the law through walls that can be replayed, each under the limit it needs."""
        key = id(unrolling)
        if key not in self._far:
            self._far[key] = self._far_of(unrolling)
        return self._far[key]

    def _far_of(self, unrolling: Unrolling) -> DemandCurve | Staircase | None:
        points, stairs = [], []
        for steps in far_steps(unrolling):
            trace = unrolling.at(steps)
            limit = self.allocator.highest_address(trace)
            growing = self.allocator.growing_need(trace)
            stairs.append((steps, growing, limit))
            if growing == limit:
                wall = self.replay(unrolling, UNLIMITED).largest_fitting(limit, steps)
                points.append((wall, limit))
        if len(points) == len(stairs):
            return DemandCurve.through(points, most_missed=_FAR_MISSED)
        for steps in further_steps(unrolling):
            trace = replace(unrolling.at(steps), more_runs=0)
            top = self.allocator.highest_address(trace)
            stairs.append((steps, self.allocator.growing_need(trace), top))
        return Staircase.through(stairs, piece_bytes=self.allocator.piece_bytes)


def may_be_same(foretold: float, real: int) -> bool:
    """Whether a trace of this many events may predict a recorded one."""
    return abs(foretold - real) <= max(_FEW_OTHERS, _MOST_OTHERS * real)


def is_alike(one: Trace, other: Trace) -> bool:
    """Whether both allocate and release the same in the same order, if of other sizes."""
    return one.labels == other.labels and [
        (allocation, size > 0) for allocation, size in one.events
    ] == [(allocation, size > 0) for allocation, size in other.events]


def _wrong(foretold: Trace, real: Trace) -> tuple[int, float]:
    """Return the bytes that a trace has too many or too few, also as a share of the real one's."""
    total = sum(size for _, size in real.events)
    if is_alike(foretold, real):
        pairs = zip(foretold.events, real.events, strict=True)
        wrong = sum(abs(size - other) for (_, size), (_, other) in pairs)
        return wrong, wrong / total
    wanted, found = sizes(real), sizes(foretold)
    differing = ((wanted - found) + (found - wanted)).items()
    wrong = sum(size * count for (_, size), count in differing)
    return wrong, wrong / total


class Replay:
    """Finds walls by replay."""

    def __init__(self, allocator: AllocatorModel, unrolling: Unrolling, most: int) -> None:
        """Take the allocator's rules, the traces of any length, and the most steps."""
        self._allocator = allocator
        self._unrolling = unrolling
        self._first = unrolling.first_steps
        self._unit = unrolling.unit
        self._most = (most - self._first) // self._unit
        self._top = functools.cache(self._highest_address)
        self._growing = functools.cache(
            lambda more: allocator.growing_need(self._trace(more, once=True))
        )

    def largest_fitting(self, limit_bytes: int, guess: int) -> int:
        """Return the largest steps that fit, searched from a guess; 0 if not even the first."""
        low = self._last_of((0, self._most), limit_bytes, self._number(guess))
        return self._steps(low) if low >= 0 else 0

    def fitting(
        self, limit_bytes: int, guess: int, drops: Iterable[int]
    ) -> tuple[int, list[Island]]:
        """Return the steps before the first that do not fit, and longer ones that fit again.

        Args:
            limit_bytes: the limit.
            guess: where to search from.
            drops: steps from which on something takes less memory than at shorter lengths: only
                there a longer trace may fit again.
        """
        at = self._number(guess)
        most = max(_GUESSED_EVENTS, _REACH * self._unrolling.count(guess))
        starts = sorted({-((self._first - one) // self._unit) for one in drops})
        starts = [one for one in starts if 0 < one <= self._most]
        starts = [0, *(one for one in starts if self._unrolling.count(self._steps(one)) <= most)]
        edge = -1
        islands: list[Island] = []
        for first, following in pairwise([*starts, self._most + 1]):
            # All of what is shorter than the guess is likely to fit, and nothing that is longer.
            likely = following - 1 if following <= at else max(first, at)
            last = self._last_of((first, following - 1), limit_bytes, likely)
            if edge == first - 1:
                edge = last
            elif last >= first:
                begins = self._steps(first)
                if islands and islands[-1].last == begins - self._unit:
                    begins = islands.pop().first
                islands.append(Island(first=begins, last=self._steps(last)))
        return (self._steps(edge) if edge >= 0 else 0), islands

    def fitting_from(self, limit_bytes: int, steps: int) -> Island | None:
        """Return these steps and longer ones up to the first that do not fit; None: they do not."""
        first = -((self._first - steps) // self._unit)
        if not 0 <= first <= self._most:
            return None
        last = self._last_of((first, self._most), limit_bytes, first)
        return Island(first=self._steps(first), last=self._steps(last)) if last >= first else None

    def _last_of(self, span: tuple[int, int], limit_bytes: int, at: int) -> int:
        """Return the largest number of a span up to which all fit, or the one before it."""
        # What does not fit when each step is run once fits no better when it is run again.
        first, last = span
        once = self._largest(limit_bytes, at, span, once=True)
        return self._largest(limit_bytes, once, (first, min(once, last)), once=False)

    def _largest(self, limit_bytes: int, at: int, span: tuple[int, int], *, once: bool) -> int:
        """Return the largest number of a span that fits, or the one before it."""
        first, last = span
        low, high = first - 1, last + 1
        stride = 1
        while high - low > 1:
            at = min(max(at, low + 1), high - 1)
            if self._allocator.fits(self._trace(at, once=once), limit_bytes):
                low = at
                at = at + stride if high > last else (low + high) // 2
            else:
                high = at
                at = at - stride if low < first else (low + high) // 2
            stride *= 2
        return low

    def guess(self, limit_bytes: int) -> int:
        """Return about where the highest address in use, without a limit, meets the limit."""
        before, at = 0, max(1, self._first // (4 * self._unit))
        for _ in range(_GUESSES):
            bottom, top = self._tops(before, at)
            grows = (top - bottom) * (at - before) > 0
            if not grows and top >= limit_bytes:
                return self._steps(at)
            meets = self._most  # unless it grows: a few steps may need as much as one more
            if grows:
                meets = at + (limit_bytes - top) * (at - before) // (top - bottom)
            meets = min(max(meets, 0), self._most)
            # At most four times as far at once: what bends upwards meets the limit earlier.
            following = min(meets, _LEAP * at + 1)
            if self._is_long(following):
                return self._steps(meets)
            if abs(meets - at) <= 1 + at // _CLOSE:
                return self._steps(meets)
            before, at = at, following
        return self._steps(at)

    def _tops(self, before: int, at: int) -> tuple[int, int]:
        """Return the highest address at the second, and what grew less by then at the first."""
        top = self._top(at)
        return top - (self._growing(at) - self._growing(before)), top

    def _is_long(self, more: int) -> bool:
        return self._unrolling.count(self._steps(more)) > _GUESSED_EVENTS or more > FARTHEST

    def _highest_address(self, more: int) -> int:
        return self._allocator.highest_address(self._trace(more, once=True))

    def _trace(self, more: int, *, once: bool) -> Trace:
        trace = self._unrolling.at(self._steps(more))
        return replace(trace, more_runs=0) if once else trace

    def _number(self, steps: int) -> int:
        return (steps - self._first) // self._unit

    def _steps(self, more: int) -> int:
        return self._first + more * self._unit


def far_steps(unrolling: Unrolling) -> list[int]:
    """Return the steps that what lies beyond replay is extrapolated from."""
    return [with_events(unrolling, int(_far_events(unrolling) * one)) for one in _FAR_SHARES]


def further_steps(unrolling: Unrolling) -> list[int]:
    """Return longer ones, at which less of what an allocator takes is unused."""
    return [with_events(unrolling, int(_far_events(unrolling) * one)) for one in _FURTHER_SHARES]


def _far_events(unrolling: Unrolling) -> int:
    return max(_FAR_EVENTS, _FAR_FIRSTS * unrolling.count(unrolling.first_steps))


def with_events(unrolling: Unrolling, events: int) -> int:
    """Return about the steps whose trace has so many events."""
    first, unit = unrolling.first_steps, unrolling.unit
    each = unrolling.count(first + unit) - unrolling.count(first)
    more = (events - unrolling.count(first)) // each if each > 0 else FARTHEST // 8
    return first + max(1, more) * unit
