"""An allocator without a pool of its own: each tensor takes what it asks for, and gives it back."""

from __future__ import annotations

from itertools import accumulate

from profiler.forecast.trace import Trace


class Plain:
    """The model for predictions; see ``profiler.forecast.allocator``."""

    drops: tuple[int, ...] = ()

    def fits(self, trace: Trace, limit_bytes: int) -> bool:
        """Whether no more than ``limit_bytes`` are in use at once."""
        return self.peak(trace) <= limit_bytes

    def highest_address(self, trace: Trace) -> int:
        """Return the most bytes in use at once: nothing lies between them."""
        return self.peak(trace)

    def peak(self, trace: Trace) -> int:
        """Return the most bytes in use at once."""
        return max(in_use(trace), default=0)

    def backprop(self, trace: Trace) -> int | None:
        """Return what the last step takes beyond what is in use before it."""
        if not trace.last_run:
            return None
        held = in_use(trace)
        before = held[trace.last_run_at - 1] if trace.last_run_at else 0
        return max(held[trace.last_run_at :]) - before


def in_use(trace: Trace) -> list[int]:
    """Return the bytes in use after each event."""
    sizes: dict[int, int] = {}

    def change(allocation: int, size: int) -> int:
        if size:
            sizes[allocation] = size
            return size
        return -sizes.pop(allocation)

    return [*accumulate(change(*event) for event in trace.events)]
