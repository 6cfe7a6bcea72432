"""PyTorch's caching allocator of CUDA memory, replayed without a device.

Source: ``c10/cuda/CUDACachingAllocator.cpp``, class ``DeviceCachingAllocator``, and the constants
of ``c10/core/AllocatorConfig.h`` (read at torch 2.11 to 2.14). It takes segments from the driver,
hands out blocks of them, and keeps a segment when all of it is free. What limits it
(``set_per_process_memory_fraction``, or the card itself) limits the *reserved* bytes, those of
the segments; what tensors hold are the *allocated* bytes.

| rule | function there |
|---|---|
| requests are rounded up to 512 bytes | ``round_size`` |
| blocks up to 1 MiB and larger ones lie in pools of their own | ``get_pool`` |
| a segment has 2 MiB; of larger blocks 20 MiB; from 10 MiB on whole 2 MiB for one block | \
``get_allocation_size`` |
| the smallest free block that is large enough is taken, of equal ones the lowest | \
``get_free_block``, ``BlockComparatorSize`` |
| it is split where 512 bytes remain; a larger block where more than 1 MiB does | ``should_split`` |
| what is released is joined with free neighbours in its segment | ``free_block``, \
``try_merge_blocks`` |
| a segment that does not fit under the limit: all segments that are free are given back, then \
once more | ``malloc``, ``alloc_block``, ``release_cached_blocks`` |

Left out: other settings than the default ones of ``PYTORCH_ALLOC_CONF`` (``expandable_segments``
above all, ``max_split_size_mb``, ``roundup_power2_divisions``, ``garbage_collection_threshold``,
``large_segment_size_mb``), more than one stream, graph-private pools, and all that is not of this
allocator: the context, kernels' code, and what cuDNN or the driver take for themselves. Segments
are taken to lie in the order in which they were made; the driver may lay them otherwise, which
matters where two free blocks are equally large.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable

from profiler.forecast.trace import Trace
from profiler.frameworks.allocators.runs import DoesNotFitError, run_trace

MIB = 1 << 20
# kMinBlockSize, kSmallSize, kSmallBuffer, kMinLargeAlloc, large_segment_size, kRoundLarge.
BLOCK = 512
MOST_SMALL = MIB
SMALL_SEGMENT = 2 * MIB
LEAST_OF_ITS_OWN = 10 * MIB
LARGE_SEGMENT = 20 * MIB
ROUND_LARGE = 2 * MIB
# What cuBLAS asks of this allocator before its first matrix product and keeps, for each handle and
# stream: parseChosenWorkspaceSize in aten/src/ATen/cuda/CublasHandlePool.cpp, where
# CUBLAS_WORKSPACE_CONFIG is not set. The first is that of compute capability 9.0; newer versions,
# as 2.14, take it for 10, 11 and 12 (Blackwell), too. A handle belongs to a thread, and backward
# runs in one of its own: a training step has two.
HOPPER_WORKSPACE_BYTES = 32 * MIB
WORKSPACE_BYTES = (2 * 4096 + 8 * 16) * 1024

HANDLES = 2

_UNLIMITED = 1 << 50
# The pools have addresses of their own: a block's address says which one it belongs to.
_LARGE_POOL = 1 << 60


def rounded(size: int) -> int:
    """Return the bytes of the blocks that hold ``size``."""
    return -(-size // BLOCK) * BLOCK


def segment_bytes(size: int) -> int:
    """Return the bytes of the segment that is made for a block of ``size`` bytes."""
    if size <= MOST_SMALL:
        return SMALL_SEGMENT
    if size < LEAST_OF_ITS_OWN:
        return LARGE_SEGMENT
    return -(-size // ROUND_LARGE) * ROUND_LARGE


def reserved_for_workspaces(each_bytes: int) -> int:
    """Return the bytes of the segments that hold cuBLAS's workspaces of a training step."""
    segment = segment_bytes(each_bytes)
    return -(-HANDLES // (segment // each_bytes)) * segment


class Segments:
    """The allocator's memory under a limit.

    Attributes:
        in_use: bytes of the blocks handed out now (``allocated_bytes``).
        peak: the most that was ever in use.
        reserved: bytes of the segments held now (``reserved_bytes``).
        reserved_peak: the most that was ever held.
        retries: how often all free segments were given back for want of memory.
        backprop: what the steady step with the highest peak took beyond what was in use before it.
    """

    def __init__(self, limit_bytes: int, workspace_bytes: int = 0) -> None:
        """Begin without a segment, or with what holds the workspace."""
        self._limit = limit_bytes
        self._size: dict[int, int] = {}
        self._before: dict[int, int] = {}
        self._after: dict[int, int] = {}
        self._free: set[int] = set()
        # The free blocks of the small and the large pool, ascending by size and address.
        self._blocks: tuple[list[tuple[int, int]], list[tuple[int, int]]] = ([], [])
        self._next = [0, _LARGE_POOL]
        self.in_use = self.peak = self.reserved = self.reserved_peak = self.retries = 0
        self.backprop: int | None = None
        if workspace_bytes:
            self.allocate(workspace_bytes)

    def allocate(self, size: int) -> int:
        """Return the address of a block of at least ``size`` bytes; see ``run``."""
        addresses: dict[int, int] = {}
        self.run([(0, size)], addresses)
        return addresses[0]

    def release(self, address: int) -> None:
        """Free the block at ``address`` and join it with free neighbours of its segment."""
        self.run([(0, 0)], {0: address})

    # One loop without calls, which would double the time that a prediction takes.
    def run(  # noqa: C901, PLR0912, PLR0915
        self, events: Iterable[tuple[int, int]], addresses: dict[int, int]
    ) -> None:
        """Make the allocations and releases of a trace; see ``runs.Memory``."""
        sizes, before, after, free = self._size, self._before, self._after, self._free
        in_use, peak = self.in_use, self.peak
        for allocation, asked in events:
            if asked:
                size = -(-asked // BLOCK) * BLOCK
                pool = size > MOST_SMALL
                blocks = self._blocks[pool]
                best = bisect_left(blocks, (size, -1))
                if best < len(blocks):
                    taken, address = blocks.pop(best)
                    free.discard(address)
                else:
                    taken = segment_bytes(size)
                    address = self._segment(pool, taken)
                left = taken - size
                if left > MOST_SMALL if pool else left:
                    rest, beyond = address + size, after[address]
                    sizes[address], sizes[rest] = size, left
                    before[rest], after[rest], after[address] = address, beyond, rest
                    if beyond >= 0:
                        before[beyond] = rest
                    free.add(rest)
                    insort(blocks, (left, rest))
                    taken = size
                in_use += taken
                if in_use > peak:  # noqa: PLR1730
                    peak = in_use
                addresses[allocation] = address
            else:
                address = addresses.pop(allocation)
                blocks = self._blocks[address >= _LARGE_POOL]
                size = sizes[address]
                in_use -= size
                following = after[address]
                if following in free:
                    more = sizes.pop(following)
                    blocks.pop(bisect_left(blocks, (more, following)))
                    free.discard(following)
                    del before[following]
                    after[address] = beyond = after.pop(following)
                    if beyond >= 0:
                        before[beyond] = address
                    size += more
                previous = before[address]
                if previous in free:
                    more = sizes[previous]
                    blocks.pop(bisect_left(blocks, (more, previous)))
                    del sizes[address], before[address]
                    after[previous] = beyond = after.pop(address)
                    if beyond >= 0:
                        before[beyond] = previous
                    address, size = previous, size + more
                else:
                    free.add(address)
                sizes[address] = size
                insort(blocks, (size, address))
        self.in_use, self.peak = in_use, peak

    def _segment(self, pool: bool, size: int) -> int:  # noqa: FBT001 (the position of a pool)
        """Return the address of a new segment, which is one block.

        Raises:
            DoesNotFitError: if the limit leaves no room for it, also without the free segments.
        """
        if self.reserved + size > self._limit:
            self.retries += 1
            self._give_back()
            if self.reserved + size > self._limit:
                raise DoesNotFitError(size)
        address = self._next[pool]
        self._next[pool] += size
        self._size[address] = size
        self._before[address] = self._after[address] = -1
        self.reserved += size
        self.reserved_peak = max(self.reserved_peak, self.reserved)
        return address

    def _give_back(self) -> None:
        """Give the driver every segment that is one free block."""
        for blocks in self._blocks:
            whole = [
                (size, at) for size, at in blocks if self._before[at] < 0 and self._after[at] < 0
            ]
            for size, at in whole:
                blocks.remove((size, at))
                self._free.discard(at)
                del self._size[at], self._before[at], self._after[at]
                self.reserved -= size

    def layout(self) -> tuple[dict[int, int], set[int]]:
        """Return the bytes of each block by address, and which are free."""
        return dict(self._size), set(self._free)


def replay(trace: Trace, limit_bytes: int = _UNLIMITED, workspace_bytes: int = 0) -> Segments:
    """Return the memory under a limit after the trace, and after more runs of its last step.

    Raises:
        DoesNotFitError: at the first allocation that has no room.
    """
    memory = Segments(limit_bytes, workspace_bytes)
    run_trace(memory, trace)
    return memory


class CachingAllocator:
    """The allocator's model for predictions; see ``profiler.forecast.allocator``.

    Attributes:
        piece_bytes: of the segments that blocks share, the larger ones.
        drops: where a block leaves the small segments for room in one of 20 MiB, and these for
            a segment of its own.
    """

    piece_bytes: int = LARGE_SEGMENT
    drops: tuple[int, ...] = (MOST_SMALL + 1, LEAST_OF_ITS_OWN - BLOCK + 1)

    def __init__(self, workspace_bytes: int = 0) -> None:
        """Take what cuBLAS keeps, as ``WORKSPACE_BYTES``; 0 where no matrix product is made."""
        self._workspace_bytes = workspace_bytes
        self._last: tuple[Trace, Segments] | None = None

    def _unlimited(self, trace: Trace) -> Segments:
        """Return the memory after a trace without a limit; the last one's is kept."""
        if self._last is None or self._last[0] is not trace:
            self._last = trace, replay(trace, workspace_bytes=self._workspace_bytes)
        return self._last[1]

    def fits(self, trace: Trace, limit_bytes: int) -> bool:
        """Whether an allocator that may reserve ``limit_bytes`` survives the trace."""
        try:
            replay(trace, limit_bytes, self._workspace_bytes)
        except DoesNotFitError:
            return False
        return True

    def highest_address(self, trace: Trace) -> int:
        """Return the most bytes reserved, without a limit: so much is always enough."""
        return self._unlimited(trace).reserved_peak

    def growing_need(self, trace: Trace) -> int:
        """Return the most bytes of blocks at once: segments of 20 MiB do not grow evenly."""
        return CachingAllocator.peak(self, trace)

    def peak(self, trace: Trace) -> int:
        """Return the most bytes allocated at once, in blocks as they are handed out at no limit."""
        return self._unlimited(trace).peak

    def backprop(self, trace: Trace) -> int | None:
        """Return what the steady step with the highest peak takes beyond what is in use before."""
        return self._unlimited(trace).backprop
