"""What each build costs at one length, and which are Pareto-optimal: a table, notes and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from profiler.analysis.crossover.costs import PARETO_METRICS, BuildCost, Cost
from profiler.analysis.metrics import BY_NAME, METRICS, Metric
from profiler.facts import Certificate, WallStatus, to_json
from profiler.lengths import counted
from reports.tables.grid import Grid, GridRow
from reports.texts.numbers import (
    DASH,
    UNIT_TEXTS,
    count_text,
    list_text,
    size_text,
    steps_text,
)

__all__ = ["cost_document", "cost_grid", "cost_notes", "cost_text", "reach_text", "wall_text"]

# The peak and the step, the wall and the verdict are what is compared.
_LEAST = ("first step", "building the graph", "backprop memory", "host memory", "nodes", "wall")


def cost_grid(builds: Sequence[BuildCost]) -> Grid:
    """Return what each build costs at one length; values of a law are marked ``≈``."""
    metrics = [m for m in METRICS if any(m.name in one.costs for one in builds)]
    return Grid(
        headings=("scenario", *(m.title for m in metrics), "wall", "Pareto-optimal"),
        numeric=(False, *(True for _ in metrics), False, False),
        rows=tuple(
            GridRow(
                cells=(
                    one.label,
                    *(cost_text(m, one.costs.get(m.name)) for m in metrics),
                    "; ".join(map(wall_text, one.walls)) or DASH,
                    {True: "yes", False: "no", None: DASH}[one.is_optimal],
                ),
            )
            for one in builds
        ),
        least=_LEAST,
    )


def cost_text(metric: Metric, cost: Cost | None) -> str:
    """Return a cost in its unit, one of a law marked ``≈``; a dash where it is not known."""
    if cost is None or cost.value is None:
        return DASH
    text = UNIT_TEXTS[metric.unit](cost.value)
    return f"≈ {text}" if cost.is_predicted else text


def wall_text(wall: Certificate) -> str:
    """Return ``650 steps under 64 MiB``, or what is known instead of an exact wall."""
    kind = "" if wall.kind == "device" else f" of {wall.kind} memory"
    return f"{reach_text(wall)} under {size_text(wall.limit_bytes)}{kind}"


def reach_text(wall: Certificate) -> str:
    """Return ``650 steps``, or what is known instead of an exact wall."""
    last, first = (DASH if n is None else count_text(n) for n in (wall.last_ok, wall.first_oom))
    if wall.status is WallStatus.REPLAYED:
        ends = f"before {counted(first, wall.axis)}" if wall.last_ok is None else None
        return f"{ends or counted(last, wall.axis)} (replayed)"
    return {
        WallStatus.EXACT: counted(last, wall.axis),
        WallStatus.BAND: counted(f"{last} to {first}", wall.axis),
        WallStatus.AT_LEAST: f"beyond {counted(last, wall.axis)}",
        WallStatus.AT_MOST: f"before {counted(first, wall.axis)}",
        WallStatus.UNPROVEN: "not proven",
    }[wall.status]


def cost_notes(builds: Sequence[BuildCost], *, measured_to: int) -> list[str]:
    """Return which builds are Pareto-optimal, and what the marks in the table mean."""
    best, unknown = ([b.label for b in builds if b.is_optimal is is_so] for is_so in (True, None))
    metrics = list_text([BY_NAME[name].title for name in PARETO_METRICS])
    texts = [f"Pareto-optimal in {metrics}: {list_text(best)}"] if best else []
    if unknown:
        why = "within noise, not measured, or not the same in both schedules"
        texts.append(f"unknown ({why}): {list_text(unknown)}")
    notes = ["; ".join(texts)]
    if any(cost.is_predicted for one in builds for cost in one.costs.values()):
        axis = builds[0].conditions.axis
        notes.append(f"≈ predicted by law, not run: measured to {steps_text(measured_to, axis)}")
    notes += [f"{DASH} {note}" for note in _reasons(builds, list(BY_NAME), known=False)]
    return notes + _reasons(builds, PARETO_METRICS, known=True)


def _reasons(builds: Sequence[BuildCost], names: Sequence[str], *, known: bool) -> list[str]:
    """Return the reasons of costs with or without a value, each of them once."""
    titles: dict[tuple[str, str], list[str]] = {}
    for one in builds:
        for name, cost in one.costs.items():
            if name in names and cost.reason and (cost.value is not None) == known:
                titles.setdefault((one.label, cost.reason), []).append(BY_NAME[name].title)
    labels: dict[tuple[str, str], list[str]] = {}
    for (label, reason), of in titles.items():
        labels.setdefault((list_text(of), reason), []).append(label)
    return [f"{of} of {list_text(who)}: {reason}" for (of, reason), who in labels.items()]


def cost_document(one: BuildCost) -> dict[str, Any]:
    """Return the cost of a build as JSON: raw numbers."""
    return {
        "scenario": one.conditions.scenario,
        "axis": one.conditions.axis,
        "label": one.label,
        "parameters": to_json(one.conditions.parameters),
        "device": one.conditions.device,
        "schedule": one.conditions.schedule.value,
        "pareto_optimal": one.is_optimal,
        "values": {
            name: {**to_json(cost), "predicted": cost.is_predicted}
            for name, cost in one.costs.items()
        },
        "walls": [
            {
                "kind": wall.kind,
                "limit_bytes": wall.limit_bytes,
                "status": wall.status.value,
                "last_ok": wall.last_ok,
                "first_oom": wall.first_oom,
            }
            for wall in one.walls
        ],
    }
