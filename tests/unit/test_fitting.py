"""The interval of a law is averaged over all laws that the points may follow."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.analysis.fitting import fit, fits, holdout_errors, validate
from profiler.analysis.laws import Law, student
from profiler.analysis.rivals import Rivals

LENGTHS = (64, 96, 128, 192, 256)


def weights_of(law: Law) -> dict[str, float]:
    """Return the weights of the rivals, those of a kind added up."""
    found: dict[str, float] = {}
    assert isinstance(law.rivals, Rivals)
    for index, (kind, _) in enumerate(law.rivals.designs.tried):
        own = float(law.rivals.weights[:, index].sum())
        found[kind.name] = found.get(kind.name, 0) + own
    return found


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
    assert {"linear", "quadratic"} <= set(weights_of(found))
    assert far > 5 * near


@pytest.mark.parametrize("bend", [0.0, 0.1])
def test_a_line_that_the_points_reject_has_no_weight(bend: float) -> None:
    """A tenth of bend is far beyond a thousandth of noise."""
    signs = (1, -1, -1, 1, 1, -1, -1, 1)
    points = [
        (n, (n + bend * n * n / 64) * (1 + sign / 1000))
        for n, sign in zip(range(8, 72, 8), signs, strict=True)
    ]
    found = fit(points)
    assert isinstance(found, Law)
    weights = weights_of(found)

    assert sum(weights.values()) == pytest.approx(1)
    assert (weights["linear"] > 0.1) is (not bend)
    assert (weights["linear"] < 1e-6) is bool(bend)


def test_changes_at_many_lengths_have_the_weight_of_one_law() -> None:
    """Of twelve lengths on a line each could be a jump or a bend: none is seen."""
    noise = (1, -1, 0, 1, -1, 0, 0, 1, -1, 0, 1, -1)
    points = [(10 * n, 10 * n + z / 100) for n, z in zip(range(1, 13), noise, strict=True)]
    found = fit(points)
    assert isinstance(found, Law)
    weights = weights_of(found)

    assert found.kind == "linear"
    assert weights["step"] + weights["bend"] < weights["linear"]


@pytest.mark.parametrize("noise", [1e-4, 1e-3, 1e-2])
def test_an_interval_adds_up_laws_by_their_weights(noise: float) -> None:
    """The closed form, from the coefficients and their covariances alone."""
    signs = (1, -1, -1, 1, 1, -1)
    points = [(n, n * (1 + s * noise)) for n, s in zip((8, 16, 24, 32, 40, 48), signs, strict=True)]
    found = fit(points)
    assert isinstance(found, Law)
    squares, far = 0.0, 384
    rivals = found.rivals
    assert isinstance(rivals, Rivals)
    for is_relative, index in itertools.product((0, 1), range(len(rivals.designs.tried))):
        one = is_relative, index
        kind, jump = rivals.designs.tried[index]
        terms = kind.columns(np.array([far]), jump)[0]
        order = len(terms)
        value = float(terms @ rivals.coefficients[one][:order])
        own = float(terms @ rivals.covariances[one][:order, :order] @ terms)
        own += (rivals.noises[one] * (value if is_relative else 1)) ** 2
        sure = student(0.05, len(points) - order) ** 2 * own
        squares += rivals.weights[one] * (sure + (1.959964 * (value - found.at(far))) ** 2)
    low, high = found.interval_at(far)

    assert high - found.at(far) == pytest.approx(math.sqrt(squares), rel=1e-5)
    assert found.at(far) - low == pytest.approx(math.sqrt(squares), rel=1e-5)


def test_what_is_no_point_is_refused() -> None:
    """By name."""
    with pytest.raises(ValueError, match="steps must be at least 1"):
        fit([(0, 1.0), (8, 1.0), (16, 2.0)])


@given(scale=st.floats(1e-6, 1e6))
def test_the_error_is_the_residuals_share_of_the_values(*, scale: float) -> None:
    """Root mean squares of both: a long length weighs as much in the one as in the other."""
    values = [scale * (10 + (1 if n == 8 else -1)) for n in (8, 16)]
    found = fit([(n, value) for n in (1, 2, 3) for value in values])
    assert isinstance(found, Law)

    assert found.kind == "constant"
    assert found.error == pytest.approx(1 / ((11**2 + 9**2) / 2) ** 0.5)


SERIES = st.lists(
    st.tuples(
        st.sampled_from([LENGTHS, LENGTHS[:4], (*LENGTHS, *LENGTHS)]),
        st.lists(st.integers(0, 1_000), min_size=10, max_size=10),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=25, deadline=None)
@given(series=SERIES, whole=st.booleans())
def test_many_series_at_once_get_the_laws_of_each_alone(
    *, series: list[tuple[tuple[int, ...], list[int]]], whole: bool
) -> None:
    """Of whatever lengths, values of 0 among them, in their order."""
    many = [list(zip(steps, map(float, values), strict=False)) for steps, values in series]
    alone = [fit(points, whole=whole) for points in many]
    errors = [validate(points, whole=whole) for points in many]

    for together, one in zip(fits(many, whole=whole), alone, strict=True):
        assert type(together) is type(one)
        if isinstance(together, Law) and isinstance(one, Law):
            assert (together.kind, together.jump, together.exact) == (one.kind, one.jump, one.exact)
            assert [float(n) for n in together.coefficients] == pytest.approx(
                [float(n) for n in one.coefficients], rel=1e-6, abs=1e-6
            )
            assert together.interval_at(512) == pytest.approx(one.interval_at(512), rel=1e-6)
    for error, own in zip(holdout_errors(many, whole=whole), errors, strict=True):
        assert error == (own if own is None else pytest.approx(own, rel=1e-6, abs=1e-9))
