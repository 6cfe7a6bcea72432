"""The figure of growth: metrics against the steps, with laws and what they predict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from profiler.analysis.metrics import Metric
from profiler.analysis.results import RunResults
from profiler.analysis.series import SAME, coinciding
from profiler.facts import Point
from reports.plots import look
from reports.plots.axes import are_geometric, set_steps, set_values
from reports.plots.law_panels import LawPanel, Line, metric_panels
from reports.plots.sheet import Drawing, Row, Sheet, Strip
from reports.texts.numbers import axes_title

__all__ = ["DEFAULT_METRICS", "Coinciding", "groups", "growth"]

DEFAULT_METRICS = ("nodes", "build_time", "peak")
_PANEL_INCHES = 1.25
# Of text around a panel: its title, the ticks and what they are of.
_LINES = 4.0
# Values that differ less at every length are one line on paper.
_DRAWN = 100
_DASHED = (0, (3, 2))


@dataclass(frozen=True, kw_only=True)
class Coinciding:
    """Lines that lie on one another; the first one is drawn."""

    lines: tuple[Line, ...]

    @property
    def first(self) -> Line:
        """The one that is drawn."""
        return self.lines[0]

    @property
    def text(self) -> str:
        """Their names, and how far they are apart at most."""
        names = ", ".join(line.series.label for line in self.lines)
        if self.lines[1:]:
            equal = all(line.series.points == self.first.series.points for line in self.lines)
            names += " (equal)" if equal else f" (within {100 * SAME:g} %)"
        return names


def groups(panel: LawPanel) -> list[Coinciding]:
    """Return the lines of a panel in groups that no eye can tell apart, in their order."""
    found = coinciding(panel.lines, lambda line: line.series)
    return [Coinciding(lines=tuple(group)) for group in found]


def growth(
    results: RunResults, metrics: Sequence[Metric], sheet: Sheet, *, predicted: bool
) -> Drawing | None:
    """Return the figure; None if nothing of these metrics was measured.

    Args:
        results: the run, or the part of it that was chosen.
        metrics: a panel for each, and each family.
        sheet: its size and look.
        predicted: whether laws are continued beyond what was measured.
    """
    columns = {metric.name: metric_panels(results, metric) for metric in metrics}
    families = dict.fromkeys(panel.family for found in columns.values() for panel in found)
    rows = [
        [panel for found in columns.values() for panel in found if panel.family == family]
        for family in families
    ]
    if not rows:
        return None
    if not sheet.is_wide:
        rows = [[panel] for row in rows for panel in row]
    across = max(map(len, rows))
    width = sheet.width / across - sheet.margin
    with sheet.look():
        keys = [[_entries(panel, sheet, width) for panel in row] for row in rows]
        heights: list[Strip] = []
        for each in keys:
            heights.append(Strip(inches=_PANEL_INCHES, lines=_LINES))
            heights.append(Strip(inches=max(map(sheet.legend_inches, each))))
        figure, axes = sheet.figure(heights, across)
        for at, (row, key) in enumerate(zip(rows, keys, strict=True)):
            for place in range(across):
                if place < len(row):
                    _draw(axes[2 * at][place], row[place], sheet, width, predicted=predicted)
                    sheet.legend(axes[2 * at + 1][place], key[place])
                else:
                    axes[2 * at][place].set_axis_off()
                    axes[2 * at + 1][place].set_axis_off()
    panels = [panel for row in rows for panel in row]
    return Drawing(
        figure=figure, numbers=[r for p in panels for r in _rows(p, predicted=predicted)]
    )


def _draw(axes: Axes, panel: LawPanel, sheet: Sheet, width: float, *, predicted: bool) -> None:
    steps = [n for line in panel.lines for n, _ in line.series.points]
    values = [value for line in panel.lines for _, value in line.series.points]
    ahead = [one for line in panel.lines if predicted for one in line.ahead]
    shown = [*steps, *(one.steps for one in ahead)]
    chosen = sheet.logarithmic
    across = are_geometric(steps) if chosen is None else "x" in chosen
    up = are_geometric(steps) if chosen is None else "y" in chosen
    title = axes_title(panel.axes)
    ticks = sheet.ticks(width)
    set_steps(axes, shown, logarithmic=across, title=title, most_ticks=ticks)
    ends = [*values, *(one.value for one in ahead)]
    set_values(
        axes,
        ends,
        panel.metric.unit,
        logarithmic=up,
        named=False,
        most_ticks=sheet.high_ticks(_PANEL_INCHES),
    )
    axes.set_xlabel(title)
    axes.set_title(sheet.wrapped(f"{panel.family}: {panel.metric.title}", width + 0.4))
    if ahead:
        axes.axvspan(panel.last, axes.get_xlim()[1], color="#f2f2f2", zorder=0, linewidth=0)
    for group in groups(panel):
        _draw_line(axes, group.first, sheet, predicted=predicted)


def _draw_line(axes: Axes, line: Line, sheet: Sheet, *, predicted: bool) -> None:
    look_of = sheet.style_of(line.index)
    marks = {name: look_of[name] for name in ("color", "marker", "markerfacecolor", "markersize")}
    steps, values = zip(*line.series.points, strict=True)
    axes.plot(steps, values, linestyle="none", clip_on=False, zorder=3, **marks)
    plain = {name: look_of[name] for name in ("color", "linewidth")}
    if line.law:
        lengths = np.unique(np.round(np.geomspace(line.law.first, line.series.last, _DRAWN)))
        axes.plot(lengths, line.law.values(lengths), linestyle=look_of["linestyle"], **plain)
    else:
        axes.plot(*zip(*line.medians.items(), strict=True), linestyle=":", **plain)
    if predicted and line.ahead:
        at = [one.steps for one in line.ahead]
        axes.plot(at, [one.value for one in line.ahead], linestyle=_DASHED, **plain)
        low, high = [one.low for one in line.ahead], [one.high for one in line.ahead]
        axes.fill_between(at, low, high, color=look_of["color"], alpha=0.15, linewidth=0)


def _entries(panel: LawPanel, sheet: Sheet, width: float) -> list[Line2D]:
    entries = [
        Line2D(
            [],
            [],
            label=_text(group, sheet, width),
            **{
                **sheet.style_of(group.first.index),
                **({} if group.first.law else {"linestyle": ":"}),
            },
        )
        for group in groups(panel)
    ]
    if panel.continued:
        dashes = {"color": look.QUIET, "linestyle": _DASHED, "linewidth": 1.2}
        text = "predicted, with its 95 % interval"
        entries.append(Line2D([], [], label=sheet.wrapped(text, width), **dashes))  # type: ignore[arg-type]
    return entries


def _text(group: Coinciding, sheet: Sheet, width: float) -> str:
    """Return the names and the law of the first: in one line if there is room."""
    one = f"{group.text}: {group.first.law_text}"
    short = len(one) <= sheet.letters(width)
    return one if short else sheet.wrapped(f"{group.text}\n  {group.first.law_text}", width)


def _rows(panel: LawPanel, *, predicted: bool) -> list[Row]:
    found: list[Row] = []
    for line in panel.lines:
        known = _conditions(panel, line)
        for steps, value in line.medians.items():
            repeats = line.series.values_at(steps)
            ends = {"low": min(repeats), "high": max(repeats), "repeats": len(repeats)}
            found.append({**known, "kind": "measured", "x": steps, "value": value, **ends})
        if line.law:
            lengths = np.array(line.series.lengths)
            values = line.law.values(lengths)
            law = {"kind": "law", "law": line.law_text}
            found += [
                {**known, **law, "x": int(steps), "value": float(value)}
                for steps, value in zip(lengths, values, strict=True)
                if steps >= line.law.first
            ]
        found += [
            {
                **known,
                "kind": "predicted",
                "x": one.steps,
                "value": one.value,
                "low": one.low,
                "high": one.high,
            }
            for one in (line.ahead if predicted else ())
        ]
    return found


def _conditions(panel: LawPanel, line: Line) -> Row:
    point: Point = line.series.conditions
    return {
        "panel": panel.family,
        "label": line.series.label,
        "quantity": panel.metric.name,
        "x_unit": line.axis,
        "unit": panel.metric.unit,
        "schedule": point.schedule.value,
        "device": point.device,
    }
