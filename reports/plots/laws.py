"""Plots of the laws of growth: points, the law, its residuals, and what it predicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from profiler.analysis.metrics import METRICS, Metric
from profiler.analysis.results import RunResults
from profiler.facts import CaveatEffect
from profiler.lengths import STEPS
from reports.plots import look
from reports.plots.axes import set_steps, set_values
from reports.plots.law_panels import LawPanel, Line, law_panels
from reports.plots.legend import WALL_KEYS
from reports.plots.measurements import Plot, draw_legend, draw_limits, mark
from reports.texts.numbers import axes_text, axes_title

__all__ = ["law_plot", "law_plots"]

_CAPTION = "Each mark is one measured repeat; a solid line is the law through them."
_RESIDUALS = " Right: residuals, each in percent of the law's value."
_CONTINUED = (
    " In the shaded part nothing was run: a dashed line continues the law, with the interval in "
    "which 95 % of single measurements would lie if growth continues this way. It ends where that "
    "is too wide to be of use; a law of fewer than five lengths is not continued at all."
)
_WALLS_TOO = " A diamond is a wall that was found, on its limit."
_DRAWN = 200
_DASHED = (0, (4, 2.5))
# Smaller residuals, in percent, are near enough: rounding alone would fill the axes.
_FINEST = 0.1


def law_plots(results: RunResults) -> list[Plot]:
    """Return one plot for each metric; of a run with too few lengths for any law none."""
    found = (law_plot(results, metric) for metric in METRICS)
    return [plot for plot in found if plot is not None]


def law_plot(results: RunResults, metric: Metric) -> Plot | None:
    """Return the plot of one metric; None if it has too few lengths for any law."""
    panels = law_panels(results, metric)
    if not panels:
        return None
    with mpl.rc_context(look.LOOK):
        figure = _figure(panels)
    return Plot(
        name=f"law_{metric.name}",
        title=f"Law of growth: {metric.title}",
        caption=_caption(panels),
        figure=figure,
    )


def _caption(panels: Sequence[LawPanel]) -> str:
    names = ["the number of time steps" if one == STEPS else one for p in panels for one in p.axes]
    parts = [_CAPTION, f" T is {axes_text(names)}."]
    if any(panel.shows_residuals for panel in panels):
        parts.append(_RESIDUALS)
    if any(panel.continued for panel in panels):
        parts.append(_CONTINUED)
    parts += _caveats(panels)
    if any(panel.walls for panel in panels):
        parts.append(_WALLS_TOO)
    return "".join(parts)


def _caveats(panels: Sequence[LawPanel]) -> list[str]:
    """Return why the frameworks' laws are not continued, each reason once."""
    effects = {
        CaveatEffect.NO_EXTRAPOLATION: "",
        CaveatEffect.SHORT_RUNS_DIFFER: "; stepwall predict takes that into account",
    }
    found = {
        f" Not continued: {caveat.text}{effects[caveat.effect]}."
        for panel in panels
        for line in panel.lines
        for caveat in line.series.caveats
        if caveat.effect in effects
    }
    return sorted(found)


def _figure(panels: Sequence[LawPanel]) -> Figure:
    keys = [_entries(panel) for panel in panels]
    heights = [look.row_inches([str(entry.get_label()) for entry in key]) for key in keys]
    figure = Figure(figsize=(10.5, 0.5 + sum(heights)), layout="constrained")
    title = f"Law of growth: {panels[0].metric.title}"
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
    ratios = (2.3, 1) if any(panel.shows_residuals for panel in panels) else (1,)
    grid = figure.subplots(
        len(panels), len(ratios), squeeze=False, width_ratios=ratios, height_ratios=heights
    )
    for line, panel, key in zip(grid, panels, keys, strict=True):
        _draw_laws(line[0], panel)
        for side in line[1:]:
            _draw_residuals(side, panel)
        draw_legend(line[-1], key)
    return figure


def _draw_laws(axes: Axes, panel: LawPanel) -> None:
    set_steps(axes, [panel.first, panel.end], logarithmic=True, title=axes_title(panel.axes))
    set_values(axes, panel.values, panel.metric.unit, logarithmic=True)
    axes.set_title(panel.title)
    if panel.continued:
        _shade(axes, panel.last, axes.get_xlim()[1])
    draw_limits(axes, sorted({wall.limit_bytes for wall in panel.walls}))
    widths = look.line_widths([line.medians for line in panel.lines])
    for line, width in zip(panel.lines, widths, strict=True):
        _draw_line(axes, line, width)


def _shade(axes: Axes, first: float, last: float) -> None:
    axes.axvspan(first, last, color="#f2f2f2", zorder=0)
    axes.annotate(
        "predicted",
        xy=(first, 1),
        xycoords=("data", "axes fraction"),
        xytext=(5, -11),
        textcoords="offset points",
        fontsize=8,
        color=look.QUIET,
    )


def _draw_line(axes: Axes, line: Line, width: float) -> None:
    style = look.style_of(line.index)
    marks = {key: style[key] for key in ("color", "marker", "markerfacecolor")}
    steps, values = zip(*line.series.points, strict=True)
    size = 3.3 + width
    axes.plot(steps, values, linestyle="none", markersize=size, clip_on=False, zorder=3, **marks)
    plain = {"color": style["color"], "linewidth": width}
    if line.law:
        lengths = np.unique(np.round(np.geomspace(line.law.first, line.series.last, _DRAWN)))
        axes.plot(lengths, line.law.values(lengths), linestyle="-", **plain)
    _draw_ahead(axes, line, style["color"])
    for wall in line.walls:
        shape = {"marker": look.WALL_MARKERS[wall.status], "color": style["color"]}
        axes.plot(wall.last_ok or 0, wall.limit_bytes, **look.WALL, **shape)


def _draw_ahead(axes: Axes, line: Line, colour: str) -> None:
    steps = [one.steps for one in line.ahead]
    values = [one.value for one in line.ahead]
    axes.plot(steps, values, color=colour, linewidth=1.5, linestyle=_DASHED)
    low, high = [one.low for one in line.ahead], [one.high for one in line.ahead]
    if low != high:
        axes.fill_between(steps, low, high, color=colour, alpha=0.15, linewidth=0)


def _draw_residuals(axes: Axes, panel: LawPanel) -> None:
    """Draw the residual of each point, in percent of the law's value."""
    axes.set_title("residuals")
    if not panel.shows_residuals:
        text = "every law is exact:\nno residual" if panel.has_laws else "no clear law"
        axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", color=look.QUIET)
        axes.set_xticks([])
        axes.set_yticks([])
        return
    ends, title = [panel.first, panel.last], axes_title(panel.axes)
    set_steps(axes, ends, most_ticks=5, logarithmic=True, title=title)
    axes.axhline(0, color=look.QUIET, linewidth=0.8)
    axes.yaxis.set_major_formatter(lambda value, _position: f"{value:+g} %" if value else "0")
    for line in panel.lines:
        style = {**look.style_of(line.index), "markersize": 4, "linewidth": 0.9}
        axes.plot([n for n, _ in line.residuals], [share for _, share in line.residuals], **style)
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, -_FINEST), max(high, _FINEST))


def _entries(panel: LawPanel) -> list[Line2D]:
    """Return the legend of a panel: its laws, then its marks."""
    entries = [
        Line2D(
            [],
            [],
            markersize=5,
            label=line.text,
            **{**look.style_of(line.index), "linestyle": "-" if line.law else "none"},
        )
        for line in panel.lines
    ]
    if panel.continued:
        dashes: dict[str, Any] = {"color": look.QUIET, "linestyle": _DASHED}
        entries.append(Line2D([], [], label="continued: predicted", **dashes))
    statuses = dict.fromkeys(wall.status for wall in panel.walls)
    return entries + [mark(look.WALL_MARKERS[one], 7, WALL_KEYS[one]) for one in statuses]
