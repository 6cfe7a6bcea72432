"""Plots get their data from a run: panels, series, failed points and walls."""

from __future__ import annotations

import pytest
import report_samples as samples

from profiler.analysis.metrics import BY_NAME
from profiler.analysis.results import RunResults
from profiler.facts import Measurement, Status, WallStatus, replace
from reports.plots.panels import BoundedMetric, MetricPanel, Spot, panels

NODES = BoundedMetric(metric=BY_NAME["nodes"])
BUILD = BoundedMetric(metric=BY_NAME["build_time"])
PEAK = BoundedMetric(metric=BY_NAME["peak"], wall_kind="device")
STEP = BoundedMetric(metric=BY_NAME["step_time"])


def _only(results: RunResults, metric: BoundedMetric) -> MetricPanel:
    (panel,) = panels(results, metric)
    return panel


def _with_step(measurement: Measurement, seconds: float, repeat: int) -> Measurement:
    point = replace(measurement.point, repeat=repeat)
    return replace(samples.with_step(measurement, seconds), point=point)


def test_every_family_is_a_panel_and_every_label_a_series() -> None:
    """Four scenarios of one family and eight of another give two panels of 4 and 8 series."""
    found = panels(samples.large(), NODES)

    assert [(panel.family, len(panel.series)) for panel in found] == [("builds", 4), ("shapes", 8)]


def test_a_series_has_the_measured_value_at_each_number_of_steps() -> None:
    """The spots follow the closed form of the sample."""
    static, dynamic = _only(samples.contrast(), NODES).series

    assert [spot.median for spot in static.spots] == [40 + 17 * t for t in samples.DOUBLED]
    assert {spot.median for spot in dynamic.spots} == {135}
    assert [spot.steps for spot in static.spots] == list(samples.DOUBLED)


def test_the_phases_of_building_are_added_up() -> None:
    """Building is the forward part plus the gradients."""
    (series,) = _only(samples.loaded([samples.measured(steps=8)]), BUILD).series

    assert series.spots[0].median == pytest.approx(8 * (0.002 + 0.005))


def test_repeats_become_a_median_with_its_range() -> None:
    """Three repeats are one spot."""
    point = samples.measured(steps=8)
    repeats = [_with_step(point, s, index) for index, s in enumerate((0.5, 0.25, 2.0))]

    (series,) = _only(samples.loaded(repeats), STEP).series

    assert series.spots == (Spot(steps=8, median=0.5, low=0.25, high=2.0),)


def test_every_failed_point_is_kept_with_its_status() -> None:
    """No failed point disappears from any panel."""
    found = {
        (series.label, failure.steps, failure.status)
        for panel in panels(samples.large(), PEAK)
        for series in panel.series
        for failure in series.failures
    }

    assert found == {
        ("keras_unrolled", 256, Status.OOM_DEVICE),
        ("small_batch_static", 128, Status.CRASHED),
    }


def test_a_skipped_point_is_no_failure() -> None:
    """It was never run: there is nothing to mark."""
    points = [samples.measured(steps=8), samples.skipped(samples.measured(steps=32), 16)]

    (series,) = _only(samples.loaded(points), PEAK).series

    assert series.failures == ()
    assert [spot.steps for spot in series.spots] == [8]


def test_a_failed_point_is_marked_at_the_last_good_value() -> None:
    """The mark stands at the height where the line ended."""
    good, bad = samples.measured(steps=8), samples.failed(samples.measured(steps=16), built=False)

    (series,) = _only(samples.loaded([good, bad]), PEAK).series

    assert series.failures[0].value == samples.MIB + 8 * samples.KIB_PER_STEP * samples.KIB


def test_a_failed_point_without_a_good_one_is_marked_at_the_edge() -> None:
    """Where nothing ended well there is no height to mark."""
    (series,) = _only(samples.loaded([samples.failed(samples.measured())]), PEAK).series

    assert (series.spots, series.failures[0].value) == ((), None)


def test_the_graph_of_a_failed_point_counts() -> None:
    """A graph that was built before memory ran out has its true size."""
    results = samples.loaded([samples.failed(samples.measured(steps=16))])

    (series,) = _only(results, NODES).series

    assert [spot.median for spot in series.spots] == [40 + 17 * 16]


def test_the_peak_of_a_failed_point_does_not_count() -> None:
    """What a broken step reached is no measurement of what it needs."""
    point = replace(samples.measured(steps=8), outcome=samples.OOM)

    (series,) = _only(samples.loaded([point]), PEAK).series

    assert series.spots == ()


def test_a_wall_stands_at_the_last_survivor_under_its_limit() -> None:
    """An exact wall is marked at the steps that survived, with the surviving probes."""
    panel = _only(samples.contrast(), PEAK)
    (wall,) = panel.series[0].walls

    assert (wall.steps, wall.limit_bytes) == (650, 64 * samples.MIB)
    assert [probe.steps for probe in wall.probes] == [40, 80, 650]
    assert panel.limits == (64 * samples.MIB,)


def test_a_wall_that_begins_at_once_stands_at_the_first_failure() -> None:
    """Where even one step runs out, the mark is there."""
    results = samples.loaded([], [samples.wall(last_ok=None, status=WallStatus.AT_MOST)])

    assert _only(results, PEAK).series[0].walls[0].steps == 1


def test_a_wall_is_drawn_only_where_its_limit_applies() -> None:
    """A host wall bounds no device memory, and no wall bounds nodes."""
    results = samples.loaded([samples.measured()], [samples.wall(kind="host")])

    assert [_only(results, metric).series[0].walls for metric in (PEAK, NODES)] == [(), ()]
    assert _only(results, PEAK).limits == ()


def test_the_limit_of_the_measurements_is_a_limit_of_the_panel() -> None:
    """Points that were measured under a limit show it without a wall search."""
    point = samples.measured()
    limited = replace(point, point=replace(point.point, limit_bytes=samples.MIB))

    assert _only(samples.loaded([limited, samples.measured(steps=16)]), PEAK).limits == (
        samples.MIB,
    )


def test_a_run_of_walls_alone_has_its_families() -> None:
    """Walls bring their scenarios along."""
    assert samples.loaded([], [samples.wall("loop")]).families == {"builds": ["loop"]}


def test_a_run_without_anything_has_no_panels() -> None:
    """An empty run is no error."""
    assert panels(samples.loaded(), NODES) == []
