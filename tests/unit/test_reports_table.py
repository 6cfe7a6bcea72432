"""The tables are defined once and read well in a terminal."""

from __future__ import annotations

import report_samples as samples

from profiler.facts import GraphSize, GraphStage, Outcome, Status, WallStatus, replace
from reports.tables.grid import (
    Grid,
    measurement_grid,
    outcome_sentence,
    wall_grid,
)
from reports.texts.numbers import DASH


def _row(grid: Grid, index: int = 0) -> dict[str, str]:
    return dict(zip(grid.headings, grid.rows[index].cells, strict=True))


def test_a_measurement_is_one_row_of_readable_numbers() -> None:
    """Every column follows from the closed form of the sample."""
    row = _row(measurement_grid(samples.loaded([samples.measured(steps=64)])))
    nodes = 40 + 17 * 64

    assert row == {
        "scenario": "static_rnn",
        "steps": "64",
        "forward nodes": f"{nodes // 3}",
        "backward nodes": f"{nodes - nodes // 3}",
        "executed nodes": f"{nodes - 7:,}",
        "build": f"{64 * 7} ms",
        "first step": f"{64 * 13} ms",
        "step": "6.4 ms",
        "backprop memory": f"{96 * 64 / 1024:.1f} MiB",
        "device peak": f"{1 + 96 * 64 / 1024:.1f} MiB",
        "host peak": f"{(2 * 96 + 100) * 64 / 1024:.1f} MiB",
        "outcome": "ok",
    }


def test_what_was_not_measured_is_a_dash() -> None:
    """A missing number is never a zero."""
    point = samples.failed(samples.measured(), built=False)
    row = _row(measurement_grid(samples.loaded([point])))

    # The kernel counts the process's memory in whatever phase it ends.
    assert {row[name] for name in list(row)[2:-1] if name != "host peak"} == {DASH}


def test_a_build_without_gradients_has_no_build_time() -> None:
    """Half a build is not shown as a whole one."""
    point = samples.measured()
    half = replace(point, phases=point.phases[:2])

    assert _row(measurement_grid(samples.loaded([half])))["build"] == DASH


def test_a_failed_row_is_marked_and_gives_its_reason() -> None:
    """A failure stands out and explains itself."""
    grid = measurement_grid(samples.loaded([samples.failed(samples.measured())]))

    assert grid.rows[0].failed
    assert grid.rows[0].cells[-1] == (
        f"ran out of device memory during first step: {samples.RAN_OUT}"
    )


def test_a_skipped_point_is_quiet_and_no_failure() -> None:
    """It was not run, for fewer steps ran out; the row says so."""
    points = [samples.failed(samples.measured()), samples.skipped(samples.measured(steps=16), 8)]
    grid = measurement_grid(samples.loaded(points))

    assert [(row.failed, row.quiet) for row in grid.rows] == [(True, False), (False, True)]
    assert grid.rows[1].cells[-1] == "skipped: 8 steps ran out of memory"


def test_a_graph_without_parts_has_no_columns_for_them() -> None:
    """The columns come from what was measured."""
    bare = GraphSize(stages=[GraphStage(name="built", nodes=5)])
    grid = measurement_grid(samples.loaded([replace(samples.measured(), graph=bare)]))

    assert [name for name in grid.headings if name.endswith("nodes")] == ["executed nodes"]


def test_an_outcome_without_a_shortage_gives_its_reason() -> None:
    """A host's kill, for example, names no tensor."""
    killed = Outcome(status=Status.OOM_HOST, phase="build_forward", reason="killed by the kernel")

    assert outcome_sentence(killed) == (
        "ran out of host memory during build forward: killed by the kernel"
    )


def test_an_outcome_names_the_signal_or_the_exit_code() -> None:
    """How a child died is part of the sentence."""
    timed_out = Outcome(status=Status.TIMEOUT, exit_code=3)

    assert outcome_sentence(samples.CRASH) == "crashed during build gradients: SIGSEGV"
    assert outcome_sentence(timed_out) == "timed out: exit code 3"


def test_a_wall_is_one_row_with_both_ends() -> None:
    """The certificate's numbers stand side by side."""
    row = _row(wall_grid(samples.contrast()))

    assert row == {
        "scenario": "static_rnn",
        "limit": "64 MiB",
        "of": "device",
        "status": "exact",
        "survives": "650",
        "runs out": "651",
        "predicted": "647",
        "error": "-3 (0.5 %)",
        "price": f"{15 / (2 + 11):.1f} ×",  # noqa: RUF001
        "peak": "64.0 MiB",
        "during": "first step",
        "what ran out": samples.RAN_OUT,
    }


def test_a_wall_without_an_end_has_dashes() -> None:
    """What was not reached is not invented."""
    wall = samples.wall(last_ok=None, status=WallStatus.AT_MOST)
    row = _row(wall_grid(samples.loaded([], [wall])))
    unknown = ("survives", "predicted", "error", "price", "peak")

    assert row["runs out"] == "1"
    assert {row[name] for name in unknown} == {DASH}


def test_a_wall_row_has_the_margin_and_what_capped_the_process() -> None:
    """What was predicted, with how far off it may be."""
    wall = replace(samples.foreseen(samples.wall(kind="host")), limit_by="RLIMIT_DATA")
    row = _row(wall_grid(samples.loaded([], [wall])))

    assert (row["predicted"], row["of"]) == ("647 ± 4", "host (RLIMIT_DATA)")


def test_what_ran_out_is_from_the_run_that_was_not_cut_short() -> None:
    """A run that was ended while it waited never said what it waited for."""
    wall = samples.wall()
    cut = replace(wall.probes[2], outcome=Outcome(status=Status.OOM_DEVICE, cut_short=True))
    row = _row(wall_grid(samples.loaded([], [replace(wall, probes=[cut, *wall.probes])])))

    assert row["what ran out"] == samples.RAN_OUT
