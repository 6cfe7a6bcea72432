"""A baseline: one run as a small JSON file that can be committed, and read in a run's place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from profiler.errors import UsageError
from profiler.facts import (
    Certificate,
    GraphStage,
    Measurement,
    RecordError,
    Run,
    convert,
    decode,
    encode,
    replace,
)
from profiler.facts.consistency import check
from profiler.paths import read_text

KIND = "stepwall baseline"
# In files of version 1 nodes are counted without those of functions.
VERSION = 2
_LINE = ",\n"
# One of some 100,000 points.
_MOST_MIB = 256
_AGAIN = "make it again with 'stepwall pin'"


def baseline_text(run: Run) -> str:
    """Return a run as JSON with all that comparisons read, one measurement or wall per line.

    Left out: counts by op type, logs, timelines, explanations, and the runs of wall searches.
    """
    head = json.loads(encode(replace(run, measurements=[], walls=[])))
    lists = {
        "measurements": [encode(_slim(item)) for item in run.measurements],
        "walls": [encode(_slim_wall(item)) for item in run.walls],
    }
    parts = [f'"kind": {json.dumps(KIND)}', f'"schema": {VERSION}']
    parts += [f'"{name}": {json.dumps(value)}' for name, value in head.items() if name not in lists]
    parts += [f'"{name}": [\n{_LINE.join(lines)}\n]' for name, lines in lists.items()]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def read_baseline(path: Path) -> Run:
    """Return the run that a baseline file holds.

    Raises:
        UsageError: if it cannot be read, is none, or another version of stepwall wrote it.
    """
    text = read_text("baseline", path, most_mib=_MOST_MIB)
    try:
        data = decode(Any, text)
    except RecordError as error:
        raise UsageError(f"baseline {str(path)!r} is not JSON: {error}: {_AGAIN}") from None
    if not isinstance(data, dict) or data.get("kind") != KIND:
        raise UsageError(f"{str(path)!r} is not a baseline: make one with 'stepwall pin'")
    schema = data.get("schema")
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise UsageError(f"baseline {str(path)!r} is damaged: schema {schema!r:.40}: {_AGAIN}")
    if schema > VERSION:
        raise UsageError(
            f"baseline {str(path)!r}: a newer stepwall wrote it (schema {schema}, this one reads "
            f"{VERSION}): upgrade stepwall, or {_AGAIN}"
        )
    if schema < VERSION:
        raise UsageError(
            f"baseline {str(path)!r}: an older stepwall wrote it, which counted nodes differently: "
            "make a new one with 'stepwall pin'"
        )
    fields = {name: value for name, value in data.items() if name not in {"kind", "schema"}}
    try:
        run = convert(Run, fields)
        for fact in (*run.measurements, *run.walls):
            check(fact)
    except RecordError as error:
        raise UsageError(f"baseline {str(path)!r} is damaged: {error!s:.300}: {_AGAIN}") from None
    return run


def _slim(measurement: Measurement) -> Measurement:
    graph = measurement.graph
    return replace(
        measurement,
        graph=replace(graph, stages=[_slim_stage(one) for one in graph.stages]) if graph else None,
        timeline=None,
        trace=None,
        missing={},
        notes=[],
        log_tail=None,
    )


def _slim_stage(stage: GraphStage) -> GraphStage:
    return replace(stage, by_op={})


def _slim_wall(wall: Certificate) -> Certificate:
    return replace(wall, probes=[], explanation=None, unexplained=None, schedules=None, cards=[])
