"""Charts made of letters, for a terminal: bars, and values over the steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_lowercase

from rich.cells import cell_len, set_cell_size

from reports.texts.numbers import DASH

__all__ = ["Bar", "bars", "chart"]

_BLOCK = "\N{FULL BLOCK}"
_LEAST_BAR = 10
_NAMES = 0.4
# An axis over a wider range is logarithmic.
_WIDE, _WIDEST = 16, 1e12
_SEVERAL = "+"
_HEIGHT = 13


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A bar: its name, its length in any unit, and what stands at its end."""

    label: str
    value: float | None
    text: str


def bars(found: Sequence[Bar], width: int) -> list[str]:
    """Return a line for each bar; their lengths begin at 0."""
    names = min(max(cell_len(bar.label) for bar in found), max(8, int(_NAMES * width)))
    texts = max(cell_len(bar.text) for bar in found)
    room = max(_LEAST_BAR, width - names - texts - 4)
    most = max((bar.value or 0.0 for bar in found), default=0.0) or 1.0
    return [
        f"  {_name(bar.label, names)} "
        + (f"{_BLOCK * max(1, round(room * bar.value / most))} " if bar.value else f"{DASH} ")
        + bar.text
        for bar in found
    ]


def chart(
    series: Mapping[str, Sequence[tuple[int, float]]],
    width: int,
    text: Callable[[float], str],
    *,
    limits: Mapping[float, str] | None = None,
) -> list[str]:
    """Return a chart of values over the steps, a letter for each series, and what they mean.

    Args:
        series: points by label.
        width: of the terminal.
        text: writes a value.
        limits: values with a line of their own, and what they are.
    """
    points = [point for found in series.values() for point in found]
    known = limits or {}
    across = _Scale.of([steps for steps, _ in points], from_0=False)
    up = _Scale.of([*(value for _, value in points), *known])
    ticks = [text(up.value(1 - row / (_HEIGHT - 1))) for row in (0, _HEIGHT // 2, _HEIGHT - 1)]
    margin = max(map(cell_len, ticks))
    columns = max(_LEAST_BAR, width - margin - 4)
    cells = [[" "] * columns for _ in range(_HEIGHT)]
    for value in known:
        row = _place(1 - up.share(value), _HEIGHT)
        cells[row] = ["-"] * columns
    letters = {label: ascii_lowercase[at % 26] for at, label in enumerate(series)}
    for label, found in series.items():
        for steps, value in found:
            row = _place(1 - up.share(value), _HEIGHT)
            column = _place(across.share(steps), columns)
            taken = cells[row][column] not in {" ", "-", letters[label]}
            cells[row][column] = _SEVERAL if taken else letters[label]
    lines = []
    for row, drawn in enumerate(cells):
        named = {0: 0, _HEIGHT // 2: 1, _HEIGHT - 1: 2}.get(row)
        tick = ticks[named] if named is not None else ""
        lines.append(f"  {tick.rjust(margin)} |{''.join(drawn).rstrip()}")
    lines.append(f"  {' ' * margin} +{'-' * columns}")
    lines.append(f"  {' ' * margin}  {_steps(sorted({n for n, _ in points}), across, columns)}")
    lines += [_cut(f"  {letter} {label}", width) for label, letter in letters.items()]
    several = any(_SEVERAL in drawn for drawn in cells)
    lines += [f"  {_SEVERAL} several at one place"] if several else []
    return lines + [f"  - {what}" for what in known.values()]


@dataclass(frozen=True, kw_only=True)
class _Scale:
    """The ends of an axis, and whether it is logarithmic."""

    low: float
    high: float
    is_log: bool

    @classmethod
    def of(cls, values: Sequence[float], *, from_0: bool = True) -> _Scale:
        low, high = min(values), max(values)
        is_log = low > 0 and _WIDE <= high / low <= _WIDEST
        if from_0 and not is_log:
            low = min(0.0, low)
        return cls(low=low, high=high if high > low else low + 1.0, is_log=is_log)

    def share(self, value: float) -> float:
        if self.is_log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def value(self, share: float) -> float:
        if self.is_log:
            return self.low * math.exp(share * math.log(self.high / self.low))
        return self.low + share * (self.high - self.low)


def _place(share: float, count: int) -> int:
    return min(count - 1, max(0, round(share * (count - 1))))


def _steps(lengths: Sequence[int], across: _Scale, columns: int) -> str:
    """Return the lengths below their columns, the longest first where two have no room."""
    line = [" "] * columns
    for steps in reversed(lengths):
        text = f"{steps:,}"
        begin = min(columns - len(text), max(0, _place(across.share(steps), columns)))
        around = line[max(0, begin - 1) : begin + len(text) + 1]
        if begin >= 0 and not "".join(around).strip():
            line[begin : begin + len(text)] = text
    return "".join(line).rstrip()


def _name(text: str, width: int) -> str:
    """Return a name of exactly that width, a longer one with its two ends."""
    if cell_len(text) <= width:
        return text + " " * (width - cell_len(text))
    head = (width - 1) // 2
    tail = text
    while cell_len(tail) > width - 1 - head:
        tail = tail[1:]
    return set_cell_size(f"{set_cell_size(text, head)}~{tail}", width)


def _cut(line: str, width: int) -> str:
    return line if cell_len(line) <= width else _name(line, width).rstrip()
