"""What the legend of a plot says of its series, walls and failed points."""

from __future__ import annotations

from profiler.facts import Status, WallStatus
from profiler.lengths import counted
from reports.plots.panels import MetricPanel, PanelSeries, WallMarks
from reports.texts.numbers import DASH, count_text, outcome_text, size_text, steps_text

__all__ = ["BAND_END", "WALL_KEYS", "failure_text", "series_text"]

WALL_KEYS = {
    WallStatus.EXACT: "the wall: the most that survived",
    WallStatus.BAND: "a band: the most that survived every time",
    WallStatus.AT_LEAST: "the wall lies further on",
    WallStatus.AT_MOST: "the wall lies before this",
    WallStatus.REPLAYED: "a replayed wall: no device ran",
}
BAND_END = "its end: from here, memory ran out every time"


def series_text(series: PanelSeries, panel: MetricPanel) -> str:
    """Return the label of a series, and a line for each of its walls."""
    lines = [series.label]
    for wall in series.walls:
        limit = f" under {size_text(wall.limit_bytes)}" if len(panel.limits) > 1 else ""
        predicted = "" if wall.predicted is None else f" (predicted {count_text(wall.predicted)})"
        lines.append(f"   {_wall_text(wall, series.axis)}{limit}{predicted}")
    return "\n".join(lines)


def failure_text(status: Status) -> str:
    """Return what the mark of a failed point says."""
    text = outcome_text(status)
    return text if status.is_oom else f"failed: {text}"


def _wall_text(wall: WallMarks, axis: str) -> str:
    steps = steps_text(wall.steps or 0, axis)
    band = counted(f"{_end(wall.last_ok)} to {_end(wall.first_oom)}", axis)
    return {
        WallStatus.EXACT: f"survives {steps}",
        WallStatus.BAND: f"band: {band}",
        WallStatus.AT_LEAST: f"still survives {steps}",
        WallStatus.AT_MOST: f"runs out even at {steps}",
        WallStatus.REPLAYED: f"replayed wall: {steps}",
        WallStatus.UNPROVEN: "no wall proven",
    }[wall.status]


def _end(steps: int | None) -> str:
    return DASH if steps is None else count_text(steps)
