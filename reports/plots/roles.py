"""The figure of what holds the memory: roles stacked over the steps, or at one length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from profiler.analysis.results import RunResults
from profiler.facts import Explanation
from reports.plots import look
from reports.plots.axes import set_linear
from reports.plots.memory import ORDER
from reports.plots.sheet import Drawing, Row, Sheet, Strip
from reports.texts.explanation import ExplainedStep, explained_steps
from reports.texts.numbers import axes_title, bytes_text, steps_text

__all__ = ["no_roles", "roles"]

_PANEL_INCHES, _LINES = 1.25, 4.0


def roles(results: RunResults, sheet: Sheet) -> Drawing | None:
    """Return the figure; None if nothing is explained.

    A stacked area for each build that is explained at two lengths or more; if none is, a stacked
    bar for each.
    """
    steps = explained_steps(results)
    if not steps:
        return None
    grown = [step for step in steps if step.shorter]
    shown = grown or steps
    with sheet.look():
        figure = (_areas if grown else _bars)(shown, sheet)
    return Drawing(figure=figure, numbers=[row for step in shown for row in _rows(step)])


def no_roles(results: RunResults) -> str:
    """Return why there is nothing to draw."""
    reasons = [m.missing.get("trace") for _, m in results.measurements]
    reasons += [wall.unexplained for _, wall in results.walls]
    why = next(filter(None, reasons), None)
    return why or "nothing is explained in it: measure with 'stepwall profile --trace'"


def _areas(steps: Sequence[ExplainedStep], sheet: Sheet) -> Figure:
    across = min(len(steps), 2 if sheet.is_wide else 1)
    down = -(-len(steps) // across)
    columns = 3 if sheet.is_wide else 2
    key = _key([one for step in steps for one in _lengths(step)], sheet, columns)
    strips = [Strip(inches=_PANEL_INCHES, lines=_LINES)] * down
    legend = Strip(inches=sheet.legend_inches(key, columns))
    figure, axes = sheet.figure([*strips, legend], across)
    most = max(sum(one.by_role.values()) for step in steps for one in _lengths(step))
    for at in range(across * down):
        place = axes[at // across][at % across]
        if at < len(steps):
            _area(place, steps[at], most, sheet, sheet.width / across - 0.6)
        else:
            place.set_axis_off()
    _legend(sheet, axes, key, columns)
    return figure


def _area(axes: Axes, step: ExplainedStep, most: int, sheet: Sheet, width: float) -> None:
    lengths = _lengths(step)
    names = [role.value for role in ORDER if any(role.value in one.by_role for one in lengths)]
    axes.stackplot(
        [one.steps for one in lengths],
        [[one.by_role.get(name, 0) for one in lengths] for name in names],
        colors=[look.ROLE_COLOURS[role] for role in ORDER if role.value in names],
        linewidth=0,
    )
    places = [one.steps for one in lengths]
    totals = [sum(one.by_role.values()) for one in lengths]
    axes.plot(places, totals, ".", color="black", markersize=4, clip_on=False)
    axes.set_title(sheet.short(step.series))
    axes.set_xlabel(axes_title(one.axis for one in lengths))
    ticks = sheet.high_ticks(_PANEL_INCHES)
    set_linear(axes.yaxis, axes.set_ylim, (0.0, 1.08 * most or 1.0), "bytes", most_ticks=ticks)
    ends = (places[0], places[-1])
    set_linear(axes.xaxis, axes.set_xlim, ends, "nodes", most_ticks=sheet.ticks(width))


def _bars(steps: Sequence[ExplainedStep], sheet: Sheet) -> Figure:
    columns = 3 if sheet.is_wide else 2
    key = _key([step.explained for step in steps], sheet, columns)
    names = [sheet.short(one.series, _length(one)) for one in steps]
    bars_strip = Strip(inches=sheet.row_inches(names) * len(steps), lines=_LINES)
    legend = Strip(inches=sheet.legend_inches(key, columns))
    figure, axes = sheet.figure([bars_strip, legend], 1)
    bars = axes[0][0]
    bars.set_title("what holds the peak")
    bars.set_yticks(range(len(steps)), names)
    bars.set_ylim(len(steps) - 0.4, -0.6)
    bars.tick_params(axis="y", length=0)
    bars.grid(visible=False, axis="y")
    most = max(sum(step.explained.by_role.values()) for step in steps)
    ticks = sheet.ticks(sheet.width / 2)
    set_linear(bars.xaxis, bars.set_xlim, (0.0, 1.25 * most), "bytes", most_ticks=ticks)
    bars.set_xlabel("device memory")
    for at, step in enumerate(steps):
        left = 0
        for role in ORDER:
            size = step.explained.by_role.get(role.value, 0)
            bars.barh(at, size, left=left, height=0.65, color=look.ROLE_COLOURS[role], linewidth=0)
            left += size
        bars.annotate(
            bytes_text(left), xy=(left, at), xytext=(4, 0), textcoords="offset points", va="center"
        )
    _legend(sheet, axes, key, columns)
    return figure


def _legend(sheet: Sheet, axes: Any, key: Sequence[Patch], columns: int) -> None:
    for place in axes[-1]:
        place.set_axis_off()
    sheet.legend(axes[-1][0], key, columns=columns, across=True)


def _length(step: ExplainedStep) -> str:
    """Return the length, and whether it is the last one that fits."""
    at = steps_text(step.explained.steps, step.explained.axis)
    return f"wall: {at}" if step.is_wall else at


def _lengths(step: ExplainedStep) -> list[Explanation]:
    return sorted([*step.shorter, step.explained], key=lambda one: one.steps)


def _key(explained: Sequence[Explanation], sheet: Sheet, columns: int) -> list[Patch]:
    room = (sheet.width - 0.1) / columns
    names = {role for one in explained for role, size in one.by_role.items() if size}
    return [
        Patch(facecolor=look.ROLE_COLOURS[role], label=sheet.wrapped(role.value, room))
        for role in reversed(ORDER)
        if role.value in names
    ]


def _rows(step: ExplainedStep) -> list[Row]:
    return [
        {
            "panel": step.title,
            "label": step.series,
            "quantity": role,
            "kind": "measured",
            "x": one.steps,
            "x_unit": one.axis,
            "value": size,
            "unit": "bytes",
        }
        for one in _lengths(step)
        for role, size in one.by_role.items()
    ]
