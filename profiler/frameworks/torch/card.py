"""What a CUDA card of any size would do with what the CPU's allocator was asked for."""

from __future__ import annotations

from itertools import accumulate

from profiler.forecast.trace import Trace
from profiler.frameworks.allocators.caching import CachingAllocator


class Card(CachingAllocator):
    """Limits hold for what a card would reserve; peaks are what the CPU's tensors take.

    cuBLAS's workspace and what else a card holds beside tensors are not in it.
    """

    def peak(self, trace: Trace) -> int:
        """Return the most bytes of tensors at once, not rounded to blocks."""
        return max(in_use(trace), default=0)

    def backprop(self, trace: Trace) -> int | None:
        """Return what the last step takes beyond what is in use before it."""
        if not trace.last_run:
            return None
        held = in_use(trace)
        before = held[trace.last_run_at - 1] if trace.last_run_at else 0
        return max(held[trace.last_run_at :]) - before


def in_use(trace: Trace) -> list[int]:
    """Return the bytes in use after each event, each tensor with what it asked for."""
    sizes: dict[int, int] = {}

    def change(allocation: int, size: int) -> int:
        if size:
            sizes[allocation] = size
            return size
        return -sizes.pop(allocation)

    return [*accumulate(change(*event) for event in trace.events)]
