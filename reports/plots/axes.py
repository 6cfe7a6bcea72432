"""Where the ticks of an axis go and how they read, as plain numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from reports.plots.panels import Unit
from reports.texts.numbers import count_text, seconds_text, size_text

__all__ = ["MOST_TICKS", "Scale", "steps_scale", "tick_text", "value_scale"]

MOST_TICKS = 9
_MOST_GAPS = 16


@dataclass(frozen=True, kw_only=True)
class Scale:
    """An axis: logarithmic or not, its ends, and its ticks (empty: matplotlib's own)."""

    logarithmic: bool
    low: float
    high: float
    ticks: tuple[float, ...] = ()


def steps_scale(
    steps: Iterable[int], *, most_ticks: int = MOST_TICKS, logarithmic: bool = False
) -> Scale:
    """Return the axis of the steps: doubled steps are spaced evenly, at powers of two.

    Args:
        steps: what it must show.
        most_ticks: how many ticks it may have.
        logarithmic: whether it is so in any case; the steps are positive then.
    """
    known = sorted(set(steps))
    if not (logarithmic or _is_geometric(known)):
        margin = 0.05 * (known[-1] - known[0]) or 1
        low, high = known[0] - margin, known[-1] + margin
        return Scale(
            logarithmic=False, low=low, high=high, ticks=_thinned(_apart(known), most_ticks)
        )
    low, high = known[0] / 1.2, known[-1] * 1.2
    powers = [2**k for k in range(int(math.log2(high)) + 1) if low <= 2**k]
    return Scale(logarithmic=True, low=low, high=high, ticks=_thinned(powers, most_ticks))


def value_scale(values: Iterable[float], unit: Unit, *, logarithmic: bool) -> Scale:
    """Return the axis of the values, with round ends; linear where a value is not positive."""
    known = sorted(values)
    if not logarithmic or known[0] <= 0:
        low, high = min(known[0], 0.0), 1.08 * max(known[-1], 0.0) or 1.0
        ticks = _binary_steps(low, high) if unit == "bytes" else ()
        return Scale(logarithmic=False, low=low, high=high, ticks=ticks)
    rounds = _powers_of_two if unit == "bytes" else _one_two_five
    marks = rounds(known[0] / 1.15, known[-1] * 1.15)
    return Scale(logarithmic=True, low=marks[0], high=marks[-1], ticks=_thinned(marks))


def tick_text(value: float, unit: Unit) -> str:
    """Return what stands at a tick: ``64 MiB``, ``1,000``, ``20 ms``."""
    if unit == "nodes":
        return count_text(value)
    if unit == "bytes":
        return size_text(value)
    number, _, rest = seconds_text(value).partition(" ")
    short = number.rstrip("0").rstrip(".") if "." in number else number
    return f"{short} {rest}"


def _is_geometric(steps: Sequence[int]) -> bool:
    """Return whether the steps are more even as ratios than as differences."""
    if steps[0] <= 0 or len(steps) == 1:
        return False
    if len(steps) == 2:  # noqa: PLR2004 - two steps are even both ways
        return steps[1] >= 8 * steps[0]
    ratios = [math.log(b / a) for a, b in pairwise(steps)]
    differences = [float(b - a) for a, b in pairwise(steps)]
    return _unevenness(ratios) < _unevenness(differences)


def _unevenness(gaps: Sequence[float]) -> float:
    mean = sum(gaps) / len(gaps)
    return math.fsum((gap - mean) ** 2 for gap in gaps) / mean**2


def _powers_of_two(low: float, high: float) -> list[float]:
    first, last = math.floor(math.log2(low)), math.ceil(math.log2(high))
    return [2.0**k for k in range(first, max(last, first + 1) + 1)]


def _binary_steps(low: float, high: float) -> tuple[float, ...]:
    """Return at most eight ticks, a power of two apart."""
    step = 2.0 ** math.ceil(math.log2((high - low) / 7))
    first, last = math.ceil(low / step), math.floor(high / step)
    return tuple(k * step for k in range(first, last + 1))


def _one_two_five(low: float, high: float) -> list[float]:
    decades = range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)
    rounds = [digit * 10.0**k for k in decades for digit in (1, 2, 5)]
    first = max(i for i, value in enumerate(rounds) if value <= low)
    last = min(i for i, value in enumerate(rounds) if value >= high)
    return rounds[first : last + 1]


def _apart(ticks: Sequence[int]) -> list[int]:
    """Leave out what lies too near to its left neighbour."""
    nearest = (ticks[-1] - ticks[0]) / _MOST_GAPS
    kept = [ticks[0]]
    for tick in ticks[1:]:
        if tick - kept[-1] >= nearest:
            kept.append(tick)
    return kept


def _thinned(ticks: Sequence[float], most: int = MOST_TICKS) -> tuple[float, ...]:
    """Keep every n-th tick, so that no two labels touch."""
    stride = math.ceil(len(ticks) / most)
    return tuple(ticks[::stride])
