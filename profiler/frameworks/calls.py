"""Whether a training step grows with every call: in memory that stays held, or in nodes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

# What is held is read after each of so many parts of the calls.
PARTS = 5
# None of them gives anything back: what goes up and down rises in all of them once in 120 times.
# The calls before and after the middle bring at least this share each; else it is a start. Not each
# part: arrays of the host may lie in pages that were free.
_SHARE = 0.25
# The least growth per call that counts: smaller than an allocator's smallest chunk, and for the
# host more than the runtime's own book-keeping.
_DEVICE_BYTES, _HOST_BYTES = 64, 16 << 10


class Reading(NamedTuple):
    """What is held after so many calls; None where that is not known."""

    calls: int
    device_bytes: int | None
    host_bytes: int | None
    nodes: int


def grown(readings: Sequence[Reading]) -> list[str]:
    """Return a sentence for each thing that grows with the calls.

    Args:
        readings: after few calls, and after each part of the others.
    """
    return [text for text in _grown(readings) if text]


def _grown(readings: Sequence[Reading]) -> Iterator[str | None]:
    calls = [reading.calls for reading in readings]
    columns = (
        ("{:,.0f} bytes of device memory", [one.device_bytes for one in readings], _DEVICE_BYTES),
        ("{:,.0f} bytes of host memory", [one.host_bytes for one in readings], _HOST_BYTES),
        ("{:,.0f} nodes to the graph", [one.nodes for one in readings], 1),
    )
    for what, column, least in columns:
        values = [value for value in column if value is not None]
        if len(values) < len(calls):
            continue
        per_call = (values[-1] - values[0]) / (calls[-1] - calls[0])
        middle = values[len(values) // 2]
        halves = (middle - values[0], values[-1] - middle)
        rises = all(earlier <= later for earlier, later in itertools.pairwise(values))
        if rises and per_call >= least and min(halves) >= _SHARE * sum(halves):
            yield (
                f"each call adds {what.format(per_call)}: {values[0]:,} after {calls[0]} calls, "
                f"{values[-1]:,} after {calls[-1]}"
            )
