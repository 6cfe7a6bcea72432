"""Plots of choices: step time against device peak at one length, one mark per build."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.ticker import FixedLocator, FuncFormatter
from matplotlib.transforms import Bbox

from profiler.analysis.crossover.choices import AXES, BuildCost, Reading, choices, common_length
from profiler.analysis.laws import Array
from profiler.analysis.metrics import BY_NAME
from profiler.store.frames import LoadedRun
from reports.plots import look
from reports.plots.axes import tick_text, value_scale
from reports.plots.measurements import Plot
from reports.plots.panels import Unit
from reports.tables.choices import wall_text
from reports.texts.numbers import size_text, steps_text

__all__ = ["Panel", "pareto_figure", "pareto_plots"]

_TITLE = "What a step costs: time against memory"
_CAPTION = (
    "One training step of each build at the same length: lower left is better. Bars span the "
    "repeats. The line joins the Pareto-optimal builds: no other is better in one axis and no "
    "worse in the other. Where noise hides that, there is a question mark."
)
_PANEL_INCHES = 4.4
_PAIR = 2
_ROOM = 1.2
_MARK_DOTS = 8
_LINE_POINTS = 60
# A label that is cut off is worse than one over as many others.
_OUTSIDE = 10
_VERDICTS = {True: ", Pareto-optimal", False: "", None: ", Pareto-optimal?"}
# Where a label may stand, in points from its mark: the nearest free place is taken.
_FAR = (9, 22, 38, 56, 76)
_SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))


@dataclass(frozen=True, kw_only=True)
class Panel:
    """The builds that are compared at one length."""

    title: str
    steps: int
    builds: tuple[BuildCost, ...]

    @property
    def shown(self) -> list[tuple[int, BuildCost]]:
        """The builds of which both axes are known, with their position among all."""
        return [(at, one) for at, one in enumerate(self.builds) if _is_known(one)]


def _is_known(one: BuildCost) -> bool:
    return all(axis in one.readings and one.readings[axis].value is not None for axis in AXES)


def _is_predicted(one: BuildCost) -> bool:
    return any(one.readings[axis].is_predicted for axis in AXES)


def pareto_plots(loaded: LoadedRun) -> list[Plot]:
    """Return the plot of a run: a panel for each family of two builds or more at one length."""
    panels = [panel for panel in _panels(loaded) if len(panel.shown) >= _PAIR]
    if not panels:
        return []
    figure = pareto_figure(panels)
    return [Plot(name="choices", title=_TITLE, caption=_CAPTION, figure=figure)]


def _panels(loaded: LoadedRun) -> Iterator[Panel]:
    for family, members in loaded.family_curves().items():
        weighed = [curve for curve in members if curve.metric.name in AXES]
        steps = common_length(weighed)
        if steps is not None:
            builds = tuple(choices(members, loaded.run.walls, steps=steps))
            yield Panel(title=family, steps=steps, builds=builds)


def pareto_figure(panels: Sequence[Panel]) -> Figure:
    """Return the figure of these panels, one below the other."""
    with mpl.rc_context(look.LOOK):
        figure = Figure(figsize=(10.5, 0.5 + _PANEL_INCHES * len(panels)), layout="constrained")
        figure.suptitle(_TITLE, x=0.01, ha="left", fontsize=13, fontweight="bold")
        grid = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
        for axes, panel in zip(grid, panels, strict=True):
            _draw(axes, panel)
        # Labels are placed in dots, which are known once the layout is.
        FigureCanvasAgg(figure)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        for axes, panel in zip(grid, panels, strict=True):
            _label(axes, panel)
    return figure


def _draw(axes: Axes, panel: Panel) -> None:
    hollow = any(_is_predicted(one) for _, one in panel.shown)
    note = " (hollow: not run, by its law)" if hollow else ""
    axes.set_title(f"{panel.title} at {steps_text(panel.steps)}{note}")
    axes.set_xlabel(BY_NAME["peak"].title)
    axes.set_ylabel(BY_NAME["step_time"].title)
    limits = _limits(panel)
    _set_scales(axes, panel, limits)
    axes.plot(*_front(panel).T, color=look.QUIET, linewidth=1, zorder=1.5)
    for at, one in panel.shown:
        _draw_mark(axes, one, look.style_of(at))
    _draw_limits(axes, limits)


def _front(panel: Panel) -> Array:
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
    return one.readings["peak"].value or 0.0, one.readings["step_time"].value or 0.0


def _ends(read: Reading) -> tuple[float, float]:
    """Return the least and the most that was measured, or between what the law lies."""
    if read.measured:
        return read.measured[0], read.measured[-1]
    value = read.value or 0.0
    return value if read.low is None else read.low, value if read.high is None else read.high


def _limits(panel: Panel) -> list[int]:
    """Return the device limits of the panel's walls that lie near its marks."""
    most = max(_ends(one.readings["peak"])[1] for _, one in panel.shown)
    found = {w.limit_bytes for _, one in panel.shown for w in one.walls if w.kind == "device"}
    return sorted(limit for limit in found if limit <= 1.5 * most)


def _set_scales(axes: Axes, panel: Panel, limits: Sequence[int]) -> None:
    """Set both axes from 0 on, with room for the labels."""
    for name, axis, set_ends, more in (
        ("peak", axes.xaxis, axes.set_xlim, limits),
        ("step_time", axes.yaxis, axes.set_ylim, ()),
    ):
        values = [value for _, one in panel.shown for value in _ends(one.readings[name])]
        unit = BY_NAME[name].unit
        scale = value_scale([*values, *more, _ROOM * max(values)], unit, logarithmic=False)
        set_ends(0, scale.high)
        if scale.ticks:
            axis.set_major_locator(FixedLocator(list(scale.ticks)))
        axis.set_major_formatter(FuncFormatter(functools.partial(_tick, unit=unit)))


def _tick(value: float, _position: int | None, *, unit: Unit) -> str:
    return tick_text(value, unit)


def _draw_mark(axes: Axes, one: BuildCost, style: dict[str, Any]) -> None:
    peak, time = _place(one)
    bars = [
        np.abs(np.array(_ends(one.readings[axis])) - centre).reshape(2, 1)
        for axis, centre in (("peak", peak), ("step_time", time))
    ]
    colour = style["color"]
    axes.errorbar(peak, time, xerr=bars[0], yerr=bars[1], color=colour, capsize=3, linewidth=1)
    predicted = _is_predicted(one)
    axes.plot(
        peak,
        time,
        marker=style["marker"],
        color=colour,
        markersize=9,
        linestyle="none",
        alpha=0.45 if predicted else 1,
        markerfacecolor="white" if predicted else style["markerfacecolor"],
        zorder=3,
    )


def _label(axes: Axes, panel: Panel) -> None:
    """Write each build's name and walls beside its mark, where nothing else stands."""
    marks = _boxes(axes, np.array([_place(one) for _, one in panel.shown]), _MARK_DOTS)
    taken = [*marks, *_boxes(axes, _along(_front(panel)), 1), *_limit_boxes(axes, panel)]
    for at, one in sorted(panel.shown, key=lambda item: _place(item[1])[::-1]):
        label = _annotation(axes, one, look.style_of(at)["color"])
        far = _move(label, axes, taken)
        taken.append(label.get_window_extent())
        if far > _FAR[0]:
            _lead(axes, label)


def _boxes(axes: Axes, places: Array, half: float) -> list[Bbox]:
    dots = axes.transData.transform(places).tolist()
    return [Bbox.from_bounds(x, y, 0, 0).padded(half) for x, y in dots]


def _limit_boxes(axes: Axes, panel: Panel) -> list[Bbox]:
    """Return where the lines of the limits stand, and their texts."""
    frame = axes.get_window_extent()
    lines = [axes.transData.transform((limit, 0))[0] for limit in _limits(panel)]
    return [
        *(Bbox.from_extents(x - 1, frame.y0, x + 1, frame.y1) for x in lines),
        *(text.get_window_extent() for text in axes.texts),
    ]


def _along(corners: Array) -> Array:
    """Return points along the line through these corners; none for no corner."""
    if not len(corners):
        return corners
    at = np.linspace(0, len(corners) - 1, _LINE_POINTS * len(corners))
    ends = np.arange(len(corners))
    return np.column_stack([np.interp(at, ends, column) for column in corners.T])


def _annotation(axes: Axes, one: BuildCost, colour: str) -> Annotation:
    walls = [f"wall {wall_text(wall)}" for wall in one.walls]
    return axes.annotate(
        "\n".join([one.label + _VERDICTS[one.is_optimal], *walls]),
        xy=_place(one),
        xytext=(0, 0),
        textcoords="offset points",
        fontsize=8,
        color=colour,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
        in_layout=False,
    )


def _move(label: Annotation, axes: Axes, taken: Sequence[Bbox]) -> int:
    """Move a label to the nearest free place, and return its distance from the mark."""
    frame = axes.get_window_extent()
    best, fewest = (_FAR[0], _SIDES[0]), float("inf")
    for far, side in product(_FAR, _SIDES):
        _stand(label, far, side)
        box = label.get_window_extent()
        inside = all(frame.contains(x, y) for x, y in box.corners().tolist())
        hits = sum(box.overlaps(other) for other in taken) + (0 if inside else _OUTSIDE)
        if hits < fewest:
            best, fewest = (far, side), hits
        if not hits:
            break
    _stand(label, *best)
    return best[0]


def _stand(label: Annotation, far: int, side: tuple[int, int]) -> None:
    right, up = side
    label.set_position((far * right, far * up))
    # A text that is aligned to its left stands on the right.
    label.set_horizontalalignment("left" if right > 0 else "right" if right else "center")
    label.set_verticalalignment("bottom" if up > 0 else "top" if up else "center")


def _lead(axes: Axes, label: Annotation) -> None:
    """Draw a thin line from a mark to its label that stands further off."""
    axes.annotate(
        "",
        xy=label.xy,
        xytext=label.get_position(),
        textcoords="offset points",
        arrowprops={"arrowstyle": "-", "color": label.get_color(), "linewidth": 0.7},
        in_layout=False,
    )
