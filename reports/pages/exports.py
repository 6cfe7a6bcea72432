"""A run as CSV and JSON text: raw bytes and seconds, stable keys, null where nothing is known."""

from __future__ import annotations

import json
import math
from typing import Any

import pandas as pd

from profiler.analysis.laws import Law
from profiler.analysis.series import MetricSeries
from profiler.facts import SCHEMA, Certificate, Measurement, Probe, Run, to_json
from profiler.facts.explanation import Explanation
from profiler.store.frames import LoadedRun, prediction_error

__all__ = [
    "json_text",
    "law_document",
    "laws_csv",
    "measurements_csv",
    "run_document",
    "wall_document",
    "walls_csv",
]

Document = dict[str, Any]
_WHOLE = (
    *("_bytes", "_nodes", "steps", "repeat", "exit_code", "last_ok", "first_oom"),
    *("_repeats", "_survived", "_ran_out"),
)
_NESTED = {"parameters", "by_op", "executed_by_op", "oom_shape", "predicted_from", "outlier_steps"}
_LETTERS = "abc"


def measurements_csv(loaded: LoadedRun) -> str:
    """Return one row per measurement; dicts and lists in it are JSON text."""
    return _csv(loaded.measurements)


def walls_csv(loaded: LoadedRun) -> str:
    """Return one row per wall certificate; dicts and lists in it are JSON text."""
    return _csv(loaded.walls)


def laws_csv(loaded: LoadedRun) -> str:
    """Return one row per curve: its law, whose letters are columns, each with its interval.

    Values are in the metric's unit; ``outlier_steps`` is JSON text. Without a law only its first
    columns are filled.
    """
    rows = [_law_row(curve) for curve in loaded.curves]
    return _csv(pd.DataFrame(rows, columns=_LAW_COLUMNS))


def _law_row(curve: MetricSeries) -> Document:
    row: Document = {
        "label": curve.label,
        "family": curve.conditions.family,
        "metric": curve.metric.name,
        "unit": curve.metric.unit,
        "points": len(curve.points),
        "is_clear": curve.clear_law is not None,
    }
    law = curve.law
    if not isinstance(law, Law):
        return row
    for letter, number, ends in zip(_LETTERS, law.coefficients, law.intervals, strict=False):
        row |= {letter: float(number)}
        row |= {f"{letter}_low": float(ends[0]), f"{letter}_high": float(ends[1])}
    error = curve.holdout_error
    return row | {
        "kind": law.kind,
        "formula": law.formula,
        "jump_from_steps": law.jump[1] if law.jump else None,
        "exact": law.exact,
        "per_step": law.per_step,
        "error": law.error,
        "holdout_error": error if error is not None and math.isfinite(error) else None,
        "first_steps": law.first,
        "last_steps": law.last,
        "outlier_steps": [point.steps for point in law.outliers],
    }


_LAW_COLUMNS = [
    *("label", "family", "metric", "unit", "kind", "formula"),
    *(f"{letter}{end}" for letter in _LETTERS for end in ("", "_low", "_high")),
    *("jump_from_steps", "exact", "is_clear", "per_step", "error", "holdout_error"),
    *("first_steps", "last_steps", "points", "outlier_steps"),
]


def law_document(law: Law) -> Document:
    """Return a law as it stands in JSON: its formula's letters, each with its interval."""
    return {
        "kind": law.kind,
        "formula": law.formula,
        "coefficients": [float(number) for number in law.coefficients],
        "intervals": [[float(low), float(high)] for low, high in law.intervals],
        "exact": law.exact,
        "outlier_steps": [point.steps for point in law.outliers],
    }


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
