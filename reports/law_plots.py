"""Plots of the laws of growth: points, the law, its residuals, and what it foretells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from profiler.curves import Curve, curves
from profiler.frames import LoadedRun
from profiler.laws import Law
from profiler.metrics import METRICS, Metric
from profiler.prediction import predicted_value
from profiler.results import Certificate, WallStatus
from reports import look
from reports.axes import steps_scale, tick_text, value_scale
from reports.laws import law_text
from reports.plots import Plot, set_scale_of
from reports.series import labelled_walls
from reports.text import count_text

__all__ = ["REACH", "LawPanel", "Line", "law_panels", "law_plots"]

# How far beyond the last measured length a law is drawn, as a multiple of it.
REACH = 8
_CAPTION = (
    "Both axes are logarithmic. Marks were measured, a solid line is the law through them. Right: "
    "how far each point is off its law."
)
_CONTINUED = (
    " In the shaded part nothing was run: a dashed line continues the law, with the interval in "
    "which 95 % of single measurements would lie if it is right. A law that does not foretell its "
    "own longer half is not continued."
)
_BENDS = (
    " Not continued: in longer graphs the framework no longer computes some constants in advance, "
    "which moves memory; stepwall predict takes that into account."
)
_WALLS_TOO = " A diamond is a wall that was found, under its limit."
_LEGEND_CHARACTERS = 42
_INDENT = "\n   "
_DRAWN = 200


@dataclass(frozen=True, kw_only=True)
class Line:
    """One curve, with its place among those of its family, and its walls."""

    curve: Curve
    index: int
    walls: tuple[Certificate, ...] = ()

    @property
    def law(self) -> Law | None:
        """The law, where there is one that says something of a step."""
        return self.curve.clear_law

    @property
    def text(self) -> str:
        """The label and the law in its units."""
        law = self.law
        told = law_text(law, self.curve.metric) if law else "no clear law"
        short = len(self.curve.label) + len(told) < _LEGEND_CHARACTERS
        return f"{self.curve.label}:{' ' if short else _INDENT}{told}"

    @cached_property
    def end(self) -> int:
        """How far the law is drawn: beyond what was measured only if it may be continued."""
        far = REACH * self.curve.last
        known = predicted_value(self.curve, far).value is not None
        return far if known else self.curve.last


@dataclass(frozen=True, kw_only=True)
class LawPanel:
    """One metric of one family; ``last`` is the longest length of any curve in it."""

    family: str
    metric: Metric
    lines: tuple[Line, ...]

    @property
    def last(self) -> int:
        """The longest measured length."""
        return max(line.curve.last for line in self.lines)

    @property
    def end(self) -> int:
        """Where the longest line ends."""
        walls = [wall.last_ok or 0 for line in self.lines for wall in line.walls]
        return max([*(line.end for line in self.lines), *walls])

    @property
    def shows_residuals(self) -> bool:
        """Whether a law is not exact."""
        return any(line.law is not None and not line.law.exact for line in self.lines)


def law_panels(loaded: LoadedRun, metric: Metric) -> list[LawPanel]:
    """Return the panels of one metric, those of families that have a law for it."""
    families: dict[str, list[Curve]] = {}
    for curve in curves(loaded.run):
        if curve.metric is metric:
            families.setdefault(curve.conditions.family, []).append(curve)
    walls = labelled_walls(loaded) if metric.name == "peak" else []
    panels = [
        LawPanel(
            family=family,
            metric=metric,
            lines=tuple(
                Line(curve=curve, index=index, walls=_walls_of(curve, walls))
                for index, curve in enumerate(members)
            ),
        )
        for family, members in families.items()
    ]
    return [panel for panel in panels if any(line.law for line in panel.lines)]


def _walls_of(curve: Curve, walls: Sequence[tuple[str, Certificate]]) -> tuple[Certificate, ...]:
    return tuple(
        wall
        for label, wall in walls
        if (label, wall.family, wall.kind) == (curve.label, curve.conditions.family, "device")
        and wall.last_ok is not None
        and wall.status in {WallStatus.EXACT, WallStatus.BAND}
    )


def law_plots(loaded: LoadedRun) -> list[Plot]:
    """Return one plot for each metric that follows a law; of a run of one length none."""
    found = []
    for metric in METRICS:
        panels = law_panels(loaded, metric)
        if panels:
            with mpl.rc_context(look.LOOK):
                figure = _figure(panels)
            found.append(
                Plot(
                    name=f"law_{metric.name}",
                    title=f"Law of growth: {metric.title}",
                    caption=_caption(metric, panels),
                    figure=figure,
                )
            )
    return found


def _caption(metric: Metric, panels: Sequence[LawPanel]) -> str:
    parts = [_CAPTION]
    if any(panel.end > panel.last for panel in panels):
        parts.append(_CONTINUED)
    if metric.bends:
        parts.append(_BENDS)
    if any(line.walls for panel in panels for line in panel.lines):
        parts.append(_WALLS_TOO)
    return "".join(parts)


def _figure(panels: Sequence[LawPanel]) -> Figure:
    keys = [_entries(panel) for panel in panels]
    heights = [look.row_inches([str(entry.get_label()) for entry in key]) for key in keys]
    figure = Figure(figsize=(10.5, 0.5 + sum(heights)), layout="constrained")
    title = f"Law of growth: {panels[0].metric.title}"
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
    grid = figure.subplots(
        len(panels), 2, squeeze=False, width_ratios=(2.3, 1), height_ratios=heights
    )
    for (main, side), panel, key in zip(grid, panels, keys, strict=True):
        _draw_laws(main, panel)
        _draw_residuals(side, panel)
        side.legend(
            handles=key,
            loc="upper left",
            bbox_to_anchor=(1.02, 1.02),
            frameon=False,
            fontsize=8,
            handlelength=2.6,
            labelspacing=0.6,
        )
    return figure


def _draw_laws(axes: Axes, panel: LawPanel) -> None:
    unit = panel.metric.unit
    shortest = min(steps for line in panel.lines for steps, _ in line.curve.points)
    scale = steps_scale([shortest, max(panel.end, 2 * shortest)])
    positive = [value for value in _values(panel) if value > 0]
    values = value_scale(positive or [1.0], unit, logarithmic=True)
    set_scale_of(axes.set_xscale, axes.xaxis, scale, count_text)
    set_scale_of(axes.set_yscale, axes.yaxis, values, lambda value: tick_text(value, unit))
    axes.set_xlim(scale.low, scale.high)
    axes.set_ylim(values.low, values.high)
    axes.set_title(f"{panel.family}: {panel.metric.title}")
    axes.set_xlabel("time steps")
    if any(line.end > line.curve.last for line in panel.lines):
        _shade(axes, panel.last, scale.high)
    for line in panel.lines:
        _draw_line(axes, line)


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


def _values(panel: LawPanel) -> list[float]:
    """Return every value that is drawn, walls' limits included."""
    found = [value for line in panel.lines for _, value in line.curve.points]
    found += [line.law.at(line.end) for line in panel.lines if line.law]
    return found + [wall.limit_bytes for line in panel.lines for wall in line.walls]


def _draw_line(axes: Axes, line: Line) -> None:
    style = look.style_of(line.index)
    marks = {key: style[key] for key in ("color", "marker", "markerfacecolor")}
    steps = [steps for steps, _ in line.curve.points]
    values = [value if value > 0 else np.nan for _, value in line.curve.points]
    axes.plot(steps, values, linestyle="none", markersize=5, clip_on=False, zorder=3, **marks)
    if line.law is None:
        return
    first, last = line.law.first, line.curve.last
    plain = {"color": style["color"], "linewidth": style["linewidth"]}
    axes.plot(*_drawn(line.law, first, last), linestyle="-", **plain)
    if line.end > last:
        axes.plot(*_drawn(line.law, last, line.end), linestyle=(0, (4, 2.5)), **plain)
        lengths = _lengths(last, line.end)
        ends = np.array([line.law.interval_at(int(n)) for n in lengths])
        low, high = np.maximum(ends[:, 0], np.finfo(float).tiny), ends[:, 1]
        axes.fill_between(lengths, low, high, color=style["color"], alpha=0.15, linewidth=0)
    for wall in line.walls:
        axes.plot(
            wall.last_ok or 0,
            wall.limit_bytes,
            marker=look.WALL_MARKERS[wall.status],
            markersize=8,
            color=style["color"],
            markeredgecolor="black",
            linestyle="none",
            zorder=4,
        )


def _lengths(first: int, last: int) -> npt.NDArray[np.float64]:
    return np.unique(np.round(np.geomspace(first, last, _DRAWN)))


def _drawn(
    law: Law, first: int, last: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return whole steps and the law's values there; what is not positive is left out."""
    lengths = _lengths(first, last)
    values = law.values(lengths)
    return lengths, np.where(values > 0, values, np.nan)


def _draw_residuals(axes: Axes, panel: LawPanel) -> None:
    """Draw how far each point is off its law, in hundredths of the law's value."""
    axes.set_title("off the law")
    if not panel.shows_residuals:
        text = "every law is exact:\nno residual"
        axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", color=look.QUIET)
        axes.set_xticks([])
        axes.set_yticks([])
        return
    scale = steps_scale(
        [steps for line in panel.lines for steps, _ in line.curve.points], most_ticks=5
    )
    set_scale_of(axes.set_xscale, axes.xaxis, scale, count_text)
    axes.set_xlim(scale.low, scale.high)
    axes.axhline(0, color=look.QUIET, linewidth=0.8)
    axes.set_xlabel("time steps")
    axes.yaxis.set_major_formatter(lambda value, _position: f"{value:+g} %" if value else "0")
    for line in panel.lines:
        if line.law is None:
            continue
        style = look.style_of(line.index)
        shares = [
            (point.steps, 100 * point.residual / abs(point.value - point.residual))
            for point in line.law.residuals
            if point.value != point.residual
        ]
        style |= {"markersize": 4, "linewidth": 0.9}
        axes.plot([s for s, _ in shares], [share for _, share in shares], **style)


def _entries(panel: LawPanel) -> list[Line2D | Patch]:
    """Return the legend of a panel: its laws, then its marks."""
    lines: list[Line2D | Patch] = [
        Line2D(
            [],
            [],
            markersize=5,
            label=line.text,
            **{**look.style_of(line.index), "linestyle": "-" if line.law else "none"},
        )
        for line in panel.lines
    ]
    if any(line.end > line.curve.last for line in panel.lines):
        lines.append(
            Line2D([], [], color=look.QUIET, linestyle=(0, (4, 2.5)), label="continued: predicted")
        )
    if any(line.walls for line in panel.lines):
        lines.append(
            Line2D(
                [],
                [],
                marker=look.WALL_MARKERS[WallStatus.EXACT],
                markersize=7,
                color=look.QUIET,
                markeredgecolor="black",
                linestyle="none",
                label="the wall: the most steps that survived",
            )
        )
    return lines
