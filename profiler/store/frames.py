"""Stored results as pandas frames: the public way to read a run, and what reports use.

Columns of ``LoadedRun.measurements``, one row per measurement:

=================================  ==================================================
scenario, family, label            names; ``label`` adds parameters that differ in the run
parameters                         dict of the scenario's parameters
steps, device, limit_bytes,        the point's conditions (limit in bytes, None: no limit)
schedule, repeat, host_limit_bytes (the same for the whole process)
status, phase, reason, signal,     the outcome (``ok``, ``oom_device``, ...)
exit_code
oom_op, oom_op_type, oom_shape,    what an allocator had no memory for: the fields of
oom_dtype, oom_device,             ``results.Shortage`` without the raw lines
oom_allocator, oom_requested_bytes
forward_nodes, backward_nodes,     nodes of the graph; ``executed_nodes`` after the
total_nodes, library_nodes,        framework's optimizer
executed_nodes
graph_bytes                        bytes of the serialized graph
by_op, executed_by_op              dict: op type -> nodes, as built and as executed
build_forward_s, build_gradients_s seconds of each phase
initialize_s, first_step_s, step_s
device_*_bytes                     the fields of ``results.DeviceMemory``
backprop_bytes                     steady peak minus resident
host_*_bytes                       the fields of ``results.HostMemory``; ``host_peak_bytes``
                                   is the largest phase's peak over the baseline
seconds                            the point's own seconds, from fork to end
=================================  ==================================================

Explanations are no columns: ``LoadedRun.run.measurements[i].trace`` and ``walls[i].explanation``
hold them (``profiler.facts.explanation``).

Columns of ``LoadedRun.walls``, one row per certificate: ``label``, the fields of
``results.Certificate`` (``confirmation_repeats``, ``confirmation_survived`` and
``confirmation_ran_out`` for its confirmation), and

=================================  ==================================================
prediction_error_steps             see ``prediction_error``
price                              seconds of the search over those of its two ends
probes, failed_probes,             how many runs the search took (repeats that confirm
cut_short_probes                   its ends left out), how many of them did not survive,
                                   and how many of these were ended early
peak_bytes                         of the run that survived
oom_phase, oom_reason, oom_*       how the run at ``first_oom`` ended; as above
=================================  ==================================================

``LoadedRun.probes``, one row per run of a search: label, scenario, kind, limit_bytes, steps,
repeat, status, phase, reason, cut_short, peak_bytes, seconds.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from profiler.analysis.labels import Labels
from profiler.analysis.series import MetricSeries, curves
from profiler.facts import (
    Certificate,
    Confirmation,
    DeviceMemory,
    GraphSize,
    HostMemory,
    Measurement,
    Outcome,
    Run,
    Shortage,
    Status,
    Times,
    to_json,
)
from profiler.store.runs import Store

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class LoadedRun:
    """One stored run: its facts, and the same as frames (columns: see the module)."""

    run: Run
    measurements: pd.DataFrame
    walls: pd.DataFrame
    probes: pd.DataFrame

    @cached_property
    def curves(self) -> list[MetricSeries]:
        """The run's curves with their laws (``profiler.analysis.series``), each fitted once."""
        return curves(self.run)

    def family_curves(self) -> dict[str, list[MetricSeries]]:
        """Return the curves of each family that was measured, in the order of the run."""
        found: dict[str, list[MetricSeries]] = {}
        for curve in self.curves:
            found.setdefault(curve.conditions.family, []).append(curve)
        return found


def load_run(name: str | None = None, *, results: str | Path = "results") -> LoadedRun:
    """Return a stored run as pandas frames; the newest where ``name`` is None.

    Args:
        name: the run's name or id.
        results: the results folder.

    Raises:
        UsageError: if there is no such folder or run.
    """
    with Store(Path(results)) as store:
        return frames(store.load(name))


def frames(run: Run) -> LoadedRun:
    """Return a run in memory as pandas frames, walls in the order of the measurements."""
    points = [m.point for m in run.measurements]
    order = list(dict.fromkeys(point.scenario for point in points))
    # Searches run side by side and are stored as they end.
    walls = sorted(run.walls, key=lambda w: order.index(w.scenario) if w.scenario in order else 0)
    run = replace(run, walls=walls)
    labels = Labels([*points, *run.walls])
    probes = [
        _probe_row(labels(wall), wall, index)
        for wall in run.walls
        for index in range(len(wall.probes))
    ]
    return LoadedRun(
        run=run,
        measurements=pd.DataFrame(
            [_measurement_row(labels(m.point), m) for m in run.measurements],
            columns=list(_measurement_row("", None)),
        ),
        walls=pd.DataFrame(
            [_wall_row(labels(wall), wall) for wall in run.walls], columns=_WALL_COLUMNS
        ),
        probes=pd.DataFrame(probes, columns=_PROBE_COLUMNS),
    )


def prediction_error(wall: Certificate) -> int | None:
    """Return by how many steps a prediction was too high; negative: too low; 0: it was right.

    Every step of a band counts as right. None where nothing was predicted, or where the wall
    has no two ends to compare with.
    """
    if wall.predicted is None or wall.last_ok is None or wall.first_oom is None:
        return None
    predicted = int(wall.predicted)
    return min(predicted - wall.last_ok, 0) or max(predicted - (wall.first_oom - 1), 0)


def _measurement_row(label: str, measurement: Measurement | None) -> Row:
    """Return one flat row; None gives a row of Nones, whose keys are the columns."""
    m = measurement
    point: Row = to_json(m.point) if m else dict.fromkeys(_POINT_COLUMNS)
    outcome: Row = to_json(m.outcome) if m else {}
    return {
        "label": label,
        **point,
        **{name: outcome.get(name) for name in _OUTCOME_COLUMNS},
        **_shortage(m.outcome if m else None),
        **_group(m.graph if m else None, GraphSize),
        **_group(m.time if m else None, Times),
        **_group(m.device if m else None, DeviceMemory, prefix="device_"),
        "backprop_bytes": m.device.backprop_bytes if m and m.device else None,
        **_group(m.host if m else None, HostMemory, prefix="host_"),
        # The point's own: the child may have ended before it had one.
        "host_limit_bytes": m.point.host_limit_bytes if m else None,
        "host_peak_bytes": m.host.peak_bytes if m and m.host else None,
        "seconds": m.seconds if m else None,
    }


_POINT_COLUMNS = (
    "scenario",
    "family",
    "parameters",
    "steps",
    "device",
    "limit_bytes",
    "schedule",
    "repeat",
    "host_limit_bytes",
)
_PROBE_COLUMNS = [
    "label",
    "scenario",
    "kind",
    "limit_bytes",
    "steps",
    "repeat",
    "status",
    "phase",
    "reason",
    "cut_short",
    "peak_bytes",
    "seconds",
]
_SHORTAGE_COLUMNS = [
    f"oom_{item.name}" for item in dataclasses.fields(Shortage) if item.name != "lines"
]
_NESTED = {"probes", "confirmation", "explanation"}
_WALL_COLUMNS = [
    "label",
    *(item.name for item in dataclasses.fields(Certificate) if item.name not in _NESTED),
    *(f"confirmation_{item.name}" for item in dataclasses.fields(Confirmation)),
    "prediction_error_steps",
    "price",
    "probes",
    "failed_probes",
    "cut_short_probes",
    "peak_bytes",
    "oom_phase",
    "oom_reason",
    *_SHORTAGE_COLUMNS,
]
_OUTCOME_COLUMNS = ("status", "phase", "reason", "signal", "exit_code")


def _group(group: object, kind: type, *, prefix: str = "") -> Row:
    names = list(kind.__dataclass_fields__)  # type: ignore[attr-defined]
    return {f"{prefix}{name}": getattr(group, name, None) for name in names}


def _shortage(outcome: Outcome | None) -> Row:
    row = _group(outcome.shortage if outcome else None, Shortage, prefix="oom_")
    return {name: row[name] for name in _SHORTAGE_COLUMNS}


def _wall_row(label: str, wall: Certificate) -> Row:
    facts = {name: value for name, value in to_json(wall).items() if name not in _NESTED}
    searched = [probe for probe in wall.probes if probe.repeat == 0]
    failed = [probe for probe in searched if probe.outcome.status is not Status.OK]
    last, first = wall.survivor, wall.failure
    return {
        "label": label,
        **facts,
        **_group(wall.confirmation, Confirmation, prefix="confirmation_"),
        "prediction_error_steps": prediction_error(wall),
        "price": wall.price,
        "probes": len(searched),
        "failed_probes": len(failed),
        "cut_short_probes": sum(probe.outcome.cut_short for probe in failed),
        "peak_bytes": last.peak_bytes if last else None,
        "oom_phase": first.outcome.phase if first else None,
        "oom_reason": first.outcome.reason if first else None,
        **_shortage(first.outcome if first else None),
    }


def _probe_row(label: str, wall: Certificate, index: int) -> Row:
    probe = wall.probes[index]
    return {
        "label": label,
        "scenario": wall.scenario,
        "kind": wall.kind,
        "limit_bytes": wall.limit_bytes,
        "steps": probe.steps,
        "repeat": probe.repeat,
        "status": probe.outcome.status.value,
        "phase": probe.outcome.phase,
        "reason": probe.outcome.reason,
        "cut_short": probe.outcome.cut_short,
        "peak_bytes": probe.peak_bytes,
        "seconds": probe.seconds,
    }
