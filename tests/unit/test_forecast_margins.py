"""How far a forecast may be off: by all that it missed of what was recorded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.forecast.allocator import AllocatorModel
from profiler.forecast.demand import DemandCurve
from profiler.forecast.ladder import FixedTarget
from profiler.forecast.learning import Learner
from profiler.forecast.recordings import Basis, Continued, Recordings, TraceSource
from profiler.forecast.trace import Trace
from profiler.frameworks.allocators.bfc import BestFitCoalescing
from profiler.frameworks.allocators.caching import CachingAllocator
from profiler.lengths import ANY

LONG, SIZE = 160, 1 << 10
BASIS = Basis((8, 10), 1)


def grown(steps: int) -> Trace:
    """Return a trace with a tensor for each step; before them short ones have one for a moment."""
    early = [SIZE] if steps < LONG else []
    sizes = [*early, *[SIZE] * steps]
    held = range(len(early), len(sizes))
    events = [(0, early[0])] if early else []
    events += [(number, sizes[number]) for number in held]
    if early:
        events.insert(3, (0, 0))
    return Trace(["early"] * len(early) + ["step"] * steps, events + [(n, 0) for n in held])


def recordings(allocator: AllocatorModel) -> Recordings:
    """Return what records such traces."""
    return Recordings(
        TraceSource(
            record=lambda steps, _: grown(steps),
            allocator=allocator,
            folded_label="folded",
            most_folded_bytes=0,
        )
    )


@pytest.mark.parametrize("missed", [0.002, 0.02, 0.2])
def test_an_order_that_packs_otherwise_counts(missed: float) -> None:
    """All allocations are foretold, and yet more or less is needed; twice that may be missed."""
    same = Continued(BASIS, 60, missed, is_same=True)
    learner = Learner(recordings(BestFitCoalescing()), ANY, FixedTarget(1000))

    assert learner.share(same, 60) == pytest.approx(2 * missed)
    assert learner.share(same, 120) > 2 * missed
    assert learner.share(Continued(BASIS, 60, 0.0, is_same=True), 120) == 0
    # Of whole segments the order decides little, and by chance.
    assert Learner(recordings(CachingAllocator()), ANY, FixedTarget(1000)).share(same, 120) == 0


@pytest.mark.parametrize("allocator", [BestFitCoalescing(), CachingAllocator()], ids=type)
def test_bytes_that_are_wrong_count_where_they_do_not_show(allocator: AllocatorModel) -> None:
    """A tensor that is foretold beside others lies within the peak, at this length."""
    known = recordings(allocator)
    found = known.foretold(BASIS, LONG)

    assert found is not None
    assert not found.is_same
    peaks = [allocator.peak(one) for one in (known.trace(LONG), known.continued(BASIS).at(LONG))]
    assert peaks[0] == peaks[1]
    assert found.missed == pytest.approx(1 / LONG)


@given(off=st.floats(0.01, 0.2), sign=st.sampled_from([-1, 1]))
def test_a_length_that_was_left_out_of_a_law_counts(off: float, sign: int) -> None:
    """The longest is foretold exactly, by chance; one near it, by no means."""
    lengths = (100, 140, 200, 280, 320, 360)
    points = [(steps, 100 * steps * steps + 5000 * steps) for steps in lengths]
    law = DemandCurve.through(points)
    assert law is not None
    assert law.missed_bytes < 1

    steps, demand = points[-2]
    wrong = [*points[:-2], (steps, int(demand * (1 + sign * off))), points[-1]]
    bent = DemandCurve.through(wrong)

    assert bent is None or bent.missed_bytes >= off * demand - 1
