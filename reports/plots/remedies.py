"""The figure of remedies: how far each build goes and what it costs, or what a step needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from profiler.analysis.crossover.trade_offs import TradeOff
from profiler.analysis.metrics import Unit
from profiler.analysis.results import RunResults
from profiler.facts import Remedy
from reports.plots import look
from reports.plots.axes import set_linear
from reports.plots.sheet import Drawing, Row, Sheet, Strip
from reports.tables.costs import reach_text
from reports.tables.trade_offs import TradeOffs, compared
from reports.texts.explanation import ExplainedStep, explained_steps
from reports.texts.numbers import UNIT_TEXTS, axes_title, bytes_text, size_text, steps_text

__all__ = ["no_remedies", "remedies"]

_LINES, _SCATTER_INCHES = 5.2, 1.7
_BEST, _OTHER, _UNSURE = "#0072B2", "#9ecae1", "#d9d9d9"
_VERDICTS = {
    _BEST: "best: no other one is better in both",
    _OTHER: "another one is better",
    _UNSURE: "not known, or within noise",
}
_TRIED = {_BEST: "less than as it is, in every schedule that was tried"}


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One bar: a number with its ends, or the reason that there is none."""

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    text: str = ""
    colour: str = _OTHER


@dataclass(frozen=True, kw_only=True)
class Bars:
    """Bars of one quantity."""

    title: str
    axis: str
    unit: Unit
    bars: tuple[Bar, ...]


def remedies(results: RunResults, sheet: Sheet, *, pareto: bool) -> Drawing | None:
    """Return the figure of what moves the walls, else of what was tried on explained steps.

    Args:
        results: the run.
        sheet: its size and look.
        pareto: a mark for each build, step time against wall, instead of bars.
    """
    found = compared(results)
    if found:
        figure = (
            _pareto(found, sheet) if pareto else _drawn(_reaches(found), sheet, texts=_VERDICTS)
        )
        return Drawing(figure=figure, numbers=[row for one in found for row in _rows(one)])
    tried = [step for step in explained_steps(results) if step.explained.remedies]
    if not tried:
        return None
    rows = [row for step in tried for row in _tried_rows(step)]
    figure = _drawn([[_tried(step)] for step in tried], sheet, texts=_TRIED)
    return Drawing(figure=figure, numbers=rows)


def no_remedies(results: RunResults) -> str:
    """Return why there is nothing to draw."""
    if results.walls:
        return "no family has the walls of two builds that were measured at one length"
    return (
        "it has neither walls of two builds ('stepwall profile --suite remedies --wall-limit "
        "64MiB') nor a step on which remedies were tried ('stepwall explain')"
    )


def _reaches(found: Sequence[TradeOffs]) -> list[list[Bars]]:
    rows = []
    for one in found:
        axis = one.builds[0].conditions.axis
        under = f"under {size_text(one.limit_bytes)} of {one.kind} memory"
        reach = Bars(
            title=f"{one.family}: {axes_title([axis])} that survive\n{under}",
            axis=axes_title([axis]),
            unit="nodes",
            bars=tuple(_reach(each) for each in one.found),
        )
        cost = Bars(
            title=f"{one.family}: time of a training step\nat {steps_text(one.steps, axis)}",
            axis="step time",
            unit="seconds",
            bars=tuple(_step(each) for each in one.found),
        )
        rows.append([reach, cost])
    return rows


def _colour(one: TradeOff) -> str:
    return {True: _BEST, False: _OTHER, None: _UNSURE}[one.is_best]


def _reach(one: TradeOff) -> Bar:
    last = one.wall.last_ok if one.wall else None
    high = one.wall.first_oom if one.wall and one.wall.first_oom else last
    text = "not searched" if one.wall is None else reach_text(one.wall)
    if one.wall is not None:
        text = text.replace(f" {one.wall.axis}", "")
    return Bar(
        label=one.build.label, value=last, low=last, high=high, text=text, colour=_colour(one)
    )


def _step(one: TradeOff) -> Bar:
    cost = one.build.costs.get("step_time")
    if cost is None or cost.value is None:
        return Bar(label=one.build.label, value=None, text="not known")
    sign = "≈ " if cost.is_predicted else ""
    return Bar(
        label=one.build.label,
        value=cost.value,
        low=_finite(cost.measured[0] if cost.measured else cost.low),
        high=_finite(cost.measured[-1] if cost.measured else cost.high),
        text=f"{sign}{UNIT_TEXTS['seconds'](cost.value)}",
        colour=_colour(one),
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _tried(step: ExplainedStep) -> Bars:
    first = step.explained.remedies[0]
    as_it_is = Bar(label="as it is", value=first.before_bytes, text=bytes_text(first.before_bytes))
    return Bars(
        title=f"{step.title}: peak, by what was tried",
        axis="device memory",
        unit="bytes",
        bars=(as_it_is, *map(_remedy, step.explained.remedies)),
    )


def _remedy(one: Remedy) -> Bar:
    text = bytes_text(one.peak_bytes) if one.peak_bytes else "did not end well"
    lower = one.share is not None and one.share < 0 and not one.is_contradicted
    return Bar(label=one.name, value=one.peak_bytes, text=text, colour=_BEST if lower else _OTHER)


def _drawn(rows: Sequence[Sequence[Bars]], sheet: Sheet, *, texts: dict[str, str]) -> Figure:
    shown = rows if sheet.is_wide else [[bars] for row in rows for bars in row]
    with sheet.look():
        colours = {bar.colour for row in rows for bars in row for bar in bars.bars}
        key = [_square(colour, text) for colour, text in texts.items() if colour in colours]
        names = [sheet.short(bar.label) for row in rows for bars in row for bar in bars.bars]
        each = sheet.row_inches(names)
        strips = [Strip(inches=each * len(row[0].bars), lines=_LINES) for row in shown]
        strips.append(Strip(inches=sheet.legend_inches(key)))
        across = max(map(len, shown))
        figure, axes = sheet.figure(strips, across)
        for line, row in zip(axes, shown, strict=False):
            for at, place in enumerate(line):
                if at < len(row):
                    _bars(place, row[at], sheet, named=at == 0, width=sheet.width / across)
                else:
                    place.set_axis_off()
        for place in axes[-1]:
            place.set_axis_off()
        sheet.legend(axes[-1][0], key, across=True)
    return figure


def _square(colour: str, text: str) -> Line2D:
    return Line2D([], [], marker="s", linestyle="none", color=colour, label=text)


def _bars(axes: Axes, bars: Bars, sheet: Sheet, *, named: bool, width: float) -> None:
    axes.set_title(sheet.wrapped(bars.title, 0.56 * width, marked=False))
    names = [sheet.short(bar.label) if named else "" for bar in bars.bars]
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(bars.axis)
    known = [end for bar in bars.bars for end in (bar.value, bar.high) if end is not None]
    most = max(known, default=0) or 1.0
    ticks = sheet.ticks(width / 2.5)
    set_linear(axes.xaxis, axes.set_xlim, (0.0, 1.45 * most), bars.unit, most_ticks=ticks)
    for at, bar in enumerate(bars.bars):
        value = bar.value or 0.0
        axes.barh(at, value, height=0.62, color=bar.colour, edgecolor="#555555", linewidth=0.4)
        low = value if bar.low is None else bar.low
        high = value if bar.high is None else bar.high
        if low != high:
            axes.plot([max(low, 0), high], [at, at], color="black", linewidth=0.9)
        axes.annotate(
            bar.text,
            xy=(max(value, high), at),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
        )


def _pareto(found: Sequence[TradeOffs], sheet: Sheet) -> Figure:
    with sheet.look():
        keys = [_marks(one, sheet) for one in found]
        strips: list[Strip] = []
        for key in keys:
            strips.append(Strip(inches=_SCATTER_INCHES, lines=_LINES))
            strips.append(Strip(inches=sheet.legend_inches(key)))
        figure, axes = sheet.figure(strips, 1)
        for at, (one, key) in enumerate(zip(found, keys, strict=True)):
            _scatter(axes[2 * at][0], one, sheet)
            sheet.legend(axes[2 * at + 1][0], key)
    return figure


@dataclass(frozen=True, kw_only=True)
class _Mark:
    """A build of which both numbers are known: its wall, and its step time with its ends."""

    at: int
    one: TradeOff
    steps: float
    seconds: float
    low: float
    high: float


def _known(found: TradeOffs) -> list[_Mark]:
    marks = []
    for at, one in enumerate(found.found):
        steps, step = _reach(one).value, _step(one)
        if steps is None or step.value is None:
            continue
        low = step.value if step.low is None else step.low
        high = step.value if step.high is None else step.high
        marks.append(_Mark(at=at, one=one, steps=steps, seconds=step.value, low=low, high=high))
    return marks


def _scatter(axes: Axes, found: TradeOffs, sheet: Sheet) -> None:
    axis = found.builds[0].conditions.axis
    title = f"{found.family}, {size_text(found.limit_bytes)} of {found.kind} memory"
    axes.set_title(sheet.wrapped(title, sheet.width - 0.5, marked=False))
    axes.set_xlabel(f"{axes_title([axis])} that survive (more is better)")
    axes.set_ylabel(f"time of a step at {steps_text(found.steps, axis)}")
    marks = _known(found)
    front = sorted((mark.steps, mark.seconds) for mark in marks if mark.one.is_best)
    axes.plot([x for x, _ in front], [y for _, y in front], color=look.QUIET, linewidth=0.9)
    for mark in marks:
        style = {**sheet.style_of(mark.at), "linestyle": "none", "markersize": 6, "zorder": 3}
        axes.plot(mark.steps, mark.seconds, **style)
        axes.vlines(mark.steps, mark.low, mark.high, colors=style["color"], linewidth=0.9)
    across = (0.0, 1.1 * max((mark.steps for mark in marks), default=0) or 1.0)
    ticks = sheet.ticks(sheet.width - 0.7)
    set_linear(axes.xaxis, axes.set_xlim, across, "nodes", most_ticks=ticks)
    up = (0.0, 1.1 * max((mark.high for mark in marks), default=0) or 1.0)
    ticks = sheet.high_ticks(_SCATTER_INCHES)
    set_linear(axes.yaxis, axes.set_ylim, up, "seconds", most_ticks=ticks)


def _marks(found: TradeOffs, sheet: Sheet) -> list[Line2D]:
    verdicts = {True: " (best)", False: "", None: " (best?)"}
    return [
        Line2D(
            [],
            [],
            label=sheet.wrapped(
                mark.one.build.label + verdicts[mark.one.is_best], sheet.width - 0.6
            ),
            **{**sheet.style_of(mark.at), "linestyle": "none", "markersize": 6},
        )
        for mark in _known(found)
    ]


def _rows(one: TradeOffs) -> list[Row]:
    axis = one.builds[0].conditions.axis
    wall = {"quantity": "wall", "x": one.limit_bytes, "x_unit": "bytes", "unit": axis}
    step = {"quantity": "step_time", "x": one.steps, "x_unit": axis, "unit": "seconds"}
    pick: list[tuple[Row, Callable[[TradeOff], Bar]]] = [(wall, _reach), (step, _step)]
    return [
        {
            "panel": one.family,
            "label": each.build.label,
            **about,
            "kind": "predicted" if bar.text.startswith("≈") else "measured",
            "value": bar.value,
            "low": bar.low,
            "high": bar.high,
            "best": {True: "yes", False: "no", None: "unknown"}[each.is_best],
        }
        for about, make in pick
        for each in one.found
        if (bar := make(each)).value is not None
    ]


def _tried_rows(step: ExplainedStep) -> list[Row]:
    return [
        {
            "panel": step.title,
            "label": bar.label,
            "quantity": "peak",
            "kind": "measured",
            "x": step.explained.remedies[0].steps,
            "x_unit": step.explained.axis,
            "value": bar.value,
            "unit": "bytes",
        }
        for bar in _tried(step).bars
        if bar.value is not None
    ]
