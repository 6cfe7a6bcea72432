"""Growth laws: planted ones come back, noise bends nothing, and no unit matters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiler.analysis.fitting import fit, validate
from profiler.analysis.laws import LAW_KINDS, RIVAL_KINDS, Law, TooFewLengths

Points = list[tuple[int, float]]
DOUBLING = [8, 16, 32, 64, 128, 256, 512]
EVEN = list(range(100, 1100, 100))
BENT = {"T log T", "quadratic", "jump"}
numbers = st.integers(1, 1000)
lengths = st.sets(st.integers(1, 5000), min_size=6, max_size=12).map(sorted)


def _points(law: Callable[[int], float], steps: Sequence[int]) -> Points:
    return [(n, law(n)) for n in steps]


def _noisy(points: Points, share: float, seed: int, *, relative: bool = True) -> Points:
    """Add noise: a share of each value, or of their median."""
    draw = np.random.default_rng(seed).standard_normal(len(points)).tolist()
    middle = float(np.median([value for _, value in points]))
    return [
        (n, value + share * z * (value if relative else middle))
        for (n, value), z in zip(points, draw, strict=True)
    ]


def _law(points: Points, *, whole: bool = False) -> Law:
    law = fit(points, whole=whole)
    assert isinstance(law, Law)
    return law


class TestExact:
    """Counts, in rational arithmetic."""

    @given(st.integers(-1000, 1000), numbers, lengths)
    def test_lines_are_recovered(self, a: int, b: int, steps: list[int]) -> None:
        """Coefficients are the very numbers, without an interval."""
        law = _law(_points(lambda n: a + b * n, steps), whole=True)

        assert (law.kind, law.exact, law.coefficients) == ("linear", True, (a, b))
        assert law.intervals == ((a, a), (b, b))
        assert (law.error, law.outliers, law.per_step) == (0, (), b)

    @settings(max_examples=40)
    @given(st.integers(0, 1000), lengths)
    def test_constants_are_no_lines(self, a: int, steps: list[int]) -> None:
        """The simplest law that is exact is taken."""
        law = _law(_points(lambda _: a, steps), whole=True)

        assert (law.kind, law.coefficients, law.per_step) == ("constant", (a,), 0)

    @pytest.mark.parametrize("whole", [True, False])
    def test_one_constant_for_values_that_differ_tells_no_growth(self, *, whole: bool) -> None:
        """They may grow from the last length on, by no law that five of them show."""
        values = (8, 512), (16, 516), (24, 520), (32, 524), (48, 760)
        law = _law([(n, 6000 + value) for n, value in values], whole=whole)

        assert (law.kind, law.exact, law.is_clear, law.per_step) == ("constant", False, True, None)
        assert _law([(n, 7.0) for n in (8, 16, 24)]).per_step == 0

    def test_curves_may_have_fractions(self) -> None:
        """Pairs of steps: T(T - 1)/2."""
        law = _law(_points(lambda n: n * (n - 1) // 2, [3, 8, 16, 33]), whole=True)

        assert (law.kind, law.exact) == ("quadratic", True)
        assert law.coefficients == (0, Fraction(-1, 2), Fraction(1, 2))

    def test_logarithms_of_powers_of_two_are_whole(self) -> None:
        """T·log2(T) is exact there."""
        law = _law(_points(lambda n: n * (n.bit_length() - 1), DOUBLING), whole=True)

        assert (law.kind, law.exact, law.coefficients) == ("T log T", True, (0, 0, 1))

    @settings(max_examples=40)
    @given(numbers, numbers, st.integers(3, 4))
    def test_jumps_are_recovered(self, b: int, c: int, place: int) -> None:
        """The jump lies between two measured lengths."""
        j = DOUBLING[place]
        law = _law(_points(lambda n: 5 + b * n + c * (n >= j), DOUBLING), whole=True)

        assert (law.kind, law.coefficients) == ("jump", (5, b, c))
        assert law.jump == (DOUBLING[place - 1], j)

    @pytest.mark.parametrize("others", [[2, 4, 8, 16], [2, 3, 5, 9, 100]])
    def test_one_step_may_have_a_node_less(self, others: list[int]) -> None:
        """A graph of one step adds no gradients up: the law is exact from two steps on."""
        points = _points(lambda n: 135 + 17 * n - (n == 1), [1, *others])
        law = _law(points, whole=True)

        assert (law.kind, law.exact, law.coefficients) == ("linear", True, (135, 17))
        assert (law.first, len(law.points) - len(law.outliers)) == (2, len(others))
        assert [(point.steps, point.residual) for point in law.outliers] == [(1, -1)]

    def test_lengths_that_are_left_out_must_be_outweighed(self) -> None:
        """Three lengths on a line prove it, but not if another had to be left out for it."""
        law = _law(_points(lambda n: 135 + 17 * n - (n == 1), [1, 2, 4, 8]), whole=True)

        assert not law.exact

    def test_what_is_not_exact_says_so(self) -> None:
        """One node too many in the middle."""
        law = _law(_points(lambda n: 135 + 17 * n + (n == 64), DOUBLING), whole=True)

        assert (law.kind, law.exact) == ("linear", False)
        assert [point.steps for point in law.outliers] == [64]


PLANTED: dict[str, tuple[Callable[[int], float], tuple[float, ...]]] = {
    "constant": (lambda _: 235.0, (235,)),
    "linear": (lambda n: 100 + 7.5 * n, (100, 7.5)),
    "T log T": (lambda n: 3 + n + 2 * n * math.log2(n), (3, 1, 2)),
    "quadratic": (lambda n: 100 + 5 * n + 0.02 * n * n, (100, 5, 0.02)),
    "jump": (lambda n: 50 + 2.0 * n + 100 * (n >= 64), (50, 2, 100)),
}


class TestMeasured:
    """Numbers with noise."""

    @pytest.mark.parametrize("kind", LAW_KINDS)
    def test_planted_laws_are_recovered(self, kind: str) -> None:
        """Without noise, but for rounding."""
        law, coefficients = PLANTED[kind]
        found = _law(_points(law, DOUBLING))

        assert found.kind == kind
        assert found.coefficients == pytest.approx(coefficients, rel=1e-6)
        assert found.error < 1e-9

    @pytest.mark.parametrize("kind", LAW_KINDS)
    def test_intervals_hold_what_was_planted(self, kind: str) -> None:
        """Of 95 % intervals, nearly so many do: 60 trials, three standard errors allowed."""
        law, coefficients = PLANTED[kind]
        held = []
        for seed in range(60):
            found = _law(_noisy(_points(law, DOUBLING * 3), 0.005, seed))
            low, high = found.interval_at(1024)
            held.append(low <= law(1024) <= high)
            if found.kind == kind:
                pairs = zip(found.intervals, coefficients, strict=True)
                held.extend(low <= number <= high for (low, high), number in pairs)

        assert len(held) > 60 * len(coefficients)
        assert sum(held) >= 0.86 * len(held)

    @pytest.mark.parametrize("relative", [True, False])
    @pytest.mark.parametrize("steps", [DOUBLING, DOUBLING[:5], EVEN, DOUBLING[:4] * 3])
    @pytest.mark.parametrize("noise", [0, 0.001, 0.01, 0.05])
    def test_noise_bends_no_line(self, noise: float, steps: list[int], *, relative: bool) -> None:
        """At most one of 20 seeded trials: 7 were bent of 4,500 (0.16 %)."""
        line = _points(lambda n: 300 + 7 * n, steps)
        seeds = range(20 if noise else 1)
        kinds = [_law(_noisy(line, noise, seed, relative=relative)).kind for seed in seeds]

        assert sum(kind in BENT for kind in kinds) <= (1 if noise else 0)

    @settings(max_examples=30)
    @given(st.sampled_from(sorted(PLANTED)), st.integers(-30, 30), st.integers(1, 50))
    def test_no_unit_matters(self, kind: str, power: int, stretch: int) -> None:
        """Neither the metric's nor the steps'."""
        points = _noisy(_points(PLANTED[kind][0], DOUBLING), 0.003, 1)
        law = _law(points)
        scaled = _law([(n * stretch, value * 10.0**power) for n, value in points])

        assert scaled.kind == law.kind
        assert scaled.error == pytest.approx(law.error, rel=1e-6)
        assert scaled.at(1000 * stretch) == pytest.approx(law.at(1000) * 10.0**power, rel=1e-6)

    @settings(max_examples=10)
    @given(st.permutations(_noisy(_points(PLANTED["linear"][0], DOUBLING * 2), 0.01, 3)))
    def test_order_does_not_matter(self, points: Points) -> None:
        """Nor do repeats stand in the way."""
        assert fit(points) == fit(sorted(points))

    def test_a_wild_point_is_reported(self) -> None:
        """Ten times the noise away, in the middle."""
        points = _noisy(_points(lambda n: 300 + 7 * n, EVEN), 0.001, 5)
        points[5] = (points[5][0], points[5][1] * 1.05)

        assert [point.steps for point in _law(points).outliers] == [EVEN[5]]


class TestTooFew:
    """Lengths that are missing are counted."""

    @pytest.mark.parametrize("count", [0, 1, 2])
    def test_no_law_from_less_than_three_lengths(self, count: int) -> None:
        """Repeats are no lengths."""
        few = fit(_points(lambda n: n, DOUBLING[:count] * 5))

        assert isinstance(few, TooFewLengths)
        assert (few.lengths, few.needed) == (count, 3)

    @pytest.mark.parametrize("point", [(0, 1.0), (8, math.nan), (8, math.inf)])
    def test_what_is_no_point_is_refused(self, point: tuple[int, float]) -> None:
        """By name."""
        with pytest.raises(ValueError, match="point"):
            fit([point])


class TestManySteps:
    """One call for a million steps says what a call for each says."""

    @settings(max_examples=40)
    @given(
        coefficients=st.lists(st.integers(-50, 50), min_size=3, max_size=3),
        steps=st.lists(st.integers(1, 10**6), min_size=1),
    )
    def test_whole_values_are_exact(self, coefficients: list[int], steps: list[int]) -> None:
        """A parabola through whole numbers, whatever the signs, against integers."""
        a, b, c = coefficients
        law = _law(_points(lambda n: a + b * n + c * n * n, [1, 2, 5, 9]), whole=True)

        assert law.values(steps).tolist() == [a + b * n + c * n * n for n in steps]

    @settings(max_examples=30)
    @given(st.lists(st.integers(1, 10**6), min_size=1))
    def test_fractions_are_the_nearest_floats(self, steps: list[int]) -> None:
        """A third of a node per step meets whole numbers at every third step."""
        law = _law(_points(lambda n: 7 + n // 3, [3, 9, 30, 60]), whole=True)

        assert law.coefficients == (7, Fraction(1, 3))
        assert law.values(steps).tolist() == [float(7 + Fraction(n, 3)) for n in steps]

    def test_exact_laws_have_no_width(self) -> None:
        """Both bounds are the value."""
        law = _law(_points(lambda n: 135 + 17 * n, DOUBLING), whole=True)
        low, high = law.bounds([1, 10, 1000])

        assert low.tolist() == high.tolist() == [152, 305, 17135]

    @pytest.mark.parametrize("relative", [True, False])
    @pytest.mark.parametrize("kind", LAW_KINDS)
    def test_bounds_lie_around_the_value_and_widen(self, kind: str, *, relative: bool) -> None:
        """Far from what was measured less is known; a step alone has the same bounds."""
        law = _law(_noisy(_points(PLANTED[kind][0], DOUBLING * 2), 0.003, 7, relative=relative))
        steps = [512, 5120, 51200]
        low, high = law.bounds(steps)

        assert np.all(low <= law.values(steps))
        assert np.all(law.values(steps) <= high)
        assert np.all(np.diff(high - low) >= 0)
        assert [law.interval_at(n)[0] for n in steps] == pytest.approx(low)
        assert [law.interval_at(n)[1] for n in steps] == pytest.approx(high)


class TestValidate:
    """Short lengths predict the long ones, or do not."""

    def test_a_law_predicts(self) -> None:
        """Nothing is off where nothing is noisy."""
        assert validate(_points(PLANTED["quadratic"][0], DOUBLING)) == pytest.approx(0, abs=1e-6)

    def test_a_late_jump_is_an_error(self) -> None:
        """The line below it says 1,024 where 2,048 is."""
        points = _points(lambda n: n * (1 if n < 100 else 2), DOUBLING)

        assert validate(points, whole=True) == 0.5

    def test_needs_a_law_and_a_longer_length(self) -> None:
        """Five lengths are the fewest."""
        assert validate(_points(float, DOUBLING[:4])) is None
        assert validate(_points(float, DOUBLING[:5])) == pytest.approx(0, abs=1e-9)


@given(st.lists(st.integers(1, 60), min_size=8, max_size=40, unique=True).map(sorted))
def test_every_law_that_is_tried_can_be_told_from_the_others(lengths: list[int]) -> None:
    """Beside neighbours, too: no term is zero at all lengths, or a sum of the others."""
    steps = np.array(lengths, dtype=np.float64)
    for kind in RIVAL_KINDS.values():
        for jump in kind.jumps(lengths):
            columns = kind.columns(steps, jump)
            scaled = columns / np.linalg.norm(columns, axis=0)
            assert np.linalg.matrix_rank(scaled) == len(kind.terms), (kind.name, jump)
