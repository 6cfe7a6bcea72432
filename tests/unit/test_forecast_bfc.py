"""The replayed allocator keeps the rules of the real one, whatever it is asked for."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.forecast.trace import Trace
from profiler.frameworks.allocators.bfc import BestFitCoalescing, Region, replay
from profiler.frameworks.allocators.runs import DoesNotFitError

CHUNK = 256
MIB = 1 << 20
# A free chunk is split for what it could hold twice, or where this much would be wasted.
WASTE = 128 * MIB
few_examples = settings(max_examples=40)  # each makes up a list of requests


@dataclass(kw_only=True)
class Model:
    """The rules in their simplest words: a list of ``[address, bytes, is free]``."""

    size: int
    chunks: list[tuple[int, int, bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with one free chunk."""
        self.chunks = [(0, self.size, True)]

    def allocate(self, size: int) -> int | None:
        """Take the smallest free chunk that is large enough, of equal ones the first."""
        rounded = rounded_up(size)
        fitting = [(have, at) for at, have, free in self.chunks if free and have >= rounded]
        if not fitting:
            return None
        have, at = min(fitting)
        taken = rounded if have >= 2 * rounded or have - rounded >= WASTE else have
        self.chunks.remove((at, have, True))
        self.chunks.append((at, taken, False))
        if taken < have:
            self.chunks.append((at + taken, have - taken, True))
        return at

    def release(self, address: int) -> None:
        """Free a chunk, then join free neighbours until there are none."""
        joined: list[tuple[int, int, bool]] = []
        for at, have, free in sorted(self.chunks):
            is_free = free or at == address
            if joined and joined[-1][2] and is_free:
                joined[-1] = (joined[-1][0], joined[-1][1] + have, True)
            else:
                joined.append((at, have, is_free))
        self.chunks = joined


def rounded_up(size: int) -> int:
    """Return the bytes of whole chunks that hold ``size``."""
    return -(-size // CHUNK) * CHUNK


def chunks(region: Region) -> list[tuple[int, int, bool]]:
    """Return ``(address, bytes, is free)`` of every chunk, by address."""
    return [(at, size, at in region._free) for at, size in sorted(region._size.items())]


sizes = st.integers(1, 16 * CHUNK) | st.integers(1, MIB) | st.integers(1, 2 * WASTE)
regions = st.integers(1, 64).map(lambda chunks: chunks * CHUNK) | st.sampled_from(
    [64 * MIB, 1 << 30, 1 << 50]
)
# What to do next: allocate so many bytes, or (negative) release one of those that are held.
actions = st.lists(sizes | st.integers(-64, -1), max_size=60)


@few_examples
@given(regions, actions)
def test_a_region_gives_the_addresses_of_the_rules(size: int, todo: list[int]) -> None:
    """Address by address it agrees with a model that searches everything, every time."""
    region, model = Region(size), Model(size=size)
    held: list[int] = []
    for action in todo:
        if action > 0:
            expected = model.allocate(action)
            if expected is None:
                with pytest.raises(DoesNotFitError):
                    region.allocate(action)
                continue
            held.append(region.allocate(action))

            assert held[-1] == expected
        elif held:
            address = held.pop(action % len(held))
            region.release(address)
            model.release(address)
        assert chunks(region) == sorted(model.chunks)


@few_examples
@given(regions, actions)
def test_chunks_tile_the_region(size: int, todo: list[int]) -> None:
    """No gap, no overlap, no two free neighbours, and the sums are those of what is held."""
    region = Region(size)
    held: list[int] = []
    most = highest = 0
    for action in todo:
        if action > 0:
            try:
                held.append(region.allocate(action))
            except DoesNotFitError:
                continue
        elif held:
            region.release(held.pop(action % len(held)))
        tiles = chunks(region)
        used = {at: have for at, have, free in tiles if not free}
        most = max(most, sum(used.values()))
        highest = max(highest, *(at + have for at, have in used.items()), 0)

        ends = [at + have for at, have, _ in tiles]
        assert [at for at, _, _ in tiles] == [0, *ends[:-1]]
        assert ends[-1] == size
        assert all(not (a[2] and b[2]) for a, b in itertools.pairwise(tiles))
        assert sorted(used) == sorted(held)
        assert region.in_use == sum(used.values())
        assert (region.peak, region.top) == (most, highest)


@few_examples
@given(regions, st.lists(sizes, max_size=30), st.randoms())
def test_all_released_is_one_free_chunk_again(size: int, wanted: list[int], random: Random) -> None:
    """In whatever order."""
    region = Region(size)
    held = []
    for bytes_ in wanted:
        try:
            held.append(region.allocate(bytes_))
        except DoesNotFitError:
            break
    random.shuffle(held)
    for address in held:
        region.release(address)

    assert chunks(region) == [(0, size, True)]
    assert region.in_use == 0


@few_examples
@given(st.integers(1, 1 << 20))
def test_bytes_are_rounded_up_to_whole_chunks(size: int) -> None:
    """A chunk of an empty region holds what was asked for and less than 256 bytes more."""
    region = Region(1 << 30)
    region.allocate(size)

    assert size <= region.in_use < size + CHUNK
    assert region.in_use % CHUNK == 0


@pytest.mark.parametrize(
    ("have", "asked", "taken"),
    [
        (4 * CHUNK, 2 * CHUNK, 2 * CHUNK),  # just large enough for two
        (4 * CHUNK, 2 * CHUNK + 1, 4 * CHUNK),  # too small for two: given whole
        (4 * CHUNK, 4 * CHUNK, 4 * CHUNK),
        (3 * WASTE, 2 * WASTE, 2 * WASTE),  # too small for two, but too much to waste
        (3 * WASTE - CHUNK, 2 * WASTE, 3 * WASTE - CHUNK),
    ],
)
def test_a_chunk_is_split_for_half_of_it_or_to_save_128_mib(
    have: int, asked: int, taken: int
) -> None:
    """Otherwise what remains of it is wasted."""
    region = Region(have)
    region.allocate(asked)

    assert region.in_use == region.top == taken


def test_the_smallest_chunk_that_fits_is_taken() -> None:
    """Not the first, and of equal ones the lower."""
    region = Region(MIB)
    holes = [region.allocate(size * CHUNK) for size in (4, 1, 3, 1, 3, 1)]
    for address in holes[::2]:
        region.release(address)

    assert region.allocate(2 * CHUNK + 1) == holes[2]
    assert region.allocate(2 * CHUNK + 1) == holes[4]
    assert region.allocate(2 * CHUNK + 1) == holes[0]


def test_a_trace_fits_where_its_allocations_find_room() -> None:
    """Room is one free chunk that is large enough, not the sum of them."""
    trace = Trace(
        labels=["a", "b", "c", "d"],
        events=[(0, CHUNK), (1, CHUNK), (2, CHUNK), (0, 0), (2, 0), (3, 2 * CHUNK)],
    )

    assert BestFitCoalescing().fits(trace, 4 * CHUNK)
    assert not BestFitCoalescing().fits(trace, 3 * CHUNK)


def test_a_replay_knows_what_the_trace_took() -> None:
    """In use at the end, at most, and up to which address."""
    trace = Trace(
        labels=["a", "b", "c"],
        events=[(0, 3 * CHUNK), (1, 2 * CHUNK), (0, 0), (2, CHUNK), (1, 0)],
    )
    region = replay(trace, 1 << 30)

    assert region.in_use == CHUNK
    assert region.peak == 5 * CHUNK
    assert region.top == 5 * CHUNK


def test_what_has_no_room_is_refused() -> None:
    """Neither a whole trace nor a single allocation gets less than it asked for."""
    trace = Trace(labels=["a"], events=[(0, CHUNK + 1)])

    with pytest.raises(DoesNotFitError):
        replay(trace, CHUNK)


def twice(first: list[tuple[int, int]], last: list[tuple[int, int]], more_runs: int) -> Trace:
    """Return the trace of two steps, of which the last one is run more often."""
    events = [*first, *last]
    made = [size for _, size in last if size]
    labels = [""] * sum(size > 0 for _, size in events)
    return Trace(labels, events, last_run=len(made), more_runs=more_runs)


def test_more_runs_of_the_last_step_find_what_the_one_before_left() -> None:
    """Each step puts a new buffer in the old one's place: more runs need no more memory."""
    big, small = 8 * CHUNK, 2 * CHUNK
    # A step keeps a new buffer, releases the old one, and needs a big one for a while.
    first = [(0, small), (1, big), (1, 0)]
    last = [(2, small), (3, big), (3, 0), (0, 0)]

    once, often = (replay(twice(first, last, more), 1 << 30) for more in (0, 4))

    written = [*last]
    for number in range(4, 12, 2):
        written += [(number, small), (number + 1, big), (number + 1, 0), (number - 2, 0)]
    whole = replay(Trace([""] * 12, [*first, *written]), 1 << 30)
    assert (often.peak, often.top, often.in_use) == (whole.peak, whole.top, whole.in_use)
    assert once.in_use == often.in_use == small


@few_examples
@given(st.lists(st.tuples(st.integers(1, 40), st.booleans()), min_size=1, max_size=12), st.data())
def test_more_runs_are_what_is_written_out(
    step: list[tuple[int, bool]], data: st.DataObject
) -> None:
    """A step that keeps some buffers in place of older ones, run six times."""
    runs = 6
    kept = [at for at, (_, is_kept) in enumerate(step) if is_kept]
    order = data.draw(st.permutations(range(len(step))))

    def run(number: int) -> list[tuple[int, int]]:
        base = number * len(step)
        made = [(base + at, size * CHUNK) for at, (size, _) in enumerate(step)]
        gone = [
            base + at if at not in kept else base + at - len(step)
            for at in order
            if at not in kept or number
        ]
        return [*made, *((one, 0) for one in gone)]

    labels = [str(at) for at in range(len(step))]
    short = Trace(labels * 2, run(0) + run(1), last_run=len(step), more_runs=runs - 2)
    whole = Trace(labels * runs, [event for number in range(runs) for event in run(number)])

    assert replay(short, 1 << 40).layout() == replay(whole, 1 << 40).layout()
    model = BestFitCoalescing()
    assert model.peak(short) == model.peak(whole)
    assert model.highest_address(short) == model.highest_address(whole)
    # The last run begins with what was kept; while it runs, all is held that it makes.
    last = replace(whole, last_run=len(step))
    assert model.backprop(last) == model.backprop(replace(last, more_runs=0))


def test_backprop_is_what_the_steady_step_takes_beyond_what_is_resident() -> None:
    """A first step may need more; weights and what is kept are resident."""
    weights, first, steady = 6 * CHUNK, 40 * CHUNK, 30 * CHUNK
    trace = twice([(0, weights), (1, first), (1, 0)], [(2, steady), (2, 0)], more_runs=4)
    model = BestFitCoalescing()

    assert model.backprop(trace) == steady
    assert model.peak(trace) == weights + first
    assert model.backprop(replace(trace, last_run=0)) is None


def test_a_step_that_leaves_more_than_it_takes_is_not_repeated() -> None:
    """Another run would not do the same, for all that is known."""
    trace = twice([(0, CHUNK)], [(1, 2 * CHUNK), (0, 0)], more_runs=4)

    assert trace.heirs is None
    assert replay(trace, 1 << 30).in_use == 2 * CHUNK
