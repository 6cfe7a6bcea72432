"""The frontier of a grid of walls: the largest length that survives, by a parameter's value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from profiler.analysis.frontiers import Frontier, FrontierLine, frontiers, marked_at
from profiler.analysis.results import RunResults
from profiler.facts import WallStatus
from profiler.lengths import is_plural
from profiler.parameters import value_text
from reports.plots import look
from reports.plots.axes import are_geometric, set_values
from reports.plots.measurements import Plot, draw_legend, mark
from reports.texts.numbers import axes_title, count_text, size_text

__all__ = ["frontier_plots"]

_TITLE = "Frontier of the walls"
_CAPTION = (
    "The largest length that survived under the limit, for each value of a parameter; the next "
    "length was run too and ran out of memory. Between the marks nothing was run."
)
# The shape says what is not proven; where both ends were run, the series has its own.
_SHAPES = {
    WallStatus.BAND: "d",
    WallStatus.AT_LEAST: "^",
    WallStatus.AT_MOST: "v",
    WallStatus.REPLAYED: "*",
}
_KEYS = {
    WallStatus.BAND: "a band: the most that survived every time",
    WallStatus.AT_LEAST: "the wall lies further up",
    WallStatus.AT_MOST: "the wall lies below: this ran out",
    WallStatus.REPLAYED: "a replayed wall: no device ran",
}


def frontier_plots(results: RunResults) -> list[Plot]:
    """Return the plot of a run's frontiers; none where no wall's parameter has several values."""
    found = frontiers(results)
    if not found:
        return []
    with mpl.rc_context(look.LOOK):
        figure = _figure(found)
    return [Plot(name="frontier", title=_TITLE, caption=_CAPTION, figure=figure)]


def _figure(found: Sequence[Frontier]) -> Figure:
    keys = [_entries(one) for one in found]
    heights = [look.row_inches([str(entry.get_label()) for entry in key]) for key in keys]
    figure = Figure(figsize=(10.5, 0.5 + sum(heights)), layout="constrained")
    figure.suptitle(_TITLE, x=0.01, ha="left", fontsize=13, fontweight="bold")
    grid = figure.subplots(len(found), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, one, key in zip(grid, found, keys, strict=True):
        _draw(axes, one)
        draw_legend(axes, key)
    return figure


def _draw(axes: Axes, one: Frontier) -> None:
    places = [one.place(value) for value in one.values]
    # In proportion, twice as much fits half as often: a straight line where both are logarithmic.
    log = one.is_numeric and are_geometric([round(1000 * place) for place in places])
    if log:
        axes.set_xscale("log", base=2)
        axes.set_xlim(places[0] / 1.2, places[-1] * 1.2)
    else:
        margin = 0.08 * (max(places) - min(places))
        axes.set_xlim(min(places) - margin, max(places) + margin)
    axes.xaxis.set_major_locator(FixedLocator(places))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(places, [value_text(value) for value in one.values])
    ends = [float(marked_at(wall) or 0) for line in one.lines for _, wall in line.walls]
    set_values(axes, ends, "nodes", logarithmic=log)
    axes.set_xlabel(one.parameter + (" (log scale)" if log else ""))
    survives = "that survive" if is_plural(one.axis) else "that survives"
    axes.set_ylabel(f"{axes_title([one.axis])} {survives}" + (" (log scale)" if log else ""))
    axes.set_title(f"under {size_text(one.limit_bytes)} of {one.kind} memory")
    for index, line in enumerate(one.lines):
        _draw_line(axes, one, line, look.style_of(index))


def _draw_line(axes: Axes, one: Frontier, line: FrontierLine, style: dict[str, Any]) -> None:
    walls = sorted(line.walls, key=lambda pair: one.place(pair[0]))
    places = [one.place(value) for value, _ in walls]
    ends = [marked_at(wall) or 0 for _, wall in walls]
    axes.plot(places, ends, **{**style, "marker": "", "linewidth": 1.4})
    for place, end, (_, wall) in zip(places, ends, walls, strict=True):
        shape = {"marker": _SHAPES.get(wall.status, style["marker"]), "color": style["color"]}
        if wall.status is not WallStatus.EXACT:
            shape["markerfacecolor"] = "white"
        axes.plot(place, end, linestyle="none", markersize=7, clip_on=False, zorder=4, **shape)
        axes.annotate(
            count_text(end),
            xy=(place, end),
            xytext=(0, 7),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.5},
        )


def _entries(one: Frontier) -> list[Line2D]:
    """Return the legend: the lines, then what their marks do not prove."""
    handles = [
        Line2D([], [], markersize=6, label=line.label, **look.style_of(index))
        for index, line in enumerate(one.lines)
    ]
    statuses = dict.fromkeys(wall.status for line in one.lines for _, wall in line.walls)
    return handles + [
        mark(_SHAPES[status], 7, _KEYS[status], markerfacecolor="white")
        for status in statuses
        if status in _SHAPES
    ]
