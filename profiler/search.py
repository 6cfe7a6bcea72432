"""The wall search: a pure function that finds where a probe stops passing.

It learns from cheap small points, predicts, then closes the bracket between the largest
number that passed and the smallest that did not. It never concludes from the prediction:
both ends of what it returns were really probed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

# Below this share of the limit a point is small: the prediction is made from these only.
_LEARN_SHARE = 1 / 8
_FIRST = 8
_LINE = 2  # points that make a line
# The wall lies a little before the prediction: packing wastes memory near the limit.
_UNDERSHOOT = 0.92


class Result(Protocol):
    """What the search must know of a probe."""

    @property
    def passed(self) -> bool:
        """Whether the point survived."""

    @property
    def hopeless(self) -> bool:
        """Whether it failed for a reason that no other number would mend."""

    @property
    def peak_bytes(self) -> int | None:
        """The device's peak, or None where it is unknown."""


@dataclass(kw_only=True)
class Bracket:
    """What the probes have shown so far; ``last_ok`` 0 and ``first_bad`` None: nothing yet."""

    last_ok: int = 0
    first_bad: int | None = None
    learnt: bool = False
    predicted: float | None = None
    predicted_from: list[int] = field(default_factory=list)
    peaks: dict[int, int] = field(default_factory=dict)


def find_wall(
    probe: Callable[[int], Result], *, limit_bytes: int, max_n: int, first: int = _FIRST
) -> Bracket:
    """Return the bracket closed around the edge: ``first_bad == last_ok + 1``.

    Where nothing up to ``max_n`` fails, ``first_bad`` is None; where 1 fails, ``last_ok``
    is 0. If the edge is ragged, one passing number with a failing successor is returned.
    A hopeless probe ends the search: the bracket is then what was known before it.

    Args:
        probe: runs one number, at least 1; equal numbers are asked for once only.
        limit_bytes: the memory limit that the prediction aims at.
        max_n: the largest number that may be probed.
        first: the number to begin with.
    """
    bracket = Bracket()
    n: int | None = min(first, max_n)
    while n is not None:
        result = probe(n)
        if result.hopeless:
            break
        if result.passed:
            bracket.last_ok = n
            if result.peak_bytes is not None:
                bracket.peaks[n] = result.peak_bytes
        else:
            bracket.first_bad = n
        _learn(bracket, limit_bytes)
        n = _next(bracket, limit_bytes, max_n)
    return bracket


def _learn(bracket: Bracket, limit_bytes: int) -> None:
    """Predict the edge once, from small points only, before any point near it."""
    if bracket.learnt:
        return
    last_peak = max(bracket.peaks.values(), default=0)
    enough = len(bracket.peaks) >= _LINE and last_peak >= limit_bytes * _LEARN_SHARE
    if not enough and bracket.first_bad is None:
        return
    bracket.learnt = True
    if len(bracket.peaks) >= _LINE:
        bracket.predicted = _extrapolate(bracket.peaks, limit_bytes)
    if bracket.predicted is not None:
        bracket.predicted_from = list(bracket.peaks)


def _extrapolate(peaks: dict[int, int], limit_bytes: int) -> float | None:
    """Return where the line through the last two points meets the limit."""
    (n1, peak1), (n2, peak2) = list(peaks.items())[-2:]
    slope = (peak2 - peak1) / (n2 - n1)
    return n2 + (limit_bytes - peak2) / slope if slope > 0 else None


def _next(bracket: Bracket, limit_bytes: int, max_n: int) -> int | None:
    low, high = bracket.last_ok, bracket.first_bad
    if high is None:
        return min(_upwards(bracket, limit_bytes), max_n) if low < max_n else None
    if high - low <= 1:
        return None
    if bracket.predicted is None:
        return (low + high) // 2
    # Failing costs far more than passing (the allocator retries for 10 s), so come from below.
    guess = math.floor(bracket.predicted * _UNDERSHOOT)
    if low < guess < high:
        return guess
    return low + max(1, (high - low) * 2 // 5)


def _upwards(bracket: Bracket, limit_bytes: int) -> int:
    """Return the next number to try while nothing has failed yet."""
    low = bracket.last_ok
    if bracket.predicted is None:
        return 2 * low
    guess = math.floor(bracket.predicted * _UNDERSHOOT)
    if low < guess:
        return guess
    # Past the prediction, longer and longer strides: what is left may be far.
    stride = 1 << (len(bracket.peaks) - len(bracket.predicted_from))
    beyond = _extrapolate(bracket.peaks, limit_bytes)
    return low + max(stride, 0 if beyond is None else math.ceil(beyond) - low)
