"""Stored results as pandas frames: the public way to read a run, and what the CSV files hold.

Columns of ``LoadedRun.measurements``, one row per measurement:

=================================  ==================================================
label                              the scenario, and parameters that differ in the run
framework, scenario, family        names
parameters                         dict of the scenario's parameters
steps, device, limit_bytes,        the point's conditions (limit in bytes, None: no limit)
schedule, repeat, host_limit_bytes (the same for the whole process)
source                             hash of the scenario's source
axis                               name of what ``steps`` counts
status, phase, reason, signal,     the outcome (``ok``, ``oom_device``, ...)
exit_code
oom_op, oom_op_type, oom_shape,    what an allocator had no memory for: the fields of
oom_dtype, oom_device,             ``facts.Shortage`` without the raw lines
oom_allocator, oom_requested_bytes
nodes                              all nodes of the graph: as built, and in its functions
total_nodes, by_op                 nodes of the graph as built; dict: op type -> nodes
PART_nodes                         of its parts, as ``forward_nodes``, ``backward_nodes``
STAGE_nodes, STAGE_by_op           of its further stages, as ``library``, ``executed``
graph_bytes                        bytes of the serialized graph
PHASE_s                            seconds of each phase, as ``build_forward_s``
step_s, steady_steps               median seconds of a steady step, of how many
device_*_bytes                     the fields of ``facts.DeviceMemory``
backprop_bytes                     steady peak minus resident
host_*_bytes, host_limit_by        the fields of ``facts.HostMemory``
host_PHASE_peak_bytes,             host memory of each phase over the baseline
host_PHASE_kept_bytes
host_peak_bytes                    the largest phase's peak, overhead left out
seconds                            the point's own seconds, from fork to end
=================================  ==================================================

Parts, stages and phases are those of the run's frameworks (``Run.environment.frameworks``).
Explanations are not columns: ``LoadedRun.run.measurements[i].trace`` and ``walls[i].explanation``
hold them (``facts.Explanation``); ``walls[i].schedules`` holds what was run in the
parallel schedule (``facts.ScheduleCheck``), ``walls[i].cards`` what is predicted under other limits
(``facts.CardWall``).

Columns of ``LoadedRun.walls``, one row per certificate: ``label``, the fields of
``facts.Certificate`` (``confirmation_repeats``, ``confirmation_survived`` and
``confirmation_ran_out`` for its confirmation), and

=================================  ==================================================
prediction_error_steps             see ``facts.Certificate``
price                              seconds of the search over those of its two ends
probes, failed_probes,             how many runs the search took (repeats that confirm
cut_short_probes                   its ends left out), how many of them did not survive,
                                   and how many of these were ended early
peak_bytes                         of the run that survived
islands                            first and last of the longer lengths that survive again
oom_phase, oom_reason, oom_*       how the run at ``first_oom`` ended; as above
=================================  ==================================================

``LoadedRun.probes``, one row per run of a search: label, scenario, kind, limit_bytes, steps,
repeat, status, phase, reason, cut_short, peak_bytes, seconds, replayed, reserved_bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from profiler.facts import (
    Certificate,
    Confirmation,
    DeviceMemory,
    GraphSize,
    HostMemory,
    Measurement,
    Outcome,
    Phase,
    Point,
    Record,
    Run,
    Shortage,
    Status,
    to_json,
)
from profiler.facts.labels import LabelledRun
from profiler.store.runs import Store

Columns = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class LoadedRun:
    """One stored run: its facts, and the same as frames (columns: see the module)."""

    run: Run
    measurements: pd.DataFrame
    walls: pd.DataFrame
    probes: pd.DataFrame


def load_run(name: str | None = None, *, results: str | Path = "results") -> LoadedRun:
    """Return a stored run as pandas frames; the newest where ``name`` is None.

    Args:
        name: the run's name or id.
        results: the results folder.

    Raises:
        UsageError: if there is no such folder or run.
    """
    with Store(Path(results)) as store:
        return frames(LabelledRun(store.load(name)))


def frames(labelled: LabelledRun) -> LoadedRun:
    """Return a run in memory as pandas frames, walls in the order of the measurements."""
    return LoadedRun(
        run=labelled.run,
        measurements=_frame(
            [_measurement_row(label, m) for label, m in labelled.measurements],
            _columns(labelled.run),
        ),
        walls=_frame([_wall_row(label, wall) for label, wall in labelled.walls], _WALL_COLUMNS),
        probes=pd.DataFrame(
            [
                _probe_row(label, wall, index)
                for label, wall in labelled.walls
                for index in range(len(wall.probes))
            ],
            columns=_PROBE_COLUMNS,
        ),
    )


def _frame(rows: list[Columns], columns: list[str]) -> pd.DataFrame:
    """Return the rows; columns that only some of them have come last."""
    names = dict.fromkeys([*columns, *(name for row in rows for name in row)])
    return pd.DataFrame(rows, columns=list(names))


def _columns(run: Run) -> list[str]:
    """Return the columns of measurements: those of every phase and stage of the frameworks."""
    frameworks = run.environment.frameworks.values()
    phases = dict.fromkeys(phase.name for one in frameworks for phase in one.phases)
    # The first stage is the graph as built.
    stages = dict.fromkeys(stage.name for one in frameworks for stage in one.stages[1:])
    return [
        "label",
        *Point.__struct_fields__,
        *_OUTCOME_COLUMNS,
        *_SHORTAGE_COLUMNS,
        *("nodes", "total_nodes", "by_op", "graph_bytes"),
        *(f"{name}_{what}" for name in stages for what in ("nodes", "by_op")),
        *(f"{name}_s" for name in phases),
        *("step_s", "steady_steps"),
        *(f"device_{name}" for name in DeviceMemory.__struct_fields__),
        "backprop_bytes",
        *(f"host_{name}" for name in HostMemory.__struct_fields__ if name != "limit_bytes"),
        "host_peak_bytes",
        *(f"host_{name}_{what}_bytes" for name in phases for what in ("peak", "kept")),
        "seconds",
    ]


def _measurement_row(label: str, m: Measurement) -> Columns:
    outcome = to_json(m.outcome)
    host = _fields(m.host, prefix="host_")
    host.pop("host_limit_bytes", None)  # the point's own: the child may have ended before it
    return {
        "label": label,
        **to_json(m.point),
        **{name: outcome[name] for name in _OUTCOME_COLUMNS},
        **_shortage(m.outcome),
        **graph_columns(m.graph),
        **{f"{phase.name}_s": phase.seconds for phase in m.phases},
        **({"step_s": m.step.median_s, "steady_steps": m.step.steps} if m.step else {}),
        **_fields(m.device, prefix="device_"),
        "backprop_bytes": m.device.backprop_bytes if m.device else None,
        **host,
        "host_peak_bytes": m.host_peak_bytes,
        **{f"host_{name}": size for name, size in phase_columns(m.phases).items()},
        "seconds": m.seconds,
    }


def graph_columns(graph: GraphSize | None) -> Columns:
    """Return the nodes of a graph by the names of its parts and stages."""
    if graph is None:
        return {}
    found: Columns = {"nodes": graph.nodes, "graph_bytes": graph.serialized_bytes}
    for stage in graph.stages:
        if stage is graph.built:
            found |= {"total_nodes": stage.nodes, "by_op": stage.by_op}
        else:
            found |= {f"{stage.name}_nodes": stage.nodes, f"{stage.name}_by_op": stage.by_op}
        found |= {f"{part}_nodes": nodes for part, nodes in stage.parts.items()}
    return found


def phase_columns(phases: list[Phase]) -> Columns:
    """Return the host memory of the phases by their names, over the baseline."""
    found: Columns = {}
    for phase in phases:
        found[f"{phase.name}_peak_bytes"] = phase.host_peak_bytes
        found[f"{phase.name}_kept_bytes"] = phase.host_kept_bytes
    return found


_PROBE_COLUMNS = [
    *("label", "scenario", "kind", "limit_bytes", "steps", "repeat", "status", "phase"),
    *("reason", "cut_short", "peak_bytes", "seconds", "replayed", "reserved_bytes"),
]
_SHORTAGE_COLUMNS = [f"oom_{name}" for name in Shortage.__struct_fields__ if name != "lines"]
_NESTED = {"probes", "confirmation", "explanation", "schedules", "cards"}
_WALL_COLUMNS = [
    "label",
    *(name for name in Certificate.__struct_fields__ if name not in _NESTED),
    *(f"confirmation_{name}" for name in Confirmation.__struct_fields__),
    *("prediction_error_steps", "price", "probes", "failed_probes", "cut_short_probes"),
    *("peak_bytes", "oom_phase", "oom_reason"),
    *_SHORTAGE_COLUMNS,
    "islands",
]
_OUTCOME_COLUMNS = ("status", "phase", "reason", "signal", "exit_code")


def _fields(record: Record | None, *, prefix: str = "") -> Columns:
    """Return the fields of a record, flat; none where there is no record."""
    if record is None:
        return {}
    return {f"{prefix}{name}": getattr(record, name) for name in record.__struct_fields__}


def _shortage(outcome: Outcome | None) -> Columns:
    fields = _fields(outcome.shortage if outcome else None, prefix="oom_")
    return {name: fields.get(name) for name in _SHORTAGE_COLUMNS}


def _wall_row(label: str, wall: Certificate) -> Columns:
    searched = [probe for probe in wall.probes if probe.repeat == 0]
    failed = [probe for probe in searched if probe.outcome.status is not Status.OK]
    last, first = wall.survivor, wall.failure
    return {
        "label": label,
        **to_json(wall, without=_NESTED),
        **_fields(wall.confirmation, prefix="confirmation_"),
        "prediction_error_steps": wall.prediction_error_steps,
        "price": wall.price,
        "probes": len(searched),
        "failed_probes": len(failed),
        "cut_short_probes": sum(probe.outcome.cut_short for probe in failed),
        "peak_bytes": last.peak_bytes if last else None,
        "islands": [[one.first, one.last] for one in wall.islands],
        "oom_phase": first.outcome.phase if first else None,
        "oom_reason": first.outcome.reason if first else None,
        **_shortage(first.outcome if first else None),
    }


def _probe_row(label: str, wall: Certificate, index: int) -> Columns:
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
        "replayed": probe.replayed,
        "peak_bytes": probe.peak_bytes,
        "reserved_bytes": probe.reserved_bytes,
        "seconds": probe.seconds,
    }
