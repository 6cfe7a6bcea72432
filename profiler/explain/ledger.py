"""The ledger of an allocator: every allocation with its bytes and the time it was held.

Columns are arrays with an item per allocation, in the order of allocation; times are positions
in the order of all events. Whatever is computed here is a few passes over these arrays, so a
step of a million events takes about a second.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Events:
    """What an allocator did, in order; one item per event.

    Attributes:
        is_allocation: False for a release.
        address: where.
        op: position of the operation's name in a list; of no meaning for releases.
        requested: bytes asked for, in allocations.
        chunk: bytes handed out for it.
        run: number of the session's run that it was made in; below 1 outside of any.
        is_float: whether a tensor of floating-point (or complex) numbers was asked for.
        is_scratch: whether a kernel asked for it beside its outputs; empty where not known.
    """

    is_allocation: Mask
    address: Ints
    op: Ints
    requested: Ints
    chunk: Ints
    run: Ints
    is_float: Mask
    is_scratch: Mask = field(default_factory=lambda: np.zeros(0, np.bool_))


class Ledger:
    """The allocations of some events.

    Attributes:
        count: number of events.
        began: position of the event that allocated.
        ended: position of the event that released; ``count`` if none did.
        op, requested, chunk, run, is_float, is_scratch: as in ``Events``.
    """

    def __init__(self, events: Events) -> None:
        """Find for each allocation its release: the next event at its address."""
        self.count = len(events.address)
        self.began: Ints = np.flatnonzero(events.is_allocation).astype(np.int64)
        by_address = np.lexsort((np.arange(self.count), events.address))
        addresses = events.address[by_address]
        following = np.full(self.count, self.count, np.int64)
        same = addresses[1:] == addresses[:-1]
        following[by_address[:-1][same]] = by_address[1:][same]
        self.ended: Ints = following[self.began]
        self.op: Ints = events.op[self.began]
        self.requested: Ints = events.requested[self.began]
        self.chunk: Ints = events.chunk[self.began]
        self.run: Ints = events.run[self.began]
        self.is_float: Mask = events.is_float[self.began]
        scratch = events.is_scratch
        self.is_scratch: Mask = (
            scratch[self.began] if len(scratch) else np.zeros(len(self.began), np.bool_)
        )

    def runs(self) -> list[int]:
        """Return the numbers of the session's runs, in the order in which they began.

        What is allocated outside of any, as for constants, has a number below 1.
        """
        numbers, first = np.unique(self.run, return_index=True)
        return [int(number) for number in numbers[np.argsort(first)] if number > 0]

    def span(self, run: int) -> tuple[int, int]:
        """Return the positions at which a run began, and at which the next one did.

        What functions allocate within a run may have numbers below 1.
        """
        mine = np.flatnonzero(self.run == run)
        later = np.flatnonzero(
            (self.run != run) & (self.run >= 0) & (np.arange(len(self.run)) > mine[-1])
        )
        return int(self.began[mine[0]]), int(self.began[later[0]]) if len(later) else self.count

    def in_use(self, sizes: Ints, mask: Mask | None = None) -> Ints:
        """Return what is held after each event, in ``sizes``; of the allocations in ``mask`` only.

        Args:
            sizes: bytes of each allocation: ``requested`` or ``chunk``.
            mask: which allocations count; None for all.
        """
        chosen = slice(None) if mask is None else mask
        change = np.zeros(self.count + 1, np.int64)
        np.add.at(change, self.began[chosen], sizes[chosen])
        np.subtract.at(change, self.ended[chosen], sizes[chosen])
        return np.cumsum(change[:-1])

    def held(self, position: int) -> Mask:
        """Return which allocations are held after the event at ``position``."""
        return (self.began <= position) & (self.ended > position)

    def fleeting(self) -> Mask:
        """Return which allocations were released before any other op allocated anything."""
        changes = np.flatnonzero(self.op[1:] != self.op[:-1]) + 1
        next_change = np.searchsorted(changes, np.arange(len(self.op)), side="right")
        begins = np.append(self.began[changes], self.count)
        fleeting: Any = self.ended < begins[next_change]
        return np.asarray(fleeting)
