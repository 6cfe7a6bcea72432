"""A baseline: one run as a small JSON file that can be committed, and read in a run's place."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from profiler.errors import UsageError
from profiler.facts import SCHEMA, Certificate, Measurement, Run, from_json, to_json

KIND = "stepwall baseline"


def baseline_text(run: Run) -> str:
    """Return a run as JSON with all that comparisons read, one measurement or wall per line.

    Left out: counts by op type, logs, timelines, explanations, and the runs of wall searches.
    """
    empty = replace(run, measurements=[], walls=[])
    head = {"kind": KIND, "schema": SCHEMA, **to_json(empty, sparse=True)}
    slim: dict[str, list[Any]] = {
        "measurements": [_slim(item) for item in run.measurements],
        "walls": [_slim_wall(item) for item in run.walls],
    }
    parts = [f'"{name}": {_json(head[name])}' for name in head if name not in slim]
    parts += [f'"{name}": [\n{_lines(facts)}\n]' for name, facts in slim.items()]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def read_baseline(path: Path) -> Run:
    """Return the run that a baseline file holds.

    Raises:
        UsageError: if it cannot be read, is none, or a newer stepwall wrote it.
    """
    try:
        data = json.loads(path.read_text())
    except OSError as error:
        raise UsageError(f"baseline {str(path)!r}: {error.strerror or error}") from None
    except ValueError as error:
        raise UsageError(f"baseline {str(path)!r} is no JSON: {error}") from None
    if not isinstance(data, dict) or data.get("kind") != KIND:
        raise UsageError(f"{str(path)!r} is no baseline: make one by 'stepwall pin'")
    if not isinstance(data.get("schema"), int) or data["schema"] > SCHEMA:
        raise UsageError(f"baseline {str(path)!r}: a newer stepwall wrote it, which must read it")
    try:
        return from_json(Run, data)
    except (TypeError, ValueError) as error:
        raise UsageError(f"baseline {str(path)!r} is damaged: {error}") from None


def _lines(facts: Sequence[Any]) -> str:
    return ",\n".join(_json(to_json(fact, sparse=True)) for fact in facts)


def _json(value: object) -> str:
    return json.dumps(value, allow_nan=False)


def _slim(measurement: Measurement) -> Measurement:
    graph = measurement.graph
    return replace(
        measurement,
        graph=replace(graph, by_op={}, executed_by_op=None) if graph else None,
        timeline=None,
        trace=None,
        missing={},
        notes=[],
        log_tail=None,
    )


def _slim_wall(wall: Certificate) -> Certificate:
    return replace(wall, probes=[], explanation=None, unexplained=None)
