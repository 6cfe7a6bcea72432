"""Continuing a trace to more time steps.

A training step over T time steps asks its allocator for the same things in the same order
as one over T - 2, but for a few places where the work of two more time steps is inserted (in
the forward pass, in the backward pass, where the gradients are summed, ...). Two traces
show these places; repeating the inserted part gives the trace of any number of steps.

Sizes that two traces do not explain (squares of the steps, copies that grow from one to the
next) are polynomials through further traces.
"""

from __future__ import annotations

import functools
import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import lcm

from profiler.forecast.trace import Trace

# How far an insertion may be moved to the left in search of its regular place.
_MAX_SLIDE = 256
# The terms of a size, as exponents of the steps and of the copy: the first set that fits is taken.
_TERMS = (
    ((0, 0), (1, 0)),
    ((0, 0), (0, 1)),
    ((0, 0), (1, 0), (0, 1)),
    ((0, 0), (1, 0), (2, 0)),
    ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2)),
)


class NoPatternError(Exception):
    """The traces show no regular growth."""


@dataclass(frozen=True, slots=True)
class _AffineNumber:
    """A number that is affine in the steps, and in the copy within a repeated part."""

    base: int
    per_step: int = 0
    per_copy: int = 0

    def at(self, steps: int, copy: int) -> int:
        return self.base + self.per_step * steps + self.per_copy * copy


@dataclass(frozen=True, slots=True)
class _Polynomial:
    """A number of bytes that is a polynomial in the steps and the copy."""

    terms: tuple[tuple[int, int], ...]
    factors: tuple[int, ...]
    divisor: int

    def at(self, steps: int, copy: int) -> int:
        pairs = zip(self.terms, self.factors, strict=True)
        total: int = sum(f * steps**i * copy**j for (i, j), f in pairs)
        return total // self.divisor


@dataclass(frozen=True, slots=True)
class _TraceEvent:
    """One event: an allocation of ``value`` bytes, or the release of allocation ``value``.

    Where a release follows no line, ``rank`` says which allocation of its kind it is: so many
    after the oldest that is held, or (negative) before the newest.
    """

    kind: Hashable
    label: str | None
    value: _AffineNumber | _Polynomial | None
    rank: int = 0


@dataclass(frozen=True, slots=True)
class _Segment:
    """Events that occur once, or once more for every further step."""

    events: list[_TraceEvent]
    repeated: bool


class Unrolling:
    """The traces of a scenario at any number of steps, derived from a few of them."""

    def __init__(
        self,
        first: Trace,
        second: Trace,
        steps: tuple[int, int],
        *,
        unit: int = 1,
        further: Mapping[int, Trace] | None = None,
    ) -> None:
        """Compare the traces at two numbers of steps, the smaller one first.

        Args:
            first: the trace at the smaller number.
            second: the trace at the larger number.
            steps: both numbers.
            unit: the traces grow alike by so many steps at a time; only numbers of steps that
                differ from the first by multiples of it can be continued to.
            further: more traces by steps; with them sizes need not be affine.

        Raises:
            NoPatternError: if no regular growth leads from the first to the others.
        """
        self.first_steps = steps[0]
        self.unit = unit
        tidy = {steps[0]: first, steps[1]: second, **(further or {})}
        tidy = {number: trace.tidied() for number, trace in tidy.items()}
        gap = (steps[1] - steps[0]) // unit
        self._more_runs = first.more_runs
        pair = (tidy[steps[0]], tidy[steps[1]])
        self._last_run = _line_through({n: trace.last_run for n, trace in tidy.items()})
        self._looped = _looped(*pair)
        if not further:
            self._parts = _TracePair(*pair, gap, bent=False).parts()
            return
        self._parts = _TracePair(*pair, gap, bent=True).parts()
        self._parts = self._fitted(tidy)

    def at(self, steps: int) -> Trace:
        """Return the trace at ``steps``, at least ``first_steps``.

        Raises:
            NoPatternError: if the pattern releases what it does not hold, or shrinks to nothing.
        """
        more = self._more(steps)
        labels: list[str] = []
        events: list[tuple[int, int]] = []
        held: dict[Hashable, list[int]] = defaultdict(list)
        for event, copy in self._walk(more):
            value = event.value.at(more, copy) if event.value else -1
            if event.label is None:
                events.append((_released(held[event.kind], value, event.rank), 0))
            elif value <= 0:
                raise NoPatternError(f"{event.label} would shrink to nothing")
            else:
                held[event.kind].append(len(labels))
                events.append((len(labels), value))
                labels.append(event.label)
        last_run = self._last_run(steps)
        return Trace(labels, events, last_run, self._more_runs if last_run else 0)

    def count(self, steps: int) -> int:
        """Return the number of events at ``steps``."""
        more = self._more(steps)
        return sum(len(part.events) * (more if part.repeated else 1) for part in self._parts)

    def growing(self, mark: str = "") -> list[Callable[[int], int]]:
        """Return the bytes by steps of the allocations that grow and hold ``mark`` in a label."""
        values = [
            event.value
            for part in self._parts
            for event in part.events
            if event.label is not None and event.value and mark in event.label
        ]
        return [self._bytes(value) for value in values if value.at(1, 0) > value.at(0, 0)]

    @property
    def loops(self) -> bool:
        """Whether operations are repeated by turns, as a loop's are, not copied for every step."""
        repeated = [{event.label for event in part.events} for part in self._parts if part.repeated]
        if set().union(*repeated) <= self._looped | {None}:
            return any(repeated)
        # One operation with an output for every step is no loop: it repeats alone.
        return any(len(labels & self._looped) > 1 for labels in repeated)

    def _bytes(self, value: _AffineNumber | _Polynomial) -> Callable[[int], int]:
        return lambda steps: value.at((steps - self.first_steps) // self.unit, 0)

    def _more(self, steps: int) -> int:
        return (steps - self.first_steps) // self.unit

    def _walk(self, more: int) -> Iterator[tuple[_TraceEvent, int]]:
        """Yield the events in order, each with the number of its copy."""
        for part in self._parts:
            for copy in range(more if part.repeated else 1):
                for event in part.events:
                    yield event, copy

    def _fitted(self, traces: Mapping[int, Trace]) -> list[_Segment]:
        """Return the parts with sizes fitted to those of all traces."""
        samples: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        for steps, trace in traces.items():
            more = self._more(steps)
            sizes = iter([event for event in trace.events if event[1]])
            for event, copy in self._walk(more):
                if event.label is None:
                    continue
                allocation, size = next(sizes, (0, 0))
                if not size or kind(trace.labels[allocation]) != kind(event.label):
                    raise NoPatternError(
                        f"what is allocated at {steps} is not what was extrapolated"
                    )
                samples[id(event)].append((more, copy, size))
            if next(sizes, None):
                raise NoPatternError(f"more is allocated at {steps} than was extrapolated")
        return [
            replace(
                part,
                events=[
                    event
                    if event.label is None
                    else replace(event, value=_size(samples[id(event)]))
                    for event in part.events
                ],
            )
            for part in self._parts
        ]


def _looped(first: Trace, second: Trace) -> set[str]:
    """Return the labels in the first trace of what one operation makes more often in the other."""
    # Graphs of other lengths may number their operations in another way.
    most: Counter[str] = Counter()
    for label, count in Counter(second.labels).items():
        most[kind(label)] = max(most[kind(label)], count)
    return {label for label, count in Counter(first.labels).items() if count < most[kind(label)]}


def _line_through(values: Mapping[int, int]) -> Callable[[int], int]:
    """Return the line through values by steps, or 0 everywhere where there is none."""
    (first, low), (second, high) = sorted(values.items())[:2]
    slope = Fraction(high - low, second - first)
    if any(low + slope * (steps - first) != value for steps, value in values.items()):
        return lambda _: 0
    return lambda steps: _whole(low + slope * (steps - first))


def _whole(number: Fraction) -> int:
    """Return it, or 0 where it is no whole number above 0."""
    return int(number) if number > 0 and number.denominator == 1 else 0


def _size(samples: Sequence[tuple[int, int, int]]) -> _AffineNumber | _Polynomial:
    """Return the simplest polynomial through ``(steps, copy, bytes)``."""
    if len({size for _, _, size in samples}) == 1:
        return _AffineNumber(samples[0][2])
    for terms in _TERMS:
        factors = _solved([([m**i * c**j for i, j in terms], size) for m, c, size in samples])
        if factors is not None:
            divisor = lcm(*(one.denominator for one in factors))
            return _Polynomial(terms, tuple(int(one * divisor) for one in factors), divisor)
    raise NoPatternError("no polynomial fits the bytes of an allocation")


def _solved(equations: Sequence[tuple[list[int], int]]) -> list[Fraction] | None:
    """Return the one exact solution of linear equations, or None if there is none, or many."""
    rows: list[list[Fraction]] = []  # reduced, each with a 1 where all others have a 0
    pivots: list[int] = []
    for left, right in equations:
        row = [Fraction(one) for one in (*left, right)]
        for pivot, other in zip(pivots, rows, strict=True):
            if row[pivot]:
                row = [a - row[pivot] * b for a, b in zip(row, other, strict=True)]
        pivot = next((at for at, one in enumerate(row[:-1]) if one), -1)
        if pivot < 0 and row[-1]:
            return None
        if pivot < 0:
            continue
        row = [one / row[pivot] for one in row]
        rows = [[a - other[pivot] * b for a, b in zip(other, row, strict=True)] for other in rows]
        rows.append(row)
        pivots.append(pivot)
    if len(rows) < len(equations[0][0]):
        return None
    return [row[-1] for _, row in sorted(zip(pivots, rows, strict=True))]


class _TracePair:
    """Compares two traces that differ by ``gap`` units; with ``bent`` sizes are left open."""

    def __init__(self, first: Trace, second: Trace, gap: int, *, bent: bool) -> None:
        self._traces = (first, second)
        self._gap = gap
        self._bent = bent
        first_sizes, second_sizes = map(sizes, self._traces)
        fixed = set() if bent else first_sizes.keys() & second_sizes.keys()
        kinds = [_kinds(trace, fixed) for trace in self._traces]
        self._a, self._b = (_tokens(*pair) for pair in zip(self._traces, kinds, strict=True))
        self._kinds = kinds[0]
        self._ranks = _ranks(first, self._kinds)

    def parts(self) -> list[_Segment]:
        """Return the parts, single and repeated ones by turns."""
        parts = []
        i = j = 0
        for at_a, at_b, word in [*self._insertions(), (len(self._a), len(self._b), [])]:
            single = [self._both(i + k, j + k) for k in range(at_a - i)]
            parts += [_Segment(single, repeated=False), _Segment(word, repeated=True)]
            i, j = at_a, at_b + self._gap * len(word)
        return parts

    def _insertions(self) -> list[tuple[int, int, list[_TraceEvent]]]:
        """Return ``(position in a, position in b, events per step)`` of what b has more."""
        if (len(self._b) - len(self._a)) % self._gap:
            raise NoPatternError("the number of events grows by a fraction")
        found: list[tuple[int, int, list[_TraceEvent]]] = []
        i = j = 0
        while True:
            same = _common(self._a, self._b, i, j)
            i, j = i + same, j + same
            if i == len(self._a) and j == len(self._b):
                return found
            length = self._length_at(i, j)
            slide, word = self._slide(i, j, length, i - found[-1][0] if found else i)
            found.append((i - slide, j - slide, word))
            j += length

    def _length_at(self, i: int, j: int) -> int:
        """Return how much b has more here: that after which most is the same again."""
        left = len(self._b) - len(self._a) - (j - i)
        least = left if i == len(self._a) else self._gap
        best, length = 0, 0
        for candidate in range(least, left + 1, self._gap):
            period = candidate // self._gap
            copies = self._b[j : j + candidate]
            if copies[period:] != copies[:-period]:
                continue
            same = _common(self._a, self._b, i, j + candidate)
            if same > best or not length:
                best, length = same, candidate
            if i + same == len(self._a):
                break
        if not length or (not best and i < len(self._a)):
            raise NoPatternError(f"the traces differ from event {i} of {len(self._a)}")
        return length

    def _slide(self, i: int, j: int, length: int, most: int) -> tuple[int, list[_TraceEvent]]:
        """Return how far to the left the insertion is regular, and what a step puts in there."""
        for slide in range(min(_MAX_SLIDE, most) + 1):
            if slide and self._a[i - slide] != self._b[j + length - slide]:
                break
            word = self._word(i - slide, j - slide, length)
            if word is not None:
                return slide, word
        raise NoPatternError(f"what is inserted at event {i} of {len(self._a)} is irregular")

    def _both(self, i: int, j: int) -> _TraceEvent:
        """Return the event that both traces have."""
        (a, size_a), (b, size_b) = self._traces[0].events[i], self._traces[1].events[j]
        if not size_a:
            return _TraceEvent(self._kinds[a], None, self._line(a, b), self._ranks[i])
        size = _AffineNumber(size_a) if self._bent else self._line(size_a, size_b)
        if size is None:
            raise NoPatternError("an allocation grows by a fraction of a byte")
        return _TraceEvent(self._kinds[a], self._traces[0].labels[a], size)

    def _line(self, at_a: int, at_b: int, per_copy: int = 0) -> _AffineNumber | None:
        """Return the line through two numbers, or None if it leaves the whole numbers."""
        rate, rest = divmod(at_b - at_a, self._gap)
        return None if rest else _AffineNumber(at_a + per_copy, rate, per_copy)

    def _word(self, i: int, j: int, length: int) -> list[_TraceEvent] | None:
        """Return what every further step puts in here, or None if that is not regular."""
        period = length // self._gap
        if i < period or self._a[i - period : i] != self._b[j : j + period]:
            return None
        word = []
        for k in range(period):
            event = self._repeated(i - period + k, j - period + k, period)
            if event is None:
                return None
            word.append(event)
        return word

    def _repeated(self, i: int, j: int, period: int) -> _TraceEvent | None:
        """Return the event whose last copy in a is at ``i``; in b, ``gap`` more follow ``j``."""
        first, second = self._traces
        (a, size_a), (b, size_b) = first.events[i], second.events[j]
        copies = [second.events[j + period * k] for k in range(1, self._gap + 1)]
        if size_a and self._bent:
            return _TraceEvent(self._kinds[a], first.labels[a], _AffineNumber(size_a))
        if size_a:
            regular = all(size == size_b for _, size in copies)
            size = self._line(size_a, size_b)
            return _TraceEvent(self._kinds[a], first.labels[a], size) if size and regular else None
        stride = copies[0][0] - b
        if any(target != b + stride * (k + 1) for k, (target, _) in enumerate(copies)):
            return None
        target = self._line(a, b, stride)
        return _TraceEvent(self._kinds[a], None, target, self._ranks[i]) if target else None


@functools.cache
def kind(label: str) -> str:
    """Return the label without the numbers that distinguish unrolled copies."""
    return re.sub(r"\d+", "", label)


def sizes(trace: Trace) -> Counter[tuple[str, int]]:
    """Return how often each kind of allocation, of each size, is made."""
    return Counter((kind(trace.labels[at]), size) for at, size in trace.events if size)


def _kinds(trace: Trace, fixed: set[tuple[str, int]]) -> list[Hashable]:
    """Return the kind of each allocation: its label, and its bytes where they are fixed."""
    pairs = ((kind(trace.labels[allocation]), size) for allocation, size in trace.events if size)
    return [pair if pair in fixed else pair[0] for pair in pairs]


def _tokens(trace: Trace, kinds: list[Hashable]) -> list[Hashable]:
    """Return what must be equal in two events for them to be the same one."""
    return [
        kinds[allocation] if size else (kinds[allocation], "released")
        for allocation, size in trace.events
    ]


def _ranks(trace: Trace, kinds: list[Hashable]) -> list[int]:
    """Return for each release its place among the held ones of its kind, from the nearer end."""
    held: dict[Hashable, list[int]] = defaultdict(list)
    ranks = []
    for allocation, size in trace.events:
        same = held[kinds[allocation]]
        if size:
            same.append(allocation)
            ranks.append(0)
        else:
            place = bisect_left(same, allocation)
            ranks.append(place if 2 * place < len(same) else place - len(same))
            del same[place]
    return ranks


def _released(held: list[int], wanted: int, rank: int) -> int:
    """Take what is to be released out of the held allocations of its kind."""
    if not held:
        raise NoPatternError("the pattern releases what it does not hold")
    place = bisect_left(held, wanted)
    if place == len(held) or held[place] != wanted:
        place = max(-len(held), min(rank, len(held) - 1))
    return held.pop(place)


def _common(a: Sequence[Hashable], b: Sequence[Hashable], i: int, j: int) -> int:
    """Return how many tokens are the same from ``a[i]`` and ``b[j]`` on."""
    count, most = 0, min(len(a) - i, len(b) - j)
    while count < most and a[i + count] == b[j + count]:
        count += 1
    return count
