"""A run's points become series: one per metric and conditions, with the law that they follow."""

from __future__ import annotations

import dataclasses

import pytest
import report_samples as samples

from profiler.analysis.laws import Law, TooFewLengths
from profiler.analysis.series import MetricSeries, metric_series
from profiler.facts import Measurement, Run, replace

STEPS = (8, 16, 32, 64)


def _run(measurements: list[Measurement]) -> Run:
    return samples.loaded(measurements).run


def _series(run: Run, metric: str, label: str = "static_rnn") -> MetricSeries:
    (found,) = [
        one for one in metric_series(run) if (one.metric.name, one.label) == (metric, label)
    ]
    return found


def test_there_is_a_series_for_each_metric_that_was_measured() -> None:
    """By metric, then as the run has them."""
    run = _run([samples.measured(steps=steps) for steps in STEPS])

    assert [one.metric.name for one in metric_series(run)] == [
        *("nodes", "build_time", "first_step_time", "step_time", "backprop", "peak", "host"),
    ]


def test_points_stand_by_steps_with_every_repeat() -> None:
    """Repeats are points of their own: they show the noise."""
    run = _run(
        [samples.measured(steps=steps, repeat=repeat) for repeat in (0, 1) for steps in (16, 8)]
    )
    nodes = _series(run, "nodes")

    assert [steps for steps, _ in nodes.points] == [8, 8, 16, 16]
    assert nodes.values_at(16) == [samples.nodes(16)] * 2
    assert (nodes.last, nodes.conditions.steps, nodes.conditions.repeat) == (16, 0, 0)


def test_other_conditions_make_another_series() -> None:
    """A limit changes what is measured."""
    free = samples.measured()
    limited = replace(free, point=replace(free.point, limit_bytes=samples.MIB))

    assert (
        len([one for one in metric_series(_run([free, limited])) if one.metric.name == "nodes"])
        == 2
    )


def test_a_failed_point_gives_its_graph_only() -> None:
    """The peak of a step that broke off is not the step's peak."""
    points = [samples.measured(steps=steps) for steps in STEPS]
    run = _run([*points[:-1], samples.failed(points[-1])])

    assert _series(run, "nodes").last == STEPS[-1]
    assert _series(run, "backprop").last == STEPS[-2]


def test_the_law_of_a_curve_is_exact_for_nodes() -> None:
    """17 nodes per step, as the sample's closed form has it; its half predicts the rest."""
    nodes = _series(_run([samples.measured(steps=steps) for steps in STEPS]), "nodes")

    assert isinstance(nodes.law, Law)
    assert nodes.clear_law is nodes.law
    assert (nodes.law.exact, nodes.law.per_step, nodes.holdout_error) == (True, 17, None)


def test_too_few_lengths_give_no_law() -> None:
    """Nor a hold-out error."""
    nodes = _series(_run([samples.measured(steps=steps) for steps in STEPS[:2]]), "nodes")

    assert isinstance(nodes.law, TooFewLengths)
    assert nodes.clear_law is None
    assert nodes.holdout_error is None


@pytest.mark.parametrize("sizes", [(1.0, 9.0, 1.0, 9.0, 1.0, 9.0)])
def test_a_law_that_is_off_by_its_own_size_is_not_clear(sizes: tuple[float, ...]) -> None:
    """It says nothing of a step."""
    plain = _series(_run([samples.measured()]), "step_time")
    wild = dataclasses.replace(
        plain, points=tuple(zip((8, 16, 32, 64, 128, 256), sizes, strict=True))
    )

    assert isinstance(wild.law, Law)
    assert wild.clear_law is None


@pytest.mark.parametrize(
    ("steps", "covered"), [(7, False), (8, True), (40, True), (64, True), (65, False)]
)
def test_a_curve_covers_what_lies_between_its_points(steps: int, covered: bool) -> None:  # noqa: FBT001
    """Its ends included; without a point nothing."""
    nodes = _series(_run([samples.measured(steps=n) for n in STEPS]), "nodes")

    assert nodes.covers(steps) is covered
    assert not dataclasses.replace(nodes, points=()).covers(steps)
