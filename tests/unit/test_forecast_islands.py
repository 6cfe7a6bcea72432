"""Longer lengths that survive again are foretold, where a request leaves the shared segments."""

from __future__ import annotations

from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.facts import Island, WallPrediction
from profiler.forecast.lattice import off_lattice, on_lattice
from profiler.forecast.recordings import TraceSource
from profiler.forecast.replayed import Forecasts
from profiler.forecast.trace import Trace
from profiler.frameworks.allocators.caching import CachingAllocator
from profiler.lengths import ANY, Lengths

MIB = 1 << 20
KIB = 1 << 10
MAX_STEPS = 100_000


def held(sizes: list[int]) -> Trace:
    """Return a trace that holds all of these at once."""
    numbers = range(len(sizes))
    events = [*zip(numbers, sizes, strict=True), *((number, 0) for number in numbers)]
    return Trace([f"tensor_{at}" for at in numbers], events)


def predicted(count: int, per_step: int, limit: int, lengths: Lengths = ANY) -> WallPrediction:
    """Return the wall of so many tensors that grow with the steps, by what short runs show."""
    source = TraceSource(
        record=lambda steps, _: held([per_step * steps] * count),
        allocator=CachingAllocator(),
        folded_label="folded",
        most_folded_bytes=0,
    )
    (wall,) = Forecasts(source, lengths).walls([limit], MAX_STEPS)
    assert isinstance(wall, WallPrediction)
    return wall


def reserved(count: int, size: int) -> int:
    """Return in closed form what so many equal tensors make the allocator reserve."""
    size = -(-size // 512) * 512
    if size >= 10 * MIB:
        return count * -(-size // (2 * MIB)) * 2 * MIB
    segment = 2 * MIB if size <= MIB else 20 * MIB
    each, rest = divmod(segment, size)
    del rest
    return -(-count // each) * segment


def test_an_island_of_one_length() -> None:
    """Three tensors of 8 KiB a step: at 1,280 steps each has 10 MiB, and segments of its own."""
    wall = predicted(3, 8 * KIB, 31 * MIB)

    assert (int(wall.steps), wall.is_line) == (853, False)
    assert wall.islands == [Island(first=1280, last=1280)]


def test_a_wall_far_beyond_the_jumps_is_told() -> None:
    """All short runs have walls among them: each step has many events, so they are short."""
    limit = 16 << 30

    def record(steps: int, _: int | None) -> Trace:
        labels, events = [], []

        def take(label: str, size: int) -> int:
            labels.append(label)
            events.append((len(labels) - 1, size))
            return len(labels) - 1

        held = []
        for _step in range(steps):
            passing = take("passing", 512)
            for _ in range(16):  # each is given back when there is the next
                passing, before = take("passing", 512), passing
                events.append((before, 0))
            events.append((passing, 0))
            held.append(take("kept", 16 * KIB))
        held += [take(f"stack_{n}", 16 * KIB * steps) for n in range(4)]
        events.extend((one, 0) for one in held)
        return Trace(labels, events)

    source = TraceSource(
        record=record, allocator=CachingAllocator(), folded_label="folded", most_folded_bytes=0
    )
    (wall,) = Forecasts(source, ANY).walls([limit], 1 << 30)
    exact = limit // (5 * 16 * KIB)  # but for what segments round up

    assert isinstance(wall, WallPrediction), wall
    assert wall.low <= exact <= wall.high
    assert wall.steps == pytest.approx(exact, rel=0.02)


def test_no_island_where_nothing_fits_again() -> None:
    """With 29 MiB three segments of 10 MiB do not fit."""
    assert predicted(3, 8 * KIB, 29 * MIB).islands == []


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 7), st.integers(2, 40), st.integers(6, 120))
def test_islands_are_where_the_closed_form_has_them(count: int, per_step: int, limit: int) -> None:
    """The wall is the first edge, and every stretch beyond that fits again is told."""
    per_step *= KIB
    beyond = limit * 2 * MIB // per_step + 1
    fits = [(n, reserved(count, n * per_step) <= limit * 2 * MIB) for n in range(1, beyond)]
    stretches = [
        [n for n, _ in group] for does, group in groupby(fits, key=lambda pair: pair[1]) if does
    ]
    wall = predicted(count, per_step, limit * 2 * MIB)

    assert int(wall.steps) == min(stretches[0][-1], MAX_STEPS)
    assert wall.islands == [Island(first=one[0], last=one[-1]) for one in stretches[1:]]


@pytest.mark.parametrize("lengths", [Lengths(multiple_of=20), Lengths(multiple_of=7, at_least=40)])
def test_islands_are_of_lengths_that_are_allowed(lengths: Lengths) -> None:
    """What is between them may not be run."""
    per_step = 8 * KIB
    allowed = [lengths.nth(number) for number in range(1, 300)]
    fits = [(n, reserved(3, n * per_step) <= 35 * MIB) for n in allowed]
    stretches = [
        [n for n, _ in group] for does, group in groupby(fits, key=lambda pair: pair[1]) if does
    ]
    wall = predicted(3, per_step, 35 * MIB, lengths)

    assert lengths.at_most(wall.steps) == stretches[0][-1]
    assert wall.islands == [Island(first=one[0], last=one[-1]) for one in stretches[1:]]
    assert on_lattice(off_lattice(wall, lengths), lengths).islands == wall.islands


@pytest.mark.parametrize("highest", [300, 500])
def test_what_grows_ever_less_drops_nowhere(highest: int) -> None:
    """As the bytes of distinct words do: through them goes a curve with a highest point.

    It lies below the 10 MiB of a segment of its own, so that no step is the last one before it.
    """

    def at(steps: int) -> Trace:
        curved = 32 * (2 * steps * highest - steps * steps)
        return held([128 * KIB * steps, *[curved] * 4])

    source = TraceSource(
        record=lambda steps, _: at(steps),
        allocator=CachingAllocator(),
        folded_label="folded",
        most_folded_bytes=0,
    )
    (wall,) = Forecasts(source).walls([64 * MIB], MAX_STEPS)

    assert isinstance(wall, WallPrediction)
    real = next(n for n in range(1, 2 * highest) if not source.allocator.fits(at(n + 1), 64 * MIB))
    assert wall.low <= real <= wall.high
