"""A run as CSV and JSON text: raw bytes and seconds, stable keys, null where nothing is known."""

from __future__ import annotations

import json
import math
from typing import Any

import pandas as pd

from profiler.analysis.crossover.costs import UNKNOWN_COST
from profiler.analysis.crossover.trade_offs import TradeOff
from profiler.analysis.laws import Law
from profiler.analysis.results import RunResults
from profiler.analysis.series import MetricSeries
from profiler.facts import (
    SCHEMA,
    Certificate,
    Explanation,
    FrameworkFacts,
    GraphSize,
    HostMemory,
    Measurement,
    Phase,
    PhaseRole,
    Probe,
    Run,
    largest_host_peak,
    to_json,
)
from profiler.store.frames import LoadedRun, graph_columns, phase_columns
from reports.tables.spreadsheet import csv_text
from reports.tables.trade_offs import TradeOffs, compared

__all__ = [
    "json_text",
    "law_document",
    "laws_csv",
    "measurement_document",
    "measurements_csv",
    "run_document",
    "trade_offs_csv",
    "wall_document",
    "walls_csv",
]

Document = dict[str, Any]
_WHOLE = (
    *("_bytes", "nodes", "steps", "repeat", "exit_code", "last_ok", "first_oom"),
    *("_repeats", "_survived", "_ran_out"),
)
_NESTED = {"parameters", "oom_shape", "by_law", "predicted_from", "islands", "outlier_steps"}
# Promised by schema 1, also where a graph has no such part or stage.
_GRAPH_KEYS = (
    *("nodes", "forward_nodes", "backward_nodes", "total_nodes", "library_nodes"),
    *("executed_nodes", "graph_bytes", "by_op", "executed_by_op"),
)
_LETTERS = "abc"


def measurements_csv(loaded: LoadedRun) -> str:
    """Return one row per measurement; dicts and lists in it are JSON text."""
    return _csv(loaded.measurements)


def walls_csv(loaded: LoadedRun) -> str:
    """Return one row per wall certificate; dicts and lists in it are JSON text."""
    return _csv(loaded.walls)


def laws_csv(results: RunResults) -> str:
    """Return one row per series: its law, whose letters are columns, each with its interval.

    Values are in the metric's unit; ``outlier_steps`` is JSON text. Without a law only its first
    columns are filled.
    """
    rows = [_law_row(series) for series in results.series]
    return _csv(pd.DataFrame(rows, columns=_LAW_COLUMNS))


def _law_row(series: MetricSeries) -> Document:
    row: Document = {
        "label": series.label,
        "family": series.conditions.family,
        "axis": series.conditions.axis,
        "metric": series.metric.name,
        "unit": series.metric.unit,
        "points": len(series.points),
        "is_clear": series.clear_law is not None,
    }
    law = series.law
    if not isinstance(law, Law):
        return row
    for letter, number, ends in zip(_LETTERS, law.coefficients, law.intervals, strict=False):
        row |= {letter: float(number)}
        row |= {f"{letter}_low": float(ends[0]), f"{letter}_high": float(ends[1])}
    return row | {
        "kind": law.kind,
        "formula": law.formula,
        "jump_from_steps": law.jump[1] if law.jump else None,
        "exact": law.exact,
        "per_step": law.per_step,
        "error": law.error,
        "holdout_error": _finite(series.holdout_error),
        "first_steps": law.first,
        "last_steps": law.last,
        "outlier_steps": [point.steps for point in law.outliers],
    }


_LAW_COLUMNS = [
    *("label", "family", "metric", "unit", "kind", "formula"),
    *(f"{letter}{end}" for letter in _LETTERS for end in ("", "_low", "_high")),
    *("jump_from_steps", "exact", "is_clear", "per_step", "error", "holdout_error"),
    *("first_steps", "last_steps", "points", "outlier_steps", "axis"),
]


def trade_offs_csv(results: RunResults) -> str:
    """Return one row per build, family and limit: its wall, what it costs, and which are best."""
    return _csv(pd.DataFrame(_trade_offs(results), columns=_TRADE_OFF_COLUMNS))


def _trade_offs(results: RunResults) -> list[Document]:
    return [_trade_off(one, build) for one in compared(results) for build in one.found]


def _trade_off(of: TradeOffs, one: TradeOff) -> Document:
    costs = {name: one.build.costs.get(name, UNKNOWN_COST) for name in _COST_COLUMNS}
    slower = one.slower or UNKNOWN_COST
    return {
        "family": of.family,
        "label": one.build.label,
        "kind": of.kind,
        "limit_bytes": of.limit_bytes,
        "status": one.wall.status.value if one.wall else None,
        "last_ok": one.wall.last_ok if one.wall else None,
        "first_oom": one.wall.first_oom if one.wall else None,
        "wall_ratio": one.further,
        "steps": of.steps,
        "axis": one.build.conditions.axis,
        **{_COST_COLUMNS[name]: _finite(cost.value) for name, cost in costs.items()},
        "by_law": [name for name, cost in costs.items() if cost.is_predicted],
        "step_ratio": _finite(slower.value),
        "step_ratio_low": _finite(slower.low),
        "step_ratio_high": _finite(slower.high),
        "parallel_more_low": one.parallel[0] if one.parallel else None,
        "parallel_more_high": one.parallel[1] if one.parallel else None,
        "is_best": one.is_best,
    }


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


_COST_COLUMNS = {
    "peak": "peak_bytes",
    "nodes": "nodes",
    "build_time": "build_s",
    "step_time": "step_s",
}
_TRADE_OFF_COLUMNS = [
    *("family", "label", "kind", "limit_bytes", "status", "last_ok", "first_oom", "wall_ratio"),
    *("steps", "axis", *_COST_COLUMNS.values(), "by_law"),
    *("step_ratio", "step_ratio_low", "step_ratio_high"),
    *("parallel_more_low", "parallel_more_high", "is_best"),
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


def run_document(results: RunResults) -> Document:
    """Return a whole run as the document that ``--json`` prints."""
    run = results.run
    return {
        "schema": SCHEMA,
        "run": run.name,
        "id": run.id,
        "created_at": run.created_at,
        "command": run.command,
        "finished": run.finished,
        "environment": to_json(run.environment),
        "measurements": [_measurement(m, run) for m in run.measurements],
        "walls": [wall_document(wall) for wall in run.walls],
        "trade_offs": _trade_offs(results),
    }


def wall_document(wall: Certificate) -> Document:
    """Return one wall certificate as the document that ``--json`` prints."""
    return {
        "schema": SCHEMA,
        **to_json(wall, without=("probes", "explanation")),
        "prediction_error_steps": wall.prediction_error_steps,
        "price": wall.price,
        "islands": to_json(wall.islands),
        "probes": [_probe(probe) for probe in wall.probes],
        "explanation": _trace(wall.explanation),
    }


def measurement_document(measurement: Measurement, run: Run) -> Document:
    """Return one measurement of a run as the document that ``explain --json`` prints."""
    return {"schema": SCHEMA, **_measurement(measurement, run)}


def json_text(document: Document) -> str:
    """Return a document as text that ends in a newline, each item of its lists in one line."""
    parts = [f'"{name}": {_lines(value)}' for name, value in document.items()]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _lines(value: object) -> str:
    # Indented text is several times as long, and Python writes it slowly.
    if not isinstance(value, list) or not value:
        return _line(value)
    return "[\n" + ",\n".join(map(_line, value)) + "\n]"


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _csv(frame: pd.DataFrame) -> str:
    rows = frame.copy()
    for column in rows.columns:
        if column in _NESTED or column.endswith("by_op"):
            rows[column] = [_cell(value) for value in rows[column]]
        elif column.endswith(_WHOLE):
            # A column with a gap is float in pandas; bytes must not be written as 1024.0.
            rows[column] = pd.to_numeric(rows[column]).astype("Int64")
    return csv_text(rows)


def _cell(value: object) -> str | None:
    return json.dumps(value, sort_keys=True) if isinstance(value, dict | list) else None


def _measurement(measurement: Measurement, run: Run) -> Document:
    fields = to_json(measurement, without=("graph", "host", "trace"))
    point = fields.pop("point")
    leading = {
        name: point.pop(name) for name in ("scenario", "parameters", "steps", "framework", "axis")
    }
    framework = run.framework(measurement.point.framework)
    return {
        **leading,
        "point": point,
        **fields,
        "graph": _graph(measurement.graph),
        "time": _time(measurement, framework),
        "host": _host(measurement.host, measurement.phases),
        "trace": _trace(measurement.trace),
    }


def _graph(graph: GraphSize | None) -> Document | None:
    if graph is None:
        return None
    known = {**dict.fromkeys(_GRAPH_KEYS), **graph_columns(graph)}
    return {**known, "stages": to_json(graph.stages)}


def _time(measurement: Measurement, framework: FrameworkFacts) -> Document:
    """Return the seconds of every phase of training; null for those that did not end."""
    roles = [(phase.name, phase.role) for phase in framework.phases]
    roles += [(phase.name, phase.role) for phase in measurement.phases]
    names = dict.fromkeys(name for name, role in roles if role is not PhaseRole.OVERHEAD)
    seconds = {phase.name: phase.seconds for phase in measurement.phases}
    step = measurement.step
    return {
        **{f"{name}_s": seconds.get(name) for name in names},
        "step_s": step.median_s if step else None,
        "steady_steps": step.steps if step else None,
    }


def _host(host: HostMemory | None, phases: list[Phase]) -> Document | None:
    if host is None:
        return None
    peak = largest_host_peak(phases)
    return {**to_json(host), **phase_columns(phases), "peak_bytes": peak}


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
        "replayed": probe.replayed,
        "host": _host(probe.host, probe.phases),
        "shortage": to_json(probe.outcome.shortage),
        "peak_bytes": probe.peak_bytes,
        "reserved_bytes": probe.reserved_bytes,
        "seconds": probe.seconds,
    }
