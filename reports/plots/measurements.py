"""The plots of a report: matplotlib figures out of panels; the only module with matplotlib."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from profiler.analysis.results import RunResults
from profiler.facts import WallStatus
from reports.plots import look
from reports.plots.axes import are_geometric, set_steps, set_values
from reports.plots.legend import BAND_END, WALL_KEYS, failure_text, series_text
from reports.plots.letters import missing_letters_allowed, shortened, with_short_lines, written_out
from reports.plots.panels import MetricPanel, PanelSeries, WallMarks, panels
from reports.plots.specs import PlotSpec, plot_specs
from reports.texts.numbers import axes_title, size_text

__all__ = [
    "Plot",
    "draw",
    "draw_legend",
    "draw_limits",
    "image",
    "mark",
    "plots",
]

# Characters of a line in a legend, and of any line where longer ones would leave no room.
_WIDEST, _SHORT = 60, 30
_WIDE_COLUMNS, _FEW_TICKS, _MANY_TICKS = 2, 5, 9


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A figure with its file name, its heading, and a line on what it shows and how."""

    name: str
    title: str
    caption: str
    figure: Figure


def plots(results: RunResults) -> list[Plot]:
    """Return the plots of a run; one of which nothing was measured is left out.

    A run that explains points of one length is about that: nothing grows, nothing is drawn.
    """
    lengths = {m.point.steps for _, m in results.measurements}
    explains = any(m.trace is not None for _, m in results.measurements)
    if explains and len(lengths) == 1 and not results.run.walls:
        return []
    found = (draw(spec, results) for spec in plot_specs(results))
    return [plot for plot in found if plot is not None]


def draw(spec: PlotSpec, results: RunResults) -> Plot | None:
    """Return one plot of a run; None if nothing of it was measured."""
    with mpl.rc_context(look.LOOK):
        figure = _figure(spec, results)
    if figure is None:
        return None
    return Plot(name=spec.name, title=spec.title, caption=spec.caption, figure=figure)


def image(figure: Figure, kind: str) -> bytes:
    """Return a figure as the bytes of a ``png`` or ``svg`` file, the same every time."""
    with mpl.rc_context(look.LOOK), missing_letters_allowed():
        whole = written_out(figure)
        try:
            data = _saved(whole, kind, no_room="error")
        except UserWarning:  # a name is longer than the figure is wide
            data = _saved(with_short_lines(whole, _SHORT), kind, no_room="ignore")
    # It is the same for every kind of file, and takes half of the time.
    figure.set_layout_engine(None)
    return data


def _saved(figure: Figure, kind: str, *, no_room: Literal["error", "ignore"]) -> bytes:
    """Return a figure as a file; ``no_room``: what to do where its texts leave its axes none."""
    target = io.BytesIO()
    stamps = {"Date": None} if kind == "svg" else {}
    with warnings.catch_warnings():
        warnings.filterwarnings(no_room, message="constrained_layout not applied")
        figure.savefig(target, format=kind, dpi=150, metadata=stamps)
    return target.getvalue()


def _figure(spec: PlotSpec, results: RunResults) -> Figure | None:
    columns = [panels(results, metric) for metric in spec.metrics]
    columns = [column for column in columns if not all(panel.is_empty for panel in column)]
    rows = [row for row in zip(*columns, strict=True) if not all(p.is_empty for p in row)]
    if not rows:
        return None
    keys = [_entries(row) for row in rows]
    heights = [look.row_inches([str(entry.get_label()) for entry in entries]) for entries in keys]
    figure = Figure(figsize=(10.5, 0.5 + sum(heights)), layout="constrained")
    figure.suptitle(spec.title, x=0.01, ha="left", fontsize=13, fontweight="bold")
    grid = figure.subplots(
        len(rows), len(columns), squeeze=False, sharey="row", height_ratios=heights
    )
    for line, row, entries in zip(grid, rows, keys, strict=True):
        _draw_row(line, row)
        draw_legend(line[-1], entries)
    return figure


def _draw_row(line: Sequence[Axes], row: Sequence[MetricPanel]) -> None:
    values = [value for panel in row for value in panel.values]
    most = _FEW_TICKS if len(row) > _WIDE_COLUMNS else _MANY_TICKS
    steps = [_steps(panel, row) for panel in row]
    # Walls lie anywhere between doubled steps: one kind of axis for all, to compare them by eye.
    log = any(map(are_geometric, steps))
    for axes, panel, shown in zip(line, row, steps, strict=True):
        title = axes_title(axis for one in row for axis in one.axes)
        set_steps(axes, shown, logarithmic=log, most_ticks=most, title=title)
        unit = panel.metric.unit
        set_values(axes, values or [1.0], unit, logarithmic=log, named=axes is line[0])
        axes.set_title(f"{panel.family}: {panel.metric.title}")
        _draw(axes, panel)


def _steps(panel: MetricPanel, row: Sequence[MetricPanel]) -> list[int]:
    return [s for other in row for s in other.steps] if panel.is_empty else panel.steps


def _draw(axes: Axes, panel: MetricPanel) -> None:
    if panel.is_empty:
        axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", color=look.QUIET)
        return
    draw_limits(axes, panel.limits)
    medians = [{spot.steps: spot.median for spot in series.spots} for series in panel.series]
    widths = look.line_widths(medians)
    for index, series in enumerate(panel.series):
        size = {"linewidth": widths[index], "markersize": 4 + widths[index]}
        style = {**look.style_of(index), **size}
        _draw_spots(axes, series, style)
        for wall in series.walls:
            _draw_wall(axes, series, wall, style["color"])
    for index, series in enumerate(panel.series):
        _draw_failures(axes, series, look.style_of(index)["color"])


def _draw_spots(axes: Axes, series: PanelSeries, style: dict[str, Any]) -> None:
    if not series.spots:
        return
    steps = [spot.steps for spot in series.spots]
    axes.plot(steps, [spot.median for spot in series.spots], clip_on=False, **style)
    if any(spot.low != spot.high for spot in series.spots):
        low, high = [s.low for s in series.spots], [s.high for s in series.spots]
        axes.fill_between(steps, low, high, color=style["color"], alpha=0.2, linewidth=0)


def draw_limits(axes: Axes, limits: Iterable[int]) -> None:
    """Draw a line for each memory limit, with its size."""
    for limit in limits:
        axes.axhline(limit, color="black", linewidth=1, linestyle=(0, (4, 2)))
        axes.annotate(
            f"limit {size_text(limit)}",
            xy=(0, limit),
            xycoords=("axes fraction", "data"),
            xytext=(14, 7),
            textcoords="offset points",
            fontsize=8,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
            zorder=3.5,
        )


def _draw_wall(axes: Axes, series: PanelSeries, wall: WallMarks, colour: str) -> None:
    dots = [(probe.steps, probe.median) for probe in wall.probes]
    axes.plot([d[0] for d in dots], [d[1] for d in dots], ".", color=colour, markersize=4)
    heights = [wall.limit_bytes] * len(wall.failed)
    axes.plot(wall.failed, heights, "x", color=colour, markersize=5)
    if wall.steps is None or wall.status is WallStatus.UNPROVEN:
        return
    _draw_band(axes, wall, colour)
    _draw_prediction(axes, wall, colour)
    below = [spot for spot in (*series.spots, *wall.probes) if spot.steps < wall.steps]
    if below:
        last = max(below, key=lambda spot: spot.steps)
        ends = [last.steps, wall.steps], [last.median, wall.limit_bytes]
        axes.plot(*ends, ":", color=colour, linewidth=1)
    axes.vlines(wall.steps, 0, wall.limit_bytes, colors=colour, linewidth=0.8, alpha=0.5)
    _mark_wall(axes, wall.steps, wall, color=colour)


def _mark_wall(axes: Axes, steps: int, wall: WallMarks, **style: Any) -> None:
    shape = {"marker": look.WALL_MARKERS[wall.status], **style}
    axes.plot(steps, wall.limit_bytes, **look.WALL, **shape)


def _draw_band(axes: Axes, wall: WallMarks, colour: str) -> None:
    """Shade the steps of a band, to the edge of the plot where it has no end."""
    if wall.status is not WallStatus.BAND:
        return
    left, right = axes.get_xlim()
    ends = (wall.last_ok or left, wall.first_oom or right)
    axes.fill_between(ends, axes.get_ylim()[0], wall.limit_bytes, color=colour, alpha=0.18, lw=0)
    if wall.first_oom is not None:
        _mark_wall(axes, wall.first_oom, wall, color=colour, markerfacecolor="white")


def _draw_prediction(axes: Axes, wall: WallMarks, colour: str) -> None:
    if wall.predicted is not None:
        bar = {**look.PREDICTED, "color": colour}
        axes.plot(wall.predicted, wall.limit_bytes, zorder=3, clip_on=False, **bar)


def _draw_failures(axes: Axes, series: PanelSeries, colour: str) -> None:
    for failure in series.failures:
        height, transform = failure.value, axes.transData
        if height is None:
            height, transform = 0.03, axes.get_xaxis_transform()
        before = [spot.steps for spot in series.spots if spot.steps <= failure.steps]
        if before:
            ends = before[-1], failure.steps
            axes.hlines(height, *ends, colors=colour, linestyles=":", linewidth=0.9, alpha=0.7)
        axes.plot(
            failure.steps,
            height,
            transform=transform,
            marker=look.failure_marker(failure.status),
            markersize=11,
            markerfacecolor=colour,
            markeredgecolor="black",
            linestyle="none",
            zorder=5,
            clip_on=False,
        )


def _entries(row: Sequence[MetricPanel]) -> list[Line2D]:
    """Return the legend of a row: its series, then its marks."""
    last = row[-1]
    shown = [
        (index, series)
        for index, series in enumerate(last.series)
        if any(p.series[index].spots or p.series[index].failures for p in row) or series.walls
    ]
    handles = [
        Line2D([], [], markersize=6, label=series_text(series, last), **look.style_of(index))
        for index, series in shown
    ]
    return [*handles, *_key(row)]


def draw_legend(axes: Axes, entries: Sequence[Line2D]) -> None:
    """Write the legend of a row to the right of its last axes."""
    place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.02), "frameon": False}
    legend = axes.legend(handles=entries, fontsize=8.5, handlelength=3.2, labelspacing=0.6, **place)
    for text in legend.get_texts():
        text.set_text(shortened(text.get_text(), _WIDEST))


def _key(row: Sequence[MetricPanel]) -> list[Line2D]:
    """Return the legend entries of the marks that are not lines."""
    every = [series for panel in row for series in panel.series]
    statuses = dict.fromkeys(failure.status for one in every for failure in one.failures)
    walls = dict.fromkeys(wall.status for one in every for wall in one.walls)
    key = [mark(look.failure_marker(status), 9, failure_text(status)) for status in statuses]
    key += [mark(look.WALL_MARKERS[w], 7, WALL_KEYS[w]) for w in walls if w in look.WALL_MARKERS]
    if WallStatus.BAND in walls:
        key.append(mark(look.WALL_MARKERS[WallStatus.BAND], 7, BAND_END, markerfacecolor="white"))
    if any(wall.predicted is not None for one in every for wall in one.walls):
        shown = {**look.PREDICTED, "color": look.QUIET, "markersize": 12}
        key.append(Line2D([], [], label="predicted before any run near it", **shown))
    if any(wall.probes for one in every for wall in one.walls):
        key.append(mark(".", 5, "another run of the search"))
    if any(wall.failed for one in every for wall in one.walls):
        key.append(mark("x", 5, "a run of the search that failed", markeredgecolor=look.QUIET))
    return key


def mark(marker: str, size: float, label: str, **style: Any) -> Line2D:
    """Return the legend entry of a mark that belongs to no line."""
    shown = {"color": look.QUIET, "markeredgecolor": "black", **style}
    return Line2D([], [], marker=marker, markersize=size, linestyle="none", label=label, **shown)
