"""The replayed caching allocator keeps the rules of the real one, whatever it is asked for."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.forecast.trace import Trace
from profiler.frameworks.allocators.caching import (
    HANDLES,
    HOPPER_WORKSPACE_BYTES,
    WORKSPACE_BYTES,
    CachingAllocator,
    Segments,
    replay,
    reserved_for_workspaces,
)
from profiler.frameworks.allocators.runs import DoesNotFitError

BLOCK = 512
MIB = 1 << 20
LARGE = 1 << 60  # where the addresses of the large pool begin
UNLIMITED = 1 << 50
few_examples = settings(max_examples=40)  # each makes up a list of requests


@dataclass(kw_only=True)
class Model:
    """The rules in their simplest words: segments, each a list of ``[address, bytes, is free]``."""

    limit: int
    segments: list[list[tuple[int, int, bool]]] = field(default_factory=list)
    ends: list[int] = field(default_factory=lambda: [0, LARGE])

    @property
    def reserved(self) -> int:
        """The bytes of all segments."""
        return sum(size for segment in self.segments for _, size, _ in segment)

    def allocate(self, asked: int) -> int | None:
        """Take the smallest free block, else one of a new segment, if need be after a clean-up."""
        size = rounded_up(asked)
        is_large = size > MIB
        fitting = [
            (have, at)
            for segment in self.segments
            for at, have, free in segment
            if free and have >= size and (at >= LARGE) == is_large
        ]
        if not fitting:
            wanted = segment_of(size)
            if self.reserved + wanted > self.limit:
                self.segments = [s for s in self.segments if len(s) > 1 or not s[0][2]]
            if self.reserved + wanted > self.limit:
                return None
            fitting = [(wanted, self.ends[is_large])]
            self.segments.append([(self.ends[is_large], wanted, True)])
            self.ends[is_large] += wanted
        have, at = min(fitting)
        rest = have - size
        taken = size if rest > MIB or (rest and not is_large) else have
        segment = next(s for s in self.segments if (at, have, True) in s)
        segment.remove((at, have, True))
        segment.append((at, taken, False))
        if taken < have:
            segment.append((at + taken, have - taken, True))
        return at

    def release(self, address: int) -> None:
        """Free a block, then join free neighbours in its segment."""
        for number, segment in enumerate(self.segments):
            joined: list[tuple[int, int, bool]] = []
            for at, have, free in sorted(segment):
                is_free = free or at == address
                if joined and joined[-1][2] and is_free:
                    joined[-1] = (joined[-1][0], joined[-1][1] + have, True)
                else:
                    joined.append((at, have, is_free))
            self.segments[number] = joined


def rounded_up(size: int) -> int:
    """Return the bytes of whole blocks that hold ``size``."""
    return -(-size // BLOCK) * BLOCK


def segment_of(size: int) -> int:
    """Return what is reserved for a block that finds none."""
    if size > MIB:
        return 20 * MIB if size < 10 * MIB else -(-size // (2 * MIB)) * 2 * MIB
    return 2 * MIB


def blocks(memory: Segments) -> list[tuple[int, int, bool]]:
    """Return ``(address, bytes, is free)`` of every block, by address."""
    sizes, free = memory.layout()
    return [(at, size, at in free) for at, size in sorted(sizes.items())]


sizes = (
    st.integers(1, 16 * BLOCK)
    | st.integers(1, MIB + BLOCK)
    | st.integers(MIB, 10 * MIB + BLOCK)
    | st.integers(10 * MIB - BLOCK, 40 * MIB)
)
limits = st.integers(1, 60).map(lambda count: count * 2 * MIB) | st.just(UNLIMITED)
# What to do next: allocate so many bytes, or (negative) release one of those that are held.
actions = st.lists(sizes | st.integers(-64, -1), max_size=60)


@few_examples
@given(limits, actions)
def test_blocks_have_the_addresses_of_the_rules(limit: int, todo: list[int]) -> None:
    """Block by block it agrees with a model that searches everything, every time."""
    memory, model = Segments(limit), Model(limit=limit)
    held: list[int] = []
    for action in todo:
        if action > 0:
            expected = model.allocate(action)
            if expected is None:
                with pytest.raises(DoesNotFitError):
                    memory.allocate(action)
                continue
            held.append(memory.allocate(action))

            assert held[-1] == expected
        elif held:
            address = held.pop(action % len(held))
            memory.release(address)
            model.release(address)
        assert blocks(memory) == sorted(itertools.chain(*model.segments))
        assert memory.reserved == model.reserved


@few_examples
@given(limits, actions)
def test_nothing_overlaps_and_nothing_is_more_than_what_is_reserved(
    limit: int, todo: list[int]
) -> None:
    """Blocks lie side by side; in use, reserved and the limit are in this order, always."""
    memory = Segments(limit)
    held: dict[int, int] = {}
    most = 0
    for action in todo:
        if action > 0:
            try:
                held[memory.allocate(action)] = action
            except DoesNotFitError:
                continue
        elif held:
            address = [*held][action % len(held)]
            del held[address]
            memory.release(address)
        tiles = blocks(memory)
        used = {at: size for at, size, free in tiles if not free}
        most = max(most, sum(used.values()))

        assert all(at + size <= after for (at, size, _), (after, _, _) in itertools.pairwise(tiles))
        assert used.keys() == held.keys()
        assert all(used[at] >= rounded_up(asked) for at, asked in held.items())
        assert memory.in_use == sum(used.values()) <= memory.reserved
        assert memory.reserved == sum(size for _, size, _ in tiles) <= memory.reserved_peak
        assert memory.peak == most <= memory.reserved_peak <= limit


@few_examples
@given(st.lists(sizes, max_size=30), st.randoms())
def test_what_is_reserved_stays_when_everything_is_released(
    wanted: list[int], random: object
) -> None:
    """It is kept for what comes: each segment is one free block again, in whatever order."""
    memory = Segments(UNLIMITED)
    held = [memory.allocate(size) for size in wanted]
    reserved = memory.reserved
    random.shuffle(held)  # type: ignore[attr-defined]
    for address in held:
        memory.release(address)

    assert (memory.in_use, memory.reserved) == (0, reserved)
    assert all(free and memory._before[at] < 0 for at, _, free in blocks(memory))


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    """Return a trace of allocations and releases, perhaps with a last step that is run again."""
    events: list[tuple[int, int]] = []
    held: list[int] = []
    made = 0
    for action in draw(actions):
        if action > 0:
            events.append((made, action))
            held.append(made)
            made += 1
        elif held:
            events.append((held.pop(action % len(held)), 0))
    last = draw(st.integers(0, made))
    return Trace([""] * made, events, last_run=last, more_runs=draw(st.integers(0, 3)))


@few_examples
@given(traces())
def test_so_much_as_is_reserved_without_a_limit_is_enough(trace: Trace) -> None:
    """Nothing has to be given back under it; less than what is in use at once is never enough."""
    model = CachingAllocator()
    enough, peak = model.highest_address(trace), model.peak(trace)
    limited = replay(trace, enough)

    assert peak <= enough
    assert model.fits(trace, enough)
    assert (limited.reserved_peak, limited.peak, limited.retries) == (enough, peak, 0)
    if peak:
        # A block may be larger than what it holds only by what is not worth a split.
        least = max(itertools.accumulate(_changes(trace)), default=0)
        assert not model.fits(trace, least - 1)


def _changes(trace: Trace) -> list[int]:
    """Return by how much what is asked for changes with each event."""
    held: dict[int, int] = {}
    changes = []
    for allocation, size in trace.events:
        changes.append(size - held.get(allocation, 0))
        held[allocation] = size
    return changes


@few_examples
@given(traces(), limits)
def test_a_replay_repeats(trace: Trace, limit: int) -> None:
    """Equal traces under equal limits end alike, with the same blocks."""
    ends = []
    for _ in range(2):
        try:
            memory = replay(trace, limit)
            ends.append((memory.layout(), memory.reserved_peak, memory.backprop))
        except DoesNotFitError as error:
            ends.append((str(error),))  # type: ignore[arg-type]

    assert ends[0] == ends[1]
    assert CachingAllocator().fits(trace, limit) == (len(ends[0]) > 1)


@pytest.mark.parametrize(
    ("asked", "block", "segment"),
    [
        (1, BLOCK, 2 * MIB),
        (BLOCK + 1, 2 * BLOCK, 2 * MIB),
        (MIB, MIB, 2 * MIB),  # the largest of the small pool
        (MIB + 1, MIB + BLOCK, 20 * MIB),
        (10 * MIB - BLOCK, 10 * MIB - BLOCK, 20 * MIB),
        (10 * MIB - BLOCK + 1, 10 * MIB, 10 * MIB),  # rounded up, it leaves the shared segments
        (10 * MIB + 1, 10 * MIB + BLOCK, 12 * MIB),  # more than 1 MiB is split off
        (11 * MIB, 12 * MIB, 12 * MIB),
        (11 * MIB - BLOCK, 11 * MIB - BLOCK, 12 * MIB),
    ],
)
def test_a_first_block_and_its_segment(asked: int, block: int, segment: int) -> None:
    """By the size that was asked for."""
    memory = Segments(UNLIMITED)
    memory.allocate(asked)

    assert (memory.in_use, memory.reserved) == (block, segment)


def test_the_smallest_block_that_fits_is_taken() -> None:
    """Of equal ones the lower, and never one of the other pool."""
    memory = Segments(UNLIMITED)
    large = memory.allocate(20 * MIB)
    holes = [memory.allocate(count * BLOCK) for count in (4, 1, 3, 1, 3, 1)]
    memory.release(large)
    for address in holes[::2]:
        memory.release(address)

    assert memory.allocate(3 * BLOCK) == holes[2]
    assert memory.allocate(2 * BLOCK + 1) == holes[4]
    assert memory.allocate(4 * BLOCK) == holes[0]
    assert memory.reserved == 22 * MIB


def test_free_segments_are_given_back_before_anything_runs_out() -> None:
    """All of both pools, but none that is in use in part."""
    memory = Segments(46 * MIB)
    kept = memory.allocate(9 * MIB)  # of 20 MiB
    memory.release(memory.allocate(2 * MIB))
    for size in (12 * MIB, MIB, 10 * MIB):
        memory.release(memory.allocate(size))
    assert memory.reserved == 20 * MIB + 12 * MIB + 2 * MIB  # the last is beside the first

    memory.release(memory.allocate(26 * MIB))

    assert (memory.retries, memory.reserved) == (1, 46 * MIB)
    with pytest.raises(DoesNotFitError):
        memory.allocate(28 * MIB)
    assert memory.reserved == 20 * MIB  # it was given back all the same
    memory.release(kept)
    assert memory.allocate(46 * MIB) >= LARGE  # now nothing is in use


@pytest.mark.parametrize("workspace", [WORKSPACE_BYTES, HOPPER_WORKSPACE_BYTES, MIB, 10 * MIB])
def test_the_two_workspaces_of_a_step_take_what_the_allocator_reserves_for_them(
    workspace: int,
) -> None:
    """Forward's and backward's: as many segments as hold both."""
    memory = Segments(1 << 40)
    for _ in range(HANDLES):
        memory.allocate(workspace)

    assert reserved_for_workspaces(workspace) == memory.reserved


@pytest.mark.parametrize(("workspace", "reserved"), [(WORKSPACE_BYTES, 20), (32 * MIB, 32)])
def test_a_workspace_is_held_from_the_start_and_never_given_back(
    workspace: int, reserved: int
) -> None:
    """8.1 MiB take a shared segment, 32 MiB one of their own."""
    model = CachingAllocator(workspace)
    trace = Trace(["a"], [(0, 12 * MIB), (0, 0)])

    assert HOPPER_WORKSPACE_BYTES == 32 * MIB
    assert model.peak(trace) == workspace + 12 * MIB
    # The shared segment has 11.9 MiB left.
    assert model.highest_address(trace) == (reserved + 12) * MIB
    assert not model.fits(trace, (reserved + 12) * MIB - 1)


def held_at_once(count: int, size: int) -> Trace:
    """Return a trace that holds so many blocks at once."""
    events = [(at, size) for at in range(count)]
    return Trace([""] * count, [*events, *((at, 0) for at in range(count))])


@pytest.mark.parametrize(
    ("size", "of_a_segment", "segment"),
    [
        (300 * 1024, 6, 2 * MIB),
        (MIB, 2, 2 * MIB),
        (MIB + 1, 19, 20 * MIB),  # what remains is no more than 1 MiB: the last has it
        (3 * MIB, 6, 20 * MIB),
        (7 * MIB, 2, 20 * MIB),
        (10 * MIB - BLOCK, 2, 20 * MIB),
        (10 * MIB, 1, 10 * MIB),
        (13 * MIB, 1, 14 * MIB),
    ],
)
@pytest.mark.parametrize("limit", [64 * MIB, 1 << 30])
def test_a_wall_of_equal_blocks_in_closed_form(
    size: int, of_a_segment: int, segment: int, limit: int
) -> None:
    """So many segments fit under the limit, each with so many blocks."""
    most = limit // segment * of_a_segment
    model = CachingAllocator()

    assert model.fits(held_at_once(most, size), limit)
    assert not model.fits(held_at_once(most + 1, size), limit)
    assert model.highest_address(held_at_once(most, size)) == limit // segment * segment


def test_a_wall_has_an_island_where_a_block_leaves_the_shared_segments() -> None:
    """Three states of 8 KiB a step under 31 MiB: 1,279 steps run out, 1,280 survive, 1,281 not."""
    model = CachingAllocator()

    def fits(steps: int) -> bool:
        return model.fits(held_at_once(3, steps * 8192), 31 * MIB)

    # Three share 20 MiB up to 6.67 MiB each, two up to 10 MiB; from there on each has its own.
    assert [fits(n) for n in (853, 854, 1279, 1280, 1281)] == [True, False, False, True, False]
