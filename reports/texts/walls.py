"""What the wall certificates of a run say, in sentences."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from profiler.analysis.results import RunResults
from profiler.facts import Certificate, WallStatus
from profiler.lengths import counted
from reports.texts.certificate import learned_text, miss_text, predicted_text
from reports.texts.numbers import count_text, shortage_text, size_text, steps_text

__all__ = [
    "LabelledWall",
    "prediction_sentences",
    "price_sentences",
    "shortage_sentences",
    "wall_clause",
    "wall_groups",
    "wall_pair",
    "wall_sentence",
]

LabelledWall = tuple[str, Certificate]


def wall_clause(label: str, wall: Certificate) -> str:
    """Return what a certificate says of a scenario, without its conditions."""
    last, first = (steps_text(one or 0, wall.axis) for one in (wall.last_ok, wall.first_oom))
    oom = count_text(wall.first_oom or 0)
    return {
        WallStatus.EXACT: f"{label} survives {last} and runs out of memory at {oom}",
        WallStatus.BAND: f"{label} {_band_text(wall)}",
        WallStatus.AT_LEAST: f"{label} still survives {last}, the most that were tried",
        WallStatus.AT_MOST: f"{label} runs out of memory even at {first}",
        WallStatus.UNPROVEN: f"no wall was proven for {label} ({wall.reason or 'no reason given'})",
    }[wall.status]


def wall_groups(results: RunResults) -> list[list[LabelledWall]]:
    """Return the walls of each family or facet, over one axis, under one limit."""
    groups: dict[tuple[str, str, int, str], list[LabelledWall]] = {}
    for label, wall in results.walls:
        key = (results.labels.facet(wall), wall.kind, wall.limit_bytes, wall.axis)
        groups.setdefault(key, []).append((label, wall))
    return list(groups.values())


def wall_sentence(group: Sequence[LabelledWall]) -> str:
    """Return what the certificates of a group say, under their common limit."""
    wall = group[0][1]
    clauses = "; ".join(wall_clause(*item) for item in group)
    return f"Under {size_text(wall.limit_bytes)} of {wall.kind} memory, {clauses}."


def shortage_sentences(group: Sequence[LabelledWall]) -> list[str]:
    """Return what ran out at the walls of a group, where the framework said it."""
    clauses = [
        f"{label} at {steps_text(probe.steps, wall.axis)}, {shortage_text(probe.outcome.shortage)}"
        for label, wall in group
        if (probe := wall.failure) and probe.outcome.shortage
    ]
    wall = group[0][1]
    under = f"under {size_text(wall.limit_bytes)} of {wall.kind} memory"
    return [f"What ran out {under}: {'; '.join(clauses)}."] if clauses else []


def prediction_sentences(results: RunResults) -> list[str]:
    """Return how far off the predictions were, for each kind of memory."""
    kinds: dict[str, list[LabelledWall]] = {}
    for label, wall in results.walls:
        if wall.prediction_error_steps is not None:
            kinds.setdefault(wall.kind, []).append((label, wall))
    return [_predictions(kind, walls) for kind, walls in kinds.items()]


def price_sentences(results: RunResults) -> list[str]:
    """Return what the searches cost against the two runs that prove a wall."""
    prices = [f"{price:.1f}" for wall in results.run.walls if (price := wall.price) is not None]
    if not prices:
        return []
    ends = dict.fromkeys((min(prices, key=float), max(prices, key=float)))
    searches = "this search" if len(prices) == 1 else "these searches"
    return [f"Proving a wall takes two runs; {searches} took {' to '.join(ends)} times as long."]


def wall_pair(results: RunResults, names: Collection[str]) -> list[LabelledWall]:
    """Return the walls of these series, or else the lowest and the highest of a group."""
    groups = [
        [item for item in group if item[1].status is not WallStatus.UNPROVEN]
        for group in wall_groups(results)
    ]
    if not any(groups):
        return []
    group = max(groups, key=lambda one: (sum(item[0] in names for item in one), len(one)))
    named = [item for item in group if item[0] in names]
    ordered = sorted(named if len(named) > 1 else group, key=lambda item: item[1].last_ok or 0)
    return [ordered[0], ordered[-1]] if len(ordered) > 1 else ordered


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


def _predictions(kind: str, walls: Sequence[LabelledWall]) -> str:
    if len(walls) == 1:
        label, wall = walls[0]
        predicted = counted(predicted_text(wall), wall.axis)
        learned = ", ".join(filter(None, ("before any run near it", learned_text(wall))))
        return f"{label}'s {kind} wall was predicted at {predicted} {learned}: {miss_text(wall)}."
    right = sum(wall.prediction_error_steps == 0 for _, wall in walls)
    label, worst = max(walls, key=lambda item: _share_missed(item[1]))
    text = (
        f"Of {len(walls)} {kind} walls predicted before any run near them, "
        f"{right or 'none'} {'was' if right < 2 else 'were'} right"  # noqa: PLR2004
    )
    return (
        f"{text}."
        if right == len(walls)
        else f"{text}; furthest off is {label}: {miss_text(worst)}."
    )


def _share_missed(wall: Certificate) -> float:
    return abs(wall.prediction_error_steps or 0) / (wall.last_ok or 1)
