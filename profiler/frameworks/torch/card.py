"""What a CUDA card of any size would do with what the CPU's allocator was asked for."""

from __future__ import annotations

from profiler.forecast.trace import Trace
from profiler.frameworks.allocators.caching import CachingAllocator
from profiler.frameworks.allocators.plain import Plain


class Card(CachingAllocator):
    """Limits hold for what a card would reserve; peaks are what the CPU's tensors take.

    cuBLAS's workspace and what else a card holds beside tensors are not in it.
    """

    _cpu = Plain()

    def peak(self, trace: Trace) -> int:
        """Return the most bytes of tensors at once, not rounded to blocks."""
        return self._cpu.peak(trace)

    def backprop(self, trace: Trace) -> int | None:
        """Return what the last step takes beyond what is in use before it."""
        return self._cpu.backprop(trace)
