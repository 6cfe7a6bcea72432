"""Repeats tell a change from noise, or say that they cannot."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiler.analysis.significance import CHANCE, REPEATS, doubt

values = st.lists(
    st.floats(0.001, 1000), min_size=REPEATS, max_size=2 * REPEATS, unique_by=lambda x: round(x, 6)
)


def test_five_repeats_are_the_fewest_that_tell() -> None:
    """Of C(10, 5) = 252 orders one has all of one side above the other; of C(8, 4) = 70 too."""
    fewest = next(n for n in range(1, 99) if math.comb(2 * n, n) >= 1 / CHANCE)

    assert fewest == REPEATS


@pytest.mark.parametrize("repeats", range(1, REPEATS))
def test_fewer_say_what_it_takes(repeats: int) -> None:
    """However far apart they lie."""
    said = doubt([1.0] * repeats, [1e9] * repeats)

    assert said == f"{repeats} and {repeats} repeats cannot tell: take --repeats 5 in both runs"


@given(before=values, after=values, shift=st.floats(1.5, 1000))
def test_sides_that_lie_apart_are_a_change_both_ways(
    *, before: list[float], after: list[float], shift: float
) -> None:
    """Above or below, nothing is in doubt."""
    above = [max(before) * shift + value for value in after]

    assert doubt(before, above) is None
    assert doubt(above, before) is None


@given(some=values)
def test_a_side_is_no_change_from_itself(*, some: list[float]) -> None:
    """Equal repeats are noise."""
    assert "within noise" in (doubt(some, some) or "")


def test_one_swap_of_neighbours_is_still_a_change_of_five() -> None:
    """Two of 252 orders are at least so one-sided: 0.8 %."""
    assert doubt([1, 2, 3, 4, 6], [5, 7, 8, 9, 10]) is None


def test_two_swaps_are_not_and_the_chance_is_said() -> None:
    """Four of 252 orders are at least so one-sided: 1.6 %."""
    said = doubt([1, 2, 3, 4, 7], [5, 6, 8, 9, 10])

    assert said == "within noise: 5 and 5 repeats, chance 2%"


@given(some=values, factor=st.sampled_from([0.5, 2.0, 1024.0]))
def test_units_do_not_matter(*, some: list[float], factor: float) -> None:
    """Ranks have none."""
    other = [value + 1.5 for value in some[::-1]]
    scaled = doubt([value * factor for value in some], [value * factor for value in other])

    assert scaled == doubt(some, other)
