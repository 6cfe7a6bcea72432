"""What laws, budgets and comparisons read of a measurement, and how far it repeats."""

from __future__ import annotations

import pytest
import report_samples as samples

from profiler.analysis.metrics import BY_NAME, HOST_BUILD, HOST_LIMITED, METRICS, part_nodes
from profiler.facts import GraphSize, GraphStage, HostMemory, PhaseRole, Schedule, replace


def test_every_metric_reads_a_point_that_ended_well() -> None:
    """And none reads a point that left nothing."""
    point = samples.measured()
    empty = replace(point, graph=None, phases=[], step=None, device=None, host=None)

    assert all(metric.value(point) is not None for metric in METRICS)
    assert all(metric.value(empty) is None for metric in METRICS)


def test_a_failed_point_has_its_graph_and_no_memory() -> None:
    """A graph that was built is complete; the peak of a step that broke off is not."""
    failed = replace(samples.measured(), outcome=samples.OOM)
    known = {metric.name for metric in METRICS if metric.value(failed) is not None}

    assert known == {"nodes", "build_time"}


def test_building_takes_the_gradients_in() -> None:
    """A build that broke off in them has no time."""
    point = samples.measured()
    building = [phase for phase in point.phases if phase.role is PhaseRole.BUILD]
    broken = [
        replace(phase, seconds=None) if phase is building[-1] else phase for phase in point.phases
    ]

    assert BY_NAME["build_time"].value(point) == sum(phase.seconds or 0 for phase in building)
    assert BY_NAME["build_time"].value(replace(point, phases=broken)) is None


def test_the_nodes_of_a_part_are_those_of_the_graph_as_built() -> None:
    """A part that the graph does not have is unknown, not zero."""
    point = samples.measured(steps=8)

    assert part_nodes("forward").value(point) == samples.nodes(8) // 3
    assert part_nodes("sideways").value(point) is None


def test_the_peak_of_building_is_that_of_its_phases() -> None:
    """Later phases may hold more."""
    point = samples.measured(steps=8)

    assert HOST_BUILD.value(point) == 8 * 50 * samples.KIB
    assert (BY_NAME["host"].value(point) or 0) > (HOST_BUILD.value(point) or 0)


def test_the_whole_process_is_read_only_under_a_host_limit() -> None:
    """Without a limit nobody counted it."""
    capped = replace(samples.measured(), host=HostMemory(capped_peak_bytes=7))
    limited = replace(capped, point=replace(capped.point, host_limit_bytes=9))

    assert HOST_LIMITED.value(capped) is None
    assert HOST_LIMITED.value(limited) == 7


@pytest.mark.parametrize(
    ("name", "serial", "parallel"),
    [
        ("nodes", False, False),
        ("peak", False, True),
        ("host", True, True),
        ("step_time", True, True),
    ],
)
def test_noise_depends_on_the_schedule(name: str, serial: bool, parallel: bool) -> None:  # noqa: FBT001
    """Counts repeat, device memory does in the serial schedule, times and the host never."""
    metric = BY_NAME[name]

    assert metric.is_noisy(Schedule.SERIAL) is serial
    assert metric.is_noisy(Schedule.PARALLEL) is parallel


def test_nodes_in_functions_count_beside_the_others() -> None:
    """A loop in a function adds its steps there; what the graph became is not added."""
    stages = [
        GraphStage(name="built", nodes=25, beside=["library"]),
        GraphStage(name="library", nodes=20 * 8),
        GraphStage(name="executed", nodes=90),
    ]

    assert GraphSize(stages=stages).nodes == 25 + 20 * 8
    assert GraphSize(stages=[stages[0], stages[2]]).nodes is None
