"""A trace run through a model of an allocator, its last training step as often as it is run."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Protocol

from profiler.forecast.trace import Trace


class DoesNotFitError(Exception):
    """The allocator has no room for an allocation."""


class Memory(Protocol):
    """The state of a model.

    Attributes:
        in_use: bytes handed out now.
        peak: the most that was ever handed out.
        backprop: what the steady step with the highest peak took beyond what was in use before it.
    """

    in_use: int
    peak: int
    backprop: int | None

    def run(self, events: Iterable[tuple[int, int]], addresses: dict[int, int]) -> None:
        """Make the allocations and releases of a trace.

        Args:
            events: as those of a trace.
            addresses: where the allocations that are held now lie; those made are added,
                those released are taken out.

        Raises:
            DoesNotFitError: if there is no room for an allocation.
        """

    def layout(self) -> object:
        """Return what is equal for states that would answer all further requests alike."""


def run_trace(memory: Memory, trace: Trace) -> None:
    """Run the trace, and its last step so many times more.

    Each step finds the free memory as the one before left it, and may leave other.

    Raises:
        DoesNotFitError: at the first allocation that has no room.
    """
    addresses: dict[int, int] = {}
    if not trace.last_run:
        memory.run(trace.events, addresses)
        return
    memory.run(islice(trace.events, trace.last_run_at), addresses)
    highest = 0
    for number in range(1 + trace.more_runs):
        before, resident, most = memory.layout(), memory.in_use, memory.peak
        memory.peak = resident
        memory.run(islice(trace.events, trace.last_run_at, None), addresses)
        if memory.peak > highest:
            highest, memory.backprop = memory.peak, memory.peak - resident
        memory.peak = max(most, memory.peak)
        if memory.layout() == before or trace.heirs is None:
            break
        if number < trace.more_runs:
            for gone, left in trace.heirs.items():
                addresses[gone] = addresses.pop(left)
