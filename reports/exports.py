"""A run as CSV and JSON text: raw bytes and seconds, stable keys, null where nothing is known."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from profiler.explain.facts import Explanation
from profiler.frames import LoadedRun, prediction_error
from profiler.results import SCHEMA, Certificate, Measurement, Probe, Run, to_json

__all__ = ["json_text", "measurements_csv", "run_document", "wall_document", "walls_csv"]

Document = dict[str, Any]
_WHOLE = (
    *("_bytes", "_nodes", "steps", "repeat", "exit_code", "last_ok", "first_oom"),
    *("_repeats", "_survived", "_ran_out"),
)
_NESTED = {"parameters", "by_op", "executed_by_op", "oom_shape", "predicted_from"}


def measurements_csv(loaded: LoadedRun) -> str:
    """Return one row per measurement; dicts and lists in it are JSON text."""
    return _csv(loaded.measurements)


def walls_csv(loaded: LoadedRun) -> str:
    """Return one row per wall certificate; dicts and lists in it are JSON text."""
    return _csv(loaded.walls)


def run_document(run: Run) -> Document:
    """Return a whole run as the document that ``--json`` prints."""
    return {
        "schema": SCHEMA,
        "run": run.name,
        "id": run.id,
        "created_at": run.created_at,
        "command": run.command,
        "finished": run.finished,
        "environment": to_json(run.environment),
        "measurements": [_measurement(m) for m in run.measurements],
        "walls": [wall_document(wall) for wall in run.walls],
    }


def wall_document(wall: Certificate) -> Document:
    """Return one wall certificate as the document that ``--json`` prints."""
    return {
        "schema": SCHEMA,
        **to_json(wall),
        "prediction_error_steps": prediction_error(wall),
        "price": wall.price,
        "probes": [_probe(probe) for probe in wall.probes],
        "explanation": _trace(wall.explanation),
    }


def measurement_document(measurement: Measurement) -> Document:
    """Return one measurement as the document that ``explain --json`` prints."""
    return {"schema": SCHEMA, **_measurement(measurement)}


def json_text(document: Document) -> str:
    """Return a document as text that ends in a newline."""
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _csv(frame: pd.DataFrame) -> str:
    rows = frame.copy()
    for column in rows.columns:
        if column in _NESTED:
            rows[column] = [_cell(value) for value in rows[column]]
        elif column.endswith(_WHOLE):
            # A column with a gap is float in pandas; bytes must not be written as 1024.0.
            rows[column] = pd.to_numeric(rows[column]).astype("Int64")
    return rows.to_csv(index=False, lineterminator="\n")


def _cell(value: object) -> str | None:
    return json.dumps(value, sort_keys=True) if isinstance(value, dict | list) else None


def _measurement(measurement: Measurement) -> Document:
    fields = to_json(measurement)
    point = fields.pop("point")
    leading = {name: point.pop(name) for name in ("scenario", "parameters", "steps")}
    return {**leading, "point": point, **fields, "trace": _trace(measurement.trace)}


def _trace(explained: Explanation | None) -> Document | None:
    """Return an explanation with what is held at the peak summed up by op type and by scope."""
    if explained is None:
        return None
    by_op: dict[str, Document] = {}
    by_scope: dict[str, Document] = {}
    for one in explained.holdings:
        op, scope = one.op_type or "", one.op.rpartition("/")[0]
        for sums, key, name in ((by_op, "op", op), (by_scope, "scope", scope)):
            sums.setdefault(name, {key: name, "bytes": 0, "tensors": 0})
            sums[name]["bytes"] += one.bytes
            sums[name]["tensors"] += one.tensors
    return {
        **to_json(explained),
        "by_op": sorted(by_op.values(), key=lambda item: -item["bytes"]),
        "by_scope": sorted(by_scope.values(), key=lambda item: -item["bytes"]),
        "unexplained_bytes": explained.unexplained_bytes,
    }


def _probe(probe: Probe) -> Document:
    return {
        "steps": probe.steps,
        "repeat": probe.repeat,
        "outcome": probe.outcome.status.value,
        "phase": probe.outcome.phase,
        "reason": probe.outcome.reason,
        "signal": probe.outcome.signal,
        "cut_short": probe.outcome.cut_short,
        "host": to_json(probe.host),
        "shortage": to_json(probe.outcome.shortage),
        "peak_bytes": probe.peak_bytes,
        "seconds": probe.seconds,
    }
