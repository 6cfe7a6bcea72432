"""Zones of steps by which build needs least: from which length on one build beats the others.

A build counts as least where the 95 % prediction interval of its law lies below those of all
others. Where a law falls below zero, no build is known to be least. What this leaves out: a law
may be of the wrong kind; and each build has its own interval, so that a small difference counts
as noise even if many repeats would prove it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from profiler.analysis.laws import Array, Law
from profiler.analysis.prediction import REACH

Flags = npt.NDArray[np.bool_]

# No longer lengths are predicted.
_FURTHEST = 1_000_000
# The bounds of so many laws times steps are held at once.
_AT_ONCE = 1 << 18


@dataclass(frozen=True, kw_only=True)
class Zone:
    """Steps, ``first`` to ``last``, over which the same builds are least.

    Args:
        first: its first steps.
        last: its last ones, included.
        least: the names of the builds that are least: several are equal, none is not known.
        predicted: whether it lies outside the lengths that were measured for all.
    """

    first: int
    last: int
    least: tuple[str, ...]
    predicted: bool = False


def zones(laws: Mapping[str, Law], *, until: int | None = None) -> list[Zone]:
    """Return which build is least at every number of steps from 1 on; neighbours differ.

    Args:
        laws: of one metric, by the names of the builds; two at least.
        until: the last steps [default: ``reach`` of the largest length that was measured for
            all].

    Raises:
        ValueError: for less than two laws.
    """
    if len(laws) < 2:  # noqa: PLR2004 - one alone beats nobody
        raise ValueError(f"{len(laws)} laws: a comparison needs at least two")
    first = max(law.first for law in laws.values())
    last = min(law.last for law in laws.values())
    until = reach(last) if until is None else until
    return _zones(tuple(laws), _changes(laws, until), measured=(first, last), until=until)


def reach(last: int) -> int:
    """Return how far laws may be continued: 8 times ``last``, but to a million steps at most.

    It is ``last`` itself if that is more.
    """
    return max(last, min(REACH * last, _FURTHEST))


def least(lows: Array, highs: Array) -> Flags:
    """Flag which rows are least in each column: several are equal, none is not known."""
    best = highs.argmin(axis=0)[None]
    low, high = (np.take_along_axis(ends, best, axis=0) for ends in (lows, highs))
    equal = (lows == low) & (highs == high)
    others = np.where(equal, np.inf, lows).min(axis=0)
    flags: Flags = equal & (high[0] < others)
    return flags


def _changes(laws: Mapping[str, Law], until: int) -> list[tuple[int, Flags]]:
    """Return from which steps on which laws are least, where that changes; 1 is the first."""
    found: list[tuple[int, Flags]] = []
    size = max(1, _AT_ONCE // len(laws))
    for start in range(1, until + 1, size):
        flags = _least_at(laws, np.arange(start, min(start + size, until + 1), dtype=np.float64))
        before = np.column_stack([found[-1][1] if found else ~flags[:, 0], flags[:, :-1]])
        changed = np.flatnonzero((flags != before).any(axis=0))
        found += [(start + index, flags[:, index].copy()) for index in changed.tolist()]
    return found


def _least_at(laws: Mapping[str, Law], steps: Array) -> Flags:
    bounds = [law.bounds(steps) for law in laws.values()]
    lows, highs = (np.stack(ends) for ends in zip(*bounds, strict=True))
    # Nothing that is measured is negative: there the law is wrong.
    wrong = lows + highs < 0
    lows[wrong], highs[wrong] = -np.inf, np.inf
    return least(lows, highs)


def _zones(
    labels: Sequence[str],
    changes: Sequence[tuple[int, Flags]],
    *,
    measured: tuple[int, int],
    until: int,
) -> list[Zone]:
    """Return the zones between changes, cut where the measured lengths begin and end."""
    starts = [start for start, _ in changes]
    cuts = {*starts, *(n for n in (measured[0], measured[1] + 1) if 1 < n <= until)}
    ends = [*sorted(cuts), until + 1] if until else []
    found = []
    for start, end in pairwise(ends):
        flags = changes[bisect_right(starts, start) - 1][1].tolist()
        names = tuple(name for name, is_least in zip(labels, flags, strict=True) if is_least)
        is_predicted = not measured[0] <= start <= measured[1]
        found.append(Zone(first=start, last=end - 1, least=names, predicted=is_predicted))
    return found
