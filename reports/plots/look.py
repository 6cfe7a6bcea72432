"""The look of the plots: colours, markers and matplotlib's settings, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from profiler.facts import Role, Status, WallStatus

__all__ = [
    "LOOK",
    "PREDICTED",
    "QUIET",
    "ROLE_COLOURS",
    "WALL",
    "WALL_MARKERS",
    "failure_marker",
    "line_widths",
    "row_inches",
    "style_of",
]

# Okabe and Ito's palette for all kinds of colour vision, without its yellow (faint on white).
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = ("o", "s", "^", "v", "<", ">", "p", "h")
_DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.2, 1.4)), (0, (6, 2, 1.2, 2)))
QUIET = "#555555"
ROLE_COLOURS = {
    Role.WEIGHTS: "#555555",
    Role.OPTIMIZER: "#7B5EA7",
    Role.CONSTANTS: "#a5a5a5",
    Role.INPUTS: "#F0E442",
    Role.FORWARD: "#0072B2",
    Role.BOOKKEEPING: "#CC79A7",
    Role.ACTIVATION_GRADIENTS: "#56B4E9",
    Role.WEIGHT_GRADIENTS: "#D55E00",
    Role.TEMPORARY: "#009E73",
    Role.SCRATCH: "#8C510A",
    Role.UNKNOWN: "#000000",
    Role.ROUNDING: "#dddddd",
}
_WIDTH = 1.7
_ROW_INCHES = 3.3
_MARGIN_INCHES, _LINE_INCHES, _GAP_INCHES = 0.6, 0.15, 0.08
WALL_MARKERS = {
    WallStatus.EXACT: "D",
    WallStatus.BAND: "d",
    WallStatus.AT_LEAST: ">",
    WallStatus.AT_MOST: "<",
    WallStatus.REPLAYED: "*",
}
WALL: dict[str, Any] = {
    "markersize": 8,
    "markeredgecolor": "black",
    "linestyle": "none",
    "zorder": 4,
    "clip_on": False,
}
PREDICTED: dict[str, Any] = {
    "marker": "|",
    "markersize": 20,
    "markeredgewidth": 1.6,
    "linestyle": "none",
}
LOOK: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#999999",
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    # Where it would be anyway; to find that out takes a tenth of the time.
    "axes.titley": 1.0,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.8,
    "svg.hashsalt": "stepwall",
    # A dollar in a scenario's parameter is no formula.
    "text.parse_math": False,
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "xtick.labelcolor": "#222222",
    "ytick.labelcolor": "#222222",
}


def style_of(index: int) -> dict[str, Any]:
    """Return the look of the series with this index: colour, marker and dashes."""
    colour = _COLOURS[index % len(_COLOURS)]
    return {
        "color": colour,
        "marker": _MARKERS[index % len(_MARKERS)],
        "linestyle": _DASHES[index % len(_DASHES)],
        "markerfacecolor": colour if index % 2 == 0 else "white",
        "linewidth": _WIDTH,
    }


def failure_marker(status: Status) -> str:
    """Return the mark of a failed point: memory ran out, or anything else."""
    return "X" if status.is_oom else "P"


def row_inches(legend: Sequence[str]) -> float:
    """Return a height that holds a legend: a taller one would leave the axes no room."""
    lines = sum(label.count("\n") + 1 for label in legend)
    return max(_ROW_INCHES, _MARGIN_INCHES + lines * _LINE_INCHES + len(legend) * _GAP_INCHES)


def line_widths(values: Sequence[Mapping[int, float]]) -> list[float]:
    """Return each line's width: one that others cover is wider, to stay visible around them.

    Args:
        values: of each line, by steps, in the order in which they are drawn.
    """
    return [_WIDTH + count * min(2.4, 12 / len(values)) for count in _buried(values)]


def _buried(values: Sequence[Mapping[int, float]]) -> list[int]:
    """Return for each line how many later ones lie on top of it."""
    return [
        sum(_coincide(mine, other) for other in values[index + 1 :])
        for index, mine in enumerate(values)
    ]


def _coincide(mine: Mapping[int, float], other: Mapping[int, float]) -> bool:
    shared = mine.keys() & other.keys()
    close = [s for s in shared if abs(mine[s] - other[s]) <= 0.06 * abs(mine[s])]
    return len(close) > len(shared) / 2
