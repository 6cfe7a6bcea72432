"""The BFC ("best fit with coalescing") allocator, replayed over one region of memory.

Source: ``bfc_allocator.cc`` (``xla/tsl/framework``), which more than one framework uses. The
replay gives the same addresses as the allocator itself; a test compares them.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable

from profiler.forecast.trace import Trace
from profiler.frameworks.allocators.runs import DoesNotFitError, run_trace

_ALIGNMENT = 256
# A free chunk larger than what is asked for is split only if at least this much remains, or
# if what remains is no smaller than what is taken.
_MAX_WASTE = 128 << 20
_UNLIMITED = 1 << 50


class Region:
    """One region of memory under the allocator's rules.

    Attributes:
        in_use: bytes of the chunks handed out now.
        peak: the most that was ever in use.
        top: the end of the highest chunk that was ever handed out.
        backprop: what the steady step with the highest peak took beyond what was in use before it.
    """

    def __init__(self, size: int) -> None:
        """Start with one free chunk of ``size`` bytes."""
        self._size = {0: size}
        self._before = {0: -1}
        self._after = {0: -1}
        self._free = {0}
        # The same, ascending by size and address: the allocator's bins hold them in that order.
        self._chunks = [(size, 0)]
        self.in_use = 0
        self.peak = 0
        self.top = 0
        self.backprop: int | None = None

    def allocate(self, size: int) -> int:
        """Return the address of a chunk of at least ``size`` bytes; see ``run``."""
        addresses: dict[int, int] = {}
        self.run([(0, size)], addresses)
        return addresses[0]

    def release(self, address: int) -> None:
        """Free the chunk at ``address`` and join it with free neighbours."""
        self.run([(0, 0)], {0: address})

    # One loop without calls, which would double the time that a prediction takes.
    def run(  # noqa: C901, PLR0912, PLR0915
        self, events: Iterable[tuple[int, int]], addresses: dict[int, int]
    ) -> None:
        """Make the allocations and releases of a trace.

        Args:
            events: as those of a trace.
            addresses: where the allocations that are held now lie; those made are added,
                those released are taken out.

        Raises:
            DoesNotFitError: if no free chunk is large enough.
        """
        sizes, before, after, free = self._size, self._before, self._after, self._free
        chunks, in_use, peak, top = self._chunks, self.in_use, self.peak, self.top
        for allocation, asked in events:
            if asked:
                rounded = -(-asked // _ALIGNMENT) * _ALIGNMENT
                best = bisect_left(chunks, (rounded, -1))
                if best == len(chunks):
                    raise DoesNotFitError(rounded)
                taken, address = chunks.pop(best)
                free.discard(address)
                left = taken - rounded
                if left >= rounded or left >= _MAX_WASTE:
                    rest, beyond = address + rounded, after[address]
                    sizes[address], sizes[rest] = rounded, left
                    before[rest], after[rest], after[address] = address, beyond, rest
                    if beyond >= 0:
                        before[beyond] = rest
                    free.add(rest)
                    insort(chunks, (left, rest))
                    taken = rounded
                in_use += taken
                if in_use > peak:  # noqa: PLR1730
                    peak = in_use
                if address + taken > top:  # noqa: PLR1730
                    top = address + taken
                addresses[allocation] = address
            else:
                address = addresses.pop(allocation)
                size = sizes[address]
                in_use -= size
                following = after[address]
                if following in free:
                    more = sizes.pop(following)
                    chunks.pop(bisect_left(chunks, (more, following)))
                    free.discard(following)
                    del before[following]
                    after[address] = beyond = after.pop(following)
                    if beyond >= 0:
                        before[beyond] = address
                    size += more
                previous = before[address]
                if previous in free:
                    more = sizes[previous]
                    chunks.pop(bisect_left(chunks, (more, previous)))
                    del sizes[address], before[address]
                    after[previous] = beyond = after.pop(address)
                    if beyond >= 0:
                        before[beyond] = previous
                    address, size = previous, size + more
                else:
                    free.add(address)
                sizes[address] = size
                insort(chunks, (size, address))
        self.in_use, self.peak, self.top = in_use, peak, top

    def layout(self) -> dict[int, int]:
        """Return the bytes of each chunk in use, by address: all else is free, and joined."""
        return {at: size for at, size in self._size.items() if at not in self._free}


def replay(trace: Trace, limit_bytes: int) -> Region:
    """Return a region of ``limit_bytes`` after the trace, and after more runs of its last step.

    Raises:
        DoesNotFitError: at the first allocation that has no room.
    """
    region = Region(limit_bytes)
    run_trace(region, trace)
    return region


class BestFitCoalescing:
    """The allocator's model for predictions; see ``profiler.forecast.allocator``."""

    drops: tuple[int, ...] = ()
    piece_bytes: int = 0

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

    def growing_need(self, trace: Trace) -> int:
        """Return the highest address: it grows with what is in use."""
        return self.highest_address(trace)

    def peak(self, trace: Trace) -> int:
        """Return the most bytes in use at once, in chunks as they are handed out at no limit."""
        return replay(trace, _UNLIMITED).peak

    def backprop(self, trace: Trace) -> int | None:
        """Return what the steady step with the highest peak takes beyond what is in use before."""
        return replay(trace, _UNLIMITED).backprop
