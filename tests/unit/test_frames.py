"""A run's frames hold the documented columns, one row per fact."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import report_samples as samples

import profiler
from profiler.analysis.results import RunResults
from profiler.errors import UsageError
from profiler.facts import (
    Certificate,
    Confirmation,
    DeviceMemory,
    HostMemory,
    Point,
    replace,
)
from profiler.facts.labels import LabelledRun
from profiler.store.frames import frames, load_run
from profiler.store.runs import Store

SHORTAGE_COLUMNS = {
    *("oom_op", "oom_op_type", "oom_shape", "oom_dtype", "oom_device", "oom_allocator"),
    "oom_requested_bytes",
}
MEASUREMENT_COLUMNS = {
    "label",
    *Point.__struct_fields__,
    *("status", "phase", "reason", "signal", "exit_code"),
    *SHORTAGE_COLUMNS,
    *("total_nodes", "by_op", "graph_bytes"),
    *("library_nodes", "library_by_op", "executed_nodes", "executed_by_op"),
    *("start_s", "build_forward_s", "build_gradients_s", "first_step_s", "steady_s"),
    *("step_s", "steady_steps"),
    *(f"device_{name}" for name in DeviceMemory.__struct_fields__),
    "backprop_bytes",
    *(f"host_{name}" for name in HostMemory.__struct_fields__),
    *("host_build_forward_peak_bytes", "host_steady_kept_bytes"),
    *("host_peak_bytes", "seconds"),
}
WALL_COLUMNS = {
    *(set(Certificate.__struct_fields__) - {"confirmation", "explanation", "schedules", "cards"}),
    *(f"confirmation_{name}" for name in Confirmation.__struct_fields__),
    *("label", "prediction_error_steps", "price", "failed_probes", "cut_short_probes"),
    *("peak_bytes", "oom_reason", "oom_phase"),
    *SHORTAGE_COLUMNS,
}
PROBE_COLUMNS = {
    *("label", "scenario", "kind", "limit_bytes", "steps", "repeat", "status", "phase"),
    *("reason", "cut_short", "peak_bytes", "seconds"),
}


@pytest.mark.parametrize(
    "loaded",
    [
        samples.contrast(),
        samples.loaded([samples.failed(samples.measured(), built=False)], [samples.wall()]),
        samples.loaded(),
    ],
    ids=["full", "failed", "empty"],
)
def test_every_documented_column_is_there(loaded: RunResults) -> None:
    """However little the run holds, a reader's column names are valid."""
    found = frames(loaded)

    assert set(found.measurements.columns) >= MEASUREMENT_COLUMNS
    assert set(found.walls.columns) >= WALL_COLUMNS
    assert set(found.probes.columns) >= PROBE_COLUMNS


def test_an_empty_run_has_empty_frames() -> None:
    """No rows, rather than rows of nothing."""
    loaded = frames(samples.loaded())

    assert (len(loaded.measurements), len(loaded.walls), len(loaded.probes)) == (0, 0, 0)


def test_a_measurement_is_one_row() -> None:
    """Numbers come from the facts; backprop is the closed form of the sample."""
    row = frames(samples.loaded([samples.measured(steps=64)])).measurements.iloc[0]
    total = samples.nodes(64)

    assert (row.scenario, row.family, row.steps, row.status) == ("static_rnn", "builds", 64, "ok")
    assert row.parameters == {"batch": 32, "units": 128}
    assert (row.forward_nodes, row.total_nodes) == (total // 3, total)
    assert (row.executed_nodes, row.graph_bytes) == (total - 7, 100 * total)
    assert (row.first_step_s, row.step_s) == (0.013 * 64, 0.0001 * 64)
    assert row.backprop_bytes == samples.KIB_PER_STEP * samples.KIB * 64
    assert row.device_steady_peak_bytes - row.device_resident_bytes == row.backprop_bytes
    assert row.host_peak_bytes == 2 * row.backprop_bytes + 64 * 100 * samples.KIB


def test_a_failed_point_has_its_outcome_and_no_numbers() -> None:
    """What was not measured is None, never 0."""
    row = frames(
        samples.loaded([samples.failed(samples.measured(), built=False)])
    ).measurements.iloc[0]

    assert (row.status, row.phase) == ("oom_device", "first_step")
    assert row.reason == samples.OOM.reason
    assert (row.oom_op_type, row.oom_shape) == ("MatMul", [256, 32, 128])
    assert row.oom_requested_bytes == 256 * 32 * 128 * 4
    assert pd.isna(row[["total_nodes", "step_s", "device_peak_bytes"]]).all()
    assert pd.isna(row.backprop_bytes)


def test_the_device_and_its_limit_are_not_mixed_up() -> None:
    """``limit_bytes`` is the point's, ``device_limit_bytes`` the allocator's."""
    point = samples.measured()
    limited = replace(
        point,
        point=replace(point.point, limit_bytes=100),
        device=DeviceMemory(limit_bytes=96),
    )
    row = frames(samples.loaded([limited])).measurements.iloc[0]

    assert (row.device, row.limit_bytes, row.device_limit_bytes) == ("cpu", 100, 96)


def test_the_hosts_limit_is_the_points_own() -> None:
    """A child may end before it enters it."""
    point = samples.measured()
    limited = replace(point, point=replace(point.point, host_limit_bytes=100), host=None)
    row = frames(samples.loaded([limited])).measurements.iloc[0]

    assert row.host_limit_bytes == 100
    assert row.host_build_forward_peak_bytes == 8 * 50 * samples.KIB


def test_a_label_is_the_scenario_where_nothing_else_differs() -> None:
    """Steps and repeats make no new series."""
    loaded = frames(samples.contrast())

    assert set(loaded.measurements.label) == {"static_rnn", "dynamic_rnn"}
    assert list(loaded.walls.label) == ["static_rnn", "dynamic_rnn"]


def test_a_label_adds_the_parameters_that_differ() -> None:
    """Only those, and only for the scenario in which they differ."""
    point = samples.measured().point
    points = [
        point,
        replace(point, parameters={"batch": 32, "units": 256}),
        replace(point, scenario="dynamic_rnn"),
    ]
    run = samples.run([replace(samples.measured(), point=each) for each in points])

    assert list(frames(LabelledRun(run)).measurements.label) == [
        "static_rnn units=128",
        "static_rnn units=256",
        "dynamic_rnn",
    ]


def test_a_wall_has_the_same_label_as_its_points() -> None:
    """Parameters that differ between a point and a wall count too."""
    other = replace(samples.wall(), parameters={"batch": 64, "units": 128})
    loaded = frames(samples.loaded([samples.measured()], [samples.wall(), other]))

    assert list(loaded.measurements.label) == ["static_rnn batch=32"]
    assert list(loaded.walls.label) == ["static_rnn batch=32", "static_rnn batch=64"]


def test_a_probe_is_one_row_in_the_order_it_was_run() -> None:
    """With its own outcome, seconds and peak."""
    wall = samples.wall(last_ok=650)
    probes = frames(samples.loaded([], [wall])).probes

    assert list(probes.steps) == [probe.steps for probe in wall.probes]
    assert list(probes.status) == [probe.outcome.status.value for probe in wall.probes]
    assert list(probes.seconds) == [probe.seconds for probe in wall.probes]
    assert set(probes.limit_bytes) == {wall.limit_bytes}


def test_a_stored_run_is_loaded_by_name(tmp_path: Path) -> None:
    """``profiler.load_run`` is the public way in; its facts are the stored ones."""
    with Store(tmp_path, create=True) as store:
        run = store.start_run("mine", "a command", samples.ENVIRONMENT)
        store.add_measurement(run, samples.measured())
    loaded = profiler.load_run("mine", results=str(tmp_path))

    assert loaded.run == replace(run, measurements=[samples.measured()])
    assert list(loaded.measurements.steps) == [8]


def test_a_folder_without_results_is_a_usage_error(tmp_path: Path) -> None:
    """The folder is named."""
    with pytest.raises(UsageError, match="no results in"):
        load_run(results=tmp_path)


def test_the_package_has_no_other_late_names() -> None:
    """A wrong name fails as in any module."""
    with pytest.raises(AttributeError, match="no attribute 'load_runs'"):
        _ = profiler.load_runs


def test_the_points_columns_are_the_points_fields() -> None:
    """A field added to ``Point`` cannot be forgotten in an empty frame."""
    assert set(Point.__struct_fields__) <= set(frames(samples.loaded()).measurements.columns)
