"""The replayed allocator keeps the rules of the real one, whatever it is asked for."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.forecast.trace import Trace
from profiler.frameworks.allocators.bfc import BestFitCoalescing, DoesNotFitError, Region, replay

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
