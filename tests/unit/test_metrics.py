"""What laws, budgets and comparisons read of a measurement, and how far it repeats."""

from __future__ import annotations

from dataclasses import replace

import pytest
import report_samples as samples

from profiler.analysis.metrics import BY_NAME, METRICS, find_metric
from profiler.errors import UsageError
from profiler.facts import Schedule


def test_every_metric_reads_a_point_that_ended_well() -> None:
    """And none reads a point that left nothing."""
    point = samples.measured()
    empty = replace(point, graph=None, time=None, device=None, host=None)

    assert all(metric.value(point) is not None for metric in METRICS)
    assert all(metric.value(empty) is None for metric in METRICS)


def test_building_takes_the_gradients_in() -> None:
    """A build that broke off in them has no time."""
    point = samples.measured()
    assert point.time is not None
    broken = replace(point, time=replace(point.time, build_gradients_s=None))

    assert BY_NAME["build_time"].value(point) == (
        point.time.build_forward_s + (point.time.build_gradients_s or 0)
    )
    assert BY_NAME["build_time"].value(broken) is None


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


def test_an_unknown_metric_names_what_was_meant() -> None:
    """Or all there are."""
    assert find_metric("peak") is BY_NAME["peak"]
    with pytest.raises(UsageError, match="did you mean 'peak'"):
        find_metric("peek")
    with pytest.raises(UsageError, match="allowed: backprop, build_time"):
        find_metric("zzz")
