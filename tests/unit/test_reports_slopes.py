"""How a series grows is one number for each step."""

from __future__ import annotations

import pytest
import report_samples as samples

from profiler.analysis.metrics import BY_NAME
from profiler.analysis.series import MetricSeries
from profiler.facts import Measurement, replace
from reports.texts.slopes import slope


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
