"""What an allocator was asked for, in order."""

from __future__ import annotations

import functools
from dataclasses import dataclass

# Allocations up to this size in all that are released at once leave no trace in an allocator.
_FLEETING_BYTES = 4096


@dataclass(frozen=True)
class Trace:
    """Allocations and releases, from the allocator's start on.

    Attributes:
        labels: what each allocation was for, in the order of allocation.
        events: ``(allocation, bytes)``: the position in ``labels`` and the bytes asked
            for, or 0 bytes where that allocation is released.
    """

    labels: list[str]
    events: list[tuple[int, int]]

    def tidied(self) -> Trace:
        """Return an equal trace in a tidy form; see ``_tidied``."""
        return self._tidied

    @functools.cached_property
    def _tidied(self) -> Trace:
        """Return an equal trace in one of its equivalent forms.

        An allocation that is released before anything else happens is left out (if small,
        with what was left out within it: it cannot be what runs out), and releases in a row
        stand in the order of allocation; neither changes what an allocator can give afterwards.
        """
        kept: list[tuple[int, int]] = []
        within = [0]  # per event kept, and before the first: the most bytes left out after it
        for allocation, size in self.events:
            fleeting = kept[-1][1] + within[-1] if kept and kept[-1][0] == allocation else 0
            if 0 < fleeting <= _FLEETING_BYTES:
                kept.pop()
                within.pop()
                within[-1] = max(within[-1], fleeting)
            else:
                kept.append((allocation, size))
                within.append(0)
        return _renumbered(self.labels, _releases_in_order(kept))


def _releases_in_order(events: list[tuple[int, int]]) -> list[tuple[int, int]]:
    ordered: list[tuple[int, int]] = []
    start = 0
    for position, (_, size) in enumerate([*events, (0, 1)]):
        if size:
            ordered += sorted(events[start:position])
            ordered += events[position : position + 1]
            start = position + 1
    return ordered


def _renumbered(labels: list[str], events: list[tuple[int, int]]) -> Trace:
    numbers: dict[int, int] = {}
    for allocation, size in events:
        if size:
            numbers[allocation] = len(numbers)
    return Trace(
        labels=[labels[allocation] for allocation in numbers],
        events=[(numbers[allocation], size) for allocation, size in events],
    )
