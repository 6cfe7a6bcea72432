"""A run in a terminal: where memory ends as bars, its memory over the steps as a chart."""

from __future__ import annotations

from collections.abc import Iterator

from profiler.analysis.metrics import BY_NAME
from profiler.analysis.results import RunResults
from profiler.facts import Certificate, WallStatus
from profiler.lengths import is_plural
from reports.tables.costs import reach_text
from reports.texts.chart import Bar, bars, chart
from reports.texts.numbers import UNIT_TEXTS, axes_title, size_text

__all__ = ["chart_lines"]

_METRICS = ("peak", "nodes", "host", "step_time")
_MOST_CHARTS = 3


def chart_lines(results: RunResults, width: int) -> list[str]:
    """Return the charts of a run as lines no wider than a terminal of that width."""
    return [*_wall_lines(results, width), *_growth_lines(results, width)]


def _wall_lines(results: RunResults, width: int) -> Iterator[str]:
    groups: dict[tuple[str, int, str], list[tuple[str, Certificate]]] = {}
    for label, wall in results.walls:
        groups.setdefault((wall.kind, wall.limit_bytes, wall.axis), []).append((label, wall))
    for (kind, limit_bytes, axis), found in groups.items():
        verb = "survive" if is_plural(axis) else "survives"
        yield f"{axes_title([axis])} that {verb} under {size_text(limit_bytes)} of {kind} memory"
        found.sort(key=lambda one: -(one[1].last_ok or 0))
        yield from bars([_bar(label, wall) for label, wall in found], width)
        yield ""


def _bar(label: str, wall: Certificate) -> Bar:
    proven = wall.status is not WallStatus.UNPROVEN
    return Bar(label=label, value=wall.last_ok if proven else None, text=reach_text(wall))


def _growth_lines(results: RunResults, width: int) -> Iterator[str]:
    """Yield the chart of the first metric that was measured, for each family over each axis."""
    drawn = 0
    for family, members in results.comparable_series:
        name = next((n for n in _METRICS if any(m.metric.name == n for m in members)), None)
        shown = [m for m in members if m.metric.name == name and m.lengths[1:]]
        if name is None or not shown:
            continue
        drawn += 1
        if drawn > _MOST_CHARTS:
            continue
        metric = BY_NAME[name]
        kinds = {"peak": "device", "host": "host"}
        labels = {one.label for one in shown}
        limits = {
            float(wall.limit_bytes): f"limit {size_text(wall.limit_bytes)}"
            for label, wall in results.walls
            if wall.kind == kinds.get(name) and label in labels
        }
        axis = axes_title([shown[0].conditions.axis])
        yield f"{family}: {metric.title} over {axis}"
        points = {one.label: one.points for one in shown}
        yield from chart(points, width, UNIT_TEXTS[metric.unit], limits=limits)
        yield ""
    if drawn > _MOST_CHARTS:
        more = drawn - _MOST_CHARTS
        yield f"({more} more {'family is' if more == 1 else 'families are'} in the report)"
