"""The toy's allocator: a shelf of rows of 64 bytes, which never fragments.

What is too long for the rows beside each other lies in a drawer of its own; what is longer than
half of a drawer, across the whole shelf again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from profiler.forecast.trace import Trace

ROW_BYTES = 64
IN_DRAWERS = range(1 << 20, 2 << 20)
DRAWER_BYTES = 4 << 20
Array = NDArray[np.float64]


class ShelfIsFullError(Exception):
    """There are not enough rows for an array."""

    def __init__(self, op: str, shape: tuple[int, ...], size: int) -> None:
        """Remember what was asked for."""
        super().__init__(f"no {size} bytes left on the shelf for {op}")
        self.op = op
        self.shape = shape
        self.size = size


def rounded(size: int) -> int:
    """Return the bytes of the rows, or the drawer, that an array of ``size`` bytes takes."""
    if size in IN_DRAWERS:
        return DRAWER_BYTES
    return -(-size // ROW_BYTES) * ROW_BYTES


@dataclass(frozen=True)
class Event:
    """One allocation, or the release of what lies at its address."""

    is_allocation: bool
    address: int
    op: str
    size: int
    run: int


@dataclass
class Shelf:
    """Hands out arrays up to a limit, and remembers what it did."""

    limit_bytes: int | None = None
    in_use: int = 0
    peak: int = 0
    run: int = 0
    events: list[Event] = field(default_factory=list)
    _held: dict[int, int] = field(default_factory=dict)

    def array(self, op: str, shape: tuple[int, ...]) -> Array:
        """Return a new array of zeros.

        Raises:
            ShelfIsFullError: if its rows would exceed the limit.
        """
        size = 8 * int(np.prod(shape))
        if self.limit_bytes is not None and self.in_use + rounded(size) > self.limit_bytes:
            raise ShelfIsFullError(op, shape, size)
        array = np.zeros(shape)
        address = id(array)
        self._held[address] = size
        self.in_use += rounded(size)
        self.peak = max(self.peak, self.in_use)
        self.events.append(
            Event(is_allocation=True, address=address, op=op, size=size, run=self.run)
        )
        return array

    def release(self, *arrays: Array) -> None:
        """Take arrays back."""
        for array in arrays:
            size = self._held.pop(id(array))
            self.in_use -= rounded(size)
            self.events.append(
                Event(is_allocation=False, address=id(array), op="", size=size, run=self.run)
            )

    def _note(self, address: int, op: str, size: int, *, is_allocation: bool) -> None:
        self.events.append(
            Event(is_allocation=is_allocation, address=address, op=op, size=size, run=self.run)
        )

    def trace(self) -> Trace:
        """Return all that was handed out and taken back, in order."""
        labels: list[str] = []
        events: list[tuple[int, int]] = []
        held: dict[int, int] = {}
        for event in self.events:
            if event.is_allocation:
                held[event.address] = len(labels)
                events.append((len(labels), event.size))
                labels.append(event.op)
            else:
                events.append((held.pop(event.address), 0))
        last_run = sum(one.is_allocation and one.run == self.run for one in self.events)
        return Trace(labels=labels, events=events, last_run=last_run)


class ShelfModel:
    """The shelf's rules on a trace; see ``profiler.forecast.allocator.AllocatorModel``."""

    drops: tuple[int, ...] = (IN_DRAWERS.stop,)
    piece_bytes: int = 0

    def fits(self, trace: Trace, limit_bytes: int) -> bool:
        """Whether a shelf of ``limit_bytes`` survives the trace."""
        return self.highest_address(trace) <= limit_bytes

    def highest_address(self, trace: Trace) -> int:
        """Return the most bytes of rows in use at once: nothing lies between them."""
        return max(self._in_use(trace), default=0)

    def growing_need(self, trace: Trace) -> int:
        """Return the most bytes of rows in use at once."""
        return self.highest_address(trace)

    def peak(self, trace: Trace) -> int:
        """Return the most bytes of rows in use at once."""
        return self.highest_address(trace)

    def backprop(self, trace: Trace) -> int | None:
        """Return what the last step takes beyond what is in use before it."""
        if not trace.last_run:
            return None
        in_use = self._in_use(trace)
        resident = in_use[trace.last_run_at - 1] if trace.last_run_at else 0
        return max(in_use[trace.last_run_at :]) - resident

    def _in_use(self, trace: Trace) -> list[int]:
        """Return the bytes of rows in use after each event."""
        held: dict[int, int] = {}
        changes = []
        for allocation, size in trace.events:
            changes.append(rounded(size) - held.get(allocation, 0))
            held[allocation] = rounded(size)
        return [*accumulate(changes)]
