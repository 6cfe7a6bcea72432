"""Plots of choices: step time against device peak at one length, one mark per build."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from profiler.analysis.crossover.costs import (
    PARETO_METRICS,
    BuildCost,
    Cost,
    build_costs,
    common_length,
)
from profiler.analysis.laws import Array
from profiler.analysis.metrics import BY_NAME
from profiler.analysis.results import RunResults
from reports.plots import look
from reports.plots.axes import set_linear
from reports.plots.measurements import Plot, draw_legend
from reports.tables.costs import wall_text
from reports.texts.numbers import size_text, steps_text

__all__ = ["ParetoPanel", "pareto_figure", "pareto_plots"]

_TITLE = "What a step costs: time against memory"
_CAPTION = (
    "One training step of each build at the same length: lower left is better. Bars span the "
    "repeats. The line joins the Pareto-optimal builds: no other is better in one axis and no "
    "worse in the other. Where noise hides that, there is a question mark."
)
_PAIR = 2
_VERDICTS = {True: ", Pareto-optimal", False: "", None: ", perhaps Pareto-optimal"}


@dataclass(frozen=True, kw_only=True)
class ParetoPanel:
    """The builds that are compared at one length."""

    title: str
    steps: int
    builds: tuple[BuildCost, ...]

    @property
    def shown(self) -> list[tuple[int, BuildCost]]:
        """The builds of which both axes are known, with their position among all."""
        return [(at, one) for at, one in enumerate(self.builds) if _is_known(one)]


def _is_known(one: BuildCost) -> bool:
    return all(axis in one.costs and one.costs[axis].value is not None for axis in PARETO_METRICS)


def _is_predicted(one: BuildCost) -> bool:
    return any(one.costs[axis].is_predicted for axis in PARETO_METRICS)


def pareto_plots(results: RunResults) -> list[Plot]:
    """Return the plot of a run: a panel for each family of two builds or more at one length."""
    panels = [panel for panel in _panels(results) if len(panel.shown) >= _PAIR]
    if not panels:
        return []
    figure = pareto_figure(panels)
    return [Plot(name="choices", title=_TITLE, caption=_CAPTION, figure=figure)]


def _panels(results: RunResults) -> Iterator[ParetoPanel]:
    for family, members in results.comparable_series:
        compared = [one for one in members if one.metric.name in PARETO_METRICS]
        steps = common_length(compared)
        if steps is not None:
            builds = tuple(build_costs(members, results.run.walls, steps=steps))
            yield ParetoPanel(title=family, steps=steps, builds=builds)


def pareto_figure(panels: Sequence[ParetoPanel]) -> Figure:
    """Return the figure of these panels, one below the other."""
    keys = [[_entry(at, one) for at, one in panel.shown] for panel in panels]
    heights = [look.row_inches([str(entry.get_label()) for entry in key]) for key in keys]
    with mpl.rc_context(look.LOOK):
        figure = Figure(figsize=(10.5, 0.5 + sum(heights)), layout="constrained")
        figure.suptitle(_TITLE, x=0.01, ha="left", fontsize=13, fontweight="bold")
        grid = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axes, panel, key in zip(grid, panels, keys, strict=True):
            _draw(axes, panel)
            draw_legend(axes, key)
    return figure


def _draw(axes: Axes, panel: ParetoPanel) -> None:
    hollow = any(_is_predicted(one) for _, one in panel.shown)
    note = " (hollow: not run, by its law)" if hollow else ""
    where = steps_text(panel.steps, panel.builds[0].conditions.axis)
    axes.set_title(f"{panel.title} at {where}{note}")
    axes.set_xlabel(BY_NAME["peak"].title)
    axes.set_ylabel(BY_NAME["step_time"].title)
    limits = _limits(panel)
    _set_scales(axes, panel, limits)
    axes.plot(*_front(panel).T, color=look.QUIET, linewidth=1, zorder=1.5)
    for at, one in panel.shown:
        _draw_mark(axes, one, look.style_of(at))
    _draw_limits(axes, limits)


def _front(panel: ParetoPanel) -> Array:
    """Return where the Pareto-optimal builds stand, by device peak."""
    places = sorted(_place(one) for _, one in panel.shown if one.is_optimal)
    return np.array(places, np.float64).reshape(-1, 2)


def _draw_limits(axes: Axes, limits: Iterable[int]) -> None:
    for limit in limits:
        axes.axvline(limit, color="black", linewidth=1, linestyle=(0, (4, 2)))
        axes.annotate(
            f"limit {size_text(limit)}",
            xy=(limit, 1),
            xycoords=("data", "axes fraction"),
            xytext=(-4, -4),
            textcoords="offset points",
            rotation=90,
            ha="right",
            va="top",
            fontsize=8,
        )


def _place(one: BuildCost) -> tuple[float, float]:
    """Return where a build stands: its device peak and its step time."""
    return one.costs["peak"].value or 0.0, one.costs["step_time"].value or 0.0


def _ends(read: Cost) -> tuple[float, float]:
    """Return the least and the most that was measured, or between what the law lies."""
    if read.measured:
        return read.measured[0], read.measured[-1]
    value = read.value or 0.0
    return value if read.low is None else read.low, value if read.high is None else read.high


def _limits(panel: ParetoPanel) -> list[int]:
    """Return the device limits of the panel's walls that lie near its marks."""
    most = max(_ends(one.costs["peak"])[1] for _, one in panel.shown)
    found = {w.limit_bytes for _, one in panel.shown for w in one.walls if w.kind == "device"}
    return sorted(limit for limit in found if limit <= 1.5 * most)


def _set_scales(axes: Axes, panel: ParetoPanel, limits: Sequence[int]) -> None:
    """Set both axes from 0 on."""
    for name, axis, set_ends, more in (
        ("peak", axes.xaxis, axes.set_xlim, limits),
        ("step_time", axes.yaxis, axes.set_ylim, ()),
    ):
        values = [value for _, one in panel.shown for value in _ends(one.costs[name])]
        most = max(*values, *more) or 1.0
        set_linear(axis, set_ends, (0.0, 1.08 * most), BY_NAME[name].unit)


def _draw_mark(axes: Axes, one: BuildCost, style: dict[str, Any]) -> None:
    peak, time = _place(one)
    bars = [
        np.abs(np.array(_ends(one.costs[axis])) - centre).reshape(2, 1)
        for axis, centre in (("peak", peak), ("step_time", time))
    ]
    colour = style["color"]
    axes.errorbar(peak, time, xerr=bars[0], yerr=bars[1], color=colour, capsize=3, linewidth=1)
    axes.plot(peak, time, zorder=3, **_mark_style(one, style))


def _entry(at: int, one: BuildCost) -> Line2D:
    """Return a build's entry in the legend: its mark, its name, its walls."""
    walls = [f"   wall {wall_text(wall)}" for wall in one.walls]
    text = "\n".join([one.label + _VERDICTS[one.is_optimal], *walls])
    return Line2D([], [], label=text, **_mark_style(one, look.style_of(at)))


def _mark_style(one: BuildCost, style: dict[str, Any]) -> dict[str, Any]:
    """Return the look of a build's mark: hollow and pale where it was not run."""
    predicted = _is_predicted(one)
    return {
        "marker": style["marker"],
        "color": style["color"],
        "markersize": 9,
        "linestyle": "none",
        "alpha": 0.45 if predicted else 1,
        "markerfacecolor": "white" if predicted else style["markerfacecolor"],
    }
