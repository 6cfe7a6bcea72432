"""CSV and JSON hold the raw numbers and come back as they were."""

from __future__ import annotations

import csv
import io
import json

import pytest
import report_samples as samples

from profiler.analysis.results import RunResults
from profiler.facts import (
    DeviceMemory,
    Environment,
    GraphSize,
    GraphStage,
    Outcome,
    Phase,
    WallStatus,
    convert,
    replace,
    to_json,
)
from profiler.store.frames import frames
from reports.pages.exports import (
    json_text,
    laws_csv,
    measurements_csv,
    run_document,
    trade_offs_csv,
    wall_document,
    walls_csv,
)


def _rows(results: RunResults) -> list[dict[str, str]]:
    return _read(measurements_csv(frames(results)))


def _read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_has_one_row_per_measurement() -> None:
    """72 points are 72 rows, failed ones among them."""
    assert len(_rows(samples.large())) == 12 * len(samples.DOUBLED)


def test_csv_columns_are_those_of_the_frame() -> None:
    """The order of the columns does not depend on the data."""
    empty = frames(samples.loaded())

    assert measurements_csv(empty).splitlines() == [",".join(empty.measurements.columns)]
    assert list(_rows(samples.contrast())[0]) == list(frames(samples.contrast()).measurements)


def test_csv_bytes_are_whole_even_beside_a_gap() -> None:
    """A failed point must not turn its neighbours' bytes into fractions."""
    points = [samples.measured(steps=8), samples.failed(samples.measured(steps=16))]
    good, bad = _rows(samples.loaded(points))

    assert good["device_peak_bytes"] == str(samples.MIB + 8 * 96 * samples.KIB)
    assert good["total_nodes"] == str(40 + 17 * 8)
    assert (bad["device_peak_bytes"], bad["total_nodes"]) == ("", str(40 + 17 * 16))


def test_csv_dicts_are_json_text() -> None:
    """Parameters and counts by operation can be read back."""
    (row,) = _rows(samples.loaded([samples.measured()]))
    total = 40 + 17 * 8

    assert json.loads(row["parameters"]) == {"batch": 32, "units": 128}
    assert json.loads(row["by_op"]) == {"MatMul": total - total // 3, "Tanh": total // 3}


def test_csv_says_what_ran_out() -> None:
    """The shape is JSON text, the bytes are whole; a point that is well has neither."""
    points = [samples.measured(), samples.failed(samples.measured(steps=16))]
    good, bad = _rows(samples.loaded(points))

    assert (bad["oom_op"], bad["oom_dtype"]) == (
        "gradients/rnn/cell/MatMul_7_grad/MatMul",
        "float32",
    )
    assert json.loads(bad["oom_shape"]) == [256, 32, 128]
    assert bad["oom_requested_bytes"] == str(256 * 32 * 128 * 4)
    assert {good[name] for name in good if name.startswith("oom_")} == {""}


def test_a_measurement_comes_back_convert() -> None:
    """Every group of a measurement can be rebuilt from the document."""
    point = samples.measured(steps=32)
    text = json_text(run_document(RunResults(samples.run([point]))))
    (found,) = json.loads(text)["measurements"]

    assert (found["scenario"], found["steps"]) == ("static_rnn", 32)
    assert found["parameters"] == {"batch": 32, "units": 128}
    assert convert(Outcome, found["outcome"]) == point.outcome
    assert convert(DeviceMemory, found["device"]) == point.device
    assert convert(list[Phase], found["phases"]) == point.phases
    assert convert(list[GraphStage], found["graph"]["stages"]) == samples.graph(40 + 17 * 32).stages


def test_the_document_has_a_line_for_each_record() -> None:
    """Large runs stay small files, and a line can be found by its scenario."""
    run = samples.run([samples.measured(steps=8), samples.measured(steps=16)], [samples.wall()])
    text = json_text(run_document(RunResults(run)))

    assert json.loads(text) == run_document(RunResults(run))
    assert sum('"scenario":"static_rnn"' in line for line in text.splitlines()) == 3


def test_a_measurement_document_has_the_promised_keys() -> None:
    """Parts and stages of the graph, phases of training and the host memory of each phase."""
    (found,) = run_document(RunResults(samples.run([samples.measured(steps=32)])))["measurements"]
    total = 40 + 17 * 32
    graph, time, host = found["graph"], found["time"], found["host"]

    assert (graph["forward_nodes"], graph["backward_nodes"]) == (total // 3, total - total // 3)
    assert (graph["total_nodes"], graph["library_nodes"]) == (total, 0)
    assert (graph["executed_nodes"], graph["graph_bytes"]) == (total - 7, 100 * total)
    assert graph["by_op"] == {"MatMul": total - total // 3, "Tanh": total // 3}
    assert time["build_forward_s"] == pytest.approx(0.002 * 32)
    assert (time["first_step_s"], time["steady_steps"]) == (pytest.approx(0.013 * 32), 5)
    assert "start_s" not in time
    assert host["build_forward_peak_bytes"] == 32 * 50 * samples.KIB
    assert host["peak_bytes"] == host["steady_peak_bytes"]
    assert list(found)[:4] == ["scenario", "parameters", "steps", "framework"]


def test_a_stage_that_a_graph_does_not_have_is_null() -> None:
    """The promised keys are there for every framework."""
    bare = GraphSize(stages=[GraphStage(name="built", nodes=5)])
    run = samples.run([replace(samples.measured(), graph=bare)])
    graph = run_document(RunResults(run))["measurements"][0]["graph"]

    assert (graph["total_nodes"], graph["forward_nodes"], graph["executed_nodes"]) == (
        5,
        None,
        None,
    )


def test_the_conditions_of_a_point_stand_apart_from_its_memory() -> None:
    """``device`` is the memory group; the device's name is under ``point``."""
    point = samples.measured()
    limited = replace(point, point=replace(point.point, limit_bytes=samples.MIB, repeat=2))
    (found,) = run_document(RunResults(samples.run([limited])))["measurements"]

    assert found["point"] == {
        "family": "builds",
        "device": "cpu",
        "limit_bytes": samples.MIB,
        "schedule": "serial",
        "repeat": 2,
        "host_limit_bytes": None,
        "source": "",
    }


def test_what_was_not_measured_stays_null_with_its_reason() -> None:
    """Null is null in JSON, and the reason is beside it."""
    (found,) = run_document(RunResults(samples.run([samples.failed(samples.measured())])))[
        "measurements"
    ]

    assert (found["device"], found["host"], found["time"]["steady_s"]) == (None, None, None)
    assert found["missing"] == {"device.peak_bytes": "the step never ended"}


def test_a_run_document_names_its_schema_and_its_environment() -> None:
    """A reader knows what it reads, and where it was made."""
    document = run_document(RunResults(samples.run()))

    assert (document["schema"], document["run"]) == (1, "sample")
    assert convert(Environment, document["environment"]) == samples.ENVIRONMENT


def test_a_wall_document_has_flat_probes() -> None:
    """A probe is steps, how it ended, what ran out, peak and seconds."""
    document = wall_document(samples.wall(last_ok=650))

    assert (document["schema"], document["status"]) == (1, "exact")
    assert (document["last_ok"], document["first_oom"]) == (650, 651)
    assert document["probes"][2] == {
        "steps": 651,
        "repeat": 0,
        "outcome": "oom_device",
        "phase": samples.OOM.phase,
        "reason": samples.OOM.reason,
        "signal": None,
        "cut_short": False,
        "host": None,
        "shortage": to_json(samples.OOM.shortage),
        "replayed": False,
        "peak_bytes": None,
        "reserved_bytes": None,
        "seconds": 11.0,
    }


def test_a_wall_document_has_prediction_and_price() -> None:
    """With how far off the one was, and how often the ends held."""
    document = wall_document(samples.foreseen(samples.band(640, 660)))

    assert (document["predicted"], document["predicted_low"]) == (637, 633)
    assert (document["predicted_high"], document["predicted_by"]) == (641, "replay")
    assert document["prediction_error_steps"] == 637 - 640
    assert document["price"] == 15 / (2 + 3)
    assert document["confirmation"] == {"repeats": 3, "survived": 3, "ran_out": 3}
    assert [probe["cut_short"] for probe in document["probes"]].count(True) == 1


def test_walls_have_a_csv_of_their_own() -> None:
    """One row per certificate: whole numbers whole, gaps empty, lists as JSON."""
    walls = [samples.wall("a", 650), samples.wall("b", None, status=WallStatus.AT_MOST)]
    found, at_most = _read(walls_csv(frames(samples.loaded([], walls))))

    assert (found["last_ok"], found["first_oom"], found["limit_bytes"]) == (
        "650",
        "651",
        str(2**26),
    )
    assert (found["prediction_error_steps"], json.loads(found["predicted_from"])) == (
        "-3",
        [40, 80],
    )
    assert (at_most["last_ok"], at_most["first_oom"]) == ("", "1")
    assert (at_most["price"], at_most["prediction_error_steps"]) == ("", "")


def test_a_run_without_walls_has_a_csv_with_headings() -> None:
    """The columns do not depend on the data."""
    columns = frames(samples.contrast()).walls.columns

    assert walls_csv(frames(samples.loaded())).splitlines() == [",".join(columns)]


def test_a_run_document_holds_its_walls() -> None:
    """The walls of a run are the documents of its certificates."""
    run = samples.contrast().run

    assert run_document(RunResults(run))["walls"] == [wall_document(wall) for wall in run.walls]


def test_trade_offs_stand_in_csv_and_json_in_raw_units() -> None:
    """The looped one goes 980 / 650 as far, and its step takes 1.4 times the time."""
    results = samples.contrast()
    rows = {row["label"]: row for row in _read(trade_offs_csv(results))}
    far, near = rows["dynamic_rnn"], rows["static_rnn"]

    assert [int(far[key]) for key in ("limit_bytes", "last_ok", "steps")] == [64 << 20, 980, 256]
    assert float(far["wall_ratio"]) == pytest.approx(980 / 650)
    assert float(far["step_ratio"]) == pytest.approx(1.4)
    assert int(near["peak_bytes"]) == (1 << 20) + 256 * 96 * 1024
    assert int(near["nodes"]) == 40 + 17 * 256
    assert (near["wall_ratio"], near["by_law"]) == ("1.0", "[]")
    document = json.loads(json_text(run_document(results)))
    assert [one["label"] for one in document["trade_offs"]] == list(rows)
    assert document["trade_offs"][0]["wall_ratio"] == float(far["wall_ratio"])


def test_without_walls_nothing_is_traded_off() -> None:
    """The columns stand there all the same."""
    empty = samples.loaded()

    assert trade_offs_csv(empty).startswith("family,label,kind,limit_bytes,status,last_ok")
    assert run_document(empty)["trade_offs"] == []


def test_laws_stand_in_csv_with_every_coefficient_and_its_interval() -> None:
    """Raw units; an exact law's interval is the number itself."""
    rows = {(row["label"], row["metric"]): row for row in _read(laws_csv(samples.contrast()))}
    nodes, memory = rows["static_rnn", "nodes"], rows["static_rnn", "backprop"]

    assert [float(nodes[name]) for name in ("a", "a_low", "a_high", "b")] == [40, 40, 40, 17]
    assert (nodes["c"], nodes["exact"], nodes["last_steps"]) == ("", "True", "256")
    assert (nodes["outlier_steps"], nodes["jump_from_steps"]) == ("[]", "")
    assert float(memory["b_low"]) <= samples.KIB_PER_STEP * samples.KIB <= float(memory["b_high"])
    assert float(memory["per_step"]) == pytest.approx(samples.KIB_PER_STEP * samples.KIB)


def test_a_series_without_a_law_has_a_row_too() -> None:
    """With how many points it has."""
    rows = _read(laws_csv(samples.loaded([samples.measured(steps=8)])))

    assert {(row["kind"], row["points"], row["is_clear"]) for row in rows} == {("", "1", "False")}
    assert laws_csv(samples.loaded()).startswith("label,family,metric,unit,kind,formula,a,a_low")
