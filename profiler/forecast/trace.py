"""What an allocator was asked for, in order."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

# Allocations up to this size in all that are released at once leave no trace in an allocator.
_FLEETING_BYTES = 4096


@dataclass(frozen=True)
class Trace:
    """Allocations and releases, from the allocator's start on.

    Attributes:
        labels: what each allocation was for, in the order of allocation.
        events: ``(allocation, bytes)``: the position in ``labels`` and the bytes asked
            for, or 0 bytes where that allocation is released.
        last_run: how many of the allocations, the last ones, the last training step made.
        more_runs: how many times more that step is run than was recorded.
    """

    labels: list[str]
    events: list[tuple[int, int]]
    last_run: int = 0
    more_runs: int = 0

    @functools.cached_property
    def last_run_at(self) -> int:
        """The position of the first event of the last step."""
        first = len(self.labels) - self.last_run
        return next(
            (at for at, event in enumerate(self.events) if event[1] and event[0] >= first),
            len(self.events),
        )

    @functools.cached_property
    def heirs(self) -> dict[int, int] | None:
        """What the last step releases of earlier ones, each with what it leaves in its place.

        None where these are not alike: another step would not do the same.
        """
        sizes = dict(event for event in self.events if event[1])
        last = self.events[self.last_run_at :]
        made = [allocation for allocation, size in last if size]
        released = [allocation for allocation, size in last if not size]
        left = sorted({*made} - {*released}, key=lambda one: (self.labels[one], sizes[one], one))
        gone = sorted({*released} - {*made}, key=lambda one: (self.labels[one], sizes[one], one))
        if [sizes[one] for one in left] != [sizes[one] for one in gone]:
            return None
        return dict(zip(gone, left, strict=True))

    @functools.cached_property
    def kept(self) -> dict[str, int]:
        """The bytes, by label, of what no step releases and the last one did not make."""
        held = dict(event for event in self.events if event[1])
        for allocation, size in self.events:
            if not size:
                held.pop(allocation, None)
        first = len(self.labels) - self.last_run
        return {self.labels[one]: size for one, size in held.items() if one < first}

    def largest(self, mark: str) -> dict[str, int]:
        """Return the bytes of the largest allocation of each label that holds the mark."""
        found: dict[str, int] = {}
        for allocation, size in self.events:
            label = self.labels[allocation]
            if mark in label:
                found[label] = max(size, found.get(label, 0))
        return found

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
        return self._renumbered(_releases_in_order(kept))

    def _renumbered(self, events: list[tuple[int, int]]) -> Trace:
        """Return the trace of these of its events."""
        numbers: dict[int, int] = {}
        for allocation, size in events:
            if size:
                numbers[allocation] = len(numbers)
        first = len(self.labels) - self.last_run
        return replace(
            self,
            labels=[self.labels[allocation] for allocation in numbers],
            events=[(numbers[allocation], size) for allocation, size in events],
            last_run=sum(allocation >= first for allocation in numbers),
        )


def _releases_in_order(events: list[tuple[int, int]]) -> list[tuple[int, int]]:
    ordered: list[tuple[int, int]] = []
    start = 0
    for position, (_, size) in enumerate([*events, (0, 1)]):
        if size:
            ordered += sorted(events[start:position])
            ordered += events[position : position + 1]
            start = position + 1
    return ordered
