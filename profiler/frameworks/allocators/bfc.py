"""The BFC ("best fit with coalescing") allocator, replayed over one region of memory.

Source: ``bfc_allocator.cc`` (``xla/tsl/framework``), which more than one framework uses. The
replay gives the same addresses as the allocator itself; a test compares them.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from itertools import islice

from profiler.forecast.trace import Trace

_ALIGNMENT = 256
_BINS = 21
# A free chunk larger than what is asked for is split only if at least this much remains, or
# if what remains is no smaller than what is taken.
_MAX_WASTE = 128 << 20
_UNLIMITED = 1 << 50


class DoesNotFitError(Exception):
    """The allocator has no room for an allocation."""


class Region:
    """One region of memory under the allocator's rules.

    Attributes:
        in_use: bytes of the chunks handed out now.
        peak: the most that was ever in use.
        top: the end of the highest chunk that was ever handed out.
    """

    def __init__(self, size: int) -> None:
        """Start with one free chunk of ``size`` bytes."""
        self._size = {0: size}
        self._before = {0: -1}
        self._after = {0: -1}
        self._free: set[int] = set()
        self._bins: list[list[tuple[int, int]]] = [[] for _ in range(_BINS)]
        self._put(0)
        self.in_use = 0
        self.peak = 0
        self.top = 0

    def allocate(self, size: int) -> int:
        """Return the address of a chunk of at least ``size`` bytes.

        Raises:
            DoesNotFitError: if no free chunk is large enough.
        """
        rounded = max(_ALIGNMENT, -(-size // _ALIGNMENT) * _ALIGNMENT)
        address = self._best(rounded)
        left = self._size[address] - rounded
        if left >= rounded or left >= _MAX_WASTE:
            self._split(address, rounded)
        self.in_use += self._size[address]
        self.peak = max(self.peak, self.in_use)
        self.top = max(self.top, address + self._size[address])
        return address

    def release(self, address: int) -> None:
        """Free the chunk at ``address`` and join it with free neighbours."""
        self.in_use -= self._size[address]
        after, before = self._after[address], self._before[address]
        if after in self._free:
            self._take(after)
            self._join(address, after)
        if before in self._free:
            self._take(before)
            self._join(before, address)
            address = before
        self._put(address)

    def layout(self) -> dict[int, int]:
        """Return the bytes of each chunk in use, by address: all else is free, and joined."""
        return {at: size for at, size in self._size.items() if at not in self._free}

    def _best(self, size: int) -> int:
        for chunks in self._bins[_bin(size) :]:
            position = bisect_left(chunks, (size, -1))
            if position < len(chunks):
                _, address = chunks.pop(position)
                self._free.discard(address)
                return address
        raise DoesNotFitError(size)

    def _split(self, address: int, size: int) -> None:
        rest, after = address + size, self._after[address]
        self._size[rest] = self._size[address] - size
        self._size[address] = size
        self._before[rest], self._after[rest] = address, after
        self._after[address] = rest
        if after >= 0:
            self._before[after] = rest
        self._put(rest)

    def _join(self, address: int, after: int) -> None:
        self._size[address] += self._size.pop(after)
        del self._before[after]
        self._after[address] = beyond = self._after.pop(after)
        if beyond >= 0:
            self._before[beyond] = address

    def _put(self, address: int) -> None:
        self._free.add(address)
        insort(self._bins[_bin(self._size[address])], (self._size[address], address))

    def _take(self, address: int) -> None:
        chunks = self._bins[_bin(self._size[address])]
        chunks.pop(bisect_left(chunks, (self._size[address], address)))
        self._free.discard(address)


def _bin(size: int) -> int:
    return min(_BINS - 1, (size // _ALIGNMENT).bit_length() - 1)


def replay(trace: Trace, limit_bytes: int) -> Region:
    """Return a region of ``limit_bytes`` after the trace, and after more runs of its last step.

    Each step finds the free chunks as the one before left them, and may leave others behind.

    Raises:
        DoesNotFitError: at the first allocation that has no room.
    """
    region = Region(limit_bytes)
    addresses: dict[int, int] = {}

    def run(events: Iterable[tuple[int, int]]) -> None:
        for allocation, size in events:
            if size:
                addresses[allocation] = region.allocate(size)
            else:
                region.release(addresses.pop(allocation))

    if not trace.more_runs:
        run(trace.events)
        return region
    run(islice(trace.events, trace.last_run_at))
    for number in range(1 + trace.more_runs):
        before = region.layout()
        run(islice(trace.events, trace.last_run_at, None))
        if region.layout() == before or trace.heirs is None:
            break
        if number < trace.more_runs:
            for gone, left in trace.heirs.items():
                addresses[gone] = addresses.pop(left)
    return region


class BestFitCoalescing:
    """The allocator's model for predictions; see ``profiler.forecast.allocator``."""

    def fits(self, trace: Trace, limit_bytes: int) -> bool:
        """Whether an allocator of ``limit_bytes`` survives the trace."""
        try:
            replay(trace, limit_bytes)
        except DoesNotFitError:
            return False
        return True

    def highest_address(self, trace: Trace) -> int:
        """Return the bytes up to the end of the highest chunk in use, without a limit."""
        return replay(trace, _UNLIMITED).top

    def peak(self, trace: Trace) -> int:
        """Return the most bytes in use at once, in chunks as they are handed out at no limit."""
        return replay(trace, _UNLIMITED).peak
