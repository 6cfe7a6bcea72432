"""The figure of the walls: predicted, proven and band, one row for each build."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from profiler.analysis.results import RunResults
from profiler.facts import Certificate, WallStatus
from reports.plots import look
from reports.plots.sheet import Drawing, Row, Sheet, Strip
from reports.tables.costs import reach_text
from reports.texts.numbers import axes_title, count_text, size_text

__all__ = ["Labelled", "no_walls", "walls"]

Labelled = tuple[str, Certificate]
_LINES = 4.0
_SHAPES = {**look.WALL_MARKERS, WallStatus.AT_LEAST: ">", WallStatus.AT_MOST: "<"}
_KEYS = {
    WallStatus.EXACT: "proven: survives this, runs out at the next",
    WallStatus.BAND: "band: survives here every time, runs out at its end every time",
    WallStatus.AT_LEAST: "survives this: the wall lies further on",
    WallStatus.AT_MOST: "runs out here: the wall lies before",
    WallStatus.REPLAYED: "replayed: no device ran",
}
_COLOURS = {
    WallStatus.EXACT: "#0072B2",
    WallStatus.BAND: "#D55E00",
    WallStatus.AT_LEAST: "#009E73",
    WallStatus.AT_MOST: "#CC79A7",
    WallStatus.REPLAYED: "#777777",
}


def walls(results: RunResults, sheet: Sheet) -> Drawing | None:
    """Return the figure, a panel for each limit; None if no wall was found."""
    groups: dict[tuple[str, int, str], list[Labelled]] = {}
    for label, wall in results.walls:
        if _end(wall) is not None:
            groups.setdefault((wall.kind, wall.limit_bytes, wall.axis), []).append((label, wall))
    if not groups:
        return None
    shown = [sorted(group, key=lambda one: -(_end(one[1]) or 0)) for group in groups.values()]
    with sheet.look():
        key = _key([wall for group in shown for _, wall in group], sheet)
        names = [sheet.short(label) for group in shown for label, _ in group]
        row = sheet.row_inches(names)
        strips = [Strip(inches=row * len(group), lines=_LINES) for group in shown]
        strips.append(Strip(inches=sheet.legend_inches(key)))
        figure, axes = sheet.figure(strips, 1)
        for place, group in zip(axes[:, 0], shown, strict=False):
            _draw(place, group, sheet)
        sheet.legend(axes[-1][0], key, across=True)
    return Drawing(
        figure=figure, numbers=[row for group in shown for one in group for row in _rows(one)]
    )


def no_walls(results: RunResults) -> str:
    """Return why there is no wall to draw."""
    if results.walls:
        return f"none of its {len(results.walls)} walls was proven"
    return "it has no wall: search some with 'stepwall profile --wall-limit 64MiB'"


def _end(wall: Certificate) -> int | None:
    """Return where a wall is marked: at its survivor, else at its failure; None for unproven."""
    if wall.status is WallStatus.UNPROVEN:
        return None
    return wall.last_ok if wall.last_ok is not None else wall.first_oom


def _draw(axes: Axes, group: Sequence[Labelled], sheet: Sheet) -> None:
    wall = group[0][1]
    axes.set_title(f"under {size_text(wall.limit_bytes)} of {wall.kind} memory")
    axes.set_yticks(range(len(group)), [sheet.short(label) for label, _ in group])
    axes.set_ylim(len(group) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(axes_title([wall.axis]))
    ends = [number for _, one in group for number in _numbers(one)]
    if "x" in (sheet.logarithmic or ""):
        axes.set_xscale("log")
        axes.set_xlim(min(ends) / 1.3, max(ends) * 1.6)
    else:
        # Room for the number that stands to the right of the furthest mark.
        axes.set_xlim(0, 1.3 * max(ends))
        axes.xaxis.set_major_locator(MaxNLocator(sheet.ticks(sheet.width / 2), integer=True))
    axes.xaxis.set_major_formatter(lambda value, _position: count_text(value))
    for at, (_, one) in enumerate(group):
        _draw_wall(axes, at, one)


def _draw_wall(axes: Axes, at: int, wall: Certificate) -> None:
    colour = _COLOURS[wall.status]
    last = _end(wall) or 0
    start = axes.get_xlim()[0]
    axes.plot([start, last], [at, at], color=colour, linewidth=1.2, alpha=0.5, zorder=1)
    if wall.status is WallStatus.BAND:
        end = wall.first_oom or axes.get_xlim()[1]
        axes.barh(at, end - last, left=last, height=0.5, color=colour, alpha=0.35, linewidth=0)
    style: dict[str, Any] = {
        "marker": _SHAPES[wall.status],
        "markersize": 5.5,
        "markeredgecolor": "black",
    }
    axes.plot(last, at, color=colour, linestyle="none", zorder=3, clip_on=False, **style)
    margin = _margin(wall)
    if margin is not None and wall.predicted is not None:
        axes.plot(margin, [at, at], color="black", linewidth=0.8, zorder=4)
        axes.plot(wall.predicted, at, "|", color="black", markersize=11, zorder=4)
    axes.annotate(
        reach_text(wall).removesuffix(f" {wall.axis}"),
        xy=(max(_numbers(wall)), at),
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
    )


def _numbers(wall: Certificate) -> list[float]:
    known = (wall.last_ok, wall.first_oom, *(_margin(wall) or ()))
    return [number for number in known if number is not None]


def _margin(wall: Certificate) -> tuple[float, float] | None:
    """Return between what the wall was predicted; None where it was not."""
    if wall.predicted is None:
        return None
    low, high = wall.predicted_low, wall.predicted_high
    return wall.predicted if low is None else low, wall.predicted if high is None else high


def _key(found: Sequence[Certificate], sheet: Sheet) -> list[Line2D | Patch]:
    statuses = dict.fromkeys(wall.status for wall in found)
    key: list[Line2D | Patch] = [
        Line2D(
            [],
            [],
            marker=_SHAPES[status],
            color=_COLOURS[status],
            markeredgecolor="black",
            markersize=5.5,
            linestyle="none",
            label=sheet.wrapped(_KEYS[status], sheet.width - 0.3),
        )
        for status in statuses
    ]
    if any(wall.predicted is not None for wall in found):
        text = "predicted before any run near it, with its margin"
        style = {"marker": "|", "markersize": 11, "color": "black", "linewidth": 0.8}
        key.append(Line2D([], [], label=sheet.wrapped(text, sheet.width - 0.3), **style))  # type: ignore[arg-type]
    return key


def _rows(one: Labelled) -> list[Row]:
    label, wall = one
    known: Row = {
        "panel": f"{wall.kind} memory",
        "label": label,
        "quantity": "wall",
        "x": wall.limit_bytes,
        "x_unit": "bytes",
        "unit": wall.axis,
        "status": wall.status.value,
        "schedule": wall.schedule.value,
        "device": wall.device,
    }
    low, high = _margin(wall) or (None, None)
    numbers: list[Row] = [
        {"kind": "survives", "value": wall.last_ok},
        {"kind": "runs out", "value": wall.first_oom},
        {"kind": "predicted", "value": wall.predicted, "low": low, "high": high},
    ]
    return [{**known, **row} for row in numbers if row["value"] is not None]
