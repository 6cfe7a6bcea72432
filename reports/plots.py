"""The plots of a report: matplotlib figures out of panels; the only module with matplotlib."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from profiler.frames import LoadedRun
from profiler.results import WallStatus
from reports.axes import Scale, steps_scale, tick_text, value_scale
from reports.series import Panel, Series, Wall, panels
from reports.subjects import SUBJECTS, Subject
from reports.text import count_text, outcome_text, size_text, steps_text

__all__ = ["Plot", "image", "plots"]

# Okabe and Ito's palette for all kinds of colour vision, without its yellow (faint on white).
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = ("o", "s", "^", "v", "<", ">", "p", "h")
_DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.2, 1.4)), (0, (6, 2, 1.2, 2)))
_FAILURE_MARKERS = {"oom_device": "X", "oom_host": "X"}
_OTHER_FAILURE = "P"
_WALL_MARKERS = {WallStatus.EXACT: "D", WallStatus.AT_LEAST: ">", WallStatus.AT_MOST: "<"}
_WALL_KEYS = {
    WallStatus.EXACT: "the wall: the most steps that survived",
    WallStatus.AT_LEAST: "the wall lies further on",
    WallStatus.AT_MOST: "the wall lies before this",
}
_QUIET = "#555555"
_LOOK: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#999999",
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.8,
    "svg.hashsalt": "stepwall",
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "xtick.labelcolor": "#222222",
    "ytick.labelcolor": "#222222",
}


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A figure with its file name, its heading, and a line on what it shows and how."""

    name: str
    title: str
    caption: str
    figure: Figure


def plots(loaded: LoadedRun) -> list[Plot]:
    """Return the plots of a run; a subject of which nothing was measured is left out."""
    with mpl.rc_context(_LOOK):
        drawn = [(subject, _figure(subject, loaded)) for subject in SUBJECTS]
    return [
        Plot(name=s.name, title=s.title, caption=s.caption, figure=figure)
        for s, figure in drawn
        if figure is not None
    ]


def image(figure: Figure, kind: str) -> bytes:
    """Return a figure as the bytes of a ``png`` or ``svg`` file, the same every time."""
    target = io.BytesIO()
    stamps = {"Date": None} if kind == "svg" else {}
    with mpl.rc_context(_LOOK):
        figure.savefig(target, format=kind, dpi=150, metadata=stamps)
    return target.getvalue()


def _figure(subject: Subject, loaded: LoadedRun) -> Figure | None:
    columns = [panels(loaded, metric) for metric in subject.metrics]
    columns = [column for column in columns if not all(panel.is_empty for panel in column)]
    rows = [row for row in zip(*columns, strict=True) if not all(p.is_empty for p in row)]
    if not rows:
        return None
    figure = Figure(figsize=(10.5, 0.5 + 3.3 * len(rows)), layout="constrained")
    figure.suptitle(subject.title, x=0.01, ha="left", fontsize=13, fontweight="bold")
    grid = figure.subplots(len(rows), len(columns), squeeze=False, sharey="row")
    for line, row in zip(grid, rows, strict=True):
        _draw_row(line, row)
    return figure


def _draw_row(line: Sequence[Axes], row: Sequence[Panel]) -> None:
    values = [value for panel in row for value in _heights(panel)]
    for index, (axes, panel) in enumerate(zip(line, row, strict=True)):
        scale = steps_scale(_steps(panel) or [s for other in row for s in _steps(other)])
        vertical = value_scale(values or [1.0], panel.metric.unit, logarithmic=scale.logarithmic)
        _set_axes(axes, scale, vertical, panel, first=index == 0)
        _draw(axes, panel)
    _legend(line[-1], row)


def _set_axes(axes: Axes, steps: Scale, values: Scale, panel: Panel, *, first: bool) -> None:
    unit = panel.metric.unit
    _set_scale(axes.set_xscale, axes.xaxis, steps, count_text)
    _set_scale(axes.set_yscale, axes.yaxis, values, lambda value: tick_text(value, unit))
    axes.set_xlim(steps.low, steps.high)
    axes.set_ylim(values.low, values.high)
    axes.set_title(f"{panel.family}: {panel.metric.title}")
    axes.set_xlabel("time steps" + (" (log scale)" if steps.logarithmic else ""))
    if first:
        noun = {"nodes": "nodes", "bytes": "memory", "seconds": "time"}[unit]
        axes.set_ylabel(noun + (" (log scale)" if values.logarithmic else ""))


def _set_scale(
    set_scale: Callable[..., None], axis: Any, scale: Scale, text: Callable[[float], str]
) -> None:
    if scale.logarithmic:
        set_scale("log", base=2)
    if scale.ticks:
        axis.set_major_locator(FixedLocator(list(scale.ticks)))
        axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _position: text(value)))


def _steps(panel: Panel) -> list[int]:
    """Return every number of steps that the panel has a mark at."""
    found: list[int] = []
    for series in panel.series:
        found += [spot.steps for spot in series.spots]
        found += [failure.steps for failure in series.failures]
        for wall in series.walls:
            found += [] if wall.steps is None else [wall.steps]
            found += [probe.steps for probe in wall.probes]
    return found


def _heights(panel: Panel) -> list[float]:
    found: list[float] = list(panel.limits)
    for series in panel.series:
        probes = [probe for wall in series.walls for probe in wall.probes]
        found += [value for spot in (*series.spots, *probes) for value in (spot.low, spot.high)]
    return found


def _draw(axes: Axes, panel: Panel) -> None:
    if panel.is_empty:
        axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", color=_QUIET)
    _draw_limits(axes, panel.limits)
    buried = _buried(panel.series)
    for index, series in enumerate(panel.series):
        style = _style(index)
        # A line that others cover is drawn wider, so that it stays visible around them.
        width = 1.7 + buried[index] * min(2.4, 12 / len(panel.series))
        _draw_spots(axes, series, {**style, "linewidth": width, "markersize": 4 + width})
        for wall in series.walls:
            _draw_wall(axes, series, wall, style["color"])
    for index, series in enumerate(panel.series):
        _draw_failures(axes, series, _style(index)["color"])


def _style(index: int) -> dict[str, Any]:
    colour = _COLOURS[index % len(_COLOURS)]
    return {
        "color": colour,
        "marker": _MARKERS[index % len(_MARKERS)],
        "linestyle": _DASHES[index % len(_DASHES)],
        "markerfacecolor": colour if index % 2 == 0 else "white",
        "linewidth": 1.7,
    }


def _buried(series: Sequence[Series]) -> list[int]:
    """Return for each series how many later ones lie on top of it."""
    values = [{spot.steps: spot.median for spot in one.spots} for one in series]
    return [
        sum(_coincide(mine, other) for other in values[index + 1 :])
        for index, mine in enumerate(values)
    ]


def _coincide(mine: dict[int, float], other: dict[int, float]) -> bool:
    shared = mine.keys() & other.keys()
    close = [s for s in shared if abs(mine[s] - other[s]) <= 0.06 * abs(mine[s])]
    return len(close) > len(shared) / 2


def _draw_spots(axes: Axes, series: Series, style: dict[str, Any]) -> None:
    if not series.spots:
        return
    steps = [spot.steps for spot in series.spots]
    axes.plot(steps, [spot.median for spot in series.spots], clip_on=False, **style)
    if any(spot.low != spot.high for spot in series.spots):
        low, high = [s.low for s in series.spots], [s.high for s in series.spots]
        axes.fill_between(steps, low, high, color=style["color"], alpha=0.2, linewidth=0)


def _draw_limits(axes: Axes, limits: Iterable[int]) -> None:
    for limit in limits:
        axes.axhline(limit, color="black", linewidth=1, linestyle=(0, (4, 2)))
        axes.annotate(
            f"limit {size_text(limit)}",
            xy=(0, limit),
            xycoords=("axes fraction", "data"),
            xytext=(14, 3),
            textcoords="offset points",
            fontsize=8,
        )


def _draw_wall(axes: Axes, series: Series, wall: Wall, colour: str) -> None:
    dots = [(probe.steps, probe.median) for probe in wall.probes]
    axes.plot([d[0] for d in dots], [d[1] for d in dots], ".", color=colour, markersize=4)
    if wall.steps is None or wall.status is WallStatus.UNPROVEN:
        return
    below = [spot for spot in (*series.spots, *wall.probes) if spot.steps < wall.steps]
    if below:
        last = max(below, key=lambda spot: spot.steps)
        ends = [last.steps, wall.steps], [last.median, wall.limit_bytes]
        axes.plot(*ends, ":", color=colour, linewidth=1)
    axes.vlines(wall.steps, 0, wall.limit_bytes, colors=colour, linewidth=0.8, alpha=0.5)
    axes.plot(
        wall.steps,
        wall.limit_bytes,
        marker=_WALL_MARKERS[wall.status],
        markersize=8,
        color=colour,
        markeredgecolor="black",
        linestyle="none",
        zorder=4,
        clip_on=False,
    )


def _draw_failures(axes: Axes, series: Series, colour: str) -> None:
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
            marker=_FAILURE_MARKERS.get(failure.status, _OTHER_FAILURE),
            markersize=11,
            markerfacecolor=colour,
            markeredgecolor="black",
            linestyle="none",
            zorder=5,
            clip_on=False,
        )


def _legend(axes: Axes, row: Sequence[Panel]) -> None:
    last = row[-1]
    shown = [
        (index, series)
        for index, series in enumerate(last.series)
        if any(p.series[index].spots or p.series[index].failures for p in row) or series.walls
    ]
    handles = [
        Line2D([], [], markersize=6, label=_with_walls(series, last), **_style(index))
        for index, series in shown
    ]
    axes.legend(
        handles=[*handles, *_key(row)],
        loc="upper left",
        bbox_to_anchor=(1.01, 1.02),
        frameon=False,
        fontsize=8.5,
        handlelength=3.2,
        labelspacing=0.6,
    )


def _with_walls(series: Series, panel: Panel) -> str:
    lines = [series.label]
    for wall in series.walls:
        limit = f" under {size_text(wall.limit_bytes)}" if len(panel.limits) > 1 else ""
        lines.append(f"   {_wall_text(wall)}{limit}")
    return "\n".join(lines)


def _wall_text(wall: Wall) -> str:
    steps = steps_text(wall.steps or 0)
    return {
        WallStatus.EXACT: f"survives {steps}",
        WallStatus.AT_LEAST: f"still survives {steps}",
        WallStatus.AT_MOST: f"runs out even at {steps}",
        WallStatus.UNPROVEN: "no wall proven",
    }[wall.status]


def _key(row: Sequence[Panel]) -> list[Line2D]:
    """Return the legend entries of the marks that are not lines."""
    every = [series for panel in row for series in panel.series]
    statuses = dict.fromkeys(failure.status for one in every for failure in one.failures)
    walls = dict.fromkeys(wall.status for one in every for wall in one.walls)
    key = [
        _mark(_FAILURE_MARKERS.get(status, _OTHER_FAILURE), 9, _failure_text(status))
        for status in statuses
    ]
    key += [_mark(_WALL_MARKERS[w], 7, _WALL_KEYS[w]) for w in walls if w in _WALL_MARKERS]
    if any(probe for one in every for wall in one.walls for probe in wall.probes):
        key.append(_mark(".", 5, "another run of the search"))
    return key


def _failure_text(status: str) -> str:
    text = outcome_text(status)
    return text if status.startswith("oom") else f"failed: {text}"


def _mark(marker: str, size: float, label: str) -> Line2D:
    return Line2D(
        [],
        [],
        marker=marker,
        markersize=size,
        color=_QUIET,
        markeredgecolor="black",
        linestyle="none",
        label=label,
    )
