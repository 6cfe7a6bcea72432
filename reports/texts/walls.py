"""What the wall certificates of a run say, in sentences."""

from __future__ import annotations

from profiler.analysis.results import RunResults
from profiler.facts import Certificate, WallStatus
from reports.texts.certificate import islands_text
from reports.texts.numbers import count_text, steps_text

__all__ = ["LabelledWall", "wall_clause", "wall_groups"]

LabelledWall = tuple[str, Certificate]


def wall_clause(label: str, wall: Certificate) -> str:
    """Return what a certificate says of a scenario, without its conditions."""
    last, first = (steps_text(one or 0, wall.axis) for one in (wall.last_ok, wall.first_oom))
    oom = count_text(wall.first_oom or 0)
    text = {
        WallStatus.EXACT: f"{label} survives {last} and runs out of memory at {oom}",
        WallStatus.BAND: f"{label} {_band_text(wall)}",
        WallStatus.AT_LEAST: f"{label} still survives {last}, the most that were tried",
        WallStatus.AT_MOST: f"{label} runs out of memory even at {first}",
        WallStatus.REPLAYED: f"{label} {_replayed_text(wall)}",
        WallStatus.UNPROVEN: f"no wall was proven for {label} ({wall.reason or 'no reason given'})",
    }[wall.status]
    return "; ".join(filter(None, (text, islands_text(wall))))


def wall_groups(results: RunResults) -> list[list[LabelledWall]]:
    """Return the walls of each family or facet, over one axis, under one limit."""
    groups: dict[tuple[str, str, int, str], list[LabelledWall]] = {}
    for label, wall in results.walls:
        key = (results.labels.facet(wall), wall.kind, wall.limit_bytes, wall.axis)
        groups.setdefault(key, []).append((label, wall))
    return list(groups.values())


def _replayed_text(wall: Certificate) -> str:
    last, first = wall.last_ok, wall.first_oom
    survives = None if last is None else f"survive {steps_text(last, wall.axis)}"
    ends = None if first is None else f"run out of memory at {steps_text(first, wall.axis)}"
    would = " and ".join(filter(None, (survives, ends)))
    return f"would {would}, as replayed: no device ran"


def _band_text(wall: Certificate) -> str:
    last, first = wall.last_ok, wall.first_oom
    survives = None if last is None else f"survives {steps_text(last, wall.axis)} every time"
    ends = None if first is None else f"runs out of memory at {count_text(first)} every time"
    if survives and ends:
        return f"{survives} and {ends}; outcomes in between varied from run to run"
    if survives:
        return f"{survives}; outcomes beyond varied from run to run"
    if ends:
        return f"{ends}; outcomes before varied from run to run"
    return "has outcomes that varied from run to run wherever it was run"
