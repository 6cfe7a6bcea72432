"""A line is fitted where a constant would do, to bound how far that constant may be continued."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.analysis.fitting import fit, fit_line
from profiler.analysis.laws import Law, TooFewLengths

LENGTHS = (64, 96, 128, 192, 256)


@settings(max_examples=40)
@given(start=st.floats(1, 1e6), slope=st.floats(0.01, 1e6))
def test_a_planted_line_is_found(*, start: float, slope: float) -> None:
    """Its value far beyond the points is the planted one."""
    found = fit_line([(n, start + slope * n) for n in LENGTHS])

    assert isinstance(found, Law)
    assert found.kind == "linear"
    assert found.at(2048) == pytest.approx(start + slope * 2048, rel=1e-6)


@settings(max_examples=15)
@given(scale=st.floats(1e-6, 1e6))
def test_the_line_through_a_noisy_constant_is_less_sure_of_what_is_far(*, scale: float) -> None:
    """In proportion to the values, whatever their unit."""
    points = [
        (n, scale * value) for n, value in zip(LENGTHS, (100, 108, 96, 104, 110), strict=True)
    ]
    constant, line = fit(points), fit_line(points)
    assert isinstance(constant, Law)
    assert isinstance(line, Law)
    widths = [high - low for low, high in (law.interval_at(2048) for law in (constant, line))]

    assert constant.kind == "constant"
    assert widths[1] > 5 * widths[0]
    assert widths[1] / scale == pytest.approx(_width([(n, v / scale) for n, v in points]), rel=1e-6)


def _width(points: list[tuple[int, float]]) -> float:
    line = fit_line(points)
    assert isinstance(line, Law)
    low, high = line.interval_at(2048)
    return high - low


def test_two_lengths_have_no_line() -> None:
    """Nor a bound."""
    found = fit_line([(8, 1.0), (16, 2.0)])

    assert isinstance(found, TooFewLengths)
    assert (found.lengths, found.needed) == (2, 3)


def test_what_is_no_point_is_refused() -> None:
    """As by every fit."""
    with pytest.raises(ValueError, match="steps from 1 on"):
        fit_line([(0, 1.0), (8, 1.0), (16, 2.0)])


@given(scale=st.floats(1e-6, 1e6))
def test_the_error_is_the_residuals_share_of_the_values(*, scale: float) -> None:
    """Root mean squares of both: a long length weighs as much in the one as in the other."""
    values = [scale * (10 + (1 if n == 8 else -1)) for n in (8, 16)]
    found = fit([(n, value) for n in (1, 2, 3) for value in values])
    assert isinstance(found, Law)

    assert found.kind == "constant"
    assert found.error == pytest.approx(1 / ((11**2 + 9**2) / 2) ** 0.5)
