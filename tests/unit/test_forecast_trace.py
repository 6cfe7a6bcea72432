"""A trace can be put in order without changing what it asks of an allocator."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.forecast.trace import Trace
from profiler.frameworks.allocators.bfc import BestFitCoalescing, replay

CHUNK = 256
SMALL = 4096  # up to here an allocation may be left out that is released at once
# A chunk is less than twice what it was taken for: so far may a fleeting one reach.
REACH = 2 * SMALL
PLENTY = 1 << 40
few_examples = settings(max_examples=40)  # each makes up a trace


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    """Return a trace of a few small and large allocations, each released once or never."""
    events: list[tuple[int, int]] = []
    held: list[int] = []
    count = 0
    for release in draw(st.lists(st.none() | st.integers(0, 20), max_size=40)):
        if release is None:
            size = draw(st.sampled_from([1, CHUNK, SMALL]) | st.integers(1, 4 * SMALL))
            events.append((count, size))
            held.append(count)
            count += 1
        elif held:
            events.append((held.pop(-1 - release % len(held)), 0))
    return Trace(labels=[f"op{number}" for number in range(count)], events=events)


def allocated(trace: Trace) -> list[tuple[str, int]]:
    """Return the label and the bytes of each allocation."""
    return [(trace.labels[number], size) for number, size in trace.events if size]


@few_examples
@given(traces())
def test_tidied_leaves_the_allocator_the_same(trace: Trace) -> None:
    """The same bytes and chunks are free afterwards; only what was fleeting is not seen."""
    plain, tidied = replay(trace, PLENTY), replay(trace.tidied(), PLENTY)

    assert tidied._size == plain._size
    assert tidied._free == plain._free
    assert tidied.in_use == plain.in_use
    assert plain.peak - REACH <= tidied.peak <= plain.peak
    assert plain.top - REACH <= tidied.top <= plain.top


@few_examples
@given(traces(), st.integers(1, 64))
def test_tidied_fits_wherever_the_trace_fits(trace: Trace, chunks: int) -> None:
    """And nowhere else, but where a fleeting allocation is what finds no room."""
    limit = chunks * CHUNK
    tidied = trace.tidied()
    before, after = (BestFitCoalescing().fits(one, limit) for one in (trace, tidied))

    assert after >= before
    if len(tidied.labels) == len(trace.labels):
        assert after == before


@few_examples
@given(traces())
def test_tidied_is_numbered(trace: Trace) -> None:
    """The allocations are numbered in their order."""
    tidied = trace.tidied()

    numbers = [number for number, size in tidied.events if size]
    assert numbers == list(range(len(tidied.labels)))


@few_examples
@given(traces())
def test_tidied_keeps_every_other_allocation(trace: Trace) -> None:
    """What is large, or is held while anything else happens, stays with its label."""
    fleeting = {
        trace.labels[number]
        for number, size in trace.events
        if 0 < size <= SMALL and (number, 0) in trace.events
    }
    found = allocated(trace.tidied())

    assert set(found) <= set(allocated(trace))
    assert {pair for pair in allocated(trace) if pair[0] not in fleeting} <= set(found)


def test_small_allocations_that_are_released_at_once_are_left_out() -> None:
    """One within the other, too, if both together are small."""
    trace = Trace(
        labels=["held", "outer", "inner", "large"],
        events=[(0, 9), (1, SMALL - 1), (2, 1), (2, 0), (1, 0), (3, SMALL + 1), (3, 0), (0, 0)],
    )

    assert trace.tidied() == Trace(
        labels=["held", "large"], events=[(0, 9), (1, SMALL + 1), (0, 0), (1, 0)]
    )


def test_releases_in_a_row_stand_in_the_order_of_allocation() -> None:
    """Up to the next allocation."""
    big = SMALL + 1
    trace = Trace(
        labels=["a", "b", "c", "d"],
        events=[(0, big), (1, big), (2, big), (2, 0), (0, 0), (3, big), (3, 0), (1, 0)],
    )

    assert trace.tidied().events == [
        *[(0, big), (1, big), (2, big), (0, 0), (2, 0)],
        *[(3, big), (1, 0), (3, 0)],
    ]


def test_a_tower_of_small_allocations_is_no_fleeting_one() -> None:
    """Each is released right after the next one, but together they are what the step holds."""
    count = 100
    events = [*((at, SMALL) for at in range(count)), *((at, 0) for at in reversed(range(count)))]
    tower = Trace(labels=["op"] * count, events=events)

    assert replay(tower.tidied(), PLENTY).peak >= (count - 1) * SMALL
