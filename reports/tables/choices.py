"""What each build costs at one length, and which are worth choosing: a table, notes and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from profiler.analysis.crossover.choices import AXES, BuildCost, Reading
from profiler.analysis.metrics import BY_NAME, METRICS, Metric
from profiler.facts import Certificate, WallStatus, to_json
from reports.tables.grid import Grid, GridRow
from reports.texts.numbers import (
    DASH,
    bytes_text,
    count_text,
    list_text,
    seconds_text,
    size_text,
    steps_text,
)

__all__ = ["choice_document", "choice_grid", "choice_notes", "wall_text"]

_TEXTS = {"nodes": count_text, "bytes": bytes_text, "seconds": seconds_text}


def choice_grid(builds: Sequence[BuildCost]) -> Grid:
    """Return what each build costs at one length; what is the law's is marked ``≈``."""
    metrics = [m for m in METRICS if any(m.name in one.readings for one in builds)]
    return Grid(
        headings=("scenario", *(m.title for m in metrics), "wall", "Pareto-optimal"),
        numeric=(False, *(True for _ in metrics), False, False),
        rows=tuple(
            GridRow(
                cells=(
                    one.label,
                    *(_reading_text(m, one.readings.get(m.name)) for m in metrics),
                    "; ".join(map(wall_text, one.walls)) or DASH,
                    {True: "yes", False: "no", None: DASH}[one.is_optimal],
                ),
                failed=False,
            )
            for one in builds
        ),
    )


def _reading_text(metric: Metric, read: Reading | None) -> str:
    if read is None or read.value is None:
        return DASH
    text = _TEXTS[metric.unit](read.value)
    return f"≈ {text}" if read.is_predicted else text


def wall_text(wall: Certificate) -> str:
    """Return ``650 steps under 64 MiB``: what survived, or what was proven instead."""
    last, first = (DASH if n is None else count_text(n) for n in (wall.last_ok, wall.first_oom))
    where = {
        WallStatus.EXACT: steps_text(wall.last_ok or 0),
        WallStatus.BAND: f"{last} to {first} steps",
        WallStatus.AT_LEAST: f"beyond {steps_text(wall.last_ok or 0)}",
        WallStatus.AT_MOST: f"before {steps_text(wall.first_oom or 0)}",
        WallStatus.UNPROVEN: "not proven",
    }[wall.status]
    kind = "" if wall.kind == "device" else f" of {wall.kind} memory"
    return f"{where} under {size_text(wall.limit_bytes)}{kind}"


def choice_notes(builds: Sequence[BuildCost], *, measured_to: int) -> list[str]:
    """Return which builds are worth choosing, and what the marks of the table stand for."""
    best, hidden = ([b.label for b in builds if b.is_optimal is told] for told in (True, None))
    axes = list_text([BY_NAME[axis].title for axis in AXES])
    texts = [f"Pareto-optimal in {axes}: {list_text(best)}"] if best else []
    texts += [f"not known, for noise or lack of numbers: {list_text(hidden)}"] if hidden else []
    notes = ["; ".join(texts)]
    reads = [read for one in builds for read in one.readings.values()]
    if any(read.is_predicted for read in reads):
        notes.append(f"≈ predicted by law, not run: measured to {steps_text(measured_to)}")
    notes += [f"{DASH} {note}" for note in _reasons(builds, list(BY_NAME), known=False)]
    return notes + _reasons(builds, AXES, known=True)


def _reasons(builds: Sequence[BuildCost], names: Sequence[str], *, known: bool) -> list[str]:
    """Return the reasons of readings with or without a value, each told once."""
    titles: dict[tuple[str, str], list[str]] = {}
    for one in builds:
        for name, read in one.readings.items():
            if name in names and read.reason and (read.value is not None) == known:
                titles.setdefault((one.label, read.reason), []).append(BY_NAME[name].title)
    labels: dict[tuple[str, str], list[str]] = {}
    for (label, reason), of in titles.items():
        labels.setdefault((list_text(of), reason), []).append(label)
    return [f"{of} of {list_text(who)}: {reason}" for (of, reason), who in labels.items()]


def choice_document(one: BuildCost) -> dict[str, Any]:
    """Return a build at one length as JSON: raw numbers."""
    return {
        "scenario": one.conditions.scenario,
        "label": one.label,
        "parameters": to_json(one.conditions.parameters),
        "device": one.conditions.device,
        "schedule": one.conditions.schedule.value,
        "pareto_optimal": one.is_optimal,
        "values": {
            name: {**to_json(read), "predicted": read.is_predicted}
            for name, read in one.readings.items()
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
