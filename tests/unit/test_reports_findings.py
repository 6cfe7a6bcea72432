"""Sentences are computed from the numbers of the run."""

from __future__ import annotations

import re

import pytest
import report_samples as samples

from profiler.analysis.metrics import BY_NAME
from profiler.analysis.series import MetricSeries
from profiler.facts import Measurement, WallStatus, replace
from reports.texts.findings import findings, slope
from reports.texts.walls import wall_clause


def _series(
    *values: float, steps: tuple[int, ...] = (8, 16, 32), metric: str = "nodes"
) -> MetricSeries:
    return MetricSeries(
        label="a",
        conditions=replace(samples.measured().point, steps=0),
        metric=BY_NAME[metric],
        points=tuple(zip(steps, values, strict=False)),
    )


def _with_nodes(measurement: Measurement, total: int) -> Measurement:
    return replace(measurement, graph=samples.graph(total))


def test_points_on_one_line_grow_exactly() -> None:
    """A constant difference per step is an exact law."""
    grown = slope(_series(*(40 + 17 * t for t in (8, 16, 32))))

    assert grown is not None
    assert (float(grown.per_step), grown.exact, grown.is_constant) == (17.0, True, False)


def test_a_point_off_the_line_makes_the_growth_approximate() -> None:
    """One node more at one point, and the law is no longer exact."""
    grown = slope(_series(40 + 17 * 8, 40 + 17 * 16 + 1, 40 + 17 * 32))

    assert grown is not None
    assert float(grown.per_step) == pytest.approx(17, rel=0.01)
    assert not grown.exact


def test_the_slope_of_noisy_points_is_that_of_their_line() -> None:
    """Not that of its two ends, which noise may have moved."""
    numbers = [96.0 * t + (t == 256) for t in samples.DOUBLED]
    grown = slope(_series(*numbers, steps=samples.DOUBLED, metric="backprop"))

    assert grown is not None
    assert float(grown.per_step) == pytest.approx(96, rel=1e-3)
    assert float(grown.per_step) != (numbers[-1] - numbers[0]) / (256 - 8)


def test_two_points_prove_no_law() -> None:
    """Any two points lie on a line."""
    grown = slope(_series(135, 135))

    assert grown is not None
    assert not grown.exact


def test_one_point_has_no_slope() -> None:
    """A slope needs two numbers of steps."""
    assert slope(_series(135)) is None


def test_the_first_headline_contrasts_the_graphs() -> None:
    """The scenario that grows most stands beside the one that does not grow."""
    first = findings(samples.contrast()).headlines[0]

    assert first == (
        "static_rnn adds 17 nodes to its graph for every time step over 8 to 256 steps "
        "(exact at every measured point); dynamic_rnn stays at 135 nodes at every length."
    )


def test_the_second_headline_contrasts_the_walls() -> None:
    """Both ends of both certificates stand there, under their limit."""
    second = findings(samples.contrast()).headlines[1]

    assert second == (
        "Under 64 MiB of device memory, static_rnn survives 650 steps and runs out of memory "
        "at 651; dynamic_rnn survives 980 steps and runs out of memory at 981."
    )


def test_memory_per_step_comes_with_the_steps_it_holds_for() -> None:
    """Backprop bytes per step come from the two ends of the sweep."""
    sentence = findings(samples.contrast()).details[0]

    assert sentence == (
        "Backprop memory that one more step takes in builds: static_rnn 96.0 KiB and "
        "dynamic_rnn 64.0 KiB (over 8 to 256 steps)."
    )


def test_without_walls_the_second_headline_contrasts_the_memory() -> None:
    """The same two scenarios are named, by the bytes that one more step takes."""
    points = [
        *(samples.measured("static_rnn", t) for t in samples.DOUBLED),
        *(samples.measured("middle", t, per_step=5) for t in samples.DOUBLED),
        *(samples.measured("loop", t, unrolled=False, kib_per_step=64) for t in samples.DOUBLED),
    ]

    assert findings(samples.loaded(points)).headlines[1] == (
        "Backprop memory that one more step takes in builds: static_rnn 96.0 KiB and "
        "loop 64.0 KiB (over 8 to 256 steps)."
    )


def test_nodes_that_are_not_affine_are_called_about() -> None:
    """A bent line has no exact slope."""
    points = [_with_nodes(samples.measured(steps=t), 100 + t * t) for t in (8, 16, 32)]

    found = findings(samples.loaded(points)).headlines[0]
    slopes = (16**2 - 8**2) / (16 - 8), (32**2 - 16**2) / (32 - 16)

    match = re.fullmatch(
        r"static_rnn adds about ([\d.]+) nodes to its graph for every time step over 8 to 32 .*",
        found,
    )
    assert match is not None, found
    assert slopes[0] < float(match[1]) < slopes[1]


def test_a_shrinking_graph_loses_nodes() -> None:
    """A negative slope reads as a loss."""
    points = [_with_nodes(samples.measured(steps=t), 400 - 2 * t) for t in (8, 16, 32)]

    assert findings(samples.loaded(points)).headlines[0].startswith("static_rnn loses 2 nodes")


def test_constant_graphs_alone_are_said_to_be_so() -> None:
    """Where nothing grows, nothing is contrasted."""
    points = [samples.measured("loop", t, unrolled=False) for t in (8, 16, 32)]

    assert findings(samples.loaded(points)).headlines[0] == (
        "loop stays at 135 nodes over 8 to 32 steps."
    )


def test_two_growing_graphs_are_both_named() -> None:
    """Without a constant series the least growing one is the contrast."""
    points = [samples.measured("small", t) for t in (8, 16, 32)]
    points += [samples.measured("big", t, per_step=31) for t in (8, 16, 32)]

    assert findings(samples.loaded(points)).headlines[0].endswith("; small adds 17.")


def test_every_failed_point_is_named_with_its_end() -> None:
    """Failures are part of the result."""
    assert findings(samples.large()).details[-1] == (
        "2 of 72 points failed: keras_unrolled at 256 steps (ran out of device memory) "
        "and small_batch_static at 128 steps (crashed)."
    )


def test_many_failed_points_are_counted_by_their_end() -> None:
    """Six failures are a count, not a list."""
    points = [samples.failed(samples.measured(steps=t), built=False) for t in samples.DOUBLED]

    assert findings(samples.loaded(points)).headlines == (
        "6 of 6 points failed: 6 ran out of device memory.",
    )


def test_a_single_number_of_steps_gives_sizes_without_a_slope() -> None:
    """One point has a size and no growth."""
    found = findings(samples.loaded([samples.measured(steps=8)]))

    assert found.headlines == (f"static_rnn has {40 + 17 * 8} nodes at 8 steps.",)


def test_a_run_without_anything_says_so() -> None:
    """The report of an empty run has a headline too."""
    assert findings(samples.loaded()).headlines == ("Nothing was measured in this run.",)


def test_walls_alone_make_a_headline() -> None:
    """A run of wall searches needs no measurements."""
    results = samples.loaded([], [samples.wall("b", 90), samples.wall("a", 40)])

    assert findings(results).headlines[0] == (
        "Under 64 MiB of device memory, a survives 40 steps and runs out of memory at 41; "
        "b survives 90 steps and runs out of memory at 91."
    )


def test_skipped_points_are_neither_failed_nor_counted() -> None:
    """They were never run."""
    points = [samples.measured(), samples.failed(samples.measured(steps=16))]
    found = findings(samples.loaded([*points, samples.skipped(samples.measured(steps=32), 16)]))

    assert any(
        text.startswith("1 of 2 points failed") for text in (*found.headlines, *found.details)
    )


def test_what_ran_out_at_a_wall_is_said() -> None:
    """The operation, the tensor and the bytes, of the walls whose failing run said so."""
    silent = samples.wall("b", 90)
    silent = replace(silent, probes=[probe for probe in silent.probes if probe.steps != 91])
    found = findings(samples.loaded([], [samples.wall("a", 40), silent]))

    assert found.headlines[1] == (
        f"What ran out under 64 MiB of device memory: a at 41 steps, {samples.RAN_OUT}."
    )
    assert "What ran out" not in " ".join(findings(samples.loaded([], [silent])).headlines)


def test_every_wall_is_named_once_per_family() -> None:
    """Walls that the headline leaves out stand in the list."""
    text = " ".join(findings(samples.large()).details)

    for wall in samples.large().run.walls:
        assert wall_clause(wall.scenario, wall) in text


def test_an_unproven_wall_is_no_headline() -> None:
    """A headline must have been proven; the list has the rest."""
    results = samples.loaded(
        [samples.measured(steps=t) for t in samples.DOUBLED],
        [samples.wall(last_ok=40, status=WallStatus.UNPROVEN)],
    )
    found = findings(results)

    assert "no wall was proven" not in " ".join(found.headlines)
    assert "no wall was proven" in " ".join(found.details)
