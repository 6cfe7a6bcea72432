"""The axes of the plots: their ends, and matplotlib's locators with our own texts at the ticks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from statistics import fmean, pstdev
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, MultipleLocator, NullLocator

from profiler.analysis.metrics import Unit
from reports.texts.numbers import count_text, seconds_text, size_text

__all__ = ["are_geometric", "set_linear", "set_steps", "set_values", "tick_text"]

_MOST_TICKS = 9
_NOUNS: dict[Unit, str] = {"nodes": "nodes", "bytes": "memory", "seconds": "time"}
_STEPS = (1, 2, 5, 10)
# Wider axes are ticked at the powers alone.
_FEW_DECADES = 300
_LOG = " (log scale)"


def set_steps(
    axes: Axes,
    steps: Iterable[int],
    *,
    logarithmic: bool,
    title: str = "time steps",
    most_ticks: int = _MOST_TICKS,
) -> None:
    """Make the horizontal axis that of the steps; a logarithmic one ticks powers of two."""
    low, high = min(known := list(steps)), max(known)
    margin = 0.05 * (high - low) or 1
    if logarithmic:
        _set_logarithmic(axes.set_xscale, axes.xaxis, LogLocator(2, numticks=most_ticks))
        axes.set_xlim(low / 1.2, high * 1.2)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(most_ticks - 1, steps=_STEPS, integer=True))
        axes.set_xlim(low - margin, high + margin)
    axes.xaxis.set_major_formatter(lambda value, _position: count_text(value))
    axes.set_xlabel(title + (_LOG if logarithmic else ""))


def set_values(  # noqa: PLR0913 (the options of an axis, each by its name)
    axes: Axes,
    values: Iterable[float],
    unit: Unit,
    *,
    logarithmic: bool,
    named: bool = True,
    most_ticks: int = _MOST_TICKS,
) -> None:
    """Make the vertical axis that of values of a unit; linear where one is not positive.

    Args:
        axes: in a plot.
        values: what must be in sight.
        unit: of the values; memory is ticked at powers of two.
        logarithmic: whether the axis is so, with round ends.
        named: whether the axis says what it shows.
        most_ticks: of the axis.
    """
    low, high = min(known := list(values)), max(known)
    logarithmic = logarithmic and low > 0
    if logarithmic:
        base, digits = (2, (1,)) if unit == "bytes" else (10, (1, 2, 5))
        if high > _FEW_DECADES * low:
            digits = (1,)
        locator = LogLocator(base, digits, numticks=most_ticks)
        _set_logarithmic(axes.set_yscale, axes.yaxis, locator)
        axes.set_ylim(*_round_ends(low / 1.15, high * 1.15, base, digits))
        axes.yaxis.set_major_formatter(lambda value, _position: tick_text(value, unit))
    else:
        ends = (min(low, 0.0), 1.08 * max(high, 0.0) or 1.0)
        set_linear(axes.yaxis, axes.set_ylim, ends, unit, most_ticks=most_ticks)
    if named:
        axes.set_ylabel(_NOUNS[unit] + (_LOG if logarithmic else ""))


def set_linear(
    axis: Any,
    set_ends: Callable[..., object],
    ends: tuple[float, float],
    unit: Unit,
    *,
    most_ticks: int = _MOST_TICKS,
) -> None:
    """Give an axis these ends and round ticks; memory is ticked at multiples of a power of two."""
    set_ends(*ends)
    if unit == "bytes":
        spacing = 2.0 ** math.ceil(math.log2((ends[1] - ends[0]) / max(1, most_ticks - 2)))
        axis.set_major_locator(MultipleLocator(spacing))
    else:
        axis.set_major_locator(MaxNLocator(most_ticks - 1, steps=_STEPS))
    axis.set_major_formatter(lambda value, _position: tick_text(value, unit))


def _set_logarithmic(set_scale: Callable[..., object], axis: Any, locator: LogLocator) -> None:
    set_scale("log", base=2)
    axis.set_major_locator(locator)
    axis.set_minor_locator(NullLocator())


def _round_ends(low: float, high: float, base: int, digits: tuple[int, ...]) -> tuple[float, float]:
    """Return the nearest digits times powers of the base around two positive values."""
    first, last = math.floor(math.log(low, base)), math.ceil(math.log(high, base))
    powers = np.arange(first - 1, last + 2)
    rounds = np.outer(float(base) ** powers, digits).ravel()
    return float(rounds[rounds <= low].max()), float(rounds[rounds >= high].min())


def tick_text(value: float, unit: Unit) -> str:
    """Return what stands at a tick: ``64 MiB``, ``1,000``, ``20 ms``."""
    if unit == "nodes":
        return count_text(value)
    if unit == "bytes":
        return size_text(value)
    number, _, rest = seconds_text(value).partition(" ")
    short = number.rstrip("0").rstrip(".") if "." in number else number
    return f"{short} {rest}"


def are_geometric(steps: Iterable[int]) -> bool:
    """Return whether the steps are more even as ratios than as differences."""
    known = sorted(set(steps))
    if known[0] <= 0 or len(known) == 1:
        return False
    if len(known) == 2:  # noqa: PLR2004 - two steps are even both ways
        return known[1] >= 8 * known[0]
    ratios = np.diff(np.log(known)).tolist()
    return _unevenness(ratios) < _unevenness([b - a for a, b in pairwise(known)])


def _unevenness(gaps: Sequence[float]) -> float:
    return pstdev(gaps) / fmean(gaps)
