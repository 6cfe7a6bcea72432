"""Walls of an allocator that takes whole segments: what it needs grows by stairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate
from random import Random

import pytest

from profiler.facts import Island, PeakPrediction, WallPrediction
from profiler.forecast.demand import Staircase
from profiler.forecast.recordings import Replay, TraceSource
from profiler.forecast.replayed import Forecasts
from profiler.forecast.trace import Trace
from profiler.forecast.unrolling import Unrolling
from profiler.frameworks.allocators.caching import CachingAllocator
from profiler.lengths import Lengths

COUNTED = False  # see counted.py

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
MAX_STEPS = 10**8


def held(sizes: list[tuple[str, int]]) -> Trace:
    """Return a trace that holds all of these at once."""
    numbers = range(len(sizes))
    events = [(at, size) for at, (_, size) in enumerate(sizes)]
    return Trace([label for label, _ in sizes], events + [(at, 0) for at in numbers])


def source_of(trace: Callable[[int], Trace]) -> TraceSource:
    """Return where such traces come from."""
    return TraceSource(
        record=lambda steps, _: trace(steps),
        allocator=CachingAllocator(),
        folded_label="folded",
        most_folded_bytes=0,
    )


def predicted(trace: Callable[[int], Trace], limit: int) -> WallPrediction | str:
    """Return the wall by what short runs show."""
    (wall,) = Forecasts(source_of(trace)).walls([limit], MAX_STEPS)
    return wall


def busy(steps: int, *, held_bytes: int, turns: int) -> Trace:
    """Return a step that holds a little and asks for much that it gives back at once."""
    labels: list[str] = []
    events: list[tuple[int, int]] = []
    kept = []
    for _ in range(steps):
        kept.append(len(labels))
        labels.append("kept")
        events.append((kept[-1], held_bytes))
        for _ in range(turns):
            one, other = len(labels), len(labels) + 1
            labels += ["one", "other"]
            events += [(one, 512), (other, 512), (one, 0), (other, 0)]
    return Trace(labels, events + [(one, 0) for one in kept])


def test_a_guess_does_not_take_a_stair_for_the_end_of_growth() -> None:
    """All lengths that are replayed for it have one segment; the limit is met at the third."""
    first, second = (busy(steps, held_bytes=12 * KIB, turns=60) for steps in (8, 10))
    unrolling = Unrolling(first, second, (8, 10))
    guess = Replay(CachingAllocator(), unrolling, MAX_STEPS).guess(4 * MIB)

    assert guess * 12 * KIB == pytest.approx(4 * MIB, rel=0.2)


@pytest.mark.parametrize(("limit", "edge"), [(26, 63), (42, 231)])
def test_no_length_beyond_the_wall_is_recorded(limit: int, edge: int) -> None:
    """A segment of 20 MiB, nearly empty, is a part of what the limit leaves no room for.

    In those of 2 MiB lie 21 states of a time step each.
    """

    def trace(steps: int) -> Trace:
        tensors = [("weights", 1500 * KIB), *[("state", 96 * KIB)] * steps]
        return held(tensors if steps > 20 else tensors[::-1])

    wall = predicted(trace, limit * MIB)

    assert edge == (limit - 20) // 2 * 21
    assert isinstance(wall, WallPrediction)
    assert (int(wall.steps), wall.is_line) == (edge, False)
    assert max(wall.learned_from) < edge


@pytest.mark.parametrize("period", [3, 5])
def test_a_pattern_of_some_steps_is_told_to_so_many_steps(period: int) -> None:
    """However far apart the lengths are that show it."""

    def trace(steps: int) -> Trace:
        return held(
            [
                one
                for step in range(steps)
                for one in [("fast", 20 * KIB), *[("slow", 50 * KIB)] * (step % period == 0)]
            ]
        )

    limit = 30 * MIB
    wall = predicted(trace, limit)
    model = CachingAllocator()
    edge = next(n for n in range(1, 2000) if not model.fits(trace(n), limit)) - 1

    assert isinstance(wall, WallPrediction)
    assert wall.low <= edge <= wall.high
    assert wall.high - wall.steps <= max(period, 0.002 * edge + period)


@pytest.mark.parametrize(
    ("size", "of_a_segment", "segment"),
    [(700 * KIB, 2, 2 * MIB), (7 * MIB, 2, 20 * MIB)],
)
def test_a_wall_far_away_is_that_of_whole_segments(
    size: int, of_a_segment: int, segment: int
) -> None:
    """Of equal tensors, three a step: on a card of 4 TiB, where no trace is replayed."""
    limit = 4096 * GIB
    wall = predicted(lambda steps: held([("state", size)] * (3 * steps)), limit)
    edge = limit // segment * of_a_segment // 3

    assert isinstance(wall, WallPrediction)
    assert wall.low <= edge <= wall.high
    assert wall.steps == pytest.approx(edge, rel=0.05)


def test_sizes_that_nearly_follow_a_line_are_continued() -> None:
    """Rows are shared out by chance: the wall is told, with an interval that holds it."""

    def trace(steps: int) -> Trace:
        chance = Random(steps)  # noqa: S311 (no secret)
        shares = [chance.gauss(steps, steps**0.5 / 60) for _ in range(40)]
        return held([(f"part {at}", int(one) * 6 * KIB) for at, one in enumerate(shares)])

    limit = 400 * MIB
    wall = predicted(trace, limit)
    model = CachingAllocator()

    assert isinstance(wall, WallPrediction)
    assert model.fits(trace(int(wall.low)), limit)
    assert not model.fits(trace(int(wall.high) + 1), limit)
    assert wall.high < 1.25 * wall.steps


@pytest.mark.parametrize(("count", "per_step", "pair"), [(6, 16 * KIB, 64), (3, 8 * KIB, 16)])
def test_what_bends_a_little_is_not_told_as_if_it_were_a_line(
    count: int, per_step: int, pair: int
) -> None:
    """Whole pieces are equal where the bytes in them are not: the interval holds the peak."""

    def trace(steps: int) -> Trace:
        bent = ("pairs", 6 * (steps // 4) ** 2 * pair)
        return held([*[("stack", per_step * steps)] * count, bent])

    found = Forecasts(source_of(trace)).peak(512)
    real = CachingAllocator().peak(trace(512))

    assert isinstance(found, PeakPrediction)
    assert found.low <= real <= found.high


@pytest.mark.parametrize("steps", [512, 1024])
def test_squares_that_are_rounded_at_every_few_steps(steps: int) -> None:
    """Frames are halved, letters are an eighth: the pairs of both grow by squares every 8 steps."""

    def trace(steps: int) -> Trace:
        frames, letters = steps // 2, steps // 8
        pairs = 64 * frames * (2 * letters + 1)
        return held([("pairs", pairs), *[("state", 8 * KIB)] * frames])

    real = CachingAllocator().peak(trace(steps))
    found = Forecasts(source_of(trace), Lengths(multiple_of=2, at_least=8)).peak(steps)

    assert isinstance(found, PeakPrediction), found
    assert found.bytes == real
    assert max(map(int, found.recorded)) <= steps / 2


@pytest.mark.parametrize("steps", [1024, 2048])
def test_what_is_not_seen_at_the_peak_of_short_runs_goes_on_to_grow(steps: int) -> None:
    """The pairs are given back before the states are held, and hold more from 512 steps on.

    A line through the pairs at 372 and 376 steps hits those at 744 by chance.
    """

    def trace(steps: int) -> Trace:
        frames, letters = steps // 2, steps // 8
        pairs, states = 64 * frames * (2 * letters + 1), [8 * KIB] * frames
        events = [(0, pairs), (0, 0), *((at + 1, size) for at, size in enumerate(states))]
        ends = [(at + 1, 0) for at in range(frames)]
        return Trace(["pairs", *["state"] * frames], events + ends)

    real = CachingAllocator().peak(trace(steps))
    found = Forecasts(source_of(trace), Lengths(multiple_of=2, at_least=8)).peak(steps)

    if isinstance(found, str):
        assert "do not show" in found
    else:
        assert found.low <= real <= found.high


def test_what_runs_one_after_the_other_needs_no_long_runs() -> None:
    """Iterations of a loop that never run ahead are alike from the first on."""

    def trace(steps: int) -> Trace:
        return held([("weights", 3 * MIB), *[("state", 24 * KIB)] * steps])

    recorded = {}
    for ahead in (0, 32):
        source = replace(source_of(trace), ahead=ahead)
        (wall,) = Forecasts(source).walls([36 * MIB], MAX_STEPS)
        assert isinstance(wall, WallPrediction), wall
        recorded[ahead] = wall.learned_from
        # Beside the weights' own segment of 20 MiB there are 8 of 2 MiB, with 85 states each.
        assert int(wall.steps) == 8 * 85

    assert sum(steps >= 3 * 32 for steps in recorded[0]) == 1  # the check
    assert sum(steps >= 3 * 32 for steps in recorded[32]) > 2


def test_few_small_lengths_do_not_tell_the_share_that_is_unused() -> None:
    """Below a large piece, what is unused may be as much as what is used at each of them."""
    used = [one * MIB for one in (1, 2, 3, 12)]
    known = [(at, one, 2 * one) for at, one in zip((8, 16, 24, 96), used, strict=True)]
    blind, told = (Staircase.through(known, piece_bytes=piece) for piece in (0, 20 * MIB))

    assert blind is not None
    assert told is not None
    met, margin = told.edge(GIB)
    assert blind.edge(GIB)[1] < 0.01 * met
    assert met - margin <= GIB // MIB * 8 / 2 <= GIB // MIB * 8 <= met + margin


def test_an_island_begins_where_tensors_leave_the_small_segments() -> None:
    """Five tensors of 8 KiB a step and nine of 4 KiB: from 257 steps on 20 MiB hold all of them."""

    def trace(steps: int) -> Trace:
        return held([("a", 8 * KIB * steps)] * 5 + [("b", 4 * KIB * steps)] * 9)

    wall = predicted(trace, 26 * MIB)
    model = CachingAllocator()
    fits = [model.fits(trace(steps), 26 * MIB) for steps in range(1, 400)]
    last = max(at + 1 for at, one in enumerate(fits) if one)

    assert isinstance(wall, WallPrediction)
    assert int(wall.steps) == fits.index(False) == 170
    assert wall.islands == [Island(first=257, last=last)]


def test_what_grows_within_pieces_is_not_taken_for_a_share() -> None:
    """Unused parts of a piece come and go; what grows with all that is in use is a share of it."""
    used = [*accumulate([100 * MIB] * 8)]
    pieces = Staircase.through(
        (at + 1, one, one + unused * MIB)
        for at, (one, unused) in enumerate(zip(used, [3, 18, 9, 1, 14, 6, 19, 2], strict=True))
    )
    shares = Staircase.through((at + 1, one, one + one // 10) for at, one in enumerate(used))

    assert pieces is not None
    assert pieces.share == pieces.least_share == 0
    assert shares is not None
    assert shares.share == pytest.approx(0.1, rel=0.01)
