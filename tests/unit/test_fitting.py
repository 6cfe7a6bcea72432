"""The interval of a law spans every law that the points do not reject."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.analysis.fitting import fit
from profiler.analysis.laws import Law

LENGTHS = (64, 96, 128, 192, 256)


@settings(max_examples=15)
@given(scale=st.floats(1e-6, 1e6))
def test_the_interval_of_a_constant_allows_for_a_slope(*, scale: float) -> None:
    """In proportion to the values, whatever their unit: what is far is less sure."""
    points = [
        (n, scale * value) for n, value in zip(LENGTHS, (100, 108, 96, 104, 110), strict=True)
    ]
    found = fit(points)
    assert isinstance(found, Law)
    near, far = (high - low for low, high in map(found.interval_at, (256, 2048)))

    assert found.kind == "constant"
    assert {"linear", "quadratic"} <= {rival.kind for rival in found.rivals}
    assert far > 5 * near


@pytest.mark.parametrize("bend", [0.0, 0.1])
def test_a_line_that_the_points_reject_is_no_rival(bend: float) -> None:
    """A tenth of bend is far beyond a thousandth of noise; then cubics are allowed for as well."""
    signs = (1, -1, -1, 1, 1, -1, -1, 1)
    points = [
        (n, (n + bend * n * n / 64) * (1 + sign / 1000))
        for n, sign in zip(range(8, 72, 8), signs, strict=True)
    ]
    found = fit(points)
    assert isinstance(found, Law)
    kinds = {rival.kind for rival in found.rivals}

    assert ("linear" in kinds) is (not bend)
    assert ("cubic" in kinds) is bool(bend)


def test_what_is_no_point_is_refused() -> None:
    """By name."""
    with pytest.raises(ValueError, match="steps from 1 on"):
        fit([(0, 1.0), (8, 1.0), (16, 2.0)])


@given(scale=st.floats(1e-6, 1e6))
def test_the_error_is_the_residuals_share_of_the_values(*, scale: float) -> None:
    """Root mean squares of both: a long length weighs as much in the one as in the other."""
    values = [scale * (10 + (1 if n == 8 else -1)) for n in (8, 16)]
    found = fit([(n, value) for n in (1, 2, 3) for value in values])
    assert isinstance(found, Law)

    assert found.kind == "constant"
    assert found.error == pytest.approx(1 / ((11**2 + 9**2) / 2) ** 0.5)
